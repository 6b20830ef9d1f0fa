"""What a worker does every few seconds: of several, one at a time."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import timedelta

from domain.admission import Admission
from domain.errors import StorageError
from domain.ports import Clock, JobQueue, Storage, UnitOfWork, UnitOfWorkFactory
from domain.task_service import IDEMPOTENCY_PERIOD
from domain.values import TaskStatus

logger = logging.getLogger(__name__)

DUE_AT_ONCE = 1000
INTERVAL = timedelta(seconds=5)


@dataclass(frozen=True, slots=True)
class Upkeep:
    """Lost jobs wait again, due retries start, deleted files go, free slots are filled."""

    open_uow: UnitOfWorkFactory
    admission: Admission
    jobs: JobQueue
    storage: Storage
    clock: Clock
    auto_retry: bool = True

    def tick(self) -> None:
        """One turn, unless another worker takes one.

        Raises DatabaseError; a folder that cannot be removed now is tried again next time.
        """
        with self.open_uow() as uow:
            with uow:
                if not uow.alone("upkeep"):
                    return
                self._readmit(uow)
                if self.auto_retry and self.admission.has_room():
                    self._take_due_failures_along(uow)
                uow.tasks.forget_idempotency_keys(self.clock() - IDEMPOTENCY_PERIOD)
                uow.flush()
                self.admission.admit(uow)
                uow.commit()
            self._purge(uow)

    def _readmit(self, uow: UnitOfWork) -> None:
        admitted = uow.tasks.admitted()
        uow.tasks.return_to_queue(set(admitted) - self.jobs.alive(uow, admitted), self.clock())

    def _take_due_failures_along(self, uow: UnitOfWork) -> None:
        now = self.clock()
        for failure in uow.failures.due(now, DUE_AT_ONCE):
            failure.take_along_by_itself(now)
            task = uow.tasks.find(failure.task_id, for_update=True)
            if task is not None and task.status is not TaskStatus.PROCESSING:
                task.start(now)

    def _purge(self, uow: UnitOfWork) -> None:
        with uow.reading():
            purges = uow.purges.all()
        for purge in purges:
            try:
                self.storage.purge(purge.prefix)
            except StorageError:
                logger.warning("A deleted task's folder could not be removed; it is tried again", exc_info=True)
                continue
            if purge.until <= self.clock():
                with uow:
                    uow.purges.remove(purge)
                    uow.commit()
