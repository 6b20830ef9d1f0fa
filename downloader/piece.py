"""One piece: scratch file → verify → publish. It appears under its key whole, or not at all."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from domain.errors import StorageError
from downloader.decrypt import Decryptor
from downloader.disk import require_room
from downloader.fetch import Fetch, refused_by_storage
from downloader.request import Request
from downloader.retry import with_retries
from downloader.verify import Container, Expected, SegmentVerifier, Verified


@dataclass(frozen=True, slots=True)
class Cipher:
    """AES-128: 16 bytes each."""

    key: bytes
    iv: bytes


@dataclass(frozen=True, slots=True)
class Stored:
    """A piece under its key. ``size`` in bytes, ``digest`` is its xxh3-128."""

    key: str
    size: int
    digest: str
    container: Container


@dataclass(frozen=True, slots=True)
class Wanted:
    """A piece to store. Its key may depend on what comes: packed audio is named by its content."""

    request: Request
    key_for: Callable[[Container], str]
    expected: Expected
    cipher: Cipher | None


async def store(fetch: Fetch, wanted: Wanted, name: str) -> Stored:
    """Fetch one piece, trying again where that can help. ``name`` is the key that its scratch file is called after.

    Raises TransferError.
    """

    async def attempt() -> Stored:
        with scratch_file(fetch, name) as (path, file):
            verified = await _receive(fetch, wanted, file)
            file.close()
            key = wanted.key_for(verified.container)
            fetch.storage.publish(path, key)
        fetch.transfer.bytes_stored += verified.size
        return Stored(key, verified.size, verified.digest, verified.container)

    return await with_retries(attempt)


async def _receive(fetch: Fetch, wanted: Wanted, file: BinaryIO) -> Verified:
    verifier, cipher = SegmentVerifier(wanted.expected), wanted.cipher
    decryptor = Decryptor(cipher.key, cipher.iv) if cipher is not None else None

    def verify(data: bytes | memoryview) -> None:
        verifier.update(data, file.write)

    with in_flight(fetch) as count:

        def sink(data: memoryview) -> None:
            count(len(data))
            if decryptor is None:
                verify(data)
            else:
                decryptor.update(data, verify)

        await fetch.client.fetch(wanted.request, sink)
        if decryptor is not None:
            decryptor.finish(verify)
        return verifier.finish(file.write)


@contextmanager
def in_flight(fetch: Fetch) -> Iterator[Callable[[int], None]]:
    """Counts bytes as on their way until the context ends."""
    received = 0

    def count(size: int) -> None:
        nonlocal received
        received += size
        fetch.transfer.bytes_in_flight += size

    try:
        yield count
    finally:
        fetch.transfer.bytes_in_flight -= received


@contextmanager
def scratch_file(fetch: Fetch, name: str) -> Iterator[tuple[Path, BinaryIO]]:
    """A file to write to; whatever of it is left at the end is removed. Raises TransferError for the storage's no."""
    try:
        path = fetch.storage.scratch(name, fetch.source.run_number)
        try:
            with path.open("wb") as file:
                require_room(file.fileno(), 1, fetch.limits.min_free_bytes)
                yield path, file
        finally:
            path.unlink(missing_ok=True)
    except (StorageError, OSError) as error:
        raise refused_by_storage(error) from error
