"""The boxes of ISO base media files (ISO/IEC 14496-12, 4.2): MP4, its fragments, HEIC and AVIF."""

from __future__ import annotations

from os import SEEK_CUR
from typing import TYPE_CHECKING

from downloader.invalid import invalid

if TYPE_CHECKING:
    from pathlib import Path

MAX_BOXES = 1_000_000  # of one file: they may be empty, and many
FIRST_BOXES = frozenset(b"ftyp styp moov moof sidx emsg prft mdat free skip wide uuid".split())
_LONG_SIZE = b"\0\0\0\1"  # the size follows in 64 bits
_UNBOUNDED = 2**66  # stands for a box that reaches to the end of the file; no size in 64 bits is near it


class BoxWalk:
    """Goes over the top-level boxes of a file as its bytes pass. ``kinds`` holds those met so far."""

    def __init__(self, most: int = MAX_BOXES) -> None:
        self.kinds: set[bytes] = set()
        self._most = most
        self._header = bytearray()
        self._left = 0
        self._count = 0

    def update(self, data: bytes | memoryview) -> None:
        """Raises TransferError at a header that is none."""
        position = 0
        while position < len(data):
            position += self.skip(len(data) - position) or self._read(data[position : position + 16])

    def skip(self, available: int) -> int:
        """How many of the next ``available`` bytes belong to the box that is open; they count as passed."""
        passed = min(self._left, available)
        self._left -= passed
        return passed

    def _read(self, data: bytes | memoryview) -> int:
        passed = min(self._header_size() - len(self._header), len(data))
        self._header += data[:passed]
        if len(self._header) == self._header_size():
            kind, self._left = _payload(bytes(self._header))
            self._header.clear()
            self.kinds.add(kind)
            self._count += 1
            if self._count > self._most:
                raise invalid("box", "there are too many of them")
        return passed

    def _header_size(self) -> int:
        return 16 if len(self._header) >= 8 and self._header.startswith(_LONG_SIZE) else 8

    def finish(self) -> None:
        """Raises TransferError when the end came inside a box."""
        if self._header or 0 < self._left < _UNBOUNDED // 2:
            raise invalid("truncated", "the file ends inside a box", retry=True)


def box_kinds(path: Path, most: int = MAX_BOXES) -> set[bytes]:
    """The kinds of all top-level boxes, which together are the whole file.

    Raises TransferError when they are not, or more than ``most``; and OSError.
    """
    walk, size = BoxWalk(most), path.stat().st_size
    with path.open("rb", buffering=0) as file:
        while header := file.read(16):
            walk.update(header)
            file.seek(walk.skip(size - file.tell()), SEEK_CUR)
    walk.finish()
    return walk.kinds


def _payload(header: bytes) -> tuple[bytes, int]:
    """The kind of a box and the bytes that follow its header."""
    size, kind = int.from_bytes(header[:4]), header[4:8]
    if header.startswith(_LONG_SIZE):
        size = int.from_bytes(header[8:16])
    if not kind.isascii() or not kind.decode("ascii").isprintable():
        raise invalid("box", "something else stands where a box should begin")
    if size and size < len(header):
        raise invalid("box", "a box is shorter than its own header")
    return kind, size - len(header) if size else _UNBOUNDED
