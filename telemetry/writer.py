"""Takes finished lines from the threads that log, and writes them in threads of its own."""

from __future__ import annotations

import logging
import sys
import threading
from collections.abc import Callable, Sequence
from queue import SimpleQueue

from typing_extensions import override

logger = logging.getLogger(__name__)

MAX_WAITING = 10_000  # lines; some 10 MB
FLUSH_SECONDS = 0.5  # once to flush and once to close: a stuck pipe must not keep a stopping process
PAUSE = 0.02  # seconds after what there is was written: a thread that is woken for every line costs more than the lines

Write = Callable[[str], None]
"""Writes one line. May block, and raises nothing."""


class Writer:
    """Writes to one place. One that is stuck or slow delays neither who logs nor the other places."""

    def __init__(self, write: Write, *, max_waiting: int = MAX_WAITING) -> None:
        self._write = write
        self._max_waiting = max_waiting
        # Unlike Queue, a SimpleQueue may be put to from a destructor or a signal handler that interrupts a put.
        self._lines: SimpleQueue[str | threading.Event | None] = SimpleQueue()
        self._dropped = 0
        self._hurry = threading.Event()
        self._thread = threading.Thread(target=self._run, name="log-writer", daemon=True)
        self._thread.start()

    def put(self, line: str) -> None:
        """Never waits: beyond ``max_waiting`` lines, ``line`` is dropped and counted."""
        if self._lines.qsize() >= self._max_waiting:
            self._dropped += 1
        else:
            self._lines.put(line)

    def flush(self) -> None:
        """Wait until everything put so far is written, at most FLUSH_SECONDS."""
        written = threading.Event()
        self._lines.put(written)
        self._hurry.set()
        if self._thread.is_alive():
            written.wait(FLUSH_SECONDS)

    def close(self) -> None:
        """Write what is there and end, within FLUSH_SECONDS."""
        self._lines.put(None)
        self._hurry.set()
        self._thread.join(FLUSH_SECONDS)

    def _run(self) -> None:
        while (line := self._lines.get()) is not None:
            if isinstance(line, threading.Event):
                line.set()
                continue
            self._write(line)
            if self._dropped:
                dropped, self._dropped = self._dropped, 0
                logger.warning("%d events were dropped: they could not be written fast enough", dropped)
            if self._lines.empty():
                self._hurry.wait(PAUSE)
                self._hurry.clear()


class LineHandler(logging.Handler):
    """Formats in the thread that logs, which has the context, and leaves the line to the writers."""

    def __init__(self, writers: Sequence[Writer]) -> None:
        super().__init__()
        self._writers = writers

    @override
    def handle(self, record: logging.LogRecord) -> bool:
        """Without the lock of ``logging.Handler``: nobody waits until another's event is formatted."""
        try:
            line = self.format(record)
        except Exception as error:  # noqa: BLE001 - whatever an event's values do, who logs goes on
            line = self.format(_unreadable(record, error))
        for writer in self._writers:
            writer.put(line)
        return True

    @override
    def flush(self) -> None:
        for writer in self._writers:
            writer.flush()

    @override
    def close(self) -> None:
        for writer in self._writers:
            writer.close()
        super().close()


def _unreadable(record: logging.LogRecord, error: Exception) -> logging.LogRecord:
    place = {name: getattr(record, name) for name in ("name", "pathname", "filename", "lineno", "funcName")}
    level = {"levelno": logging.ERROR, "levelname": "ERROR"}
    return logging.makeLogRecord({**place, **level, "msg": f"An event cannot be shown: {type(error).__name__}"})


def to_stderr(line: str) -> None:
    """One write, so that the lines of several threads do not mix. A closed standard error has no reader."""
    try:
        sys.stderr.write(f"{line}\n")
        sys.stderr.flush()
    except (OSError, ValueError):
        return
