"""The last slow pieces of a stream are asked for a second time: what gets stuck does not hold up the whole."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from downloader import engine, hedge, hls_recorder
from tests import media
from tests.live import Downloads, LiveStream, downloads
from tests.origin import Origin
from tests.origin_faults import Exchange, Fault, Reply, drip, fault, retry_after, stall, status

COUNT = 100
STREAM = media.many_segments(COUNT)
STUCK = 90  # the index of the piece that gets stuck
PATH = next(f"/{name}" for name in STREAM.files if name.endswith(f"segment_{STUCK}.ts"))
URL = f"/{STREAM.media}"


@fault
async def late(exchange: Exchange, seconds: float, code: int) -> None:
    """A status, late."""
    await exchange.until(asyncio.sleep(seconds))
    await exchange.send(Reply(code))


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hedge, "SOONEST", 0.3)
    monkeypatch.setattr(hls_recorder, "RELOAD", 0.2)
    monkeypatch.setattr(hls_recorder, "RELOAD_UNCHANGED", 0.1)
    monkeypatch.setattr(engine, "REPORT_INTERVAL", 0.1)


@pytest.fixture
def origin() -> Iterator[Origin]:
    with Origin() as running:
        running.put_all(STREAM.files)
        yield running


@pytest.fixture
def task(origin: Origin, tmp_path: Path) -> Iterator[Downloads]:
    with downloads(origin, tmp_path) as made:
        yield made


def left_over(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file() and ".again" in path.name]


@pytest.mark.parametrize("stuck", [stall(), stall(188), drip(200)], ids=repr)
def test_one_that_is_stuck_is_asked_for_again(origin: Origin, task: Downloads, tmp_path: Path, stuck: Fault) -> None:
    origin.fail(PATH, stuck, times=1)
    began = time.monotonic()

    run = task.start(origin.url(URL))

    assert (run.outcome.stored, run.outcome.pieces, run.lost) == (COUNT, COUNT, [])
    assert time.monotonic() - began < 6
    assert task.stored() == list(STREAM.segments)
    assert [origin.hits(f"/{name}") for name in STREAM.files if f"/{name}" != PATH] == [1] * COUNT
    assert origin.hits(PATH) == 2
    assert run.progress.bytes_downloaded == run.outcome.bytes_stored == sum(map(len, STREAM.segments))
    assert run.progress.segments_downloaded == COUNT
    assert left_over(tmp_path) == []


def test_the_first_may_still_win(origin: Origin, task: Downloads, tmp_path: Path) -> None:
    size = len(STREAM.segments[STUCK])
    origin.fail(PATH, drip(size), times=1)
    origin.fail(PATH, stall(188))

    run = task.start(origin.url(URL))

    assert run.outcome.stored == COUNT
    assert task.stored() == list(STREAM.segments)
    first, second = (hit for hit in origin.log if hit.path == PATH)
    assert (first.bytes_sent, second.bytes_sent) == (size, 188)
    assert run.progress.bytes_downloaded == sum(map(len, STREAM.segments))
    assert left_over(tmp_path) == []


def test_when_the_first_fails_the_second_is_waited_for(origin: Origin, task: Downloads) -> None:
    origin.fail(PATH, late(0.5, 410), times=1)
    origin.fail(PATH, drip(2 * len(STREAM.segments[STUCK])), times=1)
    origin.fail(PATH, status(500))

    run = task.start(origin.url(URL))

    assert (run.outcome.stored, run.lost) == (COUNT, [])
    assert origin.hits(PATH) == 2


def test_when_both_fail_the_piece_is_lost_for_the_first_ones_reason(origin: Origin, task: Downloads) -> None:
    origin.fail(PATH, late(0.5, 404), times=1)
    origin.fail(PATH, status(500), times=1)
    origin.fail(PATH, status(404))

    run = task.start(origin.url(URL))

    assert run.outcome.stored == COUNT - 1
    assert [(index, message) for index, _, message in run.lost] == [(STUCK, "HTTP 404")]
    assert origin.hits(PATH) == 3


def test_a_host_that_has_asked_for_rest_gets_no_second_request(origin: Origin, task: Downloads) -> None:
    origin.fail(PATH, drip(len(STREAM.segments[STUCK])), times=1)
    other = PATH.replace(f"segment_{STUCK}", f"segment_{STUCK - 1}")
    origin.fail(other, retry_after(0), times=1)

    run = task.start(origin.url(URL))

    assert run.outcome.stored == COUNT
    assert (origin.hits(PATH), origin.hits(other)) == (1, 2)


def test_nor_does_a_live_stream(origin: Origin, task: Downloads) -> None:
    live = LiveStream(origin)
    live.show(*range(6))
    origin.fail(live.segment(5), drip(len(live.segments[5])), times=1)
    run = task.start(live.url)
    run.wait_for_segments(6)
    live.show(*range(6), ended=True)

    assert run.outcome.stored == 6
    assert origin.hits(live.segment(5)) == 1
