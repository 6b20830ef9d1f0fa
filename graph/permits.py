"""How many operations execute at once."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import TypeVar

from anyio import to_thread

PERMITS = 3
LOOK = 0.002  # seconds between two looks at whether the process computes
LONG = 0.025  # seconds; a page of 20 tasks with their failures takes 10 ms, three at once
IDLE = 0.5  # of the time: this process computes less, so those who execute wait for something else

Result = TypeVar("Result")


class Permits:
    """Few operations at once use the interpreter: more would take it from one another at every answer of the database.

    Sixteen at once took 1.3 times the CPU of three, each (docs/performance.md). Whoever takes long waits for the
    database, and so does everyone where the process computes little: they count no longer, and the next begin. Three at
    once alone, with a database 3 ms away, answered 175 small operations a second; so, 430.
    """

    def __init__(self) -> None:
        self._free = asyncio.Semaphore(PERMITS)

    async def run(self, function: Callable[[], Result]) -> Result:
        """Run it in a thread of the default limiter."""
        await self._free.acquire()
        stay = _Stay(self._free.release)
        try:
            return await to_thread.run_sync(function)
        finally:
            stay.end()


class _Stay:
    """Holds a permit until it has done so for long, or idly."""

    def __init__(self, leave: Callable[[], None]) -> None:
        self._leave: Callable[[], None] | None = leave
        self._loop = asyncio.get_running_loop()
        self._began = self._loop.time()
        self._await_look()

    def end(self) -> None:
        """Once or more often."""
        self._timer.cancel()
        if self._leave is not None:
            self._leave()
            self._leave = None

    def _await_look(self) -> None:
        self._seen, self._computed = self._loop.time(), time.process_time()
        self._timer = self._loop.call_later(LOOK, self._look)

    def _look(self) -> None:
        now = self._loop.time()
        if now - self._began >= LONG or time.process_time() - self._computed < IDLE * (now - self._seen):
            self.end()
        else:
            self._await_look()
