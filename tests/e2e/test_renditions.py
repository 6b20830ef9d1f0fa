"""Sound and subtitles that lie in playlists of their own are a part of the result."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
import pytest

from tests import renditions
from tests.e2e.service import Service
from tests.origin import Origin
from tests.origin_faults import status
from tests.renditions import RenditionStream, with_renditions


@pytest.fixture(scope="module")
def origin() -> Iterator[Origin]:
    with Origin() as running:
        yield running


@pytest.fixture(autouse=True)
def healthy(origin: Origin) -> None:
    origin.heal()


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory, origin: Origin) -> Iterator[Service]:
    """One for all: each test is another user."""
    folder = tmp_path_factory.mktemp("service")
    with Service(folder, EGRESS_ALLOW=origin.host_port, AUTO_RETRY="false") as running:
        yield running


def serve(origin: Origin, stream: RenditionStream) -> str:
    origin.put_all(stream.files, under="/s/")
    return origin.url(f"/s/{stream.master}")


def folder(service: Service, task: Any) -> Path:
    return service.media(f"video_{task['videoId']}", "hls")


def stored(service: Service, task: Any, track: str) -> list[tuple[str, bytes]]:
    """Extension and content of each segment, in order."""
    found = sorted(folder(service, task).joinpath(track).glob("segment_*"))
    return [(path.suffix, path.read_bytes()) for path in found]


def playlist(service: Service, task: Any) -> Path:
    (path,) = folder(service, task).glob("*_local_*.m3u8")
    return path


@pytest.mark.parametrize("fmp4", [False, True], ids=["packed", "fmp4"])
def test_sound_and_subtitles_play_with_the_picture(service: Service, origin: Origin, fmp4: bool) -> None:
    stream = with_renditions(4, fmp4=fmp4)
    user = service.user()
    task = user.wait(user.create(serve(origin, stream))["id"])

    assert (task["status"], task["lastError"]) == ("COMPLETED", None)
    pieces = len(stream.picture) + len(stream.sound) + len(stream.text)
    assert (task["segmentsDownloaded"], task["segmentsTotal"]) == (pieces, pieces)
    assert stored(service, task, "ts") == [(".ts", piece) for piece in stream.picture]
    assert stored(service, task, "audio_0") == [(".m4s" if fmp4 else ".aac", piece) for piece in stream.sound]
    assert stored(service, task, "subtitles_0") == [(".vtt", piece) for piece in stream.text]
    (*inits,) = folder(service, task).joinpath("audio_0").glob("init_*.mp4")
    assert [path.read_bytes() for path in inits] == ([stream.sound_init] if fmp4 else [])
    text = playlist(service, task).read_text("utf-8")
    assert 'LANGUAGE="de",DEFAULT=YES,AUTOSELECT=YES,URI="audio_0.m3u8"' in text
    assert 'LANGUAGE="en",DEFAULT=NO,AUTOSELECT=NO,URI="subtitles_0.m3u8"' in text
    assert text.endswith('AUDIO="sound",SUBTITLES="text"\nts.m3u8\n')
    assert task["video"]["duration"] == pytest.approx(4.0, abs=0.1)
    assert task["video"]["resolution"] == "160x90"
    with av.open(str(playlist(service, task)), options={"allowed_extensions": "ALL", "extension_picky": "0"}) as film:
        kinds = {each.type for each in film.streams}
        assert {"video", "audio"} <= kinds
        times = [frame.time for frame in film.decode(video=0)]
        assert times[-1] - times[0] == pytest.approx(3.9)
    with av.open(str(playlist(service, task)), options={"allowed_extensions": "ALL", "extension_picky": "0"}) as film:
        assert sum(frame.samples for frame in film.decode(audio=0)) / 44_100 == pytest.approx(4.0, abs=0.1)


def test_a_rendition_whose_playlist_is_lost_is_one_piece(service: Service, origin: Origin) -> None:
    stream = with_renditions(4)
    url = serve(origin, stream)
    origin.fail("/s/text/index.m3u8", status(404))
    origin.fail("/s/sound/1.aac", status(404))
    user = service.user()
    task = user.wait(user.create(url)["id"])

    assert (task["status"], task["lastError"]) == ("PARTIAL_COMPLETED", "2 of 9 pieces are missing: HTTP 404")
    rows = {row["resourceUrl"]: (row["resourceType"], row["segmentIndex"]) for row in task["failures"]["nodes"]}
    assert rows == {origin.url("/s/text/index.m3u8"): ("M3U8", None), origin.url("/s/sound/1.aac"): ("TS", 1)}
    text = playlist(service, task).read_text("utf-8")
    assert "audio_0.m3u8" in text
    assert "subtitles" not in text.lower()
    assert "#EXT-X-GAP" in folder(service, task).joinpath("audio_0.m3u8").read_text("utf-8")

    origin.heal()
    before = {path: origin.hits(f"/s/{path}") for path in stream.files}
    user.move("retryTask", task["id"])
    task = user.wait(task["id"])

    assert (task["status"], task["failures"]["totalCount"]) == ("COMPLETED", 0)
    assert stored(service, task, "subtitles_0") == [(".vtt", piece) for piece in stream.text]
    assert "subtitles_0.m3u8" in playlist(service, task).read_text("utf-8")
    again = {path for path in stream.files if origin.hits(f"/s/{path}") > before[path] and not path.endswith(".m3u8")}
    assert again == {"sound/1.aac", *(path for path in stream.files if path.endswith(".vtt"))}


def test_live_sound_is_recorded_with_the_picture(service: Service, origin: Origin) -> None:
    stream = with_renditions(4)
    url = serve(origin, stream)

    def show(count: int, *, ended: bool = False) -> None:
        for name, extension in (("picture", "ts"), ("sound", "aac"), ("text", "vtt")):
            names = [f"{index}.{extension}" for index in range(count)]
            origin.put(f"/s/{name}/index.m3u8", renditions.playlist(names, ended=ended))

    show(2)
    user = service.user()
    task = user.create(url)
    user.watch(task["id"], lambda task: task["segmentsDownloaded"] == 6)
    show(3)
    user.watch(task["id"], lambda task: task["segmentsDownloaded"] == 9)
    show(4, ended=True)
    task = user.wait(task["id"])

    assert (task["status"], task["segmentsTotal"], task["lastError"]) == ("COMPLETED", 12, None)
    assert stored(service, task, "audio_0") == [(".aac", piece) for piece in stream.sound[:4]]
    assert stored(service, task, "subtitles_0") == [(".vtt", piece) for piece in stream.text]
    assert {"ts.m3u8", "audio_0.m3u8", "subtitles_0.m3u8"} <= {path.name for path in folder(service, task).iterdir()}
    with av.open(str(playlist(service, task)), options={"allowed_extensions": "ALL", "extension_picky": "0"}) as film:
        assert {"video", "audio"} <= {each.type for each in film.streams}
