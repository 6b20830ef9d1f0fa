"""Images: what they are by their first bytes, and whether they are there to the last."""

from __future__ import annotations

import mmap
from typing import TYPE_CHECKING

from downloader.boxes import box_kinds
from downloader.invalid import invalid, unrecognised

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

HEAD = 64  # bytes that tell one kind of image from another
# They may be empty: an image of 256 MiB has room for 60 million, and a walk over them takes a minute.
MAX_SEGMENTS = 10_000  # of a JPEG, before its first scan
MAX_CHUNKS = 100_000  # of a PNG
MAX_BOXES = 1_000  # of an AVIF or HEIC

_SIGNATURES = (
    (b"\xff\xd8\xff", ".jpg"),
    (b"\x89PNG\r\n\x1a\n", ".png"),
    (b"GIF87a", ".gif"),
    (b"GIF89a", ".gif"),
)
_HEIC_BRANDS = frozenset({b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"})
_AVIF_BRANDS = frozenset({b"avif", b"avis"})
_BMP_HEADER_SIZES = frozenset({12, 40, 52, 56, 64, 108, 124})


def image_extension(head: bytes) -> str | None:
    """The extension that belongs to the first 64 bytes of an image; None when they are none. SVG is text."""
    for signature, extension in _SIGNATURES:
        if head.startswith(signature):
            return extension
    if head.startswith(b"RIFF") and head[8:12] == b"WEBP":
        return ".webp"
    if head.startswith(b"BM") and int.from_bytes(head[14:18], "little") in _BMP_HEADER_SIZES:
        return ".bmp"
    return _by_brand(head) if head[4:8] == b"ftyp" else None


def _by_brand(head: bytes) -> str | None:
    """ISO/IEC 23008-12: an AVIF image may have a general major brand, and be told by its compatible ones."""
    end = min(int.from_bytes(head[:4]), HEAD)
    brands = {head[8:12], *(head[at : at + 4] for at in range(16, end, 4))}
    if brands & _AVIF_BRANDS:
        return ".avif"
    return ".heic" if brands & _HEIC_BRANDS else None


def verify_image(path: Path) -> str:
    """The extension of a whole image. Raises TransferError, also for SVG, which is a program; and OSError."""
    size = path.stat().st_size
    with path.open("rb") as file:
        head = file.read(HEAD)
        if not head:
            raise invalid("empty", "the answer had no bytes", retry=True)
        extension = image_extension(head)
        if extension is None:
            raise unrecognised(head, invalid("signature", "this is no image of a known kind"))
        if extension in _IS_WHOLE:
            with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
                whole = _IS_WHOLE[extension](content, size)
        else:
            whole = b"meta" in box_kinds(path, MAX_BOXES)
    if not whole:
        raise invalid("truncated", "the image has no end", retry=True)
    return extension


def _png_is_whole(content: mmap.mmap, size: int) -> bool:
    """Chunk by chunk (ISO/IEC 15948, 5.3) to IEND; what follows it belongs to nobody."""
    at = 8
    for _ in range(MAX_CHUNKS):
        if at + 12 > size:
            return False
        length, kind = int.from_bytes(content[at : at + 4]), content[at + 4 : at + 8]
        at += 12 + length
        if kind == b"IEND":
            return at <= size
    raise invalid("chunk", "there are too many of them")


def _jpeg_is_whole(content: mmap.mmap, size: int) -> bool:
    """EOI after the first scan; the thumbnail in front of it has one of its own (ITU-T T.81, B.1.1)."""
    at = 2
    for _ in range(MAX_SEGMENTS):
        if at + 4 > size or content[at] != 0xFF:
            return False
        if content[at + 1] == 0xDA:
            return content.rfind(b"\xff\xd9", at) != -1
        at += 2 + int.from_bytes(content[at + 2 : at + 4])
    raise invalid("segment", "there are too many of them")


def _gif_is_whole(content: mmap.mmap, size: int) -> bool:
    return content[max(0, size - 1024) :].rstrip(b"\0\r\n").endswith(b";")


def _webp_is_whole(content: mmap.mmap, size: int) -> bool:
    return int.from_bytes(content[4:8], "little") + 8 <= size


def _bmp_is_whole(content: mmap.mmap, size: int) -> bool:
    return int.from_bytes(content[2:6], "little") <= size


_IS_WHOLE: dict[str, Callable[[mmap.mmap, int], bool]] = {
    ".png": _png_is_whole,
    ".jpg": _jpeg_is_whole,
    ".gif": _gif_is_whole,
    ".webp": _webp_is_whole,
    ".bmp": _bmp_is_whole,
}
