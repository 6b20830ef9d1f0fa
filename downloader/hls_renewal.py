"""Fresh URLs for pieces that the origin refuses (401, 403, 410): those in the playlist have expired, as a rule."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING

from domain.errors import TransferError
from downloader.hls_presentation import PlaylistError, Presentation
from downloader.retry import expired

if TYPE_CHECKING:
    from downloader.hls_track import Track
    from downloader.playlist_model import Segment

CHANGED = "the task's URL leads to another stream now"


class Renewal:
    """Has the playlists read once more in a run, however many pieces are refused; a live one is read all the time."""

    def __init__(self, presentation: Presentation, tracks: Sequence[Track]) -> None:
        self._presentation, self._tracks = presentation, tracks
        self._lock, self._done = asyncio.Lock(), False
        self._changed = False

    async def helps(self, track: Track, segment: Segment, tried: Segment) -> bool:
        """Whether it is worth asking once more for ``segment``, which was refused under the URL of ``tried``."""
        if await track.still_listed(segment):
            return True
        async with self._lock:
            if not self._done and track.closed.is_set() and track.latest(segment) == tried:
                self._done = True
                await self._read_again()
        return track.latest(segment) != tried

    async def _read_again(self) -> None:
        try:
            playlists = await self._presentation.read_again() or {}
        except PlaylistError:
            return
        # All or nothing: sound and pictures of two streams are not mixed either.
        known = [track for track in self._tracks if track.announced and track.name in playlists]
        fresh = [(track.timeline, playlists[track.name]) for track in known]
        self._changed = not fresh or not all(timeline.is_listed_by(playlist) for timeline, playlist in fresh)
        if not self._changed:
            for timeline, playlist in fresh:
                timeline.show(playlist.segments)

    def loss(self, error: TransferError) -> TransferError:
        """Why a piece is lost that was refused again."""
        told = expired(error)
        return told.reworded(f"{told.message} ({CHANGED})") if self._changed else told
