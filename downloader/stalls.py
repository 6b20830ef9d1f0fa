"""Transfers that have come to a standstill."""

from __future__ import annotations

import asyncio
import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from downloader.exchange import Exchange


class Stalls:
    """Ends a transfer with TimeoutError when nothing has come for ``timeout`` seconds.

    libcurl's low-speed limit averages over seconds: a limit of 1 s was seen to take 7. One timer serves all:
    it rings when the first of them might have stalled.
    """

    def __init__(self, timeout: float) -> None:
        self._timeout = timeout
        self._watched: dict[Exchange, asyncio.Future[int]] = {}
        self._timer: asyncio.TimerHandle | None = None

    def watch(self, exchange: Exchange, ended: asyncio.Future[int]) -> None:
        self._watched[exchange] = ended
        if self._timer is None:
            self._timer = ended.get_loop().call_later(self._timeout, self._check)

    def forget(self, exchange: Exchange) -> None:
        self._watched.pop(exchange, None)

    def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def _check(self) -> None:
        self._timer = None
        loop = asyncio.get_running_loop()
        latest, first = loop.time() - self._timeout, math.inf
        for exchange, ended in self._watched.items():
            if exchange.last_sign > latest:
                first = min(first, exchange.last_sign)
            elif not ended.done():
                ended.set_exception(TimeoutError())
        if first < math.inf:
            self._timer = loop.call_at(first + self._timeout, self._check)
