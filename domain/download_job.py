"""One run of a task, from claim to result. The job carries only the task id."""

from __future__ import annotations

import logging
import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from domain.admission import Admission
from domain.errors import DatabaseError, InvalidInputError, RunStopped
from domain.models import DownloadedVideo, DownloadFailure, DownloadTask
from domain.ports import (
    Clock,
    Downloader,
    FetchOutcome,
    Headers,
    HeaderSealer,
    NamesFor,
    Source,
    Storage,
    UnitOfWork,
    UnitOfWorkFactory,
)
from domain.reports import Reports
from domain.run import Asked, Run, asked_for
from domain.values import FailureStatus, FailureType, TaskStatus, VideoStatus

logger = logging.getLogger(__name__)

MAX_AUTO_RETRIES = 3
BEARABLE_LOSS_PERCENT = 30  # of the segments: up to this a result is partial, above it has failed

_RETRIED_BY_ITSELF = frozenset({FailureType.NETWORK_ERROR, FailureType.TIMEOUT, FailureType.STORAGE_ERROR})


@dataclass(frozen=True, slots=True)
class AutoRetry:
    """When a failure is tried again by itself: after 1, 2 and 4 minutes, give or take 20 %."""

    enabled: bool
    clock: Clock

    def __call__(self, failure_type: FailureType, tries: int) -> datetime | None:
        """None when it waits for its user."""
        if not self.enabled or failure_type not in _RETRIED_BY_ITSELF or tries >= MAX_AUTO_RETRIES:
            return None
        return self.clock() + timedelta(minutes=2**tries * random.uniform(0.8, 1.2))  # noqa: S311 - spreads load


@dataclass(frozen=True, slots=True)
class DownloadJob:
    """Runs tasks: claim → fetch → rows. One object serves every worker thread."""

    open_uow: UnitOfWorkFactory
    downloader: Downloader
    storage: Storage
    admission: Admission
    sealer: HeaderSealer
    names_for: NamesFor
    auto_retry: AutoRetry
    clock: Clock
    reports: Reports

    def run(self, task_id: UUID, stopping: Callable[[], bool] = lambda: False) -> None:
        """Take the task up and see it through, unless it is paused, cancelled, deleted or superseded meanwhile.

        While ``stopping`` says so, pieces in flight end and the task goes back to its place in the queue.
        """
        with self.open_uow() as uow:
            claimed = self._claim(uow, task_id)
            if claimed is None:
                return
            task, failures = claimed
            run = Run(uow, self.reports, task.id, task.run_number, self.auto_retry, self.clock, stopping)
            try:
                self._see_through(run, task, failures)
            except RunStopped:
                self._leave(run, task)

    def _see_through(self, run: Run, task: DownloadTask, failures: list[DownloadFailure]) -> None:
        """Pieces whose retry is asked for during a run join it, in one more round."""
        try:
            self.storage.clear_scratch(self.names_for(task).folder, before_run=task.run_number)
            while self._round(run, task, failures):
                with run.uow.reading() as uow:
                    failures = uow.failures.of_task(task.id)
        except (RunStopped, DatabaseError):
            raise
        except Exception:  # a run ends in a verdict, also when the program is at fault
            logger.exception("A run failed by an error of the service", extra={"labels": {"task_id": str(task.id)}})
            self._fail(run)

    def _fail(self, run: Run) -> None:
        """The fault is in the log; its user may start the task again."""
        outcome = FetchOutcome(0, 0, note="internal error: the log has the details")
        try:
            self._settle(run, outcome)
        except (RunStopped, DatabaseError):
            raise
        except Exception:  # what the fetch has told at its end may be the very thing that cannot be written
            if run.last is None:
                raise
            run.last = None
            self._settle(run, outcome)

    def _round(self, run: Run, task: DownloadTask, failures: list[DownloadFailure]) -> bool:
        asked = run.known = asked_for(failures)
        try:
            source = self._source(task, failures)
        except InvalidInputError as error:  # the request headers were sealed with a key that is gone
            return self._settle(run, FetchOutcome(0, 0, note=error.message))
        outcome = self.downloader.fetch(source, run)
        # Nothing of this run writes any more, and whoever sees the task at rest shall find nothing temporary.
        self.storage.clear_scratch(source.names.folder, before_run=run.run_number + 1)
        return self._settle(run, outcome, asked)

    def _claim(self, uow: UnitOfWork, task_id: UUID) -> tuple[DownloadTask, list[DownloadFailure]] | None:
        """The task, and what earlier runs have lost of it."""
        with uow:
            claim = uow.tasks.claim(task_id, self.clock())
            failures = uow.failures.of_task(task_id) if claim is not None and claim.has_failures else []
            uow.commit()
        return (claim.task, failures) if claim is not None else None

    def _source(self, task: DownloadTask, failures: list[DownloadFailure]) -> Source:
        """What to fetch; retrying failures are tried again."""
        return Source(
            url=task.resource_url,
            resource_type=task.resource_type,
            names=self.names_for(task),
            run_number=task.run_number,
            headers=self._headers(task),
            max_height=task.max_height,
            skip=frozenset(f.piece_key for f in failures if f.piece_key and f.status is not FailureStatus.RETRYING),
        )

    def _headers(self, task: DownloadTask) -> Headers:
        return self.sealer.open(task.sealed_headers) if task.sealed_headers else ()

    def _settle(self, run: Run, outcome: FetchOutcome, asked: Asked | None = None) -> bool:
        """Write the result, and admit the next task; True when pieces have joined and a round is to follow.

        ``asked`` None: no further round, whatever has joined.
        """
        with run.uow as uow:
            task = uow.tasks.owned(run.task_id, run.run_number)
            if task is None:
                raise RunStopped
            failures = run.losses(uow)
            drained = run.draining and outcome.stored < outcome.pieces
            joined = asked is not None and not asked_for(failures) <= asked
            if drained or joined:
                run.go_on(uow)
            else:
                run.measure(uow, task)
                self._conclude(uow, task, outcome, failures)
            uow.commit()
        run.last = None
        if drained:
            raise RunStopped
        return joined

    def _conclude(
        self, uow: UnitOfWork, task: DownloadTask, outcome: FetchOutcome, failures: Iterable[DownloadFailure]
    ) -> None:
        now = self.clock()
        for failure in failures:  # what is retrying still, the playlist no longer has
            failure.release(now)
        self._write_result(uow, task, outcome, now)
        uow.flush()
        self.admission.refill(uow)

    def _write_result(self, uow: UnitOfWork, task: DownloadTask, outcome: FetchOutcome, now: datetime) -> None:
        started_at = task.started_at
        status, progress = verdict(outcome)
        if outcome.pieces:
            task.bytes_downloaded = task.bytes_total = outcome.bytes_stored
        else:  # nothing was measured: what earlier runs stored is still there
            progress = task.progress
        task.settle(status, progress, self._last_error(uow, task, outcome), now)
        if outcome.storage_path is None or (status is TaskStatus.FAILED and outcome.facts is None):
            return  # nothing plays
        video = _new_video(task, outcome.storage_path, started_at)
        _measure(video, status, outcome, now)
        uow.videos.settle(video)

    def _last_error(self, uow: UnitOfWork, task: DownloadTask, outcome: FetchOutcome) -> str | None:
        lost = outcome.pieces - outcome.stored
        if outcome.pieces and not lost:
            return outcome.note
        causes = [f.error_message for f in uow.failures.of_task(task.id)]
        cause = outcome.note or (causes[0] if causes else "nothing arrived")
        return cause if outcome.pieces <= 1 else f"{lost} of {outcome.pieces} pieces are missing: {cause}"

    def _leave(self, run: Run, task: DownloadTask) -> None:
        """Not ours any more: back to the queue when the worker stops, files away when the task is gone."""
        with run.uow as uow:
            if uow.tasks.owned(run.task_id, run.run_number) is None:
                run.leave(uow)
            else:
                run.losses(uow)
                run.go_on(uow)
                uow.tasks.return_to_queue([run.task_id], self.clock())
            gone = uow.tasks.find(run.task_id) is None
            self.admission.refill(uow)
            uow.commit()
        if gone:
            self.storage.purge(self.names_for(task).folder)


def verdict(outcome: FetchOutcome) -> tuple[TaskStatus, float]:
    """Status and progress by the share of lost pieces."""
    if not outcome.pieces:
        return TaskStatus.FAILED, 0.0
    lost = outcome.pieces - outcome.stored
    if not lost:
        return TaskStatus.COMPLETED, 1.0
    bearable = lost * 100 <= outcome.pieces * BEARABLE_LOSS_PERCENT
    return TaskStatus.PARTIAL_COMPLETED if bearable else TaskStatus.FAILED, outcome.stored / outcome.pieces


def _new_video(task: DownloadTask, storage_path: str, started_at: datetime | None) -> DownloadedVideo:
    return DownloadedVideo(
        task_id=task.id,
        video_id=task.video_id,
        liveroom_id=task.liveroom_id,
        liveroom_title=task.liveroom_title,
        liveroom_url=task.liveroom_url,
        video_type=task.resource_type,
        video_url=task.resource_url,
        storage_path=storage_path,
        status=VideoStatus.FAILED,
        download_start_time=started_at,
    )


def _measure(video: DownloadedVideo, status: TaskStatus, outcome: FetchOutcome, now: datetime) -> None:
    video.status = VideoStatus(status.value)
    video.file_size = outcome.bytes_stored
    video.download_end_time = video.updated_at = now
    if outcome.facts is not None:
        facts = outcome.facts
        video.duration = None if facts.duration is None else round(facts.duration, 3)
        video.resolution = f"{facts.width}x{facts.height}" if facts.width and facts.height else None
        video.format, video.cover_path = facts.format, facts.cover_path
