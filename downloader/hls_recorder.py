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
from downloader.hls_track import Track
from downloader.recording import Recording
from downloader.retry import expired

logger = logging.getLogger(__name__)

RELOAD = 1.0  # target durations from one load to the next, begin to begin (RFC 8216, 6.3.4)
RELOAD_UNCHANGED = 0.5  # when the last one has brought nothing new
STILL = 10  # target durations without a change: some streams pause
SHORTEST_PATIENCE = 3.0  # seconds for one load, at least
LEFT_BEHIND = TransferError(FailureType.NETWORK_ERROR, "left behind: the main playlist could not be followed")

Result = TypeVar("Result")


class Recorder:
    """Reads the playlist of one track again and again, saves what it lists, and then announces it.

    The main track ends with its playlist, at the limit of segments, or when its user wants it; the others end with
    the main track. A playlist that could not be followed to its end is lost: the recording stays open, and a retry
    of the playlist goes on with it.
    """

    def __init__(
        self,
        fetch: Fetch,
        presentation: Presentation,
        track: Track,
        recording: Recording,
        *,
        main: Track,
        first: Load | None = None,
    ) -> None:
        self.note: str | None = None
        self._fetch, self._presentation, self._track, self._recording = fetch, presentation, track, recording
        self._timeline, self._main, self._first = track.timeline, main, first
        self._ending = fetch.transfer.ending if track is main else main.closed
        self._url = fetch.source.url
        self._fault: TransferError | None = None
        self._unsaved = self._reported = False
        self._patience = SHORTEST_PATIENCE
        self._began = self._followed_at = self._changed_at = time.monotonic()

    async def run(self) -> None:
        """Return when nothing more will be announced."""
        try:
            if await self._follow():
                await self._end()
        finally:
            self._track.close()

    async def _follow(self) -> bool:
        """Whether it has come to its end."""
        while not self._timeline.ended:
            self._began = time.monotonic()
            changed = await unless(self._ending, self._refresh())
            if self._timeline.full:
                self.note = f"over a limit: the recording ended at {len(self._timeline.segments)} segments"
                return True
            if loss := self._loss():
                self._lose(loss)
                return False
            pause = self._timeline.target_duration * (RELOAD if changed else RELOAD_UNCHANGED)
            if await happens(self._ending, within=self._began + pause - time.monotonic()):
                return not self._fetch.transfer.draining and await self._has_all()
        return True

    async def _has_all(self) -> bool:
        """The main track ends when it is told to. What its last segments need, another track must look for."""
        if self._track is self._main:
            return True
        await self._refresh()
        loss = self._fault if self._main.timeline.ended else LEFT_BEHIND
        if loss is not None:
            self._lose(loss)
        return loss is None

    async def _end(self) -> None:
        self._timeline.ended = self._unsaved = True
        try:
            await self._take()
        except TransferError as error:
            self._timeline.ended = False
            self._lose(error)

    async def _refresh(self) -> bool:
        """One look at the playlist; whether it had anything new."""
        try:
            load, self._first = self._first or await self._load(), None
            self._url, self._began = load.url, load.began
            self._report_arrival()
            changed = await self._take(load)
        except PlaylistError as error:
            self._url, self._fault = error.url, error.cause
            return False
        except TransferError as error:  # the storage takes nothing
            self._fault = error
            return False
        self._fault, self._followed_at = None, time.monotonic()
        if changed:
            self._changed_at = self._followed_at
        self._track.loaded()
        return changed

    async def _take(self, load: Load | None = None) -> bool:
        """Merge, save, announce. What is fetched has been saved: after a kill, an index must mean the same segment.

        Raises TransferError.
        """
        changed = await uninterrupted(self._fetch.in_thread(self._merge_and_save, load))
        self._track.announce()
        return changed

    def _merge_and_save(self, load: Load | None) -> bool:
        changed = load is not None and self._timeline.merge(load.playlist, load.url, time.time())
        self._unsaved = self._unsaved or changed
        if self._unsaved:
            self._recording.save(self._timeline)
            self._unsaved = False
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

    def _report_arrival(self) -> None:
        if not self._reported:
            self._reported = True
            self._fetch.transfer.add(arrived(self._key, self._url, FailedResourceType.M3U8))

    def _loss(self) -> TransferError | None:
        """Why the playlist is given up, when it could not be followed, or has not changed, for too long."""
        now, limit = time.monotonic(), self._fetch.limits.live_outage_seconds
        if self._fault is not None:
            fault = expired(self._fault)
            message = f"{fault.message} (the playlist could not be followed for {limit:g} s)"
            return TransferError(fault.failure_type, message) if now - self._followed_at > limit else None
        still = max(limit, STILL * self._timeline.target_duration)
        message = f"stalled: the playlist has not changed for {still:g} s"
        return TransferError(FailureType.TIMEOUT, message) if now - self._changed_at > still else None

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


async def unless(event: asyncio.Event, work: Coroutine[Any, Any, Result]) -> Result | None:
    """What ``work`` returns; None when ``event`` is set before that, and stops it."""
    working, waiting = asyncio.ensure_future(work), asyncio.ensure_future(event.wait())
    try:
        await asyncio.wait({working, waiting}, return_when=asyncio.FIRST_COMPLETED)
        return working.result() if working.done() else None
    finally:
        working.cancel()
        waiting.cancel()
        await asyncio.wait({working, waiting})


async def uninterrupted(work: Coroutine[Any, Any, Result]) -> Result:
    """What ``work`` returns. It comes to its end also when the run is stopped: the next one must not meet it."""
    task = asyncio.ensure_future(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait([task])
        raise
