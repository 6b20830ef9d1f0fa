"""The mark of the folder that several machines share."""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy import Engine, select
from sqlalchemy.dialects import postgresql, sqlite

from persistence.errors import our_errors
from persistence.tables import storage_marks

THE_ONE = 1


def storage_mark(engine: Engine) -> Callable[[str], str]:
    """Takes a mark and gives the one that counts: the first ever, whoever gave it. Raises DatabaseError."""
    insert = postgresql.insert if engine.dialect.name == "postgresql" else sqlite.insert

    def agree(offered: str) -> str:
        with our_errors(), engine.begin() as connection:
            connection.execute(insert(storage_marks).values(id=THE_ONE, mark=offered).on_conflict_do_nothing())
            return str(connection.execute(select(storage_marks.c.mark)).scalar_one())

    return agree
