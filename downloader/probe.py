"""Measures stored media in a child process that is limited in time, memory, and what it can reach."""

from __future__ import annotations

import json
import math
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryFile
from threading import Lock
from typing import IO

from domain.ports import MediaFacts

_CHILD = Path(__file__).with_name("probe_child.py")
_FAILURES = (OSError, subprocess.SubprocessError, LookupError, TypeError, ValueError)
TIMEOUT = 20.0  # seconds
MEMORY = 2**30  # bytes


def probe(
    path: Path, cover: Path | None = None, *, timeout: float = TIMEOUT, memory: int = MEMORY
) -> MediaFacts | None:
    """Measure a stored file or local playlist; None when it cannot be read. Never raises.

    Blocks for about 0.15 s, at most ``timeout`` seconds; the child may use ``memory`` bytes of address space.
    A still of a video is written to ``cover``; whoever looks there may find nothing, or half of it.
    """
    try:
        with TemporaryFile() as answer:
            return _told(_started(answer, _job(path, cover, timeout, memory)), answer, timeout)
    except _FAILURES:
        return None


class Reserve:
    """One child that has begun already, and waits for the one thing it will measure: that takes 0.03 s.

    A child that has seen a file is never used again. Used from any thread.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._waiting: _Waiting | None = None
        self._users = 0

    @contextmanager
    def kept(self) -> Iterator[None]:
        """While anybody is in this context a child waits: it takes 40 MiB. Blocks for some milliseconds."""
        with self._lock:
            self._users += 1
            self._fill()
        try:
            yield
        finally:
            with self._lock:
                self._users -= 1
                waiting = None if self._users else self._take()
            if waiting is not None:
                waiting.end()

    def probe(self, path: Path, cover: Path | None = None) -> MediaFacts | None:
        """As the function; by the child that waits, if there is one."""
        with self._lock:
            waiting = self._take()
            if self._users > 1:  # others may follow
                self._fill()
        return probe(path, cover) if waiting is None else waiting.probe(path, cover)

    def _take(self) -> _Waiting | None:
        waiting, self._waiting = self._waiting, None
        if waiting is None or waiting.lives:
            return waiting
        waiting.end()
        return None

    def _fill(self) -> None:
        if self._waiting is None:
            with suppress(*_FAILURES):
                self._waiting = _Waiting()


class _Waiting:
    """A child that is told by its standard input what to measure."""

    def __init__(self) -> None:
        """Raises OSError."""
        self._answer = TemporaryFile()  # noqa: SIM115 -- closed by ``end``
        self._process = _started(self._answer)

    @property
    def lives(self) -> bool:
        """The kernel may have ended it meanwhile, for want of memory."""
        return self._process.poll() is None

    def probe(self, path: Path, cover: Path | None) -> MediaFacts | None:
        """As the function."""
        job = b"\0".join(map(os.fsencode, _job(path, cover, TIMEOUT, MEMORY)))
        try:
            if self._process.stdin is not None:
                self._process.stdin.write(job)
                self._process.stdin.close()
            return _told(self._process, self._answer, TIMEOUT)
        except _FAILURES:
            return None
        finally:
            self.end()

    def end(self) -> None:
        """Whatever it is doing."""
        _end(self._process)
        if self._process.stdin is not None:
            with suppress(OSError):  # it had gone before it was told
                self._process.stdin.close()
        self._answer.close()


def _job(path: Path, cover: Path | None, timeout: float, memory: int) -> list[Path | str]:
    return [path.absolute(), cover.absolute() if cover else "", str(math.ceil(timeout)), str(memory)]


def _started(answer: IO[bytes], job: Sequence[Path | str] = ()) -> subprocess.Popen[bytes]:
    """Answers by a file and not a pipe: the child's limit on file sizes then bounds what it says."""
    return subprocess.Popen(  # noqa: S603 -- our interpreter, our script, a path of ours
        [sys.executable, "-I", _CHILD, *job],
        stdin=subprocess.DEVNULL if job else subprocess.PIPE,
        stdout=answer,
        stderr=subprocess.DEVNULL,
        env={},
        cwd="/",
        process_group=0,
    )


def _told(process: subprocess.Popen[bytes], answer: IO[bytes], timeout: float) -> MediaFacts:
    """What the child says within ``timeout`` seconds. Raises one of the failures."""
    try:
        with suppress(subprocess.TimeoutExpired):  # what it has measured by then counts
            process.wait(timeout)
    finally:
        _end(process)
    answer.seek(0)
    return _facts(json.loads(answer.read()))


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _facts(answer: dict[str, float | None]) -> MediaFacts:
    """The child read hostile input: its answer is made to fit before it is believed."""
    duration, width, height = (answer[name] for name in ("duration", "width", "height"))
    return MediaFacts(
        duration=float(duration) if duration is not None else None,
        width=int(width) if width else None,
        height=int(height) if height else None,
        format=str(answer["format"])[:16],
    )
