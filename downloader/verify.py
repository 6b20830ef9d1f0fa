"""Is this the media it should be? Segments are looked at as their bytes pass, whole files on disk.

To an HTTP client a truncated chunked body or an error page is an answer like any other. The content tells.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum, StrEnum, auto
from typing import TYPE_CHECKING, Protocol

from xxhash import xxh3_128

from downloader.boxes import FIRST_BOXES, BoxWalk, box_kinds
from downloader.images import image_extension
from downloader.invalid import UTF8_BOM, invalid, unrecognised

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from domain.errors import TransferError

    Data = bytes | memoryview
    Write = Callable[[Data], object]

TS_PACKET = 188  # bytes; ISO/IEC 13818-1, 2.4.3.2
HEAD = 64  # bytes that tell one container from another
LONG_HEAD = 256 * 1024  # as far as an ID3 tag, or a picture in front of the media, may reach

_FIVE_PACKETS = re.compile(rb"(?s)\x47(?=(?:.{187}\x47){4})")
_DISGUISES: frozenset[str | None] = frozenset({".png", ".jpg", ".gif", ".bmp"})


class Container(StrEnum):
    """What a segment is wrapped in. The value is the extension of its file, without the dot."""

    TS = "ts"  # MPEG-2 transport stream
    FMP4 = "m4s"  # MP4 boxes
    AUDIO = "aac"  # packed audio: ADTS, MP3 or AC-3 frames (RFC 8216, 3.4)
    VTT = "vtt"  # WebVTT

    @property
    def extension(self) -> str:
        return f".{self.value}"


class Expected(Enum):
    """What a piece is, by its place in the playlist."""

    SEGMENT = auto()  # no EXT-X-MAP applies
    FRAGMENT = auto()  # a segment after EXT-X-MAP
    INITIALIZATION = auto()  # EXT-X-MAP itself
    SUBTITLE = auto()  # a segment of a subtitle rendition; no EXT-X-MAP applies


_CONTAINERS: dict[Expected, frozenset[Container]] = {
    Expected.SEGMENT: frozenset(Container),
    Expected.FRAGMENT: frozenset({Container.FMP4}),
    Expected.INITIALIZATION: frozenset({Container.FMP4}),
    Expected.SUBTITLE: frozenset({Container.VTT}),
}
_NAMES = {
    Container.TS: "an MPEG transport stream",
    Container.FMP4: "MP4",
    Container.AUDIO: "packed audio",
    Container.VTT: "WebVTT",
}
_BOXES: dict[Expected, frozenset[bytes]] = {
    Expected.SEGMENT: frozenset({b"moov", b"mdat"}),
    Expected.FRAGMENT: frozenset({b"moof", b"mdat"}),
    Expected.INITIALIZATION: frozenset({b"moov"}),
}


@dataclass(frozen=True, slots=True)
class Verified:
    """A piece that is what it should be.

    ``size`` in bytes and ``digest``, xxh3-128 in hexadecimal, are those of what was written.
    """

    container: Container
    size: int
    digest: str


class SegmentVerifier:
    """Lets the bytes of one piece through to ``write`` while they are what is expected.

    A picture in front of a transport stream is a disguise and is left out: five packets in a row must begin
    behind it, and packets must follow to the end. Each method raises TransferError as soon as something does
    not fit. ``write`` must take the bytes at once: a view may not last.
    """

    def __init__(self, expected: Expected = Expected.SEGMENT) -> None:
        self._expected = expected
        self._head = b""
        self._container: Container | None = None
        self._walk: _Walk | None = None
        self._size = 0
        self._digest = xxh3_128()

    def update(self, data: Data, write: Write) -> None:
        if self._container is not None:
            self._pass(data, write)
        elif self._head or len(data) < HEAD or (container := _at_start(bytes(data[:HEAD]))) is None:
            self._head = b"".join((self._head, data))
            self._begin(write, final=False)
        else:  # as a rule; the copy took a twentieth of a small piece
            self._settle(container)
            self._pass(data, write)

    def finish(self, write: Write) -> Verified:
        container = self._container or self._begin(write, final=True)
        if container is None:
            raise _not_media(self._head)
        if self._walk:
            self._walk.finish()
        return Verified(container, self._size, self._digest.hexdigest())

    def _begin(self, write: Write, *, final: bool) -> Container | None:
        found = _recognise(self._head, final=final)
        if found is None:
            return None
        container, start = found
        self._settle(container)
        self._pass(self._head[start:], write)
        return container

    def _settle(self, container: Container) -> None:
        self._container = container
        if container not in _CONTAINERS[self._expected]:
            raise invalid("wrong container", f"{_NAMES[container]} does not belong here")
        if container is Container.TS:
            self._walk = _PacketWalk()
        elif container is Container.FMP4:
            self._walk = _RequiredBoxes(_BOXES[self._expected])

    def _pass(self, data: Data, write: Write) -> None:
        if self._walk:
            self._walk.update(data)
        self._digest.update(data)
        self._size += len(data)
        write(data)


class _Walk(Protocol):
    """Goes over all of a piece as its bytes pass. Both methods raise TransferError."""

    def update(self, data: Data) -> None: ...

    def finish(self) -> None: ...


class _PacketWalk:
    """Every packet of a transport stream begins with 0x47 and has 188 bytes."""

    def __init__(self) -> None:
        self._passed = 0

    def update(self, data: Data) -> None:
        # One copy and a stride cost 0.05 CPU seconds a GiB, a loop over the packets a hundred times that.
        marks = bytes(data)[-self._passed % TS_PACKET :: TS_PACKET]
        if marks.count(0x47) != len(marks):
            raise invalid("sync", "a packet of the transport stream does not begin with 0x47")
        self._passed += len(data)

    def finish(self) -> None:
        if self._passed % TS_PACKET:
            raise invalid("truncated", "the transport stream ends inside a packet", retry=True)


class _RequiredBoxes(BoxWalk):
    """Whole boxes, of which some must be there."""

    def __init__(self, required: frozenset[bytes]) -> None:
        super().__init__()
        self._required = required

    def finish(self) -> None:
        super().finish()
        _require(self._required, self.kinds)


def _recognise(head: bytes, *, final: bool) -> tuple[Container, int] | None:
    """The container, and the bytes before it; None while more bytes must tell."""
    if len(head) < HEAD and not final:
        return None
    container = _at_start(head)
    if container:
        return container, 0
    if head.startswith(b"ID3"):
        return _after_tag(head)
    if image_extension(head) in _DISGUISES:
        return _behind_picture(head, final=final)
    raise _not_media(head)


def _at_start(head: bytes) -> Container | None:
    if head.startswith(b"\x47") and not head.startswith((b"GIF87a", b"GIF89a")):
        return Container.TS
    if head[4:8] in FIRST_BOXES:
        return Container.FMP4
    if head.removeprefix(UTF8_BOM).startswith(b"WEBVTT"):
        return Container.VTT
    return Container.AUDIO if _is_audio_frame(head) else None


def _after_tag(head: bytes) -> tuple[Container, int] | None:
    """Packed audio begins with an ID3 tag that holds its time (3.4); the tag stays where it is."""
    size = 0
    for digit in head[6:10]:  # ID3v2, 3.1: 7 bits a byte
        size = size << 7 | digit & 0x7F
    frame = head[10 + size : 14 + size]
    if len(frame) < 4 and 14 + size <= LONG_HEAD:
        return None
    if not _is_audio_frame(frame):
        raise invalid("signature", "no audio follows the ID3 tag")
    return Container.AUDIO, 0


def _is_audio_frame(frame: bytes) -> bool:
    """ADTS (ISO/IEC 13818-7), AC-3 (ATSC A/52), or MP3: layer 2 or 3 with a real bit and sampling rate."""
    if frame.startswith(b"\x0b\x77"):
        return True
    if len(frame) < 4 or frame[0] != 0xFF:
        return False
    is_adts = frame[1] & 0xF6 == 0xF0
    is_mp3 = frame[1] & 0xE0 == 0xE0 and frame[1] >> 1 & 3 in {1, 2} and frame[2] >> 4 != 15
    return is_adts or (is_mp3 and frame[2] >> 2 & 3 != 3)


def _behind_picture(head: bytes, *, final: bool) -> tuple[Container, int] | None:
    if len(head) < LONG_HEAD and not final:
        return None
    packets = _FIVE_PACKETS.search(head)
    if packets is None:
        raise invalid("image", "a picture came instead of media")
    return Container.TS, packets.start()


def _not_media(head: bytes) -> TransferError:
    if not head:
        return invalid("empty", "the answer had no bytes", retry=True)
    return unrecognised(head, invalid("signature", "this is no media of a known kind"))


def _require(required: frozenset[bytes], kinds: set[bytes]) -> None:
    missing = b", ".join(sorted(required - kinds)).decode("ascii")
    if missing:
        raise invalid("box", f"the file has no {missing}")


def verify_mp4(path: Path) -> None:
    """Check a whole MP4 file: its boxes end where it ends, and what plays is among them.

    Only the headers of the boxes are read. Raises TransferError and OSError.
    """
    with path.open("rb") as file:
        head = file.read(HEAD)
    if not head:
        raise invalid("empty", "the answer had no bytes", retry=True)
    if head[4:8] not in FIRST_BOXES:
        raise unrecognised(head, invalid("signature", "this is no MP4 file"))
    _require(frozenset({b"ftyp", b"moov", b"mdat"}), box_kinds(path))
