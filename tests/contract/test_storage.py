"""What every storage promises: the same tests over a folder and over an object store."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import httpx
import pytest

from domain.errors import StorageError
from domain.ports import Storage
from storage.keys import Names
from storage.local import LocalStorage
from storage.object_store import PART, ObjectStorage
from tests.object_store import Bucket

NAMES = Names(UUID(int=1), datetime(2025, 6, 14, tzinfo=UTC))
OTHER = Names(UUID(int=2), datetime(2025, 6, 14, tzinfo=UTC))
SEGMENT = NAMES.segment(0, ".ts")
LARGE = bytes(range(256)) * (3 * PART // 256 + 5)


@pytest.fixture(params=["folder", "object store"])
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Storage]:
    if request.param == "folder":
        yield LocalStorage(tmp_path / "media")
        return
    bucket: Bucket = request.getfixturevalue("bucket")
    yield ObjectStorage(bucket.url, bucket.options, tmp_path / "scratch")
    assert bucket.uploads() == []


def put(storage: Storage, key: str, data: bytes = b"data", run: int = 1) -> None:
    path = storage.scratch(key, run)
    path.write_bytes(data)
    storage.publish(path, key)
    assert not path.exists()


def content(storage: Storage, key: str) -> bytes:
    return b"".join(storage.blocks(key))


def test_a_file_is_under_its_key_when_it_is_published(storage: Storage) -> None:
    path = storage.scratch(SEGMENT, 1)
    path.write_bytes(b"half")
    assert (storage.read(SEGMENT), storage.path(SEGMENT), storage.size(SEGMENT)) == (None, None, None)
    assert (storage.sizes(NAMES.folder), content(storage, SEGMENT)) == ({}, b"")
    storage.publish(path, SEGMENT)
    assert (storage.read(SEGMENT), content(storage, SEGMENT), storage.size(SEGMENT)) == (b"half", b"half", 4)
    assert storage.sizes(NAMES.folder) == {SEGMENT: 4}
    assert not path.exists()


def test_publishing_again_replaces(storage: Storage) -> None:
    put(storage, SEGMENT, b"old")
    put(storage, SEGMENT, b"newer", run=2)
    assert storage.read(SEGMENT) == b"newer"


def test_a_large_file_is_the_same_afterwards(storage: Storage) -> None:
    partial = storage.partial(NAMES.mp4)
    partial.write_bytes(LARGE)
    storage.publish(partial, NAMES.mp4)
    assert not partial.exists()
    assert storage.size(NAMES.mp4) == len(LARGE)
    assert content(storage, NAMES.mp4) == LARGE


def test_runs_do_not_share_scratch_files(storage: Storage) -> None:
    paths = {storage.scratch(SEGMENT, run) for run in (0, 1, 2)} | {storage.partial(SEGMENT)}
    assert len(paths) == 4
    assert all(path.parent.is_dir() and not path.exists() for path in paths)


def test_scratch_files_of_a_run_lie_as_they_will_be_stored(storage: Storage) -> None:
    playlist, segment = (storage.scratch(key, 1) for key in (NAMES.local_playlist, SEGMENT))
    assert segment.relative_to(playlist.parent) == Path(SEGMENT).relative_to(NAMES.hls_folder)


def test_writing_replaces_in_one_step(storage: Storage) -> None:
    texts = [letter * 200_000 for letter in (b"a", b"b", b"c")]
    storage.write(NAMES.mapping, texts[0])
    done = threading.Event()

    def write() -> None:
        for turn in range(15):
            storage.write(NAMES.mapping, texts[turn % 3])

    def read() -> int:
        seen = 0
        while not done.is_set():
            assert storage.read(NAMES.mapping) in texts
            seen += 1
        return seen

    with ThreadPoolExecutor(3) as threads:
        reader = threads.submit(read)
        try:
            for writer in [threads.submit(write) for _ in range(2)]:
                writer.result()
        finally:
            done.set()
        assert reader.result() > 0
    assert storage.sizes(NAMES.folder) == {NAMES.mapping: 200_000}


def test_sizes_list_by_the_beginning_of_a_key(storage: Storage) -> None:
    for key in (SEGMENT, NAMES.mp4, NAMES.image(".png"), NAMES.digests, OTHER.mp4):
        put(storage, key)
    put(storage, NAMES.segment(1, ".ts"), b"")  # as a power cut leaves it
    storage.scratch(SEGMENT, 2).write_bytes(b"scratch")
    storage.partial(NAMES.mp4).write_bytes(b"partial")
    assert storage.sizes(NAMES.folder) == dict.fromkeys((SEGMENT, NAMES.mp4, NAMES.image(".png"), NAMES.digests), 4)
    assert storage.sizes(NAMES.hls_folder) == {SEGMENT: 4}
    assert storage.sizes(NAMES.image("")) == {NAMES.image(".png"): 4}
    assert storage.sizes(NAMES.mp4) == {NAMES.mp4: 4}
    assert storage.sizes("video_ffffffff/") == {}


def test_purging_removes_everything_of_the_task_and_nothing_else(storage: Storage) -> None:
    for names in (NAMES, OTHER):
        put(storage, names.segment(0, ".ts"))
    put(storage, NAMES.mp4, LARGE)
    scratch, partial, kept = storage.scratch(SEGMENT, 2), storage.partial(NAMES.mp4), storage.partial(OTHER.mp4)
    for path in (scratch, partial, kept):
        path.write_bytes(b"x")
    storage.purge(NAMES.folder)
    assert (storage.sizes(NAMES.folder), storage.read(SEGMENT), storage.size(NAMES.mp4)) == ({}, None, None)
    assert storage.sizes(OTHER.folder) == {OTHER.segment(0, ".ts"): 4}
    assert [path.exists() for path in (scratch, partial, kept)] == [False, False, True]
    storage.purge(NAMES.folder)


def test_scratch_is_cleared_by_run_and_task(storage: Storage) -> None:
    put(storage, SEGMENT)
    paths = {(names, run): storage.scratch(names.segment(1, ".ts"), run) for names in (NAMES, OTHER) for run in (1, 2)}
    partial = storage.partial(NAMES.mp4)
    for path in (*paths.values(), partial):
        path.write_bytes(b"x")

    def left() -> list[tuple[Names, int]]:
        return [key for key, path in paths.items() if path.exists()]

    storage.clear_scratch(NAMES.folder, before_run=2)
    assert left() == [(NAMES, 2), (OTHER, 1), (OTHER, 2)]
    storage.clear_scratch(NAMES.folder)
    assert left() == [(OTHER, 1), (OTHER, 2)]
    storage.clear_scratch("video_unknown/")
    assert (storage.read(SEGMENT), partial.read_bytes()) == (b"data", b"x")


def test_what_is_not_here_has_a_url(storage: Storage) -> None:
    put(storage, NAMES.mp4, LARGE)
    url = storage.url(NAMES.mp4, 60)
    assert (url is not None) == storage.is_remote == (storage.path(NAMES.mp4) is None)
    if url is not None:
        part = httpx.get(url, headers={"Range": "bytes=100-199"})
        assert (part.status_code, part.content) == (206, LARGE[100:200])
        head = httpx.head(storage.url(NAMES.mp4, 60, "HEAD") or "")
        assert (head.status_code, head.headers["content-type"]) == (200, "video/mp4")
        assert head.headers["content-disposition"] == f'inline; filename="{Path(NAMES.mp4).name}"'


def test_it_answers_and_leaves_nothing_by_that(storage: Storage) -> None:
    assert storage.answers()
    assert storage.has_room()
    assert storage.sizes("video_1/") == {}


@pytest.mark.parametrize(
    "key",
    ["", "/", "..", "../a", "video_1/../../a", "/etc/passwd", "video_1//a", "video_1/./a", "video_1/a\0b", ".x/a"],
)
def test_a_key_stays_under_the_root(storage: Storage, tmp_path: Path, key: str) -> None:
    source = tmp_path / "source"
    source.write_bytes(b"theirs")
    for use in (
        lambda: storage.scratch(key, 1),
        lambda: storage.partial(key),
        lambda: storage.publish(source, key),
        lambda: storage.write(key, b"x"),
        lambda: storage.read(key),
        lambda: content(storage, key),
        lambda: storage.size(key),
        lambda: storage.path(key),
        lambda: storage.purge(key),
        lambda: storage.clear_scratch(key),
    ):
        with pytest.raises(StorageError, match="no key"):
            use()
    assert source.read_bytes() == b"theirs"
    assert storage.has_room()


def test_a_scratch_file_that_is_gone_is_told(storage: Storage, tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="no such file"):
        storage.publish(tmp_path / "gone", SEGMENT)
    assert storage.has_room()
