"""The use cases of failures: the pieces that did not arrive."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from uuid import UUID

from domain.admission import Admission
from domain.errors import (
    FailureRecordNotFoundError,
    IllegalMoveError,
    RetryLimitReachedError,
    TaskMismatchError,
    TaskNotFoundError,
)
from domain.inputs import NewFailure, failure_errors, refuse
from domain.models import MAX_FAILURE_RETRIES, DownloadFailure, DownloadTask
from domain.paging import Page, PageRequest
from domain.paths import check_under
from domain.piece_map import place_of
from domain.ports import Clock, NamesFor, UnitOfWork
from domain.queries import FailureFilter, PieceRange, Sort
from domain.values import FailedResourceType, FailureStatus, ResourceType, TaskStatus

_SEGMENT = re.compile(r"/segment_([0-9]{6,9})_")


@dataclass(frozen=True, slots=True)
class FailureService:
    """Failures of one user's tasks at a time; the user id comes first in every call."""

    uow: UnitOfWork
    admission: Admission
    names_for: NamesFor
    clock: Clock

    def create_download_failure(self, user_id: UUID, task_id: UUID, new: NewFailure) -> DownloadFailure:
        """Keep a loss that the caller saw; nothing else of the task changes.

        Raises TaskNotFoundError, InvalidInputError, TaskMismatchError, OutsideTaskFolderError.
        """
        refuse(failure_errors(new))
        with self.uow as uow:
            task = self._task(user_id, task_id)
            if new.task_id not in (None, task_id):
                raise TaskMismatchError(field=("task_id",))
            check_under(new.expected_path, self.names_for(task).folder, "expected_path")
            failure = self._build(task, new)
            uow.failures.add(failure)
            uow.commit()
            return failure

    def _build(self, task: DownloadTask, new: NewFailure) -> DownloadFailure:
        now = self.clock()
        return DownloadFailure(
            task_id=task.id,
            resource_url=new.resource_url,
            resource_type=new.resource_type,
            failure_type=new.failure_type,
            error_message=new.error_message,
            expected_path=new.expected_path,
            standard_name=new.standard_name,
            segment_index=_segment_index(new),
            piece_key=self._piece_key(task, new),
            retry_count=new.retry_count,
            created_at=now,
            updated_at=now,
        )

    def _piece_key(self, task: DownloadTask, new: NewFailure) -> str | None:
        """The computed key that ``expected_path`` spells, if the task has such a piece."""
        names = self.names_for(task)
        match new.resource_type, task.resource_type:
            case FailedResourceType.MP4, ResourceType.MP4:
                known = {names.mp4}
            case FailedResourceType.IMAGE, ResourceType.IMAGE:
                known = {names.image("")}
            case FailedResourceType.M3U8, ResourceType.HLS:
                known = {names.playlist, names.master_playlist}
            case FailedResourceType.TS, ResourceType.HLS:
                index = _segment_index(new)
                if index is None or index >= (task.segments_total or 0):
                    return None
                known = {names.segment(index, extension) for extension in (".ts", ".m4s", ".aac", ".vtt")}
            case _:
                return None
        return new.expected_path if new.expected_path in known else None

    def retry_download_failure(self, user_id: UUID, failure_id: UUID, task_id: UUID | None = None) -> DownloadFailure:
        """Fetch this piece again: by a run of its own, or by the run that the task already has.

        Raises FailureRecordNotFoundError, AbandonedFailureError, RetryLimitReachedError, IllegalMoveError.
        """
        with self.uow as uow:
            failure = self._mine(user_id, failure_id, task_id)
            failure.retry(self.clock())
            self._take_up(self._task(user_id, failure.task_id))
            uow.commit()
            return failure

    def retry_download_failures(self, user_id: UUID, task_id: UUID, pieces: PieceRange) -> int:
        """Fetch the lost pieces of a stretch again; how many those are. Those that are under way stay so.

        Raises TaskNotFoundError, IllegalMoveError; RetryLimitReachedError when that holds for all there are.
        """
        with self.uow as uow:
            task = self._task(user_id, task_id)
            lost = [each for each in self._within(task, pieces) if each.status is FailureStatus.PENDING]
            retried = [failure for failure in lost if failure.retry_count < MAX_FAILURE_RETRIES]
            if lost and not retried:
                raise RetryLimitReachedError
            for failure in retried:
                failure.retry(self.clock())
            if retried:
                self._take_up(task)
            uow.commit()
            return len(retried)

    def _within(self, task: DownloadTask, pieces: PieceRange) -> list[DownloadFailure]:
        return [each for each in self.uow.failures.of_task(task.id) if pieces.holds(place_of(each.piece_key))]

    def _take_up(self, task: DownloadTask) -> None:
        """A run follows, or the one that the task has takes in what is retrying. Raises IllegalMoveError."""
        if task.status is TaskStatus.PENDING:
            raise IllegalMoveError("The task is not started, or paused: start or resume it instead.")
        if task.status is not TaskStatus.PROCESSING:
            task.start(self.clock())
        self.uow.flush()
        self.admission.admit(self.uow)

    def abandon_download_failure(self, user_id: UUID, failure_id: UUID, task_id: UUID | None = None) -> DownloadFailure:
        """Never try this piece again. Raises FailureRecordNotFoundError, AbandonedFailureError."""
        with self.uow as uow:
            failure = self._mine(user_id, failure_id, task_id)
            failure.abandon(self.clock())
            uow.commit()
            return failure

    def abandon_download_failures(self, user_id: UUID, task_id: UUID, pieces: PieceRange | None = None) -> int:
        """Give up every loss of the task, or of these pieces; how many that were. Raises TaskNotFoundError."""
        with self.uow as uow:
            task = self._task(user_id, task_id)
            lost = uow.failures.of_task(task.id) if pieces is None else self._within(task, pieces)
            open_ones = [failure for failure in lost if failure.status is not FailureStatus.ABANDONED]
            for failure in open_ones:
                failure.abandon(self.clock())
            uow.commit()
            return len(open_ones)

    def get_failure_details(self, user_id: UUID, failure_id: UUID) -> DownloadFailure:
        """Raises FailureRecordNotFoundError."""
        with self.uow.reading() as uow:
            failure = uow.failures.get(user_id, failure_id)
        if failure is None:
            raise FailureRecordNotFoundError
        return failure

    def list_failures(
        self, user_id: UUID, where: FailureFilter, sort: Sort, request: PageRequest
    ) -> Page[DownloadFailure]:
        """One page of the failures of all tasks."""
        with self.uow.reading() as uow:
            return uow.failures.page(user_id, where, sort, request)

    def count_failures(self, user_id: UUID, where: FailureFilter) -> int:
        """How many there are in all pages."""
        with self.uow.reading() as uow:
            return uow.failures.count(user_id, where)

    def list_download_failures(
        self, user_id: UUID, task_id: UUID, where: FailureFilter, sort: Sort, request: PageRequest
    ) -> Page[DownloadFailure]:
        """One page of a task's failures. Raises TaskNotFoundError."""
        with self.uow.reading() as uow:
            self._seen(user_id, task_id)
            return uow.failures.page(user_id, where, sort, request, task_id=task_id)

    def count_download_failures(self, user_id: UUID, task_id: UUID, where: FailureFilter) -> int:
        """Raises TaskNotFoundError."""
        with self.uow.reading() as uow:
            self._seen(user_id, task_id)
            return uow.failures.count(user_id, where, task_id=task_id)

    def first_failures_of_tasks(
        self, user_id: UUID, task_ids: Collection[UUID], where: FailureFilter, sort: Sort, first: int
    ) -> dict[UUID, Page[DownloadFailure]]:
        """The first page of each task's failures, in one statement."""
        with self.uow.reading() as uow:
            rows = uow.failures.first_of_tasks(user_id, task_ids, where, sort, first)
        return {task_id: Page(found[:first], has_next=len(found) > first) for task_id, found in rows.items()}

    def _task(self, user_id: UUID, task_id: UUID) -> DownloadTask:
        task = self.uow.tasks.get(user_id, task_id, for_update=True)
        if task is None:
            raise TaskNotFoundError
        return task

    def _seen(self, user_id: UUID, task_id: UUID) -> None:
        if self.uow.tasks.get(user_id, task_id) is None:
            raise TaskNotFoundError

    def _mine(self, user_id: UUID, failure_id: UUID, task_id: UUID | None) -> DownloadFailure:
        failure = self.uow.failures.get(user_id, failure_id, for_update=True)
        if failure is None or (task_id is not None and failure.task_id != task_id):
            raise FailureRecordNotFoundError
        return failure


def _segment_index(new: NewFailure) -> int | None:
    """The position in the playlist, given or spelled in the path of a segment."""
    if new.segment_index is not None or new.resource_type is not FailedResourceType.TS:
        return new.segment_index
    spelled = _SEGMENT.search(new.expected_path)
    return int(spelled[1]) if spelled else None
