"""Files of this machine that are on their way to storage elsewhere."""

from __future__ import annotations

import fcntl
import os
import shutil
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from uuid import uuid4

from storage.names import checked

PARTIAL = "partial"
SUFFIX = ".partial"
STATE = ".json"  # beside a partial file; see downloader.partial_file
LOCK = ".lock"


class ScratchFolder:
    """A folder of its own for each process, and one for the partial files, which outlive processes.

        {root}/{process}/{folder of the task}/{run number}/{rest of the key}
        {root}/{process}.lock                       held while the process lives; what lies beside a free one is removed
        {root}/partial/{key}.partial, ….json        whoever writes to it holds its lock

    Raises OSError. Nothing is made before it is needed: a process without a worker needs none.
    """

    def __init__(self, root: Path) -> None:
        self._root = root.absolute()
        self._opening = threading.Lock()
        self._own: Path | None = None

    def file(self, key: str, run_number: int) -> Path:
        """Where a run writes; its folder exists."""
        folder, rest = checked(key).split("/", 1)
        path = self._folder() / folder / str(run_number) / rest
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def partial(self, key: str) -> Path:
        """Where a large file grows over several runs; its folder exists."""
        path = self._root / PARTIAL / f"{checked(key)}{SUFFIX}"
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def clear(self, folder: str, before_run: int | None) -> None:
        """Remove what runs of this process have left under a task's folder."""
        name = checked(folder)
        if self._own is None:
            return
        task = self._own / name
        with suppress(OSError):
            for run in task.iterdir():
                if before_run is None or int(run.name) < before_run:
                    shutil.rmtree(run, ignore_errors=True)
            task.rmdir()

    def purge(self, folder: str) -> None:
        """Remove everything of a task; what is being written to goes at the end of its run."""
        self.clear(folder, None)
        for path in list(_partial_files(self._root / PARTIAL / checked(folder))):
            _remove_partial(path)

    def trim(self, most: int, spare: Path | None) -> int:
        """See ``Storage.trim_partials``."""
        found = [path for path in _partial_files(self._root / PARTIAL) if path != spare]
        sizes = {path: _size(path) for path in found if not _is_locked(path)}
        kept = sum(sizes.values())
        for path in sorted(sizes, key=_age, reverse=True):
            if kept <= most:
                break
            if _remove_partial(path):
                kept -= sizes[path]
        return kept

    def free_bytes(self) -> int:
        """Of the disk below it."""
        folder = next(path for path in (self._root, *self._root.parents) if path.exists())
        disk = os.statvfs(folder)
        return disk.f_bavail * disk.f_frsize

    # --- the process's own folder ---

    def _folder(self) -> Path:
        with self._opening:
            if self._own is None:
                self._root.mkdir(parents=True, exist_ok=True)
                self._own = self._claim()
                self._sweep()
            return self._own

    def _claim(self) -> Path:
        while True:
            name = uuid4().hex
            lock = os.open(self._root / f"{name}{LOCK}", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            fcntl.flock(lock, fcntl.LOCK_EX)  # and so it stays: the descriptor is never closed
            if os.fstat(lock).st_nlink:
                return self._root / name
            os.close(lock)  # another process has just taken it for a dead one's

    def _sweep(self) -> None:
        """Remove what dead processes have left."""
        for lock in self._root.glob(f"*{LOCK}"):
            with suppress(OSError), lock.open("r+b") as file:  # OSError: it lives, or someone else sweeps
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(lock.with_suffix(""), ignore_errors=True)
                lock.unlink(missing_ok=True)


def _partial_files(folder: Path) -> Iterator[Path]:
    return folder.rglob(f"*{SUFFIX}")


def _size(path: Path) -> int:
    """0 for one that has gone just now."""
    with suppress(OSError):
        return path.stat().st_size
    return 0


def _age(path: Path) -> float:
    """The older, the greater."""
    with suppress(OSError):
        return -path.stat().st_mtime
    return 0


def _is_locked(path: Path) -> bool:
    with suppress(FileNotFoundError), path.open("r+b") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def _remove_partial(path: Path) -> bool:
    """Under its lock; False when someone writes to it."""
    with suppress(FileNotFoundError), path.open("r+b") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        for left in (path, path.with_name(f"{path.name}{STATE}"), path.with_name(f"{path.name}{STATE}.new")):
            left.unlink(missing_ok=True)
    with suppress(OSError):  # other files of the task are still there
        path.parent.rmdir()
        path.parent.parent.rmdir()
    return True
