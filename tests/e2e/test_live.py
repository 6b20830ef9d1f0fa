"""Live streams, as a user of the service records them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
import pytest

from tests.e2e.service import Service, User, wait_until
from tests.live import SECONDS, LiveStream, short
from tests.origin import Origin
from tests.origin_faults import status


@pytest.fixture(scope="module")
def origin() -> Iterator[Origin]:
    with Origin() as running:
        yield running


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory, origin: Origin) -> Iterator[Service]:
    """One for all: each test is another user, and another stream."""
    limits = {"LIVE_OUTAGE_SECONDS": "1", "MAX_LIVE_SEGMENTS": "10", "AUTO_RETRY": "false"}
    with Service(tmp_path_factory.mktemp("service"), EGRESS_ALLOW=origin.host_port, **limits) as running:
        yield running


@pytest.fixture
def live(origin: Origin, request: pytest.FixtureRequest) -> LiveStream:
    return LiveStream(origin, name=request.node.name)


def local_playlist(service: Service, task: Any) -> Path:
    folder = service.media(f"video_{task['videoId']}", "hls")
    wait_until(lambda: bool(list(folder.glob("*_local_*.m3u8"))), "a local playlist")
    return next(folder.glob("*_local_*.m3u8"))


def stored(service: Service, task: Any) -> list[bytes]:
    folder = service.media(f"video_{task['videoId']}", "hls", "ts")
    return [path.read_bytes() for path in sorted(folder.glob("segment_*"))]


def is_live(user: User, task: Any) -> bool:
    answer: bool = user.execute("query($id: ID!) { task(id: $id) { isLive } }", id=task["id"])["task"]["isLive"]
    return answer


class Growing:
    """A local playlist that is looked at again and again: it may only grow, and what it lists must be there."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._before: list[str] = []

    def look(self) -> list[str]:
        """What it lists now."""
        text = self._path.read_text("utf-8")
        lines = text.splitlines()
        head = next(index for index, line in enumerate(lines) if line.startswith("#EXT-X-PLAYLIST-TYPE")) + 1
        assert lines[0] == "#EXTM3U"
        ended = lines[-1] == "#EXT-X-ENDLIST"
        assert lines[head - 1] == ("#EXT-X-PLAYLIST-TYPE:VOD" if ended else "#EXT-X-PLAYLIST-TYPE:EVENT")
        body = lines[head : -1 if ended else None]
        assert body[: len(self._before)] == self._before
        self._before = body
        listed = short(text)
        names = [line for line in body if not line.startswith("#")]
        there = [(self._path.parent / name).exists() for name in names]
        assert there == [not each.startswith("gap") for each in listed]
        return listed

    def wait_for(self, *listed: str) -> None:
        wait_until(lambda: self.look() == list(listed), lambda: f"{listed}; it lists {self.look()}", timeout=10)


def test_a_window_is_recorded_whole_and_plays_meanwhile(service: Service, live: LiveStream) -> None:
    live.show(3, 4, 5)
    user = service.user()
    task = user.create(live.url)
    growing = Growing(local_playlist(service, task))
    growing.wait_for("0", "1", "2")
    wait_until(lambda: is_live(user, task), "the task to be live")

    live.show(5, 6, 7)
    growing.wait_for("0", "1", "2", "3", "4")
    running = user.watch(task["id"], lambda task: task["segmentsDownloaded"] == 5)
    assert (running["status"], running["progress"], running["segmentsTotal"]) == ("PROCESSING", 0.0, None)
    live.show(6, 7, 8, ended=True)
    done = user.wait(task["id"])

    assert (done["status"], done["progress"], done["lastError"]) == ("COMPLETED", 1.0, None)
    assert (done["segmentsTotal"], done["failures"]["totalCount"], is_live(user, task)) == (6, 0, False)
    assert done["video"]["duration"] == 6 * SECONDS
    assert growing.look() == ["0", "1", "2", "3", "4", "5"]
    assert stored(service, task) == list(live.segments[3:9])
    with av.open(str(local_playlist(service, task))) as container:
        assert container.duration == 6 * SECONDS * av.time_base
        assert sum(1 for _ in container.decode(video=0)) == 30


def test_finish_ends_a_recording_at_once(service: Service, live: LiveStream) -> None:
    live.show(0, 1, 2)
    user = service.user()
    task = user.create(live.url)
    user.watch(task["id"], lambda task: task["segmentsDownloaded"] == 3)

    assert user.move("finishTask", task["id"])["userErrors"] == []
    done = user.wait(task["id"], timeout=2)

    assert (done["status"], done["segmentsTotal"], done["lastError"]) == ("COMPLETED", 3, None)
    assert stored(service, task) == list(live.segments[:3])
    assert user.move("finishTask", task["id"])["userErrors"][0]["code"] == "CONFLICT"


def test_finish_does_not_wait_for_a_playlist_that_hangs(service: Service, live: LiveStream, origin: Origin) -> None:
    live.show(0, 1, 2)
    user = service.user()
    task = user.create(live.url)
    user.watch(task["id"], lambda task: task["segmentsDownloaded"] == 3)
    gate = origin.hold(live.path)
    gate.wait_until_held()

    user.move("finishTask", task["id"])

    assert user.wait(task["id"], timeout=2)["status"] == "COMPLETED"
    gate.release()


def test_what_left_the_window_in_a_pause_is_told(service: Service, live: LiveStream, origin: Origin) -> None:
    origin.fail(live.segment(1), status(410))
    live.show(0, 1, 2)
    user = service.user()
    task = user.create(live.url)
    user.watch(task["id"], lambda task: task["segmentsDownloaded"] == 2)
    growing = Growing(local_playlist(service, task))
    growing.wait_for("0", "gap 1", "2")

    assert user.move("pauseTask", task["id"])["task"]["paused"]
    live.show(4, 5, 6)
    user.move("resumeTask", task["id"])
    growing.wait_for("0", "gap 1", "2", "gap 3", "4", "5", "6")
    live.show(5, 6, 7, ended=True)
    done = user.wait(task["id"])

    assert (done["status"], done["progress"]) == ("PARTIAL_COMPLETED", 0.75)
    assert done["lastError"] == "2 of 8 pieces are missing: expired: HTTP 410"
    rows = sorted(done["failures"]["nodes"], key=lambda row: row["segmentIndex"])
    told = [(row["segmentIndex"], row["resourceUrl"], row["errorMessage"], row["failureType"]) for row in rows]
    never = "left the window: no load of the playlist has shown this segment"
    assert told == [
        (1, origin.url(live.segment(1)), "expired: HTTP 410", "NETWORK_ERROR"),
        (3, live.url, never, "INVALID_CONTENT"),
    ]
    assert growing.look() == ["0", "gap 1", "2", "gap 3", "4", "5", "6", "7"]


def test_a_retry_joins_the_recording(service: Service, live: LiveStream, origin: Origin) -> None:
    origin.fail(live.segment(1), status(404))
    live.show(0, 1, 2)
    user = service.user()
    task = user.create(live.url)
    live.wait_for(1)
    live.show(2, 3)
    running = user.watch(task["id"], lambda task: task["failures"]["totalCount"] == 1)
    (failure,) = running["failures"]["nodes"]

    def retry() -> None:
        mutation = "mutation($id: ID!) { retryFailure(id: $id) { failure { status } userErrors { code } } }"
        answer = user.execute(mutation, id=failure["id"])["retryFailure"]
        assert answer == {"failure": {"status": "RETRYING"}, "userErrors": []}

    def is_told_again(task: Any) -> bool:
        (again,) = task["failures"]["nodes"]
        return (again["status"], again["retryCount"]) == ("PENDING", 1)

    retry()
    user.watch(task["id"], is_told_again)
    origin.heal(live.segment(1))
    retry()
    running = user.watch(task["id"], lambda task: task["failures"]["totalCount"] == 0)
    assert (running["status"], running["segmentsDownloaded"], is_live(user, task)) == ("PROCESSING", 4, True)
    live.show(2, 3, ended=True)

    assert user.wait(task["id"])["status"] == "COMPLETED"
    assert stored(service, task) == list(live.segments[:4])


def test_a_lost_piece_is_fetched_when_the_stream_is_over(service: Service, live: LiveStream, origin: Origin) -> None:
    origin.fail(live.segment(1), status(404))
    live.show(0, 1, 2, 3)
    user = service.user()
    task = user.create(live.url)
    live.wait_for(3)
    live.show(2, 3, 4, ended=True)
    assert user.wait(task["id"])["status"] == "PARTIAL_COMPLETED"
    origin.heal(live.segment(1))
    origin.fail(live.path, status(410))
    before = live.loads

    user.move("retryTask", task["id"])
    done = user.wait(task["id"])

    assert (done["status"], done["failures"]["totalCount"]) == ("COMPLETED", 0)
    assert stored(service, task) == list(live.segments[:5])
    assert short(local_playlist(service, task).read_text("utf-8")) == ["0", "1", "2", "3", "4"]
    assert live.loads == before


@pytest.mark.parametrize("ending", ["kill", "terminate"])
def test_another_process_goes_on_with_the_recording(
    service: Service, live: LiveStream, origin: Origin, ending: str
) -> None:
    live.show(0, 1, 2)
    user = service.user()
    task = user.create(live.url)
    growing = Growing(local_playlist(service, task))
    growing.wait_for("0", "1", "2")

    getattr(service, ending)()
    live.show(2, 3, 4)
    service.start()
    growing.wait_for("0", "1", "2", "3", "4")
    live.show(3, 4, 5, ended=True)
    done = user.wait(task["id"])

    assert (done["status"], done["failures"]["totalCount"]) == ("COMPLETED", 0)
    assert stored(service, task) == list(live.segments[:6])
    assert growing.look() == ["0", "1", "2", "3", "4", "5"]
    assert [origin.hits(live.segment(index)) for index in range(6)] == [1] * 6


def test_limits_end_a_recording_and_say_so(service: Service, live: LiveStream, origin: Origin) -> None:
    gone = LiveStream(origin, name="gone")
    live.show(*range(7))
    gone.show(0, 1, 2)
    user = service.user()
    full, out = user.create(live.url), user.create(gone.url)
    live.wait_for(6)
    live.show(*range(2, 12))
    user.watch(out["id"], lambda task: task["segmentsDownloaded"] == 3)
    origin.fail(gone.path, status(404))

    full, out = user.wait(full["id"]), user.wait(out["id"])

    assert (full["status"], full["segmentsTotal"]) == ("COMPLETED", 10)
    assert full["lastError"] == "over a limit: the recording ended at 10 segments"
    message = "HTTP 404 (the playlist could not be followed for 1 s)"
    assert (out["status"], out["progress"]) == ("PARTIAL_COMPLETED", 0.75)
    assert out["lastError"] == f"1 of 4 pieces are missing: {message}"
    (row,) = out["failures"]["nodes"]
    assert (row["resourceUrl"], row["resourceType"], row["errorMessage"]) == (gone.url, "M3U8", message)
