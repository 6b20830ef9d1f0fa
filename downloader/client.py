"""Requests over HTTP and HTTPS: each dialled address checked, redirects followed, hosts given the rest they ask for."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from urllib.parse import urlsplit

from domain.addresses import Address
from domain.errors import TransferError
from domain.values import FailureType
from downloader.curl import Transfers
from downloader.exchange import Exchange
from downloader.guard import Guard
from downloader.lanes import Lane, Place
from downloader.request import DEFAULT_PORTS, Request, header_lines, redirected
from downloader.response import HTTPStatusError, Response
from downloader.tally import TALLY

MAX_REDIRECTS = 5

_MAX_LANES = 1_000


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
        self._transfers = Transfers(guard.permits, max_connections=max_connections, timeout=timeout)
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
            lane = self._lane(target.address)
            place = await lane.enter()
            try:
                async with self._all:
                    await self._transfers.perform(target, header_lines(request, headers), exchange)
            finally:
                _learn(lane, place, exchange)
                lane.leave()
                TALLY.count(exchange)
            if exchange.location is None:
                return exchange.response()
            url, headers = redirected(target.address.url, exchange.location, headers)
        raise TransferError(FailureType.NETWORK_ERROR, "too many redirects")

    def has_spare_place(self, url: str) -> bool:
        """Whether a request to the host of ``url`` would be sent at once, and none was told of late to slow down."""
        parts = urlsplit(url)
        lane = self._lanes.get((parts.hostname or "", parts.port or DEFAULT_PORTS.get(parts.scheme, 0)))
        return not self._all.locked() and (lane is None or lane.is_calm())

    async def aclose(self) -> None:
        """Close every connection. Transfers under way are cancelled."""
        self._transfers.close()

    def _lane(self, address: Address) -> Lane:
        """A host's lane is kept while it is among the last thousand: what it asked for must not be forgotten."""
        key = (address.host, address.port)
        lane = self._lanes.pop(key, None) or Lane(self._per_host)
        self._lanes[key] = lane
        while len(self._lanes) > _MAX_LANES and self._lanes[oldest := next(iter(self._lanes))].idle:
            del self._lanes[oldest]
        return lane


def _learn(lane: Lane, place: Place, exchange: Exchange) -> None:
    """Take in what the host answered."""
    failure = exchange.failure
    if isinstance(failure, HTTPStatusError) and failure.asks_for_rest:
        lane.slow_down(place, failure.retry_after)
    elif failure is None:
        lane.went_well()
