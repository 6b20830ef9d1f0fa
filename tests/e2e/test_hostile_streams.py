"""Streams that are odd, broken or meant to do harm: what can be stored is, and the rest is told by its cause."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

from tests import media
from tests.e2e.service import Service
from tests.origin import Origin

STREAM = media.hls_vod(4, 0.5)
TS = STREAM.segments
SEALED = media.hls_vod(4, 0.5, encryption="explicit")
HEAD, END = b"#EXTM3U\n#EXT-X-TARGETDURATION:1\n", b"#EXT-X-ENDLIST\n"
NAMES = ("a.ts", "b.ts", "c.ts", "d.ts")
LINES = b"".join(b"#EXTINF:0.5,\n%s\n" % name.encode() for name in NAMES)
SEGMENTS = dict(zip(NAMES, TS, strict=True))
BLOCKED = "blocked: not a public http or https address"


@dataclass(frozen=True)
class Case:
    """A playlist, what lies beside it, and what becomes of its segments: bytes, or why they are lost."""

    playlist: bytes = field(repr=False)
    ends: tuple[bytes | str, ...] = field(repr=False)
    files: Mapping[str, bytes] = field(default_factory=lambda: SEGMENTS, repr=False)


def sealed_by(key: bytes, told: str) -> Case:
    """A stream whose key is ``key``."""
    files = {name.rpartition("/")[2]: body for name, body in SEALED.files.items()}
    return Case(
        files["index.m3u8"], (f"{told} (the key key_0.key that this segment needs)",) * 4, files | {"key_0.key": key}
    )


def ranges(*spans: str) -> bytes:
    return HEAD + b"".join(b"#EXTINF:0.5,\n#EXT-X-BYTERANGE:%s\nall.ts\n" % span.encode() for span in spans) + END


ALL = {"all.ts": b"".join(TS)}
FIRST, SECOND = len(TS[0]), len(TS[1])

CASES: dict[str, Case] = {
    "a byte order mark": Case(b"\xef\xbb\xbf" + HEAD + LINES + END, TS),
    "CRLF": Case((HEAD + LINES + END).replace(b"\n", b"\r\n"), TS),
    "CR": Case((HEAD + LINES + END).replace(b"\n", b"\r"), TS),
    "blank lines and blanks": Case(b"#EXTM3U  \n\n" + (HEAD[8:] + LINES + END).replace(b"\n", b" \n\n"), TS),
    "no UTF-8": Case(HEAD + b"#EXTINF:0.5,\xff\xfe\n\xff.ts\n" + LINES + END, ("HTTP 404", *TS)),
    "null bytes": Case(HEAD + b"#EXTINF:0.5,\na\0.ts\n" + LINES + END, (BLOCKED, *TS)),
    "line ends that are none": Case(HEAD + "#EXTINF:0.5,x\u2028#EXT-X-ENDLIST\na.ts\n".encode() + END, TS[:1]),
    "tags in titles": Case(HEAD + b'#EXTINF:0.5,#EXT-X-KEY:METHOD=AES-128,URI="k"\na.ts\n' + END, TS[:1]),
    "small letters and unknown tags": Case(HEAD + b"#extinf:9,\n#EXT-X-NEW:A=1\n" + LINES + b"#EXT-X-OLD\n" + END, TS),
    "a name of 20,000 characters": Case(HEAD + b"#EXTINF:0.5,\n" + b"a" * 20_000 + b"\n" + LINES + END, (BLOCKED, *TS)),
    "a duration of a million": Case(HEAD + LINES + b"#EXTINF:1000000,\na.ts\n" + END, (*TS, TS[0])),
    "the greatest number": Case(HEAD + b"#EXT-X-MEDIA-SEQUENCE:18446744073709551615\n" + LINES + END, TS),
    "the same segment ten times": Case(HEAD + b"#EXTINF:0.5,\na.ts\n" * 10 + END, (TS[0],) * 10),
    "a segment of no bytes": Case(
        HEAD + LINES + END, (TS[0], "empty: the answer had no bytes", *TS[2:]), SEGMENTS | {"b.ts": b""}
    ),
    "overlapping ranges": Case(
        ranges(f"{FIRST}@0", f"{FIRST + SECOND}@0", f"{SECOND}@{FIRST}"), (TS[0], TS[0] + TS[1], TS[1]), ALL
    ),
    "a range beyond the end": Case(ranges(f"{FIRST}@0", f"{SECOND}@99999999"), (TS[0], "HTTP 416"), ALL),
    "a range over the end": Case(
        ranges(f"{FIRST}@0", f"99999999@{FIRST}"), (TS[0], "wrong range: not the bytes that were asked for"), ALL
    ),
    "a range without end": Case(
        ranges(f"{FIRST}@0", f"{10**18 - 1}@{FIRST}"), (TS[0], "wrong range: not the bytes that were asked for"), ALL
    ),
    "a key of 15 bytes": sealed_by(b"k" * 15, "key: it has 15 bytes instead of 16"),
    "a key of 17 bytes": sealed_by(b"k" * 17, "key: it has 17 bytes instead of 16"),
    "a key of a gigabyte": sealed_by(b"k" * 2_000_000, "too large: over 1024 bytes"),
    "pictures before the media": Case(
        HEAD + LINES + END, TS, {name: media.png() + body for name, body in SEGMENTS.items()}
    ),
    "a picture, then half a packet": Case(
        HEAD + LINES + END,
        (TS[0], "truncated: the transport stream ends inside a packet", *TS[2:]),
        SEGMENTS | {"b.ts": media.jpeg() + TS[1][:-94]},
    ),
}

# Playlists of which nothing is stored.
REFUSED: dict[str, tuple[bytes, str]] = {
    "UTF-16": ((HEAD + LINES + END).decode().encode("utf-16"), "not a playlist: its first line is not #EXTM3U"),
    "an endless duration": (HEAD + b"#EXTINF:inf,\na.ts\n" + END, "syntax: segment 0 has no possible duration"),
    "a negative duration": (HEAD + b"#EXTINF:-1,\na.ts\n" + END, "syntax: segment 0 has no possible duration"),
    "a number too great": (
        HEAD + b"#EXT-X-MEDIA-SEQUENCE:18446744073709551616\n" + LINES + END,
        "syntax: the playlist cannot be read from line 3 on",
    ),
    "a negative range": (
        ranges("-5@-5"),
        "byte range: a byte range is malformed, or has no offset and nothing to follow",
    ),
    "a range of no bytes": (
        ranges("0@5"),
        "byte range: a byte range is malformed, or has no offset and nothing to follow",
    ),
    "eight mebibytes and one": (HEAD + LINES + b"#" * 8 * 2**20 + b"\n" + END, "too large: over 8388608 bytes"),
    "a laughing variable": (
        HEAD
        + b'#EXT-X-DEFINE:NAME="a",VALUE="%s"\n' % (b"a" * 4_000)
        + b"#EXTINF:0.5,\n%s\n" % (b"{$a}" * 1_000) * 20
        + END,
        "over a limit: the variables of the playlist grow too long",
    ),
}


@dataclass(frozen=True)
class World:
    """A service, its origin, and what has become of every case."""

    service: Service
    origin: Origin
    tasks: Mapping[str, Any]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """All are fetched side by side."""
    with Origin() as origin:
        settings = {"EGRESS_ALLOW": origin.host_port, "AUTO_RETRY": "false", "MAX_CONCURRENT_TASKS_PER_USER": "50"}
        with Service(tmp_path_factory.mktemp("service"), **settings) as service:
            user = service.user()
            begun = {name: user.create(url)["id"] for name, url in _serve(origin)}
            yield World(service, origin, {name: user.wait(task_id) for name, task_id in begun.items()})


def _serve(origin: Origin) -> Iterator[tuple[str, str]]:
    for number, (name, case) in enumerate(CASES.items()):
        origin.put_all({**case.files, "index.m3u8": case.playlist}, under=f"/{number}/")
        yield name, origin.url(f"/{number}/index.m3u8")
    for number, (name, (text, _)) in enumerate(REFUSED.items()):
        origin.put(f"/refused/{number}.m3u8", text)
        yield name, origin.url(f"/refused/{number}.m3u8")


@pytest.mark.parametrize("name", CASES)
def test_streams(world: World, name: str) -> None:
    """Each segment is stored as it should be, or lost by its cause."""
    ends, task = CASES[name].ends, world.tasks[name]
    files = world.service.files(f"video_{task['videoId']}/hls")
    stored = {int(path.split("segment_")[1][:6]): body for path, body in files.items() if "/ts/segment_" in path}
    lost = {failure["segmentIndex"]: failure["errorMessage"] for failure in task["failures"]["nodes"]}
    assert stored == {index: end for index, end in enumerate(ends) if isinstance(end, bytes)}
    assert lost == {index: end for index, end in enumerate(ends) if isinstance(end, str)}
    share = len(lost) / len(ends)
    assert task["status"] == ("COMPLETED" if not lost else "PARTIAL_COMPLETED" if share <= 0.3 else "FAILED")


@pytest.mark.parametrize("name", REFUSED)
def test_playlists(world: World, name: str) -> None:
    """One failure, and nothing stored."""
    task = world.tasks[name]
    told = [(failure["resourceType"], failure["errorMessage"]) for failure in task["failures"]["nodes"]]
    assert told == [("M3U8", REFUSED[name][1])]
    assert (task["status"], task["video"]) == ("FAILED", None)
    assert world.service.files(f"video_{task['videoId']}") == {}


def test_the_service_is_well(world: World) -> None:
    assert world.service.temporary_files() == []
    assert '"log.level":"error"' not in world.service.log.read_text()
