"""A database of the documented service: three tables, naive UTC times, short URL columns, ids in one of two ways."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import text

from persistence.engine import open_engine

TASKS = """
CREATE TABLE download_tasks (
    id {id} PRIMARY KEY, user_id {id}, video_id {id} NOT NULL,
    liveroom_id VARCHAR(20) NOT NULL, liveroom_title VARCHAR(255), liveroom_url VARCHAR(500),
    resource_url VARCHAR(500) NOT NULL, resource_type VARCHAR(20) NOT NULL, status VARCHAR(20) NOT NULL,
    progress FLOAT, retry_count INTEGER, max_retries INTEGER, priority INTEGER, last_error TEXT,
    created_at {time}, updated_at {time}, completed_at {time},
    CONSTRAINT check_status CHECK (status IN
        ('pending', 'processing', 'completed', 'partial_completed', 'failed', 'cancelled')),
    CONSTRAINT check_progress_range CHECK (progress >= 0 AND progress <= 1),
    CONSTRAINT check_resource_type CHECK (resource_type IN ('hls', 'mp4', 'image'))
)
"""
FAILURES = """
CREATE TABLE download_failures (
    id {id} PRIMARY KEY, task_id {id} NOT NULL REFERENCES download_tasks (id) ON DELETE CASCADE,
    resource_url VARCHAR(500) NOT NULL, resource_type VARCHAR(20) NOT NULL, failure_type VARCHAR(50) NOT NULL,
    error_message TEXT NOT NULL, expected_path VARCHAR(500) NOT NULL, standard_name VARCHAR(255),
    status VARCHAR(20) NOT NULL, retry_count INTEGER, next_retry_time {time}, created_at {time}, updated_at {time},
    CONSTRAINT check_retry_count_range CHECK (retry_count >= 0 AND retry_count <= 3)
)
"""
VIDEOS = """
CREATE TABLE downloaded_videos (
    id {id} PRIMARY KEY, task_id {id} NOT NULL REFERENCES download_tasks (id) ON DELETE CASCADE, video_id {id} NOT NULL,
    liveroom_id VARCHAR(20) NOT NULL, liveroom_title VARCHAR(255), liveroom_url VARCHAR(500),
    video_type VARCHAR(20) NOT NULL, video_url VARCHAR(500) NOT NULL, storage_path VARCHAR(500) NOT NULL,
    file_size BIGINT, duration FLOAT, resolution VARCHAR(20), format VARCHAR(20), cover_url VARCHAR(500),
    cover_path VARCHAR(500), status VARCHAR(20) NOT NULL,
    download_start_time {time}, download_end_time {time}, created_at {time}, updated_at {time}
)
"""
INDEXES = (
    *(f"CREATE INDEX idx_download_tasks_{name} ON download_tasks ({name})" for name in ("user_id", "status")),
    "CREATE INDEX idx_download_tasks_created_at ON download_tasks (created_at)",
    "CREATE UNIQUE INDEX uq_downloaded_videos_task_id ON downloaded_videos (task_id)",
)


class Documented:
    """Makes the tables, and fills them row by row with sane values."""

    def __init__(self, url: str, *, ids_are_text: bool = False) -> None:
        self.engine = open_engine(url, pool_size=4)
        on_sqlite = self.engine.dialect.name == "sqlite"
        self._dashes = ids_are_text or not on_sqlite
        native = "CHAR(32)" if on_sqlite else "UUID"
        types = {
            "id": "VARCHAR(36)" if ids_are_text else native,
            "time": "DATETIME" if on_sqlite else "TIMESTAMP WITHOUT TIME ZONE",
        }
        with self.engine.begin() as connection:
            for statement in (TASKS, FAILURES, VIDEOS, *INDEXES):
                connection.execute(text(statement.format(**types)))

    def __enter__(self) -> Documented:
        return self

    def __exit__(self, *_: object) -> None:
        self.engine.dispose()

    def task(self, user_id: UUID | None, **columns: Any) -> dict[str, Any]:
        """What was stored, with the ids as UUIDs."""
        return self._keep(
            "download_tasks",
            {
                "id": uuid4(),
                "user_id": user_id,
                "video_id": uuid4(),
                "liveroom_id": "room-10001",
                "resource_url": "https://media.example/live/index.m3u8?token=secret",
                "resource_type": "hls",
                "status": "completed",
                "progress": 1.0,
                "retry_count": 1,
                "max_retries": 5,
                "priority": 70,
                "created_at": "2025-06-14 10:00:00.123456",
                "updated_at": "2025-06-14 11:00:00",
                **columns,
            },
        )

    def failure(self, task: Mapping[str, Any], **columns: Any) -> dict[str, Any]:
        path = f"video_{task['video_id']}/hls/ts/segment_000007_{task['video_id']}_fetch_20250614T100000.ts"
        return self._keep(
            "download_failures",
            {
                "id": uuid4(),
                "task_id": task["id"],
                "resource_url": "https://media.example/live/7.ts",
                "resource_type": "ts",
                "failure_type": "network_error",
                "error_message": "HTTP 404",
                "expected_path": path,
                "status": "pending",
                "retry_count": 2,
                "created_at": "2025-06-14 10:30:00",
                "updated_at": "2025-06-14 10:30:00",
                **columns,
            },
        )

    def video(self, task: Mapping[str, Any], **columns: Any) -> dict[str, Any]:
        return self._keep(
            "downloaded_videos",
            {
                "id": uuid4(),
                "task_id": task["id"],
                "video_id": task["video_id"],
                "liveroom_id": task["liveroom_id"],
                "video_type": task["resource_type"],
                "video_url": task["resource_url"],
                "storage_path": f"video_{task['video_id']}/hls",
                "file_size": 3_000_000_000,
                "duration": 12.345,
                "resolution": "1280x720",
                "format": "hls",
                "status": "completed",
                "download_end_time": "2025-06-14 10:59:59",
                "created_at": "2025-06-14 11:00:00",
                "updated_at": "2025-06-14 11:00:00",
                **columns,
            },
        )

    def dump(self) -> dict[str, list[Any]]:
        """Every row of every table that is there."""
        with self.engine.connect() as connection:
            listed = (
                "SELECT name FROM sqlite_master WHERE type = 'table'"
                if self.engine.dialect.name == "sqlite"
                else "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"
            )
            return {
                name: sorted(connection.execute(text(f"SELECT * FROM {name}")), key=repr)  # noqa: S608 - its own names
                for name in connection.execute(text(listed)).scalars().all()
            }

    def _keep(self, table: str, columns: dict[str, Any]) -> dict[str, Any]:
        values = {name: self._id(value) if isinstance(value, UUID) else value for name, value in columns.items()}
        names = ", ".join(values)
        with self.engine.begin() as connection:
            connection.execute(
                text(f"INSERT INTO {table} ({names}) VALUES (:{', :'.join(values)})"),  # noqa: S608 - its own names
                values,
            )
        return columns

    def _id(self, value: UUID) -> str:
        return str(value) if self._dashes else value.hex
