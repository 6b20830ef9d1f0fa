"""One download from the shell, with a progress bar."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePosixPath
from urllib.parse import urlsplit

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TaskID, TextColumn, TransferSpeedColumn

from domain import ports
from domain.ports import FetchOutcome, PieceResult, Source
from domain.values import ResourceType

PLAYLISTS = frozenset({".m3u8", ".m3u"})
IMAGES = frozenset({".jpg", ".jpeg", ".png", ".gif", ".webp", ".avif", ".heic", ".bmp"})


def guess_type(url: str) -> ResourceType:
    """By the extension of the URL's path; a file where there is none."""
    extension = PurePosixPath(urlsplit(url).path).suffix.lower()
    if extension in PLAYLISTS:
        return ResourceType.HLS
    return ResourceType.IMAGE if extension in IMAGES else ResourceType.MP4


class ProgressBar:
    """A ``Sink`` that draws, and remembers what was lost."""

    draining = False
    finishing = False

    def __init__(self, bar: Progress) -> None:
        self.lost: list[PieceResult] = []
        self._bar = bar
        self._line: TaskID = bar.add_task("connecting", total=None)

    def report(self, progress: ports.Progress, results: Sequence[PieceResult]) -> None:
        """Never stops the run."""
        self.lost += [result for result in results if result.failure is not None]
        stored, total = progress.segments_downloaded, progress.segments_total
        self._bar.update(
            self._line,
            completed=progress.bytes_downloaded,
            total=progress.bytes_total,
            description=f"{stored} of {total} segments" if total is not None else "downloading",
        )

    def left(self, _: ports.Progress) -> None:
        """It never stops."""


def download(downloader: ports.Downloader, source: Source) -> int:
    """Fetch ``source``, tell every loss; 0 when nothing is missing, else 1."""
    console = Console(stderr=True)
    columns = TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn()
    with Progress(*columns, console=console) as bar:
        sink = ProgressBar(bar)
        outcome = downloader.fetch(source, sink)
    for result in sink.lost:
        console.print(f"missing: {result.key}: {result.failure.message if result.failure else ''}", markup=False)
    console.print(_summary(outcome), markup=False)
    if outcome.storage_path is not None:
        print(outcome.storage_path)  # noqa: T201 - the result, for the next command in a pipe
    return 0 if outcome.pieces and outcome.stored == outcome.pieces else 1


def _summary(outcome: FetchOutcome) -> str:
    if not outcome.pieces:
        return f"Nothing was stored: {outcome.note}"
    return f"{outcome.stored} of {outcome.pieces} pieces stored, {outcome.bytes_stored} bytes"
