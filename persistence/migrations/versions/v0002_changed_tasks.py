"""The index by which a user's latest changes are found."""

from __future__ import annotations

from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.create_index("idx_download_tasks_changed", "download_tasks", ["user_id", "updated_at", "id"])
