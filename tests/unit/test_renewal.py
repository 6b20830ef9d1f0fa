"""URLs that expire on the way: the playlist is read once more, and what is missing is fetched under fresh ones."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from uuid import uuid4

import pytest

from domain.ports import Source
from domain.values import FailureType, ResourceType
from downloader import engine, hls_recorder
from storage.keys import Names
from tests import media
from tests.builders import NOW
from tests.live import Downloads, LiveStream, Run, downloads
from tests.origin import Origin
from tests.origin_faults import expiry, redirect, status
from tests.renditions import with_renditions

MANY = 40
CHANGED = "expired: HTTP 403 (the task's URL leads to another stream now)"


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hls_recorder, "RELOAD", 0.2)
    monkeypatch.setattr(hls_recorder, "RELOAD_UNCHANGED", 0.1)
    monkeypatch.setattr(engine, "REPORT_INTERVAL", 0.1)


@pytest.fixture
def origin() -> Iterator[Origin]:
    with Origin() as running:
        yield running


@pytest.fixture
def task(origin: Origin, tmp_path: Path) -> Iterator[Downloads]:
    with downloads(origin, tmp_path) as made:
        yield made


def signed(playlist: bytes, token: str, uri: str = r"[\w/]+\.\w+") -> bytes:
    """With a token in the query of every URI."""
    text = re.sub(rf"^{uri}$", rf"\g<0>?token={token}", playlist.decode(), flags=re.MULTILINE)
    return re.sub(rf'URI="({uri})"', rf'URI="\1?token={token}"', text).encode()


def serve(origin: Origin, files: Mapping[str, bytes], *, first: str = "old", then: str = "new") -> None:
    """Playlists carry the token ``first`` when they are read for the first time; what they name takes only "new"."""
    for name, body in files.items():
        path = f"/{name}"
        if name.endswith(".m3u8"):
            origin.put(path, signed(body, then))
            origin.fail(path, status(200, body=signed(body, first)), times=1)
        else:
            origin.put(path, body)
            origin.fail(path, expiry("new"))


def good(origin: Origin) -> list[str]:
    """Paths that were answered with what they hold, playlists left out."""
    return sorted(hit.path for hit in origin.log if hit.status == 200 and not hit.path.endswith(".m3u8"))


@pytest.mark.parametrize(
    "stream",
    [
        media.many_segments(MANY),
        media.hls_vod(5, fmp4=True, encryption="rotation"),
        media.hls_vod(3, byte_ranges="implied"),
        media.hls_vod(3, variants=3),
    ],
    ids=["segments", "keys and map", "byte ranges", "variants"],
)
def test_the_playlist_is_read_once_more(origin: Origin, task: Downloads, stream: media.HlsStream) -> None:
    serve(origin, stream.files)
    if stream.master:  # what it names must be found
        origin.put(f"/{stream.media}", signed(stream.files[stream.media], "new"))
    url = origin.url(f"/{stream.master or stream.media}")

    run = task.start(url)

    assert (run.outcome.stored, run.outcome.pieces, run.lost) == (len(stream.segments), len(stream.segments), [])
    assert task.stored() == list(stream.segments)
    assert origin.hits(f"/{stream.media}") == 2


def test_what_arrived_before_is_kept_and_asked_for_once(origin: Origin, task: Downloads) -> None:
    stream = media.many_segments(MANY)
    serve(origin, stream.files, first="new")
    paths = [path for path in stream.files if path.endswith(".ts")]
    for path in paths[20:]:
        origin.heal(f"/{path}")
        origin.fail(f"/{path}", expiry("newer"))
    origin.put(f"/{stream.media}", signed(stream.files[stream.media], "newer"))

    run = task.start(origin.url(f"/{stream.media}"))

    assert (run.outcome.stored, run.lost) == (MANY, [])
    assert task.stored() == list(stream.segments)
    assert good(origin) == sorted(f"/{path}" for path in paths)
    assert origin.hits(f"/{stream.media}") == 2


@pytest.mark.parametrize("code", [401, 403, 410])
def test_what_is_refused_again_has_expired_and_a_fresh_url_goes_on(origin: Origin, task: Downloads, code: int) -> None:
    stream = media.many_segments(6)
    serve(origin, stream.files, first="new", then="old")
    late = [f"/{path}" for path in stream.files if path.endswith(".ts")][4:]
    for path in late:
        origin.heal(path)
        origin.fail(path, expiry("newest", code))
    run = task.start(origin.url(f"/{stream.media}"))

    assert (run.outcome.stored, run.outcome.pieces) == (4, 6)
    message = f"expired: HTTP {code}"
    assert [(index, message) for index in (4, 5)] == [(index, told) for index, _, told in sorted(run.lost)]
    assert origin.hits(f"/{stream.media}") == 2
    assert [origin.hits(path) for path in late] == [2, 2]

    origin.put_all(stream.files, under="/elsewhere/")
    again = task.start(origin.url(f"/elsewhere/{stream.media}"))

    assert (again.outcome.stored, again.outcome.pieces, again.lost) == (6, 6, [])
    assert task.stored() == list(stream.segments)
    assert origin.hits(lambda hit: hit.path.startswith("/elsewhere/")) == 3


def _another(text: str, how: str) -> str:
    match how:
        case "shorter":
            return re.sub(r"#EXTINF:[^\n]*\n[^#\n]+\n#EXT-X-ENDLIST", "#EXT-X-ENDLIST", text)
        case "renumbered":
            return text.replace("#EXT-X-MEDIA-SEQUENCE:0", "#EXT-X-MEDIA-SEQUENCE:7")
        case "renamed":
            return text.replace("segment_1.ts", "another_1.ts")
        case _:
            return text.replace("#EXTINF:0.5", "#EXTINF:0.9", 1)


@pytest.mark.parametrize("how", ["shorter", "renumbered", "renamed", "of other lengths"])
def test_two_streams_are_never_mixed(origin: Origin, task: Downloads, how: str) -> None:
    stream = media.many_segments(4)
    serve(origin, stream.files, first="new")
    listed = stream.files[stream.media].decode()
    another = _another(listed, how)
    assert another != listed
    origin.put(f"/{stream.media}", signed(another.encode(), "new"))
    last = next(f"/{path}" for path in stream.files if path.endswith("3.ts"))
    origin.heal(last)
    origin.fail(last, expiry("other"))

    run = task.start(origin.url(f"/{stream.media}"))

    assert (run.outcome.stored, run.outcome.pieces) == (3, 4)
    assert [(index, message) for index, _, message in run.lost] == [(3, CHANGED)]
    assert origin.hits(last) == 1


def test_another_variant_is_another_stream(origin: Origin, task: Downloads) -> None:
    stream = media.hls_vod(3, variants=2)
    assert stream.master
    origin.put_all(stream.files)
    better = stream.files[stream.master].replace(b"BANDWIDTH=", b"BANDWIDTH=9")
    origin.fail(f"/{stream.master}", status(200, body=stream.files[stream.master]), times=1)
    origin.put(f"/{stream.master}", better)
    folder = stream.media.rpartition("/")[0]
    origin.fail(f"/{folder}/segment_2.ts", status(403))

    run = task.start(origin.url(f"/{stream.master}"))

    assert run.outcome.stored == 2
    assert [(index, message) for index, _, message in run.lost] == [(2, CHANGED)]
    assert task.stored() == list(stream.segments[:2])


def test_renditions_are_renewed_too(origin: Origin, task: Downloads) -> None:
    stream = with_renditions(3)
    for name, body in stream.files.items():
        origin.put(f"/{name}", signed(body, "new") if name.endswith("index.m3u8") else body)
        if name.startswith("sound/") and name.endswith(".aac"):
            origin.fail(f"/{name}", expiry("new"))
    first = signed(stream.files["sound/index.m3u8"], "old")
    origin.fail("/sound/index.m3u8", status(200, body=first), times=1)

    run = task.start(origin.url("/master.m3u8"))

    assert (run.outcome.stored, run.outcome.pieces, run.lost) == (9, 9, [])
    assert task.stored("audio_0") == list(stream.sound)


def test_a_live_stream_shows_fresh_urls_by_itself(origin: Origin, task: Downloads) -> None:
    live = LiveStream(origin)
    live.show(0, 1, 2)
    origin.fail(live.segment(1), expiry("new"))
    origin.fail(live.segment(2), status(403))
    run = task.start(live.url)
    live.wait_for(1, 2)
    text = "".join(
        ["#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXT-X-MEDIA-SEQUENCE:0\n"]
        + [f"#EXTINF:0.5,\nsegment_{index}.ts?token=new\n" for index in range(3)]
    )
    origin.put(live.path, text.encode())
    run.wait_for_segments(2)
    run.wait_for_loss()
    run.finishing = True

    assert run.outcome.stored == 2
    assert run.lost == [(2, origin.url(f"{live.segment(2)}?token=new"), "expired: HTTP 403")]
    assert [origin.hits(live.segment(index)) for index in range(3)] == [1, 2, 2]


# --- whole files, and playlists ------------------------------------------------------------------------------


def start(task: Downloads, url: str, kind: ResourceType) -> Run:
    return Run(task._engine, Source(url, kind, Names(uuid4(), NOW), 1))


@pytest.mark.parametrize(("kind", "body"), [(ResourceType.MP4, media.mp4()), (ResourceType.IMAGE, media.png())])
def test_a_file_is_asked_for_once_more_from_where_its_url_leads(
    origin: Origin, task: Downloads, kind: ResourceType, body: bytes
) -> None:
    origin.put("/signed", body)
    origin.put("/file", b"")
    origin.fail("/signed", expiry("new"))
    origin.fail("/file", redirect("/signed?token=old"), times=1)
    origin.fail("/file", redirect("/signed?token=new"))

    assert start(task, origin.url("/file"), kind).outcome.stored == 1
    assert (origin.hits("/file"), origin.hits("/signed")) == (2, 2)


@pytest.mark.parametrize("kind", list(ResourceType))
@pytest.mark.parametrize("code", [401, 403, 410])
def test_what_is_refused_twice_has_expired(origin: Origin, task: Downloads, kind: ResourceType, code: int) -> None:
    origin.put("/gone", b"")
    origin.fail("/gone", status(code))

    run = start(task, origin.url("/gone"), kind)

    assert (run.outcome.stored, run.outcome.note) == (0, f"expired: HTTP {code}")
    (result,) = run.results.values()
    assert result.failure is not None
    cause = FailureType.NETWORK_ERROR if code == 410 else FailureType.PERMISSION_ERROR
    assert (result.failure.failure_type, result.failure.message) == (cause, f"expired: HTTP {code}")
    assert origin.hits("/gone") == 2


# --- another stream, when a later run reads the playlist ------------------------------------------------------


@pytest.mark.parametrize("how", ["shorter", "renumbered", "of other lengths"])
def test_a_later_run_does_not_mix_streams_either(origin: Origin, task: Downloads, how: str) -> None:
    stream = media.many_segments(4)
    origin.put_all(stream.files)
    last = next(f"/{path}" for path in stream.files if path.endswith("3.ts"))
    origin.fail(last, status(404))
    assert task.start(origin.url(f"/{stream.media}")).outcome.stored == 3
    kept, before = task.path(task.names.playlist).read_bytes(), task.playlist
    origin.heal()
    origin.put(f"/{stream.media}", _another(stream.files[stream.media].decode(), how).encode())

    again = task.start(origin.url(f"/{stream.media}"))

    assert (again.outcome.stored, again.outcome.pieces) == (3, 4)
    message = "changed: the task's URL leads to another stream now; what is stored is kept as it is"
    assert again.outcome.note == message
    assert again.lost == [(None, origin.url(f"/{stream.media}"), message)]
    assert (task.stored(), task.playlist) == (list(stream.segments[:3]), before)
    assert task.path(task.names.playlist).read_bytes() == kept
    origin.put(f"/{stream.media}", stream.files[stream.media])
    assert task.start(origin.url(f"/{stream.media}")).outcome.stored == 4


def test_a_later_run_goes_on_with_the_variant_it_has_begun(origin: Origin, task: Downloads) -> None:
    stream = media.hls_vod(3, variants=2)
    assert stream.master
    origin.put_all(stream.files)
    origin.fail(f"/{stream.media.replace('index.m3u8', 'segment_2.ts')}", status(404))
    url = origin.url(f"/{stream.master}")
    assert task.start(url).outcome.stored == 2
    origin.heal()
    lines = stream.files[stream.master].decode() + "#EXT-X-STREAM-INF:BANDWIDTH=1,RESOLUTION=640x360\n90p/index.m3u8\n"
    origin.put(f"/{stream.master}", lines.encode())

    assert task.start(url).outcome.stored == 3
    assert task.stored() == list(stream.segments)


def test_what_was_never_begun_takes_whatever_is_there(origin: Origin, task: Downloads) -> None:
    stream = media.many_segments(4)
    origin.put_all(stream.files)
    for path in stream.files:
        if path.endswith(".ts"):
            origin.fail(f"/{path}", status(404))
    assert task.start(origin.url(f"/{stream.media}")).outcome.stored == 0
    origin.heal()
    origin.put(f"/{stream.media}", _another(stream.files[stream.media].decode(), "shorter").encode())

    assert task.start(origin.url(f"/{stream.media}")).outcome.stored == 3
