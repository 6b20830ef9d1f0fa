"""One command, and what it cost."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile
from threading import Timer

LONGEST = 600  # seconds


@dataclass(frozen=True, slots=True)
class Sample:
    """``wall`` and ``cpu`` in seconds, ``rss`` in MiB; None where it was not measured.

    ``cpu`` is user and system time of the process and of all that it has waited for; ``rss`` is the peak of the
    largest of them, and at least that of this process, from which Linux lets a child start. ``tail`` is the time
    in seconds from the last byte of media that was written to the end.
    """

    wall: float
    cpu: float | None = None
    rss: float | None = None
    tail: float | None = None


class Failed(Exception):
    """A tool did not do its work."""


def measure(command: Sequence[str | Path], environment: Mapping[str, str], folder: Path) -> Sample:
    """Run to the end, in ``folder``. Raises Failed."""
    with TemporaryFile() as said:
        began = time.perf_counter()
        process = subprocess.Popen(  # noqa: S603 -- a tool of the table
            command, env=environment, cwd=folder, stdin=subprocess.DEVNULL, stdout=said, stderr=said
        )
        watchdog = Timer(LONGEST, process.kill)
        watchdog.start()
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - began
        watchdog.cancel()
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            said.seek(0)
            raise Failed(f"exit code {process.returncode}: {said.read()[-1000:].decode(errors='replace')}")
    return Sample(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)
