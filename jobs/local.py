"""The engine of a single machine: a thread a job, in this process."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Collection
from functools import partial
from uuid import UUID

from domain.ports import UnitOfWork

logger = logging.getLogger(__name__)

RunJob = Callable[[UUID, Callable[[], bool]], None]


class LocalJobs:
    """A ``JobQueue`` whose jobs are threads of this process. They die with it; admission finds their tasks again.

    Two jobs of one task never run at once: a job enqueued while another still winds down begins when that ends.
    """

    admits = True

    def __init__(self) -> None:
        self._lock = threading.Condition()
        self._running: dict[UUID, threading.Thread] = {}
        self._again: set[UUID] = set()
        self._work = threading.Event()
        self._stopping = threading.Event()
        self._run: RunJob | None = None
        self._upkeep: threading.Thread | None = None

    # --- JobQueue ---

    def enqueue(self, uow: UnitOfWork, task_ids: Collection[UUID], /) -> None:
        """The jobs begin when the transaction has committed."""
        for task_id in task_ids:
            uow.after_commit(partial(self._submit, task_id))

    def wake(self, uow: UnitOfWork) -> None:
        """Upkeep runs when the transaction has committed."""
        uow.after_commit(self._work.set)

    def alive(self, _: UnitOfWork, task_ids: Collection[UUID], /) -> set[UUID]:
        """Those with a thread here; there are no others."""
        with self._lock:
            return {task_id for task_id in task_ids if task_id in self._running}

    # --- the worker ---

    def start(self, run: RunJob, tick: Callable[[], None], interval: float) -> None:
        """Begin to work: ``run`` a task in its thread, ``tick`` every ``interval`` seconds and when woken."""
        self._run = run
        self._upkeep = threading.Thread(target=self._keep_up, args=(tick, interval), name="upkeep", daemon=True)
        self._upkeep.start()

    def stop(self, timeout: float) -> None:
        """Let the pieces in flight end; return when every thread has, or after ``timeout`` seconds."""
        deadline = time.monotonic() + timeout
        self._stopping.set()
        self._work.set()
        if self._upkeep is not None:
            self._upkeep.join(timeout)
        with self._lock:
            self._lock.wait_for(lambda: not self._running, deadline - time.monotonic())

    def _submit(self, task_id: UUID) -> None:
        with self._lock:
            if self._stopping.is_set() or self._run is None:
                return
            if task_id in self._running:
                self._again.add(task_id)
                return
            thread = threading.Thread(target=self._work_off, args=(task_id,), name=f"run-{task_id}", daemon=True)
            self._running[task_id] = thread
        thread.start()

    def _work_off(self, task_id: UUID) -> None:
        try:
            if self._run is not None:
                self._run(task_id, self._stopping.is_set)
        except Exception:  # a bug must not take the other jobs down; upkeep admits the task again
            logger.exception("A job ended with an error", extra={"labels": {"task_id": str(task_id)}})
        finally:
            with self._lock:
                del self._running[task_id]
                again = task_id in self._again
                self._again.discard(task_id)
                self._lock.notify_all()
        if again:
            self._submit(task_id)

    def _keep_up(self, tick: Callable[[], None], interval: float) -> None:
        while not self._stopping.is_set():
            try:
                tick()
            except Exception:  # also a bug: without upkeep no job would be admitted again
                logger.exception("Upkeep failed; it is tried again")
            self._work.wait(interval)
            self._work.clear()  # before the look at _stopping, so that a stop is not slept over


class NoWorker:
    """The ``JobQueue`` of a process without a worker over SQLite: the worker's process admits."""

    admits = False

    def enqueue(self, uow: UnitOfWork, task_ids: Collection[UUID], /) -> None:
        """Never called: nothing is admitted here."""

    def wake(self, uow: UnitOfWork) -> None:
        """The worker's process looks by itself."""

    def alive(self, _: UnitOfWork, task_ids: Collection[UUID], /) -> set[UUID]:
        """Unknown here, so none is said to be lost."""
        return set(task_ids)
