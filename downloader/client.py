"""libcurl on an asyncio loop: transfers side by side over kept connections, each dialled address checked."""

from __future__ import annotations

import asyncio
import errno
import math
import os
import socket
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial

import certifi
import pycurl

from domain.addresses import Address
from domain.errors import TransferError
from domain.values import FailureType
from downloader.exchange import Exchange
from downloader.guard import Guard, Target, blocked
from downloader.lanes import Lane
from downloader.request import Request, header_lines, redirected
from downloader.response import HTTPStatusError, Response

MAX_REDIRECTS = 5

# The sink gets at most 16 KiB a call, whatever is read from the socket; fewer reads cost less.
_BUFFER_BYTES = 262_144
# libcurl repeats a request by itself when a kept connection died under it. Were the pin forgotten by then,
# it would ask the resolver itself.
_PIN_SECONDS = 86_400
_MAX_LANES = 1_000

_E_HTTP2_STREAM = 92  # pycurl does not name it
_UNTRUSTED = (FailureType.NETWORK_ERROR, "TLS: the certificate is not trusted", False)
_NOT_HTTP = (FailureType.INVALID_CONTENT, "not HTTP: the answer cannot be read", False)
_CAUSES: dict[int, tuple[FailureType, str, bool]] = {
    pycurl.E_PARTIAL_FILE: (FailureType.INVALID_CONTENT, "truncated: the body ended early", True),
    pycurl.E_GOT_NOTHING: (FailureType.NETWORK_ERROR, "connection reset: closed without an answer", True),
    pycurl.E_SEND_ERROR: (FailureType.NETWORK_ERROR, "connection reset", True),
    pycurl.E_RECV_ERROR: (FailureType.NETWORK_ERROR, "connection reset", True),
    pycurl.E_HTTP2: (FailureType.NETWORK_ERROR, "connection reset: HTTP/2 framing", True),
    _E_HTTP2_STREAM: (FailureType.NETWORK_ERROR, "connection reset: HTTP/2 stream", True),
    pycurl.E_SSL_CONNECT_ERROR: (FailureType.NETWORK_ERROR, "TLS: no handshake", True),
    pycurl.E_PEER_FAILED_VERIFICATION: _UNTRUSTED,
    pycurl.E_FTP_WEIRD_SERVER_REPLY: _NOT_HTTP,  # the code has outgrown its first name
    pycurl.E_UNSUPPORTED_PROTOCOL: _NOT_HTTP,
    pycurl.E_URL_MALFORMAT: (FailureType.INVALID_CONTENT, "URL: it cannot be read", False),
}


class Client:
    """Fetches over HTTP and HTTPS. Used from one event loop; closed with ``aclose``.

    ``timeout`` (seconds) bounds the connection attempt and then each pause of the transfer, never the whole.
    Connections are kept and shared by all requests; cookies and credentials are not kept at all.
    """

    def __init__(
        self,
        guard: Guard,
        *,
        max_connections: int = 256,
        max_connections_per_host: int = 32,
        timeout: float = 30,
    ) -> None:
        self._guard = guard
        self._timeout = timeout
        # The wheel's libcurl knows no authorities. SSL_CERT_FILE and OpenSSL's file may hold private ones.
        self._authorities = os.fsencode(ssl.get_default_verify_paths().cafile or certifi.where())
        self._idle: list[pycurl.Curl] = []
        self._multi = pycurl.AsyncCurlMulti()
        self._multi.setopt(pycurl.M_MAX_TOTAL_CONNECTIONS, max_connections)  # idle ones too
        self._multi.setopt(pycurl.M_MAXCONNECTS, max_connections)
        # Transfers wait here and not in libcurl: its queue is not first come, first served, and the wait in it
        # counts as time to connect.
        self._all = asyncio.Semaphore(max_connections)
        self._per_host = max_connections_per_host
        self._lanes: dict[tuple[str, int], Lane] = {}

    async def fetch(
        self,
        request: Request,
        sink: Callable[[memoryview], object],
        on_response: Callable[[Response], None] | None = None,
    ) -> Response:
        """Get ``request.url`` and hand its body to `sink`, in parts that are valid during the call.

        Redirects are followed, at most five, each guarded like the first. Only the body of a 200, or of a 206
        with the very range, reaches `sink`; before its first byte `on_response` is called once with its head.
        What these two raise ends the transfer and is raised here; all else that fails is a TransferError.
        Cancelling the awaiting task ends the transfer.
        """
        url, headers = request.url, request.headers
        for _ in range(MAX_REDIRECTS + 1):
            target = await self._guard.resolve(url)
            exchange = Exchange(request, target.address.url, sink, on_response)
            async with self._place(target.address, exchange), self._all:
                await self._perform(target, header_lines(request, headers), exchange)
            if exchange.location is None:
                return exchange.response()
            url, headers = redirected(target.address.url, exchange.location, headers)
        raise TransferError(FailureType.NETWORK_ERROR, "too many redirects")

    async def aclose(self) -> None:
        """Close every connection. Transfers under way are cancelled."""
        await self._multi.aclose()
        while self._idle:
            self._idle.pop().close()

    async def _perform(self, target: Target, lines: list[bytes], exchange: Exchange) -> None:
        curl = self._idle.pop() if self._idle else pycurl.Curl()
        self._prepare(curl, target, lines, exchange)
        ended = self._multi.add_handle(curl)
        stall = _Stall(self._timeout, exchange, ended)
        try:
            await ended
        except TimeoutError:
            exchange.ended(self._timed_out(exchange))
        except pycurl.error as error:
            timed_out = error.args[0] == pycurl.E_OPERATION_TIMEDOUT
            exchange.ended(self._timed_out(exchange) if timed_out else _cause(curl, error.args[0], exchange))
        finally:
            stall.stop()
        # Not in the finally: the handle of a cancelled transfer is thrown away.
        curl.reset()
        self._idle.append(curl)

    def _prepare(self, curl: pycurl.Curl, target: Target, lines: list[bytes], exchange: Exchange) -> None:
        address = target.address
        curl.setopt(pycurl.URL, address.url)
        # libcurl would rewrite escapes and dots of the path, which some signatures cover.
        curl.setopt(pycurl.REQUEST_TARGET, f"/{address.url.split('/', 3)[3]}")
        curl.setopt(pycurl.HTTPHEADER, lines)
        curl.setopt(pycurl.HEADERFUNCTION, exchange.on_header)
        curl.setopt(pycurl.WRITEFUNCTION, exchange.on_body, use_memoryview=True)
        curl.setopt(pycurl.PREREQFUNCTION, exchange.on_connected)
        curl.setopt(pycurl.OPENSOCKETFUNCTION, partial(self._open_socket, address, exchange))
        if address.ip is None:
            # Replaces the pin of an earlier request; "+" lets libcurl forget it some day.
            curl.setopt(pycurl.RESOLVE, [f"+{address.host}:{address.port}:{','.join(target.ips)}"])
            curl.setopt(pycurl.DNS_CACHE_TIMEOUT, _PIN_SECONDS)
        curl.setopt(pycurl.PROTOCOLS, pycurl.PROTO_HTTP | pycurl.PROTO_HTTPS)
        curl.setopt(pycurl.FOLLOWLOCATION, 0)
        curl.setopt(pycurl.PROXY, "")  # nor the environment's: a proxy would dial in our place, unguarded
        curl.setopt(pycurl.NOPROXY, "*")
        curl.setopt(pycurl.CAINFO, self._authorities)
        curl.setopt(pycurl.BUFFERSIZE, _BUFFER_BYTES)
        curl.setopt(pycurl.NOSIGNAL, 1)
        curl.setopt(pycurl.CONNECTTIMEOUT_MS, math.ceil(self._timeout * 1000))

    def _open_socket(
        self,
        address: Address,
        exchange: Exchange,
        _purpose: int,
        dialled: tuple[int, int, int, tuple[str, int]],
    ) -> socket.socket | int:
        """Open a socket for libcurl, or refuse: the guard's last line, which sees the address dialled."""
        family, kind, protocol, (ip, *_) = dialled
        if not self._guard.permits(ip, address.port, address.host):
            exchange.undialled = blocked()
            return int(pycurl.SOCKET_BAD)
        try:
            opened = socket.socket(family, kind, protocol)
        except OSError as error:
            exchange.undialled = _not_connected(error.errno)
            return int(pycurl.SOCKET_BAD)
        # pycurl takes a duplicate as soon as we return.
        asyncio.get_running_loop().call_soon(opened.close)
        return opened

    def _timed_out(self, exchange: Exchange) -> TransferError:
        missing = "byte" if exchange.connected else "connection"
        return TransferError(FailureType.TIMEOUT, f"timeout: no {missing} for {self._timeout:g} s", retry=True)

    @asynccontextmanager
    async def _place(self, address: Address, exchange: Exchange) -> AsyncIterator[None]:
        """Wait for a place among the requests to this host, and learn from what it answers."""
        lane = self._lane(address)
        place = await lane.enter()
        try:
            yield
        finally:
            failure = exchange.failure
            if isinstance(failure, HTTPStatusError) and failure.asks_for_rest:
                lane.slow_down(place, failure.retry_after)
            elif failure is None:
                lane.went_well()
            lane.leave()

    def _lane(self, address: Address) -> Lane:
        """A host's lane is kept while it is among the last thousand: what it asked for must not be forgotten."""
        key = (address.host, address.port)
        lane = self._lanes.pop(key, None) or Lane(self._per_host)
        self._lanes[key] = lane
        while len(self._lanes) > _MAX_LANES and self._lanes[oldest := next(iter(self._lanes))].idle:
            del self._lanes[oldest]
        return lane


class _Stall:
    """Ends a transfer with TimeoutError when nothing has come for ``timeout`` seconds.

    libcurl's low-speed limit averages over seconds: a limit of 1 s was seen to take 7.
    """

    def __init__(self, timeout: float, exchange: Exchange, ended: asyncio.Future[pycurl.Curl]) -> None:
        self._timeout = timeout
        self._exchange = exchange
        self._ended = ended
        self._timer = ended.get_loop().call_later(timeout, self._check)

    def stop(self) -> None:
        self._timer.cancel()

    def _check(self) -> None:
        loop = self._ended.get_loop()
        left = self._exchange.last_sign + self._timeout - loop.time()
        if left > 0:
            self._timer = loop.call_later(left, self._check)
        elif not self._ended.done():
            self._ended.set_exception(TimeoutError())


def _cause(curl: pycurl.Curl, code: int, exchange: Exchange) -> TransferError:
    """Say what libcurl's `code` means. Its own texts hold hosts and URLs."""
    if code == pycurl.E_COULDNT_CONNECT:
        return exchange.undialled or _not_connected(curl.getinfo(pycurl.OS_ERRNO))
    unknown = (FailureType.NETWORK_ERROR, f"connection failed: libcurl's code {code}", True)
    failure_type, message, retry = _CAUSES.get(code, unknown)
    return TransferError(failure_type, message, retry=retry)


def _not_connected(reason: int | None) -> TransferError:
    refused = reason == errno.ECONNREFUSED
    message = "connection refused" if refused else f"connection failed: {os.strerror(reason or 0)}"
    return TransferError(FailureType.NETWORK_ERROR, message, retry=True)
