"""What this process has asked of origins so far, for whoever measures it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from downloader.exchange import Exchange


@dataclass
class Tally:
    """The engine's loop counts, any thread may read. No label names a host: there are as many as users like."""

    answers: Counter[str] = field(default_factory=Counter)
    """By the class of their status, as in ``2xx``; ``none`` where there was no answer."""

    received: Counter[str] = field(default_factory=Counter)
    """Bytes of bodies, by what became of the transfer: ``whole`` or ``broken``."""

    retries: int = 0

    def count(self, exchange: Exchange) -> None:
        """One request that has ended."""
        self.answers[f"{exchange.status // 100}xx" if exchange.status else "none"] += 1
        if exchange.received:
            self.received["broken" if exchange.failure is not None else "whole"] += exchange.received


TALLY = Tally()
