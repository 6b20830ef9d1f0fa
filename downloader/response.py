"""What an origin answers, and whether it may be believed: its status, encoding, range and length."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus

from domain.addresses import redact
from domain.errors import TransferError
from domain.values import FailureType
from downloader.request import Request

ENCODED = "encoded: the origin compresses what it was asked to send as it is"

_REFUSALS = frozenset({401, 403})
_EXPIRING = frozenset({401, 403, 410})  # what signed URLs meet when their time is over
_ASKING_FOR_REST = frozenset({429, 503})
_PASSING = frozenset({404, 408, 425, 429})  # worth another try, as is every 5xx
_LENGTH = re.compile(r"\d{1,18}")
_CONTENT_RANGE = re.compile(r"bytes (\d{1,18})-(\d{1,18})/(\d{1,18}|\*)")


@dataclass(frozen=True, slots=True)
class Response:
    """The head of a 200 or 206. ``url`` is where it came from, after redirects; its query is not shown."""

    status: int
    headers: Mapping[str, str] = field(repr=False)  # lower-case names
    url: str
    received: int = 0  # bytes of the body that the sink took

    def __repr__(self) -> str:
        return f"Response({self.status}, {redact(self.url)!r}, received={self.received})"

    @property
    def size(self) -> int | None:
        """The length of the whole resource in bytes, if the origin tells, also in answer to a range."""
        if self.status == HTTPStatus.PARTIAL_CONTENT:
            return _length(self.headers.get("content-range", "").rpartition("/")[2])
        return declared_length(self.headers)

    @property
    def length(self) -> int | None:
        """The bytes of the body, if the origin tells."""
        return declared_length(self.headers)


class HTTPStatusError(TransferError):
    """The origin answered with a status that brings no media."""

    def __init__(self, status: int, headers: Mapping[str, str]) -> None:
        super().__init__(
            _failure_type(status),
            f"HTTP {status}",
            retry=status in _PASSING or status >= 500,
            retry_after=_retry_after(headers.get("retry-after", "")),
            refused=status in _EXPIRING,
        )
        self.status = status

    @property
    def asks_for_rest(self) -> bool:
        """The origin has more requests than it can bear (RFC 6585, 4; RFC 9110, 15.6.4)."""
        return self.status in _ASKING_FOR_REST


def check_encoding(headers: Mapping[str, str]) -> None:
    """Refuse what is compressed. We asked for identity, and 204 kB of gzip can hold 210 MB."""
    content = headers.get("content-encoding", "").lower()
    transfer = headers.get("transfer-encoding", "").lower()
    if content not in ("", "identity") or transfer not in ("", "identity", "chunked"):
        raise invalid(ENCODED)


def promised_length(request: Request, status: int, headers: Mapping[str, str]) -> int | None:
    """Give the bytes that a 206 promises, None for a 200. Raises TransferError for bytes not asked for."""
    if status != HTTPStatus.PARTIAL_CONTENT:
        if request.offset is None or not request.require_range:
            return None
        raise invalid("range ignored: the origin sends the whole", retry=True)  # or an error page
    found = _CONTENT_RANGE.fullmatch(headers.get("content-range", ""))
    if request.offset is None or found is None:
        raise _wrong_range()
    first, last = int(found[1]), int(found[2])
    wanted = request.last
    if wanted is None:
        wanted = last if found[3] == "*" else int(found[3]) - 1
    if not request.offset == first <= last == wanted:
        raise _wrong_range()
    return last - first + 1


def declared_length(headers: Mapping[str, str]) -> int | None:
    """Content-Length in bytes, if there is a readable one."""
    return _length(headers.get("content-length", ""))


def invalid(message: str, *, retry: bool = False) -> TransferError:
    """Give the failure of an answer that is not what was asked for."""
    return TransferError(FailureType.INVALID_CONTENT, message, retry=retry)


def _wrong_range() -> TransferError:
    return invalid("wrong range: not the bytes that were asked for")


def _length(text: str) -> int | None:
    return int(text) if _LENGTH.fullmatch(text) else None


def _failure_type(status: int) -> FailureType:
    if status in _REFUSALS:
        return FailureType.PERMISSION_ERROR
    if status == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE or 200 <= status < 300:
        return FailureType.INVALID_CONTENT
    return FailureType.NETWORK_ERROR


def _retry_after(value: str) -> float | None:
    """Read Retry-After (RFC 9110, 10.2.3): seconds, or a date."""
    if re.fullmatch(r"\d{1,9}", value):
        return float(value)
    try:
        until = parsedate_to_datetime(value)
    except (ValueError, OverflowError):
        return None
    until = until if until.tzinfo else until.replace(tzinfo=UTC)
    return max(0.0, (until - datetime.now(UTC)).total_seconds())
