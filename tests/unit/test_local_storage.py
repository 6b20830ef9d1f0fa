from __future__ import annotations

import errno
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import pytest

from domain.errors import StorageError
from storage.keys import Names
from storage.local import LocalStorage

NAMES = Names(UUID(int=1), datetime(2025, 6, 14, tzinfo=UTC))
OTHER = Names(UUID(int=2), datetime(2025, 6, 14, tzinfo=UTC))
SEGMENT = NAMES.segment(0, ".ts")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "media"


@pytest.fixture
def storage(root: Path) -> LocalStorage:
    return LocalStorage(root)


def put(storage: LocalStorage, key: str, data: bytes = b"data", run: int = 1) -> None:
    path = storage.scratch(key, run)
    path.write_bytes(data)
    storage.publish(path, key)


def files(root: Path) -> list[str]:
    return sorted(str(path.relative_to(root)) for path in root.rglob("*") if path.is_file())


# --- files by key ---


def test_a_file_is_under_its_key_when_it_is_published(storage: LocalStorage, root: Path) -> None:
    path = storage.scratch(SEGMENT, 1)
    path.write_bytes(b"half")
    assert (storage.read(SEGMENT), storage.path(SEGMENT), storage.sizes(NAMES.folder)) == (None, None, {})
    storage.publish(path, SEGMENT)
    assert storage.read(SEGMENT) == b"half"
    assert storage.path(SEGMENT) == root / SEGMENT
    assert storage.sizes(NAMES.folder) == {SEGMENT: 4}
    assert files(root) == [SEGMENT]


def test_publishing_again_replaces(storage: LocalStorage) -> None:
    put(storage, SEGMENT, b"old")
    put(storage, SEGMENT, b"newer", run=2)
    assert storage.read(SEGMENT) == b"newer"


def test_runs_do_not_share_scratch_files(storage: LocalStorage) -> None:
    paths = {storage.scratch(SEGMENT, run) for run in (0, 1, 2)} | {storage.partial(SEGMENT)}
    assert len(paths) == 4
    assert all(path.parent.is_dir() and not path.exists() for path in paths)


def test_writing_is_one_step_and_leaves_nothing_else(storage: LocalStorage, root: Path) -> None:
    storage.write(NAMES.playlist, b"#EXTM3U\n")
    storage.write(NAMES.playlist, b"#EXTM3U\n#EXT-X-ENDLIST\n")
    assert storage.read(NAMES.playlist) == b"#EXTM3U\n#EXT-X-ENDLIST\n"
    assert files(root) == [NAMES.playlist]


def test_a_reader_never_sees_half_a_file(storage: LocalStorage) -> None:
    texts = [letter * 200_000 for letter in (b"a", b"b", b"c")]
    storage.write(NAMES.mapping, texts[0])
    done = threading.Event()

    def write() -> None:
        for turn in range(60):
            storage.write(NAMES.mapping, texts[turn % 3])

    def read() -> int:
        seen = 0
        while not done.is_set():
            assert storage.read(NAMES.mapping) in texts
            seen += 1
        return seen

    with ThreadPoolExecutor(4) as threads:
        reader = threads.submit(read)
        try:
            for writer in [threads.submit(write) for _ in range(2)]:
                writer.result()
        finally:
            done.set()
        assert reader.result() > 0


def test_sizes_list_by_the_beginning_of_a_key(storage: LocalStorage) -> None:
    for key in (SEGMENT, NAMES.mp4, NAMES.image(".png"), NAMES.digests, OTHER.mp4):
        put(storage, key)
    storage.scratch(SEGMENT, 2).write_bytes(b"scratch")
    storage.partial(NAMES.mp4).write_bytes(b"partial")
    assert storage.sizes(NAMES.folder) == dict.fromkeys((SEGMENT, NAMES.mp4, NAMES.image(".png"), NAMES.digests), 4)
    assert storage.sizes(NAMES.hls_folder) == {SEGMENT: 4}
    assert storage.sizes(NAMES.image("")) == {NAMES.image(".png"): 4}
    assert storage.sizes(NAMES.mp4) == {NAMES.mp4: 4}
    assert storage.sizes("video_ffffffff/") == {}


def test_what_a_power_cut_left_empty_does_not_count(storage: LocalStorage) -> None:
    put(storage, SEGMENT, b"")
    assert storage.sizes(NAMES.folder) == {}
    put(storage, SEGMENT, b"data")
    assert storage.sizes(NAMES.folder) == {SEGMENT: 4}


def test_a_large_file_grows_over_runs_until_it_is_published(storage: LocalStorage, root: Path) -> None:
    partial = storage.partial(NAMES.mp4)
    partial.write_bytes(b"12")
    storage.clear_scratch(NAMES.folder)
    assert storage.partial(NAMES.mp4) == partial
    assert partial.read_bytes() == b"12"
    storage.publish(partial, NAMES.mp4)
    assert files(root) == [NAMES.mp4]


# --- removal ---


def test_scratch_is_cleared_by_run_and_task(storage: LocalStorage, root: Path) -> None:
    put(storage, SEGMENT)
    for run in (1, 2, 3):
        for names in (NAMES, OTHER):
            storage.scratch(names.segment(run, ".ts"), run).write_bytes(b"x")
    storage.clear_scratch(NAMES.folder, before_run=3)
    assert [name for name in files(root) if name.startswith(NAMES.folder)] == [
        f"{NAMES.folder}.scratch/3/{NAMES.segment(3, '.ts').removeprefix(NAMES.folder)}",
        SEGMENT,
    ]
    storage.clear_scratch(NAMES.folder)
    assert [name for name in files(root) if name.startswith(NAMES.folder)] == [SEGMENT]
    assert not (root / NAMES.folder / ".scratch").exists()
    assert sum(name.startswith(OTHER.folder) for name in files(root)) == 3
    storage.clear_scratch("video_unknown/")


def test_purging_removes_everything_of_the_task_and_nothing_else(storage: LocalStorage, root: Path) -> None:
    for names in (NAMES, OTHER):
        put(storage, names.segment(0, ".ts"))
    storage.scratch(SEGMENT, 2).write_bytes(b"x")
    storage.partial(NAMES.mp4).write_bytes(b"x")
    storage.purge(NAMES.folder)
    assert files(root) == [OTHER.segment(0, ".ts")]
    assert not (root / NAMES.folder).exists()
    storage.purge(NAMES.folder)
    assert LocalStorage(root / "nowhere").purge(NAMES.folder) is None  # type: ignore[func-returns-value]  # it must not raise


def test_a_folder_that_a_killed_process_was_removing_goes_too(storage: LocalStorage, root: Path) -> None:
    left = root / ".trash" / "left" / "hls"
    left.mkdir(parents=True)
    (left / "a.ts").touch()
    storage.purge(NAMES.folder)
    assert files(root) == []


def test_a_folder_is_purged_under_a_run_that_still_writes(storage: LocalStorage, root: Path) -> None:
    stop, writing = threading.Event(), threading.Event()

    def write() -> None:
        index = 0
        while not stop.is_set():
            with suppress(StorageError, OSError):
                put(storage, NAMES.segment(index, ".ts"))
                storage.partial(NAMES.mp4).write_bytes(b"x")
            index += 1
            if index == 50:
                writing.set()

    def purge() -> None:
        for _ in range(20):
            storage.purge(NAMES.folder)

    with ThreadPoolExecutor(4) as threads:
        writers = [threads.submit(write) for _ in range(2)]
        try:
            assert writing.wait(10)
            for purger in [threads.submit(purge) for _ in range(2)]:
                purger.result()
        finally:
            stop.set()
        for writer in writers:
            writer.result()
    storage.purge(NAMES.folder)
    assert files(root) == []


# --- staying inside ---


@pytest.mark.parametrize(
    "key",
    [
        "",
        "/",
        "..",
        "../a",
        "video_1/../../a",
        "/etc/passwd",
        "video_1//a",
        "video_1/./a",
        "video_1/a\0b",
        ".trash/a",
        "video_1/.scratch/1/a",
        "video_1/.hidden",
    ],
)
def test_a_key_stays_under_the_root(storage: LocalStorage, root: Path, tmp_path: Path, key: str) -> None:
    outside = tmp_path / "a"
    outside.write_bytes(b"mine")
    source = tmp_path / "source"
    source.write_bytes(b"theirs")
    for use in (
        lambda: storage.scratch(key, 1),
        lambda: storage.partial(key),
        lambda: storage.publish(source, key),
        lambda: storage.write(key, b"x"),
        lambda: storage.read(key),
        lambda: storage.path(key),
        lambda: storage.purge(key),
        lambda: storage.clear_scratch(key),
    ):
        with pytest.raises(StorageError):
            use()
    assert (outside.read_bytes(), source.read_bytes(), root.exists()) == (b"mine", b"theirs", False)


def test_links_are_not_followed(storage: LocalStorage, root: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    (outside / "hls" / "ts").mkdir(parents=True)
    (outside / "secret.ts").write_bytes(b"secret")
    root.mkdir()
    (root / NAMES.folder).symlink_to(outside)
    for use in (
        lambda: storage.read(NAMES.playlist),
        lambda: storage.scratch(SEGMENT, 1),
        lambda: storage.write(NAMES.playlist, b"x"),
        lambda: storage.sizes(NAMES.folder),
        lambda: storage.clear_scratch(NAMES.folder),
    ):
        with pytest.raises(StorageError, match="link"):
            use()
    storage.purge(NAMES.folder)
    assert files(outside) == ["secret.ts"]
    assert not (root / NAMES.folder).is_symlink()

    put(storage, SEGMENT)
    link = NAMES.segment(1, ".ts")
    (root / link).symlink_to(outside / "secret.ts")
    assert (storage.read(link), storage.path(link)) == (None, None)
    assert storage.sizes(NAMES.folder) == {SEGMENT: 4}
    storage.purge(NAMES.folder)
    assert files(outside) == ["secret.ts"]


def test_the_root_itself_may_be_a_link(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    (tmp_path / "media").symlink_to(tmp_path / "disk")
    storage = LocalStorage(tmp_path / "media")
    put(storage, SEGMENT)
    assert files(tmp_path / "disk") == [SEGMENT]


# --- refusals ---


@pytest.mark.parametrize(
    ("code", "message"),
    [
        (errno.ENOSPC, "disk full"),
        (errno.EDQUOT, "disk quota used up"),
        (errno.EROFS, "read-only storage"),
        (errno.EACCES, "no permission for the storage"),
        (errno.EIO, "storage: input/output error"),
    ],
)
def test_refusals_are_told_in_plain_words(
    storage: LocalStorage, root: Path, monkeypatch: pytest.MonkeyPatch, code: int, message: str
) -> None:
    put(storage, SEGMENT, b"old")

    def refuse(path: Path, *_: object, **__: object) -> None:
        raise OSError(code, os.strerror(code), str(path))

    monkeypatch.setattr(Path, "mkdir", refuse)
    monkeypatch.setattr(os, "replace", refuse)
    for use in (
        lambda: storage.scratch(SEGMENT, 2),
        lambda: storage.partial(NAMES.mp4),
        lambda: storage.publish(root / SEGMENT, NAMES.mp4),
        lambda: storage.write(SEGMENT, b"new"),
        lambda: storage.purge(NAMES.folder),
    ):
        with pytest.raises(StorageError) as caught:
            use()
        assert caught.value.message == message
        assert isinstance(caught.value.__cause__, OSError)
    assert not storage.answers()
    monkeypatch.undo()
    assert storage.read(SEGMENT) == b"old"


def test_a_scratch_file_that_is_gone_is_told(storage: LocalStorage, tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="storage: no such file"):
        storage.publish(tmp_path / "gone", SEGMENT)


def test_it_answers_while_files_can_be_kept(storage: LocalStorage, root: Path) -> None:
    assert storage.answers()
    assert files(root) == []
    (root.parent / "file").touch()
    assert not LocalStorage(root.parent / "file").answers()


def test_twenty_thousand_files_are_listed(storage: LocalStorage, root: Path) -> None:
    put(storage, SEGMENT)
    for index in range(1, 20_000):
        os.link(root / SEGMENT, root / NAMES.segment(index, ".ts"))
    assert len(storage.sizes(NAMES.hls_folder)) == 20_000
    storage.purge(NAMES.folder)
    assert storage.sizes(NAMES.folder) == {}
