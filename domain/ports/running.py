"""Who runs the jobs, and the small things that a use case is handed."""

from __future__ import annotations

from collections.abc import Callable, Collection
from datetime import datetime
from typing import TYPE_CHECKING, Protocol
from uuid import UUID

from domain.ports.downloading import Headers, PieceNames
from domain.ports.persistence import UnitOfWork

if TYPE_CHECKING:
    from domain.models import DownloadTask


class JobQueue(Protocol):
    """Who runs the jobs. What is enqueued in a transaction that rolls back never runs."""

    @property
    def admits(self) -> bool:
        """False in a process that must leave admission to the worker's."""

    def enqueue(self, uow: UnitOfWork, task_ids: Collection[UUID], /) -> None:
        """One job each; they begin once this transaction has committed."""

    def wake(self, uow: UnitOfWork) -> None:
        """Have the worker look for due work once this transaction has committed."""

    def alive(self, uow: UnitOfWork, task_ids: Collection[UUID], /) -> set[UUID]:
        """Those of the tasks that have a job, waiting or running."""


class HeaderSealer(Protocol):
    """Keeps request headers unreadable in the database."""

    def seal(self, headers: Headers) -> bytes: ...

    def open(self, sealed: bytes) -> Headers:
        """Raises InvalidInputError when the key has changed: the headers must be given again."""


NamesFor = Callable[["DownloadTask"], PieceNames]
Clock = Callable[[], datetime]
