"""Second requests for the last pieces of a stream: one connection that has got stuck must not hold up the whole."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING

from domain.errors import TransferError
from downloader.hls_recorder import happens

if TYPE_CHECKING:
    from downloader.client import Client
    from downloader.hls_pieces import HlsPieces
    from downloader.hls_track import Track
    from downloader.piece import Wanted
    from downloader.playlist_model import Segment

TICK = 0.1  # seconds between two looks
SLOW = 3  # times what pieces take, as a rule
SOONEST = 1.0  # seconds that every request gets
REMEMBERED = 99  # pieces whose time tells what is usual
TELLING = 3  # fewer tell nothing


class Flight:
    """A piece on its way, by the task that fetches it.

    ``began`` is when its request that is under way was sent (the loop's time); None between two tries. Who stores
    the piece first stops the other, in the same turn of the loop: it is published once.
    """

    def __init__(self, track: Track, segment: Segment) -> None:
        self.track, self.segment = track, segment
        self.wanted: Wanted | None = None
        self.began: float | None = None
        self.took: float | None = None
        self.second: asyncio.Task[bool] | None = None
        self._first = asyncio.current_task()
        self._is_waiting = False  # for the second

    def begin(self, wanted: Wanted) -> None:
        """A request is being sent."""
        self.wanted, self.began = wanted, asyncio.get_running_loop().time()

    def end(self, *, well: bool) -> None:
        """It has been answered, or not."""
        if self.began is not None and well:
            self.took = asyncio.get_running_loop().time() - self.began
        self.began = None

    def first_stored(self) -> None:
        if self.second is not None:
            self.second.cancel()

    def second_stored(self) -> None:
        if self._first is not None and not self._is_waiting:
            self._first.cancel()

    async def is_saved(self) -> bool:
        """The first has failed; whether the second, if there is one, brings the piece."""
        if self.second is None:
            return False
        self._is_waiting = True
        try:
            return await self.second
        finally:
            self._is_waiting = False
            self.second = None


class Hedge:
    """Watches the pieces on their way, and sends second requests once no others are left to send.

    A piece gets one, when it has been slow against those that have arrived. None is sent to a host that has asked
    for rest.
    """

    def __init__(self, client: Client, pieces: HlsPieces, slots: asyncio.Semaphore) -> None:
        self._client, self._pieces, self._slots = client, pieces, slots
        self._flights: set[Flight] = set()
        self._times: deque[float] = deque(maxlen=REMEMBERED)

    def take_off(self, track: Track, segment: Segment) -> Flight:
        """The calling task begins to fetch a piece; ``land`` must follow."""
        flight = Flight(track, segment)
        self._flights.add(flight)
        return flight

    def land(self, flight: Flight) -> None:
        self._flights.discard(flight)
        if flight.took is not None:
            self._times.append(flight.took)

    async def watch(self, begun: asyncio.Event, done: asyncio.Event, group: asyncio.TaskGroup) -> None:
        """From when all pieces have ``begun`` until all are ``done``; requests run in ``group``."""
        await begun.wait()
        while not await happens(done, within=TICK):
            for flight in self._slow_ones():
                if not self._slots.locked():
                    flight.second = group.create_task(self._second(flight))
                    await asyncio.sleep(0)  # it takes its slot

    def _slow_ones(self) -> list[Flight]:
        if len(self._times) < TELLING:
            return []
        bearable = max(SOONEST, SLOW * sorted(self._times)[len(self._times) // 2])
        latest = asyncio.get_running_loop().time() - bearable
        return [flight for flight in self._flights if self._is_slow(flight, latest)]

    def _is_slow(self, flight: Flight, latest: float) -> bool:
        if flight.began is None or flight.began > latest or flight.second is not None or flight.wanted is None:
            return False
        return self._client.has_spare_place(flight.wanted.request.url)

    async def _second(self, flight: Flight) -> bool:
        """Whether it has brought the piece."""
        async with self._slots:
            try:
                await self._pieces.store_once_more(flight)
            except TransferError:  # the first may still come
                return False
        return True
