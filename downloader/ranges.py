"""Which bytes of a file are still missing, and which of them a free connection fetches next."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from downloader.limits import MIB

OPEN_END = 2**63 - 1  # of a file whose size the origin has not told
SETTLING = 0.03  # seconds until a connection's rate means something
MEMORY = 1.0  # seconds that a rate remembers
WORTHWHILE = 1.0  # seconds of work: less is not worth another connection
FAST = 96 * MIB  # bytes a second: one connection that brings as much fills a gigabit link
LEAST = 64 * 1024  # bytes: whoever would keep less gives all


@dataclass(eq=False, slots=True)
class Range:
    """The missing bytes from ``position`` to ``end``, which is not among them. ``position`` moves as they arrive.

    ``asked`` is where the request that brings them ends: further on than ``end`` once another connection has taken
    the rest over. ``rate`` is in bytes a second, of late; None until the origin has answered for a while.
    """

    position: int
    end: int
    asked: int = 0
    given_back: bool = False
    rate: float | None = None
    _began: float = 0.0
    _measured: float = 0.0
    _seen: int = 0

    @property
    def size(self) -> int:
        """Bytes still missing."""
        return self.end - self.position

    @property
    def is_taken_over(self) -> bool:
        """What is still on its way is for another connection."""
        return self.position == self.end < self.asked

    def begin(self, now: float) -> None:
        """The origin has answered."""
        if not self._began:
            self._began = self._measured = now
            self._seen = self.position

    def restart(self) -> None:
        """The origin sends the whole, from its first byte."""
        self.position = self._seen = 0
        self.end = self.asked = OPEN_END

    def measure(self, now: float) -> None:
        """Take in what has come: the average so far, later that of about the last second."""
        age, elapsed = now - self._began, now - self._measured
        if not self._began or age < SETTLING:
            return
        brought = (self.position - self._seen) / elapsed
        weight = min(1.0, elapsed / min(age, MEMORY))
        self.rate = brought if self.rate is None else self.rate + weight * (brought - self.rate)
        self._measured, self._seen = now, self.position


class Ranges:
    """The missing ranges of one file: those under way, and those that wait for a connection."""

    def __init__(self, missing: Iterable[tuple[int, int]]) -> None:
        self.active: list[Range] = []
        self._waiting = [Range(start, end) for start, end in missing]

    @property
    def missing(self) -> list[tuple[int, int]]:
        """First byte and end of each, in order."""
        return sorted((part.position, part.end) for part in (*self.active, *self._waiting) if part.size)

    def next(self) -> Range | None:
        """What a free connection fetches now: what waits, else a share of what would take longest."""
        part = self._waiting.pop(0) if self._waiting else self._share()
        if part is not None:
            self.active.append(part)
        return part

    def ended(self, part: Range) -> None:
        """``part`` is not under way any more; what is still missing of it waits."""
        self.active = [other for other in self.active if other is not part]
        if part.size:
            self._waiting.append(Range(part.position, part.end))

    def give_back(self, part: Range) -> None:
        """``part`` has failed. A request before it goes on, if it still asks for these bytes; else they wait."""
        self.active = [other for other in self.active if other is not part]
        self._waiting.append(Range(part.position, part.end, given_back=True))
        for gap in sorted(self._waiting, key=lambda gap: gap.position):
            for other in self.active:
                if other.size and other.end == gap.position and other.asked >= gap.end:
                    other.end = gap.end
                    self._waiting.remove(gap)
                    break

    def only(self, part: Range) -> None:
        """Nothing but ``part`` is missing now."""
        self.active, self._waiting = [part], []

    def measure(self, now: float) -> None:
        for part in self.active:
            part.measure(now)

    @property
    def usual_rate(self) -> float:
        """What a connection brings, in bytes a second; 0 while that is not known."""
        rates = [part.rate for part in self.active if part.rate is not None]
        return sum(rates) / len(rates) if rates else 0.0

    @property
    def seconds_left(self) -> float:
        """Until the last range is there, if no other connection helps; 0 while that is not known."""
        usual = self.usual_rate
        return max((_seconds(part, usual) for part in self.active), default=0.0)

    def _share(self) -> Range | None:
        """The end of the slowest range: as much of it as makes both be there at the same time."""
        usual = self.usual_rate
        slowest = max(self.active, key=lambda part: _seconds(part, usual), default=None)
        if slowest is None or _seconds(slowest, usual) < WORTHWHILE:
            return None
        rate = usual if slowest.rate is None else slowest.rate
        if rate >= FAST:
            return None
        kept = int(slowest.size * rate / (rate + usual))
        if kept < LEAST and slowest.rate is not None:
            kept = 0
        taken = Range(slowest.position + kept, slowest.end, given_back=slowest.given_back)
        slowest.end = taken.position
        return taken


def _seconds(part: Range, usual: float) -> float:
    rate = usual if part.rate is None else part.rate
    if not usual:
        return 0.0
    return part.size / rate if rate else math.inf
