"""What surrounds every request: its id, the limit on its body, the headers of its answer. Plain ASGI."""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextvars import ContextVar
from types import MappingProxyType
from typing import ClassVar
from uuid import uuid4

from fastapi.telemetry import TelemetryConfig
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from telemetry.context import begin

MAX_BODY_BYTES = 1024 * 1024

# FastAPI's own spans and logs hold queries, and the tokens of signed links.
NO_TELEMETRY: TelemetryConfig = {"tracing": False, "metrics": False, "logs": False, "auto_configure": False}

request_id: ContextVar[str] = ContextVar("request_id", default="-")
"""The id of the request at hand, also in the threads that work for it."""

_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")


class RequestId:
    """Takes over a sane X-Request-ID or makes one, and sends it back."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] not in ("http", "websocket"):
            return await self._app(scope, receive, send)
        given = Headers(scope=scope).get("x-request-id", "")
        own = given if _REQUEST_ID.fullmatch(given) else uuid4().hex
        request_id.set(own)
        begin({"http.request.id": own, "trace.id": own})

        async def send_with_id(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message)["X-Request-ID"] = own
            await send(message)

        return await self._app(scope, receive, send_with_id)


class SecurityHeaders:
    """Defaults that a route may replace by headers of its own."""

    DEFAULTS: ClassVar[dict[str, str]] = {
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",  # links may be signed
        "Content-Security-Policy": "frame-ancestors 'none'",
        "Cache-Control": "no-store",
    }

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in self.DEFAULTS.items():
                    headers.setdefault(name, value)
            await send(message)

        await self._app(scope, receive, send_with_headers)


class BodyTooLarge(HTTPException):
    """``size`` bytes were announced, or have arrived; ``limit`` are allowed."""

    def __init__(self, limit: int, size: int) -> None:
        super().__init__(413, f"The body is larger than {limit} bytes.")
        self.limit, self.size = limit, size


class BodyLimit:
    """Answers 413 as soon as a body is known to be larger than ``max_bytes``, or than ``others`` say for its path.

    It raises within the application's own reading, so that each room words the refusal its own way.
    """

    def __init__(
        self, app: ASGIApp, max_bytes: int = MAX_BODY_BYTES, others: Mapping[str, int] = MappingProxyType({})
    ) -> None:
        self._app = app
        self._max_bytes = max_bytes
        self._others = others

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        declared = Headers(scope=scope).get("content-length", "")
        expected = int(declared) if declared.isdecimal() else 0
        limit = self._others.get(scope["path"], self._max_bytes)
        taken = 0

        async def receive_within_limit() -> Message:
            nonlocal taken
            if expected > limit:
                raise BodyTooLarge(limit, expected)
            message = await receive()
            taken += len(message.get("body", b""))
            if taken > limit:
                raise BodyTooLarge(limit, taken)
            return message

        return await self._app(scope, receive_within_limit, send)
