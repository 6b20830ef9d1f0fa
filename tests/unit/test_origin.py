"""The tests' own tools: the origin misbehaves as told and only then, and the media is real."""

import re
import socket
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import av
import httpx
import pytest

from tests import media
from tests import origin_faults as faults
from tests.origin import Listener, Origin

BODY = bytes(range(256)) * 400
PATH = "/x/a.ts"
ETAG = '"1b63d6c4"'
DATE = datetime(2030, 1, 2, tzinfo=UTC)


@pytest.fixture
def origin() -> Iterator[Origin]:
    with Origin() as serving:
        serving.put(PATH, BODY, etag=ETAG)
        yield serving


@pytest.fixture
def client(origin: Origin) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=origin.url("/"), trust_env=False, timeout=5.0) as opened:
        yield opened


def test_serves_and_remembers(origin: Origin, client: httpx.Client) -> None:
    got = client.get(PATH + "?token=secret")
    assert (got.status_code, got.content, got.headers["etag"]) == (200, BODY, ETAG)
    assert got.headers["content-type"] == "video/mp2t"
    assert client.head(PATH).headers["content-length"] == str(len(BODY))
    assert client.get("/absent", headers={"range": "bytes=0-"}).status_code == 404
    assert client.post(PATH, content=b"no").status_code == 405
    assert client.get("/absent").status_code == 404
    log = origin.log
    assert [(hit.path, hit.query, hit.method, hit.range, hit.status, hit.bytes_sent) for hit in log] == [
        (PATH, "token=secret", "GET", None, 200, len(BODY)),
        (PATH, "", "HEAD", None, 200, 0),
        ("/absent", "", "GET", "bytes=0-", 404, 0),
        (PATH, "", "POST", None, 405, 0),
        ("/absent", "", "GET", None, 404, 0),
    ]
    assert all(hit.ended is not None and hit.ended >= hit.started for hit in log)
    assert (origin.connections, origin.max_concurrent, origin.hits(PATH)) == (2, 1, 3)


@pytest.mark.parametrize(
    ("asked", "if_range", "status", "body", "content_range"),
    [
        ("bytes=0-9", None, 206, BODY[:10], "bytes 0-9/102400"),
        ("bytes=102390-", ETAG, 206, BODY[-10:], "bytes 102390-102399/102400"),
        ("bytes=-10", "Mon, 01 Jan 2024 00:00:00 GMT", 206, BODY[-10:], "bytes 102390-102399/102400"),
        ("bytes=102399-999999", None, 206, BODY[-1:], "bytes 102399-102399/102400"),
        ("bytes=0-9", '"other"', 200, BODY, None),
        ("bytes=0-9", f"W/{ETAG}", 200, BODY, None),
        ("bytes=9-0", None, 200, BODY, None),
        ("bytes=102400-", None, 416, b"", "bytes */102400"),
    ],
)
def test_ranges(
    client: httpx.Client,
    *,
    asked: str,
    if_range: str | None,
    status: int,
    body: bytes,
    content_range: str | None,
) -> None:
    headers = {"range": asked} | ({"if-range": if_range} if if_range else {})
    got = client.get(PATH, headers=headers)
    assert (got.status_code, got.content, got.headers.get("content-range")) == (status, body, content_range)


@pytest.mark.parametrize(
    ("fault", "status", "header", "value"),
    [
        (faults.status(404), 404, "content-length", "0"),
        (faults.status(401, {"WWW-Authenticate": "Basic"}, b"no"), 401, "www-authenticate", "Basic"),
        (faults.retry_after(3), 429, "retry-after", "3"),
        (faults.retry_after(DATE, 503), 503, "retry-after", "Wed, 02 Jan 2030 00:00:00 GMT"),
        (faults.redirect("/b"), 302, "location", "/b"),
        (faults.redirect_loop(), 302, "location", f"{PATH}?hop=1"),
        (faults.html(), 200, "content-type", "text/html; charset=utf-8"),
        (faults.empty(), 200, "content-length", "0"),
        (faults.expiry("new"), 403, "content-length", "0"),
        (faults.range_ignored(), 200, "content-length", "102400"),
        (faults.wrong_range(), 206, "content-range", "bytes 6-10/102400"),
        (faults.changed_etag(b"0123456789"), 206, "etag", '"changed"'),
    ],
    ids=repr,
)
def test_wrong_answers(
    origin: Origin, client: httpx.Client, *, fault: faults.Fault, status: int, header: str, value: str
) -> None:
    origin.fail(PATH, fault, times=1)
    got = client.get(PATH, headers={"range": "bytes=5-9"})
    assert (got.status_code, got.headers[header]) == (status, value)
    assert client.get(PATH).content == BODY


@pytest.mark.parametrize(
    ("fault", "error", "arrived"),
    [
        (faults.reset(), httpx.ReadError, 0),
        (faults.reset(after=1_000), httpx.ReadError, 1_000),
        (faults.truncated(1_000), httpx.RemoteProtocolError, 1_000),
        (faults.truncated(999_999), httpx.RemoteProtocolError, len(BODY) - 1),
        (faults.chunked_truncated(1_000), httpx.RemoteProtocolError, 1_000),
        (faults.stall(), httpx.ReadTimeout, 0),
        (faults.stall(after=1_000), httpx.ReadTimeout, 1_000),
    ],
    ids=repr,
)
def test_broken_answers(
    origin: Origin, client: httpx.Client, fault: faults.Fault, error: type[Exception], arrived: int
) -> None:
    origin.fail(PATH, fault, times=1)
    received = bytearray()
    with pytest.raises(error):
        read_into(received, client)
    assert received == BODY[:arrived]
    origin.wait_for_hits(lambda hit: hit.ended is not None)
    assert origin.log[0].bytes_sent == arrived
    assert client.get(PATH).content == BODY


def read_into(received: bytearray, client: httpx.Client) -> None:
    with client.stream("GET", PATH, timeout=0.3) as answer:
        for piece in answer.iter_raw():
            received += piece


def test_faults_take_turns_and_heal(origin: Origin, client: httpx.Client) -> None:
    origin.fail(PATH, faults.status(500), times=2, skip=1)
    origin.fail(PATH, faults.status(404))
    assert [client.get(PATH).status_code for _ in range(5)] == [200, 500, 500, 404, 404]
    origin.heal("/other")
    assert client.get(PATH).status_code == 404
    origin.heal(PATH)
    assert client.get(PATH).status_code == 200
    assert repr(faults.truncated(after=9)) == "truncated(after=9)"
    origin.fail(PATH, faults.expiry("new"))
    assert client.get(PATH + "?token=new").status_code == 200


def test_bombs_are_small_or_endless(origin: Origin, client: httpx.Client) -> None:
    origin.fail(PATH, faults.gzip_bomb(8 * 1024 * 1024), times=1)
    got = client.get(PATH, headers={"accept-encoding": "identity"})
    assert got.content == bytes(8 * 1024 * 1024)
    assert int(got.headers["content-length"]) < 16 * 1024
    origin.fail(PATH, faults.endless(), times=1)
    with client.stream("GET", PATH) as answer:
        pieces = answer.iter_raw(10 * len(BODY))
        assert next(pieces) == BODY * 10
    origin.wait_for_hits(lambda hit: hit.ended is not None, n=2)


def test_pace(origin: Origin, client: httpx.Client) -> None:
    origin.fail(PATH, faults.drip(1_000_000), times=1)
    origin.fail(PATH, faults.latency(0.05), times=1)
    for least in (len(BODY) / 1_000_000 - 0.05, 0.05):
        began = time.monotonic()
        assert client.get(PATH).content == BODY
        assert time.monotonic() - began >= least
    with Origin(rate=1_000_000, latency=0.05) as slow:
        slow.put(PATH, BODY, chunked=True)
        began = time.monotonic()
        assert httpx.get(slow.url(PATH), trust_env=False).content == BODY
        assert time.monotonic() - began >= len(BODY) / 1_000_000


@pytest.mark.parametrize("after", [None, 0, 1_000])
def test_held_answers_go_on_when_released(origin: Origin, after: int | None) -> None:
    gate = origin.hold(PATH, after=after)
    with ThreadPoolExecutor(80) as pool, httpx.Client(limits=httpx.Limits(), trust_env=False) as client:
        answers = [pool.submit(client.get, origin.url(PATH), timeout=20) for _ in range(80)]
        origin.wait_for_hits(PATH, n=80)
        gate.wait_until_held(80)
        with pytest.raises(TimeoutError, match="80 of 81"):
            gate.wait_until_held(81, timeout=0.01)
        assert not any(answer.done() for answer in answers)
        assert [hit.ended for hit in origin.log] == [None] * 80
        gate.release()
        assert {answer.result().content for answer in answers} == {BODY}
        origin.fail(PATH, faults.status(404))
        assert client.get(origin.url(PATH)).status_code == 404
    assert (origin.max_concurrent, origin.connections) == (80, 80)


def test_a_client_that_leaves_ends_its_hit(origin: Origin, client: httpx.Client) -> None:
    gate = origin.hold(PATH, after=10)
    with client.stream("GET", PATH) as answer:
        gate.wait_until_held()
        assert next(answer.iter_raw(10)) == BODY[:10]
    origin.wait_for_hits(lambda hit: hit.ended is not None)
    assert origin.log[0].bytes_sent == 10
    with pytest.raises(TimeoutError, match="1 of 2"):
        origin.wait_for_hits(PATH, n=2, timeout=0.01)


def test_listener_counts_every_connection() -> None:
    with Listener() as listener:
        assert listener.accepted == 0
        for _ in range(2):
            socket.create_connection(("127.0.0.1", listener.port)).close()
        assert listener.accepted == 2


@pytest.mark.parametrize("fmp4", [False, True])
@pytest.mark.parametrize("encryption", ["none", "sequence", "explicit", "rotation"])
@pytest.mark.parametrize("byte_ranges", ["none", "explicit", "implied"])
def test_hls_is_what_a_player_reads(fmp4: bool, encryption: media.Encryption, byte_ranges: media.ByteRanges) -> None:
    stream = media.hls_vod(4, 0.5, fmp4=fmp4, encryption=encryption, byte_ranges=byte_ranges, media_sequence=7)
    assert played(stream.files, stream.media) == (2.0, (160, 90), list(range(20)))
    assert (stream.master, stream.duration, stream.size) == (None, 2.0, (160, 90))
    assert (stream.init is not None, len(set(stream.segments))) == (fmp4, 4)
    assert b"".join(stream.plain.values()) == b"".join([stream.init or b"", *stream.segments])
    keys = [name for name in stream.files if name.endswith(".key")]
    assert len(keys) == {"none": 0, "sequence": 1, "explicit": 1, "rotation": 2}[encryption]
    clear = [name for name, body in stream.plain.items() if stream.files[name] == body]
    init_alone = fmp4 and byte_ranges == "none" and encryption in ("sequence", "rotation")
    assert clear == (list(stream.plain) if encryption == "none" else ["90p/init.mp4"] if init_alone else [])


def test_variants() -> None:
    stream = media.hls_vod(2, variants=3)
    assert stream.master is not None
    lines = stream.files[stream.master].decode().splitlines()
    assert [line for line in lines if line[0] != "#"] == [
        "180p/index.m3u8",
        "360p/index.m3u8",
        "90p/index.m3u8",
    ]
    middling, best, least = (int(found) for found in re.findall(r"BANDWIDTH=(\d+)", "\n".join(lines)))
    assert least < middling < best
    assert (stream.media, stream.size, stream.duration) == ("360p/index.m3u8", (640, 360), 2.0)
    assert played(stream.files, stream.media) == (2.0, (640, 360), list(range(20)))


def test_many_segments() -> None:
    stream = media.many_segments(1000)
    assert (len(set(stream.segments)), stream.duration) == (1000, 500.0)
    assert max(map(len, stream.segments)) < 10_000
    assert all(set(body[::188]) == {0x47} and len(body) % 188 == 0 for body in stream.segments)
    few = media.many_segments(10)
    assert played(few.files, few.media) == (5.0, (160, 90), [*range(20), *range(20), *range(10)])


def test_mp4() -> None:
    whole, padded = media.mp4(), media.mp4(min_bytes=1_000_000)
    assert whole.index(b"moov") < whole.index(b"mdat")
    assert (padded[: len(whole)], len(padded)) == (whole, 1_000_000)
    assert played({"a.mp4": padded}, "a.mp4") == (2.0, (320, 180), list(range(20)))


@pytest.mark.parametrize("make", [media.png, media.jpeg, media.webp, media.gif])
def test_images(make: Callable[[int, int], bytes]) -> None:
    assert played({"a": make(33, 17)}, "a")[1:] == ((33, 17), [0])


def played(files: Mapping[str, bytes], name: str) -> tuple[float, tuple[int, int], list[int]]:
    """Return what libav makes of `name`: its duration (s; 0: none), its size, its frames' times (0.1 s).

    Over HTTP, because in local files libav overlooks the offsets of encrypted byte ranges.
    """
    with Origin() as origin:
        origin.put_all(files)
        with av.open(origin.url(f"/{name}"), options={"allowed_extensions": "ALL"}) as container:
            frames = [frame for frame in container.decode(video=0) if not frame.is_corrupt]
            seconds = round((container.duration or 0) / av.time_base, 1)
            times = [round((frame.time or 0) * 10) for frame in frames]
            return seconds, (frames[0].width, frames[0].height), times
