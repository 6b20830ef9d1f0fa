"""What is stored plays, by a link that needs no header and dies by itself."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import urljoin

import av
import httpx
import pytest

from tests import media, origin_faults
from tests.e2e.service import Service, User, wait_until
from tests.origin import Origin
from tests.renditions import with_renditions

PROXY = "https://media.example/below"
LINKS = "query($id: ID!) { task(id: $id) { status playbackUrl video { playbackUrl coverUrl duration } } }"


def _links(user: User, task_id: str) -> Any:
    return user.execute(LINKS, id=task_id)["task"]


def _hls(origin: Origin, user: User, stream: media.HlsStream) -> Any:
    origin.put_all(stream.files, under="/s/")
    task = user.create(origin.url("/s/" + (stream.master or stream.media)))
    assert user.wait(task["id"])["status"] == "COMPLETED"
    return _links(user, task["id"])


@pytest.fixture(scope="module")
def client() -> Iterator[httpx.Client]:
    with httpx.Client(timeout=20) as client:
        yield client


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """Links to files of every kind, of a service whose users come by a proxy; there is none here, so it is left out."""
    folder, stream = tmp_path_factory.mktemp("service"), media.hls_vod(2, 1.0)
    with Origin() as origin, Service(folder, EGRESS_ALLOW=origin.host_port, PUBLIC_URL=PROXY) as service:
        origin.put("/film.mp4", media.mp4())
        user = service.user()
        task = user.create(origin.url("/film.mp4"), "MP4")
        user.wait(task["id"])
        links, playlist = _links(user, task["id"]), _hls(origin, user, stream)["playbackUrl"]
        given = [links["playbackUrl"], links["video"]["coverUrl"], playlist]
        assert all(url.startswith(f"{PROXY}/media/") for url in given)
        film, cover, playlist = (url.replace(PROXY, service.url) for url in given)
        (segment, *_) = [line for line in httpx.get(playlist).text.splitlines() if line and not line.startswith("#")]
        yield {"film": film, "cover": cover, "playlist": playlist, "segment": urljoin(playlist, segment)}


def test_a_stream_plays_over_http_without_a_header(service: Service, origin: Origin) -> None:
    stream = media.hls_vod(4, 1.0, fmp4=True, encryption="explicit")
    task = _hls(origin, service.user(), stream)

    playlist = httpx.get(task["playbackUrl"])

    assert playlist.status_code == 200
    assert playlist.headers["content-type"] == "application/vnd.apple.mpegurl"
    pieces = [line for line in playlist.text.splitlines() if line and not line.startswith("#")]
    fetched = [httpx.get(urljoin(task["playbackUrl"], piece)).content for piece in pieces]
    assert fetched == list(stream.segments)
    (section,) = re.findall(r'#EXT-X-MAP:URI="([^"]+)"', playlist.text)
    assert httpx.get(urljoin(task["playbackUrl"], section)).content == stream.init
    with av.open(task["video"]["playbackUrl"]) as container:
        assert container.duration is not None
        assert container.duration / 1e6 == pytest.approx(stream.duration, abs=0.2)
    cover = httpx.get(task["video"]["coverUrl"])
    assert cover.headers["content-type"] == "image/jpeg"
    assert cover.content.startswith(b"\xff\xd8\xff")


def test_a_film_is_served_in_parts(service: Service, origin: Origin) -> None:
    film = media.mp4()
    origin.put("/film.mp4", film)
    user = service.user()
    task = user.create(origin.url("/film.mp4"), "MP4")
    user.wait(task["id"])
    url = _links(user, task["id"])["playbackUrl"]

    whole = httpx.get(url)
    head = httpx.head(url)
    part = httpx.get(url, headers={"Range": "bytes=10-19"})
    tail = httpx.get(url, headers={"Range": "bytes=-5", "If-Range": whole.headers["etag"]})
    changed = httpx.get(url, headers={"Range": "bytes=-5", "If-Range": '"another"'})
    beyond = httpx.get(url, headers={"Range": f"bytes={len(film)}-"})
    known = httpx.get(url, headers={"If-None-Match": whole.headers["etag"]})
    saved = httpx.get(url, params={"download": ""})

    assert (whole.status_code, whole.content) == (200, film)
    assert (head.status_code, head.content, head.headers["content-length"]) == (200, b"", str(len(film)))
    assert (part.status_code, part.content) == (206, film[10:20])
    assert part.headers["content-range"] == f"bytes 10-19/{len(film)}"
    assert (tail.status_code, tail.content) == (206, film[-5:])
    assert (changed.status_code, changed.content) == (200, film)
    assert (beyond.status_code, beyond.headers["content-range"]) == (416, f"bytes */{len(film)}")
    assert (known.status_code, known.content) == (304, b"")
    assert whole.headers["content-type"] == "video/mp4"
    assert whole.headers["content-disposition"].startswith("inline")
    assert saved.headers["content-disposition"].startswith("attachment")


@pytest.mark.parametrize(
    ("asked", "status", "shown"),
    [
        ("bytes=0-0", 206, "bytes 0-0/{size}"),
        ("bytes=5-", 206, "bytes 5-{last}/{size}"),
        ("BYTES=0-1", 206, "bytes 0-1/{size}"),
        ("bytes=-99999999", 206, "bytes 0-{last}/{size}"),
        ("bytes=1-99999999", 206, "bytes 1-{last}/{size}"),
        ("bytes={size}-", 416, "bytes */{size}"),
        ("bytes=-0", 416, "bytes */{size}"),
        ("bytes=5-2", 200, None),  # RFC 9110, 14.1.1: not valid, so it counts for nothing
        ("bytes=abc", 200, None),
        ("bytes=", 200, None),
        ("bytes=-", 200, None),
        ("items=0-1", 200, None),
        ("bytes=" + ",".join(["0-0"] * 1_000), 200, None),
    ],
)
def test_ranges(client: httpx.Client, stored: dict[str, str], asked: str, status: int, shown: str | None) -> None:
    for url in stored.values():
        whole = client.get(url).content
        numbers = {"size": len(whole), "last": len(whole) - 1}
        for method in ("GET", "HEAD"):
            answer = client.request(method, url, headers={"Range": asked.format(**numbers)})
            assert (answer.status_code, answer.headers.get("content-range")) == (
                status,
                shown and shown.format(**numbers),
            )
        if status == 200:
            assert client.get(url, headers={"Range": asked}).content == whole


def test_a_condition_decides_whether_a_part_will_do(client: httpx.Client, stored: dict[str, str]) -> None:
    for url in stored.values():
        whole = client.head(url)
        etag = whole.headers["etag"]
        for condition, status in ((etag, 206), (f"W/{etag}", 200), ('"another"', 200)):
            assert client.get(url, headers={"Range": "bytes=0-1", "If-Range": condition}).status_code == status
        for known, status in ((etag, 304), (f'"another", W/{etag}', 304), ("*", 304), ('"another"', 206)):
            assert client.get(url, headers={"Range": "bytes=0-1", "If-None-Match": known}).status_code == status
        for method, content in (("HEAD", b""), ("GET", client.get(url).content)):
            answer = client.request(method, url)
            assert (answer.headers["accept-ranges"], answer.content) == ("bytes", content)


def test_types_and_names(client: httpx.Client, stored: dict[str, str]) -> None:
    heads = {name: client.head(url).headers for name, url in stored.items()}
    assert {name: head["content-type"] for name, head in heads.items()} == {
        "film": "video/mp4",
        "cover": "image/jpeg",
        "playlist": "application/vnd.apple.mpegurl",
        "segment": "video/mp2t",
    }
    name = stored["film"].rpartition("/")[2]
    assert heads["film"]["content-disposition"] == f'inline; filename="{name}"'
    saved = client.head(stored["film"], params={"download": ""})
    assert saved.headers["content-disposition"] == f'attachment; filename="{name}"'
    assert client.get(stored["cover"]).content.startswith(b"\xff\xd8\xff")
    assert "content-disposition" not in heads["playlist"]
    assert "content-disposition" not in heads["segment"]


def test_a_picture_is_its_own_cover(service: Service, origin: Origin) -> None:
    picture = media.webp()
    origin.put("/cover", picture)
    user = service.user()
    task = user.create(origin.url("/cover"), "IMAGE")
    user.wait(task["id"])

    links = _links(user, task["id"])

    for url in (links["playbackUrl"], links["video"]["playbackUrl"], links["video"]["coverUrl"]):
        answer = httpx.get(url)
        assert (answer.content, answer.headers["content-type"]) == (picture, "image/webp")


def test_a_link_opens_nothing_else(service: Service, origin: Origin) -> None:
    user = service.user()
    url = _hls(origin, user, media.hls_vod(2, 1.0))["playbackUrl"]
    folder = url.rpartition("/")[0]
    other = _hls(origin, service.user(), media.hls_vod(2, 1.0))["playbackUrl"]

    refused = [
        url[:-40] + "x" + url[-39:],
        url.replace("/media/", "/media/x"),
        folder.rpartition("/")[0] + "/",
        "/".join([*url.split("/")[:5], *other.split("/")[5:]]),
    ]
    names = ("playlist.m3u8", "ts_mapping.json", "digests.xxh128", "ts/none.ts", "ts", "ts/a%01.m3u8", "ts/%C3%A9.ts")
    hidden = [f"{folder}/{name}" for name in names]

    assert {httpx.get(one).status_code for one in refused} <= {403, 404}
    assert [httpx.get(one).status_code for one in hidden] == [404] * len(hidden)


def test_a_deleted_video_is_gone_and_a_link_dies(service: Service, origin: Origin) -> None:
    user = service.user()
    task = _hls(origin, user, media.hls_vod(2, 1.0))
    expired = re.sub(r"/media/[A-Za-z0-9_-]{4}", "/media/AAAA", task["playbackUrl"])
    assert httpx.get(expired).status_code == 403
    assert httpx.get(task["playbackUrl"]).status_code == 200

    ids = user.execute("{ tasks { nodes { id } } }")["tasks"]["nodes"]
    delete = "mutation($id: ID!) { deleteTask(id: $id, includeCompleted: true) { deletedTaskId } }"
    user.execute(delete, id=ids[0]["id"])

    def gone() -> bool:
        return httpx.get(task["playbackUrl"]).status_code == 404

    wait_until(gone, "the files to go", timeout=5)


def test_nothing_plays_before_the_first_piece(service: Service, origin: Origin) -> None:
    user = service.user()
    stream = media.many_segments(3)
    origin.put_all(stream.files, under="/s/")
    task = user.create(origin.url("/s/" + stream.media), autoStart=False)

    assert _links(user, task["id"]) == {"status": "PENDING", "playbackUrl": None, "video": None}


@pytest.mark.parametrize(("fmp4", "extension"), [(False, "ts"), (True, "mp4")])
def test_a_stream_is_saved_as_one_file(service: Service, origin: Origin, *, fmp4: bool, extension: str) -> None:
    stream, user = media.hls_vod(4, 1.0, fmp4=fmp4, encryption="explicit"), service.user()
    origin.put_all(stream.files, under="/s/")
    lost = next(name for name in stream.files if "2" in name and name.endswith((".ts", ".m4s")))
    origin.fail(f"/s/{lost}", origin_faults.status(404))
    task = user.wait(user.create(origin.url(f"/s/{stream.media}"))["id"])
    url = f"{_links(user, task['id'])['playbackUrl']}?download"

    saved = httpx.get(url)

    name = f"video_{task['videoId']}_"
    assert saved.headers["content-disposition"].startswith(f'attachment; filename="{name}')
    assert saved.headers["content-disposition"].endswith(f'.{extension}"')
    assert saved.headers["content-type"] == {"ts": "video/mp2t", "mp4": "video/mp4"}[extension]
    stored = [piece for index, piece in enumerate(stream.segments) if index != 2]
    assert saved.content == b"".join([stream.init or b"", *stored])
    assert httpx.get(url.replace("/media/", "/media/x")).status_code == 403
    assert httpx.head(url).status_code == 200


def test_a_stream_with_renditions_is_no_single_file(service: Service, origin: Origin) -> None:
    stream, user = with_renditions(), service.user()
    origin.put_all(stream.files)
    task = user.wait(user.create(origin.url(f"/{stream.master}"))["id"])
    url = _links(user, task["id"])["playbackUrl"]
    assert httpx.get(f"{url}?download").content == httpx.get(url).content
