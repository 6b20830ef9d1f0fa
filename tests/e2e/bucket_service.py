"""A service whose files are in a bucket, and what to look at."""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import httpx

from tests import media
from tests.e2e.service import Service, User, wait_until
from tests.object_store import Bucket
from tests.origin import Origin

LINKS = "query($id: ID!) { task(id: $id) { playbackUrl video { coverUrl } } }"


def serving(folder: Path, origin: Origin, bucket: Bucket, **settings: str) -> Service:
    scratch = {"SCRATCH_DIR": str(folder / "scratch")}
    return Service(
        folder, EGRESS_ALLOW=origin.host_port, **{"AUTO_RETRY": "false"} | bucket.settings | scratch | settings
    )


def scratch_files(service: Service) -> dict[str, int]:
    """Every byte that waits on this machine, but for the locks of the processes."""
    found: dict[str, int] = {}
    for folder, _, files in os.walk(service.folder / "scratch"):  # it bears that folders go meanwhile
        for path in (Path(folder, name) for name in files if not name.endswith(".lock")):
            with suppress(FileNotFoundError):
                found[str(path)] = path.stat().st_size
    return found


@contextmanager
def watching_scratch(service: Service) -> Iterator[Callable[[], int]]:
    """The most bytes that were in scratch at once."""
    most, done = 0, threading.Event()

    def watch() -> None:
        nonlocal most
        while not done.wait(0.01):
            most = max(most, sum(scratch_files(service).values()))

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield lambda: most
    finally:
        done.set()
        watcher.join()


def links(user: User, task: Any) -> tuple[str, str]:
    """Where the task plays, and its cover."""
    found = user.execute(LINKS, id=task["id"])["task"]
    return found["playbackUrl"], found["video"]["coverUrl"]


def delete(user: User, task: Any) -> None:
    answer = user.call("deleteTask", id=task["id"], includeCompleted=True)
    assert answer.json()["data"]["deleteTask"]["userErrors"] == []


def nothing_is_left(service: Service, bucket: Bucket) -> None:
    wait_until(lambda: bucket.objects() == {}, lambda: f"an empty bucket; it has {bucket.objects()}")
    wait_until(lambda: scratch_files(service) == {}, lambda: f"empty scratch; it has {scratch_files(service)}")
    assert bucket.uploads() == []


def redirected(url: str) -> httpx.Response:
    """What the object store itself says, once we have sent it there."""
    answer = httpx.get(url)
    assert (answer.status_code, answer.content) == (307, b"")
    return httpx.get(answer.headers["location"], headers={"Range": "bytes=1-4"})


def serve(origin: Origin, stream: media.HlsStream) -> tuple[str, list[str]]:
    """The URL of its playlist, and the paths of its segments in order."""
    origin.put_all(stream.files, under="/s/")
    path = f"/s/{stream.media}"
    lines = stream.files[stream.media].decode().splitlines()
    return origin.url(path), [urljoin(path, line) for line in lines if line and not line.startswith("#")]


def pieces(bucket: Bucket) -> dict[int, str]:
    """Keys of the stored segments by their number, in order."""
    found = ((re.search(r"/ts/segment_(\d+)", key), key) for key in sorted(bucket.objects()))
    return {int(match[1]): key for match, key in found if match}
