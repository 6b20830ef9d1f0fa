"""All SQL of tasks."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from datetime import datetime
from functools import lru_cache
from operator import itemgetter
from uuid import UUID

from sqlalchemy import (
    Column,
    ColumnElement,
    Select,
    and_,
    bindparam,
    false,
    func,
    or_,
    select,
    update,
)
from sqlalchemy.orm import Session

from domain.models import DownloadTask
from domain.paging import Page, PageRequest
from domain.piece_map import Written
from domain.ports import AdmissionLimits, Backlog, Changed, Claim, Hold, Measurement, Progress
from domain.queries import TASK_COLUMNS, Sort, TaskFilter
from domain.values import TaskStatus
from persistence import runs
from persistence.admission import admit
from persistence.keyset import Bound, Listing, fetch_page, order_of
from persistence.shown import SHOWN_TASKS
from persistence.tables import (
    finished_at,
    is_admitted,
    is_finished,
    is_processing,
    is_waiting,
    tasks,
)

LISTINGS = 64  # by filter and order, kept ready
LONGEST_SEARCHED = 2000
"""Characters of the longest column that is searched, a URL; nothing contains a longer text."""


class SqlTaskRepository:
    """See ``domain.ports.TaskRepository``."""

    def __init__(self, session: Session) -> None:
        self._session = session

    # --- a user's rows ---

    def add(self, task: DownloadTask) -> None:
        self._session.add(task)

    def get(self, user_id: UUID, task_id: UUID, *, for_update: bool = False) -> DownloadTask | None:
        return self._one(_mine(user_id).where(tasks.c.id == task_id), for_update=for_update)

    def get_many(self, user_id: UUID, task_ids: Collection[UUID]) -> dict[UUID, DownloadTask]:
        rows = SHOWN_TASKS.rows(tasks).where(tasks.c.user_id == user_id, tasks.c.id.in_(task_ids))
        return {task.id: task for task in SHOWN_TASKS.read(self._session, rows)}

    def find_idempotent(self, user_id: UUID, key: str) -> DownloadTask | None:
        return self._one(_mine(user_id).where(tasks.c.idempotency_key == key))

    def combinations(self, user_id: UUID, urls: Collection[str]) -> set[tuple[str, str, str | None]]:
        known = select(tasks.c.resource_url, tasks.c.liveroom_id, tasks.c.liveroom_title)
        known = known.where(tasks.c.user_id == user_id, tasks.c.resource_url.in_(urls))
        return {(url, room, title) for url, room, title in self._session.execute(known)}

    def page(self, user_id: UUID, where: TaskFilter, sort: Sort, request: PageRequest) -> Page[DownloadTask]:
        return fetch_page(self._session, _listing(where, sort), request, {"user_id": user_id})

    def count(self, user_id: UUID, where: TaskFilter) -> int:
        bounds = (bound.clause for bound in _bounds(where))
        return self._count(tasks.c.user_id == user_id, *_conditions(where), *bounds)

    def counts_by_status(self, user_id: UUID) -> dict[TaskStatus, int]:
        """Only of the statuses that there are."""
        mine = tasks.c.user_id == user_id
        counts = select(tasks.c.status, func.count()).where(mine).group_by(tasks.c.status)
        return dict(self._session.execute(counts).all())

    def count_waiting(self, user_id: UUID) -> int:
        return self._count(tasks.c.user_id == user_id, is_processing, tasks.c.started_at.is_(None))

    def backlog(self) -> Backlog:
        found = select(func.count(), func.min(tasks.c.queued_at)).where(is_waiting)
        waiting, oldest = self._session.execute(found).one()
        return Backlog(waiting, oldest)

    def bytes_stored(self, user_id: UUID) -> int:
        """What the user's tasks have downloaded, finished or not."""
        total = select(func.sum(tasks.c.bytes_downloaded)).where(tasks.c.user_id == user_id)
        return int(self._session.scalar(total) or 0)

    def pieces(self, user_id: UUID, task_ids: Collection[UUID]) -> dict[UUID, Written]:
        """The column is no attribute of the entity: lists of tasks do without it."""
        running = and_(is_processing, tasks.c.started_at.is_not(None))
        columns = tasks.c.id, tasks.c.pieces, tasks.c.resource_type, tasks.c.status, running, tasks.c.segments_total
        rows = select(*columns).where(tasks.c.user_id == user_id, tasks.c.id.in_(task_ids))
        found = self._session.execute(rows)
        return {task_id: Written(text, kind, status, runs, total) for task_id, text, kind, status, runs, total in found}

    def delete(self, task: DownloadTask) -> None:
        """Its failures and its video go with it."""
        self._session.delete(task)

    # --- the engine's ---

    def find(self, task_id: UUID, *, for_update: bool = False) -> DownloadTask | None:
        return self._one(select(DownloadTask).where(tasks.c.id == task_id), for_update=for_update)

    def changed(
        self, user_ids: Collection[UUID], since: datetime, named: Collection[UUID], counted: Collection[UUID]
    ) -> Changed:
        """The outer join has a row for the sum also when nothing has changed."""
        version = func.coalesce(func.sum(tasks.c.version), 0).label("versions")
        total = select(version).where(_among(tasks.c.id, counted)).subquery()
        news = or_(and_(_among(tasks.c.user_id, user_ids), tasks.c.updated_at >= since), _among(tasks.c.id, named))
        joined = total.outerjoin(tasks, news)
        rows = self._session.execute(select(total.c.versions, DownloadTask).select_from(joined)).all()
        return Changed([task for _, task in rows if task is not None], rows[0].versions)

    def admit(self, limits: AdmissionLimits, now: datetime) -> list[UUID]:
        return admit(self._session, limits, now)

    def admitted(self) -> list[UUID]:
        return list(self._session.scalars(select(tasks.c.id).where(is_admitted)))

    def return_to_queue(self, task_ids: Collection[UUID], now: datetime) -> None:
        self._session.execute(
            update(DownloadTask)
            .where(tasks.c.id.in_(_at_hand(tasks.c.id.in_(task_ids), is_processing)))
            .values(admitted_at=None, started_at=None, bytes_per_second=None, updated_at=now)
        )

    def claim(self, task_id: UUID, now: datetime) -> Claim | None:
        """A run counts as admitted, however it came to be; decisions not yet written by then are void."""
        row = self._session.execute(runs.claim(), {"of_task": task_id, "at": now}).one_or_none()
        if row is None:
            return None
        *values, has_failures = row
        task = SHOWN_TASKS.made(values)
        return Claim(task, task.run_number, has_failures)

    def record_progress(self, measurements: Sequence[Measurement]) -> list[Hold | None]:
        """They leave the version alone, and entities that are loaded already as they are.

        One statement for all; in the order of ids, so that no two processes wait for each other.
        """
        values = sorted(map(runs.new_values, measurements), key=itemgetter("of_task"))
        self._session.execute(runs.MEASURE, values)
        running = self._session.execute(runs.wishes(), {"ids": [measurement.task_id for measurement in measurements]})
        held = {(task_id, number): Hold(*wishes) for task_id, number, *wishes in running}
        return [held.get((measurement.task_id, measurement.run_number)) for measurement in measurements]

    def record_pieces(self, task_id: UUID, run_number: int, progress: Progress) -> None:
        """Whatever the status is: what is stored is stored."""
        if progress.pieces is not None:
            of_run = (tasks.c.id == task_id) & (tasks.c.run_number == run_number)
            self._session.execute(update(tasks).where(of_run).values(pieces=progress.pieces))

    def owned(self, task_id: UUID, run_number: int) -> DownloadTask | None:
        return self._session.scalars(runs.owned(), {"of_task": task_id, "of_run": run_number}).one_or_none()

    def forget_idempotency_keys(self, created_before: datetime) -> None:
        expired = tasks.c.idempotency_key.is_not(None), tasks.c.created_at < created_before
        self._session.execute(
            update(DownloadTask)
            .where(tasks.c.id.in_(_at_hand(*expired)))
            .values(idempotency_key=None, idempotency_digest=None)
        )

    def finished_before(self, moment: datetime, limit: int) -> list[DownloadTask]:
        """Those that finished first; what another transaction holds is passed over."""
        rows = select(DownloadTask).where(is_finished, finished_at < moment).order_by(finished_at).limit(limit)
        locked = rows.with_for_update(skip_locked=True).execution_options(populate_existing=True)
        return list(self._session.scalars(locked))

    def _one(self, rows: Select[DownloadTask], *, for_update: bool = False) -> DownloadTask | None:
        if for_update:  # what another transaction wrote while we waited for the lock must be seen
            rows = rows.with_for_update().execution_options(populate_existing=True)
        return self._session.scalars(rows).one_or_none()

    def _count(self, *conditions: ColumnElement[bool]) -> int:
        return self._session.scalar(select(func.count()).select_from(tasks).where(*conditions)) or 0


def _mine(user_id: UUID) -> Select[DownloadTask]:
    return select(DownloadTask).where(tasks.c.user_id == user_id)


def _among(column: Column[UUID], ids: Collection[UUID]) -> ColumnElement[bool]:
    """Written out, not bound: 2,000 parameters cost psycopg2 16 ms, 2,000 literals 5."""
    return column.in_(bindparam(None, list(ids), expanding=True, literal_execute=True))


def _at_hand(*conditions: ColumnElement[bool]) -> Select[UUID]:
    """Rows that nobody else holds: two that wait for several rows each would end up waiting for each other."""
    return select(tasks.c.id).where(*conditions).with_for_update(skip_locked=True)


@lru_cache(maxsize=LISTINGS)
def _listing(where: TaskFilter, sort: Sort) -> Listing[DownloadTask]:
    mine = tasks.c.user_id == bindparam("user_id")
    rows = SHOWN_TASKS.rows(tasks).where(mine, *_conditions(where))
    return Listing(SHOWN_TASKS, rows, order_of(tasks, TASK_COLUMNS, sort), _bounds(where))


def _conditions(where: TaskFilter) -> Iterator[ColumnElement[bool]]:
    if where.status is not None:
        yield tasks.c.status.in_(where.status)
    if where.resource_type is not None:
        yield tasks.c.resource_type.in_(where.resource_type)
    if where.liveroom_id is not None:
        yield tasks.c.liveroom_id == where.liveroom_id
    if where.search is not None:
        yield _contains(where.search)


def _bounds(where: TaskFilter) -> list[Bound]:
    after = [Bound(tasks.c.created_at, True, where.created_after)] if where.created_after is not None else []
    before = [Bound(tasks.c.created_at, False, where.created_before)] if where.created_before is not None else []
    return after + before


def _contains(text: str) -> ColumnElement[bool]:
    if len(text) > LONGEST_SEARCHED:
        return false()
    searched = (tasks.c.liveroom_title, tasks.c.liveroom_id, tasks.c.resource_url)
    return or_(*(column.icontains(text, autoescape=True) for column in searched))
