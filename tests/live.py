"""A live stream that a test moves on by hand, and fetches to watch."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from uuid import uuid4

from domain.errors import RunStopped
from domain.ports import FetchOutcome, PieceResult, Progress, Source
from domain.values import ResourceType
from downloader.client import Client
from downloader.engine import Engine
from downloader.limits import Limits
from storage.keys import Names
from storage.local import LocalStorage
from tests import media
from tests.builders import NOW
from tests.fetching import local
from tests.origin import Origin

SECONDS = 0.5  # of one segment


class LiveStream:
    """Segments at an origin, and a playlist that lists some of them."""

    def __init__(self, origin: Origin, segments: int = 12, name: str = "live") -> None:
        self._origin, self._name = origin, name
        self.segments = media.hls_vod(segments, SECONDS).segments
        self.path = f"/{name}/index.m3u8"
        self.url = origin.url(self.path)
        for index, body in enumerate(self.segments):
            origin.put(self.segment(index), body)

    def segment(self, index: int) -> str:
        """The path of a segment."""
        return f"/{self._name}/segment_{index}.ts"

    def show(self, *indexes: int, sequence: int | None = None, ended: bool = False, kind: str = "") -> None:
        """List these segments; the first has the media sequence number ``sequence``, its own index unless told."""
        lines = [
            "#EXTM3U",
            "#EXT-X-VERSION:3",
            "#EXT-X-TARGETDURATION:1",
            f"#EXT-X-MEDIA-SEQUENCE:{indexes[0] if sequence is None else sequence}",
            *([f"#EXT-X-PLAYLIST-TYPE:{kind}"] if kind else []),
            *(line for index in indexes for line in (f"#EXTINF:{SECONDS},", f"segment_{index}.ts")),
            *(["#EXT-X-ENDLIST"] if ended else []),
            "",
        ]
        self._origin.put(self.path, "\n".join(lines).encode())

    @property
    def loads(self) -> int:
        """How often the playlist was asked for."""
        return self._origin.hits(self.path)

    def wait_for_loads(self, n: int = 1) -> None:
        """Return when the playlist has been asked for ``n`` more times."""
        self._origin.wait_for_hits(self.path, self.loads + n)

    def wait_for(self, *indexes: int) -> None:
        """Return when these segments have been asked for."""
        for index in indexes:
            self._origin.wait_for_hits(self.segment(index))


class Run:
    """One fetch in a thread of its own, and the sink that watches it."""

    def __init__(self, engine: Engine, source: Source) -> None:
        self.draining = self.finishing = self.stopped = False
        self._again: list[str] = []
        self.progress = Progress()
        self.pieces = ""  # the piece map, as a row would hold it
        self.results: dict[str, PieceResult] = {}
        self._outcome: FetchOutcome | None = None
        self._reported = threading.Condition()
        self._thread = threading.Thread(target=self._run, args=(engine, source), daemon=True)
        self._thread.start()

    def ask_again(self, *keys: str) -> None:
        """For pieces that were lost."""
        self._again += keys

    @property
    def asked_again(self) -> list[str]:
        keys, self._again = self._again, []
        return keys

    def report(self, progress: Progress, results: Sequence[PieceResult]) -> None:
        with self._reported:
            self.progress, self.pieces = progress, progress.pieces or self.pieces
            self.results |= {result.key: result for result in results}
            self._reported.notify_all()
        if self.stopped:
            raise RunStopped

    def ended(self, progress: Progress, results: Sequence[PieceResult]) -> None:
        self.report(progress, results)

    def left(self, progress: Progress) -> None:
        self.progress, self.pieces = progress, progress.pieces or self.pieces

    def wait_for_segments(self, n: int) -> None:
        """Return when so many are stored."""
        with self._reported:
            assert self._reported.wait_for(lambda: self.progress.segments_downloaded >= n, 10), self.progress

    def wait_for_loss(self) -> tuple[int | None, str, str]:
        """The first piece that did not arrive, once there is one."""
        with self._reported:
            assert self._reported.wait_for(lambda: self.lost, 10)
            return self.lost[0]

    @property
    def outcome(self) -> FetchOutcome:
        """How it ended; waits for that."""
        self._thread.join(20)
        assert self._outcome is not None
        return self._outcome

    def stop(self) -> None:
        """As a pause does, and wait until it has ended."""
        self.stopped = True
        self._thread.join(20)
        assert not self._thread.is_alive()

    @property
    def lost(self) -> list[tuple[int | None, str, str]]:
        """Index, URL and message of each piece that did not arrive."""
        failed = [result for result in self.results.values() if result.failure is not None]
        return [(each.segment_index, each.url, each.failure.message) for each in failed if each.failure]

    def _run(self, engine: Engine, source: Source) -> None:
        with suppress(RunStopped):
            self._outcome = engine.fetch(source, self)


class Downloads:
    """An engine over a folder, for runs of one task."""

    def __init__(self, engine: Engine, folder: Path) -> None:
        self._engine, self._folder = engine, folder
        self.names = Names(uuid4(), NOW)
        self._run = 0

    def start(self, url: str, *, skip: frozenset[str] = frozenset(), max_height: int | None = None) -> Run:
        """The task's next run."""
        self._run += 1
        source = Source(url, ResourceType.HLS, self.names, self._run, skip=skip, max_height=max_height)
        return Run(self._engine, source)

    def path(self, key: str) -> Path:
        return self._folder / key

    @property
    def playlist(self) -> str:
        """The local playlist; empty while there is none."""
        path = self.path(self.names.local_playlist)
        return path.read_text("utf-8") if path.exists() else ""

    @property
    def listed(self) -> list[str]:
        """What the local playlist lists, in short: ``0``, ``gap 1``, ``/2`` after a discontinuity."""
        return short(self.playlist)

    def stored(self, track: str = "ts") -> list[bytes]:
        """The segments, in order."""
        folder = self.path(self.names.segment(0, "", track)).parent
        return [path.read_bytes() for path in sorted(folder.glob("segment_*"))]


def short(playlist: str) -> list[str]:
    """The index of each segment; ``gap`` before one that is missing, ``/`` before one behind a discontinuity."""
    shown, mark = [], ""
    for line in playlist.splitlines():
        if line == "#EXT-X-GAP":
            mark += "gap "
        elif line == "#EXT-X-DISCONTINUITY":
            mark += "/"
        elif line and not line.startswith("#"):
            shown.append(f"{mark}{int(line.split('_')[1])}")
            mark = ""
    return shown


@contextmanager
def downloads(origin: Origin, folder: Path, **limits: float) -> Iterator[Downloads]:
    """``limits`` are those of ``downloader.limits.Limits``."""
    with Engine(LocalStorage(folder), lambda: Client(local(origin.port)), Limits(**limits)) as engine:  # type: ignore[arg-type]  # integers, but for one
        yield Downloads(engine, folder)
