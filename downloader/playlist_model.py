"""What a playlist says, in the words of RFC 8216. URLs carry secrets and stay out of ``repr``."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

_AUDIO_CODECS = ("mp4a", "ac-3", "ec-3", "ac-4", "opus", "flac", "alac", "mp3")


@dataclass(frozen=True, slots=True)
class ByteRange:
    """EXT-X-BYTERANGE (RFC 8216, 4.3.2.2), in bytes, with the offset always known."""

    offset: int
    length: int


@dataclass(frozen=True, slots=True)
class Key:
    """EXT-X-KEY with METHOD=AES-128 (4.3.2.4).

    ``iv`` has 16 bytes: those of the IV attribute, else the media sequence number.
    """

    url: str = field(repr=False)
    iv: bytes


@dataclass(frozen=True, slots=True)
class Map:
    """EXT-X-MAP (4.3.2.5): an initialization section.

    A key that covers it must have an IV attribute. Where a server leaves it out, the media sequence number of
    the next segment is taken, as ffmpeg does.
    """

    url: str = field(repr=False)
    byte_range: ByteRange | None
    key: Key | None


@dataclass(frozen=True, slots=True)
class Segment:
    """EXTINF (4.3.2.1) and all that applies to it.

    ``index`` is the position in the playlist, from 0; ``sequence`` the media sequence number (3);
    ``duration`` in seconds. A ``gap`` is never requested (rfc8216bis, 4.4.4.7).
    """

    index: int
    sequence: int
    url: str = field(repr=False)
    duration: float
    title: str = ""
    byte_range: ByteRange | None = None
    key: Key | None = None
    map: Map | None = None
    discontinuity: bool = False
    gap: bool = False
    program_date_time: datetime | None = None


@dataclass(frozen=True, slots=True)
class MediaPlaylist:
    """A playlist of segments (4.3.3).

    ``target_duration``, in seconds, is at least that of every segment, whatever the server wrote; ``ended``
    tells of EXT-X-ENDLIST.
    """

    target_duration: int
    media_sequence: int
    discontinuity_sequence: int
    version: int
    ended: bool
    playlist_type: str | None
    segments: tuple[Segment, ...]

    @property
    def is_whole(self) -> bool:
        """Nothing will be added: it has ended, or is of a type that never changes (4.3.3.5)."""
        return self.ended or self.playlist_type == "VOD"

    @property
    def maps(self) -> tuple[Map, ...]:
        """The different initialization sections, in the order of their first use."""
        return tuple(dict.fromkeys(segment.map for segment in self.segments if segment.map))


@dataclass(frozen=True, slots=True)
class Variant:
    """EXT-X-STREAM-INF (4.3.4.2). ``bandwidth`` in bits per second, 0 where unknown; sizes in pixels."""

    url: str = field(repr=False)
    bandwidth: int
    width: int | None = None
    height: int | None = None
    codecs: str | None = None
    audio_group: str | None = None
    subtitles_group: str | None = None

    @property
    def is_audio_only(self) -> bool:
        codecs = [codec.strip().lower() for codec in (self.codecs or "").split(",")]
        return self.height is None and all(codec.startswith(_AUDIO_CODECS) for codec in codecs)


@dataclass(frozen=True, slots=True)
class Rendition:
    """EXT-X-MEDIA (4.3.4.1). Without a ``url`` the variant itself carries it."""

    type: str
    group: str
    name: str
    language: str | None = None
    url: str | None = field(default=None, repr=False)
    default: bool = False
    autoselect: bool = False
    forced: bool = False
    channels: str | None = None


@dataclass(frozen=True, slots=True)
class MasterPlaylist:
    """A playlist of playlists (4.3.4). Its I-frame streams are left out: they are for seeking.

    ``variables`` are for the media playlists that import them.
    """

    variants: tuple[Variant, ...]
    renditions: tuple[Rendition, ...]
    variables: Mapping[str, str] = field(repr=False)

    def renditions_of(self, variant: Variant) -> tuple[Rendition, ...]:
        """The audio and subtitle renditions that go with ``variant``."""
        groups = {("AUDIO", variant.audio_group), ("SUBTITLES", variant.subtitles_group)}
        return tuple(media for media in self.renditions if (media.type, media.group) in groups)


def choose_variant(master: MasterPlaylist, max_height: int | None = None) -> Variant:
    """The tallest variant not taller than ``max_height`` pixels, of equals the one with most bandwidth.

    When all are taller, the best of the least tall. An unknown height counts as 0, so that it always fits.
    Audio alone is taken only where there is nothing else. Of equals the first: the others are its reserve.
    """
    variants = [each for each in master.variants if not each.is_audio_only] or master.variants
    fitting = [each for each in variants if max_height is None or (each.height or 0) <= max_height]
    if not fitting:
        least = min(each.height or 0 for each in variants)
        fitting = [each for each in variants if (each.height or 0) == least]
    return max(fitting, key=lambda each: (each.height or 0, each.bandwidth))
