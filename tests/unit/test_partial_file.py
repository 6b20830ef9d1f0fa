"""The bytes that outlive a run, and the state that says which they are."""

from __future__ import annotations

import ctypes
import errno
import json
import os
from collections.abc import Mapping
from pathlib import Path

import pytest
from xxhash import xxh3_128

from domain.errors import StorageError, TransferError
from downloader import disk
from downloader.limits import MIB
from downloader.partial_file import PartialFile, forget, strong_validator
from downloader.ranges import OPEN_END, Range
from downloader.response import Response
from tests import media

FILM = media.mp4()
ETAG = '"one"'
LONG_AGO, TO_COME = "Mon, 01 Jan 2024 00:00:00 GMT", "Fri, 01 Jan 2100 00:00:00 GMT"


class Partial:
    """A partial file and what it counted."""

    def __init__(self, path: Path, min_free: int = 0) -> None:
        self.path, self.counted = path, 0
        self.state = path.with_name(f"{path.name}.json")
        path.touch()
        self.open = path.open("r+b", buffering=0)
        self.file = PartialFile(path, self.open, self.count, min_free)
        self.file.load()

    def count(self, size: int) -> None:
        self.counted += size

    def begin(self, **headers: str) -> Range:
        """The whole is on its way."""
        part = self.file.ranges.next()
        assert part is not None
        self.file.restart(part, whole(**headers))
        return part

    def leave(self, *, keep: bool = True) -> list[str]:
        """The names of what is left."""
        self.file.leave(keep=keep)
        self.open.close()
        return sorted(path.name for path in self.path.parent.iterdir())


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "film"


def whole(**headers: str) -> Response:
    """The answer to a plain GET, with these headers beside or instead of its own."""
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    return Response(200, {"content-length": str(len(FILM)), "etag": ETAG, **given}, "http://127.0.0.1/film.mp4")


def write(file: PartialFile, part: Range, size: int) -> None:
    file.write(part, memoryview(FILM)[part.position : part.position + size])


def test_what_has_arrived_outlives_a_run(path: Path) -> None:
    first = Partial(path)
    part = first.begin()
    write(first.file, part, 1000)
    assert (first.counted, first.file.total, path.stat().st_size) == (1000, len(FILM), len(FILM))
    assert first.leave() == ["film", "film.json"]

    second = Partial(path)

    assert (second.counted, second.file.present) == (1000, 1000)
    assert (second.file.validator, second.file.total) == (ETAG, len(FILM))
    assert second.file.ranges.missing == [(1000, len(FILM))]
    assert path.read_bytes()[:1000] == FILM[:1000]
    second.leave()


def test_nothing_is_kept_without_a_strong_validator_or_a_byte(path: Path) -> None:
    weak = Partial(path)
    write(weak.file, weak.begin(etag='W/"one"'), 1000)
    assert weak.leave() == []
    empty = Partial(path)
    empty.begin()
    assert empty.leave() == []
    stored = Partial(path)
    write(stored.file, stored.begin(), 1000)
    assert stored.leave(keep=False) == []


@pytest.mark.parametrize(
    "state",
    [
        "",
        "[]",
        "{}",
        json.dumps({"validator": ETAG, "total": len(FILM), "missing": [[0, len(FILM) + 1]]}),
        json.dumps({"validator": ETAG, "total": len(FILM) - 1, "missing": []}),
        json.dumps({"validator": ETAG, "total": len(FILM), "missing": [["a", "b"]]}),
        json.dumps({"validator": ETAG, "total": None, "missing": [[len(FILM) + 1, OPEN_END]]}),
    ],
)
def test_a_state_that_does_not_fit_the_file_starts_anew(path: Path, state: str) -> None:
    path.write_bytes(FILM)
    path.with_name("film.json").write_text(state)

    partial = Partial(path)

    assert (partial.counted, partial.file.present, path.stat().st_size) == (0, 0, 0)
    assert partial.file.ranges.missing == [(0, OPEN_END)]
    assert partial.leave() == []


def test_another_version_gives_up_what_was_there(path: Path) -> None:
    partial = Partial(path)
    part = partial.begin()
    write(partial.file, part, 1000)

    partial.file.restart(part, whole(etag='"two"', content_length="500"))

    assert (partial.counted, partial.file.present, part.position) == (0, 0, 0)
    assert json.loads(partial.state.read_text()) == {"validator": '"two"', "total": 500, "missing": [[0, 500]]}
    assert path.read_bytes() == bytes(500)
    partial.leave()


def test_a_file_whose_size_nobody_tells_goes_on_too(path: Path) -> None:
    first = Partial(path)
    part = first.begin(content_length="")
    write(first.file, part, 1000)
    assert json.loads(first.state.read_text())["total"] is None
    first.leave()

    second = Partial(path)
    again = second.file.ranges.next()

    assert again is not None
    assert (again.position, again.end, second.counted) == (1000, OPEN_END, 1000)
    second.file.know_total(again, len(FILM))
    assert (again.end, path.stat().st_size) == (len(FILM), len(FILM))
    second.leave()


def test_the_state_is_written_once_a_second_and_after_the_bytes(path: Path) -> None:
    partial = Partial(path)
    part = partial.begin()
    write(partial.file, part, 1000)
    partial.file.save_now_and_then()
    assert json.loads(partial.state.read_text())["missing"] == [[0, len(FILM)]]

    partial.file._saved -= 1.0
    partial.file.save_now_and_then()

    assert json.loads(partial.state.read_text())["missing"] == [[1000, len(FILM)]]
    assert partial.leave() == ["film", "film.json"]


@pytest.mark.parametrize("order", [range(10), range(9, -1, -1), [0, 1, 5, 2, 3, 4, 9, 8, 7, 6]])
def test_the_digest_is_that_of_the_file_in_whatever_order_it_comes(path: Path, order: list[int]) -> None:
    partial = Partial(path)
    partial.begin()
    step = len(FILM) // 9
    for number in order:
        start = number * step
        write(partial.file, Range(start, min(start + step, len(FILM))), min(step, len(FILM) - start))

    assert partial.file.verified() == xxh3_128(FILM).hexdigest()
    assert partial.file.present == len(FILM)
    partial.leave()


def test_what_is_no_film_is_told(path: Path) -> None:
    partial = Partial(path)
    partial.begin()

    with pytest.raises(TransferError, match="signature: this is no MP4 file"):
        partial.file.verified()

    partial.leave()


@pytest.mark.parametrize(
    ("headers", "validator"),
    [
        ({"etag": ETAG}, ETAG),
        ({"etag": ETAG, "last-modified": LONG_AGO}, ETAG),
        ({"etag": 'W/"one"', "last-modified": LONG_AGO}, None),
        ({"etag": "one"}, None),
        ({"last-modified": LONG_AGO}, LONG_AGO),
        ({"last-modified": TO_COME}, None),
        ({"last-modified": LONG_AGO, "date": "Mon, 01 Jan 2024 00:00:59 GMT"}, None),
        ({"last-modified": LONG_AGO, "date": "Mon, 01 Jan 2024 00:01:00 GMT"}, LONG_AGO),
        ({"last-modified": "yesterday"}, None),
        ({"last-modified": LONG_AGO, "date": "today"}, None),
        ({}, None),
    ],
)
def test_strong_validators(headers: Mapping[str, str], validator: str | None) -> None:
    assert strong_validator(headers) == validator


@pytest.mark.parametrize(
    ("validator", "headers", "same"),
    [
        (ETAG, {"etag": ETAG}, True),
        (ETAG, {"etag": '"two"'}, False),
        (ETAG, {"etag": f"W/{ETAG}"}, False),
        (ETAG, {"last-modified": LONG_AGO}, True),
        (ETAG, {}, True),
        (LONG_AGO, {"last-modified": LONG_AGO}, True),
        (LONG_AGO, {"last-modified": TO_COME}, False),
        (LONG_AGO, {"last-modified": LONG_AGO, "etag": ETAG}, False),
        (LONG_AGO, {}, True),
    ],
)
def test_what_a_part_tells_of_its_version(path: Path, validator: str, headers: dict[str, str], same: bool) -> None:
    partial = Partial(path)
    partial.begin(**({"etag": validator} if validator == ETAG else {"etag": "", "last_modified": validator}))
    assert partial.file.validator == validator

    def part(size: str) -> Response:
        return Response(206, {"content-range": f"bytes 5-9/{size}", **headers}, "http://127.0.0.1/film.mp4")

    assert partial.file.continues(part(str(len(FILM)))) is same
    assert partial.file.continues(part("*")) is same
    assert not partial.file.continues(part("10"))
    partial.leave()


# --- the disk ---


def test_what_does_not_fit_is_refused(path: Path) -> None:
    partial = Partial(path, min_free=2**60)

    with pytest.raises(StorageError, match="disk full: the file does not fit"):
        partial.begin()

    assert partial.leave() == []


def test_room_is_needed_only_for_what_is_not_there(path: Path) -> None:
    path.write_bytes(bytes(MIB))
    with path.open("rb") as file:
        free = os.statvfs(path).f_bavail * os.statvfs(path).f_frsize
        disk.require_room(file.fileno(), MIB, 2 * free)
        with pytest.raises(StorageError):
            disk.require_room(file.fileno(), 2 * MIB, 2 * free)


def test_reserving_keeps_bytes_and_size(path: Path) -> None:
    path.write_bytes(FILM)

    disk.reserve(path, 40 * MIB)

    assert path.read_bytes() == FILM
    assert path.stat().st_blocks * 512 >= 40 * MIB
    with pytest.raises(FileNotFoundError):
        disk.reserve(path.with_name("none"), MIB)


@pytest.mark.parametrize(("code", "told"), [(errno.ENOSPC, True), (errno.EDQUOT, True), (errno.EOPNOTSUPP, False)])
def test_reserving_tells_of_a_full_disk_alone(
    path: Path, monkeypatch: pytest.MonkeyPatch, code: int, told: bool
) -> None:
    path.touch()
    monkeypatch.setattr(disk, "_fallocate", lambda *_: -1 if ctypes.set_errno(code) is not None else 0)

    if told:
        with pytest.raises(OSError, match=os.strerror(code)):
            disk.reserve(path, MIB)
    else:
        disk.reserve(path, MIB)


def test_forgetting_takes_all_of_it(path: Path) -> None:
    for name in ("film", "film.json", "film.json.new", "film.mp4"):
        path.with_name(name).touch()

    forget(path)
    forget(path)

    assert [left.name for left in path.parent.iterdir()] == ["film.mp4"]
