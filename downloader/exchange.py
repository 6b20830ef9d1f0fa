"""One hop of a transfer, as libcurl's callbacks tell it."""

from __future__ import annotations

import math
import re
import time
from collections.abc import Callable

from domain.errors import TransferError
from downloader.request import Request
from downloader.response import (
    HTTPStatusError,
    Response,
    check_encoding,
    declared_length,
    invalid,
    promised_length,
)

MAX_DROPPED_BYTES = 65_536  # of an unwanted body: reading a short one keeps its connection

_REDIRECTS = frozenset({301, 302, 303, 307, 308})


class Exchange:
    """Takes the callbacks of one hop and ends in a response, a ``location`` to follow, or a ``failure``.

    A callback that raises is printed by pycurl and lost. So what goes wrong is kept in ``failure``, and the
    callback returns 0, which ends the transfer; None means that every byte was taken.
    """

    def __init__(
        self,
        request: Request,
        url: str,
        sink: Callable[[memoryview], object],
        on_response: Callable[[Response], None] | None,
    ) -> None:
        self.failure: BaseException | None = None
        self.location: str | None = None
        self.undialled: TransferError | None = None  # why no socket was opened, if libcurl finds no other address
        self.connected = False
        # Of life: a connection, a whole head, a part of the body. Lines of a head, interim answers, trailers and
        # what is not wanted could come for ever.
        self.last_sign = time.monotonic()
        self._request = request
        self._url = url
        self._sink = sink
        self._on_response = on_response
        self.status = 0  # none has come
        self._headers: dict[str, str] = {}
        self._takes_body = False
        self.has_head = False  # what comes in lines now are trailers, which say nothing we need
        self._promised: int | None = None
        self._limit = math.inf
        self.received = 0
        self._dropped = 0

    def on_connected(self) -> None:
        """Take note that the request is about to be sent, over a new connection or a kept one."""
        self.connected = True
        self.last_sign = time.monotonic()

    def on_head(self, lines: list[bytes]) -> int | None:
        """Take a head, from its status line on."""
        try:
            self._read_head(lines)
        except HTTPStatusError as error:
            self.failure = error  # its body is short as a rule, so it is read
        except BaseException as error:  # noqa: BLE001 - kept for response(), whatever it is
            self.failure = error
            return 0
        return None

    def on_body(self, data: memoryview) -> int | None:
        """Take a part of the body, valid during this call."""
        if not self._takes_body:
            self._dropped += len(data)
            return None if self._dropped <= MAX_DROPPED_BYTES else 0
        self.last_sign = time.monotonic()
        try:
            self.received += len(data)
            if self.received > self._limit:
                self._check_size(self.received)
            self._sink(data)
        except BaseException as error:  # noqa: BLE001 - kept for response(), whatever it is
            self.failure = error
            return 0
        return None

    def ended(self, error: TransferError) -> None:
        """Take why the transfer broke off; a reason of our own comes first."""
        if self.failure is None and self.location is None:
            self.failure = error

    def response(self) -> Response:
        """Give the whole response, or raise what prevented it."""
        if self.failure is not None:
            raise self.failure
        if not self._takes_body:
            raise invalid("not HTTP: the answer has no head")
        if self._promised is not None and self.received != self._promised:
            raise invalid(f"truncated: {self.received} of {self._promised} bytes", retry=True)
        return Response(self.status, self._headers, self._url, self.received)

    def _read_head(self, lines: list[bytes]) -> None:
        status, *fields = b"".join(lines).decode("latin-1").split("\n")
        self.status, headers = _status(status), dict[str, str]()
        for field in fields:
            name, colon, value = field.partition(":")
            if colon:
                name, value = name.strip().lower(), value.strip()
                headers[name] = f"{headers[name]}, {value}" if name in headers else value
        if self.status >= 200:  # else it is interim, and another follows
            self._headers, self.has_head = headers, True
            self.last_sign = time.monotonic()
            self._judge()

    def _judge(self) -> None:
        if self.status in _REDIRECTS and "location" in self._headers:
            self.location = _utf8(self._headers["location"])
            return
        if self.status not in (200, 206):
            raise HTTPStatusError(self.status, self._headers)
        check_encoding(self._headers)
        self._promised = promised_length(self._request, self.status, self._headers)
        self._limit = min(_or_inf(self._request.max_bytes), _or_inf(self._promised))
        self._check_size(declared_length(self._headers) or 0)
        if self._on_response is not None:
            self._on_response(Response(self.status, self._headers, self._url))
        self._takes_body = True

    def _check_size(self, size: int) -> None:
        if size <= self._limit:
            return
        if self._limit == self._promised:
            raise invalid("wrong range: more bytes than were asked for")
        raise invalid(f"too large: over {self._request.max_bytes} bytes")


def _status(line: str) -> int:
    found = re.match(r"\S+\s+(\d{3})(?!\d)", line)
    if found is None:
        raise invalid("not HTTP: the answer cannot be read")
    return int(found[1])


def _or_inf(limit: int | None) -> float:
    return math.inf if limit is None else limit


def _utf8(value: str) -> str:
    # Location often holds raw UTF-8, which old HTTP would have us read as ISO 8859-1.
    try:
        return value.encode("latin-1").decode()
    except UnicodeDecodeError:
        return value
