"""Where every segment of a run stands: the engine's loop writes it piece by piece, the run's thread reads it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from domain.piece_map import PieceTrack, runs_of, write
from domain.values import PieceState

if TYPE_CHECKING:
    from downloader.playlist_model import Segment


class TrackBoard:
    """One byte a segment. Writing one, and copying all, are atomic."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._states = bytearray()
        self._duration = 0.0
        self._shown: tuple[bytes, PieceTrack] = (b"", PieceTrack(name, ""))

    def extend(self, segments: Iterable[tuple[Segment, bool]]) -> None:
        """The playlist lists these too; each with whether it is stored."""
        for segment, stored in segments:
            open_or_gap = PieceState.GAP if segment.gap else PieceState.WAITING
            self._states.append(ord(PieceState.STORED if stored else open_or_gap))
            self._duration += segment.duration

    def put(self, segment: Segment, state: PieceState) -> None:
        """A gap stays one until it is stored."""
        if not segment.gap or state is PieceState.STORED:
            self._states[segment.index] = ord(state)

    def show(self) -> PieceTrack:
        """As it now is; for 20,000 segments, unchanged ones cost a comparison, others half a millisecond."""
        states = bytes(self._states)
        if states != self._shown[0]:
            self._shown = states, PieceTrack(self._name, runs_of(states), self._duration)
        return self._shown[1]


class Board:
    """The tracks of a run, in the order in which they were opened."""

    def __init__(self) -> None:
        self._tracks: dict[str, TrackBoard] = {}
        self._written: str | None = None

    def track(self, name: str) -> TrackBoard:
        return self._tracks.setdefault(name, TrackBoard(name))

    def news(self) -> str | None:
        """The map as a row keeps it; None when it is as the last call found it, or there is none."""
        written = write(board.show() for board in list(self._tracks.values())) or None
        if written == self._written:
            return None
        self._written = written
        return written
