"""The kernel's word on whether anybody touched a file (Linux: inotify)."""

from __future__ import annotations

import ctypes
import os
from pathlib import Path
from typing import Self

_ALL_EVENTS = 0xFFF  # linux/inotify.h: opened, read, written, attributes changed, closed, moved, made, removed


class Watch:
    """Sees every event on a file and in its folder while its ``with`` block lasts; asking for its state is none."""

    def __init__(self, path: Path) -> None:
        self._watched = (path, path.parent)

    def __enter__(self) -> Self:
        self._events = _libc("inotify_init1", os.O_NONBLOCK | os.O_CLOEXEC)
        for path in self._watched:
            _libc("inotify_add_watch", self._events, os.fsencode(path), _ALL_EVENTS)
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._events)

    @property
    def untouched(self) -> bool:
        """Whether nothing has happened since the last time."""
        try:
            return not os.read(self._events, 65_536)
        except BlockingIOError:
            return True


def _libc(function: str, *arguments: object) -> int:
    result: int = getattr(ctypes.CDLL(None, use_errno=True), function)(*arguments)
    if result < 0:
        raise OSError(ctypes.get_errno(), function)
    return result
