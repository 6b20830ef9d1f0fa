"""The way to a downloader, and from it into the storage."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol

from domain.values import FailedResourceType, FailureType, ResourceType

Headers = tuple[tuple[str, str], ...]


class PieceNames(Protocol):
    """The keys of one task's pieces: from its row and the position in the playlist, never from a URL."""

    @property
    def folder(self) -> str:
        """Everything of the task lies under it; ends in ``/``."""

    @property
    def hls_folder(self) -> str: ...

    @property
    def playlist(self) -> str:
        """The main media playlist as fetched: ``fetched_playlist`` of the track ``ts``."""

    @property
    def master_playlist(self) -> str: ...

    @property
    def local_playlist(self) -> str: ...

    @property
    def mapping(self) -> str: ...

    @property
    def digests(self) -> str: ...

    @property
    def mp4(self) -> str: ...

    def fetched_playlist(self, track: str) -> str:
        """Of one track: ``ts`` for the main playlist, ``audio_{n}`` or ``subtitles_{n}`` for a rendition."""

    def local_track(self, track: str) -> str:
        """The local playlist of one track, where ``local_playlist`` is a master playlist that names it."""

    def recording(self, part: int, track: str) -> str:
        """A part of what a live track has listed so far."""

    def segment(self, index: int, extension: str, track: str = "ts") -> str: ...

    def initialization(self, number: int, track: str = "ts") -> str: ...

    def image(self, extension: str) -> str: ...


class Storage(Protocol):
    """Files by key. A file is under its key whole or not at all."""

    @property
    def is_remote(self) -> bool:
        """Whether files are elsewhere: keeping one takes the network's time, and until then it lies in scratch.

        Then no method that names a key may be called on an event loop, but for ``scratch`` and ``path``.
        """

    def scratch(self, key: str, run_number: int) -> Path:
        """Where a run writes before it publishes; its folder exists, the file need not. Raises StorageError."""

    def partial(self, key: str) -> Path:
        """Where a large file grows over several runs; its folder exists, the file need not. Raises StorageError.

        Whoever writes to it holds its lock. Purging and publishing take it away, clearing scratch does not.
        """

    def trim_partials(self, most: int, spare: Path | None = None) -> int:
        """Remove partial files that nobody writes to, the oldest first, until the rest has at most ``most`` bytes.

        How many it has. ``spare`` is neither removed nor counted. Raises StorageError.
        """

    def publish(self, scratch: Path, key: str) -> None:
        """Move a finished file under its key, in one step. Raises StorageError."""

    def write(self, key: str, data: bytes) -> None:
        """Put ``data`` under ``key`` in one step. Raises StorageError."""

    def read(self, key: str) -> bytes | None:
        """A small file, None when there is none. Raises StorageError."""

    def blocks(self, key: str) -> Iterator[bytes]:
        """The content of a file of any size, none when there is none. Raises StorageError."""

    def size(self, key: str) -> int | None:
        """Its bytes, None when there is none. Raises StorageError."""

    def sizes(self, prefix: str) -> dict[str, int]:
        """Bytes of every file published under ``prefix``, by key; scratch files are not among them."""

    def path(self, key: str) -> Path | None:
        """The file of ``key`` on this machine, None when there is none here."""

    def url(
        self, key: str, seconds: int, method: Literal["GET", "HEAD"] = "GET", *, download: bool = False
    ) -> str | None:
        """Where anyone may fetch ``key`` for so long, with ranges; None when ``path`` is all there is.

        A ``download`` is to be saved by a browser, and not shown.

        Raises StorageError. That there is such a file is not looked at.
        """

    def clear_scratch(self, prefix: str, *, before_run: int | None = None) -> None:
        """Remove scratch files under ``prefix``, of runs before ``before_run`` when it is given."""

    def has_room(self) -> bool:
        """Whether there is the free space that the deployment wants to keep, and so room for more."""

    def answers(self) -> bool:
        """Whether files can be kept right now."""

    def purge(self, prefix: str) -> None:
        """Remove everything under ``prefix``. Removing nothing is no error. Raises StorageError."""


@dataclass(frozen=True, slots=True)
class Source:
    """What a run fetches. ``skip`` holds the keys of pieces that this run must not try."""

    url: str = field(repr=False)
    resource_type: ResourceType
    names: PieceNames
    run_number: int
    headers: Headers = field(default=(), repr=False)
    max_height: int | None = None
    skip: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class PieceFailure:
    """Why a piece did not arrive. ``message`` begins with the cause and holds no URL."""

    failure_type: FailureType
    message: str


@dataclass(frozen=True, slots=True)
class PieceResult:
    """What became of one piece: stored under ``key`` when ``failure`` is None."""

    key: str
    url: str = field(repr=False)
    resource_type: FailedResourceType
    segment_index: int | None = None
    failure: PieceFailure | None = None


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a run is. Bytes count what is stored and what is on its way.

    ``pieces`` is the piece map as ``domain.piece_map.write`` writes it; None when nothing new is known of it.
    """

    bytes_downloaded: int = 0
    bytes_total: int | None = None
    segments_downloaded: int = 0
    segments_total: int | None = None
    is_live: bool = False
    pieces: str | None = None

    @property
    def fraction(self) -> float:
        """0 to 1: by segments where there are segments, else by bytes; 0 while the total is unknown."""
        done, total = (
            (self.segments_downloaded, self.segments_total)
            if self.segments_total is not None
            else (self.bytes_downloaded, self.bytes_total)
        )
        return min(1.0, done / total) if total else 0.0


@dataclass(frozen=True, slots=True)
class MediaFacts:
    """Measured, never assumed. Duration in seconds."""

    duration: float | None
    width: int | None
    height: int | None
    format: str
    cover_path: str | None = None  # the key of a still picture


@dataclass(frozen=True, slots=True)
class FetchOutcome:
    """How a fetch ended.

    ``pieces`` counts what the result consists of: the segments of all tracks and one for each playlist that was lost
    or has not come to its end, or 1 for a whole file; 0 when not even that is known.
    ``storage_path`` is None when nothing is stored; ``facts`` when what is stored cannot be read as media.
    """

    pieces: int
    stored: int
    bytes_stored: int = 0
    storage_path: str | None = None
    facts: MediaFacts | None = None
    note: str | None = None


class Sink(Protocol):
    """The run, as the downloader sees it. Called from the run's own thread."""

    @property
    def draining(self) -> bool:
        """The worker is stopping: let the pieces in flight end and begin no more."""

    @property
    def finishing(self) -> bool:
        """The user wants the recording to end now: fetch what it has listed, and follow it no further."""

    @property
    def asked_again(self) -> Collection[str]:
        """Keys of pieces that a recording has lost and is to try again while it runs, each told once."""

    def report(self, progress: Progress, results: Sequence[PieceResult]) -> None:
        """Take in what happened since the last call. Raises RunStopped when the run must stop."""

    def ended(self, progress: Progress, results: Sequence[PieceResult]) -> None:
        """Take in what happened since the last call, at the end of the fetch: it is written with the outcome."""

    def left(self, progress: Progress) -> None:
        """The run was stopped and writes nothing more: where it stood in the end."""


class Downloader(Protocol):
    """Network to storage. Knows no user, task or SQL."""

    def fetch(self, source: Source, sink: Sink) -> FetchOutcome:
        """Fetch every piece that is neither stored nor skipped; blocks until the end.

        Calls ``sink.report`` about every 0.5 s, also when nothing arrives, and once before it returns.
        A piece that fails is a result; nothing but RunStopped (raised by the sink) leaves this call.
        """
