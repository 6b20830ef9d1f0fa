"""How many operations execute at once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TypeVar

from anyio import to_thread

LANES = 3
LONG = 0.025  # seconds; a page of 20 tasks with their failures takes 10 ms, three at once

Result = TypeVar("Result")


class Lanes:
    """Few operations at once use the interpreter: more would take it from one another at every answer of the database.

    Sixteen at once took 1.3 times the CPU of three, each (docs/performance.md). One that takes long waits for the
    database: it counts no longer, and the next begins.
    """

    def __init__(self) -> None:
        self._free = asyncio.Semaphore(LANES)

    async def run(self, function: Callable[[], Result]) -> Result:
        """Run it in a thread of the default limiter."""
        await self._free.acquire()
        leave = _Once(self._free.release)
        timer = asyncio.get_running_loop().call_later(LONG, leave)
        try:
            return await to_thread.run_sync(function)
        finally:
            timer.cancel()
            leave()


class _Once:
    def __init__(self, act: Callable[[], None]) -> None:
        self._act: Callable[[], None] | None = act

    def __call__(self) -> None:
        if self._act is not None:
            self._act()
            self._act = None
