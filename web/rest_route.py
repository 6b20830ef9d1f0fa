"""Around every REST endpoint: who asks, what its errors become, and which HTTP status clients get to see."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterable
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, TypeAlias
from uuid import UUID

from fastapi import Security
from fastapi.openapi.models import HTTPBearer
from fastapi.routing import APIRoute
from fastapi.security.base import SecurityBase
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Match
from starlette.types import Receive, Scope, Send
from typing_extensions import override

from domain.services import OpenServices
from web.auth import get_current_user
from web.playback_urls import PlaybackUrls
from web.rest_errors import render, unknown_method, unknown_path

PREFIX = "/api/v1/download"

BUSINESS_STATUSES = frozenset({201, 207, 400, 404, 409})


class EnvelopeRoute(APIRoute):
    """Asks who calls before it reads a byte of the body; renders whatever is raised."""

    flattened: ClassVar[frozenset[int]] = frozenset()

    @override
    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """FastAPI's own, between the two."""
        handle = super().get_route_handler()

        async def answer(request: Request) -> Response:
            try:
                user = await get_current_user(request)
                rooms = request.app.state
                request.state.caller = SignedIn(user.user_id, rooms.open_services, rooms.playback_urls)
                response = await handle(request)
            except Exception as error:  # noqa: BLE001 - the one place; it logs what is a fault of ours
                response = render(error)
            if response.status_code in self.flattened:
                response.status_code = 200
            return response

        return answer


class EnvelopeOnlyRoute(EnvelopeRoute):
    """HTTP 200 for every business outcome, as the deployed clients know it."""

    flattened = BUSINESS_STATUSES


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A user, the use cases, and the links to what is stored."""

    user_id: UUID
    services: OpenServices
    playback_urls: PlaybackUrls


class _Bearer(SecurityBase):
    def __init__(self) -> None:
        self.model = HTTPBearer(bearerFormat="JWT", description="`Authorization: Bearer <JWT>`")
        self.scheme_name = "Bearer"

    async def __call__(self, request: Request) -> SignedIn:
        """Whom the route has found."""
        caller: SignedIn = request.state.caller
        return caller


Caller: TypeAlias = Annotated[SignedIn, Security(_Bearer())]


class Unknown:
    """What is under the prefix and fits none of ``routes``: 404, or 405 where only the method is wrong."""

    def __init__(self, routes: Iterable[BaseRoute]) -> None:
        self._routes = [route for route in routes if isinstance(route, APIRoute)]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        methods = {
            method
            for route in self._routes
            if route.matches(scope)[0] is Match.PARTIAL
            for method in route.methods or ()
        }
        response = unknown_method(methods) if methods else unknown_path()
        await response(scope, receive, send)
