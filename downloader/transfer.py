"""What a fetch and the run that waits for it share: two threads, one writes, the other reads."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from dataclasses import dataclass, field

from domain.ports import PieceResult, Progress, Source
from downloader.board import Board

OVERDUE = 3.0  # seconds without a report, which is due every half second
PAUSE = 0.05  # seconds


@dataclass
class Transfer:
    """The engine's loop counts here; the run's thread takes snapshots.

    Single attribute writes and deque operations are atomic, so no lock is needed.
    """

    source: Source
    bytes_stored: int = 0
    bytes_in_flight: int = 0
    bytes_total: int | None = None
    segments_stored: int = 0
    segments_total: int | None = None
    is_live: bool = False
    draining: bool = False
    reported_at: float = field(default_factory=time.monotonic)
    ending: asyncio.Event = field(default_factory=asyncio.Event)
    asked_again: asyncio.Queue[frozenset[str]] = field(
        default_factory=asyncio.Queue
    )  # keys; for the engine's loop alone
    board: Board = field(default_factory=Board)
    _results: deque[PieceResult] = field(default_factory=deque)

    def add(self, result: PieceResult) -> None:
        """Report what became of a piece."""
        self._results.append(result)

    def end(self, *, draining: bool) -> None:
        """Follow no playlist any further; when ``draining``, also begin no more pieces. For the engine's loop alone."""
        self.draining = self.draining or draining
        self.ending.set()

    async def until_reported(self) -> None:
        """Return at once, unless a report is overdue, as in a process that slept: the task may be another run's by now.

        Then what is begun before the report that finds out would be fetched for a second time.
        """
        while time.monotonic() - self.reported_at > OVERDUE:  # noqa: ASYNC110 - the run's thread sets it
            await asyncio.sleep(PAUSE)

    def take_results(self) -> list[PieceResult]:
        """What happened since the last call, in order."""
        return [self._results.popleft() for _ in range(len(self._results))]

    def progress(self) -> Progress:
        """How far it is now; of the piece map, what is new since the last call."""
        return Progress(
            bytes_downloaded=self.bytes_stored + self.bytes_in_flight,
            bytes_total=self.bytes_total,
            segments_downloaded=self.segments_stored,
            segments_total=self.segments_total,
            is_live=self.is_live,
            pieces=self.board.news(),
        )
