"""What is asked of an origin: a URL, a byte range, and headers that never leave their origin."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from urllib.parse import urljoin, urlsplit

from domain.addresses import redact
from domain.errors import TransferError
from domain.values import FailureType
from downloader.guard import blocked

Headers = tuple[tuple[str, str], ...]

# Our own name, in the form that origins expect: many refuse a bare "curl" or none at all.
USER_AGENT = "Mozilla/5.0 (compatible; media-download/1.0)"

# Names that belong to the client: the framing, the range, and what the guard has checked.
_RESERVED = frozenset(
    "host range if-range accept-encoding connection keep-alive proxy-connection proxy-authorization te"
    " trailer transfer-encoding upgrade expect content-length content-type content-encoding".split()
)
_PLAIN = [f"user-agent: {USER_AGENT}".encode(), b"accept-encoding: identity"]
_UNSENDABLE = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")  # controls end a line, surrogates have no bytes
_TRAVELLING = frozenset({"user-agent", "referer", "origin", "accept", "accept-language"})
DEFAULT_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Request:
    """One GET. Neither the headers nor the query are shown in its repr."""

    url: str
    headers: Headers = field(default=(), repr=False)
    offset: int | None = None  # first byte wanted; None asks for the whole
    length: int | None = None  # bytes wanted from there; None: to the end
    if_range: str | None = None  # a strong ETag or a date: the range only if nothing changed, else the whole
    max_bytes: int | None = None  # longer bodies are refused
    require_range: bool = True  # False accepts a 200, the whole, in answer to a range

    def __repr__(self) -> str:
        return f"Request({redact(self.url)!r}, offset={self.offset}, length={self.length})"

    @property
    def last(self) -> int | None:
        """The last byte wanted, if the range has an end."""
        return None if self.offset is None or self.length is None else self.offset + self.length - 1


def header_lines(request: Request, headers: Headers) -> list[bytes]:
    """Give the header lines to send: `headers`, then the client's own."""
    if not headers and request.offset is None:  # as most pieces are asked for
        return _PLAIN
    sent = {"user-agent": USER_AGENT}
    sent |= {name.lower(): value.strip() for name, value in headers if name.lower() not in _RESERVED}
    sent["accept-encoding"] = "identity"
    if request.offset is not None:
        sent["range"] = f"bytes={request.offset}-{'' if request.last is None else request.last}"
        if request.if_range:
            sent["if-range"] = request.if_range
    return [_line(name, value) for name, value in sent.items()]


def redirected(url: str, location: str, headers: Headers) -> tuple[str, Headers]:
    """Give the URL of the next hop and the headers that may go there."""
    try:
        following = urljoin(url, location)
    except ValueError:
        raise blocked() from None
    return following, headers_for(following, url, headers)


def headers_for(url: str, home: str, headers: Headers) -> Headers:
    """Give those of `headers`, which were meant for the origin of `home`, that may be sent to `url`.

    To the same scheme, host and port: all of them. Elsewhere, also from https to http: those that say where a
    player stands, not who its user is. A playlist's pieces lie on a CDN as a rule, and one that guards against
    foreign pages asks for the Referer. Cookies, tokens and whatever else the user set are between the user and
    that one origin.
    """
    if not headers or _origin(url) == _origin(home):
        return headers
    return tuple((name, value) for name, value in headers if name.lower() in _TRAVELLING)


def _origin(url: str) -> tuple[str, str | None, int | None] | None:
    try:
        parts = urlsplit(url)
        return parts.scheme, parts.hostname, parts.port or DEFAULT_PORTS.get(parts.scheme)
    except ValueError:
        return None


def _line(name: str, value: str) -> bytes:
    line = f"{name}: {value}" if value else f"{name};"  # libcurl's way to send an empty value
    if _UNSENDABLE.search(line):
        raise TransferError(FailureType.INVALID_CONTENT, "request header: it holds a control character")
    return line.encode()
