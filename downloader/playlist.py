"""Reads playlists as RFC 8216 and its successor, rfc8216bis, describe them. Pure logic, no network.

The m3u8 package goes over the lines. What it leaves out, gets wrong or dies of is read here: variables, keys
by their format, keys of initialization sections, implied byte ranges, and attributes that make no sense.
"""

from __future__ import annotations

import math
import re
from datetime import datetime
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin

import m3u8

from downloader.invalid import invalid
from downloader.playlist_keys import KeysInForce
from downloader.playlist_lines import NO_VARIABLES, Variables, attributes, decode
from downloader.playlist_model import (
    ByteRange,
    Key,
    Map,
    MasterPlaylist,
    MediaPlaylist,
    Rendition,
    Segment,
    Variant,
    choose_variant,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from downloader.playlist_lines import Attributes

__all__ = [
    "ByteRange",
    "Key",
    "Map",
    "MasterPlaylist",
    "MediaPlaylist",
    "Rendition",
    "Segment",
    "Variant",
    "choose_variant",
    "parse",
]

MAX_STREAMS = 1_000  # variants, and renditions, of one master playlist
MAX_DURATION = 1_000_000  # seconds of one segment
_FILE_NAME = re.compile(r"[\w-][\w.-]*", re.ASCII)  # to resolve such a reference takes a third of the parsing
MAX_INTEGER = 2**64 - 1  # RFC 8216, 4.2: decimal-integer


def parse(
    text: bytes,
    base_url: str,
    *,
    max_segments: int,
    max_live_segments: int | None = None,
    imported: Mapping[str, str] = NO_VARIABLES,
) -> MasterPlaylist | MediaPlaylist:
    """Read a playlist. Its URIs are relative to ``base_url``, where it was found after all redirects.

    ``imported`` are the variables of the master playlist. What is too long is refused before it is read;
    ``max_live_segments``, if given, is the limit of a playlist without EXT-X-ENDLIST. A live playlist may have
    no segments yet. Raises TransferError.
    """
    variables = Variables(base_url, imported)
    content = variables.replace_all(decode(text, max_segments, max_live_segments or max_segments))
    reader = _Reader(base_url)
    try:
        data = m3u8.parse(content, custom_tags_parser=reader)
        reader.take(data)
    except (ValueError, LookupError, ArithmeticError):
        raise invalid("syntax", f"the playlist cannot be read from line {reader.line} on") from None
    if data["is_variant"] and reader.segments:
        raise invalid("syntax", "the playlist lists both variants and segments")
    if data["is_variant"]:
        return _master(data, base_url, variables.values)
    return _media(data, reader.segments)


def _media(data: dict[str, Any], segments: list[Segment]) -> MediaPlaylist:
    ended, declared = data["is_endlist"], data.get("targetduration", 0)
    if not segments and (ended or not declared):
        raise invalid("empty playlist", "it has no segments")
    return MediaPlaylist(
        target_duration=max([declared, *(math.floor(segment.duration + 0.5) for segment in segments)]),
        media_sequence=data["media_sequence"],
        discontinuity_sequence=data.get("discontinuity_sequence", 0),
        version=data.get("version", 1),
        ended=ended,
        playlist_type=(data["playlist_type"] or "").upper() or None,
        segments=tuple(segments),
    )


def _master(data: dict[str, Any], base_url: str, variables: Mapping[str, str]) -> MasterPlaylist:
    variants, renditions = data["playlists"], data["media"]
    if not variants:
        raise invalid("empty playlist", "it has no variants")
    if max(len(variants), len(renditions)) > MAX_STREAMS:
        raise invalid("over a limit", f"the master playlist has more than {MAX_STREAMS} entries")
    return MasterPlaylist(
        variants=tuple(_variant(each["stream_info"], _resolve(base_url, each["uri"])) for each in variants),
        renditions=tuple(_rendition(each, base_url) for each in renditions),
        variables=variables,
    )


def _variant(tag: Attributes, url: str) -> Variant:
    size = re.fullmatch(r"([0-9]{1,6})x([0-9]{1,6})", tag.get("RESOLUTION", ""))
    bandwidth = re.match(r"[0-9]{1,15}", tag.get("BANDWIDTH", ""))
    return Variant(
        url=url,
        bandwidth=int(bandwidth[0]) if bandwidth else 0,
        width=int(size[1]) if size else None,
        height=int(size[2]) if size else None,
        codecs=tag.get("CODECS"),
        audio_group=tag.get("AUDIO"),
        subtitles_group=tag.get("SUBTITLES"),
    )


def _rendition(tag: Attributes, base_url: str) -> Rendition:
    uri = tag.get("URI")
    return Rendition(
        type=tag.get("TYPE", ""),
        group=tag.get("GROUP-ID", ""),
        name=tag.get("NAME", ""),
        language=tag.get("LANGUAGE"),
        url=_resolve(base_url, uri) if uri else None,
        default=tag.get("DEFAULT") == "YES",
        autoselect=tag.get("AUTOSELECT") == "YES",
        forced=tag.get("FORCED") == "YES",
        channels=tag.get("CHANNELS"),
    )


class _Reader:
    """Reads the tags that m3u8 does not read well, and takes each segment over once it is whole.

    m3u8 spends 1.1 KB on a segment: 20,000 of them at a time would cost 22 MiB.
    """

    def __init__(self, base_url: str) -> None:
        self.segments: list[Segment] = []
        self.line = 0
        # Segments repeat their key's URI: it is resolved once, and is one string in memory.
        self._resolve = lru_cache(maxsize=16)(partial(_resolve, base_url))
        self._folder = _resolve(base_url, "x")[:-1]
        self._keys = KeysInForce()
        self._map: Map | None = None
        self._next_map: tuple[Attributes, KeysInForce] | None = None
        self._date: datetime | None = None

    def __call__(self, line: str, number: int, data: dict[str, Any], state: dict[str, Any]) -> bool:
        """Called by m3u8 with every tag; False leaves the tag to it."""
        self.take(data)
        self.line = number
        tag, _, value = line.partition(":")
        if tag == "#EXT-X-KEY":
            self._keys = self._keys.followed_by(attributes(line))
        elif tag == "#EXT-X-MAP":
            self._next_map = attributes(line), self._keys
        elif tag == "#EXT-X-PROGRAM-DATE-TIME":
            self._date = _date(value)
        elif tag == "#EXT-X-STREAM-INF":
            data["is_variant"] = state["expect_playlist"] = True
            state["stream_info"] = attributes(line)
        elif tag == "#EXT-X-MEDIA":
            data["media"].append(attributes(line))
        elif tag in _NUMBERS:
            name, read = _NUMBERS[tag]
            data[name] = read(value)
        return tag not in _LEFT_TO_M3U8

    def take(self, data: dict[str, Any]) -> None:
        """Turn what m3u8 has read into segments; at most one at a time, so that keys and maps still apply."""
        for raw in data["segments"]:
            self.segments.append(self._segment(raw, data["media_sequence"] + len(self.segments)))
        data["segments"].clear()

    def _segment(self, raw: dict[str, Any], sequence: int) -> Segment:
        index, duration = len(self.segments), raw.get("duration", math.nan)
        if "uri" not in raw:
            raise invalid("truncated", "the playlist ends in the middle of a segment", retry=True)
        if not 0 <= duration <= MAX_DURATION:
            raise invalid("syntax", f"segment {index} has no possible duration")
        url = self._folder + raw["uri"] if _FILE_NAME.fullmatch(raw["uri"]) else self._resolve(raw["uri"])
        date, self._date = self._date, None
        return Segment(
            index=index,
            sequence=sequence,
            url=url,
            duration=duration,
            title="" if "#EXT" in raw["title"] else raw["title"],  # m3u8 would read a tag in it the next time
            byte_range=self._byte_range(raw.get("byterange"), url),
            key=self._keys.key(sequence, self._resolve),
            map=self._current_map(sequence),
            discontinuity=raw["discontinuity"],
            gap=bool(raw["gap_tag"]),
            program_date_time=date,
        )

    def _byte_range(self, text: str | None, url: str) -> ByteRange | None:
        if text is None:
            return None
        previous = self.segments[-1] if self.segments else None
        if previous and previous.byte_range and previous.url == url:
            return _byte_range(text, previous.byte_range.offset + previous.byte_range.length)
        return _byte_range(text)

    def _current_map(self, sequence: int) -> Map | None:
        if self._next_map is not None:
            (tag, keys), self._next_map = self._next_map, None
            if not tag.get("URI"):
                raise invalid("syntax", "an initialization section has no URI")
            span = _byte_range(tag["BYTERANGE"], 0) if "BYTERANGE" in tag else None
            self._map = Map(self._resolve(tag["URI"]), span, keys.key(sequence, self._resolve))
        return self._map


def _byte_range(text: str, implied: int | None = None) -> ByteRange:
    parts = re.fullmatch(r"([0-9]{1,18})(?:@([0-9]{1,18}))?", text.strip())
    offset = int(parts[2]) if parts and parts[2] else implied
    if parts is None or offset is None or int(parts[1]) == 0:
        raise invalid("byte range", "a byte range is malformed, or has no offset and nothing to follow")
    return ByteRange(offset, int(parts[1]))


def _integer(text: str) -> int:
    if not re.fullmatch(r"[0-9]{1,20}", text.strip()) or int(text) > MAX_INTEGER:
        raise ValueError
    return int(text)


def _whole_seconds(text: str) -> int:
    """The target duration is an integer (4.3.3.1); servers that write fractions are met all the same."""
    seconds = math.ceil(float(text))
    if not 0 <= seconds <= MAX_DURATION:
        raise ValueError
    return seconds


def _date(text: str) -> datetime | None:
    try:
        return datetime.fromisoformat(text.strip())
    except ValueError:
        return None


def _resolve(base_url: str, uri: str) -> str:
    """RFC 3986, 5. A URI that makes no sense stays as it is: its piece will fail, the others need not."""
    try:
        return urljoin(base_url, uri)
    except ValueError:
        return uri


_LEFT_TO_M3U8 = frozenset(
    {
        "#EXTINF",
        "#EXT-X-BYTERANGE",
        "#EXT-X-DISCONTINUITY",
        "#EXT-X-ENDLIST",
        "#EXT-X-GAP",
        "#EXT-X-PLAYLIST-TYPE",
    }
)
_NUMBERS: dict[str, tuple[str, Callable[[str], int]]] = {
    "#EXT-X-DISCONTINUITY-SEQUENCE": ("discontinuity_sequence", _integer),
    "#EXT-X-MEDIA-SEQUENCE": ("media_sequence", _integer),
    "#EXT-X-TARGETDURATION": ("targetduration", _whole_seconds),
    "#EXT-X-VERSION": ("version", _integer),
}
