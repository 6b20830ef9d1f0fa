"""The tables of the first version. A revision stays as it is; later ones change what it made."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

INSTANT = sa.DateTime(timezone=True)
WORD = sa.String(20)


def upgrade() -> None:
    _tasks()
    _task_indexes()
    _failures()
    _videos()
    _upkeep()


def _tasks() -> None:
    op.create_table(
        "download_tasks",
        sa.Column("id", sa.Uuid(), primary_key=True),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("video_id", sa.Uuid(), nullable=False),
        sa.Column("liveroom_id", sa.String(20), nullable=False),
        sa.Column("liveroom_title", sa.String(255)),
        sa.Column("liveroom_url", sa.Text()),
        sa.Column("resource_url", sa.Text(), nullable=False),
        sa.Column("resource_type", WORD, nullable=False),
        sa.Column("status", WORD, nullable=False),
        sa.Column("paused", sa.Boolean(), nullable=False),
        sa.Column("priority", sa.Integer(), nullable=False),
        sa.Column("max_retries", sa.Integer(), nullable=False),
        sa.Column("retry_count", sa.Integer(), nullable=False),
        sa.Column("max_height", sa.Integer()),
        sa.Column("sealed_headers", sa.LargeBinary()),
        sa.Column("idempotency_key", sa.Text()),
        sa.Column("idempotency_digest", sa.Text()),
        sa.Column("progress", sa.Double(), nullable=False),
        sa.Column("bytes_downloaded", sa.BigInteger(), nullable=False),
        sa.Column("bytes_total", sa.BigInteger()),
        sa.Column("bytes_per_second", sa.Double()),
        sa.Column("segments_downloaded", sa.Integer(), nullable=False),
        sa.Column("segments_total", sa.Integer()),
        sa.Column("is_live", sa.Boolean(), nullable=False),
        sa.Column("finish_requested", sa.Boolean(), nullable=False),
        sa.Column("last_error", sa.Text()),
        sa.Column("run_number", sa.Integer(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("queued_at", INSTANT),
        sa.Column("admitted_at", INSTANT),
        sa.Column("started_at", INSTANT),
        sa.Column("completed_at", INSTANT),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("updated_at", INSTANT, nullable=False),
        _one_of("check_resource_type", "resource_type", "hls mp4 image"),
        _one_of("check_status", "status", "pending processing completed partial_completed failed cancelled"),
        sa.CheckConstraint("progress >= 0 AND progress <= 1", name="check_progress_range"),
        sa.UniqueConstraint("user_id", "idempotency_key", name="uq_download_tasks_user_id_idempotency_key"),
    )


def _task_indexes() -> None:
    _partial(
        "idx_download_tasks_admitted",
        "download_tasks",
        ["user_id"],
        "status = 'processing' AND admitted_at IS NOT NULL",
    )
    op.create_index("idx_download_tasks_created_at", "download_tasks", ["created_at"])
    _partial("idx_download_tasks_idempotent", "download_tasks", ["created_at"], "idempotency_key IS NOT NULL")
    op.create_index("idx_download_tasks_liveroom_id", "download_tasks", ["liveroom_id"])
    op.create_index("idx_download_tasks_newest", "download_tasks", ["user_id", "created_at", "id"])
    op.create_index("idx_download_tasks_newest_of_status", "download_tasks", ["user_id", "status", "created_at", "id"])
    op.create_index("idx_download_tasks_status", "download_tasks", ["status"])
    op.create_index("idx_download_tasks_user_id", "download_tasks", ["user_id"])
    op.create_index("idx_download_tasks_video_id", "download_tasks", ["video_id"])
    _partial(
        "idx_download_tasks_waiting",
        "download_tasks",
        ["user_id", sa.text("priority DESC"), "queued_at", "id"],
        "status = 'processing' AND admitted_at IS NULL",
    )


def _failures() -> None:
    op.create_table(
        "download_failures",
        sa.Column("id", sa.Uuid(), primary_key=True),
        sa.Column(
            "task_id",
            sa.Uuid(),
            sa.ForeignKey("download_tasks.id", name="fk_download_failures_task_id", ondelete="CASCADE"),
            nullable=False,
        ),
        sa.Column("resource_url", sa.Text(), nullable=False),
        sa.Column("resource_type", WORD, nullable=False),
        sa.Column("failure_type", WORD, nullable=False),
        sa.Column("error_message", sa.Text(), nullable=False),
        sa.Column("expected_path", sa.Text(), nullable=False),
        sa.Column("standard_name", sa.Text()),
        sa.Column("segment_index", sa.Integer()),
        sa.Column("piece_key", sa.Text()),
        sa.Column("status", WORD, nullable=False),
        sa.Column("retry_count", sa.Integer(), nullable=False),
        sa.Column("auto_retry_count", sa.Integer(), nullable=False),
        sa.Column("next_retry_time", INSTANT),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("updated_at", INSTANT, nullable=False),
        _one_of("check_resource_type", "resource_type", "ts m3u8 mp4 image"),
        _one_of(
            "check_failure_type",
            "failure_type",
            "network_error timeout invalid_content storage_error permission_error",
        ),
        _one_of("check_failure_status", "status", "pending retrying abandoned"),
        sa.CheckConstraint("retry_count >= 0 AND retry_count <= 3", name="check_retry_count_range"),
    )
    _partial("idx_download_failures_due", "download_failures", ["next_retry_time"], "next_retry_time IS NOT NULL")
    op.create_index("idx_download_failures_newest", "download_failures", ["task_id", "created_at", "id"])
    op.create_index("idx_download_failures_piece", "download_failures", ["task_id", "piece_key"])
    op.create_index("idx_download_failures_segment", "download_failures", ["task_id", "segment_index"])


def _videos() -> None:
    op.create_table(
        "downloaded_videos",
        sa.Column("id", sa.Uuid(), primary_key=True),
        sa.Column(
            "task_id",
            sa.Uuid(),
            sa.ForeignKey("download_tasks.id", name="fk_downloaded_videos_task_id", ondelete="CASCADE"),
            nullable=False,
        ),
        sa.Column("video_id", sa.Uuid(), nullable=False),
        sa.Column("liveroom_id", sa.String(20), nullable=False),
        sa.Column("liveroom_title", sa.String(255)),
        sa.Column("liveroom_url", sa.Text()),
        sa.Column("video_type", WORD, nullable=False),
        sa.Column("video_url", sa.Text(), nullable=False),
        sa.Column("storage_path", sa.Text(), nullable=False),
        sa.Column("status", WORD, nullable=False),
        sa.Column("file_size", sa.BigInteger()),
        sa.Column("duration", sa.Double()),
        sa.Column("resolution", sa.Text()),
        sa.Column("format", sa.Text()),
        sa.Column("cover_path", sa.Text()),
        sa.Column("download_start_time", INSTANT),
        sa.Column("download_end_time", INSTANT),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("updated_at", INSTANT, nullable=False),
        _one_of("check_video_type", "video_type", "hls mp4 image"),
        _one_of("check_video_status", "status", "completed partial_completed failed"),
        sa.UniqueConstraint("task_id", name="uq_downloaded_videos_task_id"),
    )


def _upkeep() -> None:
    op.create_table(
        "purges",
        sa.Column("prefix", sa.Text(), primary_key=True),
        sa.Column("until", INSTANT, nullable=False),
    )
    op.create_table(
        "admission_turns",
        sa.Column("user_id", sa.Uuid(), primary_key=True),
        sa.Column("last_admitted_at", INSTANT, nullable=False),
    )


def _one_of(name: str, column: str, words: str) -> sa.CheckConstraint:
    allowed = ", ".join(f"'{word}'" for word in words.split())
    return sa.CheckConstraint(f"{column} IN ({allowed})", name=name)


def _partial(name: str, table: str, columns: Sequence[Any], where: str) -> None:
    op.create_index(name, table, columns, sqlite_where=sa.text(where), postgresql_where=sa.text(where))
