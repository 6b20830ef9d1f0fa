"""The tables, typed. Names of tables, columns and constraints are the documented ones."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, NoReturn
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    BigInteger,
    CheckConstraint,
    Column,
    ColumnElement,
    DateTime,
    Dialect,
    Enum,
    ForeignKey,
    Index,
    LargeBinary,
    MetaData,
    Named,
    String,
    Table,
    Text,
    TypedColumns,
    TypeDecorator,
    UniqueConstraint,
    and_,
    any_,
    bindparam,
    func,
    literal_column,
)

from domain.values import (
    AT_REST,
    FailedResourceType,
    FailureStatus,
    FailureType,
    ResourceType,
    TaskStatus,
    VideoStatus,
)


class UtcDateTime(TypeDecorator[datetime]):
    """An aware instant in UTC; SQLite would give back naive ones. Raises ValueError for a naive one."""

    impl = DateTime(timezone=True)
    cache_ok = True

    @property
    def python_type(self) -> type[datetime]:
        return datetime

    def process_bind_param(self, value: datetime | None, _: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a naive time is no instant")
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, _: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)

    def result_processor(self, dialect: Dialect, coltype: object) -> Callable[[Any], datetime | None] | None:
        """None for PostgreSQL, whose Sessions are in UTC: its driver gives what this promises."""
        return None if dialect.name == "postgresql" else super().result_processor(dialect, coltype)


class _Members(dict[str | None, StrEnum | None]):
    def __missing__(self, word: object) -> NoReturn:
        raise LookupError(f"{word!r} is none of the words of its column")


class Words(TypeDecorator[Any]):
    """Text in the database: the documented words, and no type to alter when one is added."""

    impl = Enum
    cache_ok = True

    def __init__(self, members: type[StrEnum]) -> None:
        super().__init__(members, native_enum=False, length=20, values_callable=_values)
        self.members = members

    @property
    def python_type(self) -> type[StrEnum]:
        return self.members

    def result_processor(self, _: Dialect, __: object) -> Callable[[Any], Any]:
        """One look-up. Raises LookupError, as Enum's own, for a word that is none of them."""
        words = _Members({member.value: member for member in self.members})
        words[None] = None
        return words.__getitem__


def _values(members: type[StrEnum]) -> list[str]:
    return [member.value for member in members]


def _one_of(name: str, column: str, members: type[StrEnum]) -> CheckConstraint:
    words = ", ".join(f"'{member}'" for member in members)
    return CheckConstraint(f"{column} IN ({words})", name=name)


metadata = MetaData()


class TaskColumns(TypedColumns):
    """See ``domain.models.DownloadTask``."""

    id: Named[UUID] = Column(primary_key=True)
    user_id: Named[UUID]
    video_id: Named[UUID]
    liveroom_id: Named[str] = Column(String(20))
    liveroom_title: Named[str | None] = Column(String(255))
    liveroom_url: Named[str | None] = Column(Text)
    resource_url: Named[str] = Column(Text)
    resource_type: Named[ResourceType] = Column(Words(ResourceType))
    status: Named[TaskStatus] = Column(Words(TaskStatus))
    paused: Named[bool]
    priority: Named[int]
    max_retries: Named[int]
    retry_count: Named[int]
    max_height: Named[int | None]
    sealed_headers: Named[bytes | None] = Column(LargeBinary)
    idempotency_key: Named[str | None] = Column(Text)
    idempotency_digest: Named[str | None] = Column(Text)
    progress: Named[float]
    bytes_downloaded: Named[int] = Column(BigInteger)
    bytes_total: Named[int | None] = Column(BigInteger)
    bytes_per_second: Named[float | None]
    segments_downloaded: Named[int]
    segments_total: Named[int | None]
    is_live: Named[bool]
    finish_requested: Named[bool]
    last_error: Named[str | None] = Column(Text)
    run_number: Named[int]
    version: Named[int]
    pieces: Named[str | None] = Column(Text)  # see domain.piece_map; no attribute of the entity
    queued_at: Named[datetime | None] = Column(UtcDateTime)
    admitted_at: Named[datetime | None] = Column(UtcDateTime)
    started_at: Named[datetime | None] = Column(UtcDateTime)
    completed_at: Named[datetime | None] = Column(UtcDateTime)
    created_at: Named[datetime] = Column(UtcDateTime)
    updated_at: Named[datetime] = Column(UtcDateTime)


tasks = Table(
    "download_tasks",
    metadata,
    TaskColumns,
    _one_of("check_resource_type", "resource_type", ResourceType),
    _one_of("check_status", "status", TaskStatus),
    CheckConstraint("progress >= 0 AND progress <= 1", name="check_progress_range"),
    UniqueConstraint("user_id", "idempotency_key", name="uq_download_tasks_user_id_idempotency_key"),
)

# Written out, not bound: a partial index serves only queries whose text implies its own condition. Once, too, not at
# each execution, as by ``literal_execute``.
_processing = literal_column(f"'{TaskStatus.PROCESSING}'", tasks.c.status.type)
is_processing = tasks.c.status == _processing
is_waiting = and_(is_processing, tasks.c.admitted_at.is_(None))
is_admitted = and_(is_processing, tasks.c.admitted_at.is_not(None))
finished_at = func.coalesce(tasks.c.completed_at, tasks.c.updated_at)
is_finished = tasks.c.status.in_(
    bindparam(
        "finished", [s for s in TaskStatus if s in AT_REST], tasks.c.status.type, expanding=True, literal_execute=True
    )
)


def _partial(name: str, *columns: Any, where: Any) -> Index:  # noqa: ANN401 - columns and conditions of any type
    return Index(name, *columns, sqlite_where=where, postgresql_where=where)


for _column in (tasks.c.user_id, tasks.c.video_id, tasks.c.liveroom_id, tasks.c.status, tasks.c.created_at):
    Index(f"idx_download_tasks_{_column.name}", _column)
Index("idx_download_tasks_newest", tasks.c.user_id, tasks.c.created_at, tasks.c.id)
Index("idx_download_tasks_newest_of_status", tasks.c.user_id, tasks.c.status, tasks.c.created_at, tasks.c.id)
Index("idx_download_tasks_changed", tasks.c.user_id, tasks.c.updated_at, tasks.c.id)
for _order in ("priority", "progress", "status", "liveroom_id"):
    Index(f"idx_download_tasks_by_{_order}", tasks.c.user_id, tasks.c[_order], tasks.c.id)
for _narrowed in ("resource_type", "liveroom_id"):
    _place = tasks.c.created_at, tasks.c.id
    Index(f"idx_download_tasks_newest_of_{_narrowed}", tasks.c.user_id, tasks.c[_narrowed], *_place)
_partial(
    "idx_download_tasks_waiting",
    *(tasks.c.user_id, tasks.c.priority.desc(), tasks.c.queued_at, tasks.c.id),
    where=is_waiting,
)
_partial("idx_download_tasks_admitted", tasks.c.user_id, where=is_admitted)
_partial("idx_download_tasks_finished", finished_at, where=is_finished)
_partial("idx_download_tasks_idempotent", tasks.c.created_at, where=tasks.c.idempotency_key.is_not(None))


class FailureColumns(TypedColumns):
    """See ``domain.models.DownloadFailure``."""

    id: Named[UUID] = Column(primary_key=True)
    task_id: Named[UUID] = Column(
        ForeignKey("download_tasks.id", name="fk_download_failures_task_id", ondelete="CASCADE")
    )
    resource_url: Named[str] = Column(Text)
    resource_type: Named[FailedResourceType] = Column(Words(FailedResourceType))
    failure_type: Named[FailureType] = Column(Words(FailureType))
    error_message: Named[str] = Column(Text)
    expected_path: Named[str] = Column(Text)
    standard_name: Named[str | None] = Column(Text)
    segment_index: Named[int | None]
    piece_key: Named[str | None] = Column(Text)
    status: Named[FailureStatus] = Column(Words(FailureStatus))
    retry_count: Named[int]
    auto_retry_count: Named[int]
    next_retry_time: Named[datetime | None] = Column(UtcDateTime)
    created_at: Named[datetime] = Column(UtcDateTime)
    updated_at: Named[datetime] = Column(UtcDateTime)


failures = Table(
    "download_failures",
    metadata,
    FailureColumns,
    _one_of("check_resource_type", "resource_type", FailedResourceType),
    _one_of("check_failure_type", "failure_type", FailureType),
    _one_of("check_failure_status", "status", FailureStatus),
    CheckConstraint("retry_count >= 0 AND retry_count <= 3", name="check_retry_count_range"),
)
Index("idx_download_failures_newest", failures.c.task_id, failures.c.created_at, failures.c.id)
Index("idx_download_failures_created_at", failures.c.created_at, failures.c.id)
Index("idx_download_failures_segment", failures.c.task_id, failures.c.segment_index)
Index("idx_download_failures_piece", failures.c.task_id, failures.c.piece_key)
_due = failures.c.next_retry_time
_partial("idx_download_failures_due", _due, where=_due.is_not(None))


class VideoColumns(TypedColumns):
    """See ``domain.models.DownloadedVideo``."""

    id: Named[UUID] = Column(primary_key=True)
    task_id: Named[UUID] = Column(
        ForeignKey("download_tasks.id", name="fk_downloaded_videos_task_id", ondelete="CASCADE")
    )
    video_id: Named[UUID]
    liveroom_id: Named[str] = Column(String(20))
    liveroom_title: Named[str | None] = Column(String(255))
    liveroom_url: Named[str | None] = Column(Text)
    video_type: Named[ResourceType] = Column(Words(ResourceType))
    video_url: Named[str] = Column(Text)
    storage_path: Named[str] = Column(Text)
    status: Named[VideoStatus] = Column(Words(VideoStatus))
    file_size: Named[int | None] = Column(BigInteger)
    duration: Named[float | None]
    resolution: Named[str | None] = Column(Text)
    format: Named[str | None] = Column(Text)
    cover_path: Named[str | None] = Column(Text)
    download_start_time: Named[datetime | None] = Column(UtcDateTime)
    download_end_time: Named[datetime | None] = Column(UtcDateTime)
    created_at: Named[datetime] = Column(UtcDateTime)
    updated_at: Named[datetime] = Column(UtcDateTime)


videos = Table(
    "downloaded_videos",
    metadata,
    VideoColumns,
    _one_of("check_video_type", "video_type", ResourceType),
    _one_of("check_video_status", "status", VideoStatus),
    UniqueConstraint("task_id", name="uq_downloaded_videos_task_id"),
)
Index("idx_downloaded_videos_created_at", videos.c.created_at, videos.c.id)


class PurgeColumns(TypedColumns):
    """Folders of deleted tasks, removed until the hour has come: see ``domain.ports.Purge``."""

    prefix: Named[str] = Column(Text, primary_key=True)
    until: Named[datetime] = Column(UtcDateTime)


purges = Table("purges", metadata, PurgeColumns)


class TurnColumns(TypedColumns):
    """When a user last got a slot: who waited longest since is next."""

    user_id: Named[UUID] = Column(primary_key=True)
    last_admitted_at: Named[datetime] = Column(UtcDateTime)


turns = Table("admission_turns", metadata, TurnColumns)


class StorageMarkColumns(TypedColumns):
    """The one row that says which folder all machines share."""

    id: Named[int] = Column(primary_key=True, autoincrement=False)
    mark: Named[str] = Column(Text)


storage_marks = Table(
    "storage_marks", metadata, StorageMarkColumns, CheckConstraint("id = 1", name="ck_storage_marks_one")
)


def one_of(column: Column[UUID], name: str, dialect: str) -> ColumnElement[bool]:
    """Whether it is among those of the parameter ``name``.

    To PostgreSQL they go as one array: a statement that is written anew for their number costs a tenth of a
    millisecond.
    """
    if dialect == "postgresql":
        return column == any_(bindparam(name, type_=ARRAY(column.type)))
    return column.in_(bindparam(name, expanding=True))
