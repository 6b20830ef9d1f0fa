"""The little that a worker answers by HTTP."""

from __future__ import annotations

from collections.abc import Sequence

from fastapi import APIRouter, FastAPI

from web.health import alive_router
from web.middleware import NO_TELEMETRY


def create_worker_app(routers: Sequence[APIRouter] = ()) -> FastAPI:
    """GET /health, and what ``routers`` add."""
    app = FastAPI(title="Media download worker", openapi_url=None, telemetry=NO_TELEMETRY)
    for router in (alive_router(), *routers):
        app.include_router(router)
    return app
