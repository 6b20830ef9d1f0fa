"""One subscriber, as the poller sees it."""

from __future__ import annotations

import asyncio
from datetime import datetime
from uuid import UUID

from domain.models import DownloadTask


class Follower:
    """Whoever follows one task, or with ``task_id`` None all of their own: iterate to hear of them.

    However long nobody listens, of each task only the latest state is kept.
    """

    def __init__(self, user_id: UUID, task_id: UUID | None, until: datetime | None) -> None:
        self.user_id = user_id
        self.task_id = task_id
        self.until = until
        self.welcomed = False
        self._news: dict[UUID, DownloadTask] = {}
        self._end: Exception | None = None
        self._bell = asyncio.Event()

    def __aiter__(self) -> Follower:
        return self

    async def __anext__(self) -> DownloadTask:
        """The task that has waited longest. Raises what it was ended with."""
        while not self._news:
            if self._end is not None:
                raise self._end
            self._bell.clear()
            await self._bell.wait()
        return self._news.pop(next(iter(self._news)))

    def tell(self, task: DownloadTask) -> None:
        """The latest state of a task; what is not about the followed one is not heard."""
        if self.task_id in (None, task.id):
            self._news[task.id] = task
            self._bell.set()

    def end(self, reason: Exception | None = None) -> None:
        """Nothing comes after what has been told already; without a ``reason`` all is well."""
        self._end = reason or StopAsyncIteration()
        self._bell.set()
