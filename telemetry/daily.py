"""A file a day and process in LOG_DIR, compressed later, kept for 30 days.

    media-{role}-{host}-{pid}.{date}.log      today's and yesterday's, for the shipper to read at its leisure
    media-{role}-{host}-{pid}.{date}.log.gz   older ones

Dates are in UTC, as the events' times are. No two processes share a file, so none needs a lock.
"""

from __future__ import annotations

import errno
import gzip
import logging
import os
import re
import shutil
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

logger = logging.getLogger(__name__)

KEPT_DAYS = 30
PLAIN_DAYS = 1  # after its own: time for a shipper that was down
RETRY_SECONDS = 60.0  # after a failure: a full disk is left alone for a while

_NAME = re.compile(r"media-.+\.(?P<day>\d{4}-\d\d-\d\d)\.log(?P<compressed>\.gz(?:\.\d+)?)?")


def utc_today() -> date:
    return datetime.now(UTC).date()


class DailyFile:
    """Appends lines to the day's file. Used from one thread.

    A file that cannot be written costs its lines and one warning; after a while it is tried again.
    """

    def __init__(self, folder: Path, role: str, today: Callable[[], date] = utc_today) -> None:
        host = re.sub(r"[^A-Za-z0-9-]", "-", socket.gethostname())
        self._folder = folder
        self._name = f"media-{role}-{host}-{os.getpid()}"
        self._today = today
        self._day: date | None = None
        self._file: int | None = None
        self._retry_at = 0.0
        self._failing = False

    def write(self, line: str) -> None:
        """Raises nothing."""
        if time.monotonic() < self._retry_at:
            return
        try:
            self._append(f"{line}\n".encode())
        except OSError as error:
            self._fail(error)
        else:
            self._failing = False

    def _append(self, line: bytes) -> None:
        file = self._of_today()
        end = os.lseek(file, 0, os.SEEK_END)
        written = os.write(file, line)
        if written < len(line):  # the disk is full: half a line would spoil the next one
            os.ftruncate(file, end)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def _of_today(self) -> int:
        today = self._today()
        if self._file is None or today != self._day:
            self._close()
            self._folder.mkdir(mode=0o750, parents=True, exist_ok=True)
            path = self._folder / f"{self._name}.{today}.log"
            self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o640)
            self._day = today
            with suppress(RuntimeError):  # no thread can be started now: another process, or tomorrow
                threading.Thread(target=tidy, args=(self._folder, today), name="log-tidying", daemon=True).start()
        return self._file

    def _fail(self, error: OSError) -> None:
        self._close()
        self._retry_at = time.monotonic() + RETRY_SECONDS
        if not self._failing:
            self._failing = True
            logger.warning("LOG_DIR cannot be written, and is left out for now: %s", error.strerror)

    def _close(self) -> None:
        if self._file is not None:
            with suppress(OSError):  # a network disk may report here what it did not write
                os.close(self._file)
            self._file = None


def tidy(folder: Path, today: date) -> None:
    """Compress what is older than yesterday, remove what is older than 30 days; other people's files stay.

    Several processes may do so at once. Raises nothing.
    """
    try:
        for path in folder.iterdir():
            found = _NAME.fullmatch(path.name)
            if found is not None:
                _tidy_file(path, today - date.fromisoformat(found["day"]), compressed=bool(found["compressed"]))
    except (OSError, ValueError):  # ValueError: somebody has made a file with a date that does not exist
        logger.warning("LOG_DIR could not be tidied; it is tried again tomorrow", exc_info=True)


def _tidy_file(path: Path, age: timedelta, *, compressed: bool) -> None:
    if age.days > KEPT_DAYS:
        path.unlink(missing_ok=True)
    elif age.days > PLAIN_DAYS and not compressed:
        _compress(path)


def _compress(path: Path) -> None:
    unfinished = path.with_name(f"{path.name}.gz.{os.getpid()}")
    try:
        with suppress(FileNotFoundError), path.open("rb") as plain:  # another process was faster
            with gzip.open(unfinished, "wb") as compressed:
                shutil.copyfileobj(plain, compressed, 1024 * 1024)
            shutil.copystat(path, unfinished)
            unfinished.replace(path.with_name(f"{path.name}.gz"))
            path.unlink()
    finally:
        unfinished.unlink(missing_ok=True)
