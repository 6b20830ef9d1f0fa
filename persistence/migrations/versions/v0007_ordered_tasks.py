"""The indexes by which a user's tasks come in every order, and the newest of one type or room."""

from __future__ import annotations

from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    for order in ("priority", "progress", "status", "liveroom_id"):
        op.create_index(f"idx_download_tasks_by_{order}", "download_tasks", ["user_id", order, "id"])
    for narrowed in ("resource_type", "liveroom_id"):
        columns = ["user_id", narrowed, "created_at", "id"]
        op.create_index(f"idx_download_tasks_newest_of_{narrowed}", "download_tasks", columns)
