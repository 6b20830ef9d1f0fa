"""Origins that send something else: every loss a row that says why, and never a task that claims to be complete."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import pytest

from tests import media
from tests.e2e.service import Service, User
from tests.origin import Origin
from tests.origin_faults import (
    Fault,
    chunked_truncated,
    empty,
    gzip_bomb,
    html,
    redirect,
    redirect_loop,
    reset,
    retry_after,
    stall,
    status,
    truncated,
)

NETWORK, TIMEOUT, CONTENT, PERMISSION = "NETWORK_ERROR", "TIMEOUT", "INVALID_CONTENT", "PERMISSION_ERROR"
TRUNCATED = "truncated: the body ended early"
PAGE = "HTML: the server sent a page instead of media"
UNKNOWN = "signature: this is no media of a known kind"
NO_PLAYLIST = "not a playlist: its first line is not #EXTM3U"

PLACES = {"playlist": "M3U8", "film": "MP4", "picture": "IMAGE", "segments": "TS", "key": "TS", "map": "TS"}
NEEDED = {
    "key": " (the key key_0.key that this segment needs)",
    "map": " (the initialization section init.mp4 that this segment needs)",
}
ANSWERS: dict[str, tuple[Fault, str, str]] = {
    "a page": (html(), CONTENT, PAGE),
    "a program": (status(200, body=b"<svg onload='alert(1)'/>"), CONTENT, PAGE),
    "JSON": (
        status(200, body=b'{"error": "gone"}'),
        CONTENT,
        "JSON: the server sent a message instead of media",
    ),
    "nothing": (empty(), CONTENT, "empty: the answer had no bytes"),
    "noise": (status(200, body=b"not today" * 9), CONTENT, UNKNOWN),
    "less than promised": (truncated(100), CONTENT, TRUNCATED),
    "no last chunk": (chunked_truncated(100), CONTENT, TRUNCATED),
    "gzip": (
        gzip_bomb(1000),
        CONTENT,
        "encoded: the origin compresses what it was asked to send as it is",
    ),
    "a part not asked for": (status(206), CONTENT, "wrong range: not the bytes that were asked for"),
    "204": (status(204), CONTENT, "HTTP 204"),
    "302 to nowhere": (status(302), NETWORK, "HTTP 302"),
    "401": (status(401), PERMISSION, "HTTP 401"),
    "403": (status(403), PERMISSION, "HTTP 403"),
    "404": (status(404), NETWORK, "HTTP 404"),
    "410": (status(410), NETWORK, "HTTP 410"),
    "500": (status(500), NETWORK, "HTTP 500"),
    "a redirect without end": (redirect_loop(), NETWORK, "too many redirects"),
    "a reset": (reset(), NETWORK, "connection reset"),
    "a reset on the way": (reset(100), NETWORK, "connection reset"),
    "silence": (stall(), TIMEOUT, "timeout: no byte for 2 s"),
    "silence on the way": (stall(100), TIMEOUT, "timeout: no byte for 2 s"),
}
OTHER_WORDS = {
    ("playlist", "nothing"): "empty: the playlist has no content",
    ("playlist", "noise"): NO_PLAYLIST,
    ("film", "noise"): "signature: this is no MP4 file",
    ("picture", "noise"): "signature: this is no image of a known kind",
    ("key", "nothing"): "key: it has 0 bytes instead of 16",
    ("key", "noise"): "key: it has 81 bytes instead of 16",
}

HEAD = "#EXTM3U\n#EXT-X-TARGETDURATION:1\n"
SEGMENT = "#EXTINF:1,\nsegment.ts\n"
PLAYLISTS = {
    "#EXTM3U\n": "empty playlist: it has no segments",
    f"{HEAD}#EXT-X-ENDLIST\n": "empty playlist: it has no segments",
    "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\n": "empty playlist: it has no variants",
    "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\nindex.m3u8\n": (
        "master playlist: it lists a master playlist where a media playlist must be"
    ),
    "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\n/master.m3u8\n": (
        "master playlist: it lists a master playlist where a media playlist must be"
    ),
    f"#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\nv.m3u8\n{SEGMENT}": (
        "syntax: the playlist lists both variants and segments"
    ),
    f'{HEAD}#EXT-X-KEY:METHOD=ROT-13,URI="k"\n{SEGMENT}#EXT-X-ENDLIST\n': "unknown key method: ROT-13",
    f'{HEAD}#EXT-X-KEY:URI="k"\n{SEGMENT}#EXT-X-ENDLIST\n': "unknown key method: the playlist names none",
    f'{HEAD}#EXT-X-KEY:METHOD=SAMPLE-AES,URI="k"\n{SEGMENT}#EXT-X-ENDLIST\n': (
        "SAMPLE-AES: a stream whose samples are encrypted one by one cannot be stored"
    ),
    f'{HEAD}#EXT-X-KEY:METHOD=SAMPLE-AES,URI="k",KEYFORMAT="com.widevine"\n{SEGMENT}#EXT-X-ENDLIST\n': (
        "DRM: the stream is protected by Widevine and cannot be stored"
    ),
    f"{HEAD}#EXT-X-KEY:METHOD=AES-128\n{SEGMENT}#EXT-X-ENDLIST\n": "key: the playlist has a key without a URI",
    f"{HEAD}{SEGMENT * 101}#EXT-X-ENDLIST\n": "over a limit: the playlist has 101 segments, more than 100",
    f"{HEAD}#EXTINF:soon,\nsegment.ts\n#EXT-X-ENDLIST\n": "syntax: the playlist cannot be read from line 3 on",
    "<html>": PAGE,
    "hello": NO_PLAYLIST,
}


SPOILT_FILES = {
    "a cut film": ("MP4", media.mp4()[:-1], "truncated: the file ends inside a box"),
    "a film without its index": ("MP4", media.mp4()[:32], "box: the file has no mdat, moov"),
    "a picture for a film": ("MP4", media.png(), "signature: this is no MP4 file"),
    "a cut picture": ("IMAGE", media.png()[:-1], "truncated: the image has no end"),
    "a film for a picture": ("IMAGE", media.mp4(), "signature: this is no image of a known kind"),
}
SPOILT_SEGMENTS: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "cut": (lambda body: body[:-1], "truncated: the transport stream ends inside a packet"),
    "out of step": (
        lambda body: body[:376] + b"G" + body[376:],
        "sync: a packet of the transport stream does not begin with 0x47",
    ),
    "pictures": (lambda _: media.png(), "image: a picture came instead of media"),
    "sealed with another key": (lambda body: sealed(body, b"another 16 bytes"), UNKNOWN),
    "sealed and cut": (lambda body: body[:-16], "padding: the piece is cut, or this is not its key"),
    "not sealed": (lambda _: b"G" * 17, "padding: the encrypted length is no multiple of 16 bytes"),
}


@dataclass(frozen=True)
class Loss:
    """A failure as its user sees it."""

    url: str = field(repr=False)
    kind: str
    cause: str
    message: str


@dataclass(frozen=True)
class Case:
    """A task that must fail, and how."""

    url: str = field(repr=False)
    kind: str
    losses: frozenset[Loss]

    @property
    def last_error(self) -> str:
        (message,) = {loss.message for loss in self.losses}
        count = len(self.losses)
        return f"{count} of {count} pieces are missing: {message}" if count > 1 else message


