"""Fetches the segments of a stream, and what they need: keys and initialization sections."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

from domain.errors import TransferError
from downloader.decrypt import BLOCK
from downloader.fetch import Fetch, last_part
from downloader.hedge import Flight
from downloader.hls_track import Track
from downloader.http import Document
from downloader.invalid import invalid, unrecognised
from downloader.limits import MAX_KEY_BYTES
from downloader.piece import Cipher, Wanted, store, store_once
from downloader.playlist_model import Key, Map, Segment
from downloader.transfer import Transfer
from downloader.verify import Expected

Value = TypeVar("Value")

FAILURE_HOLDS = 10.0  # seconds: a recording goes on for hours, and what failed once is asked for again


class HlsPieces:
    """Stores one segment at a time; a key or initialization section that many need is fetched once."""

    def __init__(self, fetch: Fetch) -> None:
        self._fetch = fetch
        self._keys: Memo[bytes] = Memo()
        self._maps: Memo[None] = Memo()

    async def store(self, track: Track, segment: Segment, latest: Segment, flight: Flight) -> None:
        """``latest`` has the URLs to ask for. Raises TransferError."""
        if segment.map is not None and latest.map is not None:
            await self._initialization(track, segment.map, latest.map)
        wanted = Wanted(
            request=self._fetch.span(latest.url, latest.byte_range),
            key_for=lambda container: track.key_for(segment, container),
            expected=track.expects(segment),
            cipher=await self._cipher(latest.key),
        )
        track.arrived(segment, await store(self._fetch, wanted, track.files.key(segment), flight))
        flight.first_stored()

    async def store_once_more(self, flight: Flight) -> None:
        """Ask a second time for a piece that is on its way. Raises TransferError."""
        if flight.wanted is None:
            raise RuntimeError("it has not been asked for yet")
        track, segment, uncounted = flight.track, flight.segment, Transfer(self._fetch.source)
        name = f"{track.files.key(segment)}.again"
        track.arrived(segment, await store_once(self._fetch, flight.wanted, name, uncounted))
        flight.second_stored()

    async def _initialization(self, track: Track, section: Map, latest: Map) -> None:
        """EXT-X-MAP, once, however many segments need it."""

        async def make() -> None:
            if track.files.has_map(section):
                return
            key = track.files.map_key(section)
            request = self._fetch.span(latest.url, latest.byte_range)
            wanted = Wanted(request, lambda _: key, Expected.INITIALIZATION, await self._cipher(latest.key))
            track.files.add_map(section, await store(self._fetch, wanted, key))

        await _needed("initialization section", latest.url, self._maps.get((track.name, latest), make))

    async def _cipher(self, key: Key | None) -> Cipher | None:
        """EXT-X-KEY: each key is fetched once a run."""
        if key is None:
            return None

        async def make() -> bytes:
            return await self._fetch.document(key.url, MAX_KEY_BYTES, _key)

        return Cipher(await _needed("key", key.url, self._keys.get(key.url, make)), key.iv)


async def _key(document: Document) -> bytes:
    found = document.body
    if len(found) != BLOCK:
        raise unrecognised(found, invalid("key", f"it has {len(found)} bytes instead of {BLOCK}", retry=not found))
    return found


async def _needed(what: str, url: str, coming: Awaitable[Value]) -> Value:
    try:
        return await coming
    except TransferError as error:
        message = f"{error.message} (the {what} {last_part(url)[:80]} that this segment needs)"
        raise error.reworded(message) from error


class Memo(Generic[Value]):
    """Makes each value once, also when many ask at the same time; a failure is remembered for a while."""

    def __init__(self) -> None:
        self._locks: dict[object, asyncio.Lock] = {}
        self._made: dict[object, Value] = {}
        self._failed: dict[object, tuple[TransferError, float]] = {}

    async def get(self, key: object, make: Callable[[], Awaitable[Value]]) -> Value:
        """Raises TransferError: the one that ``make`` raised."""
        async with self._locks.setdefault(key, asyncio.Lock()):
            if key in self._made:
                return self._made[key]
            error, until = self._failed.get(key, (None, 0.0))
            if error is not None and time.monotonic() < until:
                raise error.reworded(error.message)
            try:
                self._made[key] = await make()
            except TransferError as failure:
                self._failed[key] = failure, time.monotonic() + FAILURE_HOLDS
                raise
            return self._made[key]
