"""The use cases that read tasks. Each is one read transaction."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from uuid import UUID

from domain.errors import TaskNotFoundError
from domain.models import DownloadTask
from domain.paging import Page, PageRequest
from domain.piece_map import PieceTrack, piece_map
from domain.ports import UnitOfWork
from domain.queries import Sort, TaskFilter
from domain.values import TaskStatus


@dataclass(frozen=True, slots=True)
class TaskReading:
    """Tasks of one user at a time; the user id comes first in every call."""

    uow: UnitOfWork

    def get_download_task(self, user_id: UUID, task_id: UUID) -> DownloadTask:
        """Raises TaskNotFoundError."""
        with self.uow.reading() as uow:
            task = uow.tasks.get(user_id, task_id)
        if task is None:
            raise TaskNotFoundError
        return task

    def get_download_tasks(self, user_id: UUID, task_ids: Collection[UUID]) -> dict[UUID, DownloadTask]:
        """Those of ``task_ids`` that are the user's."""
        with self.uow.reading() as uow:
            return uow.tasks.get_many(user_id, task_ids)

    def list_download_tasks(
        self, user_id: UUID, where: TaskFilter, sort: Sort, request: PageRequest
    ) -> Page[DownloadTask]:
        """One page."""
        with self.uow.reading() as uow:
            return uow.tasks.page(user_id, where, sort, request)

    def piece_maps_of_tasks(self, user_id: UUID, task_ids: Collection[UUID]) -> dict[UUID, list[PieceTrack]]:
        """Where the pieces of those tasks stand that are the user's: two statements, of one moment."""
        with self.uow.reading() as uow:
            written, losses = uow.tasks.pieces(user_id, task_ids), uow.failures.losses(user_id, task_ids)
        return {task_id: piece_map(row, losses[task_id]) for task_id, row in written.items()}

    def count_download_tasks(self, user_id: UUID, where: TaskFilter) -> int:
        """How many there are in all pages."""
        with self.uow.reading() as uow:
            return uow.tasks.count(user_id, where)

    def count_by_status(self, user_id: UUID) -> dict[TaskStatus, int]:
        """Every status, also with 0 tasks."""
        with self.uow.reading() as uow:
            counts = uow.tasks.counts_by_status(user_id)
        return {status: counts.get(status, 0) for status in TaskStatus}

    def count_waiting(self, user_id: UUID) -> int:
        """Started tasks without a slot."""
        with self.uow.reading() as uow:
            return uow.tasks.count_waiting(user_id)

    def bytes_stored(self, user_id: UUID) -> int:
        """Bytes of all the user's tasks."""
        with self.uow.reading() as uow:
            return uow.tasks.bytes_stored(user_id)
