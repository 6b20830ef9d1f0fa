"""Who is next. Admission is ours, execution is the engine's (docs/architecture.md: "The way of one download")."""

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
    refill_later: Callable[[], None] | None = None
    """Where many runs end at a time: has ``admit`` called soon, in a transaction of its own."""

    def refill(self, uow: UnitOfWork) -> None:
        """Give the slots that a run frees to others: within its transaction, or soon after it."""
        if self.refill_later is None:
            self.admit(uow)
        else:
            uow.after_commit(self.refill_later)

    def admit(self, uow: UnitOfWork) -> None:
        """Within the caller's transaction: of start, resume, retry, and the worker's upkeep."""
        if not self.jobs.admits:
            self.jobs.wake(uow)
            return
        if not self.has_room():
            return
        if admitted := uow.tasks.admit(self.limits, self.clock()):
            self.jobs.enqueue(uow, admitted)
