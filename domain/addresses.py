"""Which addresses may be fetched: URLs read strictly, literals in every spelling, public networks only.

A URL is put into one spelling here, and only that is ever sent: what was checked is what is dialled.
"""

from __future__ import annotations

import re
import socket
import unicodedata
from dataclasses import dataclass, field
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from urllib.parse import SplitResult, quote, urlsplit

from domain.errors import BlockedUrlError

MAX_URL_LENGTH = 2_000  # characters of a URL that a user gives

_DEFAULT_PORTS = {"http": 80, "https": 443}
# C0 and C1 controls, line separators, surrogates, and the backslash that some readers take for a slash.
_FORBIDDEN = re.compile(r"[\x00-\x1f\x7f-\x9f\\\u2028\u2029\ud800-\udfff]")
# No user info, no zone id, no percent-encoding: none of their characters can stand here.
_AUTHORITY = re.compile(r"(?:\[(?P<ip6>[0-9a-fA-F:.]+)\]|(?P<name>[^][:@%]+))(?::(?P<port>[0-9]{0,5}))?")
_HOST = re.compile(r"[a-z0-9_](?:[a-z0-9_.-]{0,251}[a-z0-9_])?")
_NUMERIC_LABEL = re.compile(r"[0-9]+|0x[0-9a-f]*")
# RFC 3986 delimiters, and what is often sent raw; "%" keeps the escapes that are there.
_SENT_RAW = "%/?:@!$&'()*+,;=[]|~"

# RFC 6761 and the local zones in use: names that only a machine's own resolver answers.
_LOCAL_LABELS = frozenset({"localhost", "localdomain", "local", "internal", "ip6-localhost", "ip6-loopback"})

_DENIED_IP4 = tuple(
    IPv4Network(network)
    for network in (
        "0.0.0.0/8",  # this network
        "10.0.0.0/8",  # private
        "100.64.0.0/10",  # carrier-grade NAT; a cloud's metadata too
        "127.0.0.0/8",  # loopback
        "168.63.129.16/32",  # a cloud's host agent, though in public space
        "169.254.0.0/16",  # link-local; metadata
        "172.16.0.0/12",  # private
        "192.0.0.0/24",  # protocol assignments; a cloud's metadata too
        "192.0.2.0/24",  # documentation
        "192.88.99.0/24",  # 6to4 relays, deprecated
        "192.168.0.0/16",  # private
        "198.18.0.0/15",  # benchmarks
        "198.51.100.0/24",  # documentation
        "203.0.113.0/24",  # documentation
        "224.0.0.0/4",  # multicast
        "240.0.0.0/4",  # reserved, broadcast
    )
)
# Only these bits of IPv6 are handed out; ::/96, fc00::/7, fe80::/10, fec0::/10 and ff00::/8 lie outside.
_GLOBAL_IP6 = IPv6Network("2000::/3")
_DENIED_IP6 = tuple(
    IPv6Network(network)
    for network in (
        "2001::/23",  # protocol assignments: Teredo (2001::/32) carries any IPv4 address
        "2001:db8::/32",  # documentation
        "2002::/16",  # 6to4 carries any IPv4 address
        "3fff::/20",  # documentation
    )
)
# IPv4-mapped (RFC 4291) and NAT64 (RFC 6052): the last 32 bits are what is reached.
# NAT64's local prefix 64:ff9b:1::/48 (RFC 8215) has no fixed place for them and stays denied.
_IP4_INSIDE = (IPv6Network("::ffff:0:0/96"), IPv6Network("64:ff9b::/96"))


@dataclass(frozen=True, slots=True)
class Address:
    """Where a URL leads. ``url`` can be sent as it is: ASCII, its host in one spelling, without fragment."""

    scheme: str
    host: str  # lower-case ASCII name, or the literal without brackets
    port: int
    ip: IPv4Address | IPv6Address | None  # when the host is a literal
    url: str = field(repr=False)


def check_url(url: str, allowed: frozenset[tuple[str, int]], *, max_length: int = MAX_URL_LENGTH) -> Address:
    """Read `url`, or raise BlockedUrlError.

    ``allowed`` holds the (host, port) pairs that may be fetched though they are not public; the host must be
    written as it stands there. A name is only read here: what it resolves to is checked when it is fetched.
    """
    if len(url) > max_length or url != url.strip() or _FORBIDDEN.search(url):
        raise BlockedUrlError
    try:
        parts = urlsplit(url)
    except ValueError:
        raise BlockedUrlError from None
    host, port, ip = _check_authority(parts.scheme, parts.netloc, allowed)
    return Address(parts.scheme, host, port, ip, _sendable(parts, host, port))


@lru_cache(1024)  # the pieces of a stream share it; to read it anew took a tenth of a small piece
def _check_authority(
    scheme: str, netloc: str, allowed: frozenset[tuple[str, int]]
) -> tuple[str, int, IPv4Address | IPv6Address | None]:
    """Host in its one spelling, port, and the address if the host is a literal. Raises BlockedUrlError."""
    authority = _AUTHORITY.fullmatch(netloc)
    if authority is None:
        raise BlockedUrlError
    try:
        port = int(authority["port"] or _DEFAULT_PORTS[scheme])
        host, ip = _read_host(authority)
    except (KeyError, ValueError):
        raise BlockedUrlError from None
    if not 0 < port < 65_536:
        raise BlockedUrlError
    written = (authority["ip6"] or authority["name"]).lower()
    if (written, port) not in allowed and not (is_public(ip) if ip else _is_global_name(host)):
        raise BlockedUrlError
    return host, port, ip


def is_public(ip: IPv4Address | IPv6Address) -> bool:
    """Tell whether `ip` is reached over the public internet, by the IANA special-purpose registries.

    ``ipaddress.is_global`` is not enough: it lets 6to4, NAT64 and the clouds' own addresses through.
    """
    if isinstance(ip, IPv4Address):
        return not any(ip in network for network in _DENIED_IP4)
    if any(ip in network for network in _IP4_INSIDE):
        return is_public(IPv4Address(int(ip) & 0xFFFF_FFFF))
    return ip in _GLOBAL_IP6 and not any(ip in network for network in _DENIED_IP6)


def redact(url: str) -> str:
    """Give scheme, host and path of `url` for a log: queries and user info are where secrets travel."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return "(not a URL)"
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{_escape(parts.path)}"


def _read_host(authority: re.Match[str]) -> tuple[str, IPv4Address | IPv6Address | None]:
    if authority["ip6"]:
        ip6 = IPv6Address(authority["ip6"])
        return str(ip6), ip6
    # IDNA maps full-width digits, enclosed letters and ideographic full stops to the ASCII they stand for.
    written = unicodedata.normalize("NFKC", authority["name"])
    name = written.encode("idna").decode().lower().removesuffix(".")
    if not _HOST.fullmatch(name) or _is_number_of_another_script(written):
        raise BlockedUrlError
    # No top-level domain is a number (RFC 3696, 2): it is an address, maybe octal, hexadecimal or shortened.
    if not _NUMERIC_LABEL.fullmatch(name.rpartition(".")[2]):
        return name, None
    try:
        ip4 = IPv4Address(socket.inet_aton(name))
    except OSError:
        raise BlockedUrlError from None
    return str(ip4), ip4


def _is_number_of_another_script(name: str) -> bool:
    # IDNA makes a name of it, which cannot exist; who reads numbers of all scripts sees an address.
    last = re.split(r"[.\u3002]", name.rstrip(".\u3002"))[-1]
    return last.isdecimal() and not last.isascii()


def _is_global_name(host: str) -> bool:
    return host.rpartition(".")[2] not in _LOCAL_LABELS and not f".{host}".endswith(".home.arpa")


def _sendable(parts: SplitResult, host: str, port: int) -> str:
    netloc = f"[{host}]" if ":" in host else host
    if port != _DEFAULT_PORTS[parts.scheme]:
        netloc = f"{netloc}:{port}"
    query = f"?{_escape(parts.query)}" if parts.query else ""
    return f"{parts.scheme}://{netloc}{_escape(parts.path) or '/'}{query}"


def _escape(text: str) -> str:
    return quote(text, safe=_SENT_RAW, errors="replace")
