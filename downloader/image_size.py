"""How large an image is, by its header: a few bytes that need no decoder, and no process to keep one in."""

from __future__ import annotations

import mmap
from collections.abc import Callable
from pathlib import Path

from domain.ports import MediaFacts
from downloader.images import MAX_SEGMENTS

Size = tuple[int, int]

_SHORTEST = 30  # bytes: no header that is read here ends later
_NO_FRAME = frozenset({0xC4, 0xC8, 0xCC})  # among the frame headers SOF0 to SOF15, ITU-T T.81, table B.1


def image_facts(path: Path, key: str) -> MediaFacts | None:
    """Of a whole PNG, JPEG, GIF, WebP or BMP image, which its ``key`` says that it is.

    None for others, and where the header makes no sense.
    """
    kind = key.rpartition(".")[2]
    read = _SIZES.get(kind)
    if read is None:
        return None
    try:
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            size = read(content) if len(content) >= _SHORTEST else None
    except OSError:  # removed just now
        return None
    if size is None or 0 in size:
        return None
    return MediaFacts(None, *size, "jpeg" if kind == "jpg" else kind)


def _png(content: mmap.mmap) -> Size | None:
    """IHDR comes first (ISO/IEC 15948, 11.2.2)."""
    if content[12:16] != b"IHDR":
        return None
    return int.from_bytes(content[16:20]), int.from_bytes(content[20:24])


def _jpeg(content: mmap.mmap) -> Size | None:
    """The first frame header (ITU-T T.81, B.2.2)."""
    at = 2
    for _ in range(MAX_SEGMENTS):
        if at + 9 > len(content) or content[at] != 0xFF:
            break
        marker, length = content[at + 1], int.from_bytes(content[at + 2 : at + 4])
        if 0xC0 <= marker <= 0xCF and marker not in _NO_FRAME:
            return int.from_bytes(content[at + 7 : at + 9]), int.from_bytes(content[at + 5 : at + 7])
        at += 2 + length
    return None


def _gif(content: mmap.mmap) -> Size:
    return _little(content[6:8]), _little(content[8:10])


def _webp(content: mmap.mmap) -> Size | None:
    """The first chunk: lossy, lossless (RFC 6386, 9.1; RFC 9649, 3.4) or extended (RFC 9649, 2.7)."""
    match content[12:16]:
        case b"VP8 ":
            return _little(content[26:28]) & 0x3FFF, _little(content[28:30]) & 0x3FFF
        case b"VP8L":
            bits = _little(content[21:25])
            return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
        case b"VP8X":
            return _little(content[24:27]) + 1, _little(content[27:30]) + 1
    return None


def _bmp(content: mmap.mmap) -> Size:
    """The oldest header has short fields; in the others a negative height means rows from top to bottom."""
    if _little(content[14:18]) == 12:
        return _little(content[18:20]), _little(content[20:22])
    width, height = (int.from_bytes(content[at : at + 4], "little", signed=True) for at in (18, 22))
    return max(width, 0), abs(height)


def _little(part: bytes) -> int:
    return int.from_bytes(part, "little")


_SIZES: dict[str, Callable[[mmap.mmap], Size | None]] = {
    "png": _png,
    "jpg": _jpeg,
    "gif": _gif,
    "webp": _webp,
    "bmp": _bmp,
}
