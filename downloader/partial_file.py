"""A large file that grows over several runs, and the small one beside it that tells how to go on."""

from __future__ import annotations

import fcntl
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from domain.errors import StorageError
from downloader.fetch import Fetch, refused_by_storage
from downloader.invalid import invalid
from downloader.response import HTTPStatusError, Response

RANGE_NOT_SATISFIABLE = 416
BUFFER = 1024 * 1024  # bytes: fewer, larger writes


@dataclass
class PartialFile:
    """Bytes from the start of a resource, and its validator (RFC 9110, 8.8).

    They are gone on with only while the origin says, by If-Range, that nothing has changed: two versions are
    never mixed. Without a strong validator every try starts anew.
    """

    fetch: Fetch
    path: Path
    file: BinaryIO
    validator: str | None = None
    total: int | None = None

    @property
    def size(self) -> int:
        """Bytes so far."""
        return self.file.tell()

    @property
    def _state(self) -> Path:
        return self.path.with_name(f"{self.path.name}.json")

    async def advance(self, count: Callable[[int], None]) -> None:
        """Fetch what is missing, in one request; ``count`` is told of bytes gained, and (negative) given up.

        Raises TransferError; what has arrived by then is kept for the next try, if it can be gone on with.
        """
        count(self.size)
        if self.size and self.size == self.total:
            return

        def on_response(response: Response) -> None:
            self.fetch.transfer.bytes_total = response.size
            if response.status != 206:
                count(-self.size)
                self._restart(response)
            elif _validator(response) not in (None, self.validator):
                self._forget()
                raise invalid("changed", "the origin sent a part of another version", retry=True)

        def sink(data: memoryview) -> None:
            self.file.write(data)
            count(len(data))

        try:
            request = self.fetch.request(self.fetch.source.url, start=self.size, if_range=self.validator)
            await self.fetch.client.fetch(request, sink, on_response)
        except HTTPStatusError as error:
            if error.status == RANGE_NOT_SATISFIABLE:
                self._forget()
                raise invalid("changed", "the origin's file is shorter than before", retry=True) from error
            raise
        self.file.flush()

    def discard(self) -> None:
        """What is here is not the file it should be."""
        self._forget()

    def _restart(self, response: Response) -> None:
        self.file.truncate(0)
        self.file.seek(0)
        self.validator, self.total = _validator(response), response.size
        self._state.write_text(json.dumps({"validator": self.validator, "total": self.total}))

    def _forget(self) -> None:
        self.validator = self.total = None
        self._state.unlink(missing_ok=True)
        self.file.truncate(0)
        self.file.seek(0)

    def load(self) -> None:
        """Take up the state that an earlier run left; without one, start anew."""
        with suppress(OSError, ValueError, TypeError, KeyError):
            state = json.loads(self._state.read_text())
            self.validator, self.total = state["validator"], state["total"]
        if self.validator is None:
            self._forget()
        self.file.seek(0, 2)

    def leave(self) -> None:
        """Keep what can be gone on with, and nothing else."""
        self.file.flush()
        if self.validator is None or not self.path.exists():
            self.path.unlink(missing_ok=True)
            self._state.unlink(missing_ok=True)


@contextmanager
def partial_file(fetch: Fetch, key: str) -> Iterator[PartialFile]:
    """The partial file of ``key``; while another run still writes to it, a new one.

    Raises TransferError for what the storage refuses.
    """
    try:
        path = fetch.storage.partial(key)
        with _opened(path) as file:
            if _lock(file):
                partial = PartialFile(fetch, path, file)
                partial.load()
                with _left(partial):
                    yield partial
                return
        path = fetch.storage.scratch(key, fetch.source.run_number)
        with _opened(path) as file, _left(PartialFile(fetch, path, file)) as partial:
            yield partial
    except (StorageError, OSError) as error:
        raise refused_by_storage(error) from error


def _opened(path: Path) -> BinaryIO:
    path.touch()
    return path.open("r+b", buffering=BUFFER)


@contextmanager
def _left(partial: PartialFile) -> Iterator[PartialFile]:
    try:
        yield partial
    finally:
        partial.leave()


def _lock(file: BinaryIO) -> bool:
    """A process that was stopped and goes on late may still write (design: "The fence")."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _validator(response: Response) -> str | None:
    """What If-Range may carry: a strong ETag, else a date (RFC 9110, 13.1.5)."""
    etag = response.headers.get("etag", "")
    if etag.startswith('"'):
        return etag
    return None if etag else response.headers.get("last-modified")
