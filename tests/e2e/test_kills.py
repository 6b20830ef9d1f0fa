"""SIGKILL at any moment: what was whole stays whole, the rest is fetched, and little is fetched again."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from random import Random

import pytest
from xxhash import xxh3_128

from tests import media
from tests.e2e.service import Service, wait_until
from tests.origin import Hit, Origin

MIB = 1024 * 1024
SEEDS = range(6 if os.environ.get("TEST_LONG") else 1)
KILLS = 5  # a seed
AT_A_TIME = 16  # segments
STREAM = media.many_segments(200)
FILM = media.mp4(min_bytes=24 * MIB)
RATE = MIB  # bytes a second, a connection: 16 of them take 1.5 s for the film
LATENCY = 0.2  # seconds, an answer: the segments take 2.5 s
SAVED = 16 * RATE  # bytes of the film: a killed process may have written its state a second ago
SLACK = 4 * MIB  # bytes that were on their way when the connections were closed


@pytest.fixture
def origin() -> Iterator[Origin]:
    with Origin(rate=RATE, latency=LATENCY) as running:
        running.put_all(STREAM.files, under="/s/")
        running.put("/film.mp4", FILM)
        yield running


@dataclass(frozen=True)
class Life:
    """One of a service: the segments that it found, and how many requests its origin had seen by then."""

    stored: Mapping[int, bytes]
    began: int


@pytest.mark.parametrize("seed", SEEDS)
def test_a_service_that_is_killed_again_and_again(tmp_path: Path, origin: Origin, seed: int) -> None:
    """A stream and a film, side by side. Moments count in segments asked for, from none to all."""
    moments = sorted(Random(seed).sample(range(len(STREAM.segments) + 1), KILLS))  # noqa: S311 - to be repeated
    settings = {"AUTO_RETRY": "false", "SEGMENT_CONCURRENCY": str(AT_A_TIME), "MAX_CONNECTIONS_PER_HOST": "64"}
    with Service(tmp_path, EGRESS_ALLOW=origin.host_port, **settings) as service:
        user = service.user()
        hls, mp4 = user.create(origin.url(f"/s/{STREAM.media}")), user.create(origin.url("/film.mp4"), "MP4")
        lives: list[Life] = [Life({}, 0)]
        for moment in moments:
            origin.wait_for_hits(is_segment, moment)
            service.kill()
            wait_until(lambda: all(hit.ended for hit in origin.log), "the connections to close")
            check_that_nothing_is_torn(service, hls["videoId"], mp4["videoId"])
            lives.append(Life(stored(service, hls["videoId"]), len(origin.log)))
            service.start()
        done = [user.wait(task["id"]) for task in (hls, mp4)]

        assert [(task["status"], task["progress"]) for task in done] == [("COMPLETED", 1.0)] * 2
        assert [task["failures"]["totalCount"] for task in done] == [0, 0]
        assert stored(service, hls["videoId"]) == dict(enumerate(STREAM.segments))
        assert service.media(done[1]["video"]["storagePath"]).read_bytes() == FILM
        assert service.temporary_files() == []
        check_digests(service, hls["videoId"], mp4["videoId"])
    check_what_was_fetched_again(origin.log, lives)


def is_segment(hit: Hit) -> bool:
    return hit.path.endswith(".ts")


def stored(service: Service, video_id: str) -> dict[int, bytes]:
    """The segments under their keys."""
    files = service.files(f"video_{video_id}/hls")
    return {int(name.split("segment_")[1][:6]): body for name, body in files.items() if "/hls/ts/segment_" in name}


def check_that_nothing_is_torn(service: Service, *video_ids: str) -> None:
    """What has its name is whole, as the dead process left it."""
    for video_id in video_ids:
        for index, body in stored(service, video_id).items():
            assert body == STREAM.segments[index]
        films = {body for name, body in service.files(f"video_{video_id}").items() if "/mp4/video_" in name}
        assert films <= {FILM}
        for name, body in service.files(f"video_{video_id}").items():
            if name.endswith(".m3u8") and "/." not in name:
                assert body.endswith(b"\n"), name


def check_digests(service: Service, *video_ids: str) -> None:
    for video_id in video_ids:
        folder = f"video_{video_id}"
        files = service.files(folder)
        for line in files[f"{folder}/digests.xxh128"].decode().splitlines():
            value, path = line.split("  ")
            assert xxh3_128(files[f"{folder}/{path}"]).hexdigest() == value


def check_what_was_fetched_again(log: list[Hit], lives: list[Life]) -> None:
    """Of the segments none that was stored, and no more than were in flight; of the film the last second."""
    asked_before = set[int]()
    for life, end in zip(lives, [*(life.began for life in lives[1:]), len(log)], strict=True):
        hits = filter(is_segment, log[life.began : end])
        asked = [int(hit.path.rpartition("_")[2].removesuffix(".ts")) for hit in hits]
        assert set(asked).isdisjoint(life.stored)
        assert len(asked) == len(set(asked))
        assert len(asked_before.intersection(asked)) <= AT_A_TIME
        asked_before |= set(asked)
    assert asked_before == set(range(len(STREAM.segments)))
    film = sum(hit.bytes_sent for hit in log if hit.path == "/film.mp4")
    assert film < len(FILM) + KILLS * (SAVED + SLACK)
