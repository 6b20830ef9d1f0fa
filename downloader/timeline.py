"""What one media playlist has listed so far, in the order in which it plays. Pure logic, no network."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from downloader.playlist_model import MediaPlaylist, Segment

LEFT_THE_WINDOW = "left the window"
"""The title of a segment that no load has shown: it keeps its place, and is a gap."""

MAX_LAG = 5  # segments that a cache's old answer may end before the newest known one
SLACK = 100  # segments that may be missed between two loads without the time for them having passed


class Timeline:
    """The segments of a track; it only grows. ``index`` is the position here, ``sequence`` the origin's number.

    The playlist of a live stream is a window that slides on: each load is merged by its media sequence numbers
    (RFC 8216, 6.3.5). Numbers that were never shown become gaps. A stream that was restarted, as its numbers
    or names tell, goes on behind a discontinuity. ``limit`` bounds the segments.
    """

    def __init__(
        self,
        segments: Iterable[Segment] = (),
        *,
        target_duration: int = 1,
        discontinuity_sequence: int = 0,
        ended: bool = False,
        loaded_at: float = 0.0,
        limit: int | None = None,
    ) -> None:
        self.segments = list(segments)
        self.target_duration = target_duration
        self.discontinuity_sequence = discontinuity_sequence
        self.ended = ended
        self.loaded_at = loaded_at
        self._limit = limit
        self._origin_discontinuity = 0  # the discontinuity sequence number of the newest segment, as the origin counts

    @classmethod
    def of(cls, media: MediaPlaylist) -> Timeline:
        """A playlist that is whole."""
        return cls(
            media.segments,
            target_duration=media.target_duration,
            discontinuity_sequence=media.discontinuity_sequence,
            ended=True,
        )

    @property
    def full(self) -> bool:
        return self._limit is not None and len(self.segments) >= self._limit

    def merge(self, window: MediaPlaylist, url: str, now: float) -> bool:
        """Take in a load of the playlist at ``url``; whether that brought anything new. ``now``: seconds of Unix."""
        before = len(self.segments)
        if not self.segments:
            self.discontinuity_sequence = window.discontinuity_sequence
        self.target_duration = max(self.target_duration, window.target_duration)
        for segment in self._fresh(window, url, now) if window.segments else ():
            if self.full:
                break
            self.segments.append(segment)
        if len(self.segments) > before:
            self._origin_discontinuity = window.discontinuity_sequence + _discontinuities(window.segments)
        self.ended, self.loaded_at = window.is_whole, now
        return self.ended or len(self.segments) > before

    def _fresh(self, window: MediaPlaylist, url: str, now: float) -> Iterator[Segment]:
        """What is to be added."""
        if not self.segments:
            yield from self._placed(window.segments)
            return
        restart = self._restart(window.segments, now)
        if restart is not None:
            yield from self._placed(window.segments[restart:], discontinuity=True)
            return
        missed = window.segments[0].sequence - self._next
        yield from self._unseen(missed, url)
        hidden = missed > 0 and window.discontinuity_sequence > self._origin_discontinuity
        yield from self._placed(window.segments[max(0, -missed) :], discontinuity=hidden)

    def _placed(self, segments: Sequence[Segment], *, discontinuity: bool = False) -> Iterator[Segment]:
        """``segments`` at their index here; ``discontinuity`` before the first of them, whatever it says."""
        for segment in segments:
            yield replace(
                segment, index=len(self.segments), discontinuity=discontinuity or segment.discontinuity
            )
            discontinuity = False

    def _unseen(self, count: int, url: str) -> Iterator[Segment]:
        """Gaps for the numbers that were skipped; nobody knows their URLs and how long they are."""
        like = replace(
            self.segments[-1],
            url=url,
            title=LEFT_THE_WINDOW,
            byte_range=None,
            key=None,
            discontinuity=False,
            gap=True,
            program_date_time=None,
        )
        for _ in range(count):
            yield replace(like, index=len(self.segments), sequence=self._next)

    def _restart(self, segments: Sequence[Segment], now: float) -> int | None:
        """Where in ``segments`` a new stream begins; None when they go on with the old one."""
        behind, ahead = self._next - 1 - segments[-1].sequence, segments[0].sequence - self._next
        if behind > MAX_LAG or ahead > self._plausible(now):
            return None if self._is_old(segments[-1]) else 0
        for position, segment in enumerate(segments):
            known = self._known(segment.sequence)
            if known is not None and _differ(known, segment, same_path=behind > 0):
                return position
        return None
