"""What the seeds of the fault matrix download: each kind of media, and the pieces that it consists of."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from posixpath import dirname, join

from tests import media
from tests.renditions import RenditionStream, with_renditions

MIB = 1024 * 1024
FILM_RATE = MIB  # bytes a second, a connection: slow enough for a film to be split


@dataclass(frozen=True)
class Piece:
    """Something that is asked for. ``path`` is the origin's, ``span`` the Range that must be asked for, if any.

    A segment has a ``track`` and an ``index``, its bytes once it is stored in ``plain``, and what it ``needs``.
    """

    place: str  # playlist, key, map, segment, film, picture
    path: str
    span: str | None = None
    size: int = 0
    track: str | None = None
    index: int | None = None
    plain: bytes = field(default=b"", repr=False)
    needs: tuple[Piece, ...] = field(default=(), repr=False)

    @property
    def is_main(self) -> bool:
        """Whether there is nothing without this playlist."""
        return self.track in (None, "ts")

    @property
    def all_needed(self) -> set[Piece]:
        """Itself, its key, its initialization section, and the key of that."""
        return {self}.union(*(piece.all_needed for piece in self.needs))


@dataclass(frozen=True)
class Media:
    """``files`` are what the origin serves, ``url`` is the path that a task gets."""

    kind: str
    url: str
    files: Mapping[str, bytes] = field(repr=False)
    pieces: tuple[Piece, ...] = field(repr=False)
    rate: float | None = None

    @property
    def segments(self) -> list[Piece]:
        """What the result consists of: segments, or the one file."""
        return [piece for piece in self.pieces if piece.place in ("segment", "film", "picture")]


@cache
def media_of(name: str) -> Media:
    """One of ``KINDS``; encoded once."""
    return KINDS[name]()


def _hls(stream: media.HlsStream) -> Media:
    playlist = Piece("playlist", f"/{stream.media}", size=len(stream.files[stream.media]))
    pieces = [playlist, *_listed(stream.files, stream.media, "ts", (stream.init, *stream.segments))]
    if stream.master is not None:
        pieces.append(Piece("playlist", f"/{stream.master}", size=len(stream.files[stream.master])))
    return Media("HLS", f"/{stream.master or stream.media}", stream.files, tuple(dict.fromkeys(pieces)))


def _with_renditions(stream: RenditionStream) -> Media:
    tracks = {
        "picture": ("ts", (None, *stream.picture)),
        "sound": ("audio_0", (stream.sound_init, *stream.sound)),
        "text": ("subtitles_0", (None, *stream.text)),
    }
    pieces = [Piece("playlist", f"/{stream.master}", size=len(stream.files[stream.master]))]
    for folder, (track, plain) in tracks.items():
        name = f"{folder}/index.m3u8"
        playlist = Piece("playlist", f"/{name}", size=len(stream.files[name]), track=track)
        pieces += [playlist, *_listed(stream.files, name, track, plain)]
    return Media("HLS", f"/{stream.master}", stream.files, tuple(dict.fromkeys(pieces)))


def _listed(files: Mapping[str, bytes], playlist: str, track: str, plain: tuple[bytes | None, ...]) -> Iterator[Piece]:
    """What a media playlist names, read by a few rules of its own: keys, maps and segments."""
    init, segments = plain[0], [body or b"" for body in plain[1:]]
    key: Piece | None = None
    section: Piece | None = None
    ends = dict[str, int]()
    span, index = None, 0
    for line in files[playlist].decode().splitlines():
        named = re.search(r'URI="([^"]+)"', line)
        name = join(dirname(playlist), named[1] if named else line)
        if line.startswith("#EXT-X-KEY"):
            key = Piece("key", f"/{name}", size=16)
            yield key
        elif line.startswith("#EXT-X-MAP"):
            found = re.search(r'BYTERANGE="(\d+)@(\d+)"', line)
            start, length = (int(found[2]), int(found[1])) if found else (0, len(files[name]))
            asked = f"bytes={start}-{start + length - 1}" if found else None
            section = Piece("map", f"/{name}", asked, length, track, None, init or b"", tuple(filter(None, [key])))
            yield section
        elif line.startswith("#EXT-X-BYTERANGE"):
            span = line.partition(":")[2]
        elif not line.startswith("#"):
            start, length = _span(span, ends.get(name, 0), len(files[name]))
            asked = f"bytes={start}-{start + length - 1}" if span else None
            ends[name], span = start + length, None
            needed = tuple(filter(None, [key, section]))
            yield Piece("segment", f"/{name}", asked, length, track, index, segments[index], needed)
            index += 1


def _span(text: str | None, implied: int, whole: int) -> tuple[int, int]:
    """First byte and length."""
    if text is None:
        return 0, whole
    length, _, start = text.partition("@")
    return int(start or implied), int(length)


def _file(kind: str, path: str, body: bytes, rate: float | None = None) -> Media:
    piece = Piece("film" if kind == "MP4" else "picture", path, None, len(body), None, None, body)
    return Media(kind, path, {path[1:]: body}, (piece,), rate)


KINDS: dict[str, Callable[[], Media]] = {
    "TS": lambda: _hls(media.hls_vod(10, 0.5)),
    "TS of a master": lambda: _hls(media.hls_vod(10, 0.5, variants=2)),
    "fMP4": lambda: _hls(media.hls_vod(10, 0.5, fmp4=True)),
    "AES, keys change": lambda: _hls(media.hls_vod(10, 0.5, encryption="rotation", media_sequence=7)),
    "AES, an IV": lambda: _hls(media.hls_vod(10, 0.5, encryption="explicit")),
    "AES in fMP4": lambda: _hls(media.hls_vod(10, 0.5, fmp4=True, encryption="explicit")),
    "byte ranges": lambda: _hls(media.hls_vod(10, 0.5, byte_ranges="implied")),
    "byte ranges in fMP4": lambda: _hls(media.hls_vod(10, 0.5, fmp4=True, byte_ranges="explicit")),
    "AES in byte ranges": lambda: _hls(media.hls_vod(10, 0.5, byte_ranges="explicit", encryption="sequence")),
    "renditions": lambda: _with_renditions(with_renditions(4)),
    "renditions in fMP4": lambda: _with_renditions(with_renditions(4, fmp4=True)),
    "film in ranges": lambda: _file("MP4", "/film.mp4", media.mp4(min_bytes=12 * MIB), FILM_RATE),
    "film": lambda: _file("MP4", "/film.mp4", media.mp4(min_bytes=300_000)),
    "PNG": lambda: _file("IMAGE", "/picture", media.png(200, 200)),
    "JPEG": lambda: _file("IMAGE", "/picture", media.jpeg()),
    "WebP": lambda: _file("IMAGE", "/picture", media.webp()),
    "GIF": lambda: _file("IMAGE", "/picture", media.gif()),
}
