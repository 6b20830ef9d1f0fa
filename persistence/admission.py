"""Which waiting tasks get the free slots."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from datetime import UTC, datetime
from heapq import nsmallest
from itertools import islice
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import Integer, bindparam, delete, func, insert, select, update
from sqlalchemy.orm import Session

from domain.models import DownloadTask
from domain.ports import AdmissionLimits
from persistence.tables import is_admitted, is_waiting, tasks, turns

ADMISSION_LOCK = 0x61646D6974  # "admit"

# Kept ready: to build them, one for each user, took two fifths of an admission's CPU.
_ALONE = select(func.pg_advisory_xact_lock(ADMISSION_LOCK))
_RUNNING = select(tasks.c.user_id, func.count()).where(is_admitted).group_by(tasks.c.user_id)
_QUEUED = (
    select(tasks.c.user_id, func.count().label("waiting"), func.min(tasks.c.queued_at).label("oldest"))
    .where(is_waiting)
    .group_by(tasks.c.user_id)
    .subquery()
)
_WAITING = select(_QUEUED, turns.c.last_admitted_at).outerjoin(turns, turns.c.user_id == _QUEUED.c.user_id)
_BEST = (
    select(tasks.c.id)
    .where(tasks.c.user_id == bindparam("user_id"), is_waiting)
    .order_by(tasks.c.priority.desc(), tasks.c.queued_at, tasks.c.id)
    .limit(bindparam("count", type_=Integer))
    .with_for_update(skip_locked=True)
)
"""A task that someone is changing right now is passed over; the next admission sees it."""

_LONG_AGO = datetime.min.replace(tzinfo=UTC)


class Queue(NamedTuple):
    """What one user has running and waiting."""

    user_id: UUID
    running: int
    waiting: int
    oldest: datetime | None
    last_admitted_at: datetime | None


def admit(session: Session, limits: AdmissionLimits, now: datetime) -> list[UUID]:
    """See ``domain.ports.TaskRepository.admit``."""
    _stand_alone(session)
    running = _running(session)
    free = limits.total - running.total()
    if free <= 0:
        return []
    users = in_turn(_queues(session, running), free, limits.per_user)
    best = {user_id: _best(session, user_id, count) for user_id, count in Counter(users).items()}
    admitted = [(task_id, user_id) for user_id in users for task_id in islice(best[user_id], 1)]
    if admitted:
        _mark(session, {task_id for task_id, _ in admitted}, now)
        _remember_turns(session, {user_id for _, user_id in admitted}, now)
    return [task_id for task_id, _ in admitted]


def in_turn(queues: Iterable[Queue], free: int, per_user: int) -> list[UUID]:
    """Whose task goes first, second and so on, ``free`` at most.

    The user who would then have the fewest running; among equals the one served longest ago, then the one
    who waits longest. A user with 9,000 waiting so delays nobody with one.
    """
    places = (
        (queue.running + rank, queue.last_admitted_at or _LONG_AGO, queue.oldest or _LONG_AGO, queue.user_id)
        for queue in queues
        for rank in range(1, min(queue.waiting, per_user - queue.running, free) + 1)
    )
    return [user_id for *_, user_id in nsmallest(free, places)]


def _stand_alone(session: Session) -> None:
    """One admission at a time over all processes, to the end of the transaction; SQLite has one writer."""
    if session.get_bind().dialect.name == "postgresql":
        session.execute(_ALONE)


def _running(session: Session) -> Counter[UUID]:
    return Counter(dict(session.execute(_RUNNING).all()))


def _queues(session: Session, running: Counter[UUID]) -> Iterator[Queue]:
    for user_id, waiting, oldest, last_admitted_at in session.execute(_WAITING):
        yield Queue(user_id, running[user_id], waiting, oldest, last_admitted_at)


def _best(session: Session, user_id: UUID, count: int) -> Iterator[UUID]:
    return iter(session.scalars(_BEST, {"user_id": user_id, "count": count}).all())


def _mark(session: Session, task_ids: Collection[UUID], now: datetime) -> None:
    session.execute(update(DownloadTask).where(tasks.c.id.in_(task_ids)).values(admitted_at=now))


def _remember_turns(session: Session, users: Collection[UUID], now: datetime) -> None:
    session.execute(delete(turns).where(turns.c.user_id.in_(users)))
    session.execute(insert(turns), [{"user_id": user_id, "last_admitted_at": now} for user_id in users])
