from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import chain, repeat
from queue import SimpleQueue
from threading import Event
from uuid import UUID, uuid4

import pytest

from domain.errors import DatabaseError
from jobs.local import LocalJobs, NoWorker
from tests.rooms import Rooms

SOON = 5  # seconds: the longest that a thread of a busy machine may keep us waiting
NEVER = 60.0  # seconds: upkeep's interval where a test is not about it


@dataclass
class Worker:
    """Jobs that tell when they begin, and end when they are told to."""

    begun: SimpleQueue[UUID] = field(default_factory=SimpleQueue)
    ended: SimpleQueue[UUID] = field(default_factory=SimpleQueue)
    leave: Event = field(default_factory=Event)

    def run(self, task_id: UUID, _: Callable[[], bool]) -> None:
        self.begun.put(task_id)
        self.leave.wait(SOON)
        self.ended.put(task_id)


@pytest.fixture
def worker() -> Worker:
    return Worker()


@pytest.fixture
def jobs(rooms: Rooms, worker: Worker) -> Iterator[LocalJobs]:
    """Those of the rooms, at work."""
    rooms.jobs.start(worker.run, lambda: None, NEVER)
    yield rooms.jobs
    worker.leave.set()
    rooms.jobs.stop(SOON)


def enqueue(rooms: Rooms, *task_ids: UUID) -> None:
    with rooms.open_uow() as uow, uow:
        for task_id in task_ids:
            rooms.jobs.enqueue(uow, task_id)
        uow.commit()


def alive(rooms: Rooms, *task_ids: UUID) -> set[UUID]:
    with rooms.open_uow() as uow:
        return rooms.jobs.alive(uow, task_ids)


# --- when a job begins ---


def test_a_job_begins_when_its_transaction_has_committed(rooms: Rooms, jobs: LocalJobs, worker: Worker) -> None:
    task_id = uuid4()
    with rooms.open_uow() as uow, uow:
        jobs.enqueue(uow, task_id)
        assert alive(rooms, task_id) == set()
        assert worker.begun.empty()
        uow.commit()
    assert worker.begun.get(timeout=SOON) == task_id
    assert alive(rooms, task_id, uuid4()) == {task_id}


def test_a_rollback_leaves_no_job(rooms: Rooms, jobs: LocalJobs, worker: Worker) -> None:
    with rooms.open_uow() as uow:
        with uow:
            jobs.enqueue(uow, uuid4())
        with suppress(ZeroDivisionError), uow:
            jobs.enqueue(uow, uuid4())
            raise ZeroDivisionError
        with uow:
            jobs.enqueue(uow, later := uuid4())
            uow.commit()
    assert worker.begun.get(timeout=SOON) == later
    worker.leave.set()
    jobs.stop(SOON)
    assert worker.begun.empty()


@pytest.mark.usefixtures("jobs")
def test_jobs_of_several_tasks_run_at_once(rooms: Rooms, worker: Worker) -> None:
    task_ids = {uuid4() for _ in range(5)}
    enqueue(rooms, *task_ids)
    assert {worker.begun.get(timeout=SOON) for _ in task_ids} == task_ids
    assert worker.ended.empty()
    assert alive(rooms, *task_ids) == task_ids


def test_jobs_of_one_task_run_one_at_a_time(rooms: Rooms) -> None:
    """However often it is enqueued while one runs, one more follows: it finds whatever is to do."""
    task_id, told, leave = uuid4(), SimpleQueue[str](), SimpleQueue[None]()

    def run(_: UUID, __: Callable[[], bool]) -> None:
        told.put("begun")
        leave.get(timeout=SOON)
        told.put("ended")

    rooms.jobs.start(run, lambda: None, NEVER)
    enqueue(rooms, task_id)
    assert told.get(timeout=SOON) == "begun"
    enqueue(rooms, task_id)
    enqueue(rooms, task_id, task_id)
    assert told.empty()
    leave.put(None)
    assert [told.get(timeout=SOON) for _ in range(2)] == ["ended", "begun"]
    leave.put(None)
    assert told.get(timeout=SOON) == "ended"
    rooms.jobs.stop(SOON)
    assert told.empty()
    assert alive(rooms, task_id) == set()


def test_without_a_worker_nothing_begins(rooms: Rooms) -> None:
    enqueue(rooms, task_id := uuid4())
    assert alive(rooms, task_id) == set()


# --- when a job ends ---


def test_a_job_that_breaks_takes_no_other_along(rooms: Rooms, caplog: pytest.LogCaptureFixture) -> None:
    task_id, good = uuid4(), Event()

    def run(asked: UUID, _: Callable[[], bool]) -> None:
        if asked == task_id:
            raise ZeroDivisionError
        good.set()

    rooms.jobs.start(run, lambda: None, NEVER)
    with caplog.at_level(logging.ERROR):
        enqueue(rooms, task_id, uuid4())
        assert good.wait(SOON)
        rooms.jobs.stop(SOON)
    assert alive(rooms, task_id) == set()
    (record,) = caplog.records
    assert (record.name, record.message) == ("jobs.local", "A job ended with an error")
    assert vars(record)["labels"] == {"task_id": str(task_id)}


# --- stop ---


def test_stop_waits_for_the_jobs_to_wind_down(rooms: Rooms) -> None:
    begun, told = Event(), list[str]()

    def run(_: UUID, stopping: Callable[[], bool]) -> None:
        assert not stopping()
        begun.set()
        assert rooms.jobs._stopping.wait(SOON)
        assert stopping()
        told.append("wound down")

    rooms.jobs.start(run, lambda: None, NEVER)
    enqueue(rooms, task_id := uuid4())
    assert begun.wait(SOON)
    rooms.jobs.stop(SOON)
    assert told == ["wound down"]
    assert alive(rooms, task_id) == set()


def test_after_a_stop_nothing_begins(rooms: Rooms, jobs: LocalJobs, worker: Worker) -> None:
    enqueue(rooms, running := uuid4())
    assert worker.begun.get(timeout=SOON) == running
    jobs.stop(0)
    enqueue(rooms, running, uuid4())
    worker.leave.set()
    jobs.stop(SOON)
    assert worker.ended.get(timeout=SOON) == running
    assert (worker.begun.empty(), alive(rooms, running)) == (True, set())


def test_stop_leaves_a_hanging_job_behind(rooms: Rooms, jobs: LocalJobs, worker: Worker) -> None:
    enqueue(rooms, task_id := uuid4())
    worker.begun.get(timeout=SOON)
    jobs.stop(0.05)
    assert alive(rooms, task_id) == {task_id}


def test_upkeep_and_jobs_that_hang_share_the_time_to_stop(rooms: Rooms, worker: Worker) -> None:
    ticking = Event()

    def tick() -> None:
        ticking.set()
        worker.leave.wait(SOON)

    rooms.jobs.start(worker.run, tick, NEVER)
    enqueue(rooms, uuid4())
    worker.begun.get(timeout=SOON)
    assert ticking.wait(SOON)
    began = time.monotonic()
    rooms.jobs.stop(0.5)
    took = time.monotonic() - began
    worker.leave.set()
    rooms.jobs.stop(SOON)
    assert 0.5 <= took < 1.0


class StopMeanwhile(threading.Event):
    """A stop that comes just after upkeep has looked for one."""

    def __init__(self, jobs: LocalJobs) -> None:
        super().__init__()
        self._jobs = jobs

    def is_set(self) -> bool:
        was = super().is_set()
        if not was:
            self.set()
            self._jobs._work.set()
        return was


def test_a_stop_is_not_slept_over(rooms: Rooms) -> None:
    rooms.jobs._stopping = StopMeanwhile(rooms.jobs)
    rooms.jobs.start(lambda *_: None, lambda: None, NEVER)
    assert rooms.jobs._upkeep is not None
    rooms.jobs._upkeep.join(SOON)
    assert not rooms.jobs._upkeep.is_alive()


# --- upkeep ---


def ticks(rooms: Rooms, *errors: Exception) -> SimpleQueue[int]:
    """Start a worker whose first ticks raise ``errors``; the numbers of its ticks as they come."""
    told, coming = SimpleQueue[int](), enumerate(chain(errors, repeat(None)))

    def tick() -> None:
        number, error = next(coming)
        told.put(number)
        if error is not None:
            raise error

    rooms.jobs.start(lambda *_: None, tick, 0.001)
    return told


def test_upkeep_comes_by_itself(rooms: Rooms) -> None:
    told = ticks(rooms)
    assert [told.get(timeout=SOON) for _ in range(3)] == [0, 1, 2]
    rooms.jobs.stop(SOON)


def test_upkeep_is_woken_by_a_commit(rooms: Rooms) -> None:
    """Also while it is at work: it may have looked already."""
    begun, leave = SimpleQueue[None](), SimpleQueue[None]()

    def tick() -> None:
        begun.put(None)
        leave.get(timeout=SOON)

    rooms.jobs.start(lambda *_: None, tick, NEVER)
    begun.get(timeout=SOON)
    with rooms.open_uow() as uow:
        with uow:
            rooms.jobs.wake(uow)
        with uow:
            rooms.jobs.wake(uow)
            assert not rooms.jobs._work.is_set()
            uow.commit()
    leave.put(None)
    begun.get(timeout=SOON)
    leave.put(None)
    rooms.jobs.stop(SOON)
    assert begun.empty()


@pytest.mark.parametrize("error", [DatabaseError(), ZeroDivisionError()])
def test_upkeep_outlives_its_errors(rooms: Rooms, caplog: pytest.LogCaptureFixture, error: Exception) -> None:
    with caplog.at_level(logging.ERROR):
        told = ticks(rooms, error)
        assert [told.get(timeout=SOON) for _ in range(2)] == [0, 1]
        rooms.jobs.stop(SOON)
    assert [record.message for record in caplog.records] == ["Upkeep failed; it is tried again"]


# --- a process without a worker ---


def test_a_process_without_a_worker_knows_of_no_lost_job(rooms: Rooms) -> None:
    jobs, task_ids = NoWorker(), {uuid4(), uuid4()}
    with rooms.open_uow() as uow, uow:
        jobs.wake(uow)
        uow.commit()
        assert jobs.alive(uow, task_ids) == task_ids
    assert jobs.admits is False
