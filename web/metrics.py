"""GET /metrics: for who has the token; without one, for this machine alone."""

from __future__ import annotations

import hmac
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from ipaddress import ip_address

from anyio import CapacityLimiter, to_thread
from fastapi import APIRouter, FastAPI
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from telemetry.loop_lag import watching_lag
from telemetry.metrics import CONTENT_TYPE, read_metrics

# A proxy on this machine speaks for others.
_PASSED_ON = ("forwarded", "x-forwarded-for", "x-real-ip", "via")


def metrics_router(token: str | None) -> APIRouter:
    """The route of Prometheus. While it is there, the lag of the loop is measured."""

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with watching_lag():
            yield

    router = APIRouter(tags=["health"], lifespan=lifespan)
    threads = CapacityLimiter(1)  # of its own: a queue is counted in the database, which may be slow

    @router.get("/metrics", include_in_schema=False)
    async def metrics(request: Request) -> Response:
        if token is None and not _is_local(request):
            return _refusal(403, "Without METRICS_TOKEN, only this machine may read this.", {})
        if token is not None and not _has(token, request):
            message = "Send the header Authorization: Bearer with METRICS_TOKEN."
            return _refusal(401, message, {"WWW-Authenticate": "Bearer"})
        return Response(await to_thread.run_sync(read_metrics, limiter=threads), media_type=CONTENT_TYPE)

    return router


def _has(token: str, request: Request) -> bool:
    scheme, _, given = request.headers.get("authorization", "").partition(" ")
    return scheme.lower() == "bearer" and hmac.compare_digest(given.encode(), token.encode())


def _is_local(request: Request) -> bool:
    try:
        asker = ip_address(request.client.host if request.client is not None else "")
    except ValueError:
        return False
    return asker.is_loopback and not any(name in request.headers for name in _PASSED_ON)


def _refusal(status: int, message: str, headers: dict[str, str]) -> Response:
    return JSONResponse({"errors": [{"message": message}]}, status, headers)
