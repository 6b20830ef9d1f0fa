"""How much may lie in scratch at once. Who finds no room waits; nothing fails for it."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from domain.errors import TransferError
from downloader.invalid import invalid
from downloader.limits import MIB

FIRST_GUESS = MIB  # bytes of a piece of unknown size

Trim = Callable[[int, Path | None], Awaitable[int]]
"""See ``Storage.trim_partials``."""


class NoRoom(Exception):
    """What is being fetched is larger than was thought: give the room back, and come again for ``size`` bytes."""

    def __init__(self, size: int) -> None:
        super().__init__(size)
        self.size = size


@dataclass(slots=True)
class Hold:
    """Room for one file. Without a ``room`` it has no bounds."""

    room: Room | None = None
    size: int = 0
    left: int = 0
    """Of it, what stays in scratch when the hold ends: a partial file."""

    def grow_to(self, size: int) -> None:
        """Take more. Raises NoRoom, and TransferError for what never fits."""
        if self.room is not None and size > self.size:
            self.room.grow(self, size)

    def reach(self, size: int) -> None:
        """Take more for what has come so far of something that does not say how long it is. Raises as ``grow_to``."""
        if size > self.size:
            self.grow_to(max(size, 2 * self.size))


class Room:
    """``limit`` bytes, shared by all fetches of an engine, on its loop alone. First come, first served.

    What is under way may grow past those who wait, and gives way when it cannot: so somebody always gets on.
    """

    def __init__(self, limit: int, trim: Trim) -> None:
        self._limit = limit
        self._trim = trim
        self._taken = 0
        self._kept = 0  # bytes of partial files that wait for their next run
        self._line: deque[asyncio.Event] = deque()

    async def open(self) -> None:
        """Count what earlier processes have left."""
        self._kept = await self._trim(self._limit, None)

    @asynccontextmanager
    async def hold(self, size: int, *, spare: Path | None = None) -> AsyncIterator[Hold]:
        """Room for ``size`` bytes, as soon as there is some. ``spare``: a partial file that is to be gone on with.

        Raises TransferError for what never fits.
        """
        self._check(size)
        if spare is not None or self._line or not self._has(size):
            await self._wait(size, spare)
        else:
            self._taken += size
        hold = Hold(self, size)
        try:
            yield hold
        finally:
            self._taken -= hold.size
            self._kept += hold.left
            self._call_next()

    def grow(self, hold: Hold, size: int) -> None:
        """See ``Hold.grow_to``."""
        self._check(size)
        if not self._has(size - hold.size):
            raise NoRoom(size)
        self._taken += size - hold.size
        hold.size = size

    async def _wait(self, size: int, spare: Path | None) -> None:
        turn = asyncio.Event()
        self._line.append(turn)
        try:
            while self._line[0] is not turn or not await self._make(size, spare):
                await turn.wait()
                turn.clear()
            self._taken += size
        finally:
            self._line.remove(turn)
            self._call_next()

    async def _make(self, size: int, spare: Path | None) -> bool:
        """Whether there is room, if need be in place of partial files that wait."""
        if spare is not None or (self._kept and not self._has(size)):
            self._kept = await self._trim(max(0, self._limit - self._taken - size), spare)
        return self._has(size)

    def _has(self, size: int) -> bool:
        return self._taken + self._kept + size <= self._limit

    def _check(self, size: int) -> None:
        if size > self._limit:
            raise _over(self._limit)

    def _call_next(self) -> None:
        if self._line:
            self._line[0].set()


def _over(limit: int) -> TransferError:
    return invalid("too large", f"it does not fit into scratch, which may hold {limit} bytes")
