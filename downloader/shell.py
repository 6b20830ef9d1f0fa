"""One download from the shell."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import PurePosixPath
from urllib.parse import urlsplit

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


class Losses:
    """A ``Sink`` that remembers what was lost, and never stops the run."""

    draining = False
    finishing = False
    asked_again = ()

    def __init__(self) -> None:
        self.lost: list[PieceResult] = []

    def report(self, progress: ports.Progress, results: Sequence[PieceResult]) -> None:
        """Take in what was lost."""
        del progress
        self.lost += [result for result in results if result.failure is not None]

    def ended(self, progress: ports.Progress, results: Sequence[PieceResult]) -> None:
        """The same."""
        self.report(progress, results)

    def left(self, _: ports.Progress) -> None:
        """It never stops."""


def download(downloader: ports.Downloader, source: Source) -> int:
    """Fetch ``source``, tell every loss; 0 when nothing is missing, else 1. A terminal is shown a progress bar."""
    with _sink() as sink:
        outcome = downloader.fetch(source, sink)
    for result in sink.lost:
        _say(f"missing: {result.key}: {result.failure.message if result.failure else ''}")
    _say(_summary(outcome))
    if outcome.storage_path is not None:
        print(outcome.storage_path)  # noqa: T201 - the result, for the next command in a pipe
    return 0 if outcome.pieces and outcome.stored == outcome.pieces else 1


def _sink() -> AbstractContextManager[Losses]:
    if not sys.stderr.isatty():
        return nullcontext(Losses())
    from downloader.progress_bar import progress_bar  # noqa: PLC0415 - takes 25 ms, for nothing elsewhere

    return progress_bar()


def _say(line: str) -> None:
    print(line, file=sys.stderr)  # noqa: T201 - for the person at the shell


def _summary(outcome: FetchOutcome) -> str:
    if not outcome.pieces:
        return f"Nothing was stored: {outcome.note}"
    return f"{outcome.stored} of {outcome.pieces} pieces stored, {outcome.bytes_stored} bytes"
