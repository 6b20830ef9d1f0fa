"""The application: rooms in, ASGI out. Knows no setting; ``main.py`` hands everything in."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager

from anyio.to_thread import current_default_thread_limiter
from fastapi import APIRouter, FastAPI
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from domain.services import OpenServices
from web.auth import JWTAuth
from web.batch_import import BODY_LIMITS
from web.health import health_router
from web.middleware import NO_TELEMETRY, BodyLimit, RequestId, SecurityHeaders, request_id
from web.playback_urls import PlaybackUrls
from web.request_log import RequestLog


def create_app(
    *,
    auth: JWTAuth,
    open_services: OpenServices,
    playback_urls: PlaybackUrls,
    routers: Sequence[APIRouter],
    database_answers: Callable[[], bool],
    storage_answers: Callable[[], bool],
    threads: int,
    cors_origins: Sequence[str] = (),
) -> FastAPI:
    """The application with these rooms; they find ``auth``, ``open_services`` and ``playback_urls`` in its state.

    ``threads`` is the size of the connection pool: as many operations run at once, so that no thread ever waits for
    a connection.
    """

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        current_default_thread_limiter().total_tokens = threads  # Starlette's for def endpoints, and GraphQL's
        yield

    app = FastAPI(
        title="Media download service", lifespan=lifespan, middleware=_middleware(cors_origins), telemetry=NO_TELEMETRY
    )
    app.state.auth = auth
    app.state.open_services = open_services
    app.state.playback_urls = playback_urls
    app.add_exception_handler(Exception, _internal_error)
    for router in (*routers, health_router({"database": database_answers, "storage": storage_answers})):
        app.include_router(router)
    return app


def _middleware(cors_origins: Sequence[str]) -> list[Middleware]:
    """The outermost first."""
    cors = Middleware(
        CORSMiddleware,
        allow_origins=list(cors_origins),
        allow_methods=["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"],
        allow_headers=["Authorization", "Content-Type", "Range", "X-Request-ID"],
        expose_headers=["Accept-Ranges", "Content-Length", "Content-Range", "ETag", "X-Request-ID"],
        max_age=3600,
    )
    return [
        Middleware(RequestId),
        Middleware(RequestLog),
        Middleware(SecurityHeaders),
        *([cors] if cors_origins else []),
        Middleware(BodyLimit, others=BODY_LIMITS),
    ]


async def _internal_error(_: Request, __: Exception) -> Response:
    """Starlette passes the error on to be logged after this."""
    message = "Something went wrong on our side. Give the request id when you report it."
    extensions = {"code": "INTERNAL_SERVER_ERROR", "requestId": request_id.get()}
    return JSONResponse({"errors": [{"message": message, "extensions": extensions}]}, 500)
