"""What the domain needs from the rooms around it. Adapters implement these; ``main.py`` hands them in."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Protocol, Self
from uuid import UUID

from domain.models import DownloadedVideo, DownloadFailure, DownloadTask
from domain.paging import Page, PageRequest
from domain.queries import FailureFilter, Sort, TaskFilter, VideoFilter
from domain.values import FailedResourceType, FailureType, ResourceType, TaskStatus

Headers = tuple[tuple[str, str], ...]


# --- downloader ---------------------------------------------------------------------------------------------


class PieceNames(Protocol):
    """The keys of one task's pieces: from its row and the position in the playlist, never from a URL."""

    @property
    def folder(self) -> str:
        """Everything of the task lies under it; ends in ``/``."""

    @property
    def hls_folder(self) -> str: ...

    @property
    def playlist(self) -> str:
        """The main media playlist as fetched: ``fetched_playlist`` of the track ``ts``."""

    @property
    def master_playlist(self) -> str: ...

    @property
    def local_playlist(self) -> str: ...

    @property
    def mapping(self) -> str: ...

    @property
    def digests(self) -> str: ...

    @property
    def mp4(self) -> str: ...

    def fetched_playlist(self, track: str) -> str:
        """Of one track: ``ts`` for the main playlist, ``audio_{n}`` or ``subtitles_{n}`` for a rendition."""

    def local_track(self, track: str) -> str:
        """The local playlist of one track, where ``local_playlist`` is a master playlist that names it."""

    def recording(self, part: int, track: str) -> str:
        """A part of what a live track has listed so far."""

    def segment(self, index: int, extension: str, track: str = "ts") -> str: ...

    def initialization(self, number: int, track: str = "ts") -> str: ...

    def image(self, extension: str) -> str: ...


class Storage(Protocol):
    """Files by key. A file is under its key whole or not at all."""

    def scratch(self, key: str, run_number: int) -> Path:
        """Where a run writes before it publishes; its folder exists, the file need not. Raises StorageError."""

    def partial(self, key: str) -> Path:
        """Where a large file grows over several runs; its folder exists, the file need not. Raises StorageError.

        Whoever writes to it holds its lock. Purging and publishing take it away, clearing scratch does not.
        """

    def publish(self, scratch: Path, key: str) -> None:
        """Move a finished file under its key, in one step. Raises StorageError."""

    def write(self, key: str, data: bytes) -> None:
        """Put ``data`` under ``key`` in one step. Raises StorageError."""

    def read(self, key: str) -> bytes | None: ...

    def sizes(self, prefix: str) -> dict[str, int]:
        """Bytes of every file published under ``prefix``, by key; scratch files are not among them."""

    def path(self, key: str) -> Path | None:
        """The local file of ``key``, for tools that need one; None when there is none."""

    def clear_scratch(self, prefix: str, *, before_run: int | None = None) -> None:
        """Remove scratch files under ``prefix``, of runs before ``before_run`` when it is given."""

    def has_room(self) -> bool:
        """Whether there is the free space that the deployment wants to keep, and so room for more."""

    def answers(self) -> bool:
        """Whether files can be kept right now."""

    def purge(self, prefix: str) -> None:
        """Remove everything under ``prefix``. Removing nothing is no error. Raises StorageError."""


@dataclass(frozen=True, slots=True)
class Source:
    """What a run fetches. ``skip`` holds the keys of pieces that this run must not try."""

    url: str = field(repr=False)
    resource_type: ResourceType
    names: PieceNames
    run_number: int
    headers: Headers = field(default=(), repr=False)
    max_height: int | None = None
    skip: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class PieceFailure:
    """Why a piece did not arrive. ``message`` begins with the cause and holds no URL."""

    failure_type: FailureType
    message: str


@dataclass(frozen=True, slots=True)
class PieceResult:
    """What became of one piece: stored under ``key`` when ``failure`` is None."""

    key: str
    url: str = field(repr=False)
    resource_type: FailedResourceType
    segment_index: int | None = None
    failure: PieceFailure | None = None


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a run is. Bytes count what is stored and what is on its way."""

    bytes_downloaded: int = 0
    bytes_total: int | None = None
    segments_downloaded: int = 0
    segments_total: int | None = None
    is_live: bool = False

    @property
    def fraction(self) -> float:
        """0 to 1: by segments where there are segments, else by bytes; 0 while the total is unknown."""
        done, total = (
            (self.segments_downloaded, self.segments_total)
            if self.segments_total is not None
            else (self.bytes_downloaded, self.bytes_total)
        )
        return min(1.0, done / total) if total else 0.0


@dataclass(frozen=True, slots=True)
class MediaFacts:
    """Measured, never assumed. Duration in seconds."""

    duration: float | None
    width: int | None
    height: int | None
    format: str
    cover_path: str | None = None  # the key of a still picture


@dataclass(frozen=True, slots=True)
class FetchOutcome:
    """How a fetch ended.

    ``pieces`` counts what the result consists of: the segments of all tracks and one for each playlist that was lost
    or has not come to its end, or 1 for a whole file; 0 when not even that is known.
    ``storage_path`` is None when nothing is stored; ``facts`` when what is stored cannot be read as media.
    """

    pieces: int
    stored: int
    bytes_stored: int = 0
    storage_path: str | None = None
    facts: MediaFacts | None = None
    note: str | None = None


class Sink(Protocol):
    """The run, as the downloader sees it. Called from the run's own thread."""

    @property
    def draining(self) -> bool:
        """The worker is stopping: let the pieces in flight end and begin no more."""

    @property
    def finishing(self) -> bool:
        """The user wants the recording to end now: fetch what it has listed, and follow it no further."""

    def report(self, progress: Progress, results: Sequence[PieceResult]) -> None:
        """Take in what happened since the last call. Raises RunStopped when the run must stop."""


class Downloader(Protocol):
    """Network to storage. Knows no user, task or SQL."""

    def fetch(self, source: Source, sink: Sink) -> FetchOutcome:
        """Fetch every piece that is neither stored nor skipped; blocks until the end.

        Calls ``sink.report`` about every 0.5 s, also when nothing arrives, and once before it returns.
        A piece that fails is a result; nothing but RunStopped (raised by the sink) leaves this call.
        """


# --- persistence --------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class AdmissionLimits:
    """How many tasks may be with the engine at once."""

    total: int
    per_user: int


@dataclass(frozen=True, slots=True)
class Hold:
    """What a run learns when it writes to its task: it holds it still, and what its user has asked for."""

    finish_requested: bool


@dataclass(frozen=True, slots=True)
class Claim:
    """A run that a worker has taken up: the task as it then was, and the number that fences its writes."""

    task: DownloadTask
    run_number: int


@dataclass(frozen=True, slots=True)
class Changed:
    """What ``TaskRepository.changed`` finds, all of one moment."""

    tasks: list[DownloadTask]
    versions: int


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

    def record_progress(
        self,
        task_id: UUID,
        run_number: int,
        progress: Progress,
        bytes_per_second: float | None,
        now: datetime,
    ) -> Hold | None:
        """Write measurements; ``progress`` never falls. None when the run no longer owns its task."""

    def owned(self, task_id: UUID, run_number: int) -> DownloadTask | None:
        """The task, locked, while the run still owns it (``processing`` and the same run number)."""

    def forget_idempotency_keys(self, created_before: datetime) -> None: ...


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

    def of_task(self, task_id: UUID) -> list[DownloadFailure]:
        """All of one task: for the engine, and for use cases that have the task already."""

    def record(self, task_id: UUID, results: Iterable[PieceResult], next_retries: NextRetry, now: datetime) -> None:
        """Remove the failures of pieces that arrived; insert or renew those of pieces that did not.

        A renewed failure is ``pending`` again, unless it was abandoned, with its counters kept.
        ``standard_name`` is the last part of the key, ``expected_path`` the key.
        """

    def due(self, now: datetime, limit: int) -> list[DownloadFailure]:
        """Pending failures of tasks at rest or running whose ``next_retry_time`` has come, locked."""


class VideoRepository(Protocol):
    """Rows of ``downloaded_videos``; a video belongs to its task's user."""

    def add(self, video: DownloadedVideo) -> None: ...

    def get(self, user_id: UUID, video_id: UUID) -> DownloadedVideo | None: ...

    def of_task(self, task_id: UUID) -> DownloadedVideo | None: ...

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
    read transaction. They do not nest. Rows stay readable afterwards.

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

    def after_commit(self, action: Callable[[], None]) -> None:
        """Run ``action`` once this transaction has committed; forget it on rollback."""


UnitOfWorkFactory = Callable[[], AbstractContextManager[UnitOfWork]]
"""Opens a Session for the length of the context."""


# --- jobs, secrets ------------------------------------------------------------------------------------------


class JobQueue(Protocol):
    """Who runs the jobs. What is enqueued in a transaction that rolls back never runs."""

    @property
    def admits(self) -> bool:
        """False in a process that must leave admission to the worker's."""

    def enqueue(self, uow: UnitOfWork, task_id: UUID) -> None: ...

    def wake(self, uow: UnitOfWork) -> None:
        """Have the worker look for due work once this transaction has committed."""

    def alive(self, uow: UnitOfWork, task_ids: Collection[UUID], /) -> set[UUID]:
        """Those of the tasks that have a job, waiting or running."""


class HeaderSealer(Protocol):
    """Keeps request headers unreadable in the database."""

    def seal(self, headers: Headers) -> bytes: ...

    def open(self, sealed: bytes) -> Headers:
        """Raises InvalidInputError when the key has changed: the headers must be given again."""


NamesFor = Callable[[DownloadTask], PieceNames]
Clock = Callable[[], datetime]
