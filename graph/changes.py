"""What changes, told to those who follow it: one query a tick for all subscribers of this process."""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from contextvars import Context
from dataclasses import dataclass
from datetime import datetime, timedelta
from operator import attrgetter
from uuid import UUID

from anyio import CapacityLimiter, to_thread
from strawberry.types import get_object_definition

from domain.errors import ExpiredCredentials, TaskNotFoundError
from domain.models import DownloadTask, utc_now
from domain.paging import MAX_SIZE, PageRequest
from domain.ports import Clock, UnitOfWorkFactory
from domain.queries import NEWEST_FIRST, TaskFilter
from domain.values import TaskStatus
from graph import types
from graph.errors import limit_exceeded
from graph.follower import Follower

logger = logging.getLogger(__name__)

INTERVAL = 0.3  # seconds between two ticks: so nobody is told of a task more than 4 times in any second
OVERLAP = timedelta(seconds=5)
"""How far a tick looks back beyond the one before: transactions commit late, and machines' clocks differ."""
MAX_FOLLOWERS = 10_000

_UNDER_WAY = TaskFilter(status=(TaskStatus.PROCESSING,))
_state = attrgetter(
    *(
        each.python_name
        for each in get_object_definition(types.DownloadTask, strict=True).fields
        if each.base_resolver is None
    )
)
"""What subscribers can see of a task itself."""


@dataclass(frozen=True, slots=True)
class Question:
    """What a tick asks. ``versions`` are the known ones of the tasks that somebody follows."""

    users: Collection[UUID]
    since: datetime
    new_tasks: Collection[UUID]
    new_users: Collection[UUID]
    versions: Mapping[UUID, int]


@dataclass(frozen=True, slots=True)
class Look:
    """What there is, all of one moment."""

    tasks: Mapping[UUID, DownloadTask]
    under_way: Mapping[UUID, list[DownloadTask]]
    gone: Collection[UUID]


class Changes:
    """Polls while there is somebody to tell. Belongs to one event loop; only the query runs in a thread.

    A change is a row that differs from what was last seen of it, whatever its ``updated_at`` says; by that, rows are
    found. The sum of the followed tasks' versions shows what it does not: rows that are gone.
    """

    def __init__(self, open_uow: UnitOfWorkFactory, clock: Clock = utc_now) -> None:
        self._open_uow = open_uow
        self._clock = clock
        self._thread = CapacityLimiter(1)
        self._followers: defaultdict[UUID, set[Follower]] = defaultdict(set)
        self._seen: dict[UUID, DownloadTask] = {}
        self._looked_at = clock()
        self._failing = False
        self._polling: asyncio.Task[None] | None = None
        self.stopped = False

    @contextmanager
    def follow(self, user_id: UUID, task_id: UUID | None = None, until: datetime | None = None) -> Iterator[Follower]:
        """The task now and at every change; without one, the user's that are under way, then every change of any.

        ``until`` is the end of the user's credentials. Raises LIMIT_EXCEEDED.
        """
        if len(self._everybody()) >= MAX_FOLLOWERS:
            raise limit_exceeded("Too many subscriptions are open. Try again later.")
        follower = Follower(user_id, task_id, until)
        self._followers[user_id].add(follower)
        if self._polling is None or self._polling.done():
            # Without the context of this subscriber, whose ids the log would show.
            self._polling = asyncio.create_task(self._poll(), context=Context())
        try:
            yield follower
        finally:
            self._followers[user_id].remove(follower)
            if not self._followers[user_id]:
                del self._followers[user_id]

    def stop(self) -> None:
        """Nobody is told anything any more."""
        self.stopped = True
        for follower in self._everybody():
            follower.end()

    async def _poll(self) -> None:
        self._seen, self._looked_at = {}, self._clock()
        while self._followers:
            await self._tick()
            await asyncio.sleep(INTERVAL)

    async def _tick(self) -> None:
        now = self._clock()
        self._end_expired(now)
        newcomers = [follower for follower in self._everybody() if not follower.welcomed]
        question = self._question(min(now, self._looked_at) - OVERLAP, newcomers)
        try:
            look = await to_thread.run_sync(self._look, question, limiter=self._thread)
        except Exception as error:  # noqa: BLE001 - logged; whatever it is, the next tick tries again
            self._note_failure()
            for follower in newcomers:
                follower.end(error)
            return
        self._failing, self._looked_at = False, now
        self._tell(look, question.since)
        for follower in newcomers:
            _welcome(follower, look)

    def _everybody(self) -> list[Follower]:
        return [follower for followers in self._followers.values() for follower in followers]

    def _end_expired(self, now: datetime) -> None:
        for follower in self._everybody():
            if follower.until is not None and follower.until <= now:
                follower.end(ExpiredCredentials())

    def _note_failure(self) -> None:
        level = logging.DEBUG if self._failing else logging.ERROR  # an outage is one event, not three a second
        logger.log(level, "The look for changed tasks failed; it is tried again", exc_info=True)
        self._failing = True

    # --- ask ---

    def _question(self, since: datetime, newcomers: Collection[Follower]) -> Question:
        followed = {follower.task_id for follower in self._everybody() if follower.welcomed}
        return Question(
            users=list(self._followers),
            since=since,
            new_tasks={follower.task_id for follower in newcomers if follower.task_id},
            new_users={follower.user_id for follower in newcomers if not follower.task_id},
            versions={task_id: task.version for task_id, task in self._seen.items() if task_id in followed},
        )

    def _look(self, question: Question) -> Look:
        with self._open_uow() as uow, uow.reading():
            found = uow.tasks.changed(question.users, question.since, question.new_tasks, question.versions)
            tasks = {task.id: task for task in found.tasks}
            expected = (tasks[each].version if each in tasks else known for each, known in question.versions.items())
            gone: Collection[UUID] = ()
            if found.versions != sum(expected):
                there = uow.tasks.changed((), question.since, question.versions, ()).tasks
                tasks.update((task.id, task) for task in there)
                gone = question.versions.keys() - tasks.keys()
            first = PageRequest(MAX_SIZE)
            under_way = {each: uow.tasks.page(each, _UNDER_WAY, NEWEST_FIRST, first) for each in question.new_users}
        return Look(tasks, {user_id: page.items for user_id, page in under_way.items()}, gone)

    # --- tell ---

    def _tell(self, look: Look, since: datetime) -> None:
        for task in look.tasks.values():
            if self._is_news(task, since):
                for follower in self._followers.get(task.user_id, ()):
                    if follower.welcomed:
                        follower.tell(task)
        for follower in self._everybody():
            if follower.task_id in look.gone:
                follower.end()
        followed = {follower.task_id for follower in self._everybody()} - set(look.gone)
        kept = {task_id: task for task_id, task in self._seen.items() if task_id in followed}
        self._seen = kept | dict(look.tasks)

    def _is_news(self, task: DownloadTask, since: datetime) -> bool:
        """What is seen for the first time is none where it is there only because somebody begins to follow it."""
        before = self._seen.get(task.id)
        return task.updated_at >= since if before is None else _state(before) != _state(task)


def _welcome(follower: Follower, look: Look) -> None:
    if follower.task_id is None:
        now = look.under_way[follower.user_id]
    else:
        task = look.tasks.get(follower.task_id)
        if task is None or task.user_id != follower.user_id:
            return follower.end(TaskNotFoundError())
        now = [task]
    follower.welcomed = True
    for task in now:
        follower.tell(task)
    return None
