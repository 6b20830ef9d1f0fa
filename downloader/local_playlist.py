"""Playlists for local playback: they name only files beside them, and need no keys and byte ranges.

A missing segment keeps its place as EXT-X-GAP. hls.js skips it by that tag; FFmpeg's demuxer does not know
it, finds no file and goes on with the next. Both play what is there and know the duration of the whole.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from downloader.playlist import Map, MasterPlaylist, MediaPlaylist, Rendition, Segment, Variant


def render(
    media: MediaPlaylist,
    *,
    segment_name: Callable[[Segment], str],
    map_name: Callable[[Map], str],
    is_stored: Callable[[Segment], bool],
    ended: bool,
) -> str:
    """The local form of ``media``; names are relative to where it will lie.

    Until it has ``ended`` it is an EVENT playlist, which may only grow (RFC 8216, 4.3.3.5): ``media`` should
    leave out the segments still open. The initialization section of a stored segment must be stored too.
    """
    lines = [
        "#EXTM3U",
        f"#EXT-X-VERSION:{_version(media, is_stored)}",
        f"#EXT-X-TARGETDURATION:{media.target_duration}",
        "#EXT-X-MEDIA-SEQUENCE:0",
        f"#EXT-X-DISCONTINUITY-SEQUENCE:{media.discontinuity_sequence}",
        f"#EXT-X-PLAYLIST-TYPE:{'VOD' if ended else 'EVENT'}",
    ]
    current_map = None
    for segment in media.segments:
        stored = is_stored(segment)
        # No player asks for the map of a gap, and it may be missing for the same reason.
        if stored and segment.map and segment.map != current_map:
            current_map = segment.map
            lines.append(f'#EXT-X-MAP:URI="{map_name(current_map)}"')
        lines += _segment(segment, segment_name(segment), gap=not stored)
    return "\n".join([*lines, "#EXT-X-ENDLIST", ""] if ended else [*lines, ""])


def _version(media: MediaPlaylist, is_stored: Callable[[Segment], bool]) -> int:
    """RFC 8216, 7: 3 for fractions of seconds, 6 for EXT-X-MAP; rfc8216bis, 8: 8 for EXT-X-GAP."""
    if not all(map(is_stored, media.segments)):
        return 8
    return 6 if any(segment.map for segment in media.segments) else 3


def _segment(segment: Segment, name: str, *, gap: bool) -> Iterator[str]:
    if segment.discontinuity:
        yield "#EXT-X-DISCONTINUITY"
    if segment.program_date_time:
        yield f"#EXT-X-PROGRAM-DATE-TIME:{segment.program_date_time.isoformat()}"
    if gap:
        yield "#EXT-X-GAP"
    yield f"#EXTINF:{segment.duration:.6f},{segment.title}"
    yield name


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
