"""One track of a stream: a media playlist, and what became of each of its segments."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection, Mapping
from typing import TYPE_CHECKING

from domain.values import FailedResourceType, PieceState
from downloader.fetch import arrived, lost
from downloader.hls_files import TrackFiles
from downloader.local_playlist import LocalPlaylist
from downloader.verify import Container, Expected

if TYPE_CHECKING:
    from domain.errors import TransferError
    from downloader.piece import Stored
    from downloader.playlist_model import Segment
    from downloader.timeline import Timeline
    from downloader.transfer import Transfer

MAIN = "ts"
"""The track of the main playlist; those of renditions are ``audio_{n}`` and ``subtitles_{n}``."""


class Track:
    """A segment of it is stored, lost, or open. Segments come all at once, or as they are announced."""

    def __init__(self, name: str, timeline: Timeline, transfer: Transfer, sizes: Mapping[str, int]) -> None:
        """``sizes`` are those of all files of the stream, as an earlier run has left them."""
        self.name = name
        self.timeline = timeline
        self.files = TrackFiles(transfer.source.names, name, sizes, transfer.source.skip)
        self.local = self.new_local_playlist()
        self._board = transfer.board.track(name)
        self.announced = 0  # segments that may be fetched: what the timeline has gained must be saved first
        self.closed = asyncio.Event()  # nothing more will be announced
        self._transfer = transfer
        self._lost: set[int] = set()
        self._unnamed: list[tuple[Segment, TransferError]] = []
        self._news = asyncio.Event()
        self._loaded = asyncio.Event()
        self.announce()
        self.files.forget_what_was_found()

    def new_local_playlist(self) -> LocalPlaylist:
        return LocalPlaylist(
            self.timeline,
            segment_name=lambda segment: self.files.beside(self.files.key(segment)),
            map_name=lambda section: self.files.beside(self.files.map_key(section)),
        )

    @property
    def pieces(self) -> int:
        """Its segments; and a playlist that was lost, or has not come to its end, is one piece more."""
        return self.announced + (not self.timeline.ended)

    @property
    def is_empty(self) -> bool:
        """It has nothing and will have nothing."""
        return self.closed.is_set() and not self.announced

    @property
    def segments(self) -> list[Segment]:
        """All so far."""
        return self.timeline.segments[: self.announced]

    # --- what there is to fetch ---

    def announce(self) -> None:
        """What the timeline has gained is there for all."""
        gained = self.timeline.segments[self.announced :]
        self.files.extend(gained)
        self._board.extend((segment, self.files.has(segment)) for segment in gained)
        self.announced = len(self.timeline.segments)
        self._news.set()

    def loaded(self) -> None:
        """The playlist was read again."""
        self._loaded.set()
        self._loaded = asyncio.Event()

    def close(self) -> None:
        self.closed.set()
        self._news.set()
        self._loaded.set()

    async def follow(self) -> AsyncIterator[Segment]:
        """Every segment in its turn, until the track is closed."""
        index = 0
        while True:
            while index < self.announced:
                yield self.timeline.segments[index]
                index += 1
            if self.closed.is_set():
                return
            self._news.clear()
            await self._news.wait()

    async def still_listed(self, segment: Segment) -> bool:
        """Whether the live playlist lists ``segment`` when it is next read."""
        if not self.closed.is_set():
            await self._loaded.wait()
        return not self.closed.is_set() and segment.index >= self.timeline.window_start

    def latest(self, segment: Segment) -> Segment:
        """What to ask for: its place and its name stay, its URLs may have been renewed."""
        return self.timeline.latest(segment)

    # --- what became of it ---

    def begin(self, segment: Segment) -> None:
        """It is being fetched."""
        self._board.put(segment, PieceState.IN_FLIGHT)

    def arrived(self, segment: Segment, stored: Stored | None = None) -> None:
        """It is stored: just now, or by an earlier run."""
        if stored is not None:
            self.files.add(segment, stored)
            self._transfer.segments_stored += 1
            self._board.put(segment, PieceState.STORED)
        key = self.files.key(segment) if stored is None else stored.key
        self._transfer.add(arrived(key, segment.url, FailedResourceType.TS, segment.index))

    def skip(self, segment: Segment) -> None:
        """It was lost, and this run must not try it."""
        self._lost.add(segment.index)

    def take_back(self, keys: Collection[str]) -> list[Segment]:
        """Those of the lost segments that go by ``keys``; they are open again."""
        lost = [self.timeline.segments[index] for index in sorted(self._lost)]
        asked = [segment for segment in lost if not self.files.has(segment) and self.files.key(segment) in keys]
        self._lost.difference_update(segment.index for segment in asked)
        return asked

    def lose(self, segment: Segment, error: TransferError) -> None:
        """A failure row carries the key, and a key the extension: it waits until a first piece shows that."""
        self._board.put(segment, PieceState.WAITING)
        self._unnamed.append((segment, error))
        if self.files.extension_known:
            self.report_unnamed()

    def report_unnamed(self) -> None:
        for segment, error in self._unnamed:
            key = self.files.key(segment)
            self._transfer.add(lost(key, self.latest(segment).url, FailedResourceType.TS, error, segment.index))
            self._lost.add(segment.index)
        self._unnamed.clear()

    def key_for(self, segment: Segment, container: Container) -> str:
        """The key of a piece whose content is known by now."""
        self.files.settle_extension(container)
        self.report_unnamed()
        return self.files.key(segment)

    def expects(self, segment: Segment) -> Expected:
        """What its place in the playlist says that it is."""
        if segment.map is not None:
            return Expected.FRAGMENT
        return Expected.SUBTITLE if self.name.startswith("subtitles") else Expected.SEGMENT

    def is_stored(self, segment: Segment) -> bool | None:
        """None while it is open."""
        return self.files.has(segment) or (False if segment.index in self._lost else None)

    def keep_listed(self, count: int, *, ended: bool) -> None:
        """An earlier run has listed ``count`` segments: those of them that are open now stay gaps until the end.

        When the list had ``ended``, this run repairs it, and it stays as it is until then.
        """
        self._lost.update(segment.index for segment in self.segments[:count] if not self.files.has(segment))
        if ended and count >= len(self.segments) and self.timeline.ended:
            self.local.count = count
