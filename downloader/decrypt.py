"""AES-128-CBC with PKCS7 padding (RFC 8216, 4.3.2.4), as the bytes come in."""

from __future__ import annotations

from typing import TYPE_CHECKING

from downloader.invalid import invalid

if TYPE_CHECKING:
    from collections.abc import Callable

    from cryptography.hazmat.primitives.ciphers import CipherContext

BLOCK = 16
# update_into on one buffer takes 0.16 CPU seconds a GiB; update() on a MiB at a time takes 2.1. As large as what is
# handed over at once: each chunk is verified and written by itself.
CHUNK = 64 * 1024


class Decryptor:
    """Decrypts one piece. Raises TransferError when the key is not one.

    ``write`` is given views of a buffer that the next call overwrites: it must take the bytes at once.
    """

    def __init__(self, key: bytes, iv: bytes) -> None:
        if len(key) != BLOCK:
            raise invalid("key", f"the key has {len(key)} bytes instead of {BLOCK}")
        self._cipher = _decryptor(key, iv)
        # The last block may be padding and is held back, at the front; update_into wants a block to spare.
        self._buffer = memoryview(bytearray(BLOCK + CHUNK + BLOCK))
        self._held = 0

    def update(self, data: bytes | memoryview, write: Callable[[memoryview], object]) -> None:
        for start in range(0, len(data), CHUNK):
            self._update(data[start : start + CHUNK], write)

    def _update(self, data: bytes | memoryview, write: Callable[[memoryview], object]) -> None:
        end = self._held + self._cipher.update_into(data, self._buffer[self._held :])
        if end > BLOCK:
            write(self._buffer[: end - BLOCK])
            self._buffer[:BLOCK] = self._buffer[end - BLOCK : end]
        self._held = min(end, BLOCK)

    def finish(self, write: Callable[[memoryview], object]) -> None:
        """Write what was held back, without the padding (RFC 5652, 6.3). Raises TransferError."""
        try:
            self._cipher.finalize()
        except ValueError:
            raise invalid("padding", "the encrypted length is no multiple of 16 bytes", retry=True) from None
        last = bytes(self._buffer[: self._held])
        count = last[-1] if last else 0
        if not 1 <= count <= BLOCK or not last.endswith(bytes([count]) * count):
            raise invalid("padding", "the piece is cut, or this is not its key", retry=True)
        write(self._buffer[: BLOCK - count])


def _decryptor(key: bytes, iv: bytes) -> CipherContext:
    # Imported by those who need it: it takes 10 ms, and `main.py fetch` has no time to lose.
    from cryptography.hazmat.primitives.ciphers import Cipher  # noqa: PLC0415 - see above
    from cryptography.hazmat.primitives.ciphers.algorithms import AES128  # noqa: PLC0415 - see above
    from cryptography.hazmat.primitives.ciphers.modes import CBC  # noqa: PLC0415 - see above

    return Cipher(AES128(key), CBC(iv)).decryptor()
