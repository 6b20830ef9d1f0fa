"""The poller over a real database file, with a clock that is wound and looks that are counted."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from anyio import fail_after
from graphql import GraphQLError
from sqlalchemy import event, update

from domain.errors import DatabaseError, ExpiredCredentials, TaskNotFoundError
from domain.models import DownloadTask
from domain.ports import UnitOfWork
from domain.values import TaskStatus
from graph import changes as polling
from graph.changes import OVERLAP, Changes
from graph.follower import Follower
from persistence.tables import tasks
from tests.builders import NOW, a_task
from tests.rooms import Rooms

HOUR = timedelta(hours=1)


@dataclass
class Watched:
    """Rooms whose every look is counted, and fails while the database is ``down``."""

    rooms: Rooms
    loop: asyncio.AbstractEventLoop
    looks: int = 0
    down: bool = False
    bells: asyncio.Queue[None] = field(default_factory=asyncio.Queue)
    polls: Changes = field(init=False)

    def __post_init__(self) -> None:
        self.polls = Changes(self._open_uow, self.rooms.clock)

    def _open_uow(self) -> AbstractContextManager[UnitOfWork]:
        self.looks += 1
        self.loop.call_soon_threadsafe(self.bells.put_nowait, None)
        if self.down:
            raise DatabaseError
        return self.rooms.open_uow()

    async def look(self, times: int = 2) -> None:
        """Until what is written now has been looked at: a look under way may have begun before."""
        with fail_after(10):
            for _ in range(self.bells.qsize() + times):
                await self.bells.get()

    def write(self, task: DownloadTask, **values: Any) -> None:
        """As a measurement: no version grows; ``updated_at`` is now unless it is given."""
        values = {"updated_at": self.rooms.clock.now, **values}
        with self.rooms.engine.begin() as connection:
            connection.execute(update(tasks).where(tasks.c.id == task.id).values(**values))

    def delete(self, task: DownloadTask) -> None:
        with self.rooms.open_services() as services:
            services.tasks.delete_download_task(task.user_id, task.id)


@pytest.fixture
async def watched(rooms: Rooms, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Watched]:
    monkeypatch.setattr(polling, "INTERVAL", 0.005)
    watched = Watched(rooms, asyncio.get_running_loop())
    yield watched
    with fail_after(10):
        await (watched.polls._polling or asyncio.sleep(0))


@pytest.fixture
def task(rooms: Rooms) -> DownloadTask:
    task = a_task()
    rooms.keep(task)
    return task


async def told(follower: Follower) -> DownloadTask:
    with fail_after(10):
        return await anext(follower)


async def ended(follower: Follower) -> BaseException:
    """What comes instead of news."""
    with fail_after(10), pytest.raises(Exception) as caught:  # noqa: PT011 - the test says which
        await anext(follower)
    return caught.value


@contextmanager
def quiet(follower: Follower) -> Iterator[None]:
    """Nothing is told meanwhile."""
    yield
    assert not follower._news


async def test_the_state_comes_at_once_then_every_change(watched: Watched, task: DownloadTask) -> None:
    with watched.polls.follow(task.user_id, task.id) as follower:
        assert (await told(follower)).priority == 50
        watched.write(task, progress=0.25, bytes_downloaded=1_000)
        news = await told(follower)
        assert (news.id, news.progress, news.bytes_downloaded) == (task.id, 0.25, 1_000)
        with watched.rooms.open_services() as services:
            services.tasks.start_download_task(task.user_id, task.id)
        assert (await told(follower)).status is TaskStatus.PROCESSING


async def test_what_has_not_changed_is_not_told_again(watched: Watched, task: DownloadTask) -> None:
    with watched.polls.follow(task.user_id, task.id) as follower, watched.polls.follow(task.user_id) as all_of_mine:
        await told(follower)
        with quiet(follower), quiet(all_of_mine):
            await watched.look(5)  # the row is within the time looked back at


async def test_the_latest_state_wins(watched: Watched, task: DownloadTask) -> None:
    with watched.polls.follow(task.user_id, task.id) as follower:
        for priority in (1, 2, 3):
            watched.write(task, priority=priority)
            await watched.look()
        assert (await told(follower)).priority == 3
        with quiet(follower):
            await watched.look()


async def test_changes_of_one_instant_are_told_apart(watched: Watched, task: DownloadTask) -> None:
    with watched.polls.follow(task.user_id, task.id) as follower:
        await told(follower)
        for progress in (0.1, 0.2):
            watched.write(task, progress=progress, updated_at=NOW)
            assert (await told(follower)).progress == progress


@pytest.mark.parametrize("step", [-HOUR, HOUR])
async def test_a_clock_that_is_set_loses_nothing(watched: Watched, task: DownloadTask, step: timedelta) -> None:
    with watched.polls.follow(task.user_id, task.id) as follower:
        await told(follower)
        watched.down = True
        await watched.look()
        watched.write(task, progress=0.1)  # between two looks, before the step
        watched.rooms.clock.now += step
        watched.down = False
        assert (await told(follower)).progress == 0.1
        watched.write(task, progress=0.2)
        assert (await told(follower)).progress == 0.2


async def test_a_decision_of_a_machine_whose_clock_is_slow_is_told(watched: Watched, task: DownloadTask) -> None:
    with watched.polls.follow(task.user_id, task.id) as follower:
        await told(follower)
        watched.write(task, status=TaskStatus.CANCELLED, version=2, updated_at=NOW - 2 * OVERLAP)
        assert (await told(follower)).status is TaskStatus.CANCELLED
        with quiet(follower):
            await watched.look()


async def test_it_ends_when_the_task_is_deleted(watched: Watched, task: DownloadTask) -> None:
    other = a_task(user_id=task.user_id)
    watched.rooms.keep(other)
    with (
        watched.polls.follow(task.user_id, task.id) as follower,
        watched.polls.follow(task.user_id, other.id) as stays,
    ):
        assert {(await told(follower)).id, (await told(stays)).id} == {task.id, other.id}
        watched.delete(task)
        assert isinstance(await ended(follower), StopAsyncIteration)
        watched.write(other, priority=1)
        assert (await told(stays)).priority == 1


@pytest.mark.parametrize("task_id", ["theirs", "nobody's"])
async def test_what_is_not_mine_is_not_there(watched: Watched, task: DownloadTask, task_id: str) -> None:
    asked = task.id if task_id == "theirs" else uuid4()
    with watched.polls.follow(task.user_id, task.id) as owner, watched.polls.follow(uuid4(), asked) as follower:
        assert type(await ended(follower)) is TaskNotFoundError
        assert (await told(owner)).id == task.id
        watched.write(task, priority=1)
        assert (await told(owner)).priority == 1
        assert not follower._news


async def test_of_all_mine_what_is_under_way_comes_at_once_then_every_change(watched: Watched) -> None:
    user_id, theirs = uuid4(), a_task()
    pending, running = a_task(user_id=user_id), a_task(user_id=user_id)
    for task in (running, theirs):
        task.start(NOW)
    watched.rooms.keep(pending, running, theirs)
    with watched.polls.follow(user_id) as follower:
        assert (await told(follower)).id == running.id
        created = a_task(user_id=user_id)
        for task in (pending, theirs):
            watched.write(task, priority=7)
        watched.rooms.keep(created)
        news = {(task.id, task.priority) for task in (await told(follower), await told(follower))}
        assert news == {(pending.id, 7), (created.id, 50)}
        watched.delete(created)
        with quiet(follower):
            await watched.look()


async def test_whoever_comes_later_hears_the_same(watched: Watched, task: DownloadTask) -> None:
    with watched.polls.follow(task.user_id) as first:
        await watched.look()
        watched.write(task, priority=1)
        assert (await told(first)).priority == 1
        with watched.polls.follow(task.user_id) as second, watched.polls.follow(task.user_id, task.id) as third:
            assert (await told(third)).priority == 1
            with quiet(second), quiet(first):
                await watched.look()
            watched.write(task, priority=2)
            assert [(await told(each)).priority for each in (first, second, third)] == [2, 2, 2]


async def test_who_begins_to_follow_is_no_news_to_others(watched: Watched) -> None:
    task = a_task(updated_at=NOW - HOUR)
    watched.rooms.keep(task)
    with watched.polls.follow(task.user_id) as owner:
        await watched.look()
        with (
            watched.polls.follow(task.user_id, task.id) as follower,
            watched.polls.follow(uuid4(), task.id) as stranger,
        ):
            assert (await told(follower)).id == task.id
            assert type(await ended(stranger)) is TaskNotFoundError
            with quiet(owner):
                await watched.look()


async def test_one_statement_a_look_serves_all(watched: Watched) -> None:
    followed = [a_task() for _ in range(100)]
    watched.rooms.keep(*followed)
    with ExitStack() as stack:
        followers = [stack.enter_context(watched.polls.follow(task.user_id, task.id)) for task in followed]
        for follower in followers:
            await told(follower)
        selects: list[str] = []
        event.listen(watched.rooms.engine, "before_cursor_execute", lambda *call: selects.append(call[2]))
        looks = watched.looks
        watched.write(followed[0], priority=1)
        await told(followers[0])
        await watched.look()
        selects = [each for each in selects if each.startswith("SELECT")]
        assert 2 <= len(selects) <= watched.looks - looks
        assert len(set(selects)) == 1


async def test_nothing_is_asked_while_nobody_follows(watched: Watched, task: DownloadTask) -> None:
    assert watched.looks == 0
    for _ in range(2):
        with watched.polls.follow(task.user_id, task.id) as follower:
            await told(follower)
            polling = watched.polls._polling
        assert polling is not None
        with fail_after(10):
            await polling
        assert not watched.polls._followers


async def test_an_outage_ends_only_what_has_not_begun(
    watched: Watched, task: DownloadTask, caplog: pytest.LogCaptureFixture
) -> None:
    with watched.polls.follow(task.user_id, task.id) as follower:
        await told(follower)
        watched.down = True
        with watched.polls.follow(task.user_id, task.id) as newcomer:
            assert type(await ended(newcomer)) is DatabaseError
        watched.write(task, progress=0.5)
        watched.rooms.clock.forward(minutes=10)
        await watched.look(5)
        assert not follower._news
        watched.down = False
        assert (await told(follower)).progress == 0.5
    assert [record.getMessage() for record in caplog.records if record.name == "graph.changes"] == [
        "The look for changed tasks failed; it is tried again"
    ]


async def test_it_ends_with_the_credentials(watched: Watched, task: DownloadTask) -> None:
    until = watched.rooms.clock.now + timedelta(minutes=1)
    with watched.polls.follow(task.user_id, task.id, until) as follower:
        await told(follower)
        watched.rooms.clock.forward(minutes=1)
        assert type(await ended(follower)) is ExpiredCredentials


async def test_there_are_only_so_many_followers(
    watched: Watched, task: DownloadTask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(polling, "MAX_FOLLOWERS", 1)
    with watched.polls.follow(task.user_id) as follower:
        with pytest.raises(GraphQLError, match="Too many"), watched.polls.follow(task.user_id):
            pass
        await watched.look()
        watched.write(task, priority=1)
        assert (await told(follower)).priority == 1


async def test_a_task_whose_job_is_gone_is_told_as_waiting(watched: Watched, task: DownloadTask) -> None:
    with watched.rooms.open_services() as services, watched.rooms.open_uow() as uow:
        services.tasks.start_download_task(task.user_id, task.id)
        with uow:
            uow.tasks.claim(task.id, NOW)
            uow.commit()
    with watched.polls.follow(task.user_id, task.id) as follower:
        assert (await told(follower)).started_at == NOW
        with watched.rooms.open_uow() as uow, uow:
            uow.tasks.return_to_queue([task.id], watched.rooms.clock.forward(seconds=1))
            uow.commit()
        assert (await told(follower)).started_at is None


async def test_what_nobody_can_see_is_not_told(watched: Watched, task: DownloadTask) -> None:
    with watched.polls.follow(task.user_id, task.id) as follower:
        await told(follower)
        watched.write(task, admitted_at=NOW, version=2)
        with quiet(follower):
            await watched.look()
