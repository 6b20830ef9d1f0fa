"""Indexes by which the newest failures and videos of a user with very many tasks are found, from the newest of all."""

from __future__ import annotations

from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    op.create_index("idx_download_failures_created_at", "download_failures", ["created_at", "id"])
    op.create_index("idx_downloaded_videos_created_at", "downloaded_videos", ["created_at", "id"])
