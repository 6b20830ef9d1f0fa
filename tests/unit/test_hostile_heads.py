"""Answers that no honest server sends: each ends in time, and as a failure with a name or as what it plainly says."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from random import Random

import pytest

from domain.errors import TransferError
from downloader.client import Client
from tests.fetching import get, local, raw

OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"
TWO = b"Content-Length: 2\r\n\r\nhi"
NOT_HTTP = "not HTTP: the answer cannot be read"
ENCODED = "encoded: the origin compresses what it was asked to send as it is"
TOO_LARGE = "too large: the head of the answer has no end"
BLOCKED = "blocked: not a public http or https address"

ANSWERS: dict[str, tuple[bytes, bytes | str]] = {
    "a header that looks like a status line": (OK + b"HTTP/1.1 abc: x\r\n" + TWO, b"hi"),
    "another one": (b"HTTP/1.1 404 x\r\nHTTP/1.1 200: x\r\n" + TWO, "HTTP 404"),
    "a trailer like one": (CHUNKED + b"2\r\nhi\r\n0\r\nContent-Length: 9\r\nHTTP/1.1 500: x\r\n\r\n", b"hi"),
    "no number": (b"HTTP/1.1 20x OK\r\n" + TWO, NOT_HTTP),
    "a short number": (b"HTTP/1.1 2\r\n" + TWO, NOT_HTTP),
    "an unknown number": (b"HTTP/1.1 999 x\r\n" + TWO, "HTTP 999"),
    "nothing but a version": (b"HTTP/1.1\r\n\r\nhi", NOT_HTTP),
    "HTTP/0.9": (b"<html>hi", NOT_HTTP),
    "small letters": (b"http/1.1 200 ok\r\n" + TWO, b"hi"),
    "null bytes": (b"\0" * 100, NOT_HTTP),
    "a null byte in a header": (OK + b"X: a\0b\r\n" + TWO, NOT_HTTP),
    "a line without a colon": (OK + b"hello\r\n" + TWO, NOT_HTTP),
    "bytes beyond ASCII": (OK + b"X: \xff\xfe\r\n" + TWO, b"hi"),
    "line feeds alone": (b"HTTP/1.1 200 OK\nContent-Length: 2\n\nhi", b"hi"),
    "mixed case": (OK + b"cOnTeNt-LeNgTh: 2\r\n\r\nhi", b"hi"),
    "two lengths": (OK + b"Content-Length: 9\r\n" + TWO, NOT_HTTP),
    "a negative length": (OK + b"Content-Length: -1\r\n\r\nhi", NOT_HTTP),
    "a length with a sign": (OK + b"Content-Length: +2\r\n\r\nhi", NOT_HTTP),
    "a length of 2^63 - 1": (OK + b"Content-Length: 9223372036854775807\r\n\r\nhi", "truncated: the body ended early"),
    "chunks and a length": (OK + b"Content-Length: 9\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n", b"hi"),
    "extensions of chunks": (CHUNKED + b'2;a=b;c="d"\r\nhi\r\n0;e\r\n\r\n', b"hi"),
    "a negative chunk": (CHUNKED + b"-2\r\nhi\r\n0\r\n\r\n", "connection reset"),
    "a chunk beyond 64 bits": (CHUNKED + b"fffffffffffffffff\r\nhi\r\n0\r\n\r\n", "connection reset"),
    "a compressed transfer": (OK + b"Transfer-Encoding: gzip, chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n", ENCODED),
    "more than was promised": (OK + TWO + OK + b"Content-Length: 4\r\n\r\nevil", b"hi"),
    "ten thousand interim answers": (b"HTTP/1.1 102 x\r\n\r\n" * 10_000 + OK + TWO, b"hi"),
    "an interim answer alone": (b"HTTP/1.1 100 x\r\n\r\n", "connection reset: closed without an answer"),
    "another protocol": (b"HTTP/1.1 101 x\r\nUpgrade: h2c\r\n\r\nhi", "not HTTP: the answer has no head"),
    "a header of a megabyte": (OK + b"X: " + b"a" * 1_000_000 + b"\r\n" + TWO, TOO_LARGE),
    "twenty thousand headers": (OK + b"X: aaaaaaaaaaaaaa\r\n" * 20_000 + TWO, TOO_LARGE),
    "a rest until the year 99999999": (
        b"HTTP/1.1 410 x\r\nRetry-After: Mon, 01 Jan 99999999999 00:00:00 GMT\r\n" + TWO,
        "HTTP 410",
    ),
    "a redirect to nowhere": (b"HTTP/1.1 302 x\r\nLocation: http://[::1\r\n" + TWO, BLOCKED),
    "a redirect beyond all lengths": (b"HTTP/1.1 302 x\r\nLocation: /" + b"a" * 50_000 + b"\r\n" + TWO, BLOCKED),
    "a redirect to itself": (b"HTTP/1.1 302 x\r\nLocation: \r\n" + TWO, "too many redirects"),
    "what browsers would follow": (OK + b'Refresh: 0; url=/\r\nAlt-Svc: h3=":1"; ma=9\r\n' + TWO, b"hi"),
}


@pytest.mark.parametrize("name", ANSWERS)
def test_answers(name: str) -> None:
    answer, expected = ANSWERS[name]
    assert raw(answer) == expected


async def told_by(head: bytes, again: bytes, pause: float, patience: float) -> str:
    """Fetch from a server that says ``head``, and then ``again`` and again; how that fails."""
    ended = asyncio.Event()

    async def say(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(head)
        with suppress(ConnectionError):
            while not reader.at_eof():
                writer.write(again)
                await writer.drain()
                await asyncio.sleep(pause)
        writer.transport.abort()
        ended.set()

    async with await asyncio.start_server(say, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        client = Client(local(port), timeout=patience)
        try:
            with pytest.raises(TransferError) as caught:
                await get(client, f"http://127.0.0.1:{port}/")
            return caught.value.message
        finally:
            await client.aclose()
            await ended.wait()


FLOODS: dict[str, tuple[bytes, bytes, str]] = {
    "interim answers": (b"", b"HTTP/1.1 102 x\r\n\r\n" * 100, "connection reset"),
    "headers": (OK, b"X: y\r\n" * 100, TOO_LARGE),
    "one header": (OK + b"X: ", b"y" * 1_000, TOO_LARGE),
    "a status line": (b"HTTP/1.1 200 ", b"y" * 1_000, TOO_LARGE),
    "trailers": (CHUNKED + b"2\r\nhi\r\n0\r\n", b"X: y\r\n" * 100, TOO_LARGE),
    "an error page": (b"HTTP/1.1 404 x\r\n\r\n", b"y" * 1_000, "HTTP 404"),
}


@pytest.mark.parametrize("name", FLOODS)
async def test_floods(name: str) -> None:
    head, again, message = FLOODS[name]
    assert await told_by(head, again, 0, patience=10) == message


SILENCE = "timeout: no byte for 0.3 s"
DRIPS: dict[str, tuple[bytes, bytes, str]] = {
    "interim answers": (b"", b"HTTP/1.1 102 x\r\n\r\n", SILENCE),
    "headers": (OK, b"X: y\r\n", SILENCE),
    "one header": (OK + b"X: ", b"y", SILENCE),
    "trailers": (CHUNKED + b"2\r\nhi\r\n0\r\n", b"X: y\r\n", SILENCE),
    "the extension of a chunk": (CHUNKED + b"2;", b"y", SILENCE),
    "an error page": (b"HTTP/1.1 404 x\r\n\r\n", b"y", "HTTP 404"),
}


@pytest.mark.parametrize("name", DRIPS)
async def test_what_is_no_media_must_come_in_time(name: str) -> None:
    """Line by line it would hold a connection for hours, without ever being silent."""
    head, again, message = DRIPS[name]
    began = time.monotonic()
    assert await told_by(head, again, 0.05, patience=0.3) == message
    assert time.monotonic() - began < 3


def test_heads_with_random_faults() -> None:
    """Whatever it is, it is a body or a TransferError, and nothing else."""
    rng = Random(4)  # noqa: S311 - to be repeated
    pieces = [OK, b"HTTP/1.1 302 x\r\n", b"HTTP/1.1 503 x\r\n", b"HTTP/1.1 206 x\r\n", b"HTTP/1.1 103 x\r\n\r\n"]
    pieces += [b"Location: /\r\n", b"Retry-After: Mon, 01 Jan 2024 00:00:00 +99\r\n", b"Content-Range: bytes 0-1/2\r\n"]
    pieces += [
        b"Content-Length: 2\r\n",
        b"Transfer-Encoding: chunked\r\n",
        b"Last-Modified: x\r\n",
        b"\r\n",
        b"2\r\nhi\r\n",
    ]
    for _ in range(300):
        answer = bytearray(b"".join(rng.choices(pieces, k=rng.randint(1, 8))))
        for _ in range(rng.randint(0, 4)):
            answer[rng.randrange(len(answer))] = rng.randrange(256)
        assert isinstance(raw(bytes(answer)), bytes | str), answer
