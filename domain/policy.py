"""What this deployment allows its users."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from uuid import UUID

from domain.addresses import check_url
from domain.errors import BlockedUrlError, QuotaExceededError, ServiceError
from domain.ports import TaskRepository
from domain.queries import TaskFilter


@dataclass(frozen=True, slots=True)
class Policy:
    """A quota of 0 is none."""

    egress_allow: frozenset[tuple[str, int]] = frozenset()
    max_tasks_per_user: int = 0
    max_bytes_per_user: int = 0

    def url_errors(self, url: str | None) -> Iterator[ServiceError]:
        """What speaks against fetching ``url``, if anything."""
        if url is None:
            return
        try:
            check_url(url, self.egress_allow)
        except BlockedUrlError as error:
            error.field = ("resource_url",)
            yield error

    def refuse_another_task(self, tasks: TaskRepository, user_id: UUID) -> None:
        """Raises QuotaExceededError."""
        if self.max_tasks_per_user and tasks.count(user_id, TaskFilter()) >= self.max_tasks_per_user:
            raise QuotaExceededError(f"You have {self.max_tasks_per_user} tasks, the most allowed. Delete some first.")

    def refuse_more_bytes(self, tasks: TaskRepository, user_id: UUID) -> None:
        """Raises QuotaExceededError."""
        if self.max_bytes_per_user and tasks.bytes_stored(user_id) >= self.max_bytes_per_user:
            raise QuotaExceededError("Your storage is full. Delete some downloads first.")
