"""What the origin serves: pieces that are media, each with bytes of its own, made quickly."""

from __future__ import annotations

import os
import struct
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES128
from cryptography.hazmat.primitives.ciphers.modes import CBC
from cryptography.hazmat.primitives.padding import PKCS7

MIB = 2**20
TS_PACKET = 188
_NULL = b"\x47\x1f\xff\x10"  # the head of a packet that decoders skip (ISO/IEC 13818-1, 2.4.1)
_KEY = b"sixteen bytes of"
_SECONDS = 0.5  # a segment
_LEAST = 16 * 1024  # bytes of a segment that has room for media; null packets fill it up, or are all there is


@dataclass(frozen=True, slots=True)
class Media:
    """``count`` segments of about ``size`` bytes, or with no count one MP4 file of that size."""

    count: int
    size: int
    encrypted: bool = False

    @property
    def name(self) -> str:
        """Its folder at the origin."""
        return f"{self.count}x{self.size}{'-aes' if self.encrypted else ''}"

    @property
    def entry(self) -> str:
        """What a downloader is given."""
        return "index.m3u8" if self.count else "video.mp4"

    @property
    def files(self) -> list[str]:
        """The media files, in order."""
        return [f"{index}.ts" for index in range(self.count)] or [self.entry]

    @property
    def piece_size(self) -> int:
        """Bytes of a file, decrypted: a segment has whole packets."""
        return self.size // TS_PACKET * TS_PACKET if self.count else self.size

    @property
    def total(self) -> int:
        """Bytes of all files, decrypted."""
        return self.piece_size * len(self.files)

    def make(self, root: Path) -> None:
        """Write the files to their folder under ``root``."""
        folder = root / self.name
        folder.mkdir()
        if not self.count:
            _write_mp4(folder / self.entry, self.size)
            return
        for index, (name, body) in enumerate(zip(self.files, self._segments(), strict=True)):
            folder.joinpath(name).write_bytes(_encrypt(body, index) if self.encrypted else body)
        folder.joinpath("key").write_bytes(_KEY)
        folder.joinpath(self.entry).write_text("\n".join(self._playlist()))

    def _segments(self) -> Iterator[bytes]:
        from tests.media import hls_vod  # noqa: PLC0415 -- PyAV would raise the floor of every peak measured

        heads = hls_vod(self.count, _SECONDS).segments if self.size >= _LEAST else (b"",) * self.count
        null = _NULL + bytes(TS_PACKET - len(_NULL))
        for index, head in enumerate(heads):
            padding = null * ((self.piece_size - len(head)) // TS_PACKET - 1)
            yield b"".join((head, padding, _NULL, index.to_bytes(TS_PACKET - len(_NULL))))

    def _playlist(self) -> Iterator[str]:
        yield from ("#EXTM3U", "#EXT-X-VERSION:3", "#EXT-X-TARGETDURATION:1", "#EXT-X-PLAYLIST-TYPE:VOD")
        if self.encrypted:
            yield '#EXT-X-KEY:METHOD=AES-128,URI="key"'
        for name in self.files:
            yield from (f"#EXTINF:{_SECONDS},", name)
        yield from ("#EXT-X-ENDLIST", "")


def _encrypt(body: bytes, sequence: int) -> bytes:
    """AES-128, the IV from the media sequence (RFC 8216, 5.2)."""
    padder = PKCS7(128).padder()
    encryptor = Cipher(AES128(_KEY), CBC(sequence.to_bytes(16))).encryptor()
    return encryptor.update(padder.update(body) + padder.finalize()) + encryptor.finalize()


def _write_mp4(path: Path, size: int) -> None:
    """A short film and a ``free`` box that fills the file with noise."""
    from tests.media import mp4  # noqa: PLC0415 -- see above

    with path.open("wb") as file:
        file.write(mp4())
        file.write(struct.pack(">I4s", size - file.tell(), b"free"))
        while left := size - file.tell():
            file.write(os.urandom(min(MIB, left)))


if __name__ == "__main__":
    root, count, size, encrypted = sys.argv[1:]
    Media(int(count), int(size), encrypted == "True").make(Path(root))
