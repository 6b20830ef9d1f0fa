"""What origins send in place of media, and what is told about it: the cases of test_bad_origins.py."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from tests import media
from tests.origin import Origin
from tests.origin_faults import (
    Fault,
    chunked_truncated,
    empty,
    gzip_bomb,
    html,
    redirect_loop,
    reset,
    retry_after,
    stall,
    status,
    truncated,
)

NETWORK, TIMEOUT, CONTENT, PERMISSION = "NETWORK_ERROR", "TIMEOUT", "INVALID_CONTENT", "PERMISSION_ERROR"
PAGE = "HTML: the server sent a page instead of media"
UNKNOWN = "signature: this is no media of a known kind"
TRUNCATED = "truncated: the body ended early"
ENCODED = "encoded: the origin compresses what it was asked to send as it is"

Name = tuple[str, ...]


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


def _of_a_file(origin: Origin, path: str, kind: str, cause: str, message: str) -> Case:
    return Case(origin.url(path), kind, frozenset({Loss(origin.url(path), kind, cause, message)}))


def _of_a_playlist(origin: Origin, path: str, at_fault: str, cause: str, message: str) -> Case:
    return Case(origin.url(path), "HLS", frozenset({Loss(origin.url(at_fault), "M3U8", cause, message)}))


def _of_segments(origin: Origin, under: str, stream: media.HlsStream, cause: str, message: str) -> Case:
    lost = (Loss(origin.url(under + name), "TS", cause, message) for name in stream.files if "segment_" in name)
    return Case(origin.url(under + stream.media), "HLS", frozenset(lost))


# --- an answer that is none, at every place -----------------------------------------------------------------

ANSWERS: dict[str, tuple[Fault, str, str]] = {
    "silence": (stall(), TIMEOUT, "timeout: no byte for 2 s"),
    "silence on the way": (stall(100), TIMEOUT, "timeout: no byte for 2 s"),
    "a page": (html(), CONTENT, PAGE),
    "a drawing": (status(200, body=b"<svg onload='alert(1)'/>"), CONTENT, PAGE),
    "JSON": (status(200, body=b'{"error": 404}'), CONTENT, "JSON: the server sent a message instead of media"),
    "nothing": (empty(), CONTENT, "empty: the answer had no bytes"),
    "noise": (status(200, body=b"not today" * 9), CONTENT, UNKNOWN),
    "less than promised": (truncated(100), CONTENT, TRUNCATED),
    "no last chunk": (chunked_truncated(100), CONTENT, TRUNCATED),
    "gzip": (gzip_bomb(1000), CONTENT, ENCODED),
    "a part not asked for": (status(206), CONTENT, "wrong range: not the bytes that were asked for"),
    "204": (status(204), CONTENT, "HTTP 204"),
    "302 to nowhere": (status(302), NETWORK, "HTTP 302"),
    "401": (status(401), PERMISSION, "expired: HTTP 401"),
    "403": (status(403), PERMISSION, "expired: HTTP 403"),
    "404": (status(404), NETWORK, "HTTP 404"),
    "410": (status(410), NETWORK, "expired: HTTP 410"),
    "500": (status(500), NETWORK, "HTTP 500"),
    "redirects without end": (redirect_loop(), NETWORK, "too many redirects"),
    "a reset": (reset(), NETWORK, "connection reset"),
    "a reset on the way": (reset(100), NETWORK, "connection reset"),
}
PLACES = {"playlist": "M3U8", "film": "MP4", "picture": "IMAGE", "segments": "TS", "key": "TS", "map": "TS"}
_ENDINGS = {"playlist": ".m3u8", "segments": ".ts", "key": ".key", "map": "init.mp4"}
_NEEDED = {
    "key": " (the key key_0.key that this segment needs)",
    "map": " (the initialization section init.mp4 that this segment needs)",
}
_OTHER_WORDS = {
    ("playlist", "nothing"): "empty: the playlist has no content",
    ("playlist", "noise"): "not a playlist: its first line is not #EXTM3U",
    ("film", "noise"): "signature: this is no MP4 file",
    ("picture", "noise"): "signature: this is no image of a known kind",
    ("key", "nothing"): "key: it has 0 bytes instead of 16",
    ("key", "noise"): "key: it has 81 bytes instead of 16",
}


def path_of(place: str, answer: str) -> str:
    """The folder of the case."""
    return f"/{place}/{list(ANSWERS).index(answer)}/"


def _meets(origin: Origin, place: str, answer: str) -> Case:
    """A task that meets ``answer`` at one ``place``, all else in order."""
    fault, cause, message = ANSWERS[answer]
    message = _OTHER_WORDS.get((place, answer), message) + _NEEDED.get(place, "")
    under = path_of(place, answer)
    if place in ("film", "picture"):
        origin.put(under + place, media.mp4() if place == "film" else media.png())
        origin.fail(under + place, fault)
        return _of_a_file(origin, under + place, PLACES[place], cause, message)
    stream = media.hls_vod(3, fmp4=place == "map", encryption="explicit" if place == "key" else "none")
    origin.put_all(stream.files, under=under)
    for name in stream.files:
        if name.endswith(_ENDINGS[place]):
            origin.fail(under + name, fault)
    if place == "playlist":
        return _of_a_playlist(origin, under + stream.media, under + stream.media, cause, message)
    return _of_segments(origin, under, stream, cause, message)


# --- what arrives as promised, and is not what it should be ---------------------------------------------------

_MASTER = "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\n"
_HEAD, _END = "#EXTM3U\n#EXT-X-TARGETDURATION:1\n", "#EXT-X-ENDLIST\n"
_SEGMENT = "#EXTINF:1,\nsegment.ts\n"
ANOTHER_MASTER = "/master.m3u8"
NESTED = "master playlist: it lists a master playlist where a media playlist must be"

PLAYLISTS: dict[str, tuple[str, str]] = {
    "no line": ("#EXTM3U\n", "empty playlist: it has no segments"),
    "no segment": (_HEAD + _END, "empty playlist: it has no segments"),
    "no variant": (_MASTER, "empty playlist: it has no variants"),
    "itself": (f"{_MASTER}index.m3u8\n", NESTED),
    "a master playlist": (f"{_MASTER}{ANOTHER_MASTER}\n", NESTED),
    "variants and segments": (
        f"{_MASTER}v.m3u8\n{_SEGMENT}",
        "syntax: the playlist lists both variants and segments",
    ),
    "an unknown method": (f'{_HEAD}#EXT-X-KEY:METHOD=ROT-13,URI="k"\n{_SEGMENT}{_END}', "unknown key method: ROT-13"),
    "no method": (f'{_HEAD}#EXT-X-KEY:URI="k"\n{_SEGMENT}{_END}', "unknown key method: the playlist names none"),
    "SAMPLE-AES": (
        f'{_HEAD}#EXT-X-KEY:METHOD=SAMPLE-AES,URI="k"\n{_SEGMENT}{_END}',
        "SAMPLE-AES: a stream whose samples are encrypted one by one cannot be stored",
    ),
    "DRM": (
        f'{_HEAD}#EXT-X-KEY:METHOD=SAMPLE-AES,URI="k",KEYFORMAT="com.widevine"\n{_SEGMENT}{_END}',
        "DRM: the stream is protected by Widevine and cannot be stored",
    ),
    "no key": (f"{_HEAD}#EXT-X-KEY:METHOD=AES-128\n{_SEGMENT}{_END}", "key: the playlist has a key without a URI"),
    "too many segments": (
        f"{_HEAD}{_SEGMENT * 101}{_END}",
        "over a limit: the playlist has 101 segments, more than 100",
    ),
    "no duration": (
        f"{_HEAD}#EXTINF:soon,\nsegment.ts\n{_END}",
        "syntax: the playlist cannot be read from line 3 on",
    ),
}


def _reads(origin: Origin, name: str) -> Case:
    """A task with this playlist."""
    text, message = PLAYLISTS[name]
    path = f"/playlists/{name.replace(' ', '-')}/index.m3u8"
    origin.put(path, text.encode())
    at_fault = ANOTHER_MASTER if ANOTHER_MASTER in text else path  # the second of the two that are read
    return _of_a_playlist(origin, path, at_fault, CONTENT, message)


FILES: dict[str, tuple[str, Callable[[], bytes], str]] = {
    "a cut film": ("MP4", lambda: media.mp4()[:-1], "truncated: the file ends inside a box"),
    "a film without an index": ("MP4", lambda: media.mp4()[:32], "box: the file has no mdat, moov"),
    "a picture for a film": ("MP4", media.png, "signature: this is no MP4 file"),
    "a cut picture": ("IMAGE", lambda: media.png()[:-1], "truncated: the image has no end"),
    "a film for a picture": ("IMAGE", media.mp4, "signature: this is no image of a known kind"),
}


def _gets_a_file(origin: Origin, name: str) -> Case:
    kind, body, message = FILES[name]
    path = f"/files/{name.replace(' ', '-')}"
    origin.put(path, body())
    return _of_a_file(origin, path, kind, CONTENT, message)


# The encryption of the stream, the ending of the names that are spoilt, how, and what is said about it.
STREAMS: dict[str, tuple[media.Encryption, str, Callable[[bytes], bytes], str]] = {
    "cut": ("none", ".ts", lambda body: body[:-1], "truncated: the transport stream ends inside a packet"),
    "out of step": (
        "none",
        ".ts",
        lambda body: body[:376] + b"\0" + body[376:],
        "sync: a packet of the transport stream does not begin with 0x47",
    ),
    "pictures": ("none", ".ts", lambda _: media.png(), "image: a picture came instead of media"),
    "another key": ("explicit", ".key", lambda _: b"another 16 bytes", UNKNOWN),
    "sealed and cut": (
        "explicit",
        ".ts",
        lambda body: body[:-16],
        "padding: the piece is cut, or this is not its key",
    ),
    "not sealed": (
        "explicit",
        ".ts",
        lambda _: bytes(17),
        "padding: the encrypted length is no multiple of 16 bytes",
    ),
}


def _gets_a_stream(origin: Origin, name: str) -> Case:
    encryption, at_fault, spoil, message = STREAMS[name]
    stream = media.hls_vod(3, encryption=encryption)
    under = f"/streams/{name.replace(' ', '-')}/"
    for path, body in stream.files.items():
        origin.put(under + path, spoil(body) if path.endswith(at_fault) else body)
    return _of_segments(origin, under, stream, CONTENT, message)


# --- origins that want to be left alone, and one that is not there ------------------------------------------------

RESTS = {"HTTP 429": retry_after(3600), "HTTP 503": retry_after(3600, code=503)}
REFUSED = {"HLS": "M3U8", "MP4": "MP4", "IMAGE": "IMAGE"}


def _asks_for_an_hour(origin: Origin, message: str) -> Case:
    """On an origin of its own, since all tasks leave it alone then."""
    origin.put("/busy.png", media.png())
    origin.fail("/busy.png", RESTS[message])
    return _of_a_file(origin, "/busy.png", "IMAGE", NETWORK, message)


def _is_refused(port: int, kind: str) -> Case:
    url = f"http://127.0.0.1:{port}/a"
    return Case(url, kind, frozenset({Loss(url, REFUSED[kind], NETWORK, "connection refused")}))


def all_cases(origins: Mapping[str, Origin], closed_port: int) -> Iterator[tuple[Name, Case]]:
    """Every case by its name; ``origins`` are "main" and one for each of ``RESTS``. The slowest come first."""
    origin = origins["main"]
    origin.put(ANOTHER_MASTER, f"{_MASTER}index.m3u8\n".encode())
    for name in RESTS:
        yield (name,), _asks_for_an_hour(origins[name], name)
    for answer in ANSWERS:
        for place in PLACES:
            yield (place, answer), _meets(origin, place, answer)
    for kind in REFUSED:
        yield (kind,), _is_refused(closed_port, kind)
    for table, serve in ((PLAYLISTS, _reads), (FILES, _gets_a_file), (STREAMS, _gets_a_stream)):
        for name in table:
            yield (name,), serve(origin, name)
