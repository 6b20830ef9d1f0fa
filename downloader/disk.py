"""Room on the disk for a large file: whether there is enough, and keeping it."""

from __future__ import annotations

import ctypes
import errno
import os
from pathlib import Path

from domain.errors import StorageError
from downloader.limits import MIB

_STEP = 16 * MIB  # bytes: the file is locked for as long as the disk needs for one
_KEEP_SIZE = 1  # FALLOC_FL_KEEP_SIZE
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})

# Not os.posix_fallocate: where a file system cannot, that writes zeros, also over what has just arrived.
_fallocate = getattr(ctypes.CDLL(None, use_errno=True), "fallocate64", None)  # Linux has it
if _fallocate is not None:
    _fallocate.argtypes = (ctypes.c_int, ctypes.c_int, ctypes.c_int64, ctypes.c_int64)


def require_room(file: int, size: int, min_free: int) -> None:
    """Raises StorageError unless ``file`` (a descriptor) can grow to ``size`` bytes and ``min_free`` stay free."""
    disk, needed = os.fstatvfs(file), size - os.fstat(file).st_blocks * 512
    if needed > 0 and disk.f_bavail * disk.f_frsize - needed < min_free:
        raise StorageError("disk full: the file does not fit")


def reserve(path: Path, size: int) -> None:
    """Set blocks aside for ``size`` bytes, while others write to the file. Raises OSError when there are too few.

    On ext4 1 ms a GiB, on tmpfs 0.4 s.
    """
    if _fallocate is None:
        return
    with path.open("r+b") as file:
        for start in range(0, size, _STEP):
            if _fallocate(file.fileno(), _KEEP_SIZE, start, min(_STEP, size - start)):
                code = ctypes.get_errno()
                if code in _FULL:
                    raise OSError(code, os.strerror(code))
                return  # the file system cannot
