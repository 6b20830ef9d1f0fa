"""Who is next. Admission is ours, execution is the engine's (design: "The way of one download")."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from domain.ports import AdmissionLimits, Clock, JobQueue, UnitOfWork


@dataclass(frozen=True, slots=True)
class Admission:
    """Hands waiting tasks to the engine while there are free slots."""

    limits: AdmissionLimits
    jobs: JobQueue
    clock: Clock
    has_room: Callable[[], bool] = lambda: True
    """Whether the storage can take more. While it cannot, nothing is admitted, and nothing is lost by it."""

    def admit(self, uow: UnitOfWork) -> None:
        """Within the caller's transaction: of start, resume, retry, a run's end, and the worker's upkeep."""
        if not self.jobs.admits:
            self.jobs.wake(uow)
            return
        if not self.has_room():
            return
        for task_id in uow.tasks.admit(self.limits, self.clock()):
            self.jobs.enqueue(uow, task_id)
