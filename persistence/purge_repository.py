"""All SQL of purges."""

from __future__ import annotations

from sqlalchemy import delete, insert, select
from sqlalchemy.orm import Session

from domain.ports import Purge
from persistence.tables import purges


class SqlPurgeRepository:
    """See ``domain.ports.PurgeRepository``."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def add(self, purge: Purge) -> None:
        """Added again, a folder has the new hour."""
        self._session.execute(delete(purges).where(purges.c.prefix == purge.prefix))
        self._session.execute(insert(purges).values(prefix=purge.prefix, until=purge.until))

    def all(self) -> list[Purge]:
        rows = self._session.execute(select(purges).order_by(purges.c.prefix))
        return [Purge(row.prefix, row.until) for row in rows]

    def remove(self, purge: Purge) -> None:
        """Unless it was added again meanwhile."""
        same = (purges.c.prefix == purge.prefix) & (purges.c.until == purge.until)
        self._session.execute(delete(purges).where(same))
