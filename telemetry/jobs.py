"""Begin and end of every job, and what its run has fetched; events in between carry the ids of both."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from functools import wraps
from uuid import UUID

from domain.errors import RunStopped
from domain.ports import Downloader, FetchOutcome, PieceResult, Progress, Sink, Source
from telemetry.context import begin, bind
from telemetry.metrics import count_pieces, job_began, job_ended
from telemetry.tracing import span

logger = logging.getLogger(__name__)

RunJob = Callable[[UUID, Callable[[], bool]], None]


def logged_job(run: RunJob) -> RunJob:
    """``run``, and an event before and after it."""

    @wraps(run)
    def logged(task_id: UUID, stopping: Callable[[], bool]) -> None:
        begin({"labels.task_id": str(task_id)})
        logger.info("A job begins", extra={"event.action": "job-start"})
        job_began()
        began, outcome = time.perf_counter_ns(), "failure"
        try:
            with span("job", media__task_id=str(task_id)):
                run(task_id, stopping)  # who runs the jobs logs what this raises
            outcome = "success"
        finally:
            lasted = time.perf_counter_ns() - began
            job_ended(outcome, lasted / 1e9)
            extra = {"event.action": "job-end", "event.outcome": outcome, "event.duration": lasted}
            logger.info("A job has ended", extra=extra)

    return logged


@dataclass(frozen=True, slots=True)
class LoggedDownloader:
    """A ``Downloader`` that tells what each fetch has brought, and at DEBUG of every piece that was lost."""

    downloader: Downloader

    def fetch(self, source: Source, sink: Sink) -> FetchOutcome:
        """See ``Downloader.fetch``."""
        bind({"labels.run_number": str(source.run_number)})
        logger.info("A fetch begins", extra={"event.action": "fetch-start"})
        began, kind = time.perf_counter_ns(), source.resource_type.value
        try:
            with span("fetch", media__run_number=source.run_number, media__resource_type=kind) as told:
                outcome = self.downloader.fetch(source, _LoggedSink(sink))
                told.set(media__pieces=outcome.pieces, media__stored=outcome.stored, media__bytes=outcome.bytes_stored)
        except RunStopped:
            logger.info("The fetch was stopped", extra={"event.action": "fetch-stop"})
            raise
        _tell(outcome, time.perf_counter_ns() - began)
        return outcome


def _tell(outcome: FetchOutcome, lasted: int) -> None:
    whole = 0 < outcome.pieces == outcome.stored
    extra = {"event.action": "fetch-end", "event.outcome": "success" if whole else "failure", "event.duration": lasted}
    level = logging.INFO if whole else logging.WARNING
    counts = (outcome.stored, outcome.pieces, outcome.bytes_stored)
    logger.log(level, "%d of %d pieces are stored, %d bytes", *counts, extra=extra)


@dataclass(frozen=True, slots=True)
class _LoggedSink:
    sink: Sink

    @property
    def draining(self) -> bool:
        return self.sink.draining

    @property
    def finishing(self) -> bool:
        return self.sink.finishing

    @property
    def asked_again(self) -> Collection[str]:
        return self.sink.asked_again

    def report(self, progress: Progress, results: Sequence[PieceResult]) -> None:
        _tell_pieces(results)
        self.sink.report(progress, results)

    def ended(self, progress: Progress, results: Sequence[PieceResult]) -> None:
        _tell_pieces(results)
        self.sink.ended(progress, results)

    def left(self, progress: Progress) -> None:
        self.sink.left(progress)


def _tell_pieces(results: Sequence[PieceResult]) -> None:
    for result in results:
        if result.failure is not None:
            labels = {"piece": result.key, "failure_type": result.failure.failure_type.value}
            logger.debug("A piece is lost: %s", result.failure.message, extra={"labels": labels})
    count_pieces(results)
