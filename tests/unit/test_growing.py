"""A stream plays while it is fetched: its local playlist grows, and lists what is there."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import media
from tests.e2e.service import wait_until
from tests.live import Downloads, downloads
from tests.origin import Origin
from tests.origin_faults import status
from tests.renditions import with_renditions

STREAM = media.hls_vod(8, 0.5)


@pytest.fixture
def origin() -> Iterator[Origin]:
    with Origin() as running:
        running.put_all(STREAM.files, under="/s/")
        yield running


@pytest.fixture
def task(origin: Origin, tmp_path: Path) -> Iterator[Downloads]:
    with downloads(origin, tmp_path) as made:
        yield made


def url(origin: Origin) -> str:
    return origin.url(f"/s/{STREAM.media}")


def segment(index: int) -> str:
    return f"/s/{STREAM.media.rpartition('/')[0]}/segment_{index}.ts"


def wait_for(task: Downloads, *listed: str) -> None:
    wait_until(lambda: task.listed == list(listed), lambda: f"{listed}; it lists {task.listed}", timeout=5)


def test_what_comes_out_of_order_waits_for_its_turn(origin: Origin, task: Downloads) -> None:
    gate = origin.hold(segment(3))
    origin.fail(segment(1), status(410))
    run = task.start(url(origin))
    run.wait_for_segments(6)

    wait_for(task, "0", "gap 1", "2")
    assert "#EXT-X-PLAYLIST-TYPE:EVENT\n" in task.playlist
    assert "#EXT-X-ENDLIST" not in task.playlist
    gate.release()

    assert (run.outcome.pieces, run.outcome.stored) == (8, 7)
    assert task.listed == ["0", "gap 1", *"234567"]
    assert "#EXT-X-PLAYLIST-TYPE:VOD\n" in task.playlist
    assert task.playlist.endswith("#EXT-X-ENDLIST\n")


def test_nothing_that_was_listed_goes_while_it_is_tried_again(origin: Origin, task: Downloads) -> None:
    origin.fail(segment(1), status(410), times=1)
    hold_six = origin.hold(segment(6))
    run = task.start(url(origin))
    run.wait_for_segments(6)
    wait_for(task, "0", "gap 1", "2", "3", "4", "5")
    run.stop()

    hold_one = origin.hold(segment(1))
    run = task.start(url(origin))
    hold_one.wait_until_held()
    assert task.listed[:6] == ["0", "gap 1", "2", "3", "4", "5"]
    hold_six.release()
    wait_for(task, "0", "gap 1", "2", "3", "4", "5", "6", "7")
    hold_one.release()

    assert (run.outcome.pieces, run.outcome.stored) == (8, 8)
    assert task.listed == list("01234567")


def test_a_repair_leaves_an_ended_playlist_as_it_is_until_its_end(origin: Origin, task: Downloads) -> None:
    origin.fail(segment(1), status(410), times=1)
    assert task.start(url(origin)).outcome.stored == 7
    before = task.playlist
    gate = origin.hold(segment(1))

    run = task.start(url(origin))
    gate.wait_until_held()
    origin.wait_for_hits(segment(1), 2)
    assert task.playlist == before
    gate.release()

    assert run.outcome.stored == 8
    assert task.playlist == before.replace("#EXT-X-GAP\n", "").replace("VERSION:8", "VERSION:3")


def test_gaps_of_the_source_are_never_requested(origin: Origin, task: Downloads) -> None:
    text = STREAM.files[STREAM.media].replace(
        b"#EXTINF:0.500000,\nsegment_2.ts", b"#EXT-X-GAP\n#EXTINF:0.5,\nsegment_2.ts"
    )
    origin.put(f"/s/{STREAM.media}", text)
    run = task.start(url(origin))

    assert (run.outcome.pieces, run.outcome.stored) == (8, 7)
    message = "gap: the stream itself marks this segment as missing"
    assert run.lost == [(2, origin.url(segment(2)), message)]
    assert origin.hits(segment(2)) == 0
    assert task.listed == ["0", "1", "gap 2", *"34567"]


def test_the_master_playlist_comes_when_all_it_names_is_there(origin: Origin, task: Downloads) -> None:
    stream = with_renditions(3)
    origin.put_all(stream.files, under="/r/")
    sound, last = origin.hold("/r/sound/0.aac"), origin.hold("/r/picture/2.ts")
    run = task.start(origin.url(f"/r/{stream.master}"))
    folder = task.path(task.names.hls_folder)
    wait_until((folder / "ts.m3u8").exists, "the playlist of the pictures")
    assert task.playlist == ""

    sound.release()
    wait_until(lambda: bool(task.playlist), "the master playlist")
    assert {"ts.m3u8", "audio_0.m3u8", "subtitles_0.m3u8"} <= {path.name for path in folder.iterdir()}
    assert "EVENT" in (folder / "ts.m3u8").read_text("utf-8")
    last.release()
    assert run.outcome.stored == 9
    assert "#EXT-X-ENDLIST" in (folder / "ts.m3u8").read_text("utf-8")
