"""Whether the process lives, and whether what it needs answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from anyio import CapacityLimiter, create_task_group, move_on_after, to_thread
from fastapi import APIRouter, Response

READY_SECONDS = 5.0
"""A part that needs longer counts as down."""


def alive_router() -> APIRouter:
    """GET /health, for anyone."""
    router = APIRouter(tags=["health"])

    @router.get("/health", summary="The process lives")
    async def health() -> dict[str, str]:
        return {"status": "ok"}

    return router


def health_router(parts: Mapping[str, Callable[[], bool]]) -> APIRouter:
    """GET /health and GET /ready, for anyone. ``parts`` are checks that block, by the name of what they check."""
    router = alive_router()
    # Threads of their own: operations that wait for the database may keep all the others busy.
    threads = {name: CapacityLimiter(1) for name in parts}

    @router.get("/ready", summary="Database and storage answer; else 503")
    async def ready(response: Response) -> dict[str, object]:
        states = dict.fromkeys(parts, "down")

        async def check(name: str) -> None:
            if await to_thread.run_sync(parts[name], abandon_on_cancel=True, limiter=threads[name]):
                states[name] = "ok"

        with move_on_after(READY_SECONDS):
            async with create_task_group() as checks:
                for name in parts:
                    checks.start_soon(check, name)
        answers = all(state == "ok" for state in states.values())
        response.status_code = 200 if answers else 503
        return {"status": "ok" if answers else "down", "parts": states}

    return router
