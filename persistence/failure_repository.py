"""All SQL of failures."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import datetime
from functools import cache, lru_cache
from typing import Any, NamedTuple, TypeVar, cast
from uuid import UUID, uuid4

from sqlalchemy import (
    BindParameter,
    Column,
    ColumnElement,
    Integer,
    Select,
    bindparam,
    delete,
    func,
    insert,
    select,
    true,
    tuple_,
    update,
)
from sqlalchemy.orm import Session

from domain.models import DownloadFailure
from domain.paging import Page, PageRequest
from domain.piece_map import LostPiece
from domain.ports import NextRetry, PieceFailure, PieceResult
from domain.queries import FAILURE_COLUMNS, FailureFilter, PieceRange, Sort
from domain.values import FailureStatus, TaskStatus
from persistence.keyset import Key, Listing, Order, fetch_page, order_of
from persistence.shown import SHOWN_FAILURES
from persistence.tables import failures, one_of, tasks

STATEMENTS = 64  # of one kind, kept ready
KEYS_AT_ONCE = 1000  # in one IN (…): SQLite binds at most 32,766 values

Piece = TypeVar("Piece")
Row = TypeVar("Row")

_RETRIED_BY_ITSELF = (TaskStatus.PROCESSING, TaskStatus.PARTIAL_COMPLETED, TaskStatus.FAILED)


Conditions = Sequence[ColumnElement[bool]]


class SqlFailureRepository:
    """See ``domain.ports.FailureRepository``.

    Whoever locks a failure locks its task first, so that no two wait for each other.
    """

    def __init__(self, session: Session) -> None:
        self._session = session

    # --- a user's rows ---

    def add(self, failure: DownloadFailure) -> None:
        self._session.flush()  # its task may be new, and must be there first
        self._session.add(failure)

    def get(self, user_id: UUID, failure_id: UUID, *, for_update: bool = False) -> DownloadFailure | None:
        rows = _with_task(select(DownloadFailure)).where(tasks.c.user_id == user_id, failures.c.id == failure_id)
        if for_update:
            rows = rows.with_for_update().execution_options(populate_existing=True)
        return self._session.scalars(rows).one_or_none()

    def page(
        self,
        user_id: UUID,
        where: FailureFilter,
        sort: Sort,
        request: PageRequest,
        *,
        task_id: UUID | None = None,
    ) -> Page[DownloadFailure]:
        rows = _mine(user_id).where(*_conditions(where, task_id))
        order = order_of(failures, FAILURE_COLUMNS, sort)
        return fetch_page(self._session, Listing(SHOWN_FAILURES, rows, order), request)

    def count(self, user_id: UUID, where: FailureFilter, *, task_id: UUID | None = None) -> int:
        rows = _mine(user_id).where(*_conditions(where, task_id))
        return self._session.scalar(rows.with_only_columns(func.count())) or 0

    def first_of_tasks(
        self, user_id: UUID, task_ids: Collection[UUID], where: FailureFilter, sort: Sort, first: int
    ) -> dict[UUID, list[DownloadFailure]]:
        statement = _first_of_tasks(where, sort, dialect=self._session.get_bind().dialect.name)
        wanted = {"user_id": user_id, "task_ids": list(task_ids), "first": first + 1}
        found: dict[UUID, list[DownloadFailure]] = {task_id: [] for task_id in task_ids}
        for failure in SHOWN_FAILURES.read(self._session, statement, wanted):
            found[failure.task_id].append(failure)
        return found

    def losses(self, user_id: UUID, task_ids: Collection[UUID]) -> dict[UUID, list[LostPiece]]:
        found: dict[UUID, list[LostPiece]] = {task_id: [] for task_id in task_ids}
        rows = _mine(user_id).where(failures.c.task_id.in_(task_ids), failures.c.piece_key.is_not(None))
        columns = failures.c.task_id, failures.c.piece_key, failures.c.status
        for task_id, key, status in self._session.execute(rows.with_only_columns(*columns)):
            found[task_id].append(LostPiece(str(key), status))
        return found

    # --- the engine's ---

    def of_task(self, task_id: UUID, *, status: FailureStatus | None = None) -> list[DownloadFailure]:
        """In the order of the playlist."""
        rows = _of_task()
        if status is not None:
            rows = rows.where(failures.c.status == status)
        return list(self._session.scalars(rows, {"of_task": task_id}))

    def record(self, task_id: UUID, results: Iterable[PieceResult], next_retries: NextRetry, now: datetime) -> None:
        """The last result of a piece counts.

        In bulk, past the Session: 20,000 losses take 1 s so, 3 s as entities. Those loaded before stay as they were.
        """
        self._session.flush()
        last = {result.key: result for result in results}
        self._forget(task_id, [key for key, result in last.items() if result.failure is None])
        lost = {key: Loss(result, result.failure) for key, result in last.items() if result.failure is not None}
        known = self._known(task_id, list(lost))
        new = [
            loss.row(task_id, next_retries(loss.failure.failure_type, 0), now)
            for key, loss in lost.items()
            if key not in known
        ]
        again = [
            {"row_id": row.id, **lost[key].renewal(next_retries(lost[key].failure.failure_type, row.tries), now)}
            for key, rows in known.items()
            for row in rows
            if row.status is not FailureStatus.ABANDONED
        ]
        if new:
            self._session.execute(insert(failures), new)
        if again:
            self._session.execute(update(failures).where(failures.c.id == bindparam("row_id")), again)

    def forget(self, pieces: Collection[tuple[UUID, str]]) -> None:
        for some in _chunks(list(pieces)):
            piece = tuple_(failures.c.task_id, failures.c.piece_key)
            self._session.execute(delete(failures).where(piece.in_(some)))

    def due(self, now: datetime, limit: int) -> list[DownloadFailure]:
        """Not of cancelled or completed tasks; what another transaction holds is passed over."""
        rows = (
            _with_task(select(DownloadFailure))
            .where(
                failures.c.next_retry_time <= now,
                failures.c.status == FailureStatus.PENDING,
                tasks.c.status.in_(_RETRIED_BY_ITSELF),
            )
            .order_by(failures.c.next_retry_time, failures.c.id)
            .limit(limit)
            .with_for_update(skip_locked=True)
            .execution_options(populate_existing=True)
        )
        return list(self._session.scalars(rows))

    def _forget(self, task_id: UUID, keys: Sequence[str]) -> None:
        for some in _chunks(keys):
            self._session.execute(
                delete(DownloadFailure).where(failures.c.task_id == task_id, failures.c.piece_key.in_(some))
            )

    def _known(self, task_id: UUID, keys: Sequence[str]) -> dict[str, list[Known]]:
        """A piece may have several: users record failures too."""
        found: defaultdict[str, list[Known]] = defaultdict(list)
        columns = failures.c.piece_key, failures.c.id, failures.c.status, failures.c.auto_retry_count
        for some in _chunks(keys):
            rows = select(*columns).where(failures.c.task_id == task_id, failures.c.piece_key.in_(some))
            for key, failure_id, status, tries in self._session.execute(rows):
                found[str(key)].append(Known(failure_id, status, tries))
        return found


class Known(NamedTuple):
    """What matters of a row when its piece is lost again."""

    id: UUID
    status: FailureStatus
    tries: int


class Loss(NamedTuple):
    """A piece that did not arrive."""

    result: PieceResult
    failure: PieceFailure

    def row(self, task_id: UUID, next_retry_time: datetime | None, now: datetime) -> dict[str, object]:
        key = self.result.key
        return {
            "id": uuid4(),
            "task_id": task_id,
            "resource_type": self.result.resource_type,
            "expected_path": key,
            "standard_name": key.rpartition("/")[2],
            "segment_index": self.result.segment_index,
            "piece_key": key,
            "retry_count": 0,
            "auto_retry_count": 0,
            "created_at": now,
            **self.renewal(next_retry_time, now),
        }

    def renewal(self, next_retry_time: datetime | None, now: datetime) -> dict[str, object]:
        """What was tried and what came of it; the counters stay."""
        return {
            "resource_url": self.result.url,
            "failure_type": self.failure.failure_type,
            "error_message": self.failure.message,
            "status": FailureStatus.PENDING,
            "next_retry_time": next_retry_time,
            "updated_at": now,
        }


def _with_task(rows: Select[Row]) -> Select[Row]:
    return rows.select_from(tasks).join(failures, failures.c.task_id == tasks.c.id)


@cache
def _of_task() -> Select[DownloadFailure]:
    """Every run asks this: see ``_first_of_tasks``."""
    rows = select(DownloadFailure).where(failures.c.task_id == bindparam("of_task"))
    in_order = rows.order_by(failures.c.segment_index, failures.c.created_at, failures.c.id)
    return in_order.execution_options(populate_existing=True)


@lru_cache(maxsize=STATEMENTS)
def _first_of_tasks(where: FailureFilter, sort: Sort, *, dialect: str) -> Select[Any]:
    """With parameters: to build such a statement takes longer than to execute it."""
    among = tasks.c.user_id == bindparam("user_id"), one_of(tasks.c.id, "task_ids", dialect)
    order, conditions = order_of(failures, FAILURE_COLUMNS, sort), [*_conditions(where)]
    build = _by_lateral if dialect == "postgresql" else _by_window
    return build(among, conditions, order, bindparam("first", type_=Integer))


def _by_lateral(among: Conditions, where: Conditions, order: Order, first: BindParameter[int]) -> Select[Any]:
    """Stops after the first of each task, however many there are."""
    own = select(failures).where(failures.c.task_id == tasks.c.id, *where).order_by(*(key.clause for key in order))
    newest = own.limit(first).lateral()
    clauses = (Key(cast("Column[Any]", newest.c[key.column.name]), key.descending).clause for key in order)
    rows = SHOWN_FAILURES.rows(newest).select_from(tasks).join(newest, true())
    return rows.where(*among).order_by(*clauses)


def _by_window(among: Conditions, where: Conditions, order: Order, first: BindParameter[int]) -> Select[Any]:
    """For SQLite, which has no LATERAL."""
    place = func.row_number().over(partition_by=failures.c.task_id, order_by=[key.clause for key in order])
    numbered = _with_task(select(failures.c.id, place.label("place"))).where(*among, *where).subquery()
    rows = SHOWN_FAILURES.rows(failures).join(numbered, numbered.c.id == failures.c.id)
    return rows.where(numbered.c.place <= first).order_by(numbered.c.place)


def _mine(user_id: UUID) -> Select[Any]:
    return _with_task(SHOWN_FAILURES.rows(failures)).where(tasks.c.user_id == user_id)


def _conditions(where: FailureFilter, task_id: UUID | None = None) -> Iterator[ColumnElement[bool]]:
    if task_id is not None:
        yield failures.c.task_id == task_id
    if where.status is not None:
        yield failures.c.status.in_(where.status)
    if where.failure_type is not None:
        yield failures.c.failure_type.in_(where.failure_type)
    if where.pieces is not None:
        yield from _within(where.pieces)


def _within(pieces: PieceRange) -> Iterator[ColumnElement[bool]]:
    """The track is the folder of the piece; a whole file has no index, and is the first and only piece of its own."""
    yield failures.c.piece_key.contains(f"/{pieces.track}/", autoescape=True)
    yield func.coalesce(failures.c.segment_index, 0).between(pieces.first, pieces.last)


def _chunks(keys: Sequence[Piece]) -> Iterator[Sequence[Piece]]:
    for start in range(0, len(keys), KEYS_AT_ONCE):
        yield keys[start : start + KEYS_AT_ONCE]
