"""The piece map: where every piece of a task stands, run-length coded, for people to look at.

A run writes what it alone knows: stored, in flight, waiting, gap. Failures are rows, and their users decide on them
between runs; so the two are put together when somebody looks.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from domain.values import FailureStatus, PieceState, ResourceType, TaskStatus

_RUN = re.compile(rb"(.)\1*", re.DOTALL)
_RUNS = re.compile(r"([a-z])([0-9]+)")
_SEGMENT = re.compile(r"/hls/([a-z]+(?:_[0-9]+)?)/segment_([0-9]{6,9})_")
_FILE = re.compile(r"/(mp4|image)/")


@dataclass(frozen=True, slots=True)
class PieceTrack:
    """The pieces of one playlist, or a whole file. ``duration`` in seconds, of all its pieces."""

    name: str
    runs: str
    duration: float | None = None

    @property
    def total(self) -> int:
        """How many pieces it has, so far."""
        return sum(int(count) for _, count in _RUNS.findall(self.runs))


@dataclass(frozen=True, slots=True)
class Written:
    """What the row of a task says. ``pieces`` is None until a run knows them, and for whole files."""

    pieces: str | None
    resource_type: ResourceType
    status: TaskStatus
    running: bool
    segments_total: int | None


@dataclass(frozen=True, slots=True)
class LostPiece:
    """A failure, as far as the map shows it."""

    piece_key: str
    status: FailureStatus


def place_of(piece_key: str | None) -> tuple[str, int] | None:
    """Track and index of a piece by its key; None for what is no piece of a track: a playlist, or nothing known."""
    if found := _SEGMENT.search(piece_key or ""):
        return found[1], int(found[2])
    if found := _FILE.search(piece_key or ""):
        return found[1], 0
    return None


def runs_of(states: bytes) -> str:
    """``b"sssff"`` → ``s3f2``."""
    return "".join(f"{run[1].decode()}{len(run[0])}" for run in _RUN.finditer(states))


def states_of(runs: str) -> bytearray:
    """``s3f2`` → ``b"sssff"``."""
    return bytearray().join(state.encode() * int(count) for state, count in _RUNS.findall(runs))


def write(tracks: Iterable[PieceTrack]) -> str:
    """One line a track, as a row keeps it."""
    return "\n".join(f"{track.name} {track.duration or 0:.3f} {track.runs}" for track in tracks)


def read(text: str) -> Iterator[PieceTrack]:
    """What ``write`` wrote."""
    for line in text.splitlines():
        name, duration, runs = line.split(" ")
        yield PieceTrack(name, runs, float(duration))


def piece_map(written: Written, losses: Iterable[LostPiece]) -> list[PieceTrack]:
    """The tracks as they now stand, the main one first; none while nobody knows them."""
    tracks = {track.name: track for track in _tracks(written)}
    states = {name: states_of(track.runs) for name, track in tracks.items()}
    for loss in losses:
        name, index = place_of(loss.piece_key) or ("", 0)
        if index < len(states.get(name, b"")):
            states[name][index] = _state(states[name][index], loss.status)
    if not written.running:  # what was in flight when its run ended is not any more
        in_flight, waiting = PieceState.IN_FLIGHT.encode(), PieceState.WAITING.encode()
        states = {name: each.replace(in_flight, waiting) for name, each in states.items()}
    return [PieceTrack(name, runs_of(bytes(states[name])), track.duration) for name, track in tracks.items()]


def _tracks(written: Written) -> Iterator[PieceTrack]:
    completed = written.status is TaskStatus.COMPLETED
    if written.resource_type is not ResourceType.HLS:
        state = PieceState.STORED if completed else PieceState.IN_FLIGHT
        yield PieceTrack(written.resource_type.value, f"{state}1")
    elif written.pieces is not None:
        yield from read(written.pieces)
    elif completed and written.segments_total:  # from before there were maps
        yield PieceTrack("ts", f"{PieceState.STORED}{written.segments_total}")


def _state(now: int, status: FailureStatus) -> int:
    if status is FailureStatus.ABANDONED:
        return ord(PieceState.ABANDONED)
    if status is FailureStatus.RETRYING or now == ord(PieceState.GAP):
        return now
    return ord(PieceState.FAILED)
