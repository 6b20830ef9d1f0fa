from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from queue import SimpleQueue
from threading import Event
from uuid import UUID, uuid4

import pytest

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


def enqueue(rooms: Rooms, *task_ids: UUID) -> None:
    with rooms.open_uow() as uow, uow:
        rooms.jobs.enqueue(uow, task_ids)
        uow.commit()


def alive(rooms: Rooms, *task_ids: UUID) -> set[UUID]:
    with rooms.open_uow() as uow:
        return rooms.jobs.alive(uow, task_ids)


def test_without_a_worker_nothing_begins(rooms: Rooms) -> None:
    enqueue(rooms, task_id := uuid4())
    assert alive(rooms, task_id) == set()


# --- stop ---


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


# --- a process without a worker ---


def test_a_process_without_a_worker_knows_of_no_lost_job(rooms: Rooms) -> None:
    jobs, task_ids = NoWorker(), {uuid4(), uuid4()}
    with rooms.open_uow() as uow, uow:
        jobs.wake(uow)
        uow.commit()
        assert jobs.alive(uow, task_ids) == task_ids
    assert jobs.admits is False
