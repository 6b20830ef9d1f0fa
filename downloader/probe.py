"""Measures stored media in a child process that is limited in time, memory, and what it can reach."""

from __future__ import annotations

import json
import math
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO

from domain.ports import MediaFacts

_CHILD = Path(__file__).with_name("probe_child.py")
_FAILURES = (OSError, subprocess.SubprocessError, LookupError, TypeError, ValueError)


def probe(path: Path, cover: Path | None = None, *, timeout: float = 20, memory: int = 2**30) -> MediaFacts | None:
    """Measure a stored file or local playlist; None when it cannot be read. Never raises.

    Blocks for about 0.15 s, at most ``timeout`` seconds; the child may use ``memory`` bytes of address space.
    A still of a video is written to ``cover``; whoever looks there may find nothing, or half of it.
    """
    try:
        with TemporaryFile() as answer:
            _run([path.absolute(), cover.absolute() if cover else ""], timeout, memory, answer)
            answer.seek(0)
            return _facts(json.loads(answer.read()))
    except _FAILURES:
        return None


def _run(paths: Sequence[Path | str], timeout: float, memory: int, answer: IO[bytes]) -> None:
    """Writes to a file and not to a pipe: the child's limit on file sizes then bounds the answer."""
    process = subprocess.Popen(  # noqa: S603 -- our interpreter, our script, a path of ours
        [sys.executable, "-I", _CHILD, *paths, str(math.ceil(timeout)), str(memory)],
        stdin=subprocess.DEVNULL,
        stdout=answer,
        stderr=subprocess.DEVNULL,
        env={},
        cwd="/",
        process_group=0,
    )
    try:
        with suppress(subprocess.TimeoutExpired):  # what it has measured by then counts
            process.wait(timeout)
    finally:
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
