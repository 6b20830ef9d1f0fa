"""What a terminal shows while one download runs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TaskID, TextColumn, TransferSpeedColumn

from domain import ports
from domain.ports import PieceResult
from downloader.shell import Losses


class ProgressBar(Losses):
    """Draws, too."""

    def __init__(self, bar: Progress) -> None:
        super().__init__()
        self._bar = bar
        self._line: TaskID = bar.add_task("connecting", total=None)

    def report(self, progress: ports.Progress, results: Sequence[PieceResult]) -> None:
        super().report(progress, results)
        stored, total = progress.segments_downloaded, progress.segments_total
        self._bar.update(
            self._line,
            completed=progress.bytes_downloaded,
            total=progress.bytes_total,
            description=f"{stored} of {total} segments" if total is not None else "downloading",
        )


@contextmanager
def progress_bar() -> Iterator[ProgressBar]:
    """Drawn on standard error until the context ends."""
    columns = TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn()
    with Progress(*columns, console=Console(stderr=True)) as bar:
        yield ProgressBar(bar)
