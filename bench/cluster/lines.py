"""The figures, and how each is taken."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from uuid import uuid4

from sqlalchemy import Engine, text

from bench.cluster.queue import PER_USER, TOTAL, USERS, Watch, fill, wait_until_completed
from bench.origin import UNSHAPED, Shape, origin
from domain.admission import Admission
from domain.inputs import NewTask
from domain.models import utc_now
from domain.policy import Policy
from domain.ports import AdmissionLimits
from domain.services import ServiceBuilder
from domain.values import ResourceType
from jobs.distributed import DistributedJobs
from persistence.engine import open_engine
from persistence.sealing import AesGcmSealer
from persistence.unit_of_work import connection_of, uow_factory
from storage.keys import names_for
from tests import media
from tests.e2e.cluster import Cluster
from tests.e2e.service import SECRET, Service
from tests.postgres import PostgresServer

LENGTH = 2.0  # seconds that a task of the first part lasts
SINGLES = 40  # tasks of users who have no other
LONGEST = 150.0  # seconds for the second part
IDLE = 10.0  # seconds

_WAITED = text("SELECT extract(epoch FROM started_at - created_at) FROM download_tasks WHERE liveroom_id = 'single'")


@dataclass(frozen=True, slots=True)
class Line:
    """A figure, and what it should be: at most or at least, or nothing."""

    name: str
    unit: str
    figure: float
    at_most: float | None = None
    at_least: float | None = None

    @property
    def is_met(self) -> bool | None:
        if self.at_most is not None:
            return self.figure <= self.at_most
        return self.figure >= self.at_least if self.at_least is not None else None


@dataclass(frozen=True)
class Setup:
    """A cluster with so many tasks that wait, and an origin."""

    engine: Engine
    cluster: Cluster
    address: str
    workers: list[Service]

    @property
    def url(self) -> str:
        return f"http://{self.address}/picture.png"


@contextmanager
def setup(postgres: PostgresServer, tasks: int, crowd: int, shape: Shape) -> Iterator[Setup]:
    """Two workers that have begun; ``crowd`` of the tasks are one user's."""
    with ExitStack() as stack:
        root = Path(stack.enter_context(TemporaryDirectory(dir="/dev/shm", prefix="bench-")))
        for name in ("origin", "nginx", "cluster"):
            root.joinpath(name).mkdir()
        root.chmod(0o755)
        root.joinpath("origin", "picture.png").write_bytes(media.png())
        address = stack.enter_context(origin(root / "origin", shape, root / "nginx"))
        url = stack.enter_context(postgres.database())
        engine = open_engine(url, pool_size=3)
        stack.callback(engine.dispose)
        fill(engine, tasks, f"http://{address}/picture.png", crowd)
        cluster = stack.enter_context(Cluster(root / "cluster", url, EGRESS_ALLOW=address, LOG_LEVEL="INFO"))
        yield Setup(engine, cluster, address, [cluster.start("worker") for _ in range(2)])


def lines(postgres: PostgresServer, tasks: int) -> Iterator[Line]:
    """Tasks that take their time, for fairness and enqueueing; then small ones, for the rate."""
    with setup(postgres, tasks, tasks * 9 // 10, Shape(delay=LENGTH)) as slow:
        yield from _fairness(slow, tasks)
    with setup(postgres, tasks, tasks // USERS, UNSHAPED) as small:
        yield from _rate(small, tasks)


def _fairness(setup: Setup, tasks: int) -> Iterator[Line]:
    watch, api = Watch(setup.engine), setup.cluster.start("api")
    with watch.watching():
        wait_until_completed(setup.engine, TOTAL, 60)
        taken = [_enqueue(setup) for _ in range(SINGLES)]
        by_http = [_create(api, setup.url) for _ in range(SINGLES)]
        setup.cluster.wait_for_tasks(2 * SINGLES, "liveroom_id = 'single' AND started_at IS NOT NULL")
    with setup.engine.connect() as connection:
        waited = [float(row[0]) for row in connection.execute(_WAITED)]
    yield Line(f"tasks at once while {tasks} wait", "", watch.most, at_most=TOTAL)
    yield Line("tasks of one user at once", "", watch.most_of_a_user, at_most=PER_USER)
    yield Line("longest wait of a user's single task", "task lengths", max(waited) / LENGTH, at_most=2)
    yield Line("create and enqueue a task, p50", "ms", 1000 * median(taken), at_most=10)
    yield Line("the same by GraphQL over HTTP, p50", "ms", 1000 * median(by_http))


def _enqueue(setup: Setup) -> float:
    """Seconds that the use case takes, in its transaction: row, admission, job."""
    services = ServiceBuilder(
        open_uow=uow_factory(setup.engine),
        admission=Admission(AdmissionLimits(TOTAL, PER_USER), DistributedJobs(connection_of), utc_now),
        sealer=AesGcmSealer(SECRET),
        names_for=names_for,
        policy=Policy(frozenset({_endpoint(setup.address)})),
        clock=utc_now,
    )
    task = NewTask(resource_url=setup.url, resource_type=ResourceType.IMAGE, liveroom_id="single", auto_start=True)
    began = time.perf_counter()
    with services() as opened:
        opened.tasks.create_download_task(uuid4(), task)
    return time.perf_counter() - began


def _endpoint(address: str) -> tuple[str, int]:
    host, port = address.split(":")
    return host, int(port)


def _create(api: Service, url: str) -> float:
    user = api.user()
    began = time.perf_counter()
    user.create(url, "IMAGE", liveroomId="single")
    return time.perf_counter() - began


def _rate(setup: Setup, tasks: int) -> Iterator[Line]:
    watch = Watch(setup.engine)
    before = [_cpu(worker) for worker in setup.workers]
    with watch.watching():
        rate = wait_until_completed(setup.engine, tasks, LONGEST)
    spent = sum(_cpu(worker) - earlier for worker, earlier in zip(setup.workers, before, strict=True))
    yield Line(f"small tasks a second over two workers, {tasks} waiting", "", rate, at_least=150)
    yield Line("tasks at once meanwhile", "", watch.most, at_most=TOTAL)
    yield Line("tasks of one user at once meanwhile", "", watch.most_of_a_user, at_most=PER_USER)
    yield Line("CPU of the workers", "ms a small task", 1000 * spent / max(1, _done(setup)))
    if _done(setup) == tasks:
        began = [_cpu(worker) for worker in setup.workers]
        time.sleep(IDLE)
        idle = [(_cpu(worker) - earlier) / IDLE for worker, earlier in zip(setup.workers, began, strict=True)]
        yield Line("CPU of an idle worker", "% of a core", 100 * max(idle), at_most=2)


def _done(setup: Setup) -> int:
    return setup.cluster.count("status = 'completed'")


def _cpu(worker: Service) -> float:
    """Seconds of user and system time so far, of the process itself."""
    fields = Path(f"/proc/{worker.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
