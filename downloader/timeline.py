"""What one media playlist has listed so far, in the order in which it plays. Pure logic, no network."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType

from downloader.playlist_model import Map, MediaPlaylist, Segment

LEFT_THE_WINDOW = "left the window"
"""The title of a segment that no load has shown: it keeps its place, and is a gap."""

MAX_LAG = 8  # segments: the answers of caches may be some versions old
SLACK = 100  # segments that two loads may skip, however short the time between them
SAME_DURATION = 0.1  # seconds: some servers round them another way each time
COMPARED = 100  # segments that both know: an EVENT playlist repeats thousands
NO_MAPS: Mapping[Map | None, Map | None] = MappingProxyType({})


class Timeline:
    """The segments of a track; it only grows. ``index`` is the position here, ``sequence`` the origin's number.

    The playlist of a live stream is a window that slides on: each load is merged by its media sequence numbers
    (RFC 8216, 6.3.4). Numbers that were never shown become gaps. A stream that was restarted, as its numbers or
    names tell, goes on behind a discontinuity. ``limit`` bounds the segments; ``loaded_at`` is the time of the
    last load, in seconds since 1970.
    """

    def __init__(self, *, discontinuity_sequence: int = 0, limit: int | None = None) -> None:
        self.segments: list[Segment] = []
        self.target_duration = 1
        self.discontinuity_sequence = discontinuity_sequence
        self.ended = False
        self.loaded_at = 0.0
        self.window_start = 0  # the index of the first segment that the playlist still lists
        self._window: Sequence[Segment] = ()  # as it lists them
        self._whole = False
        self._limit = limit
        self._numbering = 0  # the index from which on the numbers go up one by one
        self._discontinuities = 0  # as the origin counts them, up to the newest segment

    @classmethod
    def of(cls, media: MediaPlaylist) -> Timeline:
        """The timeline of a playlist that is whole."""
        timeline = cls(discontinuity_sequence=media.discontinuity_sequence)
        timeline.extend(media, loaded_at=0.0)
        timeline.ended = timeline._whole = True
        return timeline

    def extend(self, part: MediaPlaylist, loaded_at: float) -> None:
        """Add what follows, as it was merged before."""
        if self.segments and part.segments[0].sequence != self._next:
            self._numbering = len(self.segments)
        start = len(self.segments)
        self.segments += (replace(each, index=start + each.index) for each in part.segments) if start else part.segments
        self.target_duration = max(self.target_duration, part.target_duration)
        self.ended, self.loaded_at = part.ended, loaded_at

    @property
    def full(self) -> bool:
        """The limit is reached."""
        return self._limit is not None and len(self.segments) >= self._limit

    def merge(self, window: MediaPlaylist, url: str, now: float) -> bool:
        """Take in a load of the playlist at ``url``; whether it brought anything new."""
        before = len(self.segments)
        if not before:
            self.discontinuity_sequence = window.discontinuity_sequence
        self.target_duration = max(self.target_duration, window.target_duration)
        for segment in self._news(window, url, now):
            if self.full:
                break
            self.segments.append(segment)
        if window.segments:
            self.show(window.segments, most=COMPARED)
        self.ended, self.loaded_at = window.is_whole, now
        return self.ended or len(self.segments) > before

    def show(self, listed: Sequence[Segment], *, most: int | None = None) -> None:
        """Take ``listed``, of this stream, as what its playlist lists by now; keep the URLs of the last ``most``."""
        self.window_start = len(self.segments) - self._next + listed[0].sequence
        self._window = listed if most is None else listed[-most:]

    def latest(self, segment: Segment) -> Segment:
        """``segment`` as the playlist has listed it last: where URLs expire, under a fresh one."""
        if not self._window or segment.index < self.window_start:
            return segment
        place = segment.sequence - self._window[0].sequence
        listed = self._window[place] if 0 <= place < len(self._window) else segment
        return listed if _is_same(segment, listed) else segment

    def is_listed_by(self, fresh: MediaPlaylist) -> bool:
        """Whether ``fresh`` is of this stream: it lists the same segments, be it under other URLs.

        Of what was recorded it need not list all, since its window may have moved on.
        """
        numbered = self.segments[self._numbering :]
        if not numbered or not fresh.segments:
            return False
        first = fresh.segments[0].sequence - numbered[0].sequence
        if self._whole and (first or len(fresh.segments) != len(numbered)):
            return False
        theirs = fresh.segments[max(0, -first) :]
        pairs = list(zip(numbered[max(0, first) :], theirs, strict=False))
        return bool(pairs) and all(is_unseen(mine) or _is_same(mine, their) for mine, their in pairs)

    def has_shape_of(self, fresh: MediaPlaylist) -> bool:
        """Whether ``fresh`` may be of this stream, be it from another server that names its files otherwise."""
        mine, theirs = self.segments, fresh.segments
        return len(mine) == len(theirs) and all(
            one.sequence == other.sequence and _is_alike(one, other) for one, other in zip(mine, theirs, strict=True)
        )

    def _news(self, window: MediaPlaylist, url: str, now: float) -> Iterator[Segment]:
        listed, discontinuities = window.segments, self._discontinuities
        if not listed or self._is_old(listed[-1]):
            return
        self._discontinuities = window.discontinuity_sequence + sum(each.discontinuity for each in listed)
        if not self.segments:
            yield from self._placed(listed)
            return
        restart = self._restart(listed, now)
        if restart is not None:
            self._numbering = len(self.segments)
            yield from self._placed(listed[restart:], discontinuity=True)
            return
        missed, maps = listed[0].sequence - self._next, self._known_maps(listed)
        yield from self._unseen(missed, url)
        hidden = missed > 0 and window.discontinuity_sequence > discontinuities
        yield from self._placed(listed[max(0, -missed) :], maps, discontinuity=hidden)

    def _placed(
        self, listed: Sequence[Segment], maps: Mapping[Map | None, Map | None] = NO_MAPS, *, discontinuity: bool = False
    ) -> Iterator[Segment]:
        """At their index here; ``discontinuity`` before the first of them, whatever it says itself."""
        for segment in listed:
            yield replace(
                segment,
                index=len(self.segments),
                map=maps.get(segment.map, segment.map),
                discontinuity=discontinuity or segment.discontinuity,
            )
            discontinuity = False

    def _unseen(self, count: int, url: str) -> Iterator[Segment]:
        """Nobody knows their URLs and durations: they get that of the playlist, and that of the last segment."""
        for _ in range(count):
            yield replace(
                self.segments[-1],
                index=len(self.segments),
                sequence=self._next,
                url=url,
                title=LEFT_THE_WINDOW,
                byte_range=None,
                key=None,
                discontinuity=False,
                gap=True,
                program_date_time=None,
            )

    def _is_old(self, newest: Segment) -> bool:
        """An answer that ends with what we have: nothing has changed, or a cache gave it, even of before a restart."""
        known = (each for each in self.segments[-MAX_LAG:] if each.sequence == newest.sequence)
        return any(not _differ(each, newest, by_path=True) for each in known)

    def _restart(self, listed: Sequence[Segment], now: float) -> int | None:
        """Where in ``listed`` a new stream begins; None when all of it goes on with the one we know."""
        went_back = listed[-1].sequence < self._next - 1
        for position, mine in self._overlap(listed):
            if _differ(mine, listed[position], by_path=went_back):
                return position
        jumped = listed[0].sequence - self._next > self._plausible(now)
        return 0 if went_back or jumped else None

    def _overlap(self, listed: Sequence[Segment]) -> Iterator[tuple[int, Segment]]:
        """Position in ``listed``, and our segment of the same number, of the last ones that both know."""
        offset = len(self.segments) - self._next + listed[0].sequence  # from a position there to an index here
        stop = min(len(listed), len(self.segments) - offset)
        for position in range(max(0, self._numbering - offset, stop - COMPARED), stop):
            yield position, self.segments[offset + position]

    def _known_maps(self, listed: Sequence[Segment]) -> dict[Map | None, Map | None]:
        """URLs may carry a new token with each load. A segment that we know shows that its map is one that we know."""
        return {listed[position].map: mine.map for position, mine in self._overlap(listed) if not is_unseen(mine)}

    def _plausible(self, now: float) -> float:
        """The most segments that can have passed since the last load; a larger jump is another stream's numbering."""
        newest = self.segments[-MAX_LAG:]
        duration = max(0.1, sum(segment.duration for segment in newest) / len(newest))
        return SLACK + 2 * max(0.0, now - self.loaded_at) / duration

    @property
    def _next(self) -> int:
        return self.segments[-1].sequence + 1


def is_unseen(segment: Segment) -> bool:
    """No load has shown it: it left the window before."""
    return segment.gap and segment.title == LEFT_THE_WINDOW


def _is_same(mine: Segment, theirs: Segment) -> bool:
    """Whether two segments with the same number are the same in all that a fresh URL leaves as it is."""
    return not _differ(mine, theirs, by_path=False) and _is_alike(mine, theirs)


def _is_alike(mine: Segment, theirs: Segment) -> bool:
    return (
        abs(mine.duration - theirs.duration) < SAME_DURATION
        and mine.gap == theirs.gap
        and (mine.key and mine.key.iv) == (theirs.key and theirs.key.iv)
        and (mine.map and (mine.map.byte_range or True)) == (theirs.map and (theirs.map.byte_range or True))
    )


def _differ(mine: Segment, theirs: Segment, *, by_path: bool) -> bool:
    """Whether two segments with the same number are not the same.

    The query may be a token, and so may the folder: only the name counts, unless ``by_path``. Names may be
    tokens too, which the time of day tells.
    """
    if is_unseen(mine) or (mine.url, mine.byte_range) == (theirs.url, theirs.byte_range):
        return False
    if mine.program_date_time is not None and mine.program_date_time == theirs.program_date_time:
        return False
    (folder, name), (other_folder, other_name) = _folder_and_name(mine.url), _folder_and_name(theirs.url)
    moved = by_path and folder != other_folder
    return moved or name != other_name or mine.byte_range != theirs.byte_range


def _folder_and_name(url: str) -> tuple[str, str]:
    folder, _, name = url.partition("?")[0].rpartition("/")
    return folder, name
