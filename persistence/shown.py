"""Entities that are only looked at: read past the Session, whose bookkeeping for changes costs more than the statement.

They have all the attributes of those that a Session loads. But none is ever saved, and to change one is an error.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Generic, TypeVar

from sqlalchemy import Column, ColumnElement, FromClause, Select, select
from sqlalchemy.orm import Session

from domain.models import DownloadedVideo, DownloadFailure, DownloadTask
from persistence.tables import failures, tasks, videos

Entity = TypeVar("Entity")


class Shown(Generic[Entity]):
    """One kind of them."""

    def __init__(self, entity: type[Entity], *columns: Column[Any]) -> None:
        self._entity = entity
        self._names = tuple(column.name for column in columns)

    def rows(self, source: FromClause) -> Select[Any]:
        """All that ``source`` has, a table or what is selected from one."""
        return select(*self.columns(source))

    def columns(self, source: FromClause) -> Sequence[ColumnElement[Any]]:
        """All that ``made`` takes, in its order."""
        return [source.c[name] for name in self._names]

    def read(self, session: Session, rows: Select[Any], parameters: Mapping[str, Any] | None = None) -> list[Entity]:
        """Those that ``rows`` select, which were made by ``rows``."""
        return [self.made(row) for row in session.execute(rows, parameters).all()]

    def made(self, values: Iterable[Any]) -> Entity:
        """Of a row of ``columns``."""
        made = self._entity.__new__(self._entity)
        made.__dict__.update(zip(self._names, values, strict=True))
        return made


SHOWN_TASKS = Shown(DownloadTask, *(column for column in tasks.c if column is not tasks.c.pieces))
SHOWN_FAILURES = Shown(DownloadFailure, *failures.c)
SHOWN_VIDEOS = Shown(DownloadedVideo, *videos.c)
