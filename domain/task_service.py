"""The use cases of tasks. Each is one transaction: load, ask the entity, commit."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import timedelta
from itertools import chain
from uuid import UUID

from domain.admission import Admission
from domain.errors import (
    ConflictError,
    DuplicateError,
    IllegalMoveError,
    TaskNotFoundError,
)
from domain.inputs import (
    UNSET,
    NewTask,
    TaskChanges,
    Unset,
    blank_to_none,
    change_errors,
    given,
    refuse,
    task_errors,
)
from domain.models import DownloadTask
from domain.policy import Policy
from domain.ports import Clock, Headers, HeaderSealer, NamesFor, Purge
from domain.task_reading import TaskReading
from domain.values import TaskStatus

IDEMPOTENCY_PERIOD = timedelta(days=7)
PURGE_PERIOD = timedelta(minutes=1)
"""A stopped run notices within a second or so; a minute also covers a machine that is out of breath."""


@dataclass(frozen=True, slots=True)
class TaskService(TaskReading):
    """Tasks of one user at a time; the user id comes first in every call."""

    admission: Admission
    sealer: HeaderSealer
    names_for: NamesFor
    policy: Policy
    clock: Clock

    # --- create, change, delete ---

    def create_download_task(self, user_id: UUID, new: NewTask) -> DownloadTask:
        """Keep a download, and start it if asked to. The same idempotency key returns the first call's task.

        Raises BlockedUrlError, InvalidInputError, QuotaExceededError, ConflictError.
        """
        self.check(new)
        try:
            return self._create(user_id, new)
        except DuplicateError:
            if new.idempotency_key is None:
                raise
            return self._create(user_id, new)  # the call that was faster has left its task

    def _create(self, user_id: UUID, new: NewTask) -> DownloadTask:
        with self.uow as uow:
            task = self._first_call(user_id, new) or self.add(user_id, new)
            if new.auto_start:
                self.admission.admit(uow)
            uow.commit()
            return task

    def check(self, new: NewTask) -> None:
        """Raises BlockedUrlError, InvalidInputError."""
        refuse(chain(self.policy.url_errors(new.resource_url), task_errors(new)))

    def add(self, user_id: UUID, new: NewTask) -> DownloadTask:
        """Within the caller's transaction; who adds started tasks admits. Raises QuotaExceededError."""
        self.policy.refuse_another_task(self.uow.tasks, user_id)
        self.policy.refuse_more_bytes(self.uow.tasks, user_id)
        task = self._build(user_id, new)
        self.uow.tasks.add(task)
        if new.auto_start:
            task.start(self.clock())
        self.uow.flush()
        return task

    def _build(self, user_id: UUID, new: NewTask) -> DownloadTask:
        now = self.clock()
        return DownloadTask(
            user_id=user_id,
            resource_url=new.resource_url,
            resource_type=new.resource_type,
            liveroom_id=new.liveroom_id,
            liveroom_title=blank_to_none(new.liveroom_title),
            liveroom_url=blank_to_none(new.liveroom_url),
            priority=new.priority,
            max_retries=new.max_retries,
            max_height=new.max_height,
            sealed_headers=self._seal(new.request_headers),
            idempotency_key=new.idempotency_key,
            idempotency_digest=_digest(new) if new.idempotency_key is not None else None,
            created_at=now,
            updated_at=now,
        )

    def _first_call(self, user_id: UUID, new: NewTask) -> DownloadTask | None:
        if new.idempotency_key is None:
            return None
        task = self.uow.tasks.find_idempotent(user_id, new.idempotency_key)
        if task is None:
            return None
        if task.created_at < self.clock() - IDEMPOTENCY_PERIOD:
            task.idempotency_key = None
            self.uow.flush()
            return None
        if task.idempotency_digest != _digest(new):
            raise ConflictError(
                "This idempotencyKey was used with other input. Use a new key.", field=("idempotency_key",)
            )
        return task

    def update_download_task(self, user_id: UUID, task_id: UUID, changes: TaskChanges) -> DownloadTask:
        """Change what is given. A new URL or new headers give all retries back and are used at once.

        Raises TaskNotFoundError, BlockedUrlError, InvalidInputError, IllegalMoveError.
        """
        refuse(chain(self.policy.url_errors(given(changes.resource_url)), change_errors(changes)))
        with self.uow as uow:
            task = self._mine(user_id, task_id)
            self._change_source(task, changes)
            _change_plain(task, changes)
            task.updated_at = self.clock()
            if not isinstance(changes.status, Unset) and changes.status is not task.status:
                self._move_to(task, changes.status)
            uow.flush()
            self.admission.admit(uow)
            uow.commit()
            return task

    def _change_source(self, task: DownloadTask, changes: TaskChanges) -> None:
        url, headers = changes.resource_url, changes.request_headers
        if url is UNSET and headers is UNSET:
            return
        if task.status in (TaskStatus.COMPLETED, TaskStatus.CANCELLED):
            raise IllegalMoveError("A completed or cancelled task fetches nothing more: create a new one.")
        if not isinstance(url, Unset):
            task.resource_url = url
        if not isinstance(headers, Unset):
            task.sealed_headers = self._seal(headers)
        task.retry_count = 0
        for failure in self.uow.failures.of_task(task.id):
            failure.forgive()
        if task.status is TaskStatus.PROCESSING:
            task.requeue()

    def _move_to(self, task: DownloadTask, status: TaskStatus) -> None:
        now = self.clock()
        match status:
            case TaskStatus.PROCESSING:
                self._start(task)
            case TaskStatus.PENDING:
                task.pause(now)
            case TaskStatus.CANCELLED:
                task.cancel(now)
                self._release_failures(task)
            case _:
                task.settle(status, task.progress, None, now)
                self._release_failures(task)

    def delete_download_task(self, user_id: UUID, task_id: UUID, include_completed: bool = False) -> UUID:
        """Remove the task, its failures, its video and its files; a running download stops.

        Raises TaskNotFoundError, CompletedTaskError.
        """
        with self.uow as uow:
            task = self._mine(user_id, task_id)
            task.deletable(include_completed=include_completed)
            uow.purges.add(Purge(self.names_for(task).folder, self.clock() + PURGE_PERIOD))
            uow.tasks.delete(task)
            uow.flush()
            self.admission.admit(uow)
            self.admission.jobs.wake(uow)
            uow.commit()
        return task_id

    # --- moves ---

    def start_download_task(self, user_id: UUID, task_id: UUID) -> DownloadTask:
        """Raises TaskNotFoundError, IllegalMoveError, QuotaExceededError."""
        return self._change(user_id, task_id, self._start)

    def retry_download_task(self, user_id: UUID, task_id: UUID) -> DownloadTask:
        """Fetch what is missing once more. Raises TaskNotFoundError, IllegalMoveError, RetryLimitReachedError."""

        def retry(task: DownloadTask) -> None:
            task.retry(self.clock())
            self._take_failures_along(task)

        return self._change(user_id, task_id, retry)

    def pause_download_task(self, user_id: UUID, task_id: UUID) -> DownloadTask:
        """Raises TaskNotFoundError, IllegalMoveError."""
        return self._change(user_id, task_id, lambda task: task.pause(self.clock()))

    def resume_download_task(self, user_id: UUID, task_id: UUID) -> DownloadTask:
        """Raises TaskNotFoundError, IllegalMoveError, QuotaExceededError."""

        def resume(task: DownloadTask) -> None:
            task.resume(self.clock())
            self.policy.refuse_more_bytes(self.uow.tasks, user_id)
            self._take_failures_along(task)

        return self._change(user_id, task_id, resume)

    def cancel_download_task(self, user_id: UUID, task_id: UUID) -> DownloadTask:
        """Raises TaskNotFoundError, IllegalMoveError."""

        def cancel(task: DownloadTask) -> None:
            task.cancel(self.clock())
            self._release_failures(task)

        return self._change(user_id, task_id, cancel)

    def finish_download_task(self, user_id: UUID, task_id: UUID) -> DownloadTask:
        """End a live recording. Raises TaskNotFoundError, IllegalMoveError."""
        return self._change(user_id, task_id, lambda task: task.finish(self.clock()))

    def _change(self, user_id: UUID, task_id: UUID, move: Callable[[DownloadTask], None]) -> DownloadTask:
        with self.uow as uow:
            task = self._mine(user_id, task_id)
            move(task)
            uow.flush()
            self.admission.admit(uow)
            uow.commit()
            return task

    def _start(self, task: DownloadTask) -> None:
        task.start(self.clock())
        self.policy.refuse_more_bytes(self.uow.tasks, task.user_id)
        self._take_failures_along(task)

    def _take_failures_along(self, task: DownloadTask) -> None:
        for failure in self.uow.failures.of_task(task.id):
            failure.take_along(self.clock())

    def _release_failures(self, task: DownloadTask) -> None:
        for failure in self.uow.failures.of_task(task.id):
            failure.release(self.clock())

    # --- shared steps ---

    def _mine(self, user_id: UUID, task_id: UUID) -> DownloadTask:
        task = self.uow.tasks.get(user_id, task_id, for_update=True)
        if task is None:
            raise TaskNotFoundError
        return task

    def _seal(self, headers: Headers) -> bytes | None:
        return self.sealer.seal(headers) if headers else None


def _change_plain(task: DownloadTask, changes: TaskChanges) -> None:
    if not isinstance(changes.liveroom_title, Unset):
        task.liveroom_title = blank_to_none(changes.liveroom_title)
    if not isinstance(changes.liveroom_url, Unset):
        task.liveroom_url = blank_to_none(changes.liveroom_url)
    if not isinstance(changes.priority, Unset):
        task.priority = changes.priority
    if not isinstance(changes.max_retries, Unset):
        task.max_retries = changes.max_retries


def _digest(new: NewTask) -> str:
    return hashlib.sha256(json.dumps(asdict(new), sort_keys=True).encode()).hexdigest()
