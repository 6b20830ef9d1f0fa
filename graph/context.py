"""What a resolver knows: who asks, and the services of this one operation."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import ExitStack
from datetime import datetime
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeAlias, TypeVar
from uuid import UUID

import strawberry
from starlette.datastructures import State
from starlette.requests import HTTPConnection
from strawberry.fastapi import BaseContext

from domain.models import DownloadTask
from domain.paging import Page
from domain.queries import Sort
from domain.services import OpenServices, Services
from graph.connection import Connection
from graph.errors import limit_exceeded
from graph.siblings import Siblings
from web.auth import Identity, authenticate, get_current_user
from web.playback_urls import PlaybackUrls

if TYPE_CHECKING:
    from graph.changes import Changes  # which knows the types, which know this

Row = TypeVar("Row")

MAX_ROWS = 10_000
"""Rows in the lists of one answer: about what is walked and rendered in a second."""
MAX_SINGLE_READS = 500
"""Counts, and pages of one row's own, in one answer. Their statements are theirs alone: 4,000 of them took 4 s."""


class Operation(BaseContext):
    """One operation, one thread, one Session: entered and left in the thread that executes it.

    ``events`` is what a subscription subscribed to; each event is then an operation of its own. They end when the
    user's credentials do, unless ``until`` is None.
    """

    def __init__(
        self,
        open_services: OpenServices,
        playback_urls: PlaybackUrls,
        changes: Changes,
        user_id: UUID,
        until: datetime | None = None,
    ) -> None:
        super().__init__()
        self.user_id = user_id
        self.until = until
        self.playback_urls = playback_urls
        self.changes = changes
        self.events: AsyncGenerator[DownloadTask, None] | None = None
        self.siblings = Siblings()
        self.only_reads = False  # set before anything is read
        self._open_services = open_services
        self._services: Services | None = None
        self._rows = 0
        self._single_reads = 0
        self._open = ExitStack()

    def again(self) -> Operation:
        """For an event of this subscription."""
        return Operation(self._open_services, self.playback_urls, self.changes, self.user_id)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._open.__exit__(kind, error, trace)

    @property
    def services(self) -> Services:
        """Opened at the first use: ``{ __typename }`` needs no Session."""
        # No cached_property: until Python 3.12 it has one lock for all operations, and opening may wait.
        if self._services is None:
            self._services = self._open.enter_context(self._open_services())
            if self.only_reads:
                self._open.enter_context(self._services.reading())
        return self._services

    def show(self, page: Page[Row], sort: Sort, count: Callable[[], int]) -> Connection[Row]:
        """A page as the schema shows it. Raises LIMIT_EXCEEDED when the answer grows beyond all measure."""

        def count_once_more() -> int:
            self.read_single()
            return count()

        self._rows += len(page.items)
        if self._rows > MAX_ROWS:
            raise limit_exceeded(f"The answer has more than {MAX_ROWS} rows: ask for smaller pages.")
        return Connection(page=page, sort=sort, count=count_once_more)

    def read_single(self) -> None:
        """Before statements for one field of one row alone. Raises LIMIT_EXCEEDED when there were too many."""
        self._single_reads += 1
        if self._single_reads > MAX_SINGLE_READS:
            raise limit_exceeded(f"The answer has more than {MAX_SINGLE_READS} counts and pages of single rows.")


Info: TypeAlias = strawberry.Info[Operation, None]


class Entrance(BaseContext):
    """Where a WebSocket signs its user in, and gets its operations from."""

    def __init__(self, app: State, changes: Changes) -> None:
        super().__init__()
        self._app = app
        self._changes = changes

    def sign_in(self, authorization: str | None) -> Identity:
        """Raises AuthenticationError."""
        return authenticate(self._app.auth, authorization)

    def operation(self, user_id: UUID, until: datetime | None = None) -> Operation:
        return Operation(self._app.open_services, self._app.playback_urls, self._changes, user_id, until)


def context_getter(changes: Changes) -> Callable[[HTTPConnection], Awaitable[Any]]:
    """A FastAPI dependency: the Operation of a request, or the Entrance of a WebSocket. Raises AuthenticationError."""

    async def get_context(connection: HTTPConnection) -> Operation | Entrance | None:
        entrance = Entrance(connection.app.state, changes)
        if connection.scope["type"] == "websocket":
            return entrance
        if connection.scope["method"] == "GET":  # it only shows the explorer page
            return None
        user = await get_current_user(connection)
        return entrance.operation(user.user_id, user.expires_at)

    return get_context
