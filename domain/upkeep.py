"""What a worker does every few seconds: of several, one at a time."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import datetime, timedelta

from domain.admission import Admission
from domain.errors import StorageError
from domain.paths import folder_of
from domain.ports import Clock, JobQueue, Purge, Storage, UnitOfWork, UnitOfWorkFactory
from domain.task_service import IDEMPOTENCY_PERIOD
from domain.values import TaskStatus

logger = logging.getLogger(__name__)

DUE_AT_ONCE = 1000
INTERVAL = timedelta(seconds=5)
REMOVED_AT_ONCE = 100
"""Old tasks a turn, so that neither the transaction nor the removal of their folders keeps admission waiting."""


@dataclass(frozen=True, slots=True)
class Upkeep:
    """Lost jobs wait again, due retries start, old tasks and deleted files go, free slots are filled."""

    open_uow: UnitOfWorkFactory
    admission: Admission
    jobs: JobQueue
    storage: Storage
    clock: Clock
    auto_retry: bool = True
    retention: timedelta | None = None
    """For how long finished tasks stay; None for ever."""

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
            if self.retention is not None and self.storage.answers():
                self._remove_old(uow, self.clock() - self.retention)
            self._purge(uow)

    def _remove_old(self, uow: UnitOfWork, finished_before: datetime) -> None:
        """As their users would delete them; no run writes into their folders any more."""
        with uow:
            for task in uow.tasks.finished_before(finished_before, REMOVED_AT_ONCE):
                uow.purges.add(Purge(folder_of(task.video_id), self.clock()))
                uow.tasks.delete(task)
            uow.commit()

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
