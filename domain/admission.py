"""Who is next. Admission is ours, execution is the engine's (design: "The way of one download")."""

from __future__ import annotations

from dataclasses import dataclass

from domain.ports import AdmissionLimits, Clock, JobQueue, UnitOfWork


@dataclass(frozen=True, slots=True)
class Admission:
    """Hands waiting tasks to the engine while there are free slots."""

    limits: AdmissionLimits
    jobs: JobQueue
    clock: Clock

    def admit(self, uow: UnitOfWork) -> None:
        """Within the caller's transaction: of start, resume, retry, a run's end, and the worker's upkeep."""
        if not self.jobs.admits:
            self.jobs.wake(uow)
            return
        for task_id in uow.tasks.admit(self.limits, self.clock()):
            self.jobs.enqueue(uow, task_id)
