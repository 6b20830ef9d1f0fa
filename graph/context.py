"""What a resolver knows: who asks, and the services of this one operation."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from types import TracebackType
from typing import Self, TypeAlias, TypeVar
from uuid import UUID

import strawberry
from starlette.requests import HTTPConnection
from strawberry.fastapi import BaseContext

from domain.paging import Page
from domain.queries import Sort
from domain.services import OpenServices, Services
from graph.connection import Connection
from graph.errors import limit_exceeded
from graph.siblings import Siblings
from web.auth import get_current_user
from web.playback_urls import PlaybackUrls

Row = TypeVar("Row")

MAX_ROWS = 10_000
"""Rows in the lists of one answer: about what is walked and rendered in a second."""


class Operation(BaseContext):
    """One operation, one thread, one Session: entered and left in the thread that executes it."""

    def __init__(self, open_services: OpenServices, playback_urls: PlaybackUrls, user_id: UUID) -> None:
        super().__init__()
        self.user_id = user_id
        self.playback_urls = playback_urls
        self.siblings = Siblings()
        self._open_services = open_services
        self._services: Services | None = None
        self._rows = 0
        self._open = ExitStack()

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
        return self._services

    def show(self, page: Page[Row], sort: Sort, count: Callable[[], int]) -> Connection[Row]:
        """A page as the schema shows it. Raises LIMIT_EXCEEDED when the answer grows beyond all measure."""
        self._rows += len(page.items)
        if self._rows > MAX_ROWS:
            raise limit_exceeded(f"The answer has more than {MAX_ROWS} rows: ask for smaller pages.")
        return Connection(page=page, sort=sort, count=count)


Info: TypeAlias = strawberry.Info[Operation, None]


async def get_context(connection: HTTPConnection) -> Operation | None:
    """FastAPI dependency. Raises AuthenticationError; None for GET, which only shows the explorer page."""
    if connection.scope["type"] != "http" or connection.scope["method"] == "GET":
        return None
    user = await get_current_user(connection)
    return Operation(connection.app.state.open_services, connection.app.state.playback_urls, user.user_id)
