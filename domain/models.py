"""The entities, and the moves they allow. An entity is its row: persistence maps these classes as they are."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from uuid import UUID, uuid4

from domain.errors import AbandonedFailureError, CompletedTaskError, IllegalMoveError, RetryLimitReachedError
from domain.values import (
    AT_REST,
    LEGAL_MOVES,
    FailedResourceType,
    FailureStatus,
    FailureType,
    ResourceType,
    TaskStatus,
    VideoStatus,
)

MAX_FAILURE_RETRIES = 3


def utc_now() -> datetime:
    """The present instant, aware, in UTC."""
    return datetime.now(UTC)


@dataclass(eq=False)
class DownloadTask:
    """One download a user asked for: a row of ``download_tasks``."""

    user_id: UUID
    resource_url: str = field(repr=False)
    resource_type: ResourceType
    liveroom_id: str
    liveroom_title: str | None = None
    liveroom_url: str | None = None
    priority: int = 50
    max_retries: int = 3
    max_height: int | None = None
    sealed_headers: bytes | None = field(default=None, repr=False)
    idempotency_key: str | None = field(default=None, repr=False)
    idempotency_digest: str | None = field(default=None, repr=False)
    id: UUID = field(default_factory=uuid4)
    video_id: UUID = field(default_factory=uuid4)
    status: TaskStatus = TaskStatus.PENDING
    paused: bool = False
    progress: float = 0.0
    bytes_downloaded: int = 0
    bytes_total: int | None = None
    bytes_per_second: float | None = None
    segments_downloaded: int = 0
    segments_total: int | None = None
    is_live: bool = False
    finish_requested: bool = False
    retry_count: int = 0
    last_error: str | None = None
    run_number: int = 0
    queued_at: datetime | None = None
    admitted_at: datetime | None = None
    started_at: datetime | None = None
    completed_at: datetime | None = None
    created_at: datetime = field(default_factory=utc_now)
    updated_at: datetime = field(default_factory=utc_now)
    version: int = 1

    @property
    def at_rest(self) -> bool:
        """Neither running nor going to run by itself."""
        return self.status in AT_REST

    @property
    def eta_seconds(self) -> float | None:
        """Seconds until the end at the present speed; None unless it runs and the total is known."""
        if self.bytes_total is None or not self.bytes_per_second:
            return None
        return max(0, self.bytes_total - self.bytes_downloaded) / self.bytes_per_second

    def start(self, now: datetime) -> None:
        """Wait for a slot. Raises IllegalMoveError."""
        self._move(TaskStatus.PROCESSING, now)
        self.paused = self.finish_requested = False
        self.queued_at, self.started_at, self.completed_at = now, None, None

    def retry(self, now: datetime) -> None:
        """Start again after losses. Raises IllegalMoveError, RetryLimitReachedError."""
        if self.status not in (TaskStatus.FAILED, TaskStatus.PARTIAL_COMPLETED):
            raise IllegalMoveError
        if self.retry_count >= self.max_retries:
            raise RetryLimitReachedError
        self.start(now)
        self.retry_count += 1

    def pause(self, now: datetime) -> None:
        """Stop, keeping what has arrived. Raises IllegalMoveError."""
        self._move(TaskStatus.PENDING, now)
        self.paused = True

    def resume(self, now: datetime) -> None:
        """Go on after a pause. Raises IllegalMoveError."""
        if not self.paused:
            raise IllegalMoveError
        self.start(now)

    def cancel(self, now: datetime) -> None:
        """Give up for good. Raises IllegalMoveError."""
        self._move(TaskStatus.CANCELLED, now)
        self.paused = False
        self.sealed_headers = None

    def finish(self, now: datetime) -> None:
        """Ask the run to end a live recording. Raises IllegalMoveError unless one is being recorded."""
        if self.status is not TaskStatus.PROCESSING or not self.is_live:
            raise IllegalMoveError
        self.finish_requested, self.updated_at = True, now

    def settle(self, status: TaskStatus, progress: float, last_error: str | None, now: datetime) -> None:
        """End a run. Raises IllegalMoveError."""
        self._move(status, now)
        self.progress, self.last_error = progress, last_error
        if status is not TaskStatus.FAILED:
            self.completed_at = now
        if status is TaskStatus.COMPLETED:
            self.sealed_headers = None

    def requeue(self) -> None:
        """Have a waiting or running task taken up anew; the run it has is superseded."""
        self.admitted_at = self.started_at = self.bytes_per_second = None

    def deletable(self, *, include_completed: bool) -> None:
        """Raises CompletedTaskError for a completed task unless told that it may go."""
        if self.status is TaskStatus.COMPLETED and not include_completed:
            raise CompletedTaskError

    def _move(self, status: TaskStatus, now: datetime) -> None:
        if status not in LEGAL_MOVES[self.status]:
            raise IllegalMoveError
        self.status, self.updated_at = status, now
        self.queued_at = self.admitted_at = self.bytes_per_second = None
        self.is_live = False  # until a run sees so again


@dataclass(eq=False)
class DownloadFailure:
    """One piece that did not arrive: a row of ``download_failures``.

    ``piece_key`` is the key we computed for the piece, None for a recorded failure of no known piece;
    ``expected_path`` is for people to read and reaches no file.
    """

    task_id: UUID
    resource_url: str = field(repr=False)
    resource_type: FailedResourceType
    failure_type: FailureType
    error_message: str
    expected_path: str
    standard_name: str | None = None
    segment_index: int | None = None
    piece_key: str | None = None
    retry_count: int = 0
    auto_retry_count: int = 0
    next_retry_time: datetime | None = None
    status: FailureStatus = FailureStatus.PENDING
    id: UUID = field(default_factory=uuid4)
    created_at: datetime = field(default_factory=utc_now)
    updated_at: datetime = field(default_factory=utc_now)

    def retry(self, now: datetime) -> None:
        """Have the run fetch it. Raises AbandonedFailureError, RetryLimitReachedError, IllegalMoveError."""
        if self.status is FailureStatus.ABANDONED:
            raise AbandonedFailureError
        if self.retry_count >= MAX_FAILURE_RETRIES:
            raise RetryLimitReachedError
        if self.status is FailureStatus.RETRYING or self.piece_key is None:
            raise IllegalMoveError
        self.retry_count += 1
        self._move(FailureStatus.RETRYING, now)

    def take_along(self, now: datetime) -> None:
        """Have the next run fetch it, as part of the whole task. Does nothing unless it is pending."""
        if self.status is FailureStatus.PENDING:
            self._move(FailureStatus.RETRYING, now)

    def take_along_by_itself(self, now: datetime) -> None:
        """The automatic retry has come."""
        self.auto_retry_count += 1
        self.take_along(now)

    def release(self, now: datetime) -> None:
        """No run fetches it any more. Does nothing unless it is retrying."""
        if self.status is FailureStatus.RETRYING:
            self._move(FailureStatus.PENDING, now)

    def forgive(self) -> None:
        """A new URL or new headers: all retries are there again. Does nothing once it is abandoned."""
        if self.status is FailureStatus.ABANDONED:
            return
        self.retry_count = self.auto_retry_count = 0

    def abandon(self, now: datetime) -> None:
        """Never try again. Raises AbandonedFailureError."""
        if self.status is FailureStatus.ABANDONED:
            raise AbandonedFailureError
        self._move(FailureStatus.ABANDONED, now)

    def _move(self, status: FailureStatus, now: datetime) -> None:
        self.status, self.next_retry_time, self.updated_at = status, None, now


@dataclass(eq=False)
class DownloadedVideo:
    """The result of a task, an image too: a row of ``downloaded_videos``, at most one a task."""

    task_id: UUID
    video_id: UUID
    liveroom_id: str
    video_type: ResourceType
    video_url: str = field(repr=False)
    storage_path: str
    status: VideoStatus
    liveroom_title: str | None = None
    liveroom_url: str | None = None
    file_size: int | None = None
    duration: float | None = None
    resolution: str | None = None
    format: str | None = None
    cover_path: str | None = None
    download_start_time: datetime | None = None
    download_end_time: datetime | None = None
    id: UUID = field(default_factory=uuid4)
    created_at: datetime = field(default_factory=utc_now)
    updated_at: datetime = field(default_factory=utc_now)
