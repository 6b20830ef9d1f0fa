"""Several workers over one database: what happens when one is killed, sleeps or is told to go, or the database goes."""

from __future__ import annotations

import os
import re
import signal
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from persistence.postgresql import STANDSTILL
from tests import media
from tests.e2e.cluster import Cluster, supervised
from tests.e2e.service import Service, User, wait_until
from tests.origin import Gate, Hit, Origin
from tests.postgres import PostgresServer

LONG = os.environ.get("TEST_LONG") == "1"
AT_A_TIME = 2  # pieces of one task

pytestmark = pytest.mark.timeout(900 if LONG else 240)


@dataclass(frozen=True)
class Scale:
    """How much of it: small in every run of the tests, the promised numbers in the long one."""

    tasks: int
    segments: int
    silence: int  # seconds until a worker counts as dead
    picked_up: float  # seconds after its death
    asleep: float  # seconds
    outage: float  # seconds
    outages: int


SCALE = Scale(40, 60, 20, 30, 40, 12, 5) if LONG else Scale(8, 20, 4, 15, 0, 4, 1)


@dataclass
class Load:
    """Tasks of one user, each with a stream of its own: held at the middle, and at the end, until it is released."""

    cluster: Cluster
    origin: Origin
    user: User
    stream: media.HlsStream = field(default_factory=lambda: media.many_segments(SCALE.segments))
    tasks: dict[str, dict[str, Any]] = field(default_factory=dict)
    middle: list[Gate] = field(default_factory=list)
    end: list[Gate] = field(default_factory=list)

    @property
    def names(self) -> list[str]:
        return [name for name in self.stream.files if name.endswith(".ts")]

    @property
    def held(self) -> list[str]:
        """The two segments in the middle, by their paths: no more of a task are asked for at a time."""
        half = SCALE.segments // 2
        return [path + name for path in self.tasks for name in self.names[half : half + AT_A_TIME]]

    def add(self, number: int) -> None:
        for _ in range(number):
            path = f"/t{len(self.tasks)}/"
            self.origin.put_all(self.stream.files, under=path)
            half = SCALE.segments // 2
            self.middle += [self.origin.hold(path + name) for name in self.names[half : half + AT_A_TIME]]
            self.end.append(self.origin.hold(path + self.names[-1]))
            self.tasks[path] = self.user.create(self.origin.url(path + self.stream.media))

    def wait_until_held(self) -> None:
        for gate in self.middle:
            gate.wait_until_held(timeout=60)

    def release(self, gates: list[Gate]) -> None:
        for gate in gates:
            gate.release()

    def stored(self) -> dict[str, int]:
        """Every segment that is stored now, by its path at the origin, and how often it was asked for."""
        found = set[str]()
        for path, task in self.tasks.items():
            folder = self.cluster.folder / "media" / f"video_{task['videoId']}" / "hls" / "ts"
            matches = [re.match(r"segment_(\d+)_", file.name) for file in folder.glob("*.ts")]
            found |= {path + self.names[int(match[1])] for match in matches if match}
        return self.hits_of(found)

    def hits(self) -> Counter[str]:
        return Counter(hit.path for hit in self.origin.log if hit.path.endswith(".ts"))

    def hits_of(self, stored: Iterable[str]) -> dict[str, int]:
        hits = self.hits()
        return {path: hits[path] for path in stored}

    def wait_until_complete(self) -> None:
        self.cluster.wait_for_tasks(len(self.tasks), "status = 'completed'", timeout=200)
        assert self.cluster.count("segments_downloaded <> segments_total") == 0

    def most_at_once(self) -> int:
        """Of any task's segments: more than one run asks for would be two runs."""
        return max(_most_at_once([hit for hit in self.origin.log if hit.path.startswith(path)]) for path in self.tasks)


def _most_at_once(hits: list[Hit]) -> int:
    moments = sorted([(hit.started, 1) for hit in hits] + [(hit.ended or hit.started, -1) for hit in hits])
    now = most = 0
    for _, step in moments:
        now += step
        most = max(most, now)
    return most


@pytest.fixture
def cluster(tmp_path: Path, postgres_url: str, origin: Origin) -> Iterator[Cluster]:
    settings = {
        "EGRESS_ALLOW": origin.host_port,
        "SEGMENT_CONCURRENCY": str(AT_A_TIME),
        "WORKER_SILENCE_SECONDS": str(SCALE.silence),
        "MAX_CONCURRENT_TASKS": "200",
        "MAX_CONCURRENT_TASKS_PER_USER": "200",
        "REQUEST_TIMEOUT_SECONDS": "300",  # no held answer may count as a stall, nor keep another from being asked for
        "MAX_CONNECTIONS": "500",
        "MAX_CONNECTIONS_PER_HOST": "500",
    }
    with Cluster(tmp_path, postgres_url, **settings) as cluster:
        yield cluster


@dataclass
class Pair:
    """Two workers, and tasks that all have come to their middle; the first worker has at least half of them."""

    first: Service
    second: Service
    load: Load


@pytest.fixture
def pair(cluster: Cluster, origin: Origin) -> Pair:
    api, first = cluster.start("api"), cluster.start("worker")
    load = Load(cluster, origin, api.user())
    load.add(SCALE.tasks // 2)
    load.wait_until_held()
    second = cluster.start("worker")
    load.add(SCALE.tasks - SCALE.tasks // 2)
    load.wait_until_held()
    return Pair(first, second, load)


def seconds_until_taken_up(cluster: Cluster, since: datetime) -> float:
    """When the last second run began."""
    rows = cluster.rows("SELECT max(started_at) FROM download_tasks WHERE run_number > 1")
    waited: timedelta = rows[0][0] - since
    return waited.total_seconds()


def wait_for_second_runs(cluster: Cluster) -> None:
    wait_until(lambda: cluster.count("run_number > 1") >= SCALE.tasks // 2, "second runs", timeout=60)


def test_what_a_killed_worker_leaves_another_takes_up(cluster: Cluster, pair: Pair) -> None:
    killed_at, load = datetime.now(UTC), pair.load
    pair.first.kill()
    stored = load.stored()
    wait_for_second_runs(cluster)
    assert seconds_until_taken_up(cluster, killed_at) <= SCALE.picked_up
    load.release(load.middle + load.end)
    load.wait_until_complete()

    assert len(stored) == SCALE.tasks * (SCALE.segments // 2)
    hits = load.hits()
    assert {path for path, number in hits.items() if number > 1} <= set(load.held)
    assert sum(hits.values()) == SCALE.tasks * SCALE.segments + AT_A_TIME * cluster.count("run_number = 2")
    assert cluster.count("run_number > 2") == 0
    assert load.most_at_once() == AT_A_TIME
    assert cluster.errors() == []


def test_who_sleeps_and_wakes_up_late_does_no_harm(cluster: Cluster, pair: Pair) -> None:
    """The others are at the end of its tasks by then, and cannot finish them yet."""
    load, began = pair.load, time.monotonic()
    pair.first.send(signal.SIGSTOP)
    wait_for_second_runs(cluster)
    load.release(load.middle)
    for gate in load.end:
        gate.wait_until_held(timeout=60)
    wait_until(lambda: len(load.stored()) == SCALE.tasks * (SCALE.segments - 1), "all segments but the last")
    time.sleep(max(0.0, began + SCALE.asleep - time.monotonic()))
    stored = load.stored()
    pair.first.send(signal.SIGCONT)

    wait_until(lambda: sum(cluster.holders().values()) == SCALE.tasks, "the late ones to stop")
    load.release(load.end)
    load.wait_until_complete()
    assert load.hits_of(stored) == stored
    assert {path for path, number in stored.items() if number > 1} <= set(load.held)
    assert cluster.count("run_number > 2") == 0
    assert pair.first.terminate() == 0
    assert cluster.errors() == []


def test_a_worker_that_is_told_to_go_leaves_at_once(cluster: Cluster, pair: Pair) -> None:
    """Its runs learn of it within half a second; the pieces that are in flight then, and no more, end here."""
    load, began = pair.load, time.monotonic()
    pair.first.send(signal.SIGTERM)
    time.sleep(1.5)
    load.release(load.middle + load.end)
    assert pair.first.ended() == 0
    assert time.monotonic() - began < 10
    gone_at = datetime.now(UTC)
    load.wait_until_complete()
    assert cluster.count("run_number = 2") >= SCALE.tasks // 2
    assert seconds_until_taken_up(cluster, gone_at) < 3
    assert set(load.hits().values()) == {1}
    assert cluster.errors() == []


def test_an_outage_of_the_database_loses_no_task(pair: Pair, postgres: PostgresServer, origin: Origin) -> None:
    load, snapshots = pair.load, []
    with ExitStack() as stack:
        for process in (pair.first, pair.second):
            stack.enter_context(supervised(process))
        for number in range(SCALE.outages):
            if number:
                load.add(SCALE.tasks // 2)
                load.wait_until_held()
            with postgres.down():
                snapshots.append(load.stored())
                time.sleep(SCALE.outage)
            load.user.service.wait_until_ready()
        load.release(load.middle + load.end)
        load.wait_until_complete()
    for snapshot in snapshots:
        assert load.hits_of(snapshot) == snapshot
    assert load.most_at_once() == AT_A_TIME
    origin.put("/after.png", media.png())
    assert load.user.wait(load.user.create(origin.url("/after.png"), "IMAGE")["id"])["status"] == "COMPLETED"


@pytest.mark.long
def test_a_database_that_stands_still_loses_no_task(pair: Pair, postgres: PostgresServer) -> None:
    """For longer than anybody waits for an answer: runs are broken off, and taken up when it goes on."""
    load, snapshot = pair.load, pair.load.stored()
    load.user.service.http.timeout = 2 * STANDSTILL
    with postgres.standing_still():
        began = time.monotonic()
        assert "errors" in load.user.post("{ tasks { totalCount } }").json()
        answered = time.monotonic() - began
        time.sleep(max(0, STANDSTILL + 5 - answered))
    load.user.service.wait_until_ready()
    assert answered < STANDSTILL + 5
    load.release(load.middle + load.end)
    load.wait_until_complete()
    assert load.hits_of(snapshot) == snapshot
    assert load.most_at_once() == AT_A_TIME
