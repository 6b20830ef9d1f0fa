"""A live track on disk: how a recording goes on after a kill or a pause, and what retries read when it is over.

The origin's window has moved on by then. What it has listed is kept as playlists with the origin's URLs, in
parts, so that a save costs the same after a day as in the first minute. A part is replaced in one step.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import count, pairwise
from typing import TYPE_CHECKING

from domain.errors import TransferError
from downloader.playlist import parse
from downloader.playlist_model import ByteRange, Key, Map, MediaPlaylist, Segment
from downloader.timeline import Timeline

if TYPE_CHECKING:
    from domain.ports import Storage

PART = 256  # segments

_LOADED_AT = "# loaded at "  # seconds since 1970; a remark, which players do not read


class Recording:
    """The saved parts of one track; ``key_for`` names them by their number."""

    def __init__(self, storage: Storage, key_for: Callable[[int], str]) -> None:
        self._storage = storage
        self._key_for = key_for
        self._starts: list[int] = []  # the index at which each part begins
        self._saved = 0

    def load(self, limit: int) -> Timeline | None:
        """What was saved, to be followed up to ``limit`` segments; None if nothing was. Raises StorageError."""
        timeline = None
        for part, loaded_at in self._parts():
            if timeline is None:
                timeline = Timeline(discontinuity_sequence=part.discontinuity_sequence, limit=limit)
            self._starts.append(len(timeline.segments))
            timeline.extend(part, loaded_at)
            self._saved = len(timeline.segments)
        return timeline

    def _parts(self) -> Iterator[tuple[MediaPlaylist, float]]:
        """A part that a power cut has spoiled ends the recording there."""
        for number in count():
            text = self._storage.read(self._key_for(number))
            try:
                part = parse(text or b"", "", max_segments=PART)
            except TransferError:
                return
            if not isinstance(part, MediaPlaylist):
                return
            yield part, _loaded_at(text or b"")

    def save(self, timeline: Timeline) -> None:
        """Keep what ``timeline`` has gained. Raises StorageError."""
        segments, starts = timeline.segments, list(self._starts)
        for index in range(self._saved, len(segments)):
            if not starts or index - starts[-1] == PART or not _follows(segments[index - 1], segments[index]):
                starts.append(index)
        changed = max(0, len(self._starts) - 1)
        for number, (start, stop) in enumerate(pairwise([*starts[changed:], len(segments)]), changed):
            text = _render(timeline, segments[start:stop], ended=timeline.ended and stop == len(segments))
            self._storage.write(self._key_for(number), text.encode())
        self._starts, self._saved = starts, len(segments)


def _follows(one: Segment, other: Segment) -> bool:
    """What one playlist can say: numbers go up one by one, and once there is a map there is always one."""
    return other.sequence == one.sequence + 1 and not (one.map is not None and other.map is None)


def _loaded_at(text: bytes) -> float:
    line = next(line for line in text.decode().splitlines() if line.startswith(_LOADED_AT))
    return float(line.removeprefix(_LOADED_AT))


def _render(timeline: Timeline, segments: Sequence[Segment], *, ended: bool) -> str:
    lines = [
        "#EXTM3U",
        "#EXT-X-VERSION:8",
        f"{_LOADED_AT}{timeline.loaded_at:.3f}",
        f"#EXT-X-TARGETDURATION:{timeline.target_duration}",
        f"#EXT-X-MEDIA-SEQUENCE:{segments[0].sequence}",
        f"#EXT-X-DISCONTINUITY-SEQUENCE:{timeline.discontinuity_sequence}",
        *_lines(segments),
    ]
    return "\n".join([*lines, "#EXT-X-ENDLIST", ""] if ended else [*lines, ""])


def _lines(segments: Sequence[Segment]) -> Iterator[str]:
    key: Key | None = None
    section: Map | None = None
    for segment in segments:
        if segment.map is not None and segment.map != section:
            section = segment.map
            if section.key != key:  # it covers the map too (RFC 8216, 4.3.2.4)
                key = section.key
                yield _key(key)
            yield f"#EXT-X-MAP:URI={_quoted(section.url)}{_map_range(section.byte_range)}"
        if segment.key != key:
            key = segment.key
            yield _key(key)
        yield from _segment(segment)


def _segment(segment: Segment) -> Iterator[str]:
    if segment.discontinuity:
        yield "#EXT-X-DISCONTINUITY"
    if segment.program_date_time is not None:
        yield f"#EXT-X-PROGRAM-DATE-TIME:{segment.program_date_time.isoformat()}"
    if segment.gap:
        yield "#EXT-X-GAP"
    if segment.byte_range is not None:
        yield f"#EXT-X-BYTERANGE:{segment.byte_range.length}@{segment.byte_range.offset}"
    yield f"#EXTINF:{segment.duration!r},{segment.title}"
    yield segment.url


def _key(key: Key | None) -> str:
    if key is None:
        return "#EXT-X-KEY:METHOD=NONE"
    return f"#EXT-X-KEY:METHOD=AES-128,URI={_quoted(key.url)},IV=0x{key.iv.hex()}"


def _map_range(byte_range: ByteRange | None) -> str:
    return "" if byte_range is None else f',BYTERANGE="{byte_range.length}@{byte_range.offset}"'


def _quoted(url: str) -> str:
    return '"{}"'.format(url.replace('"', "%22"))
