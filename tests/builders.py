"""Entities with sane values, so that a test names only what it is about; and an empty database."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Engine

from domain.models import DownloadedVideo, DownloadFailure, DownloadTask
from domain.ports import UnitOfWork
from domain.values import FailedResourceType, FailureType, ResourceType, VideoStatus
from persistence.engine import open_engine
from persistence.migrate import migrate
from persistence.tables import metadata

on_sqlite_alone = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

NOW = datetime(2025, 6, 14, 10, 0, 0, 123456, tzinfo=UTC)


def a_task(**overrides: Any) -> DownloadTask:
    """A pending HLS task of a user of its own."""
    values: dict[str, Any] = {
        "user_id": uuid4(),
        "resource_url": "https://media.example/live/index.m3u8?token=secret",
        "resource_type": ResourceType.HLS,
        "liveroom_id": "room-1",
        "created_at": NOW,
        "updated_at": NOW,
    }
    return DownloadTask(**values | overrides)


def a_failure(task: DownloadTask, **overrides: Any) -> DownloadFailure:
    """A pending failure of the task's first segment."""
    key = f"video_{task.video_id}/hls/ts/segment_000000.ts"
    values: dict[str, Any] = {
        "task_id": task.id,
        "resource_url": "https://media.example/live/0.ts",
        "resource_type": FailedResourceType.TS,
        "failure_type": FailureType.NETWORK_ERROR,
        "error_message": "HTTP 404",
        "expected_path": key,
        "standard_name": "segment_000000.ts",
        "segment_index": 0,
        "piece_key": key,
        "created_at": NOW,
        "updated_at": NOW,
    }
    return DownloadFailure(**values | overrides)


def a_video(task: DownloadTask, **overrides: Any) -> DownloadedVideo:
    """The complete result of the task."""
    values: dict[str, Any] = {
        "task_id": task.id,
        "video_id": task.video_id,
        "liveroom_id": task.liveroom_id,
        "video_type": task.resource_type,
        "video_url": task.resource_url,
        "storage_path": f"video_{task.video_id}/hls",
        "status": VideoStatus.COMPLETED,
        "file_size": 3_000_000_000,
        "duration": 12.345,
        "resolution": "1280x720",
        "format": "hls",
        "created_at": NOW,
        "updated_at": NOW,
    }
    return DownloadedVideo(**values | overrides)


@contextmanager
def a_database(folder: Path, *, pool_size: int = 5) -> Iterator[Engine]:
    """A migrated SQLite file in ``folder``, for the length of the context."""
    engine = open_engine(f"sqlite:///{folder / 'media.db'}", pool_size=pool_size)
    try:
        migrate(engine)
        yield engine
    finally:
        engine.dispose()


def keep(uow: UnitOfWork, *rows: DownloadTask | DownloadFailure | DownloadedVideo) -> None:
    """Add the rows in one transaction."""
    with uow:
        for row in rows:
            match row:
                case DownloadTask():
                    uow.tasks.add(row)
                case DownloadFailure():
                    uow.failures.add(row)
                case DownloadedVideo():
                    uow.videos.add(row)
        uow.commit()


def schema_differences(engine: Engine) -> list[Any]:
    """What a migrated database has other than the tables of the code; the jobs' tables are not ours."""

    def ours(name: str | None, kind: str, _: object) -> bool:
        return kind != "table" or not str(name).startswith("procrastinate_")

    with engine.connect() as connection, warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".* expression-based index", Warning)  # of SQLite, which shows none
        context = MigrationContext.configure(connection, opts={"include_name": ours})
        return list(compare_metadata(context, metadata))
