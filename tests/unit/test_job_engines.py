"""What both engines promise: threads over SQLite, Procrastinate over PostgreSQL."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Event
from uuid import UUID, uuid4

import pytest

from domain.admission import Admission
from domain.errors import DatabaseError
from domain.inputs import TaskChanges
from domain.models import DownloadTask, utc_now
from domain.ports import AdmissionLimits, FetchOutcome, JobQueue, Progress, Sink, Source
from domain.upkeep import Upkeep
from domain.values import TaskStatus
from jobs.distributed import DistributedJobs
from jobs.distributed_worker import Capacity, DistributedWorker
from jobs.local import LocalJobs
from persistence.engine import libpq_parameters, open_engine
from persistence.unit_of_work import connection_of
from tests.builders import a_database, a_task
from tests.rooms import Rooms, losing

SOON = 10  # seconds: the longest that a busy machine may keep us waiting
NEVER = 60.0  # seconds: upkeep's interval where a test is not about it
OFTEN = 0.05

Run = Callable[[UUID, Callable[[], bool]], None]


@dataclass(kw_only=True)
class Deployment(Rooms):
    """Rooms with one of the engines. Its clock is the real one: the engine's is."""

    queue: JobQueue
    runner: LocalJobs | DistributedWorker

    @property
    def admission(self) -> Admission:
        return Admission(self.limits, self.queue, utc_now)

    @property
    def upkeep(self) -> Upkeep:
        return Upkeep(self.open_uow, self.admission, self.queue, self.storage, utc_now)

    def start(self, run: Run, tick: Callable[[], None] = lambda: None, interval: float = NEVER) -> None:
        self.runner.start(run, tick, interval)

    def enqueue(self, *task_ids: UUID) -> None:
        with self.open_uow() as uow, uow:
            self.queue.enqueue(uow, task_ids)
            uow.commit()

    def alive(self, *task_ids: UUID) -> set[UUID]:
        with self.open_uow() as uow, uow:
            return self.queue.alive(uow, task_ids)

    def create(self, user_id: UUID | None = None, *, priority: int = 50) -> DownloadTask:
        """A started task, later than those before it."""
        self.clock.forward(seconds=1)
        task = a_task(user_id=user_id or uuid4(), priority=priority)
        self.keep(task)
        with self.open_services() as services:
            services.tasks.start_download_task(task.user_id, task.id)
        return task


@dataclass
class Gated:
    """Jobs that tell when they begin, and end when they are told to, or by a stop."""

    begun: SimpleQueue[UUID] = field(default_factory=SimpleQueue)
    ended: SimpleQueue[UUID] = field(default_factory=SimpleQueue)
    leave: Event = field(default_factory=Event)

    def __call__(self, task_id: UUID, _: Callable[[], bool]) -> None:
        self.begun.put(task_id)
        self.leave.wait(SOON)
        self.ended.put(task_id)


@pytest.fixture(params=["local", "distributed"])
def deployment(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Deployment]:
    with ExitStack() as stack:
        if request.param == "local":
            engine = stack.enter_context(a_database(tmp_path))
            jobs = LocalJobs()
            rooms = Deployment(engine, tmp_path / "media", queue=jobs, runner=jobs)
        else:
            url = request.getfixturevalue("postgres_url")
            engine = open_engine(url, pool_size=8)
            stack.callback(engine.dispose)
            worker = DistributedWorker(libpq_parameters(url), Capacity())
            rooms = Deployment(engine, tmp_path / "media", queue=DistributedJobs(connection_of), runner=worker)
        stack.callback(rooms.runner.stop, SOON)
        yield rooms


@pytest.fixture
def gated(deployment: Deployment) -> Iterator[Gated]:
    gated = Gated()
    deployment.start(gated)
    yield gated
    gated.leave.set()


def settled(reached: Callable[[], bool]) -> bool:
    """Whether it comes to be: a job's end is written after the job itself."""
    deadline = time.monotonic() + SOON
    while not reached() and time.monotonic() < deadline:
        time.sleep(0.01)
    return reached()


def nothing(queue: SimpleQueue[UUID]) -> bool:
    """Longer than a job takes to begin."""
    with suppress(Empty):
        queue.get(timeout=0.7)
        return False
    return True


# --- when a job begins ---


def test_a_job_begins_when_its_transaction_has_committed(deployment: Deployment, gated: Gated) -> None:
    task_id = uuid4()
    with deployment.open_uow() as uow, uow:
        deployment.queue.enqueue(uow, [task_id])
        assert nothing(gated.begun)
        uow.commit()
    assert gated.begun.get(timeout=SOON) == task_id
    assert deployment.alive(task_id, uuid4()) == {task_id}


def test_a_rollback_leaves_no_job(deployment: Deployment, gated: Gated) -> None:
    with deployment.open_uow() as uow:
        with uow:
            deployment.queue.enqueue(uow, [uuid4()])
        with suppress(ZeroDivisionError), uow:
            deployment.queue.enqueue(uow, [uuid4()])
            raise ZeroDivisionError
        with uow:
            deployment.queue.enqueue(uow, [(later := uuid4())])
            uow.commit()
    assert gated.begun.get(timeout=SOON) == later
    assert nothing(gated.begun)


def test_jobs_of_several_tasks_run_at_once(deployment: Deployment, gated: Gated) -> None:
    task_ids = {uuid4() for _ in range(5)}
    deployment.enqueue(*task_ids)
    assert {gated.begun.get(timeout=SOON) for _ in task_ids} == task_ids
    assert gated.ended.empty()
    assert deployment.alive(*task_ids) == task_ids


def test_jobs_of_one_task_run_one_at_a_time(deployment: Deployment) -> None:
    """However often it is enqueued while one runs, one more follows: it finds whatever is to do."""
    task_id, told, leave = uuid4(), SimpleQueue[str](), SimpleQueue[None]()

    def run(_: UUID, __: Callable[[], bool]) -> None:
        told.put("begun")
        leave.get(timeout=SOON)
        told.put("ended")

    deployment.start(run)
    deployment.enqueue(task_id)
    assert told.get(timeout=SOON) == "begun"
    deployment.enqueue(task_id)
    deployment.enqueue(task_id, task_id)
    assert told.empty()
    leave.put(None)
    assert [told.get(timeout=SOON) for _ in range(2)] == ["ended", "begun"]
    leave.put(None)
    assert told.get(timeout=SOON) == "ended"
    assert settled(lambda: deployment.alive(task_id) == set())
    assert told.empty()


# --- when a job ends ---


def test_a_job_that_breaks_takes_no_other_along(deployment: Deployment, caplog: pytest.LogCaptureFixture) -> None:
    task_id, good = uuid4(), Event()

    def run(asked: UUID, _: Callable[[], bool]) -> None:
        if asked == task_id:
            raise ZeroDivisionError
        good.set()

    deployment.start(run)
    with caplog.at_level(logging.ERROR):
        deployment.enqueue(task_id, uuid4())
        assert good.wait(SOON)
        assert settled(lambda: deployment.alive(task_id) == set())
    (record,) = caplog.records
    assert record.exc_info is not None
    assert record.exc_info[0] is ZeroDivisionError


def test_a_job_that_the_database_breaks_off_is_run_again(deployment: Deployment) -> None:
    begun, errors = SimpleQueue[UUID](), iter([DatabaseError(), DatabaseError()])

    def run(task_id: UUID, _: Callable[[], bool]) -> None:
        begun.put(task_id)
        for error in errors:
            raise error

    deployment.start(run, deployment.upkeep.tick, OFTEN)
    task = deployment.create()
    assert [begun.get(timeout=SOON) for _ in range(3)] == [task.id] * 3


# --- stop ---


def test_stop_waits_for_the_jobs_to_wind_down(deployment: Deployment) -> None:
    begun, told = Event(), list[str]()

    def run(_: UUID, stopping: Callable[[], bool]) -> None:
        assert not stopping()
        begun.set()
        assert settled(stopping)
        told.append("wound down")

    deployment.start(run)
    deployment.enqueue(task_id := uuid4())
    assert begun.wait(SOON)
    deployment.runner.stop(SOON)
    assert told == ["wound down"]
    assert deployment.alive(task_id) == set()


def test_after_a_stop_nothing_begins(deployment: Deployment, gated: Gated) -> None:
    deployment.enqueue(running := uuid4())
    assert gated.begun.get(timeout=SOON) == running
    deployment.runner.stop(0)
    deployment.enqueue(running, uuid4())
    gated.leave.set()
    deployment.runner.stop(SOON)
    assert gated.ended.get(timeout=SOON) == running
    assert nothing(gated.begun)


def test_stop_leaves_a_hanging_job_behind(deployment: Deployment, gated: Gated) -> None:
    deployment.enqueue(task_id := uuid4())
    gated.begun.get(timeout=SOON)
    began = time.monotonic()
    deployment.runner.stop(0.2)
    assert time.monotonic() - began < 1
    assert deployment.alive(task_id) == {task_id}


# --- upkeep ---


def ticks(deployment: Deployment, *errors: Exception, interval: float = NEVER) -> SimpleQueue[None]:
    """Start a worker whose first ticks raise ``errors``."""
    told, coming = SimpleQueue[None](), iter(errors)

    def tick() -> None:
        told.put(None)
        for error in coming:
            raise error

    deployment.start(lambda *_: None, tick, interval)
    return told


@pytest.mark.parametrize("error", [DatabaseError(), ZeroDivisionError()])
def test_upkeep_comes_by_itself_and_outlives_its_errors(
    deployment: Deployment, caplog: pytest.LogCaptureFixture, error: Exception
) -> None:
    with caplog.at_level(logging.ERROR):
        told = ticks(deployment, error, interval=OFTEN)
        for _ in range(3):
            told.get(timeout=SOON)
        deployment.runner.stop(SOON)
    assert [record.message for record in caplog.records] == ["Upkeep failed; it is tried again"]


def test_upkeep_is_woken_by_a_commit(deployment: Deployment) -> None:
    told = ticks(deployment)
    told.get(timeout=SOON)
    with deployment.open_uow() as uow:
        with uow:
            deployment.queue.wake(uow)
        with uow:
            deployment.queue.wake(uow)
            deployment.queue.wake(uow)
            with pytest.raises(Empty):
                told.get(timeout=0.7)
            uow.commit()
    told.get(timeout=SOON)
    with pytest.raises(Empty):
        told.get(timeout=0.7)


# --- tasks: who gets a job ---


def test_a_task_gets_its_job_in_the_transaction_that_starts_it(deployment: Deployment, gated: Gated) -> None:
    task = deployment.create()
    assert gated.begun.get(timeout=SOON) == task.id
    refused = a_task(status=TaskStatus.COMPLETED, completed_at=utc_now())
    deployment.keep(refused)
    with deployment.open_services() as services, suppress(Exception):
        services.tasks.start_download_task(refused.user_id, refused.id)
    assert nothing(gated.begun)
    assert deployment.alive(refused.id) == set()


def running(deployment: Deployment) -> set[UUID]:
    with deployment.open_uow() as uow, uow.reading():
        return set(uow.tasks.admitted())


def test_limits_turns_and_a_changed_priority_hold(deployment: Deployment) -> None:
    """Two slots, one a user. What runs is a sequence that the finished runs drive."""
    deployment.limits = AdmissionLimits(total=2, per_user=1)
    many, other = uuid4(), uuid4()
    gates = {task.id: Event() for task in [deployment.create(many) for _ in range(4)]}
    first, second, third, last = gates
    alone = deployment.create(other)
    gates[alone.id] = Event()
    begun, now_running, most = SimpleQueue[UUID](), set[UUID](), list[int]()

    def fetch(source: Source, sink: Sink) -> FetchOutcome:
        task_id = ids[source.names.folder]
        now_running.add(task_id)
        most.append(len(now_running))
        begun.put(task_id)
        assert gates[task_id].wait(SOON)
        now_running.discard(task_id)
        return losing(of=1)(source, sink)

    ids = {deployment.names(deployment.task(task_id)).folder: task_id for task_id in gates}
    job, _ = deployment.job(*[fetch] * 5)
    deployment.start(job.run, deployment.upkeep.tick, OFTEN)
    assert {begun.get(timeout=SOON) for _ in range(2)} == {first, alone.id}
    with deployment.open_services() as services:
        services.tasks.update_download_task(many, last, TaskChanges(priority=51))
    for task_id, follows in ((first, last), (last, second), (second, third)):
        gates[task_id].set()
        assert begun.get(timeout=SOON) == follows
        assert running(deployment) == {alone.id, follows}
    gates[third].set()
    gates[alone.id].set()
    assert settled(lambda: running(deployment) == set())
    assert max(most) == 2
    assert {deployment.task(task_id).status for task_id in gates} == {TaskStatus.COMPLETED}


# --- tasks: stop from outside, and what is lost ---


@pytest.mark.parametrize("move", ["pause_download_task", "cancel_download_task", "delete_download_task"])
def test_a_move_of_another_process_stops_the_run(deployment: Deployment, move: str) -> None:
    begun, stopped = Event(), Event()

    def fetch(_: Source, sink: Sink) -> FetchOutcome:
        begun.set()
        try:
            while True:
                sink.report(Progress(), [])
                threading.Event().wait(0.1)
        finally:
            stopped.set()

    job, _ = deployment.job(fetch)
    deployment.start(job.run)
    task = deployment.create()
    assert begun.wait(SOON)
    began = time.monotonic()
    with deployment.open_services() as services:
        getattr(services.tasks, move)(task.user_id, task.id)
    assert stopped.wait(SOON)
    assert time.monotonic() - began < 1
    assert settled(lambda: deployment.alive(task.id) == set())
    assert running(deployment) == set()


def test_a_task_whose_job_is_lost_is_handed_over_anew(deployment: Deployment) -> None:
    """As at the start after everything was killed: rows say that it runs, and nobody has a job."""
    lost = a_task(status=TaskStatus.PROCESSING, queued_at=utc_now(), admitted_at=utc_now(), started_at=utc_now())
    deployment.keep(lost)
    job, downloader = deployment.job(losing(of=1))
    deployment.start(job.run, deployment.upkeep.tick, NEVER)
    assert settled(lambda: deployment.task(lost.id).status is TaskStatus.COMPLETED)
    assert len(downloader.sources) == 1


def test_the_folder_of_a_deleted_task_is_purged_at_once(deployment: Deployment) -> None:
    task = a_task()
    deployment.keep(task)
    folder = deployment.names(task).folder
    deployment.storage.write(f"{folder}a.ts", b"a")
    deployment.start(lambda *_: None, deployment.upkeep.tick, NEVER)
    with deployment.open_services() as services:
        services.tasks.delete_download_task(task.user_id, task.id)
    assert settled(lambda: deployment.storage.sizes(folder) == {})
