"""The tables of the jobs, where many machines share them."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """What Procrastinate delivered with 3.10.0: a later release's own file would be another revision."""
    connection = op.get_bind()
    if connection.dialect.name != "postgresql":
        return
    with closing(connection.connection.cursor()) as cursor:  # a bare one takes no percent sign for a parameter
        cursor.execute(Path(__file__).with_suffix(".sql").read_text())
