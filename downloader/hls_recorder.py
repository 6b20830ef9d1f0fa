"""Follows a playlist that has no end yet (RFC 8216, 6.3.4)."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Coroutine
from typing import Any, TypeVar

from domain.errors import TransferError
from domain.values import FailedResourceType, FailureType
from downloader.fetch import Fetch, arrived, lost
from downloader.hls_presentation import Load, PlaylistError, Presentation
from downloader.hls_track import MAIN, Track
from downloader.recording import Recording

logger = logging.getLogger(__name__)

STILL = 10  # target durations without a change: some streams pause
SHORTEST_PATIENCE = 3.0  # seconds for one load, at least

Result = TypeVar("Result")


class Recorder:
    """Reads the playlist of one track again and again, saves what it lists, and then announces it.

    It ends with the playlist, at the limit of segments, when the user or the worker wants it, or when the playlist
    could not be followed for too long. Then the recording stays open, and a retry of the playlist goes on with it.
    """

    def __init__(
        self, fetch: Fetch, presentation: Presentation, track: Track, recording: Recording, first: Load | None = None
    ) -> None:
        self.note: str | None = None
        self._fetch, self._presentation, self._track, self._recording = fetch, presentation, track, recording
        self._timeline, self._first = track.timeline, first
        self._url = fetch.source.url
        self._fault: TransferError | None = None
        self._unsaved = self._reported = False
        self._patience = SHORTEST_PATIENCE
        self._followed_at = self._changed_at = time.monotonic()

    async def run(self) -> None:
        """Return when nothing more will be announced."""
        try:
            await self._follow()
        finally:
            self._track.close()
            if self._track.name == MAIN:
                self._fetch.transfer.end(draining=False)  # the renditions end with it

    async def _follow(self) -> None:
        transfer = self._fetch.transfer
        while not self._timeline.ended:
            began = time.monotonic()
            changed = await self._refresh()
            if self._timeline.full:
                self.note = f"over a limit: the recording ended at {len(self._timeline.segments)} segments"
                break
            if self._given_up():
                return
            pause = self._timeline.target_duration * (1 if changed else 0.5)
            if await happens(transfer.ending, within=began + pause - time.monotonic()):
                if transfer.draining:
                    return
                if self._track.name != MAIN:
                    await self._refresh()  # what the main playlist's last segments need
                break
        self._timeline.ended = self._unsaved = True
        await self._save()

    async def _refresh(self) -> bool:
        """One look at the playlist; whether it had anything new."""
        try:
            load, self._first = self._first or await self._load(), None
        except PlaylistError as error:
            self._url, self._fault = error.url, error.cause
            return False
        self._url, self._fault = load.url, None
        self._report_arrival()
        changed = self._timeline.merge(load.playlist, load.url, time.time())
        self._unsaved = self._unsaved or changed
        await self._save()
        if self._fault is None:
            self._followed_at = time.monotonic()
            self._changed_at = self._followed_at if changed else self._changed_at
        self._track.loaded()
        return changed

    async def _load(self) -> Load:
        """A load that takes too long is given up: while it hangs, the window moves on."""
        try:
            async with asyncio.timeout(max(self._patience, 2 * self._timeline.target_duration)):
                return await self._presentation.load(self._track.name, once=True)
        except TimeoutError as error:
            self._patience *= 2  # a large playlist over a slow line must come through
            cause = TransferError(FailureType.TIMEOUT, "timeout: the playlist did not come in time")
            raise PlaylistError(self._url, cause) from error

    async def _save(self) -> None:
        """Nothing is fetched before it is saved: after a kill, an index must mean the same segment."""
        if not self._unsaved:
            return
        try:
            await uninterrupted(self._fetch.in_thread(self._recording.save, self._timeline))
        except TransferError as error:
            self._fault = error
            return
        self._unsaved = False
        self._track.announce()

    def _report_arrival(self) -> None:
        if not self._reported:
            self._reported = True
            self._fetch.transfer.add(arrived(self._key, self._url, FailedResourceType.M3U8))

    def _given_up(self) -> bool:
        """Whether the playlist could not be followed, or has not changed, for too long."""
        now, limit = time.monotonic(), self._fetch.limits.live_outage_seconds
        still = max(limit, STILL * self._timeline.target_duration)
        if self._fault is not None and now - self._followed_at > limit:
            message = f"{self._fault.message} (the playlist could not be followed for {limit:g} s)"
            self._lose(TransferError(self._fault.failure_type, message))
        elif self._fault is None and now - self._changed_at > still:
            message = f"stalled: the playlist has not changed for {still:g} s"
            self._lose(TransferError(FailureType.TIMEOUT, message))
        else:
            return False
        return True

    def _lose(self, error: TransferError) -> None:
        logger.warning("A recording is given up: %s", error.message)
        self.note = error.message
        self._fetch.transfer.add(lost(self._key, self._url, FailedResourceType.M3U8, error))

    @property
    def _key(self) -> str:
        return self._fetch.source.names.fetched_playlist(self._track.name)


async def happens(event: asyncio.Event, *, within: float) -> bool:
    """Whether ``event`` is set before so many seconds are over."""
    try:
        async with asyncio.timeout(within):
            await event.wait()
    except TimeoutError:
        return False
    return True


async def uninterrupted(work: Coroutine[Any, Any, Result]) -> Result:
    """What ``work`` returns. It comes to its end also when the run is stopped: the next one must not meet it."""
    task = asyncio.ensure_future(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait([task])
        raise
