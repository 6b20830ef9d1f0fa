"""Playlists for local playback: they name only files beside them, and need no keys and byte ranges.

A missing segment keeps its place as EXT-X-GAP. hls.js skips it by that tag; FFmpeg's demuxer does not know
it, finds no file and goes on with the next. Both play what is there and know the duration of the whole.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from downloader.playlist import Map, MasterPlaylist, Rendition, Segment, Variant
    from downloader.timeline import Timeline


class LocalPlaylist:
    """The local form of a track, which grows from the start; names are relative to where it will lie.

    Only what is new is rendered: 20,000 segments a second anew would cost half a core.
    """

    def __init__(
        self, timeline: Timeline, segment_name: Callable[[Segment], str], map_name: Callable[[Map], str]
    ) -> None:
        self.count = 0  # segments listed
        self._timeline = timeline
        self._segment_name = segment_name
        self._map_name = map_name
        self._map: Map | None = None
        self._version = 3  # RFC 8216, 7: fractions of seconds
        self._body = bytearray()

    def advance(self, stop: int, is_stored: Callable[[Segment], bool | None]) -> bool:
        """List on, up to the index ``stop`` or to a segment that is still open (None); whether that added any."""
        before = self.count
        while self.count < stop:
            segment = self._timeline.segments[self.count]
            stored = is_stored(segment)
            if stored is None:
                break
            self._body += "\n".join([*self._lines(segment, gap=not stored), ""]).encode()
            self.count += 1
        return self.count > before

    def render(self, *, ended: bool) -> bytes:
        """The playlist as it now is. Until it has ``ended`` it is an EVENT, which may only grow (4.3.3.5)."""
        head = [
            "#EXTM3U",
            f"#EXT-X-VERSION:{self._version}",
            f"#EXT-X-TARGETDURATION:{self._timeline.target_duration}",
            "#EXT-X-MEDIA-SEQUENCE:0",
            f"#EXT-X-DISCONTINUITY-SEQUENCE:{self._timeline.discontinuity_sequence}",
            f"#EXT-X-PLAYLIST-TYPE:{'VOD' if ended else 'EVENT'}",
            "",
        ]
        return b"".join(["\n".join(head).encode(), self._body, b"#EXT-X-ENDLIST\n" if ended else b""])

    def _lines(self, segment: Segment, *, gap: bool) -> Iterator[str]:
        # No player asks for the map of a gap, and it may be missing for the same reason.
        if not gap and segment.map is not None and segment.map != self._map:
            self._map = segment.map
            self._version = max(6, self._version)  # RFC 8216, 7
            yield f'#EXT-X-MAP:URI="{self._map_name(self._map)}"'
        if segment.discontinuity:
            yield "#EXT-X-DISCONTINUITY"
        if segment.program_date_time:
            yield f"#EXT-X-PROGRAM-DATE-TIME:{segment.program_date_time.isoformat()}"
        if gap:
            self._version = 8  # rfc8216bis, 8
            yield "#EXT-X-GAP"
        yield f"#EXTINF:{segment.duration:.6f},{segment.title}"
        yield self._segment_name(segment)


def render_master(
    master: MasterPlaylist, variant: Variant, media_name: str, rendition_names: Mapping[Rendition, str]
) -> str:
    """The local master playlist of one variant and its stored renditions.

    A rendition without a name is missing and left out, unless the variant itself carries it.
    """
    renditions = [media for media in master.renditions_of(variant) if media.url is None or media in rendition_names]
    media_lines = [_media(media, rendition_names.get(media)) for media in renditions]
    stream = f"#EXT-X-STREAM-INF:{_stream({media.type for media in renditions}, variant)}"
    return "\n".join(["#EXTM3U", "#EXT-X-VERSION:6", *media_lines, stream, media_name, ""])


def _media(media: Rendition, name: str | None) -> str:
    attributes = {
        "TYPE": media.type,
        "GROUP-ID": _quoted(media.group),
        "NAME": _quoted(media.name),
        "LANGUAGE": _quoted(media.language),
        "DEFAULT": "YES" if media.default else "NO",
        "AUTOSELECT": "YES" if media.autoselect or media.default else "NO",
        "FORCED": "YES" if media.forced else None,
        "CHANNELS": _quoted(media.channels),
        "URI": _quoted(name),
    }
    return f"#EXT-X-MEDIA:{_list(attributes)}"


def _stream(types: set[str], variant: Variant) -> str:
    size = f"{variant.width}x{variant.height}" if variant.width and variant.height else None
    return _list(
        {
            "BANDWIDTH": str(variant.bandwidth),
            "RESOLUTION": size,
            "CODECS": _quoted(variant.codecs),
            "AUDIO": _quoted(variant.audio_group) if "AUDIO" in types else None,
            "SUBTITLES": _quoted(variant.subtitles_group) if "SUBTITLES" in types else None,
        }
    )


def _list(attributes: Mapping[str, str | None]) -> str:
    return ",".join(f"{name}={value}" for name, value in attributes.items() if value is not None)


def _quoted(text: str | None) -> str | None:
    return None if text is None else '"{}"'.format(text.replace('"', "'"))
