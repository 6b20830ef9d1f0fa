"""Files in a folder of this machine, or of a share that several mount."""

from __future__ import annotations

import errno
import logging
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import lru_cache
from pathlib import Path
from uuid import uuid4

from domain.errors import StorageError
from storage.names import checked

logger = logging.getLogger(__name__)

SCRATCH = ".scratch"  # of a task, in its folder: {folder}/.scratch/{run number}/{rest of the key}
TRASH = ".trash"  # of the storage: what is being removed, out of everyone's way
FOLDERS_CHECKED = 4096
BLOCK = 1024 * 1024  # bytes
REMOVAL_ATTEMPTS = 3

_CAUSES = {
    errno.ENOSPC: "disk full",
    errno.EDQUOT: "disk quota used up",
    errno.EROFS: "read-only storage",
    errno.EACCES: "no permission for the storage",
    errno.EPERM: "no permission for the storage",
}


class LocalStorage:
    """See ``domain.ports.Storage``. Names that begin with a dot are the storage's own, never keys.

    A file gets its key by a rename, so a killed process leaves it whole or not at all. It is not synced first:
    that takes 0.3 ms a 64 KiB piece here, three times the write itself, and guards against power cuts alone.
    These leave the newest files empty, as a rule: ``sizes`` does not count empty files, so they are fetched again.
    """

    is_remote = False

    def __init__(self, root: Path, min_free_bytes: int = 0) -> None:
        self._root = root.resolve()
        self._min_free_bytes = min_free_bytes
        # Resolving takes 35 µs, as long as a small piece does; folders are few, and links in them rare.
        self._folder = lru_cache(FOLDERS_CHECKED)(self._folder_without_links)

    def scratch(self, key: str, run_number: int) -> Path:
        folder, rest = checked(key).split("/", 1)
        return self._made(f"{folder}/{SCRATCH}/{run_number}/{rest}")

    def partial(self, key: str) -> Path:
        path = self._made(checked(key))
        return path.with_name(f".{path.name}.partial")

    def trim_partials(self, _: int, spare: Path | None = None) -> int:  # noqa: ARG002 - the port's
        """They lie in the storage itself, which is bounded by its disk alone."""
        return 0

    def publish(self, scratch: Path, key: str) -> None:
        folder, _, last = checked(key).rpartition("/")
        target = f"{self._folder(folder)}/{last}"  # a Path for each piece takes longer than the rename
        try:
            os.replace(scratch, target)  # noqa: PTH105
        except FileNotFoundError:  # the first file of its folder, as a rule
            with _our_errors():
                self._folder(folder).mkdir(parents=True, exist_ok=True)
                scratch.replace(target)
        except OSError as error:
            raise _ours(error) from error

    def write(self, key: str, data: bytes) -> None:
        scratch = self.scratch(f"{key}.{uuid4().hex}", 0)  # a name of its own: two threads may write the same key
        with _our_errors():
            try:
                scratch.write_bytes(data)
                self.publish(scratch, key)
            finally:
                scratch.unlink(missing_ok=True)

    def read(self, key: str) -> bytes | None:
        path = self.path(key)
        with _our_errors(), suppress(FileNotFoundError):  # removed just now
            return None if path is None else path.read_bytes()
        return None

    def blocks(self, key: str) -> Iterator[bytes]:
        path = self.path(key)
        if path is None:
            return
        with _our_errors(), path.open("rb", buffering=0) as file:
            while block := file.read(BLOCK):
                yield block

    def size(self, key: str) -> int | None:
        path = self.path(key)
        with _our_errors(), suppress(FileNotFoundError):
            return None if path is None else path.stat().st_size
        return None

    def url(self, *_: object, **__: object) -> None:
        """Files are served from here."""

    def path(self, key: str) -> Path | None:
        path = self._located(checked(key))
        with _our_errors():
            return path if path.is_file() and not path.is_symlink() else None

    def sizes(self, prefix: str) -> dict[str, int]:
        """``prefix`` need not end at a folder: as in object storage, it is the beginning of a key."""
        folder, slash, start = prefix.rpartition("/")
        with _our_errors():
            found = _files(self._folder(checked(folder)), start)
            return {f"{folder}{slash}{key}": size for key, size in found if size}

    def clear_scratch(self, prefix: str, *, before_run: int | None = None) -> None:
        """What a run that has not noticed its end still writes stays for the next time."""
        scratch = self._folder(checked(prefix.removesuffix("/"))) / SCRATCH
        with suppress(OSError):
            for run in filter(_is_run, scratch.iterdir()):
                if before_run is None or int(run.name) < before_run:
                    shutil.rmtree(run, ignore_errors=True)
            scratch.rmdir()

    def has_room(self) -> bool:
        try:
            disk = os.statvfs(self._root)
        except OSError:  # not there yet, or not answering: who writes will learn it
            return True
        return disk.f_bavail * disk.f_frsize >= self._min_free_bytes

    def answers(self) -> bool:
        probe = self._root / f".{uuid4().hex}"
        try:
            self._root.mkdir(parents=True, exist_ok=True)
            probe.write_bytes(b"?")
            probe.unlink()
        except OSError:
            logger.warning("The storage takes no file", exc_info=True)
            return False
        return True

    def purge(self, prefix: str) -> None:
        """The folder vanishes in one step; a run that still writes to it fills the trash, not half a folder."""
        folder, trash = self._located(checked(prefix.removesuffix("/"))), self._root / TRASH
        with _our_errors():
            trash.mkdir(parents=True, exist_ok=True)
            with suppress(FileNotFoundError):
                folder.rename(trash / uuid4().hex)
            for removed in trash.iterdir():  # also what a killed process has left there
                _remove(removed)

    def _made(self, name: str) -> Path:
        parent, _, last = name.rpartition("/")
        folder = self._folder(parent)  # which keeps its text, as no new one would
        if not os.access(folder, os.F_OK):  # mkdir of a folder that is there takes five times as long, is_dir twice
            with _our_errors():
                folder.mkdir(parents=True, exist_ok=True)
        return folder / last

    def _located(self, name: str) -> Path:
        folder, _, last = name.rpartition("/")
        return self._folder(folder) / last

    def _folder_without_links(self, folder: str) -> Path:
        """A link would lead out of the storage."""
        path = self._root / folder
        with _our_errors():
            if path.resolve() != path:
                raise StorageError("storage: a link in its folder is not followed")
        return path


def _is_run(path: Path) -> bool:
    return path.name.isdecimal()


def _remove(path: Path) -> None:
    """What will not go now, as a share's file that is still open, is left to the next purge."""
    if path.is_symlink() or not path.is_dir():
        path.unlink(missing_ok=True)
        return
    for _ in range(REMOVAL_ATTEMPTS):
        shutil.rmtree(path, onerror=_unless_disturbed)
        if not path.exists():
            return


def _unless_disturbed(_: object, __: object, error: tuple[type, BaseException, object]) -> None:
    """Another thread removes it too, or was opening a file in it when it was moved away."""
    if not isinstance(error[1], OSError) or error[1].errno not in (errno.ENOENT, errno.ENOTEMPTY):
        raise error[1]


def _files(folder: Path, start: str = "") -> Iterator[tuple[str, int]]:
    """Files under ``folder`` whose path from there begins with ``start``; neither links nor our own."""
    try:
        entries = os.scandir(folder)
    except FileNotFoundError:
        return
    with entries:
        for entry in entries:
            if entry.name.startswith(".") or not entry.name.startswith(start):
                continue
            if entry.is_dir(follow_symlinks=False):
                yield from ((f"{entry.name}/{key}", size) for key, size in _files(folder / entry.name))
            elif entry.is_file(follow_symlinks=False):
                yield entry.name, entry.stat(follow_symlinks=False).st_size


@contextmanager
def _our_errors() -> Iterator[None]:
    """Raises StorageError, in words that hold no path."""
    try:
        yield
    except OSError as error:
        raise _ours(error) from error


def _ours(error: OSError) -> StorageError:
    return StorageError(_CAUSES.get(error.errno or 0) or f"storage: {(error.strerror or 'failed').lower()}")
