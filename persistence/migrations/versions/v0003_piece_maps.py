"""The piece map that a run writes with its progress."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.add_column("download_tasks", sa.Column("pieces", sa.Text))
