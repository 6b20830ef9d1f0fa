"""What is written for players: local playlists that grow while the stream is fetched, and are whole at the end."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from domain.errors import TransferError
from domain.ports import FetchOutcome, MediaFacts
from downloader.digests import digest_lines
from downloader.fetch import Fetch, last_part
from downloader.hls_recorder import happens, uninterrupted
from downloader.hls_track import MAIN, Track

if TYPE_CHECKING:
    from downloader.hls_presentation import Presentation

FIRST_INTERVAL = 0.1  # seconds, until there is something to play
INTERVAL = 1.0
_quoted = json.JSONEncoder(ensure_ascii=False).encode  # kept: json.dumps makes one for each piece
BYTES_PER_SECOND = 4 * 1024 * 1024  # the playlists of a long recording are written less often


class HlsOutput:
    """The local playlists of all tracks, the files that describe the pieces, and the outcome."""

    def __init__(self, fetch: Fetch, presentation: Presentation, tracks: Sequence[Track]) -> None:
        self._fetch, self._presentation, self._tracks = fetch, presentation, tracks
        self._names, self._storage = fetch.source.names, fetch.storage
        self._has_master = len(tracks) > 1
        self._master_is_due = self._has_master

    def _key(self, track: Track) -> str:
        return self._names.local_track(track.name) if self._has_master else self._names.local_playlist

    # --- while it runs ---

    def resume(self) -> None:
        """What an earlier run has listed stays listed. Raises StorageError."""
        for track in self._tracks:
            text = self._storage.read(self._key(track)) or b""
            track.keep_listed(text.count(b"\n#EXTINF:"), ended=b"\n#EXT-X-ENDLIST" in text)

    async def grow(self, done: asyncio.Event) -> None:
        """List what is settled, about once a second, until ``done``."""
        interval = FIRST_INTERVAL
        while not await happens(done, within=interval):
            with suppress(TransferError):  # the pieces will tell, too
                written = await uninterrupted(self._fetch.in_thread(self._list_settled))
                interval = max(INTERVAL, written / BYTES_PER_SECOND) if written else interval

    def _list_settled(self) -> int:
        """Bytes of the playlists that have grown."""
        written = 0
        for track in self._tracks:
            if track.local.advance(track.announced, track.is_stored):
                text = track.local.render(ended=False)
                self._storage.write(self._key(track), text)
                written += len(text)
        if self._master_is_due and all(track.local.count or track.is_empty for track in self._tracks):
            self._write_master([track for track in self._tracks if track.local.count])
            self._master_is_due = False
        return written

    def _write_master(self, tracks: Iterable[Track]) -> None:
        names = {track.name: PurePosixPath(self._key(track)).name for track in tracks}
        self._storage.write(self._names.local_playlist, self._presentation.local_master(names))

    # --- at the end ---

    async def close(self, note: str | None = None) -> FetchOutcome:
        """Write what describes the pieces, and measure what plays."""
        for track in self._tracks:
            track.report_unnamed()
        pieces, stored = sum(track.pieces for track in self._tracks), sum(track.files.count for track in self._tracks)
        size = sum(track.files.size for track in self._tracks)
        if self._fetch.transfer.draining and stored < pieces:
            return FetchOutcome(pieces, stored, size)  # another run goes on
        try:
            await uninterrupted(self._fetch.in_thread(self._write_all))
        except TransferError as error:
            return FetchOutcome(pieces, stored, size, note=error.message)
        return FetchOutcome(
            pieces=pieces,
            stored=stored,
            bytes_stored=size,
            storage_path=self._names.hls_folder if stored else None,
            facts=await self._measure() if stored else None,
            note=note,
        )

    def _write_all(self) -> None:
        for track in self._tracks:
            track.local = track.new_local_playlist()  # repairs change what was listed
            track.local.advance(track.announced, track.files.has)
            if track.announced:
                self._storage.write(self._key(track), track.local.render(ended=True))
        if self._has_master:
            self._write_master(track for track in self._tracks if track.name == MAIN or track.files.count)
        self._storage.write(self._names.mapping, _bytes(self._mapping()))
        pieces = (piece for track in self._tracks for piece in track.files.pieces(track.segments))
        self._storage.write(self._names.digests, _bytes(digest_lines(self._storage, self._names, pieces)))

    def _mapping(self) -> Iterator[str]:
        """JSON: original name → stored name. A name that several pieces share is told apart by their position."""
        separator = "{"
        for track in self._tracks:
            folder, seen = "" if track.name == MAIN else f"{track.name}/", set[str]()
            for segment in filter(track.files.has, track.segments):
                name = last_part(segment.url)
                shown = f"{name}#{segment.index}" if name in seen else name
                seen.add(name)
                stored = track.files.key(segment).rpartition("/")[2]
                yield f"{separator}\n {_quoted(folder + shown)}: {_quoted(folder + stored)}"
                separator = ","
        yield "\n}" if separator == "," else "{}"

    async def _measure(self) -> MediaFacts | None:
        facts, main = await self._fetch.probe(self._names.local_playlist), self._tracks[0]
        if facts is None or main.files.count == main.announced:
            return facts
        # Players count the gaps in; what is there is shorter.
        return replace(facts, duration=sum(each.duration for each in main.segments if main.files.has(each)))


def _bytes(lines: Iterable[str]) -> bytes:
    """Line by line: 20,000 of them at once would be 6 MiB."""
    text = bytearray()
    for line in lines:
        text += line.encode()
    return bytes(text)
