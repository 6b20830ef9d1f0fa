"""What only an object store can do to us, and scratch on this machine."""

from __future__ import annotations

import fcntl
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, tzinfo
from pathlib import Path
from typing import Self
from uuid import UUID

import httpx
import pytest

from domain.errors import StorageError
from storage import object_store as module
from storage import s3_signing
from storage.keys import Names
from storage.object_store import ObjectStorage
from storage.s3_signing import Signer
from storage.scratch import ScratchFolder
from tests.e2e.service import wait_until
from tests.object_store import Bucket, Gate, ObjectStore

NAMES = Names(UUID(int=1), datetime(2025, 6, 14, tzinfo=UTC))
OTHER = Names(UUID(int=2), datetime(2025, 6, 14, tzinfo=UTC))
SEGMENT = NAMES.segment(0, ".ts")


@pytest.fixture
def storage(bucket: Bucket, tmp_path: Path) -> ObjectStorage:
    return ObjectStorage(bucket.url, bucket.options, tmp_path / "scratch")


@pytest.fixture
def gate(object_store: ObjectStore) -> Iterator[Gate]:
    with object_store.gate() as gate:
        yield gate


@pytest.fixture
def gated(object_store: ObjectStore, gate: Gate, tmp_path: Path) -> Iterator[ObjectStorage]:
    """Its store can be shut away."""
    with object_store.bucket(endpoint=gate.endpoint) as bucket:
        yield ObjectStorage(bucket.url, bucket.options, tmp_path / "scratch")


def refusal(storage: ObjectStorage) -> str:
    with pytest.raises(StorageError) as caught:
        storage.require()
    return caught.value.message


def test_more_files_than_one_answer_lists_are_found_and_purged(storage: ObjectStorage) -> None:
    with ThreadPoolExecutor(16) as threads:
        list(threads.map(lambda index: storage.write(NAMES.segment(index, ".ts"), b"data"), range(1001)))
    assert storage.sizes(NAMES.folder) == {NAMES.segment(index, ".ts"): 4 for index in range(1001)}
    storage.purge(NAMES.folder)
    assert storage.sizes(NAMES.folder) == {}


def test_objects_say_what_they_are(storage: ObjectStorage, bucket: Bucket) -> None:
    for key in (SEGMENT, NAMES.mp4, NAMES.image(".png"), NAMES.mapping):
        storage.write(key, b"x")
    assert [bucket.about(key)["ContentType"] for key in (SEGMENT, NAMES.mp4, NAMES.image(".png"), NAMES.mapping)] == [
        "video/mp2t",
        "video/mp4",
        "image/png",
        "application/octet-stream",
    ]


def test_a_file_that_goes_while_it_is_read_is_no_outage(storage: ObjectStorage) -> None:
    """Whoever saves a stream and deletes its task must not shut the store away from all others."""
    storage.write(SEGMENT, bytes(module.PART + 1))
    blocks = storage.blocks(SEGMENT)
    assert next(blocks) == bytes(module.PART)
    storage.purge(NAMES.folder)
    with pytest.raises(StorageError, match="the file is gone"):
        next(blocks)
    assert storage.has_room()


@pytest.mark.parametrize("name", ["a\x01", "a\nb", "a\x7f", "a\ud800"])
def test_a_name_that_the_store_cannot_take_is_no_outage(storage: ObjectStorage, name: str) -> None:
    """Whoever holds a link may ask for any name: it must not shut the store away from all others."""
    for ask in (storage.read, storage.size, lambda key: storage.url(key, 60)):
        with pytest.raises(StorageError, match="this is no key"):
            ask(f"{NAMES.hls_folder}/ts/{name}.m3u8")
    assert storage.has_room()


def test_a_download_is_saved_and_not_shown(storage: ObjectStorage) -> None:
    storage.write(NAMES.mp4, b"film")
    answer = httpx.get(storage.url(NAMES.mp4, 60, download=True) or "", headers={"Range": "bytes=0-1"})
    assert (answer.status_code, answer.content) == (206, b"fi")
    assert answer.headers["content-disposition"] == f'attachment; filename="{Path(NAMES.mp4).name}"'


# An example of Amazon's: docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html
def test_a_signature_is_the_documented_one(monkeypatch: pytest.MonkeyPatch) -> None:
    class Then(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> Self:
            return cls(2013, 5, 24, tzinfo=tz)

    monkeypatch.setattr(s3_signing, "datetime", Then)
    signer = Signer("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "us-east-1")
    url = signer.signed("GET", "https://examplebucket.s3.amazonaws.com/test.txt", {}, 86400)
    assert url.endswith("X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404")


def test_uploads_that_a_kill_has_cut_off_are_removed(storage: ObjectStorage, bucket: Bucket) -> None:
    for key in (NAMES.mp4, NAMES.segment(0, ".ts"), OTHER.mp4):
        bucket.begin_upload(key)
    scratch = storage.scratch(NAMES.mp4, 1)
    scratch.write_bytes(bytes(module.PART + 1))
    storage.publish(scratch, NAMES.mp4)
    assert bucket.uploads() == sorted([NAMES.segment(0, ".ts"), OTHER.mp4])
    storage.purge(NAMES.folder)
    assert (bucket.uploads(), bucket.objects()) == ([OTHER.mp4], {})


# --- at the start ---


def test_a_store_that_takes_files_is_taken(storage: ObjectStorage, bucket: Bucket) -> None:
    storage.require()
    assert bucket.objects() == {}


def test_a_bucket_that_is_missing_is_named(bucket: Bucket, tmp_path: Path) -> None:
    storage = ObjectStorage("s3://nobody-has-made-it/x", bucket.options, tmp_path)
    assert refusal(storage) == "there is no bucket nobody-has-made-it"


def test_a_wrong_key_is_told(tmp_path: Path) -> None:
    with ObjectStore(refuses=True) as store:
        options = {
            "AWS_ENDPOINT_URL": store.endpoint,
            "AWS_ACCESS_KEY_ID": "a-wrong-key",
            "AWS_SECRET_ACCESS_KEY": "a-wrong-secret",
        }
        told = refusal(ObjectStorage("s3://media/x", options, tmp_path))
    assert told == "it refuses us: InvalidAccessKeyId (AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY)"


def test_a_store_out_of_reach_is_told_soon(gated: ObjectStorage, gate: Gate) -> None:
    gate.shut()
    began = time.monotonic()
    assert refusal(gated) == "it does not answer (AWS_ENDPOINT_URL, AWS_REGION)"
    assert time.monotonic() - began < 8


def test_a_store_that_says_nothing_is_told_soon(
    bucket: Bucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "CHECK_SECONDS", 0.1)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        options = {**bucket.options, "AWS_ENDPOINT_URL": f"http://127.0.0.1:{silent.getsockname()[1]}"}
        began = time.monotonic()
        assert refusal(ObjectStorage(bucket.url, options, tmp_path)) == (
            "it does not answer (AWS_ENDPOINT_URL, AWS_REGION)"
        )
        assert time.monotonic() - began < 2


def test_variables_that_are_not_for_it_do_no_harm(bucket: Bucket, tmp_path: Path) -> None:
    options = {**bucket.options, "AWS_PROFILE": "work", "AWS_EXECUTION_ENV": "x", "AWS_IMDSV1_FALLBACK": "true"}
    ObjectStorage(bucket.url, options, tmp_path).require()


# --- when it goes away ---


def test_while_it_is_away_nothing_waits_and_afterwards_it_goes_on(gated: ObjectStorage, gate: Gate) -> None:
    gated.write(SEGMENT, b"before")
    gate.shut()
    with pytest.raises(StorageError, match="object storage: it does not answer"):
        gated.write(SEGMENT, b"lost")
    assert (gated.has_room(), gated.answers()) == (False, False)
    began = time.monotonic()
    for use in (
        lambda: gated.scratch(SEGMENT, 1),
        lambda: gated.partial(NAMES.mp4),
        lambda: gated.write(SEGMENT, b"x"),
        lambda: gated.read(SEGMENT),
        lambda: gated.sizes(NAMES.folder),
        lambda: gated.purge(NAMES.folder),
        lambda: gated.url(SEGMENT, 60),
    ):
        with pytest.raises(StorageError, match="object storage: it does not answer"):
            use()
    assert time.monotonic() - began < 0.5

    gate.open()
    wait_until(gated.has_room, "the store to be found again")
    assert gated.read(SEGMENT) == b"before"


def test_a_bucket_that_goes_away_is_no_empty_one(storage: ObjectStorage, bucket: Bucket) -> None:
    storage.write(SEGMENT, b"data")
    bucket.remove()
    with pytest.raises(StorageError, match="object storage: it answers NoSuchBucket"):
        storage.read(SEGMENT)
    assert not storage.has_room()


def test_a_file_that_could_not_be_published_is_still_there(gated: ObjectStorage, gate: Gate) -> None:
    path = gated.scratch(SEGMENT, 1)
    path.write_bytes(b"data")
    gate.shut()
    with pytest.raises(StorageError):
        gated.publish(path, SEGMENT)
    assert path.read_bytes() == b"data"


# --- scratch ---

HOLD = """
import sys
from pathlib import Path
from storage.scratch import ScratchFolder
ScratchFolder(Path(sys.argv[1])).file("video_1/a", 1).write_bytes(b"mine")
print("ready", flush=True)
sys.stdin.read()
"""


def test_what_a_killed_process_left_goes_and_what_a_living_one_has_stays(tmp_path: Path) -> None:
    def begin() -> subprocess.Popen[bytes]:
        command = [sys.executable, "-c", HOLD, str(tmp_path)]
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        return process

    def files() -> int:
        return sum(path.is_file() for path in tmp_path.rglob("a"))

    with begin() as killed, begin() as living:
        assert files() == 2
        killed.kill()
        killed.wait()
        ScratchFolder(tmp_path).file("video_2/b", 1)
        assert files() == 1
        living.communicate()


def test_partial_files_give_way_the_oldest_first(tmp_path: Path) -> None:
    scratch = ScratchFolder(tmp_path)
    paths = [scratch.partial(f"video_{number}/mp4/film.mp4") for number in range(5)]
    for age, path in enumerate(reversed(paths)):
        path.write_bytes(b"x" * 100)
        path.with_name(f"{path.name}.json").write_text("{}")
        os.utime(path, (time.time() - 10 * age,) * 2)
    with paths[0].open("rb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        assert scratch.trim(1000, None) == 400
        assert scratch.trim(250, paths[1]) == 200
    assert [path.exists() for path in paths] == [True, True, False, True, True]
    assert [path.with_name(f"{path.name}.json").exists() for path in paths] == [True, True, False, True, True]
    assert scratch.trim(0, None) == 0
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
