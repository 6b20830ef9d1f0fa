"""The use cases of one operation, on one Session."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass

from domain.admission import Admission
from domain.batch_import import BatchImport
from domain.failure_service import FailureService
from domain.policy import Policy
from domain.ports import Clock, HeaderSealer, NamesFor, UnitOfWorkFactory
from domain.task_service import TaskService
from domain.video_service import VideoService


@dataclass(frozen=True, slots=True)
class Services:
    """What the edges call."""

    tasks: TaskService
    failures: FailureService
    videos: VideoService
    imports: BatchImport

    def reading(self) -> AbstractContextManager[object]:
        """Have everything that is read until its end be of one moment; nothing can be changed within."""
        return self.tasks.uow.reading()


OpenServices = Callable[[], AbstractContextManager[Services]]
"""Opens one Session for the length of the context: one operation, one thread, one Session."""


@dataclass(frozen=True, slots=True)
class ServiceBuilder:
    """Puts the use cases together; calling it is an ``OpenServices``."""

    open_uow: UnitOfWorkFactory
    admission: Admission
    sealer: HeaderSealer
    names_for: NamesFor
    policy: Policy
    clock: Clock

    @contextmanager
    def __call__(self) -> Iterator[Services]:
        """The services share the unit of work that this opens."""
        with self.open_uow() as uow:
            tasks = TaskService(uow, self.admission, self.sealer, self.names_for, self.policy, self.clock)
            yield Services(
                tasks,
                FailureService(uow, self.admission, self.names_for, self.clock),
                VideoService(uow, self.names_for, self.clock),
                BatchImport(tasks),
            )
