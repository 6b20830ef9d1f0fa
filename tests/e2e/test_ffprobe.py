"""Every kind of result, read by FFmpeg's own ffprobe: without a complaint, and as long as it should be."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests import media
from tests.e2e.service import Service
from tests.live import SECONDS, LiveStream
from tests.origin import Origin
from tests.renditions import with_renditions

EXACT = 0.15  # seconds: a frame, and the sound that goes beyond the last one

KINDS = {
    "TS": lambda: media.hls_vod(4, 1.0),
    "the best variant": lambda: media.hls_vod(4, 1.0, variants=2),
    "fMP4": lambda: media.hls_vod(4, 1.0, fmp4=True),
    "AES-128": lambda: media.hls_vod(4, 1.0, encryption="rotation", media_sequence=9),
    "AES-128 in fMP4": lambda: media.hls_vod(4, 1.0, fmp4=True, encryption="explicit"),
    "byte ranges": lambda: media.hls_vod(4, 1.0, byte_ranges="implied"),
    "byte ranges in fMP4": lambda: media.hls_vod(4, 1.0, fmp4=True, byte_ranges="explicit"),
    "encrypted byte ranges": lambda: media.hls_vod(4, 1.0, byte_ranges="explicit", encryption="sequence"),
}


@dataclass(frozen=True)
class Probed:
    """What ffprobe says of a file: seconds as its container tells and as its packets show, and kinds of streams."""

    declared: float
    video: float
    audio: float | None
    kinds: frozenset[str]


@pytest.fixture(scope="module")
def ffprobe(request: pytest.FixtureRequest) -> str:
    """Where it is absent, a line of its own says so: a skip is but a letter."""
    found = shutil.which("ffprobe")
    if found is None:
        told = "ffprobe is not installed (Debian: ffmpeg), so NO RESULT IS READ BY A TOOL OF ITS OWN"
        plugins = request.config.pluginmanager
        with plugins.getplugin("capturemanager").global_and_fixture_disabled():
            plugins.getplugin("terminalreporter").write_line(f"\n{told}", red=True, bold=True)
        pytest.skip(told)
    return found


@pytest.fixture(scope="module")
def origin() -> Iterator[Origin]:
    with Origin() as running:
        yield running


@pytest.fixture(scope="module")
def service(
    ffprobe: str,  # noqa: ARG001 - nothing is started where it is absent
    tmp_path_factory: pytest.TempPathFactory,
    origin: Origin,
) -> Iterator[Service]:
    """One for all: each test is another user."""
    folder = tmp_path_factory.mktemp("service")
    with Service(folder, EGRESS_ALLOW=origin.host_port, AUTO_RETRY="false") as running:
        yield running


def probe(ffprobe: str, path: Path) -> Probed:
    """Every packet is read. ffprobe has nothing to complain about, but that it knows no subtitles in playlists."""
    options = ["-allowed_extensions", "ALL"] if path.suffix == ".m3u8" else []
    shown = ["-show_entries", "format=duration:stream=index,codec_type:packet=stream_index,duration_time"]
    command = [ffprobe, "-v", "warning", "-of", "json", *options, *shown, str(path)]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert [line for line in ended.stderr.splitlines() if "Can't support the subtitle" not in line] == []
    found = json.loads(ended.stdout)
    kinds = {stream["index"]: stream["codec_type"] for stream in found["streams"]}
    lengths = {
        kind: _length(found["packets"], {i for i, each in kinds.items() if each == kind}) for kind in kinds.values()
    }
    return Probed(float(found["format"]["duration"]), lengths["video"], lengths.get("audio"), frozenset(lengths))


def _length(packets: list[Any], streams: set[int]) -> float:
    """Seconds of all packets together. ffprobe's times of packed audio lag behind by a segment, at the origin too."""
    return sum(float(packet["duration_time"]) for packet in packets if packet["stream_index"] in streams)


def fetched(service: Service, url: str, kind: str = "HLS") -> tuple[Any, Path]:
    """A complete task, and what a player opens."""
    user = service.user()
    task = user.wait(user.create(url, kind)["id"])
    return task, opened(service, task)


def opened(service: Service, task: Any) -> Path:
    assert (task["status"], task["lastError"]) == ("COMPLETED", None)
    path = service.media(task["video"]["storagePath"])
    return next(path.glob("*_local_*.m3u8")) if path.is_dir() else path


@pytest.mark.parametrize("kind", KINDS)
def test_streams(service: Service, origin: Origin, ffprobe: str, kind: str) -> None:
    stream, under = KINDS[kind](), f"/{kind.replace(' ', '-')}/"
    origin.put_all(stream.files, under)
    task, path = fetched(service, origin.url(under + (stream.master or stream.media)))
    found = probe(ffprobe, path)
    assert found.kinds == {"video", "audio"}
    assert [found.declared, found.video, found.audio] == pytest.approx([stream.duration] * 3, abs=EXACT)
    assert task["video"]["duration"] == pytest.approx(found.declared, abs=0.01)


@pytest.mark.parametrize("fmp4", [False, True], ids=["packed", "fMP4"])
def test_a_rendition_of_sound(service: Service, origin: Origin, ffprobe: str, fmp4: bool) -> None:
    """By the local master playlist."""
    stream, under = with_renditions(4, fmp4=fmp4), f"/renditions-{fmp4}/"
    origin.put_all(stream.files, under)
    task, path = fetched(service, origin.url(under + stream.master))
    found = probe(ffprobe, path)
    assert {"video", "audio"} <= found.kinds
    assert [found.declared, found.video, found.audio] == pytest.approx([4.0] * 3, abs=EXACT)
    assert task["video"]["duration"] == pytest.approx(4.0, abs=0.1)


def test_a_recording(service: Service, origin: Origin, ffprobe: str) -> None:
    live = LiveStream(origin)
    live.show(2, 3, 4)
    user = service.user()
    task = user.create(live.url)
    user.watch(task["id"], lambda task: task["segmentsDownloaded"] == 3)
    live.show(4, 5, 6, 7, ended=True)
    done = user.wait(task["id"])
    found = probe(ffprobe, opened(service, done))
    assert found.kinds == {"video", "audio"}
    assert [found.declared, found.video, found.audio] == pytest.approx([6 * SECONDS] * 3, abs=EXACT)
    assert done["video"]["duration"] == 6 * SECONDS


@pytest.mark.parametrize("size", [0, 12_000_000], ids=["small", "large"])
def test_a_film(service: Service, origin: Origin, ffprobe: str, size: int) -> None:
    origin.put(f"/{size}.mp4", media.mp4(seconds=3, min_bytes=size))
    task, path = fetched(service, origin.url(f"/{size}.mp4"), "MP4")
    found = probe(ffprobe, path)
    assert found.kinds == {"video", "audio"}
    assert [found.declared, found.video, found.audio] == pytest.approx([3.0] * 3, abs=EXACT)
    assert task["video"]["duration"] == pytest.approx(found.declared, abs=0.01)
