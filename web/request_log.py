"""One event a request, once it is answered. Plain ASGI."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass, field
from typing import Any

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from telemetry.metrics import count_request, part_of
from telemetry.tracing import is_tracing, span

logger = logging.getLogger(__name__)


class RequestLog:
    """Method, path, status and duration; never the query, a header or a body.

    An error that passes has no stack here: the server, which logs it, still knows whose request it was.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] not in ("http", "websocket"):
            return await self._app(scope, receive, send)
        request = _Request(scope.get("method", "WEBSOCKET"), scope["path"])

        async def send_and_note(message: Message) -> None:
            request.note(message)
            await send(message)

        name, method = f"{request.method} {part_of(request.path)}", request.method
        with span(name, server=True, parent=_parent(scope), http__request__method=method) as told:
            try:
                await self._app(scope, receive, send_and_note)
            except Exception:
                request.status = request.status or 500
                raise
            finally:
                told.set(http__response__status_code=request.status or 0)
                request.log()


def _parent(scope: Scope) -> dict[str, str]:
    """Of the trace that the caller is in, if there is one: w3.org/TR/trace-context."""
    if not is_tracing():
        return {}
    known = Headers(scope=scope)
    return {name: known[name] for name in ("traceparent", "tracestate") if name in known}


@dataclass
class _Request:
    method: str
    path: str
    status: int | None = None  # none was sent: the client left before
    began: int = field(default_factory=time.perf_counter_ns)

    def note(self, message: Message) -> None:
        """Of a WebSocket, the handshake has the status: RFC 6455, 4.2.2."""
        match message["type"]:
            case "http.response.start" | "websocket.http.response.start":
                self.status = message["status"]
            case "websocket.accept":
                self.status = 101
            case "websocket.close":
                self.status = self.status or 403

    def log(self) -> None:
        lasted = time.perf_counter_ns() - self.began
        count_request(self.path, self.status, lasted / 1e9)
        fields: dict[str, Any] = {
            "event.action": "request",
            "event.duration": lasted,  # ns
            "event.outcome": "success" if self.status and self.status < 400 else "failure",
            "http.request.method": self.method,
            "url.path": self.path,
        }
        if self.status is not None:
            fields["http.response.status_code"] = self.status
        logger.info("%s %s %s", self.method, self.path, self.status or "no answer", extra=fields)
