"""Where lines go, and that who logs goes on whatever becomes of them."""

from __future__ import annotations

import gzip
import logging
import resource
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from pathlib import Path

import pytest

from telemetry.daily import DailyFile, tidy
from telemetry.writer import LineHandler, Writer
from tests.log_lines import Lines, event_of, kept_lines

ROOT = Path(__file__).parents[2]
DAY = date(2025, 6, 14)


@pytest.fixture
def log() -> Iterator[Lines]:
    with kept_lines() as lines:
        yield lines


def test_a_place_that_is_stuck_holds_up_nobody(log: Lines) -> None:
    gate, fast = threading.Event(), list[str]()
    stuck: list[str] = []

    def write_stuck(line: str) -> None:
        gate.wait(10)
        stuck.append(line)

    slow = Writer(write_stuck, max_waiting=3)
    quick = Writer(fast.append)
    handler = LineHandler([slow, quick])
    for number in range(20):
        handler.handle(logging.makeLogRecord({"name": "web", "msg": str(number)}))
    quick.flush()
    assert fast == [str(number) for number in range(20)]
    assert stuck == []

    gate.set()
    handler.close()

    assert stuck == [str(number) for number in range(len(stuck))]
    assert 3 <= len(stuck) <= 4  # one may have been in the writer's hands already
    assert log.event()["message"] == f"{20 - len(stuck)} events were dropped: they could not be written fast enough"


def test_a_file_a_day(tmp_path: Path) -> None:
    day = DAY
    file = DailyFile(tmp_path / "new" / "logs", "serve", lambda: day)
    file.write("one")
    file.write("two")
    day += timedelta(days=1)
    file.write("three")
    names = sorted(path.name for path in (tmp_path / "new" / "logs").iterdir())
    assert [name.split(".")[-2] for name in names] == ["2025-06-14", "2025-06-15"]
    assert {name.rpartition(".")[2] for name in names} == {"log"}
    assert all(name.startswith("media-serve-") for name in names)
    assert [(tmp_path / "new" / "logs" / name).read_text() for name in names] == ["one\ntwo\n", "three\n"]


def test_old_files_are_compressed_and_older_ones_removed(tmp_path: Path) -> None:
    for age in (0, 1, 2, 30, 31):
        (tmp_path / f"media-serve-h-1.{DAY - timedelta(days=age)}.log").write_text(f"{age}\n")
    (tmp_path / f"media-api-h-1.{DAY - timedelta(days=31)}.log.gz").write_text("31\n")
    others = ["media-serve-h-1.log", f"other.{DAY - timedelta(days=90)}.log", "notes.txt"]
    for name in others:
        (tmp_path / name).write_text("mine")

    tidy(tmp_path, DAY)
    tidy(tmp_path, DAY)

    plain = {f"media-serve-h-1.{DAY - timedelta(days=age)}.log" for age in (0, 1)}
    packed = {f"media-serve-h-1.{DAY - timedelta(days=age)}.log.gz": f"{age}\n".encode() for age in (2, 30)}
    assert {path.name for path in tmp_path.iterdir()} == plain | set(packed) | set(others)
    assert {name: gzip.decompress((tmp_path / name).read_bytes()) for name in packed} == packed


def test_processes_that_tidy_at_once_lose_nothing(tmp_path: Path) -> None:
    days = [DAY - timedelta(days=age) for age in range(2, 12)]
    for day in days:
        (tmp_path / f"media-serve-h-1.{day}.log").write_text(f"{day}\n" * 10_000)
    code = (
        "import datetime, pathlib, sys; from telemetry.daily import tidy;"
        " tidy(pathlib.Path(sys.argv[1]), datetime.date(2025, 6, 14))"
    )
    command = [sys.executable, "-c", code, str(tmp_path)]
    tidying = [subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE) for _ in range(3)]
    assert [process.communicate()[1] for process in tidying] == [b"", b"", b""]
    packed = {path.name: gzip.decompress(path.read_bytes()) for path in tmp_path.iterdir()}
    assert packed == {f"media-serve-h-1.{day}.log.gz": f"{day}\n".encode() * 10_000 for day in days}


def test_a_folder_that_cannot_be_made_costs_one_warning(tmp_path: Path, log: Lines) -> None:
    (tmp_path / "file").write_text("")
    file = DailyFile(tmp_path / "file" / "logs", "serve", lambda: DAY)
    for _ in range(3):
        file.write("lost")
        file._retry_at = 0.0
    assert log.event()["message"] == "LOG_DIR cannot be written, and is left out for now: Not a directory"


def test_a_full_disk_leaves_whole_lines(tmp_path: Path, log: Lines) -> None:
    file = DailyFile(tmp_path, "serve", lambda: DAY)
    with _largest_file(1000):
        for _ in range(5):
            file.write("x" * 299)
    file.write("too soon: a full disk is left alone for a while")
    file._retry_at = 0.0
    file.write("space again")
    (path,) = tmp_path.iterdir()
    assert path.read_text() == ("x" * 299 + "\n") * 3 + "space again\n"
    assert log.event()["message"].startswith("LOG_DIR cannot be written, and is left out for now: ")


def test_what_nobody_caught_is_one_event_too() -> None:
    code = """
import logging, threading, warnings
from telemetry.logging import configure
configure("json", "DEBUG")
warnings.warn("of Python")
logging.getLogger("uvicorn.error").info("GET /?token=secret")
logging.getLogger("websockets").debug("Authorization: Bearer secret")
logging.getLogger("uvicorn.error").error("Exception in ASGI application\\n", exc_info=ValueError("secret=1"))
thread = threading.Thread(target=lambda: 1 / 0)
thread.start(); thread.join()
class Bad:
    def __del__(self): raise KeyError("gone")
Bad()
raise SystemError("the\\nend")
"""
    ended = subprocess.run([sys.executable, "-c", code], check=False, cwd=ROOT, capture_output=True, text=True)
    events = [event_of(line) for line in ended.stderr.splitlines()]
    assert [(event["log"]["logger"], event["message"].split(" (")[0]) for event in events] == [
        ("py.warnings", "<string>:5: UserWarning: of Python"),
        ("uvicorn.error", "Exception in ASGI application"),
        ("telemetry.logging", "The thread Thread-1"),
        ("telemetry.logging", "An error could not be raised"),
        ("telemetry.logging", "The process ends by an error"),
    ]
    assert [event["error"]["message"] for event in events[1:]] == ["secret=***", "division by zero", "'gone'", "the"]
    assert ended.returncode == 1


@contextmanager
def _largest_file(size: int) -> Iterator[None]:
    """No file grows beyond ``size`` bytes meanwhile: what does not fit is not written, as on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
