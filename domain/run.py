"""One run, as the downloader sees it, and what it writes of itself."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import NamedTuple
from uuid import UUID

from domain.errors import DatabaseError, RunStopped
from domain.models import DownloadFailure, DownloadTask
from domain.ports import Clock, Hold, Measurement, NextRetry, PieceResult, Progress, UnitOfWork
from domain.reports import Reports
from domain.speed import Speed
from domain.values import FailureStatus

Asked = frozenset[tuple[UUID, int, int]]
"""Retries that a round makes, by failure and its counters: one that is asked for once more is another retry."""


class Last(NamedTuple):
    """What a fetch has told at its end."""

    progress: Progress
    results: Sequence[PieceResult]


@dataclass
class Run:
    """The sink of one run: takes in progress and losses, and stops when the row says so."""

    uow: UnitOfWork
    reports: Reports
    task_id: UUID
    run_number: int
    auto_retry: NextRetry
    clock: Clock
    stopping: Callable[[], bool]
    finishing: bool = False
    asked_again: Collection[str] = ()
    known: Asked = frozenset()  # retries that the downloader has been told of
    speed: Speed = field(default_factory=Speed)
    last: Last | None = None  # not written yet

    @property
    def draining(self) -> bool:
        """The worker is stopping."""
        return self.stopping()

    def report(self, progress: Progress, results: Sequence[PieceResult]) -> None:
        """One short transaction, fenced by the run's number. Raises RunStopped."""
        measurement = self._measurement(progress)
        if any(result.failure for result in results):
            hold = self._write_losses(results, measurement)
        else:
            hold = self.reports.write(measurement, [result.key for result in results])
        if hold is None:
            raise RunStopped
        self.finishing = hold.finish_requested
        # Another round would have to wait for the end of the recording.
        self.asked_again = self._new_retries() if progress.is_live and hold.retries_asked else ()

    def _measurement(self, progress: Progress) -> Measurement:
        rate = self.speed.update(progress.bytes_downloaded)
        return Measurement(self.task_id, self.run_number, progress, rate, self.clock())

    def _write_losses(self, results: Sequence[PieceResult], measurement: Measurement) -> Hold | None:
        with self.uow as uow:
            (hold,) = uow.tasks.record_progress([measurement])
            if hold is not None:
                uow.failures.record(self.task_id, results, self.auto_retry, measurement.measured_at)
                uow.commit()
            return hold

    def _new_retries(self) -> Collection[str]:
        with self.uow.reading() as uow:
            retrying = uow.failures.of_task(self.task_id, status=FailureStatus.RETRYING)
        keys = [
            failure.piece_key for failure in retrying if failure.piece_key and not asked_for([failure]) <= self.known
        ]
        self.known |= asked_for(retrying)
        return keys

    def left(self, progress: Progress) -> None:
        """The row has let the run go, but until another one begins nobody knows better what is stored."""
        with suppress(DatabaseError), self.uow as uow:
            uow.tasks.record_pieces(self.task_id, self.run_number, progress)
            uow.commit()

    def ended(self, progress: Progress, results: Sequence[PieceResult]) -> None:
        """Kept for the transaction that settles the run: one of its own was a tenth of what a small task costs."""
        self.last = Last(progress, results)

    # --- within the transaction of the end, which holds the task ---

    def losses(self, uow: UnitOfWork) -> list[DownloadFailure]:
        """The task's failures, with what the fetch has told at its end."""
        failures = uow.failures.of_task(self.task_id)
        results = self.last.results if self.last is not None else ()
        if not failures and all(result.failure is None for result in results):
            return failures
        uow.failures.record(self.task_id, results, self.auto_retry, self.clock())
        return uow.failures.of_task(self.task_id)

    def measure(self, uow: UnitOfWork, task: DownloadTask) -> None:
        """As ``report`` would have written it; ``task`` is about to be settled."""
        if self.last is None:
            return
        progress = self.last.progress
        task.progress = max(task.progress, progress.fraction)
        task.bytes_downloaded, task.bytes_total = progress.bytes_downloaded, progress.bytes_total
        task.segments_downloaded, task.segments_total = progress.segments_downloaded, progress.segments_total
        uow.tasks.record_pieces(self.task_id, self.run_number, progress)

    def go_on(self, uow: UnitOfWork) -> None:
        """As ``report`` would have written it; the task is not settled yet."""
        if self.last is not None:
            uow.tasks.record_progress([self._measurement(self.last.progress)])

    def leave(self, uow: UnitOfWork) -> None:
        """See ``left``."""
        if self.last is not None:
            uow.tasks.record_pieces(self.task_id, self.run_number, self.last.progress)


def asked_for(failures: Iterable[DownloadFailure]) -> Asked:
    """The retries among them."""
    retrying = (failure for failure in failures if failure.status is FailureStatus.RETRYING)
    return frozenset((failure.id, failure.retry_count, failure.auto_retry_count) for failure in retrying)
