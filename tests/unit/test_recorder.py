"""A playlist without an end is followed: over a real origin, that a test moves on."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from domain.errors import StorageError
from downloader import engine, hls_recorder
from downloader.recording import Recording
from tests.e2e.service import wait_until
from tests.live import Downloads, LiveStream, downloads
from tests.origin import Origin
from tests.origin_faults import latency, reset, stall, status
from tests.renditions import playlist, with_renditions

NEVER_SHOWN = "left the window: no load of the playlist has shown this segment"


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """A target duration is a second at least: none of these tests is about the pace, but the first."""
    monkeypatch.setattr(hls_recorder, "RELOAD", 0.2)
    monkeypatch.setattr(hls_recorder, "RELOAD_UNCHANGED", 0.1)
    monkeypatch.setattr(engine, "REPORT_INTERVAL", 0.1)


@pytest.fixture
def origin() -> Iterator[Origin]:
    with Origin() as running:
        yield running


@pytest.fixture
def live(origin: Origin) -> LiveStream:
    return LiveStream(origin)


@pytest.fixture
def task(origin: Origin, tmp_path: Path) -> Iterator[Downloads]:
    with downloads(origin, tmp_path) as made:
        yield made


def test_the_pace_is_that_of_the_playlist_and_does_not_drift(
    live: LiveStream, origin: Origin, task: Downloads, monkeypatch: pytest.MonkeyPatch
) -> None:
    """RFC 8216, 6.3.4: a target duration after the last load began, half of it when nothing has changed."""
    monkeypatch.setattr(hls_recorder, "RELOAD", 0.8)
    monkeypatch.setattr(hls_recorder, "RELOAD_UNCHANGED", 0.4)
    origin.fail(live.path, latency(0.35))
    live.show(0, 1, 2)
    run = task.start(live.url)
    live.wait_for_loads(3)
    live.show(2, 3, ended=True)

    assert run.outcome.stored == 4
    first, second, third, *_ = (hit.started for hit in origin.log if hit.path == live.path)
    assert 0.75 < second - first < 1.1
    assert 0.35 < third - second < 0.7


def test_an_outage_is_survived(live: LiveStream, origin: Origin, task: Downloads) -> None:
    live.show(0, 1, 2)
    run = task.start(live.url)
    run.wait_for_segments(3)
    live.show(2, 3, 4, ended=True)
    for fault in (status(500), reset(0), status(404)):
        origin.fail(live.path, fault, times=1)

    assert (run.outcome.pieces, run.outcome.stored, run.outcome.note) == (5, 5, None)
    assert run.lost == []
    assert task.stored() == list(live.segments[:5])


def test_numbers_that_were_skipped_are_told_and_keep_their_place(live: LiveStream, task: Downloads) -> None:
    live.show(0, 1, 2)
    run = task.start(live.url)
    live.wait_for(2)
    live.show(5, 6, 7, ended=True)

    assert (run.outcome.pieces, run.outcome.stored) == (8, 6)
    assert run.lost == [(3, live.url, NEVER_SHOWN), (4, live.url, NEVER_SHOWN)]
    assert task.listed == ["0", "1", "2", "gap 3", "gap 4", "5", "6", "7"]
    assert run.pieces == "ts 4.000 s3g2s3"
    assert run.outcome.facts is not None
    assert run.outcome.facts.duration == 3.0


def test_a_restarted_stream_goes_on_behind_a_discontinuity(live: LiveStream, task: Downloads) -> None:
    live.show(3, 4, 5)
    run = task.start(live.url)
    live.wait_for(5)
    live.show(6, 7, sequence=0)
    live.wait_for(7)
    live.show(7, 8, sequence=1, ended=True)

    assert (run.outcome.pieces, run.outcome.stored) == (6, 6)
    assert task.listed == ["0", "1", "2", "/3", "4", "5"]
    assert task.stored() == list(live.segments[3:9])


def test_an_event_is_recorded_from_its_start(live: LiveStream, task: Downloads) -> None:
    live.show(0, 1, 2, kind="EVENT")
    run = task.start(live.url)
    live.wait_for(2)
    live.show(0, 1, 2, 3, kind="EVENT", ended=True)

    assert (run.outcome.pieces, run.outcome.stored) == (4, 4)
    assert task.listed == ["0", "1", "2", "3"]


def test_it_ends_when_its_user_says_so(live: LiveStream, task: Downloads) -> None:
    live.show(0, 1, 2)
    run = task.start(live.url)
    run.wait_for_segments(3)
    assert (run.progress.is_live, run.progress.segments_total, run.progress.fraction) == (True, None, 0.0)

    run.finishing = True

    assert (run.outcome.pieces, run.outcome.stored, run.outcome.note) == (3, 3, None)
    assert (run.progress.is_live, run.progress.segments_total, run.progress.fraction) == (False, 3, 1.0)
    before = live.loads
    again = task.start(live.url)
    assert (again.outcome.pieces, again.outcome.stored) == (3, 3)
    assert live.loads == before


def test_it_ends_at_the_limit_and_says_so(live: LiveStream, origin: Origin, tmp_path: Path) -> None:
    live.show(0, 1, 2)
    with downloads(origin, tmp_path, max_live_segments=5) as task:
        run = task.start(live.url)
        live.wait_for(2)
        live.show(1, 2, 3, 4, 5, 6)

        assert (run.outcome.pieces, run.outcome.stored) == (5, 5)
        assert run.outcome.note == "over a limit: the recording ended at 5 segments"
        assert task.listed == ["0", "1", "2", "3", "4"]


def test_an_outage_that_lasts_is_a_lost_playlist_and_a_retry_goes_on(
    live: LiveStream, origin: Origin, tmp_path: Path
) -> None:
    live.show(0, 1, 2)
    with downloads(origin, tmp_path, live_outage_seconds=0.7) as task:
        run = task.start(live.url)
        run.wait_for_segments(3)
        origin.fail(live.path, status(404))

        message = "HTTP 404 (the playlist could not be followed for 0.7 s)"
        assert (run.outcome.pieces, run.outcome.stored, run.outcome.note) == (4, 3, message)
        assert run.lost == [(None, live.url, message)]
        assert task.listed == ["0", "1", "2"]
        assert task.playlist.endswith("#EXT-X-ENDLIST\n")

        before, lost = live.loads, frozenset({task.names.playlist})
        other = task.start(live.url, skip=lost)
        assert (other.outcome.pieces, other.outcome.stored) == (4, 3)
        assert live.loads == before

        origin.heal()
        live.show(4, 5, ended=True)
        retry = task.start(live.url)
        assert (retry.outcome.pieces, retry.outcome.stored) == (6, 5)
        assert retry.lost == [(3, live.url, NEVER_SHOWN)]
        assert retry.results[task.names.playlist].failure is None


def test_a_playlist_that_no_longer_changes_is_given_up(
    live: LiveStream, origin: Origin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hls_recorder, "STILL", 0)
    live.show(0, 1, 2)
    with downloads(origin, tmp_path, live_outage_seconds=0.7) as task:
        run = task.start(live.url)

        message = "stalled: the playlist has not changed for 0.7 s"
        assert (run.outcome.pieces, run.outcome.stored, run.outcome.note) == (4, 3, message)
        assert run.lost == [(None, live.url, message)]


def test_a_load_that_hangs_does_not_hold_the_recording_up(
    live: LiveStream, origin: Origin, task: Downloads, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hls_recorder, "SHORTEST_PATIENCE", 0.5)
    live.show(0, 1, 2)
    run = task.start(live.url)
    live.wait_for(2)
    live.show(1, 2, 3, ended=True)
    origin.fail(live.path, stall(0), times=1)

    assert (run.outcome.pieces, run.outcome.stored) == (4, 4)


def test_a_segment_that_comes_late_is_asked_for_as_long_as_it_is_listed(
    live: LiveStream, origin: Origin, task: Downloads
) -> None:
    live.show(0, 1, 2)
    origin.fail(live.segment(1), status(404), times=2)
    run = task.start(live.url)
    live.wait_for_loads(3)
    run.wait_for_segments(3)
    live.show(1, 2, 3, ended=True)

    assert (run.outcome.pieces, run.outcome.stored) == (4, 4)
    assert run.lost == []


def test_a_stopped_worker_leaves_the_recording_to_the_next(live: LiveStream, task: Downloads) -> None:
    live.show(0, 1, 2)
    run = task.start(live.url)
    run.wait_for_segments(3)
    run.draining = True

    assert (run.outcome.pieces, run.outcome.stored) == (4, 3)  # what is not over is not whole
    assert "#EXT-X-ENDLIST" not in task.playlist
    live.show(2, 3, 4, ended=True)
    assert (following := task.start(live.url)).outcome.stored == following.outcome.pieces == 5
    assert task.stored() == list(live.segments[:5])


def test_a_recording_that_cannot_be_saved_is_no_recording(
    live: LiveStream, origin: Origin, task: Downloads, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is not known to the next run must not be stored, under an index that will mean another segment."""
    live.show(0, 1, 2)
    run = task.start(live.url)
    run.wait_for_segments(3)
    save = Recording.save

    def refuse(*_: object) -> None:
        raise StorageError("disk full")

    monkeypatch.setattr(Recording, "save", refuse)
    live.show(1, 2, 3)
    live.wait_for_loads(3)
    assert origin.hits(live.segment(3)) == 0
    monkeypatch.setattr(Recording, "save", save)
    live.show(2, 3, 4, ended=True)

    assert (run.outcome.pieces, run.outcome.stored, run.lost) == (5, 5, [])


def test_a_segment_is_known_before_it_is_fetched(live: LiveStream, origin: Origin, task: Downloads) -> None:
    """After a kill, an index must mean the same segment."""
    gate = origin.hold(live.segment(1))
    live.show(0, 1, 2)
    run = task.start(live.url)
    run.wait_for_segments(2)
    run.stop()
    gate.release()
    live.show(5, 6, ended=True)

    again = task.start(live.url)

    assert (again.outcome.pieces, again.outcome.stored) == (7, 5)
    assert task.listed == ["0", "1", "2", "gap 3", "gap 4", "5", "6"]
    assert origin.hits(live.segment(0)) == 1
    assert task.stored() == [live.segments[index] for index in (0, 1, 2, 5, 6)]


def test_a_url_that_has_expired_is_looked_up_in_the_master_playlist(
    live: LiveStream, origin: Origin, task: Downloads
) -> None:
    def lead_to(token: str) -> None:
        origin.put("/master.m3u8", f"#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\n{live.path}?t={token}\n".encode())

    lead_to("1")
    live.show(0, 1, 2)
    run = task.start(origin.url("/master.m3u8"))
    live.wait_for(2)
    lead_to("2")
    origin.fail(live.path, status(403), times=1)
    live.show(1, 2, 3, ended=True)

    assert (run.outcome.pieces, run.outcome.stored) == (4, 4)
    queries = [(hit.query, hit.status) for hit in origin.log if hit.path == live.path]
    assert queries == [("t=1", 200), ("t=1", 403), ("t=2", 200)]


def test_a_master_playlist_that_has_gone_does_not_end_the_recording(
    live: LiveStream, origin: Origin, task: Downloads
) -> None:
    origin.put("/master.m3u8", f"#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\n{live.path}\n".encode())
    live.show(0, 1, 2)
    run = task.start(origin.url("/master.m3u8"))
    live.wait_for(2)
    origin.fail("/master.m3u8", status(410))
    origin.fail(live.path, status(500), times=1)
    live.show(1, 2, 3, ended=True)

    assert (run.outcome.pieces, run.outcome.stored, run.lost) == (4, 4, [])


class TestTracks:
    """A live stream whose sound and subtitles have playlists of their own."""

    @pytest.fixture
    def stream(self, origin: Origin) -> str:
        origin.put_all(with_renditions(4).files, under="/s/")
        self.show(origin, 2)
        return origin.url("/s/master.m3u8")

    @staticmethod
    def show(origin: Origin, count: int, *tracks: str, ended: bool = False) -> None:
        extensions = {"picture": "ts", "sound": "aac", "text": "vtt"}
        for name in tracks or extensions:
            names = [f"{index}.{extensions[name]}" for index in range(count)]
            origin.put(f"/s/{name}/index.m3u8", playlist(names, ended=ended))

    def test_all_go_on_after_an_outage_that_lasted(self, stream: str, origin: Origin, tmp_path: Path) -> None:
        with downloads(origin, tmp_path, live_outage_seconds=0.7) as task:
            run = task.start(stream)
            run.wait_for_segments(6)
            origin.fail("/s/picture/index.m3u8", status(404))
            origin.fail("/s/master.m3u8", status(404))

            assert (run.outcome.pieces, run.outcome.stored) == (9, 6)
            behind = "left behind: the main playlist could not be followed"
            lost = [*((None, origin.url(f"/s/{name}/index.m3u8"), behind) for name in ("sound", "text"))]
            assert sorted(run.lost[1:], key=str) == lost

            origin.heal()
            self.show(origin, 4, ended=True)
            retry = task.start(stream)
            assert (retry.outcome.pieces, retry.outcome.stored, retry.lost) == (12, 12, [])

    def test_a_track_that_is_out_for_long_does_not_end_the_others(
        self, stream: str, origin: Origin, tmp_path: Path
    ) -> None:
        origin.fail("/s/text/index.m3u8", status(404))
        with downloads(origin, tmp_path, live_outage_seconds=0.7) as task:
            run = task.start(stream)
            run.wait_for_segments(4)
            assert run.wait_for_loss() == (
                None,
                origin.url("/s/text/index.m3u8"),
                "HTTP 404 (the playlist could not be followed for 0.7 s)",
            )
            self.show(origin, 4, "picture", "sound", ended=True)

            assert (run.outcome.pieces, run.outcome.stored) == (9, 8)
            assert "audio_0.m3u8" in task.playlist
            assert "subtitles_0.m3u8" not in task.playlist
            origin.heal()
            self.show(origin, 4, "text", ended=True)
            retry = task.start(stream)
            assert (retry.outcome.pieces, retry.outcome.stored, retry.lost) == (12, 12, [])
            assert "subtitles_0.m3u8" in task.playlist

    def test_a_finished_recording_is_finished_in_every_track(self, stream: str, task: Downloads) -> None:
        run = task.start(stream)
        run.wait_for_segments(6)
        run.finishing = True

        assert (run.outcome.pieces, run.outcome.stored, run.lost) == (6, 6, [])
        assert (again := task.start(stream).outcome).pieces == again.stored == 6


def test_a_lost_piece_is_tried_again_while_the_recording_runs(
    live: LiveStream, origin: Origin, task: Downloads
) -> None:
    origin.fail(live.segment(1), status(404))
    live.show(0, 1, 2)
    run = task.start(live.url)
    live.wait_for(1)
    live.show(2, 3, 4)
    assert run.wait_for_loss() == (1, origin.url(live.segment(1)), "HTTP 404")
    wait_until(lambda: task.listed == ["0", "gap 1", "2", "3", "4"], lambda: str(task.listed))
    before = origin.hits(live.segment(1))
    origin.heal(live.segment(1))

    run.ask_again(*(key for key, result in run.results.items() if result.failure), "unknown")
    run.wait_for_segments(5)

    assert (run.lost, run.progress.is_live) == ([], True)
    assert task.listed == ["0", "gap 1", "2", "3", "4"]  # what was listed stays until the end
    live.show(3, 4, ended=True)
    assert (run.outcome.pieces, run.outcome.stored) == (5, 5)
    assert task.listed == ["0", "1", "2", "3", "4"]
    assert origin.hits(live.segment(1)) == before + 1


def test_what_no_load_has_shown_is_told_at_once_when_it_is_asked_for(live: LiveStream, task: Downloads) -> None:
    live.show(0, 1, 2)
    run = task.start(live.url)
    live.wait_for(2)
    live.show(4, 5)
    run.wait_for_loss()
    (key,) = (key for key, result in run.results.items() if result.failure)
    del run.results[key]

    run.ask_again(key)

    assert run.wait_for_loss() == (3, live.url, NEVER_SHOWN)
    run.finishing = True
    assert (run.outcome.pieces, run.outcome.stored) == (6, 5)
