"""The index by which old finished tasks are found."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"

FINISHED = "status IN ('completed', 'partial_completed', 'failed', 'cancelled')"


def upgrade() -> None:
    op.create_index(
        "idx_download_tasks_finished",
        "download_tasks",
        [sa.text("coalesce(completed_at, updated_at)")],
        sqlite_where=sa.text(FINISHED),
        postgresql_where=sa.text(FINISHED),
    )
