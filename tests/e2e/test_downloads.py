"""The main job, whole: a URL in, the media on disk, and every loss told."""

from __future__ import annotations

import hashlib
import json
import time
from pathlib import Path

import av
import pytest

from tests import media
from tests.e2e.service import Service, wait_until
from tests.origin import Origin
from tests.origin_faults import drip, status


def _serve(origin: Origin, stream: media.HlsStream, under: str) -> str:
    origin.put_all(stream.files, under=under)
    return origin.url(under + (stream.master or stream.media))


def _stored_segments(service: Service, video_id: str) -> list[bytes]:
    folder = service.media(f"video_{video_id}", "hls", "ts")
    return [path.read_bytes() for path in sorted(folder.iterdir())]


def _local_playlist(service: Service, video_id: str) -> Path:
    (playlist,) = service.media(f"video_{video_id}", "hls").glob("*_local_*.m3u8")
    return playlist


def _temporary_files(service: Service) -> list[Path]:
    return [path for path in service.media().rglob("*") if path.is_file() and "part" in path.name]


def test_a_stream_a_film_and_a_picture_arrive_whole(service: Service, origin: Origin) -> None:
    stream = media.hls_vod(6, 1.0, variants=3, encryption="rotation")
    film, picture = media.mp4(), media.png(64, 48)
    origin.put("/film.mp4", film)
    origin.put("/cover.png", picture)
    user = service.user()
    hls = user.create(_serve(origin, stream, "/live/"))
    mp4 = user.create(origin.url("/film.mp4"), "MP4")
    image = user.create(origin.url("/cover.png"), "IMAGE")

    hls, mp4, image = (user.wait(task["id"]) for task in (hls, mp4, image))

    assert [task["status"] for task in (hls, mp4, image)] == ["COMPLETED"] * 3
    assert [task["progress"] for task in (hls, mp4, image)] == [1.0] * 3
    assert _stored_segments(service, hls["videoId"]) == list(stream.segments)
    assert service.media(mp4["video"]["storagePath"]).read_bytes() == film
    assert service.media(image["video"]["storagePath"]).read_bytes() == picture
    assert mp4["video"]["fileSize"] == len(film)
    assert image["video"]["resolution"] == "64x48"
    assert hls["video"]["fileSize"] == sum(map(len, stream.segments))
    assert hls["video"]["resolution"] == f"{stream.size[0]}x{stream.size[1]}"
    assert hls["video"]["duration"] == pytest.approx(stream.duration, abs=0.1)
    assert _temporary_files(service) == []


@pytest.mark.parametrize("kind", ["ts", "fmp4", "byte_ranges", "fmp4_byte_ranges"])
def test_every_kind_of_stream_plays_from_disk(service: Service, origin: Origin, kind: str) -> None:
    stream = media.hls_vod(
        4,
        1.0,
        fmp4="fmp4" in kind,
        encryption="explicit",
        byte_ranges="implied" if "byte_ranges" in kind else "none",
    )
    user = service.user()
    task = user.wait(user.create(_serve(origin, stream, "/s/"))["id"])

    assert task["status"] == "COMPLETED"
    assert _stored_segments(service, task["videoId"]) == list(stream.segments)
    playlist = _local_playlist(service, task["videoId"])
    names = [line for line in playlist.read_text().splitlines() if line and not line.startswith("#")]
    assert all(playlist.parent.joinpath(name).is_file() for name in names)
    assert "EXT-X-KEY" not in playlist.read_text()
    options = {"allowed_extensions": "ALL", "extension_picky": "0"}
    with av.open(str(playlist), options=options) as container:
        assert container.duration is not None
        assert container.duration / 1e6 == pytest.approx(stream.duration, abs=0.2)
        assert sum(1 for _ in container.decode(video=0)) == pytest.approx(stream.duration * media.FRAME_RATE, abs=2)


def test_progress_rises_while_a_download_runs(service: Service, origin: Origin) -> None:
    stream = media.many_segments(60)
    url = _serve(origin, stream, "/s/")
    gate = origin.hold(f"/s/{_segment_names(stream)[-1]}")
    user = service.user()
    task = user.create(url)
    gate.wait_until_held()

    running = user.watch(task["id"], lambda task: task["segmentsDownloaded"] == 59)

    assert running["status"] == "PROCESSING"
    assert running["progress"] == pytest.approx(59 / 60)
    gate.release()
    assert user.wait(task["id"])["progress"] == 1.0


def test_ten_of_a_hundred_lost_then_repaired_piece_by_piece(service: Service, origin: Origin) -> None:
    stream = media.many_segments(100)
    url = _serve(origin, stream, "/s/")
    names = _segment_names(stream)
    missing = list(range(5, 100, 10))
    for index in missing:
        origin.fail(f"/s/{names[index]}", status(404))
    user = service.user()

    task = user.wait(user.create(url)["id"])

    assert (task["status"], task["progress"]) == ("PARTIAL_COMPLETED", 0.9)
    failures = sorted(task["failures"]["nodes"], key=lambda failure: failure["segmentIndex"])
    assert [f["segmentIndex"] for f in failures] == missing
    assert [f["resourceUrl"] for f in failures] == [origin.url(f"/s/{names[index]}") for index in missing]
    kinds = {(f["resourceType"], f["failureType"], f["status"]) for f in failures}
    assert kinds == {("TS", "NETWORK_ERROR", "PENDING")}
    assert {f["errorMessage"] for f in failures} == {"HTTP 404"}
    assert {f["nextRetryTime"] for f in failures} == {None}

    origin.heal()
    before = len(_segment_hits(origin))
    retried = user.execute(
        "mutation($id: ID!) { retryFailure(id: $id) { failure { status retryCount } userErrors { code } } }",
        id=failures[0]["id"],
    )["retryFailure"]
    assert retried == {"failure": {"status": "RETRYING", "retryCount": 1}, "userErrors": []}
    task = user.wait(task["id"])
    assert (task["status"], task["progress"]) == ("PARTIAL_COMPLETED", 0.91)
    assert _segment_hits(origin)[before:] == [f"/s/{names[5]}"]

    assert user.move("retryTask", task["id"])["userErrors"] == []
    task = user.wait(task["id"])
    assert (task["status"], task["progress"], task["retryCount"]) == ("COMPLETED", 1.0, 1)
    assert task["failures"]["totalCount"] == 0
    assert sorted(_segment_hits(origin)[before + 1 :]) == sorted(f"/s/{names[index]}" for index in missing[1:])
    assert _stored_segments(service, task["videoId"]) == list(stream.segments)
    assert "EXT-X-GAP" not in _local_playlist(service, task["videoId"]).read_text()


def test_forty_of_a_hundred_lost_is_a_failure(service: Service, origin: Origin) -> None:
    stream = media.many_segments(100)
    url = _serve(origin, stream, "/s/")
    for name in _segment_names(stream)[:40]:
        origin.fail(f"/s/{name}", status(404))
    user = service.user()

    task = user.wait(user.create(url)["id"])

    assert (task["status"], task["progress"]) == ("FAILED", 0.6)
    assert task["failures"]["totalCount"] == 40
    assert task["lastError"] == "40 of 100 pieces are missing: HTTP 404"
    assert task["video"]["status"] == "FAILED"


def test_a_killed_service_goes_on_without_fetching_twice(service: Service, origin: Origin) -> None:
    stream = media.many_segments(200)
    url = _serve(origin, stream, "/s/")
    names = _segment_names(stream)
    gate = origin.hold(f"/s/{names[100]}")
    user = service.user()
    task = user.create(url)
    user.watch(task["id"], lambda task: task["segmentsDownloaded"] >= 150)
    folder = service.media(f"video_{task['videoId']}", "hls", "ts")
    stored = {path.name for path in folder.iterdir() if path.name[0] != "."}

    service.kill()
    gate.release()
    before = len(_segment_hits(origin))
    service.start()
    task = user.wait(task["id"])

    assert task["status"] == "COMPLETED"
    assert _stored_segments(service, task["videoId"]) == list(stream.segments)
    again = set(_segment_hits(origin)[before:])
    assert again.isdisjoint(f"/s/{names[int(name.split('_')[1])]}" for name in stored)
    assert _temporary_files(service) == []


def test_a_thousand_segments_and_an_answer_at_once(service: Service, origin: Origin) -> None:
    stream = media.many_segments(1000)
    user = service.user()
    task = user.create(_serve(origin, stream, "/s/"), autoStart=False)

    began = time.perf_counter()
    assert user.move("startTask", task["id"])["task"]["status"] == "PROCESSING"
    assert time.perf_counter() - began < 0.2

    task = user.wait(task["id"])
    assert task["status"] == "COMPLETED"
    assert len(_stored_segments(service, task["videoId"])) == 1000
    mapping = json.loads(service.media(f"video_{task['videoId']}", "hls", "ts_mapping.json").read_text())
    assert len(mapping) == 1000


def test_pause_keeps_what_has_arrived_and_resume_fetches_the_rest(service: Service, origin: Origin) -> None:
    stream = media.many_segments(100)
    url = _serve(origin, stream, "/s/")
    names = _segment_names(stream)
    gate = origin.hold(f"/s/{names[50]}")
    user = service.user()
    task = user.create(url)
    user.watch(task["id"], lambda task: task["segmentsDownloaded"] == 99)

    paused = user.move("pauseTask", task["id"])["task"]

    assert (paused["status"], paused["paused"]) == ("PENDING", True)
    assert paused["progress"] == pytest.approx(0.99)
    before = len(_segment_hits(origin))
    assert user.move("resumeTask", task["id"])["task"] == {**paused, "status": "PROCESSING", "paused": False}
    origin.wait_for_hits(f"/s/{names[50]}", 2)
    gate.release()
    assert user.wait(task["id"])["status"] == "COMPLETED"
    assert _segment_hits(origin)[before:] == [f"/s/{names[50]}"]


@pytest.mark.parametrize("ending", ["cancelTask", "deleteTask"])
def test_cancel_and_delete_stop_the_transfer_within_a_second(service: Service, origin: Origin, ending: str) -> None:
    film = media.mp4(min_bytes=4_000_000)
    origin.put("/film.mp4", film)
    origin.fail("/film.mp4", drip(200_000))
    user = service.user()
    task = user.create(origin.url("/film.mp4"), "MP4")
    user.watch(task["id"], lambda task: task["bytesDownloaded"] > 0)

    if ending == "cancelTask":
        assert user.move(ending, task["id"])["task"]["status"] == "CANCELLED"
    else:
        deleted = user.execute("mutation($id: ID!) { deleteTask(id: $id) { deletedTaskId } }", id=task["id"])
        assert deleted == {"deleteTask": {"deletedTaskId": task["id"]}}

    wait_until(lambda: len(origin.log) == 1 and origin.log[0].ended is not None, "the transfer to end", timeout=1.5)
    folder = service.media(f"video_{task['videoId']}")
    if ending == "deleteTask":
        wait_until(lambda: not folder.exists(), "the files to go", timeout=3)
        assert user.task(task["id"]) is None


def test_a_film_goes_on_where_it_stopped(service: Service, origin: Origin) -> None:
    film = media.mp4(min_bytes=3_000_000)
    origin.put("/film.mp4", film)
    gate = origin.hold("/film.mp4", after=2_000_000)
    user = service.user()
    task = user.create(origin.url("/film.mp4"), "MP4")
    user.watch(task["id"], lambda task: task["bytesDownloaded"] >= 1_900_000)

    user.move("pauseTask", task["id"])
    user.move("resumeTask", task["id"])
    origin.wait_for_hits("/film.mp4", 2)
    gate.release()
    task = user.wait(task["id"])

    assert task["status"] == "COMPLETED"
    stored = service.media(task["video"]["storagePath"]).read_bytes()
    assert hashlib.sha256(stored).digest() == hashlib.sha256(film).digest()
    assert origin.log[-1].status == 206
    assert origin.log[-1].bytes_sent < 1_500_000


def _segment_names(stream: media.HlsStream) -> list[str]:
    folder = stream.media.rpartition("/")[0]
    lines = stream.files[stream.media].decode().splitlines()
    return [f"{folder}/{line}" if folder else line for line in lines if line and not line.startswith("#")]


def _segment_hits(origin: Origin) -> list[str]:
    return [hit.path for hit in origin.log if hit.path.endswith(".ts")]
