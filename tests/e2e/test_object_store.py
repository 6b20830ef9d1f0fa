"""Files in an object store, as users and operators meet it: they arrive, play, survive a kill, and go."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urljoin

import av
import httpx
import pytest
from xxhash import xxh3_128

from tests import media
from tests.e2e.bucket_service import (
    delete,
    links,
    nothing_is_left,
    pieces,
    redirected,
    scratch_files,
    serve,
    serving,
    watching_scratch,
)
from tests.e2e.service import Service, wait_until
from tests.live import LiveStream
from tests.object_store import Bucket
from tests.origin import Origin

MIB = 1024 * 1024
LONG = bool(os.environ.get("TEST_LONG"))
FILM_BYTES = 300 * MIB if LONG else 24 * MIB
RATE = 32 * MIB if LONG else 4 * MIB  # bytes a second, a connection


@pytest.fixture
def service(tmp_path: Path, origin: Origin, bucket: Bucket) -> Iterator[Service]:
    with serving(tmp_path, origin, bucket) as running:
        yield running


def test_a_stream_of_two_hundred_segments_survives_a_kill_and_plays(
    service: Service, origin: Origin, bucket: Bucket
) -> None:
    stream = media.many_segments(200)
    start, paths = serve(origin, stream)
    gates = [origin.hold(path) for path in paths[100:]]
    user = service.user()
    task = user.create(start)
    wait_until(lambda: len(pieces(bucket)) == 100, "100 segments in the bucket")
    service.kill()
    stored = pieces(bucket)
    asked = [origin.hits(path) for path in paths]
    for gate in gates:
        gate.release()
    service.start()

    done = user.wait(task["id"])

    assert (done["status"], done["segmentsDownloaded"], done["failures"]["totalCount"]) == ("COMPLETED", 200, 0)
    assert done["video"]["fileSize"] == sum(map(len, stream.segments))
    assert done["video"]["duration"] == pytest.approx(stream.duration, abs=0.1)
    assert done["video"]["resolution"] == f"{stream.size[0]}x{stream.size[1]}"
    assert [bucket.content(key) for key in pieces(bucket).values()] == list(stream.segments)
    assert [origin.hits(paths[number]) for number in stored] == [asked[number] for number in stored]
    digests = bucket.content(f"video_{task['videoId']}/digests.xxh128").decode().splitlines()
    assert [line.split()[0] for line in digests] == [xxh3_128(each).hexdigest() for each in stream.segments]

    url, cover = links(user, task)
    playlist = httpx.get(url)
    assert (playlist.status_code, playlist.headers["content-type"]) == (200, "application/vnd.apple.mpegurl")
    lines = [line for line in playlist.text.splitlines() if line and not line.startswith("#")]
    assert len(lines) == 200
    for number in (0, 199):
        part = redirected(urljoin(url, lines[number]))
        assert (part.status_code, part.content) == (206, stream.segments[number][1:5])
        assert part.headers["content-type"] == "video/mp2t"
    with av.open(url) as container:
        assert container.duration is not None
        assert container.duration / 1e6 == pytest.approx(stream.duration, abs=0.2)
    assert httpx.get(cover, follow_redirects=True).content.startswith(b"\xff\xd8\xff")

    delete(user, task)
    nothing_is_left(service, bucket)
    assert httpx.get(url).status_code == httpx.get(cover).status_code == 404


@pytest.fixture
def slow_origin() -> Iterator[Origin]:
    with Origin(rate=RATE) as running:
        yield running


def test_a_film_survives_a_kill_and_plays(tmp_path: Path, slow_origin: Origin, bucket: Bucket) -> None:
    film = media.mp4(min_bytes=FILM_BYTES)
    slow_origin.put("/film.mp4", film, etag='"one"')
    bound = FILM_BYTES + 5 * MIB
    with (
        serving(tmp_path, slow_origin, bucket, SCRATCH_MAX_BYTES=str(bound)) as service,
        watching_scratch(service) as most,
    ):
        user = service.user()
        task = user.create(slow_origin.url("/film.mp4"), "MP4")
        seen = user.watch(task["id"], lambda seen: seen["bytesDownloaded"] > 0.4 * len(film))
        service.kill()
        wait_until(lambda: all(hit.ended for hit in slow_origin.log), "the connections to close")
        before = len(slow_origin.log)
        assert bucket.objects() == {}
        service.start()
        done = user.wait(task["id"], timeout=100)

        assert (done["status"], done["bytesDownloaded"]) == ("COMPLETED", len(film))
        sent = sum(hit.bytes_sent for hit in slow_origin.log[before:])
        assert sent < len(film) - seen["bytesDownloaded"] + 16 * RATE + 2 * MIB
        key = done["video"]["storagePath"]
        assert bucket.content(key) == film
        digest, _ = bucket.content(f"video_{task['videoId']}/digests.xxh128").decode().split()
        assert digest == xxh3_128(film).hexdigest()
        assert (done["video"]["format"], done["video"]["resolution"]) == ("mp4", "320x180")
        assert scratch_files(service) == {}

        url, cover = links(user, task)
        for asked, expected in (
            ("bytes=0-9", film[:10]),
            ("bytes=-7", film[-7:]),
            (f"bytes={MIB}-{MIB}", film[MIB:][:1]),
        ):
            part = httpx.get(url, headers={"Range": asked}, follow_redirects=True)
            assert (part.status_code, part.content) == (206, expected)
        head = httpx.head(url, follow_redirects=True)
        assert (head.status_code, head.headers["content-length"]) == (200, str(len(film)))
        with av.open(url) as container:
            assert container.streams.video[0].width == 320
        assert httpx.get(cover, follow_redirects=True).headers["content-type"] == "image/jpeg"

        delete(user, task)
        nothing_is_left(service, bucket)
        assert httpx.get(url).status_code == 404
        assert 0 < most() <= bound


def test_what_is_deleted_in_the_middle_goes_too(tmp_path: Path, slow_origin: Origin, bucket: Bucket) -> None:
    slow_origin.put("/film.mp4", media.mp4(min_bytes=FILM_BYTES), etag='"one"')
    with serving(tmp_path, slow_origin, bucket) as service:
        user = service.user()
        task = user.create(slow_origin.url("/film.mp4"), "MP4")
        user.watch(task["id"], lambda seen: seen["bytesDownloaded"] > MIB)
        user.move("pauseTask", task["id"])
        wait_until(lambda: bool(scratch_files(service)), "a partial file")
        delete(user, task)
        nothing_is_left(service, bucket)


def test_scratch_stays_under_its_bound_and_nothing_fails_for_it(tmp_path: Path, origin: Origin, bucket: Bucket) -> None:
    """Twelve films of 3 MiB and a stream whose segments have 2 MiB, at once, in 16 MiB."""
    bound = 16 * MIB
    clip = media.many_segments(12)
    padding = (b"\x47\x1f\xff\x10" + bytes(184)) * (2 * MIB // 188)
    files = {name: body + padding if name.endswith(".ts") else body for name, body in clip.files.items()}
    origin.put_all(files, under="/s/")
    for number in range(12):
        origin.put(f"/{number}.mp4", media.mp4(min_bytes=3 * MIB), chunked=number % 3 == 0)
    settings = {"SCRATCH_MAX_BYTES": str(bound), "MAX_CONCURRENT_TASKS_PER_USER": "20"}
    with serving(tmp_path, origin, bucket, **settings) as service, watching_scratch(service) as most:
        user = service.user()
        tasks = [user.create(origin.url(f"/{number}.mp4"), "MP4") for number in range(12)]
        tasks.append(user.create(origin.url(f"/s/{clip.media}")))
        assert [user.wait(task["id"])["status"] for task in tasks] == ["COMPLETED"] * 13
        assert 2 * MIB < most() <= bound

        origin.put("/large.mp4", media.mp4(min_bytes=17 * MIB))
        large = user.wait(user.create(origin.url("/large.mp4"), "MP4")["id"])
        told = f"too large: it does not fit into scratch, which may hold {bound} bytes"
        assert (large["status"], large["lastError"]) == ("FAILED", told)
        assert scratch_files(service) == {}


def test_a_live_stream_is_recorded_and_plays_meanwhile(service: Service, origin: Origin, bucket: Bucket) -> None:
    live = LiveStream(origin)
    live.show(0, 1, 2)
    user = service.user()
    task = user.create(live.url)
    user.watch(task["id"], lambda seen: seen["segmentsDownloaded"] == 3)
    url = user.execute("query($id: ID!) { task(id: $id) { playbackUrl } }", id=task["id"])["task"]["playbackUrl"]
    wait_until(lambda: httpx.get(url).text.count("#EXTINF") == 3, "three segments to be listed")
    live.show(1, 2, 3)
    wait_until(lambda: httpx.get(url).text.count("#EXTINF") == 4, "the fourth to be listed")
    assert "#EXT-X-ENDLIST" not in httpx.get(url).text

    user.move("finishTask", task["id"])

    done = user.wait(task["id"])
    assert (done["status"], done["segmentsDownloaded"], done["video"]["duration"]) == ("COMPLETED", 4, 2.0)
    assert "#EXT-X-ENDLIST" in httpx.get(url).text
    assert [bucket.content(key) for key in pieces(bucket).values()] == list(live.segments[:4])
