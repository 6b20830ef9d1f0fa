"""What Prometheus reads. Every process has numbers of its own, and names no user, URL or host in a label."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Protocol

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector

from domain.errors import DatabaseError
from domain.ports import PieceResult, UnitOfWorkFactory

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

REGISTRY = CollectorRegistry()
ProcessCollector(registry=REGISTRY)

_REQUESTS = Histogram(
    "media_request_duration_seconds",
    "Requests answered, by the part of the service and the class of their status.",
    ["part", "status"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
    registry=REGISTRY,
)
_RUNNING = Gauge("media_running_tasks", "Tasks that run in this process.", registry=REGISTRY)
_JOBS = Histogram(
    "media_job_duration_seconds",
    "Runs of tasks that have ended here.",
    ["result"],
    buckets=(0.1, 0.5, 1, 5, 15, 60, 300, 900, 3600, 14400),
    registry=REGISTRY,
)
_PIECES = Counter(
    "media_pieces",
    "Pieces that runs have reported: stored, or the type of their failure.",
    ["result"],
    registry=REGISTRY,
)
LOOP_LAG = Histogram(
    "media_event_loop_lag_seconds",
    "How late the loop that answers requests came to something that was due.",
    buckets=(0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5),
    registry=REGISTRY,
)

# Whatever else is asked for is one more: paths come from callers.
_PARTS = {
    "graphql": "graphql",
    "api": "rest",
    "media": "playback",
    "health": "health",
    "ready": "health",
    "metrics": "metrics",
}


def part_of(path: str) -> str:
    """Which part of the service answers there."""
    return _PARTS.get(path.split("/", 2)[1] if "/" in path else "", "other")


def count_request(path: str, status: int | None, seconds: float) -> None:
    """One request has been answered, or not: its client left, and ``status`` is None."""
    _REQUESTS.labels(part_of(path), f"{status // 100}xx" if status else "none").observe(seconds)


def job_began() -> None:
    _RUNNING.inc()


def job_ended(result: str, seconds: float) -> None:
    _RUNNING.dec()
    _JOBS.labels(result).observe(seconds)


def count_pieces(results: Sequence[PieceResult]) -> None:
    """What became of them."""
    for result in results:
        _PIECES.labels("stored" if result.failure is None else result.failure.failure_type.value).inc()


class Tally(Protocol):
    """What the downloader counts; see ``downloader.tally``."""

    @property
    def answers(self) -> Mapping[str, int]: ...

    @property
    def received(self) -> Mapping[str, int]: ...

    @property
    def retries(self) -> int: ...


class OriginCollector(Collector):
    """The downloader's counts, read when somebody asks: counting there costs an addition."""

    def __init__(self, tally: Tally) -> None:
        self._tally = tally

    def collect(self) -> Iterator[CounterMetricFamily]:
        answers = CounterMetricFamily(
            "media_origin_answers", "Requests to origins, by the class of the status.", labels=["status"]
        )
        for status, number in list(self._tally.answers.items()):
            answers.add_metric([status], number)
        received = CounterMetricFamily(
            "media_origin_received_bytes", "Bytes that origins have sent.", labels=["result"]
        )
        for result, size in list(self._tally.received.items()):
            received.add_metric([result], size)
        yield answers
        yield received
        yield CounterMetricFamily("media_origin_retries", "Requests that were repeated.", value=self._tally.retries)


class QueueCollector(Collector):
    """How many tasks wait for a slot in the whole deployment; says nothing while the database does not answer."""

    def __init__(self, open_uow: UnitOfWorkFactory, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._open_uow = open_uow
        self._clock = clock

    def collect(self) -> Iterator[GaugeMetricFamily]:
        try:
            with self._open_uow() as uow, uow.reading():
                backlog = uow.tasks.backlog()
        except DatabaseError:
            return
        waited = (self._clock() - backlog.oldest).total_seconds() if backlog.oldest is not None else 0.0
        yield GaugeMetricFamily("media_queued_tasks", "Started tasks that wait for a slot.", value=backlog.waiting)
        yield GaugeMetricFamily(
            "media_queue_wait_seconds", "How long the first of them has waited.", value=max(0.0, waited)
        )


def read_metrics() -> bytes:
    """Everything, in Prometheus' text format. Blocks."""
    return generate_latest(REGISTRY)
