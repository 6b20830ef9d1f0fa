"""How late an event loop is: what blocks it shows nowhere else."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from telemetry.metrics import LOOP_LAG

INTERVAL = 0.5  # seconds


@asynccontextmanager
async def watching_lag() -> AsyncIterator[None]:
    """Measures the running loop for the length of the context."""
    watching = asyncio.create_task(_watch())
    try:
        yield
    finally:
        watching.cancel()


async def _watch() -> None:
    loop = asyncio.get_running_loop()
    while True:
        due = loop.time() + INTERVAL
        await asyncio.sleep(INTERVAL)
        LOOP_LAG.observe(max(0.0, loop.time() - due))
