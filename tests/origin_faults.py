"""One HTTP/1.1 exchange of the test origin, and the ways in which it can go wrong (`Fault`)."""

import asyncio
import socket
import struct
import time
import zlib
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from email.utils import format_datetime
from functools import cache
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, Self
from urllib.parse import parse_qs

if TYPE_CHECKING:
    from tests.origin import Resource

CHUNK = 64 * 1024


@dataclass(frozen=True)
class Request:
    """A request line, its path and query as they were sent, and its header fields, names in lower case."""

    method: str
    path: str
    query: str
    headers: Mapping[str, str]

    @classmethod
    def parse(cls, head: bytes) -> Self:
        first, *lines = head.decode("latin-1").rstrip("\r\n").split("\r\n")
        method, target, _ = first.split(" ")
        path, _, query = target.partition("?")
        fields = (line.partition(":") for line in lines)
        return cls(method, path, query, {name.lower(): value.strip() for name, _, value in fields})


@dataclass(frozen=True)
class Reply:
    """A status, header fields and body; its framing is the exchange's."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | memoryview = b""


class Pace:
    """A token bucket: `rate` bytes a second, with a burst of a twentieth of a second."""

    def __init__(self, rate: float | None) -> None:
        self._rate, self._due = rate, 0.0
        self.step = CHUNK if rate is None else max(1, min(CHUNK, int(rate / 20)))

    def delay(self, size: int) -> float:
        """Take `size` bytes; the seconds to wait before sending them."""
        if self._rate is None:
            return 0.0
        now = time.monotonic()
        self._due = max(self._due, now - self.step / self._rate) + size / self._rate
        return max(0.0, self._due - now)


@dataclass(eq=False)
class Exchange:
    """One request, and the `status` and body bytes `sent` for it; ConnectionError when the client leaves.

    The connection takes another request only if it is still `reusable` afterwards.
    """

    request: Request
    resource: "Resource"
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    pace: Pace
    chunked: bool
    reusable: bool = True
    status: int | None = None
    sent: int = 0

    @property
    def wanted(self) -> bool:
        """Whether the client is still there."""
        return not self.reader.at_eof() and self.reader.exception() is None

    def reply(self) -> Reply:
        """The right answer."""
        good = self.request.method in ("GET", "HEAD")
        return self.resource.reply(self.request) if good else Reply(405, {"Connection": "close"})

    async def send(self, reply: Reply) -> None:
        await self.head(reply)
        await self.body(reply.body)
        await self.end()

    async def send_first(self, size: int | None) -> None:
        """Send the right answer up to `size` body bytes, at most all but one; None: not even its head."""
        self.reusable = False
        if size is not None:
            reply = self.reply()
            await self.head(reply)
            await self.body(reply.body[: min(size, max(0, len(reply.body) - 1))])

    async def head(self, reply: Reply) -> None:
        self.status = reply.status
        framing = "Transfer-Encoding: chunked" if self.chunked else f"Content-Length: {len(reply.body)}"
        fields = [f"{name}: {value}" for name, value in reply.headers.items()]
        await self._write("\r\n".join([f"HTTP/1.1 {reply.status} ", framing, *fields, "", ""]).encode())

    async def body(self, data: bytes | memoryview) -> None:
        """Send a part of the body; nothing for HEAD."""
        rest = memoryview(data)[: 0 if self.request.method == "HEAD" else len(data)]
        while rest:
            piece, rest = rest[: self.pace.step], rest[self.pace.step :]
            delay = self.pace.delay(len(piece))
            # Other connections get a turn before the write, so that the last write and the end share one.
            await (self.until(asyncio.sleep(delay)) if delay else asyncio.sleep(0))
            await self._write(b"%x\r\n%b\r\n" % (len(piece), bytes(piece)) if self.chunked else piece)
            self.sent += len(piece)

    async def end(self) -> None:
        if self.chunked and self.request.method != "HEAD":
            await self._write(b"0\r\n\r\n")

    async def until(self, done: Coroutine[Any, Any, object]) -> None:
        """Wait for `done`, or for the client to leave: none of ours pipelines, so a read means its end."""
        waiting, leaving = asyncio.ensure_future(done), asyncio.ensure_future(self.reader.read(1))
        try:
            await asyncio.wait({waiting, leaving}, return_when=asyncio.FIRST_COMPLETED)
            if not waiting.done():
                raise ConnectionError("the client left")
        finally:
            waiting.cancel()
            leaving.cancel()
            await asyncio.gather(waiting, leaving, return_exceptions=True)

    def reset(self) -> None:
        """Close with RST, as a socket does that may not linger."""
        linger = struct.pack("ii", 1, 0)
        self.writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self.writer.transport.abort()

    async def _write(self, data: bytes | memoryview) -> None:
        self.writer.write(data)
        await self.writer.drain()


P = ParamSpec("P")


class Fault:
    """A way to answer an exchange; its repr is how a test writes it."""

    def __init__(self, answer: Callable[[Exchange], Awaitable[None]], written: str) -> None:
        self.answer, self._written = answer, written

    def __repr__(self) -> str:
        return self._written


def fault(answer: Callable[Concatenate[Exchange, P], Awaitable[None]]) -> Callable[P, Fault]:
    """Turn `answer(exchange, ...)` into a function of the rest of its parameters that makes a Fault."""

    def make(*args: P.args, **kwargs: P.kwargs) -> Fault:
        shown = [*map(repr, args), *(f"{name}={value!r}" for name, value in kwargs.items())]
        return Fault(lambda exchange: answer(exchange, *args, **kwargs), f"{answer.__name__}({', '.join(shown)})")

    make.__doc__ = answer.__doc__
    return make


@fault
async def status(exchange: Exchange, code: int, headers: Mapping[str, str] = {}, body: bytes = b"") -> None:
    """Another answer than the right one."""
    await exchange.send(Reply(code, headers, body))


@fault
async def retry_after(exchange: Exchange, wait: int | datetime, code: int = 429) -> None:
    """Too many requests (or 503): come back after so many seconds, or at a date in UTC."""
    value = str(wait) if isinstance(wait, int) else format_datetime(wait, usegmt=True)
    await exchange.send(Reply(code, {"Retry-After": value}))


@fault
async def html(exchange: Exchange, body: bytes = b"<!DOCTYPE html><title>Sign in</title>") -> None:
    """An HTML page with status 200."""
    await exchange.send(Reply(200, {"Content-Type": "text/html; charset=utf-8"}, body))


@fault
async def empty(exchange: Exchange) -> None:
    """Status 200 and no body."""
    await exchange.send(Reply(200, {"Content-Type": exchange.resource.content_type}))


@fault
async def redirect(exchange: Exchange, to: str, code: int = 302) -> None:
    """Another place; `to` may be relative."""
    await exchange.send(Reply(code, {"Location": to}))


@fault
async def redirect_loop(exchange: Exchange, code: int = 302) -> None:
    """A redirect to the same path with a query never seen before, for ever."""
    hop = int(parse_qs(exchange.request.query).get("hop", ["0"])[0]) + 1
    await exchange.send(Reply(code, {"Location": f"{exchange.request.path}?hop={hop}"}))


@fault
async def latency(exchange: Exchange, seconds: float) -> None:
    """The right answer, late."""
    await exchange.until(asyncio.sleep(seconds))
    await exchange.send(exchange.reply())


@fault
async def drip(exchange: Exchange, rate: float) -> None:
    """The right answer at `rate` bytes a second."""
    exchange.pace = Pace(rate)
    await exchange.send(exchange.reply())


@fault
async def reset(exchange: Exchange, after: int | None = None) -> None:
    """RST after `after` body bytes (at most all but one); None: before the head."""
    await exchange.send_first(after)
    exchange.reset()


@fault
async def truncated(exchange: Exchange, after: int) -> None:
    """The connection closed after `after` body bytes (at most all but one); Content-Length promised more."""
    exchange.chunked = False
    await exchange.send_first(after)


@fault
async def chunked_truncated(exchange: Exchange, after: int) -> None:
    """The connection closed after `after` body bytes (at most all but one), without the last chunk."""
    exchange.chunked = True
    await exchange.send_first(after)


@fault
async def stall(exchange: Exchange, after: int | None = None) -> None:
    """Silence after `after` body bytes (at most all but one); None: not even a head."""
    await exchange.send_first(after)
    await exchange.until(asyncio.Event().wait())


@fault
async def expiry(exchange: Exchange, token: str, code: int = 403) -> None:
    """`code`, unless the query has `token=<token>`."""
    good = parse_qs(exchange.request.query).get("token") == [token]
    await exchange.send(exchange.reply() if good else Reply(code))


@fault
async def range_ignored(exchange: Exchange) -> None:
    """200 and the whole body whatever Range asks for, though Accept-Ranges promises otherwise."""
    await exchange.send(exchange.resource.reply(replace(exchange.request, headers={})))


@fault
async def wrong_range(exchange: Exchange, shift: int = 1) -> None:
    """A 206, truthfully labelled, of bytes `shift` further on than those asked for."""
    asked, size = exchange.resource.asked(exchange.request), len(exchange.resource.body)
    reply = exchange.reply()
    if asked:
        start = (asked.start + shift) % size
        reply = exchange.resource.part(range(start, min(start + len(asked), size)))
    await exchange.send(reply)


@fault
async def changed_etag(exchange: Exchange, body: bytes | None = None, etag: str = '"changed"') -> None:
    """Another version of the resource."""
    body = exchange.resource.body if body is None else body
    exchange.resource = replace(exchange.resource, etag=etag, body=body)
    await exchange.send(exchange.reply())


@fault
async def gzip_bomb(exchange: Exchange, inflated: int = 64 * 1024 * 1024) -> None:
    """A small body that inflates to `inflated` zero bytes, sent also to who asked for identity."""
    headers = {"Content-Type": exchange.resource.content_type, "Content-Encoding": "gzip"}
    await exchange.send(Reply(200, headers, _gzipped_zeros(inflated)))


@cache
def _gzipped_zeros(size: int) -> bytes:
    deflate = zlib.compressobj(9, wbits=31)
    pieces = [deflate.compress(bytes(min(CHUNK, size - at))) for at in range(0, size, CHUNK)]
    return b"".join(pieces) + deflate.flush()


@fault
async def endless(exchange: Exchange) -> None:
    """The body (zeros when it is empty) over and over again, in chunks, until the client leaves."""
    exchange.chunked = True
    await exchange.head(Reply(200, {"Content-Type": exchange.resource.content_type}))
    body = exchange.resource.body or bytes(CHUNK)
    many = body * -(-CHUNK // len(body))
    while exchange.request.method != "HEAD":
        await exchange.body(many)
