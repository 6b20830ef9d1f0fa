"""The guard against requests to addresses inside: names are resolved here, and the checked answer pinned."""

from __future__ import annotations

import asyncio
import socket
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from ipaddress import ip_address

from domain.addresses import Address, check_url, is_public
from domain.errors import BlockedUrlError, TransferError
from domain.values import FailureType

MAX_PIECE_URL_LENGTH = 16_384  # characters: signed URLs in playlists outgrow what a user may type
_MAX_KEPT = 4_096  # looked-up names held at a time
_LOOKUP_THREADS = 32


def blocked() -> TransferError:
    """Give the failure of an address that must not be dialled."""
    return TransferError(FailureType.PERMISSION_ERROR, "blocked: not a public http or https address")


@dataclass(frozen=True, slots=True)
class Target:
    """An address together with the only IP addresses that may be dialled for it."""

    address: Address
    ips: tuple[str, ...]


class Guard:
    """Refuses every address that is not public, but for the (host, port) pairs of ``allowed``.

    A lookup fails after ``timeout`` seconds; its answer serves ``keep`` seconds, so that the pieces which
    start together share one. Used from one event loop.
    """

    def __init__(self, allowed: frozenset[tuple[str, int]], *, timeout: float = 10, keep: float = 30) -> None:
        self._allowed = allowed
        self._timeout = timeout
        self._keep = keep
        self._lookups: dict[tuple[str, int], tuple[float, asyncio.Task[tuple[str, ...]]]] = {}
        # Threads of its own: getaddrinfo cannot be interrupted, and must not hold up the loop's other work.
        self._threads = ThreadPoolExecutor(_LOOKUP_THREADS, thread_name_prefix="dns")

    async def resolve(self, url: str) -> Target:
        """Read `url` and look its host up.

        Raises TransferError: ``permission_error`` ("blocked") when the URL, or any one of the answers, must
        not be dialled; ``network_error`` ("DNS") when there is no answer.
        """
        try:
            address = check_url(url, self._allowed, max_length=MAX_PIECE_URL_LENGTH)
        except BlockedUrlError:
            raise blocked() from None
        if address.ip:
            return Target(address, (address.host,))
        ips = await self._look_up(address.host, address.port)
        if not all(self.permits(ip, address.port, address.host) for ip in ips):
            raise blocked()
        return Target(address, ips)

    def permits(self, ip: str, port: int, host: str) -> bool:
        """Tell whether a connection to `ip` may be opened on behalf of `host`."""
        return (host, port) in self._allowed or is_public(ip_address(ip))

    async def _look_up(self, host: str, port: int) -> tuple[str, ...]:
        now = asyncio.get_running_loop().time()
        expires, lookup = self._lookups.get((host, port), (0.0, None))
        if lookup is None or expires <= now:
            lookup = asyncio.create_task(self._getaddrinfo(host, port))
            self._make_room(now)
            self._lookups[host, port] = now + self._keep, lookup
        try:
            # Shielded: whoever gives up must not take the answer from the others.
            return await asyncio.shield(lookup)
        except TransferError:
            self._lookups.pop((host, port), None)
            raise

    async def _getaddrinfo(self, host: str, port: int) -> tuple[str, ...]:
        loop = asyncio.get_running_loop()
        asked = loop.run_in_executor(
            self._threads, socket.getaddrinfo, host, port, socket.AF_UNSPEC, socket.SOCK_STREAM
        )
        try:
            found = await asyncio.wait_for(asked, self._timeout)
        except TimeoutError:
            raise _no_answer(f"no answer within {self._timeout:g} s") from None
        except socket.gaierror as error:
            raise _no_answer(str(error.strerror)) from None
        except (OSError, UnicodeError):
            raise _no_answer("the lookup failed") from None
        return tuple(dict.fromkeys(str(sockaddr[0]) for *_, sockaddr in found))

    def _make_room(self, now: float) -> None:
        if len(self._lookups) >= _MAX_KEPT:
            self._lookups = {key: kept for key, kept in self._lookups.items() if kept[0] > now}
        while len(self._lookups) >= _MAX_KEPT:
            del self._lookups[next(iter(self._lookups))]


def _no_answer(cause: str) -> TransferError:
    return TransferError(FailureType.NETWORK_ERROR, f"DNS: {cause}", retry=True)
