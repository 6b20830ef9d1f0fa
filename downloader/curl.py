"""Transfers side by side over kept connections, by libcurl."""

from __future__ import annotations

import asyncio
import errno
import math
import os
import socket
import ssl
from collections.abc import Callable
from contextlib import suppress

import pycurl

from domain.addresses import Address
from domain.errors import TransferError
from domain.values import FailureType
from downloader.curl_multi import Multi
from downloader.exchange import Exchange
from downloader.guard import Target, blocked
from downloader.response import ENCODED
from downloader.stalls import Stalls

Permits = Callable[[str, int, str], bool]
"""Whether an IP address and port may be dialled on behalf of a host."""

_MOST_BYTES = 16_384  # of a callback, whatever is read from the socket (CURL_MAX_WRITE_SIZE)
_BUFFER_BYTES = 262_144  # fewer reads cost less
# What one read brings is gathered: checking, verifying and writing each 16 KiB by itself took three times as long.
_BLOCK_BYTES = 65_536
# Of one transfer in a call to libcurl, roughly. By itself it reads a hundred buffers before it lets others in: beside
# four fast endless answers, a small picture took 12 s.
_BURST_BYTES = 1024 * 1024
# libcurl repeats a request by itself when a kept connection died under it. Were the pin forgotten by then,
# it would ask the resolver itself.
_PIN_SECONDS = 86_400

_E_HTTP2_STREAM = 92  # pycurl does not name it
_E_TOO_LARGE = 100  # nor this one
_UNTRUSTED = (FailureType.NETWORK_ERROR, "TLS: the certificate is not trusted", False)
_ENCODED = (FailureType.INVALID_CONTENT, ENCODED, False)
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
    pycurl.E_BAD_CONTENT_ENCODING: _ENCODED,
    _E_TOO_LARGE: (FailureType.INVALID_CONTENT, "too large: the head of the answer has no end", False),
    pycurl.E_URL_MALFORMAT: (FailureType.INVALID_CONTENT, "URL: it cannot be read", False),
}


class Transfers:
    """Performs one hop at a time for whoever asks, many at once. Used from one event loop.

    ``timeout`` (seconds) bounds the connection attempt and then each pause of the transfer, never the whole.
    Every address that libcurl is about to dial must be one that ``permits``.
    """

    def __init__(self, permits: Permits, *, max_connections: int, timeout: float) -> None:
        self._permits = permits
        self._timeout = timeout
        # The wheel's libcurl knows no authorities. SSL_CERT_FILE and OpenSSL's file may hold private ones.
        self._authorities = os.fsencode(ssl.get_default_verify_paths().cafile or _bundled())
        self._idle: list[_Handle] = []
        self._multi = Multi(max_connections)
        self._stalls = Stalls(timeout)

    async def perform(self, target: Target, lines: list[bytes], exchange: Exchange) -> None:
        """Send the request and let ``exchange`` take the answer, or why there is none."""
        handle = self._idle.pop() if self._idle else self._new_handle()
        handle.take_up(target, lines, exchange)
        try:
            code = await self._ended(handle.curl, exchange)
        except BaseException:  # cancelled: who knows what state the handle is in
            handle.lay_down()
            handle.curl.close()
            raise
        handle.lay_down()
        if code == pycurl.E_OPERATION_TIMEDOUT:
            exchange.ended(self._timed_out(exchange))
        elif code:
            exchange.ended(_cause(handle.curl, code, exchange))
        self._idle.append(handle)

    async def _ended(self, curl: pycurl.Curl, exchange: Exchange) -> int:
        """Libcurl's code, 0 when all went well."""
        ended = self._multi.start(curl)
        self._stalls.watch(exchange, ended)
        try:
            return await ended
        except TimeoutError:
            return int(pycurl.E_OPERATION_TIMEDOUT)
        finally:
            self._stalls.forget(exchange)
            self._multi.stop(curl)

    def close(self) -> None:
        """Close every connection. Transfers under way are cancelled."""
        self._stalls.close()
        self._multi.close()
        while self._idle:
            self._idle.pop().curl.close()

    def _new_handle(self) -> _Handle:
        return _Handle(self._permits, self._multi, self._authorities, self._timeout)

    def _timed_out(self, exchange: Exchange) -> TransferError:
        missing = "byte" if exchange.connected else "connection"
        return TransferError(FailureType.TIMEOUT, f"timeout: no {missing} for {self._timeout:g} s", retry=True)


def _bundled() -> str:
    import certifi  # noqa: PLC0415 - where OpenSSL has a file, it is not needed

    return certifi.where()


class _Handle:
    """An easy handle. What is the same for all requests is set once: that halves the cost of a request."""

    def __init__(self, permits: Permits, multi: Multi, authorities: bytes, timeout: float) -> None:
        self._exchange: Exchange | None = None
        self._multi = multi
        self._block = memoryview(bytearray(_BLOCK_BYTES))
        self._lines: list[bytes] = []
        self._pins: list[str] = []
        self._head: list[bytes] = []
        self._gathered = 0
        self._call, self._burst = 0, 0
        self._pausing: asyncio.Handle | None = None
        self._address: Address | None = None
        self._permits = permits
        self.curl = curl = pycurl.Curl()
        curl.setopt(pycurl.HEADERFUNCTION, self._on_header)
        curl.setopt(pycurl.WRITEFUNCTION, self._on_body, use_memoryview=True)
        curl.setopt(pycurl.PREREQFUNCTION, self._on_connected)
        curl.setopt(pycurl.OPENSOCKETFUNCTION, self._open_socket)
        curl.setopt(pycurl.DNS_CACHE_TIMEOUT, _PIN_SECONDS)
        curl.setopt(pycurl.PROTOCOLS, pycurl.PROTO_HTTP | pycurl.PROTO_HTTPS)
        curl.setopt(pycurl.FOLLOWLOCATION, 0)
        curl.setopt(pycurl.PROXY, "")  # nor the environment's: a proxy would dial in our place, unguarded
        curl.setopt(pycurl.NOPROXY, "*")
        curl.setopt(pycurl.CAINFO, authorities)
        curl.setopt(pycurl.BUFFERSIZE, _BUFFER_BYTES)
        curl.setopt(pycurl.NOSIGNAL, 1)
        curl.setopt(pycurl.CONNECTTIMEOUT_MS, math.ceil(timeout * 1000))

    def take_up(self, target: Target, lines: list[bytes], exchange: Exchange) -> None:
        """Set what this request alone has."""
        self._exchange, self._address = exchange, target.address
        self._head, self._gathered = [], 0
        curl, address = self.curl, target.address
        curl.setopt(pycurl.URL, address.url)
        # libcurl would rewrite escapes and dots of the path, which some signatures cover.
        curl.setopt(pycurl.REQUEST_TARGET, f"/{address.url.split('/', 3)[3]}")
        if lines != self._lines:
            self._lines = lines
            curl.setopt(pycurl.HTTPHEADER, lines)
        # "+" lets libcurl forget it some day. An old one would be set anew.
        pins = [] if address.ip else [f"+{address.host}:{address.port}:{','.join(target.ips)}"]
        if pins or self._pins:
            self._pins = pins
            curl.setopt(pycurl.RESOLVE, pins)

    def lay_down(self) -> None:
        """The request has ended, well or not."""
        self._exchange = None
        if self._pausing is not None:
            self._pausing.cancel()
            self._pausing = None

    def _on_header(self, line: bytes) -> int | None:
        exchange = self._exchange
        if exchange is None:
            return 0
        if exchange.has_head:
            return None
        if line.strip():
            self._head.append(line)
            return None
        head, self._head = self._head, []
        return exchange.on_head(head)

    def _on_body(self, data: memoryview) -> int | None:
        begin = self._gathered
        if not begin:
            self._multi.gathering.append(self)
        self._gathered = end = begin + len(data)
        self._block[begin:end] = data
        if end <= _BLOCK_BYTES - _MOST_BYTES:
            return None
        self._share(end)
        return self.hand_over()

    def _share(self, size: int) -> None:
        """After a burst, read no more before the loop has seen to the others."""
        if self._call != self._multi.calls:
            self._call, self._burst = self._multi.calls, 0
        self._burst += size
        if self._burst > _BURST_BYTES and self._pausing is None:
            self.curl.pause(pycurl.PAUSE_RECV)
            self._pausing = asyncio.get_running_loop().call_soon(self._go_on)

    def _go_on(self) -> None:
        self._pausing = None
        with suppress(pycurl.error):  # it has ended meanwhile
            self.curl.pause(pycurl.PAUSE_CONT)
        self._multi.go_on()  # now: libcurl's own timer would leave a millisecond unused

    def hand_over(self) -> int | None:
        """Let the exchange have what was gathered; 0 when it wants no more."""
        size, self._gathered = self._gathered, 0
        if not size or self._exchange is None:
            return None
        return self._exchange.on_body(self._block[:size])

    def _on_connected(self, *_: object) -> int:
        if self._exchange is None:
            return int(pycurl.PREREQFUNC_ABORT)
        self._exchange.on_connected()
        return int(pycurl.PREREQFUNC_OK)

    def _open_socket(self, _purpose: int, dialled: tuple[int, int, int, tuple[str, int]]) -> socket.socket | int:
        """Open a socket for libcurl, or refuse: the guard's last line, which sees the address dialled."""
        family, kind, protocol, (ip, *_) = dialled
        exchange, address = self._exchange, self._address
        if exchange is None or address is None:
            return int(pycurl.SOCKET_BAD)
        if not self._permits(ip, address.port, address.host):
            exchange.undialled = blocked()
            return int(pycurl.SOCKET_BAD)
        self._multi.drop_resting()
        try:
            opened = socket.socket(family, kind, protocol)
        except OSError as error:
            exchange.undialled = _not_connected(error.errno)
            return int(pycurl.SOCKET_BAD)
        # pycurl takes a duplicate as soon as we return.
        asyncio.get_running_loop().call_soon(opened.close)
        return opened


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
