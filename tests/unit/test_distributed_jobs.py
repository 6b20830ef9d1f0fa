"""What only the distributed engine must cope with: dead and sleeping workers, a database that goes away."""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from threading import Event
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import Engine, text

from domain.errors import DatabaseError
from domain.ports import UnitOfWorkFactory
from jobs.distributed import DistributedJobs
from jobs.distributed_worker import Capacity, DistributedWorker
from persistence.engine import libpq_parameters, open_engine
from persistence.unit_of_work import connection_of, uow_factory
from tests.postgres import PostgresServer

SOON = 15  # seconds
SILENCE = 2.0

Run = Callable[[UUID, Callable[[], bool]], None]


@dataclass
class Cluster:
    """A database, and workers over it."""

    url: str
    engine: Engine
    workers: list[DistributedWorker]

    @property
    def jobs(self) -> DistributedJobs:
        return DistributedJobs(connection_of)

    @property
    def open_uow(self) -> UnitOfWorkFactory:
        return uow_factory(self.engine)

    def work(
        self, run: Run, tick: Callable[[], None] = lambda: None, *, at_once: int = 100, silence: float = SILENCE
    ) -> DistributedWorker:
        """One worker more; its upkeep comes often."""
        worker = DistributedWorker(libpq_parameters(self.url), Capacity(at_once, silence))
        self.workers.append(worker)
        worker.start(run, tick, 0.1)
        return worker

    def enqueue(self, *task_ids: UUID) -> None:
        with self.open_uow() as uow, uow:
            self.jobs.enqueue(uow, task_ids)
            uow.commit()

    def execute(self, statement: str, **values: object) -> list[Any]:
        with self.engine.begin() as connection:
            result = connection.execute(text(statement), values)
            return list(result) if result.returns_rows else []

    def insert_worker(self, *, seconds_ago: float) -> int:
        """Whose last sign of life is that old."""
        rows = self.execute(
            "INSERT INTO procrastinate_workers (last_heartbeat) VALUES (now() - :ago * interval '1 s') RETURNING id",
            ago=seconds_ago,
        )
        return int(rows[0].id)

    def insert_doing(self, task_id: UUID, worker_id: int | None) -> int:
        """A job that a worker has taken."""
        rows = self.execute(
            "INSERT INTO procrastinate_jobs (queue_name, task_name, lock, queueing_lock, args, status, worker_id)"
            " VALUES ('media', 'run', :lock, :lock, :args, 'doing', :worker) RETURNING id",
            lock=str(task_id),
            args=json.dumps({"task_id": str(task_id)}),
            worker=worker_id,
        )
        return int(rows[0].id)

    def job_ids(self) -> set[int]:
        return {row.id for row in self.execute("SELECT id FROM procrastinate_jobs WHERE task_name = 'run'")}


@pytest.fixture
def cluster(postgres_url: str) -> Iterator[Cluster]:
    engine = open_engine(postgres_url, pool_size=8)
    cluster = Cluster(postgres_url, engine, [])
    yield cluster
    for worker in cluster.workers:
        worker.stop(SOON)
    engine.dispose()


def comes_to_be(reached: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + SOON
    while not reached() and time.monotonic() < deadline:
        time.sleep(0.02)
    return reached()


def idle(_: UUID, __: Callable[[], bool]) -> None:
    """A job without work."""


# --- the queue ---


def test_a_job_that_waits_already_leaves_the_transaction_whole(cluster: Cluster) -> None:
    one, other = uuid4(), uuid4()
    with cluster.open_uow() as uow, uow:
        for task_ids in ([one], [one, other], [other, one]):
            cluster.jobs.enqueue(uow, task_ids)
        uow.commit()
    assert len(cluster.job_ids()) == 2
    with cluster.open_uow() as uow, uow:
        assert cluster.jobs.alive(uow, [one, other, uuid4()]) == {one, other}


def test_a_queue_without_a_database_raises_our_error(cluster: Cluster) -> None:
    cluster.execute("DROP TABLE procrastinate_jobs CASCADE")
    with cluster.open_uow() as uow, uow, pytest.raises(DatabaseError):
        cluster.jobs.enqueue(uow, [uuid4()])


def test_one_at_a_time_is_alone(cluster: Cluster) -> None:
    with cluster.open_uow() as one, cluster.open_uow() as other:
        with one:
            assert one.alone("upkeep")
            with other:
                assert not other.alone("upkeep")
                assert other.alone("else")
        with other:
            assert other.alone("upkeep")


# --- several workers ---


def test_jobs_are_shared_and_none_runs_twice(cluster: Cluster) -> None:
    ran, task_ids = SimpleQueue[tuple[int, UUID]](), [uuid4() for _ in range(60)]

    def run_on(worker: int) -> Run:
        def run(task_id: UUID, _: Callable[[], bool]) -> None:
            ran.put((worker, task_id))
            threading.Event().wait(0.02)

        return run

    for number in range(2):
        cluster.work(run_on(number), at_once=2)
    cluster.enqueue(*task_ids)
    runs = [ran.get(timeout=SOON) for _ in task_ids]
    assert sorted(task_id for _, task_id in runs) == sorted(task_ids)
    assert {worker for worker, _ in runs} == {0, 1}
    assert comes_to_be(lambda: cluster.job_ids() == set())
    assert ran.empty()


def test_what_a_stopping_worker_gives_back_goes_on_elsewhere_at_once(cluster: Cluster) -> None:
    begun, elsewhere = SimpleQueue[UUID](), SimpleQueue[UUID]()

    def give_back(task_id: UUID, stopping: Callable[[], bool]) -> None:
        begun.put(task_id)
        comes_to_be(stopping)
        cluster.enqueue(task_id)

    first = cluster.work(give_back)
    cluster.enqueue(task_id := uuid4())
    assert begun.get(timeout=SOON) == task_id
    cluster.work(lambda task_id, _: elsewhere.put(task_id))
    began = time.monotonic()
    first.stop(SOON)
    assert elsewhere.get(timeout=SOON) == task_id
    assert time.monotonic() - began < 3
    assert cluster.execute("SELECT count(*) AS n FROM procrastinate_workers")[0].n == 1


# --- dead and sleeping workers ---


def test_the_job_of_a_silent_worker_is_taken_away(cluster: Cluster) -> None:
    """And of one whose row is gone. A worker that has just beaten keeps its own."""
    cluster.insert_doing(uuid4(), cluster.insert_worker(seconds_ago=SILENCE + 1))
    cluster.insert_doing(uuid4(), None)
    kept = cluster.insert_doing(uuid4(), cluster.insert_worker(seconds_ago=-3600))
    cluster.work(idle)
    assert comes_to_be(lambda: cluster.job_ids() == {kept})


def test_a_job_that_its_worker_knows_nothing_of_is_taken_away(cluster: Cluster) -> None:
    begun, leave = Event(), Event()

    def run(*_: object) -> None:
        begun.set()
        leave.wait(SOON)

    cluster.work(run)
    cluster.enqueue(uuid4())
    assert begun.wait(SOON)
    [(worker_id, known)] = cluster.execute("SELECT worker_id, id FROM procrastinate_jobs WHERE task_name = 'run'")
    cluster.insert_doing(uuid4(), worker_id)
    assert comes_to_be(lambda: cluster.job_ids() == {known})
    leave.set()
    assert comes_to_be(lambda: cluster.job_ids() == set())


def test_who_wakes_up_late_does_not_end_its_successors_job(cluster: Cluster, caplog: pytest.LogCaptureFixture) -> None:
    runs, leave = SimpleQueue[int](), [Event(), Event()]

    def run(*_: object) -> None:
        number = 2 - len(leave)
        runs.put(number)
        leave.pop(0).wait(SOON)

    first, second = leave
    cluster.work(run)
    cluster.enqueue(task_id := uuid4())
    assert runs.get(timeout=SOON) == 0
    cluster.execute("DELETE FROM procrastinate_jobs")  # as another worker's sweep
    cluster.enqueue(task_id)
    assert runs.get(timeout=SOON) == 1
    successor = cluster.job_ids()
    with caplog.at_level(logging.INFO):
        first.set()
        assert comes_to_be(lambda: "The job has been taken away meanwhile" in caplog.messages)
    assert cluster.job_ids() == successor
    assert [record for record in caplog.records if record.levelno >= logging.ERROR] == []
    second.set()
    assert comes_to_be(lambda: cluster.job_ids() == set())


def test_a_worker_that_was_taken_for_dead_works_on(cluster: Cluster) -> None:
    """Its row is pruned when another worker starts: what it fetches next, the database refuses."""
    ran = SimpleQueue[UUID]()
    cluster.work(lambda task_id, _: ran.put(task_id))
    assert comes_to_be(lambda: len(cluster.execute("SELECT id FROM procrastinate_workers")) == 1)
    cluster.execute("DELETE FROM procrastinate_workers")
    cluster.enqueue(task_id := uuid4())
    assert ran.get(timeout=SOON) == task_id


# --- a database that goes away ---


def test_an_outage_of_the_database_loses_no_job(
    cluster: Cluster, postgres: PostgresServer, caplog: pytest.LogCaptureFixture
) -> None:
    """One job runs through it, one is broken off by it, one ends in it; all are written down afterwards."""
    lasting, broken, ending = uuid4(), uuid4(), uuid4()
    begun, ran = SimpleQueue[UUID](), SimpleQueue[UUID]()
    out, back = Event(), Event()

    def run(task_id: UUID, _: Callable[[], bool]) -> None:
        begun.put(task_id)
        assert out.wait(SOON)
        if task_id == broken and not back.is_set():
            raise DatabaseError
        if task_id == lasting:
            assert back.wait(SOON)
        ran.put(task_id)

    cluster.work(run, at_once=3, silence=20)
    cluster.enqueue(lasting, broken, ending)
    assert {begun.get(timeout=SOON) for _ in range(3)} == {lasting, broken, ending}
    with caplog.at_level(logging.WARNING):
        with postgres.down():
            out.set()
            assert ran.get(timeout=SOON) == ending
            assert comes_to_be(lambda: "The database does not answer: jobs wait for it" in caplog.messages)
        back.set()
        assert {ran.get(timeout=SOON) for _ in range(2)} == {lasting, broken}
        assert comes_to_be(lambda: cluster.job_ids() == set())
        assert begun.get(timeout=SOON) == broken
    with pytest.raises(Empty):
        begun.get(timeout=0.2)
    assert "Taking jobs was interrupted; it begins again" not in caplog.messages


def test_after_an_outage_nobody_is_taken_for_dead(cluster: Cluster, postgres: PostgresServer) -> None:
    """Nobody could give a sign of life meanwhile."""
    job_id = cluster.insert_doing(uuid4(), cluster.insert_worker(seconds_ago=3600))
    postgres.restart()
    ticks = SimpleQueue[None]()
    cluster.work(idle, lambda: ticks.put(None))
    for _ in range(3):
        ticks.get(timeout=SOON)
    assert cluster.job_ids() == {job_id}
    assert comes_to_be(lambda: cluster.job_ids() == set())
