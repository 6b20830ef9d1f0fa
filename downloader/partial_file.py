"""A large file that grows over several runs, and the small one beside it that tells how to go on."""

from __future__ import annotations

import fcntl
import json
import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any, BinaryIO

from xxhash import xxh3_128

from domain.errors import StorageError
from downloader.disk import require_room
from downloader.fetch import Fetch, refused_by_storage
from downloader.limits import MIB
from downloader.ranges import OPEN_END, Range, Ranges
from downloader.response import Response
from downloader.room import Hold
from downloader.verify import verify_mp4

SAVE_INTERVAL = 1.0  # seconds: what a killed process has fetched since then is fetched again
_BLOCK = MIB // 4  # bytes read at once for the digest


class PartialFile:
    """Bytes of one version of a resource, and which of its ranges are missing.

    They outlive a run only with a strong validator (RFC 9110, 8.8.1): by it the origin says whether nothing has
    changed, and two versions are never mixed. Like every file here they are not synced: a killed process loses a
    second of them, a power cut may lose more than the state knows.
    """

    def __init__(
        self, path: Path, file: BinaryIO, count: Callable[[int], None], min_free: int, hold: Hold | None = None
    ) -> None:
        """``hold`` is its room in scratch, ``count`` is told of bytes gained, and (negative) given up."""
        self.path = path
        self.validator: str | None = None
        self.total: int | None = None
        self.present = 0
        self.ranges = Ranges([(0, OPEN_END)])
        self.one_stream = False  # in this run
        self._file, self._fd = file, file.fileno()
        self._count = count
        self._min_free = min_free
        self._hold = hold or Hold()
        self._state = path.with_name(f"{path.name}.json")
        self._digest = _OrderedDigest()
        self._saved = 0.0

    def load(self) -> None:
        """Take up what an earlier run left. What cannot be gone on with is discarded."""
        try:
            self._take_up(json.loads(self._state.read_text()))
        except (OSError, ValueError, TypeError, KeyError):
            self.discard()

    def restart(self, part: Range, response: Response) -> None:
        """Take the version that ``response`` brings whole, all of it by ``part``. Raises StorageError, OSError."""
        self.discard()
        self.validator = strong_validator(response.headers)
        part.restart()
        self.ranges.only(part)
        self.know_total(part, response.size)
        self._save()

    def know_total(self, part: Range, total: int | None) -> None:
        """Let ``part``, the only range so far, end with the file, if that is known. Raises StorageError, OSError."""
        if total is not None:
            self._hold.grow_to(total)
            self.total = part.end = part.asked = total
            require_room(self._fd, total, self._min_free)
            self._file.truncate(total)

    def continues(self, response: Response) -> bool:
        """Whether a 206 brings a part of the same version. One that is known by its date has no entity tag."""
        if self.total is not None and response.size not in (None, self.total):
            return False
        etag, changed, validator = response.headers.get("etag"), response.headers.get("last-modified"), self.validator
        if etag is not None:
            return etag == validator
        return changed in (None, validator) or (validator is not None and validator.startswith('"'))

    def write(self, part: Range, data: memoryview) -> None:
        """Take in the next bytes of ``part``. Raises OSError."""
        position, size = part.position, len(data)
        if self.total is None:
            self._hold.reach(position + size)
        written = os.pwrite(self._fd, data, position)
        while written < size:  # the disk is about to be full
            written += os.pwrite(self._fd, data[written:], position + written)
        self._digest.update(position, data)
        part.position += size
        self.present += size
        self._count(size)

    def save_now_and_then(self) -> bool:
        """Write down what is there, once a second, and see that the rest fits. Raises StorageError, OSError."""
        if time.monotonic() - self._saved < SAVE_INTERVAL:
            return False
        self._save()
        if self.total is not None:
            require_room(self._fd, self.total, self._min_free)
        return True

    def verified(self) -> str:
        """Give the digest of the whole file, if it is the media it should be. Blocks. Raises TransferError, OSError."""
        verify_mp4(self.path)
        return self._digest.finish(self.path)

    def discard(self) -> None:
        """Start anew: what is here is not the file it should be. Raises OSError."""
        self._state.unlink(missing_ok=True)
        self._file.truncate(0)
        self._count(-self.present)
        self.validator, self.total, self.present = None, None, 0
        self.ranges, self._digest = Ranges([(0, OPEN_END)]), _OrderedDigest()

    def leave(self, *, keep: bool) -> None:
        """Keep what can be gone on with, and nothing else."""
        if keep and self.present and self.validator is not None and self.path.exists():
            with suppress(OSError):  # then the state is a second old
                self._save()
            self._hold.left = os.fstat(self._fd).st_size
        else:
            forget(self.path)

    def _take_up(self, state: dict[str, Any]) -> None:
        self.validator, self.total = str(state["validator"]), state["total"]
        self._hold.grow_to(self.total or os.fstat(self._fd).st_size)
        self.ranges = Ranges((int(start), int(end)) for start, end in state["missing"])
        size = OPEN_END if self.total is None else self.total
        present = size - sum(end - start for start, end in self.ranges.missing)
        if not 0 <= present <= os.fstat(self._fd).st_size <= size:
            raise ValueError(present)
        self.present = present
        self._count(present)

    def _save(self) -> None:
        self._saved = time.monotonic()
        if self.validator is not None:
            state = {"validator": self.validator, "total": self.total, "missing": self.ranges.missing}
            _new(self._state).write_text(json.dumps(state))
            _new(self._state).replace(self._state)


class _OrderedDigest:
    """xxh3-128. What comes in order is taken along, for 0.05 CPU seconds a GiB; what does not is read at the end."""

    def __init__(self) -> None:
        self._hash, self._position = xxh3_128(), 0

    def update(self, position: int, data: memoryview) -> None:
        if position == self._position:
            self._hash.update(data)
            self._position += len(data)

    def finish(self, path: Path) -> str:
        block = memoryview(bytearray(_BLOCK))
        with path.open("rb", buffering=0) as file:
            file.seek(self._position)
            while size := file.readinto(block):
                self._hash.update(block[:size])
        return self._hash.hexdigest()


@contextmanager
def partial_file(fetch: Fetch, key: str, count: Callable[[int], None], hold: Hold) -> Iterator[PartialFile]:
    """The partial file of ``key``; while another run still writes to it, a new one.

    Raises NoRoom, and TransferError for what the storage refuses.
    """
    try:
        path = fetch.storage.partial(key)
        with _opened(path) as file:
            if _lock(file):
                partial = PartialFile(path, file, count, fetch.limits.min_free_bytes, hold)
                partial.load()
                try:
                    yield partial
                finally:  # under the lock
                    partial.leave(keep=fetch.storage.path(key) is None)
                return
        path = fetch.storage.scratch(key, fetch.source.run_number)
        with _opened(path) as file:
            partial = PartialFile(path, file, count, fetch.limits.min_free_bytes, hold)
            try:
                yield partial
            finally:
                partial.leave(keep=False)
    except (StorageError, OSError) as error:
        raise refused_by_storage(error) from error


def forget(path: Path) -> None:
    """Remove a partial file and its state, if there are any. Raises OSError."""
    state = path.with_name(f"{path.name}.json")
    for left in (path, state, _new(state)):
        left.unlink(missing_ok=True)


def strong_validator(headers: Mapping[str, str]) -> str | None:
    """What If-Range may carry: a strong ETag, else a date of long ago (RFC 9110, 13.1.5 and 8.8.2.2)."""
    etag, changed = headers.get("etag", ""), headers.get("last-modified", "")
    if etag:
        return etag if etag.startswith('"') else None
    with suppress(ValueError, TypeError, OverflowError):
        sent = parsedate_to_datetime(headers["date"]) if "date" in headers else datetime.now(UTC)
        if sent - parsedate_to_datetime(changed) >= timedelta(minutes=1):  # their clocks need not agree
            return changed
    return None


def _opened(path: Path) -> BinaryIO:
    path.touch()
    return path.open("r+b", buffering=0)


def _lock(file: BinaryIO) -> bool:
    """A process that was stopped and goes on late may still write (docs/glossary.md: "Fence")."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return os.fstat(file.fileno()).st_nlink > 0  # else it was removed just now, to make room


def _new(state: Path) -> Path:
    return state.with_name(f"{state.name}.new")
