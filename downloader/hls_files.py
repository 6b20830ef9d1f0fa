"""The files of one stream: which pieces are there, what they are called, and what is written beside them."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from domain.errors import TransferError
from domain.ports import FetchOutcome, MediaFacts
from downloader.digests import digest_lines
from downloader.fetch import Fetch, last_part
from downloader.local_playlist import render
from downloader.verify import Container

if TYPE_CHECKING:
    from downloader.piece import Stored
    from downloader.playlist_model import Map, MediaPlaylist, Segment

AFTER_MAP = ".m4s"
PACKED_AUDIO = Container.AUDIO.extension
OTHERWISE = Container.TS.extension


class HlsFiles:
    """Names come from the position in the playlist; files that exist are the resume state."""

    def __init__(self, fetch: Fetch, media: MediaPlaylist) -> None:
        self._fetch, self._media, self._names = fetch, media, fetch.source.names
        self._sizes = fetch.storage.sizes(self._names.hls_folder)
        self._digests: dict[str, str] = {}
        self._map_numbers = {section: number for number, section in enumerate(media.maps)}
        self._extension = self._extension_so_far()

    # --- names ---

    def key(self, segment: Segment) -> str:
        extension = AFTER_MAP if segment.map is not None else self._extension or OTHERWISE
        return self._names.segment(segment.index, extension)

    def map_key(self, section: Map) -> str:
        return self._names.initialization(self._map_numbers[section])

    @property
    def extension_known(self) -> bool:
        """Whether a piece has shown what those without EXT-X-MAP are."""
        return self._extension is not None

    def settle_extension(self, container: Container) -> None:
        """A first piece shows what all of them are: packed audio, or not."""
        if self._extension is None:
            self._extension = PACKED_AUDIO if container is Container.AUDIO else OTHERWISE

    def _extension_so_far(self) -> str | None:
        known = {PurePosixPath(key).suffix for key in (*self._sizes, *self._fetch.source.skip)}
        return next((extension for extension in (PACKED_AUDIO, OTHERWISE) if extension in known), None)

    # --- what is there ---

    def has(self, segment: Segment) -> bool:
        return self.key(segment) in self._sizes

    def has_key(self, key: str) -> bool:
        return key in self._sizes

    def skipped(self, segment: Segment) -> bool:
        return self.key(segment) in self._fetch.source.skip

    @property
    def count(self) -> int:
        """Stored segments."""
        return sum(1 for segment in self._media.segments if self.has(segment))

    @property
    def size(self) -> int:
        """Bytes of the stored pieces: segments and initialization sections."""
        keys = {self.key(segment) for segment in self._media.segments}
        keys |= {self.map_key(section) for section in self._media.maps}
        return sum(size for key, size in self._sizes.items() if key in keys)

    def add(self, stored: Stored) -> None:
        self._sizes[stored.key] = stored.size
        self._digests[stored.key] = stored.digest

    # --- what is written beside them ---

    async def close(self, note: str | None) -> FetchOutcome:
        """Write the local playlist, the mapping and the digests, and measure what plays."""
        segments, stored = len(self._media.segments), self.count
        try:
            await self._fetch.in_thread(self._write_companions)
        except TransferError as error:
            return FetchOutcome(segments, stored, self.size, note=error.message)
        return FetchOutcome(
            pieces=segments,
            stored=stored,
            bytes_stored=self.size,
            storage_path=self._names.hls_folder if stored else None,
            facts=await self._measure() if stored else None,
            note=note,
        )

    def _write_companions(self) -> None:
        storage, names = self._fetch.storage, self._names
        storage.write(names.local_playlist, self._local_playlist().encode())
        storage.write(names.mapping, json.dumps(self._mapping(), ensure_ascii=False, indent=1).encode())
        storage.write(names.digests, digest_lines(storage, names, self._sizes, self._digests).encode())

    def _local_playlist(self) -> str:
        return render(
            self._media,
            segment_name=lambda segment: self._beside(self.key(segment)),
            map_name=lambda section: self._beside(self.map_key(section)),
            is_stored=self.has,
            ended=True,
        )

    def _mapping(self) -> dict[str, str]:
        """Original name → stored name. A name that several pieces share is told apart by their position."""
        mapping: dict[str, str] = {}
        for segment in self._media.segments:
            if self.has(segment):
                name = last_part(segment.url)
                name = f"{name}#{segment.index}" if name in mapping else name
                mapping[name] = PurePosixPath(self.key(segment)).name
        return mapping

    def _beside(self, key: str) -> str:
        return str(PurePosixPath(key).relative_to(self._names.hls_folder))

    async def _measure(self) -> MediaFacts | None:
        facts = await self._fetch.probe(self._names.local_playlist)
        if facts is None or self.count == len(self._media.segments):
            return facts
        # Players count the gaps in; what is there is shorter.
        return replace(facts, duration=sum(each.duration for each in self._media.segments if self.has(each)))
