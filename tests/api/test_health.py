"""Whether the process lives, and whether what it needs answers."""

from __future__ import annotations

import threading
from collections.abc import Callable

import httpx
import pytest
from fastapi import FastAPI

from web import health


def ready(**parts: Callable[[], bool]) -> httpx.AsyncClient:
    """A client of an application with these parts."""
    app = FastAPI()
    app.include_router(health.health_router(parts))
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://service")


@pytest.mark.parametrize(
    ("database", "storage", "status", "whole"),
    [(True, True, 200, "ok"), (False, True, 503, "down"), (True, False, 503, "down"), (False, False, 503, "down")],
)
async def test_ready_names_the_part_that_is_down(database: bool, storage: bool, status: int, whole: str) -> None:
    answer = await ready(database=lambda: database, storage=lambda: storage).get("/ready")
    states = {"database": "ok" if database else "down", "storage": "ok" if storage else "down"}
    assert (answer.status_code, answer.json()) == (status, {"status": whole, "parts": states})


async def test_a_part_that_hangs_is_down(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "READY_SECONDS", 0.1)
    released = threading.Event()
    client = ready(database=lambda: True, storage=lambda: released.wait(10))
    try:
        for _ in range(2):
            answer = await client.get("/ready")
            assert answer.status_code == 503
            assert answer.json()["parts"] == {"database": "ok", "storage": "down"}
        assert (await client.get("/health")).status_code == 200
    finally:
        released.set()
