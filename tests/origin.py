"""An HTTP/1.1 origin that serves what it is given, fails on demand, and remembers what was asked of it."""

import asyncio
import mimetypes
import re
import socket
import threading
import time
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from itertools import chain, repeat, takewhile
from typing import Self, TypedDict, Unpack

from tests.origin_faults import Exchange, Fault, Pace, Reply, Request

CONTENT_TYPES = mimetypes.MimeTypes()
CONTENT_TYPES.add_type("video/mp2t", ".ts")
CONTENT_TYPES.add_type("video/iso.segment", ".m4s")


@dataclass(frozen=True)
class Resource:
    """Bytes under a path, served as RFC 9110 says."""

    body: bytes
    content_type: str
    etag: str | None = None
    last_modified: str | None = "Mon, 01 Jan 2024 00:00:00 GMT"
    ranges: bool = True
    chunked: bool = False
    headers: Mapping[str, str] = field(default_factory=dict)
    status: int = 200

    def reply(self, request: Request) -> Reply:
        asked = self.asked(request)
        if asked is None:
            return Reply(self.status, self._fields(), self.body)
        if not asked:
            return Reply(416, {"Content-Range": f"bytes */{len(self.body)}"})
        return self.part(asked)

    def part(self, asked: range) -> Reply:
        shown = f"bytes {asked.start}-{asked.stop - 1}/{len(self.body)}"
        body = memoryview(self.body)[asked.start : asked.stop]
        return Reply(206, {**self._fields(), "Content-Range": shown}, body)

    def asked(self, request: Request) -> range | None:
        """The bytes that Range asks for: None when it is to be ignored, empty when they do not exist."""
        found = re.fullmatch(r"bytes=(\d*)-(\d*)", request.headers.get("range", ""))
        if not found or not self.ranges or not self._unchanged(request.headers.get("if-range")):
            return None
        (first, last), size = found.groups(), len(self.body)
        if not first:
            return range(max(0, size - int(last)), size) if last else None
        if last and int(last) < int(first):
            return None
        return range(int(first), min(int(last) + 1, size) if last else size)

    def _unchanged(self, validator: str | None) -> bool:
        # RFC 9110, 13.1.5: a weak entity tag never matches.
        strong = validator is not None and not validator.startswith("W/")
        return validator is None or (strong and validator in (self.etag, self.last_modified))

    def _fields(self) -> dict[str, str]:
        known = {"Content-Type": self.content_type, "ETag": self.etag, "Last-Modified": self.last_modified}
        known["Accept-Ranges"] = "bytes" if self.ranges else None
        return {name: value for name, value in known.items() if value is not None} | dict(self.headers)


ABSENT = Resource(b"", "text/plain", last_modified=None, ranges=False, status=404)


class Behaviour(TypedDict, total=False):
    """The fields of a Resource that a test may choose."""

    etag: str | None
    last_modified: str | None
    ranges: bool
    chunked: bool
    headers: Mapping[str, str]


@dataclass(frozen=True)
class Hit:
    """One request; bytes are of the body, times of `time.monotonic()`, and `ended` is None while it runs."""

    path: str
    query: str = field(repr=False)
    method: str
    headers: Mapping[str, str] = field(repr=False)
    started: float
    status: int | None = None
    bytes_sent: int = 0
    ended: float | None = None

    @property
    def range(self) -> str | None:
        return self.headers.get("range")


class Gate:
    """Holds the answers of one path back until `release`."""

    def __init__(self, loop: asyncio.AbstractEventLoop, after: int | None) -> None:
        self._loop, self._after = loop, after
        self._open, self.released = asyncio.Event(), False
        self._held, self._changed = 0, threading.Condition()

    def wait_until_held(self, n: int = 1, timeout: float = 10.0) -> None:
        """Return when `n` answers have come to the gate, their bytes before it sent; else TimeoutError."""
        with self._changed:
            if not self._changed.wait_for(lambda: self._held >= n, timeout):
                raise TimeoutError(f"{self._held} of {n} answers are held")

    def release(self) -> None:
        """Let those go that wait, and hold no more."""
        self.released = True
        self._loop.call_soon_threadsafe(self._open.set)

    async def answer(self, exchange: Exchange) -> None:
        reply = exchange.reply()
        if self._after is not None:
            await exchange.head(reply)
            await exchange.body(reply.body[: self._after])
        with self._changed:
            self._held += 1
            self._changed.notify_all()
        await exchange.until(self._open.wait())
        if self._after is None:
            await exchange.head(reply)
        await exchange.body(reply.body[self._after or 0 :])
        await exchange.end()


class Origin:
    """Serves on 127.0.0.1, from a thread of its own, until the `with` block ends.

    Paths are compared as sent (percent-encoded), without their query. `latency` is in seconds, an answer;
    `rate` in bytes a second, a connection. Methods are for any thread, and for the requests to come.
    `max_concurrent` is the most answers that clients waited for at once: who has left does not count any more, also
    while the pace holds back the write that would show it.
    """

    def __init__(self, *, rate: float | None = None, latency: float = 0.0) -> None:
        self._rate, self._latency = rate, latency
        self._resources: dict[str, Resource] = {}
        self._plans: dict[str, Iterator[Fault | None]] = {}
        self._hits: list[Hit] = []
        self._running: list[Exchange] = []
        self.max_concurrent = self.connections = self.port = 0
        self._changed, self._ready = threading.Condition(), threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._main()), name="origin")

    def __enter__(self) -> Self:
        self._thread.start()
        self._ready.wait()
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()

    @property
    def host_port(self) -> str:
        return f"127.0.0.1:{self.port}"

    def url(self, path: str) -> str:
        return f"http://{self.host_port}{path}"

    def put(self, path: str, body: bytes, content_type: str | None = None, **how: Unpack[Behaviour]) -> None:
        """Serve `body` under `path`; its entity tag is a digest of it unless one is given."""
        how.setdefault("etag", f'"{zlib.crc32(body):08x}"')
        content_type = content_type or CONTENT_TYPES.guess_type(path, strict=False)[0]
        self._resources[path] = Resource(body, content_type or "application/octet-stream", **how)

    def put_all(self, files: Mapping[str, bytes], under: str = "/") -> None:
        """Serve every file under the path `under` + its name."""
        for name, body in files.items():
            self.put(under + name, body)

    def fail(self, path: str, fault: Fault, times: int | None = None, skip: int = 0) -> None:
        """Answer requests for `path` with `fault`: `times` of them (None: all), after `skip` good answers.

        Faults of one path take their turns: the next begins when the one before has run out.
        """
        self._queue(path, repeat(None, skip), repeat(fault) if times is None else repeat(fault, times))

    def heal(self, path: str | None = None) -> None:
        """Forget the faults of a path, or of all; answers that have begun go on as they were."""
        with self._changed:
            self._plans = {known: plan for known, plan in self._plans.items() if path not in (None, known)}

    def hold(self, path: str, after: int | None = None) -> Gate:
        """Hold answers for `path` back after `after` body bytes (None: before the head) until release."""
        gate = Gate(self._loop, after)
        self._queue(path, takewhile(lambda _: not gate.released, repeat(Fault(gate.answer, "hold"))))
        return gate

    @property
    def log(self) -> list[Hit]:
        """The requests so far in order of arrival; what a client has seen the end of has `ended`."""
        if self._thread.is_alive():
            # The turn of the loop that sent the last bytes also ends the hit: wait for that turn to be over.
            asyncio.run_coroutine_threadsafe(asyncio.sleep(0), self._loop).result()
        return list(self._hits)

    def hits(self, wanted: str | Callable[[Hit], bool]) -> int:
        """How many requests for a path, or with a property, have arrived."""
        return sum(wanted(hit) if callable(wanted) else hit.path == wanted for hit in list(self._hits))

    def wait_for_hits(self, wanted: str | Callable[[Hit], bool], n: int = 1, timeout: float = 10.0) -> None:
        """Return when `n` requests for a path, or with a property, are in the log; else TimeoutError."""
        with self._changed:
            if not self._changed.wait_for(lambda: self.hits(wanted) >= n, timeout):
                raise TimeoutError(f"{self.hits(wanted)} of {n} requests came: {wanted}")

    def _queue(self, path: str, *turns: Iterable[Fault | None]) -> None:
        with self._changed:
            self._plans[path] = chain(self._plans.get(path, ()), *turns)

    async def _main(self) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        server = await asyncio.start_server(self._connection, "127.0.0.1", 0, backlog=1024)
        self.port = server.sockets[0].getsockname()[1]
        self._ready.set()
        await self._stop.wait()
        server.close()

    async def _connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # Without a buffer of our own, what is written has reached the network.
        writer.transport.set_write_buffer_limits(high=0)
        self.connections += 1
        pace = Pace(self._rate)
        try:
            while await self._serve(reader, writer, pace):
                pass
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass  # the client left, or the origin ends
        finally:
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, pace: Pace) -> bool:
        """Answer a request; return whether the connection can take another: not after a body, never read."""
        request = Request.parse(await reader.readuntil(b"\r\n\r\n"))
        resource = self._resources.get(request.path, ABSENT)
        exchange = Exchange(request, resource, reader, writer, pace, resource.chunked)
        with self._recorded(exchange) as fault:
            if self._latency:
                await exchange.until(asyncio.sleep(self._latency))
            await (fault.answer(exchange) if fault else exchange.send(exchange.reply()))
        reusable = exchange.reusable and "content-length" not in request.headers
        return reusable and request.headers.get("connection") != "close"

    @contextmanager
    def _recorded(self, exchange: Exchange) -> Iterator[Fault | None]:
        asked = exchange.request
        hit = Hit(asked.path, asked.query, asked.method, asked.headers, started=time.monotonic())
        with self._changed:
            index = len(self._hits)
            self._hits.append(hit)
            self._running.append(exchange)
            self.max_concurrent = max(self.max_concurrent, sum(running.wanted for running in self._running))
            fault = next(self._plans.get(asked.path, iter(())), None)
            self._changed.notify_all()
        try:
            yield fault
        finally:
            done = replace(hit, status=exchange.status, bytes_sent=exchange.sent, ended=time.monotonic())
            with self._changed:
                self._hits[index] = done
                self._running.remove(exchange)
                self._changed.notify_all()


class Listener:
    """A TCP port of `host` that nobody may dial, and that knows whether somebody did.

    The kernel completes connections and queues them, unanswered, until they are counted: none is missed.
    """

    def __init__(self, host: str = "127.0.0.1") -> None:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._socket = socket.create_server((host, 0), family=family, backlog=1024)
        self._socket.setblocking(False)
        self.port, self._accepted = int(self._socket.getsockname()[1]), 0
        self.host_port = f"[{host}]:{self.port}" if ":" in host else f"{host}:{self.port}"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    @property
    def accepted(self) -> int:
        """How many connections were ever made to this port."""
        with suppress(BlockingIOError):
            while True:
                self._socket.accept()[0].close()
                self._accepted += 1
        return self._accepted
