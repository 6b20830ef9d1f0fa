"""A worker of many: Procrastinate hands jobs to threads of this process."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any
from uuid import UUID

from procrastinate import App, JobContext, RetryStrategy
from procrastinate.worker import Worker

from domain.errors import DatabaseError
from jobs.distributed import QUEUE, RUN, UPKEEP
from jobs.outage import PAUSE, PatientConnector
from jobs.sweep import Sweep
from jobs.threads import in_a_thread

logger = logging.getLogger(__name__)

RunJob = Callable[[UUID, Callable[[], bool]], None]

BEATS = 4  # signs of life in the time after which a worker counts as dead
LOOK_INTERVAL = 0.5  # seconds: nobody tells when a job that waits behind its predecessor may begin
RETRY_SECONDS = 1  # after the database has broken a run off


class _TooLate(Exception):
    """The job was handed out while the worker began to stop: it is another's."""


@dataclass(frozen=True, slots=True)
class Capacity:
    """``jobs`` at once; ``silence``: seconds without a sign of life after which a worker counts as dead."""

    jobs: int = 100
    silence: float = 20.0


class DistributedWorker:
    """Runs jobs of ``DistributedJobs``, here and on any number of other machines.

    ``connect`` are libpq's parameters. The database may go away and come back: what runs is retried.
    """

    def __init__(self, connect: Mapping[str, Any], capacity: Capacity) -> None:
        self._capacity = capacity
        self._stopping = threading.Event()
        self._connector = PatientConnector(connect, self._stopping.is_set)
        self._app = App(connector=self._connector)
        retry = RetryStrategy(wait=RETRY_SECONDS, retry_exceptions=(DatabaseError, _TooLate))
        self._app.task(name=RUN, queue=QUEUE, pass_context=True, retry=retry)(self._run_job)
        self._app.task(name=UPKEEP, queue=QUEUE)(self._wake)
        self._running: set[int] = set()
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._worker: Worker | None = None
        self._due: asyncio.Event | None = None
        self._last_beats: asyncio.Task[None] | None = None

    def start(self, run: RunJob, tick: Callable[[], None], interval: float) -> None:
        """Begin to work: ``run`` a task in its thread, ``tick`` every ``interval`` seconds and when woken."""
        self._run = run
        work = partial(asyncio.run, self._work(tick, interval))
        self._thread = threading.Thread(target=work, name="jobs", daemon=True)
        self._thread.start()

    def stop(self, timeout: float) -> None:
        """Let the pieces in flight end; return when every job has, or after ``timeout`` seconds."""
        self._stopping.set()
        if self._loop is not None:
            with suppress(RuntimeError):  # it has ended
                self._loop.call_soon_threadsafe(self._end)
        if self._thread is not None:
            self._thread.join(timeout)

    def _end(self) -> None:
        if self._last_beats is None:
            self._last_beats = asyncio.create_task(self._beat())
        if self._worker is not None:
            self._worker.stop()  # type: ignore[no-untyped-call]  # it takes and gives nothing
        if self._due is not None:
            self._due.set()

    async def _work(self, tick: Callable[[], None], interval: float) -> None:
        self._loop, self._due = asyncio.get_running_loop(), asyncio.Event()
        async with self._app.open_async():
            keeping_up = asyncio.create_task(self._keep_up(self._due, tick, interval))
            while not self._stopping.is_set():
                await self._take_jobs()
            await keeping_up

    async def _take_jobs(self) -> None:
        """Until the stop, or an error that Procrastinate does not survive: its next worker begins afresh."""
        self._worker = Worker(
            self._app,
            queues=[QUEUE],
            concurrency=self._capacity.jobs,
            fetch_job_polling_interval=LOOK_INTERVAL,
            shutdown_graceful_timeout=0,  # they are told at once, and may take their time
            delete_jobs="always",
            install_signal_handlers=False,
            update_heartbeat_interval=self._capacity.silence / BEATS,
            stalled_worker_timeout=self._capacity.silence,
        )
        try:
            await self._worker.run()  # type: ignore[no-untyped-call]  # the same
        except Exception:
            logger.exception("Taking jobs was interrupted; it begins again")
            await asyncio.sleep(PAUSE)

    async def _beat(self) -> None:
        """Procrastinate gives no sign of life any more while its last jobs wind down."""
        while self._worker is not None and self._worker.worker_id is not None:
            await self._app.job_manager.update_heartbeat(self._worker.worker_id)
            await asyncio.sleep(self._capacity.silence / BEATS)

    async def _run_job(self, context: JobContext, task_id: str) -> None:
        if self._stopping.is_set():
            raise _TooLate
        broken_off = threading.Event()
        stopping = partial(_any_set, self._stopping, broken_off)
        job_id = context.job.id or 0  # Procrastinate's type is that of a job not yet written, too
        self._running.add(job_id)
        ended = in_a_thread(partial(self._run, UUID(task_id), stopping), f"run-{task_id}")
        try:
            await asyncio.shield(ended)
        except asyncio.CancelledError:
            broken_off.set()
            await ended  # until then the job keeps others off the task
            raise
        finally:
            self._running.discard(job_id)

    async def _wake(self) -> None:
        if self._due is not None:
            self._due.set()

    async def _keep_up(self, due: asyncio.Event, tick: Callable[[], None], interval: float) -> None:
        sweep = Sweep(self._connector, self._capacity.silence)
        while not self._stopping.is_set():
            due.clear()
            try:
                await sweep(self._worker.worker_id if self._worker is not None else None, self._running)
                await in_a_thread(tick, "upkeep")
            except Exception:  # also a bug: without upkeep no job would be admitted again
                logger.exception("Upkeep failed; it is tried again")
            with suppress(TimeoutError):
                await asyncio.wait_for(due.wait(), interval)


def _any_set(*events: threading.Event) -> bool:
    return any(event.is_set() for event in events)
