"""Rows, and the transactions they are written in."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Protocol, Self
from uuid import UUID

from domain.values import FailureStatus, FailureType, TaskStatus

if TYPE_CHECKING:  # who fetches alone must not wait for what only the database knows
    from domain.models import DownloadedVideo, DownloadFailure, DownloadTask
    from domain.paging import Page, PageRequest
    from domain.piece_map import LostPiece, Written
    from domain.ports.downloading import PieceResult, Progress
    from domain.queries import FailureFilter, Sort, TaskFilter, VideoFilter


@dataclass(frozen=True, slots=True)
class AdmissionLimits:
    """How many tasks may be with the engine at once."""

    total: int
    per_user: int


@dataclass(frozen=True, slots=True)
class Hold:
    """What a run learns when it writes to its task: it holds it still, and what its user has asked for."""

    finish_requested: bool
    retries_asked: bool = False


@dataclass(frozen=True, slots=True)
class Measurement:
    """What a run reports of itself; ``run_number`` is its fence."""

    task_id: UUID
    run_number: int
    progress: Progress
    bytes_per_second: float | None
    measured_at: datetime


@dataclass(frozen=True, slots=True)
class Claim:
    """A run that a worker has taken up: the task as it then was, and the number that fences its writes.

    The task is to be looked at, not changed. ``has_failures``: whether earlier runs, or its user, have recorded any.
    """

    task: DownloadTask
    run_number: int
    has_failures: bool


@dataclass(frozen=True, slots=True)
class Changed:
    """What ``TaskRepository.changed`` finds, all of one moment."""

    tasks: list[DownloadTask]
    versions: int


@dataclass(frozen=True, slots=True)
class Backlog:
    """Tasks that wait for a slot, and since when the first of them does."""

    waiting: int
    oldest: datetime | None


class TaskRepository(Protocol):
    """Rows of ``download_tasks``. Every method with a user id sees that user's rows alone."""

    def add(self, task: DownloadTask) -> None: ...

    def get(self, user_id: UUID, task_id: UUID, *, for_update: bool = False) -> DownloadTask | None: ...

    def get_many(self, user_id: UUID, task_ids: Collection[UUID]) -> dict[UUID, DownloadTask]: ...

    def find(self, task_id: UUID, *, for_update: bool = False) -> DownloadTask | None:
        """Any user's task: for the engine alone."""

    def changed(
        self, user_ids: Collection[UUID], since: datetime, named: Collection[UUID], counted: Collection[UUID]
    ) -> Changed:
        """News of many users, in one statement: for the poller alone.

        ``tasks`` are those of ``user_ids`` that were changed at ``since`` or later, and the ``named`` ones, whoever's
        they are. ``versions`` is the sum of the versions of the ``counted`` ones: it also tells of a row that is gone,
        and of a decision written by a machine whose clock is slow.
        """

    def find_idempotent(self, user_id: UUID, key: str) -> DownloadTask | None: ...

    def combinations(self, user_id: UUID, urls: Collection[str]) -> set[tuple[str, str, str | None]]:
        """URL, live room and title of the user's tasks with one of these URLs."""

    def page(self, user_id: UUID, where: TaskFilter, sort: Sort, request: PageRequest) -> Page[DownloadTask]: ...

    def count(self, user_id: UUID, where: TaskFilter) -> int: ...

    def counts_by_status(self, user_id: UUID) -> dict[TaskStatus, int]: ...

    def count_waiting(self, user_id: UUID) -> int:
        """Started tasks that no worker has taken up."""

    def backlog(self) -> Backlog:
        """Everybody's started tasks that have no slot yet: for who watches the service."""

    def bytes_stored(self, user_id: UUID) -> int: ...

    def delete(self, task: DownloadTask) -> None: ...

    def admit(self, limits: AdmissionLimits, now: datetime) -> list[UUID]:
        """Mark the next waiting tasks as handed to the engine and name them, best first.

        Free slots = ``limits.total`` - admitted; at most ``limits.per_user`` a user; users in turn; within a
        user the higher priority, then the longer wait. Serialised against itself over all processes.
        """

    def admitted(self) -> list[UUID]:
        """Tasks that the engine should have a job for."""

    def return_to_queue(self, task_ids: Collection[UUID], now: datetime) -> None:
        """Admitted tasks whose job is gone wait again, at their old place."""

    def claim(self, task_id: UUID, now: datetime) -> Claim | None:
        """Take up a run: ``run_number`` grows by one. None unless the task is ``processing``."""

    def record_progress(self, measurements: Sequence[Measurement]) -> list[Hold | None]:
        """Write them; ``progress`` never falls. In their order, None where the run no longer owns its task."""

    def record_pieces(self, task_id: UUID, run_number: int, progress: Progress) -> None:
        """Write the piece map of a run that was stopped, unless another one has begun since."""

    def pieces(self, user_id: UUID, task_ids: Collection[UUID]) -> dict[UUID, Written]:
        """What the rows say of the pieces of those tasks that are the user's."""

    def owned(self, task_id: UUID, run_number: int) -> DownloadTask | None:
        """The task, locked, while the run still owns it (``processing`` and the same run number)."""

    def forget_idempotency_keys(self, created_before: datetime) -> None: ...

    def finished_before(self, moment: datetime, limit: int) -> list[DownloadTask]:
        """Tasks of all users at rest since before ``moment``, locked: by ``completed_at``, else their last change."""


class FailureRepository(Protocol):
    """Rows of ``download_failures``; a failure belongs to its task's user."""

    def add(self, failure: DownloadFailure) -> None: ...

    def get(self, user_id: UUID, failure_id: UUID, *, for_update: bool = False) -> DownloadFailure | None: ...

    def page(
        self,
        user_id: UUID,
        where: FailureFilter,
        sort: Sort,
        request: PageRequest,
        *,
        task_id: UUID | None = None,
    ) -> Page[DownloadFailure]: ...

    def count(self, user_id: UUID, where: FailureFilter, *, task_id: UUID | None = None) -> int: ...

    def first_of_tasks(
        self, user_id: UUID, task_ids: Collection[UUID], where: FailureFilter, sort: Sort, first: int
    ) -> dict[UUID, list[DownloadFailure]]:
        """The first ``first`` + 1 failures of each task, in one statement; a task without any has an empty list."""

    def losses(self, user_id: UUID, task_ids: Collection[UUID]) -> dict[UUID, list[LostPiece]]:
        """The failures of known pieces, of those tasks that are the user's; a task without any has an empty list."""

    def of_task(self, task_id: UUID, *, status: FailureStatus | None = None) -> list[DownloadFailure]:
        """All of one task, or those with this status: for the engine, and for use cases that have the task already."""

    def record(self, task_id: UUID, results: Iterable[PieceResult], next_retries: NextRetry, now: datetime) -> None:
        """Remove the failures of pieces that arrived; insert or renew those of pieces that did not.

        A renewed failure is ``pending`` again, unless it was abandoned, with its counters kept.
        ``standard_name`` is the last part of the key, ``expected_path`` the key.
        """

    def forget(self, pieces: Collection[tuple[UUID, str]]) -> None:
        """Remove the failures of pieces that arrived, by task and key."""

    def due(self, now: datetime, limit: int) -> list[DownloadFailure]:
        """Pending failures of tasks at rest or running whose ``next_retry_time`` has come, locked."""


class VideoRepository(Protocol):
    """Rows of ``downloaded_videos``; a video belongs to its task's user."""

    def add(self, video: DownloadedVideo) -> None: ...

    def get(self, user_id: UUID, video_id: UUID) -> DownloadedVideo | None: ...

    def of_task(self, task_id: UUID) -> DownloadedVideo | None: ...

    def settle(self, video: DownloadedVideo) -> None:
        """Write what a run has made; where the task has a video, what it measures is that of ``video`` now.

        Of a ``video`` without a format nothing could be measured: what was known so far stays.
        """

    def of_tasks(self, user_id: UUID, task_ids: Collection[UUID]) -> dict[UUID, DownloadedVideo]: ...

    def page(
        self,
        user_id: UUID,
        where: VideoFilter,
        sort: Sort,
        request: PageRequest,
        *,
        task_id: UUID | None = None,
    ) -> Page[DownloadedVideo]: ...

    def count(self, user_id: UUID, where: VideoFilter, *, task_id: UUID | None = None) -> int: ...


@dataclass(frozen=True, slots=True)
class Purge:
    """A folder to remove, again and again until ``until``: a run that learns late may still write a file."""

    prefix: str
    until: datetime


class PurgeRepository(Protocol):
    """Folders of deleted tasks."""

    def add(self, purge: Purge) -> None: ...

    def all(self) -> list[Purge]: ...

    def remove(self, purge: Purge) -> None: ...


NextRetry = Callable[[FailureType, int], datetime | None]
"""Failure type and automatic retries so far -> when to try again by itself, None for never."""


class UnitOfWork(Protocol):
    """One Session.

    ``with uow:`` is one write transaction that rolls back unless told to commit; ``with uow.reading():`` is one
    read transaction, and part of the one that it is within, if any. Otherwise they do not nest. Rows stay readable
    afterwards.

    Raises DatabaseError, and DuplicateError when a unique constraint says no.
    """

    @property
    def tasks(self) -> TaskRepository: ...

    @property
    def failures(self) -> FailureRepository: ...

    @property
    def videos(self) -> VideoRepository: ...

    @property
    def purges(self) -> PurgeRepository: ...

    def __enter__(self) -> Self: ...

    def __exit__(self, *exc: object) -> None: ...

    def reading(self) -> AbstractContextManager[Self]: ...

    def commit(self) -> None: ...

    def flush(self) -> None:
        """Send what is pending, so that constraints speak now."""

    def alone(self, purpose: str) -> bool:
        """Whether no other transaction of any process has said the same and not ended yet. Waits for none."""

    def after_commit(self, action: Callable[[], None]) -> None:
        """Run ``action`` once this transaction has committed; forget it on rollback."""


UnitOfWorkFactory = Callable[[], AbstractContextManager[UnitOfWork]]
"""Opens a Session for the length of the context."""
