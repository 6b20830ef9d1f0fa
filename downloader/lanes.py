"""How many requests one host gets at a time: what we may, and less when it asks for mercy."""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass

LONGEST_REST = 60.0  # seconds: an origin that asks for more is left to the failure's own retry
DEFAULT_REST = 1.0  # seconds, when a 429 or 503 names none


@dataclass(frozen=True, slots=True)
class Place:
    """A request's place in the lane, and when it was given (the loop's time)."""

    began: float


class Lane:
    """First come, first served.

    A 429 or 503 halves it and closes it for as long as the origin asks. Each time as many requests have gone well
    as it is wide, it widens by one.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._width = float(most)
        self._busy = 0
        self._queue: deque[asyncio.Future[None]] = deque()
        self._closed_until = 0.0
        self._slowed_at = 0.0
        self._opening: asyncio.TimerHandle | None = None

    @property
    def width(self) -> int:
        """Requests at a time, at present."""
        return int(self._width)

    @property
    def idle(self) -> bool:
        """Nobody is in it or waits for it."""
        return not self._busy and not self._queue

    def is_calm(self) -> bool:
        """Whether a request would get its place at once, and none has been told of late to slow down."""
        return self._width >= self._most and not self._queue and self._has_place(asyncio.get_running_loop().time())

    async def enter(self) -> Place:
        """Wait for a place. Whoever got one leaves it by ``leave``."""
        loop = asyncio.get_running_loop()
        if self._queue or not self._has_place(loop.time()):
            turn = loop.create_future()
            self._queue.append(turn)
            self._wait_for_opening(loop)
            try:
                await turn
            except asyncio.CancelledError:
                if turn.done() and not turn.cancelled():
                    self._busy -= 1  # the place came with the cancellation
                    self._admit()
                raise
        else:
            self._busy += 1
        return Place(loop.time())

    def leave(self) -> None:
        self._busy -= 1
        self._admit()

    def went_well(self) -> None:
        self._width = min(self._most, self._width + 1 / self._width)

    def slow_down(self, place: Place, rest: float | None) -> None:
        """The origin asks for mercy. What it says to requests from before the last time tells nothing new."""
        now = asyncio.get_running_loop().time()
        rest = min(LONGEST_REST, DEFAULT_REST if rest is None else rest)
        self._closed_until = max(self._closed_until, now + rest)
        if place.began >= self._slowed_at:
            self._width = max(1.0, self._width / 2)
            self._slowed_at = now

    def _has_place(self, now: float) -> bool:
        return self._busy < self.width and now >= self._closed_until

    def _admit(self) -> None:
        loop = asyncio.get_running_loop()
        while self._queue and self._has_place(loop.time()):
            turn = self._queue.popleft()
            if not turn.done():
                self._busy += 1
                turn.set_result(None)
        self._wait_for_opening(loop)

    def _wait_for_opening(self, loop: asyncio.AbstractEventLoop) -> None:
        if self._queue and loop.time() < self._closed_until and self._opening is None:
            self._opening = loop.call_at(self._closed_until, self._open)

    def _open(self) -> None:
        self._opening = None
        self._admit()
