"""One piece: scratch file → verify → publish. It appears under its key whole, or not at all."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, TypeVar

from domain.errors import StorageError
from downloader.decrypt import Decryptor
from downloader.disk import require_room
from downloader.fetch import Fetch, refused_by_storage
from downloader.request import Request
from downloader.response import Response
from downloader.retry import with_retries
from downloader.room import FIRST_GUESS, Hold, NoRoom
from downloader.transfer import Transfer
from downloader.verify import Container, Expected, SegmentVerifier, Verified

if TYPE_CHECKING:
    from downloader.hedge import Flight

Result = TypeVar("Result")


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


async def store(fetch: Fetch, wanted: Wanted, name: str, flight: Flight | None = None) -> Stored:
    """Fetch one piece, trying again where that can help. ``name`` is the key that its scratch file is called after.

    ``flight`` is told when a request begins and ends. Raises TransferError.
    """
    return await with_retries(lambda: store_once(fetch, wanted, name, fetch.transfer, flight))


async def in_scratch(
    fetch: Fetch,
    work: Callable[[Hold], Awaitable[Result]],
    size: int = FIRST_GUESS,
    spare: Path | None = None,
) -> Result:
    """What ``work`` returns, which has room in scratch; again with more if it needs more. Raises TransferError."""
    if fetch.room is None:
        return await work(Hold())
    while True:
        try:
            async with fetch.room.hold(size, spare=spare) as hold:
                return await work(hold)
        except NoRoom as error:
            size = error.size


async def store_once(
    fetch: Fetch, wanted: Wanted, name: str, in_flight_of: Transfer, flight: Flight | None = None
) -> Stored:
    """One try, whose bytes count as in flight of another transfer, perhaps. Raises TransferError."""

    async def attempt(hold: Hold) -> Stored:
        with scratch_file(fetch, name) as (path, file):
            with Receiver(in_flight_of, wanted, file, flight) as receiver:
                await fetch.client.fetch(wanted.request, *held(hold, receiver.take))
                verified = receiver.finish()
            key = wanted.key_for(verified.container)
            await fetch.publish(path, key)
        fetch.transfer.bytes_stored += verified.size
        return Stored(key, verified.size, verified.digest, verified.container)

    return await in_scratch(fetch, attempt)


class Receiver:
    """Takes the body of one piece: decrypts, verifies and writes it. While it is open, its bytes count as in flight.

    ``flight`` is told when it opens and closes: the wait for room before, and the storage after, tell nothing of the
    origin. Every method but the first raises TransferError as soon as something does not fit, and OSError.
    """

    def __init__(self, transfer: Transfer, wanted: Wanted, file: int, flight: Flight | None = None) -> None:
        self._transfer, self._wanted, self._file, self._flight = transfer, wanted, file, flight
        self._verifier = SegmentVerifier(wanted.expected)
        cipher = wanted.cipher
        self._decryptor = Decryptor(cipher.key, cipher.iv) if cipher is not None else None
        self._received = 0

    def __enter__(self) -> Receiver:
        if self._flight is not None:
            self._flight.begin(self._wanted)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self._transfer.bytes_in_flight -= self._received
        if self._flight is not None:
            self._flight.end(well=error is None)

    def take(self, data: memoryview) -> None:
        size = len(data)
        self._transfer.bytes_in_flight += size
        self._received += size
        if self._decryptor is None:
            self._verifier.update(data, self._write)
        else:
            self._decryptor.update(data, self._verify)

    def finish(self) -> Verified:
        if self._decryptor is not None:
            self._decryptor.finish(self._verify)
        return self._verifier.finish(self._write)

    def _verify(self, data: memoryview) -> None:
        self._verifier.update(data, self._write)

    def _write(self, data: bytes | memoryview) -> None:
        write_all(self._file, data)


def write_all(file: int, data: bytes | memoryview) -> None:
    """Raises OSError."""
    written = os.write(file, data)
    while written < len(data):  # the disk is about to be full
        written += os.write(file, memoryview(data)[written:])


Sink = Callable[[memoryview], object]


def held(hold: Hold, sink: Sink) -> tuple[Sink, Callable[[Response], None] | None]:
    """``sink``, and what looks at the response's head, keeping to ``hold`` where that has bounds."""
    if hold.room is None:
        return sink, None
    received = 0

    def bounded(data: memoryview) -> None:
        nonlocal received
        received += len(data)
        hold.reach(received)
        sink(data)

    return bounded, lambda response: hold.grow_to(response.length or 0)


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
def scratch_file(fetch: Fetch, name: str) -> Iterator[tuple[Path, int]]:
    """A file to write to, and its descriptor; whoever leaves without an error has published it.

    Raises TransferError for the storage's no.
    """
    try:
        path = fetch.storage.scratch(name, fetch.source.run_number)
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o666)
        try:
            require_room(file, 1, fetch.limits.min_free_bytes)
            yield path, file
        except BaseException:
            path.unlink(missing_ok=True)
            raise
        finally:
            os.close(file)
    except (StorageError, OSError) as error:
        raise refused_by_storage(error) from error
