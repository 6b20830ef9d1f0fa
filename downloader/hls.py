"""HTTP Live Streaming: a playlist, its segments, and what they need (RFC 8216)."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from typing import Generic, TypeVar

from domain.errors import StorageError, TransferError
from domain.ports import FetchOutcome
from domain.values import FailedResourceType
from downloader.decrypt import BLOCK
from downloader.fetch import Fetch, arrived, last_part, lost, refused_by_storage
from downloader.hls_files import HlsFiles
from downloader.invalid import invalid, unrecognised
from downloader.limits import MAX_KEY_BYTES
from downloader.piece import Cipher, Wanted, store
from downloader.playlist import choose_variant, parse
from downloader.playlist_model import Key, Map, MasterPlaylist, MediaPlaylist, Segment
from downloader.verify import Container, Expected

Value = TypeVar("Value")

GAP = invalid("gap", "the stream itself marks this segment as missing")


async def fetch_hls(fetch: Fetch) -> FetchOutcome:
    """Everything of a stream that is neither stored nor skipped."""
    names, add = fetch.source.names, fetch.transfer.add
    try:
        media = await _load(fetch)
    except PlaylistError as error:
        add(lost(names.playlist, error.url, FailedResourceType.M3U8, error.cause))
        return await _from_what_is_stored(fetch, error.cause)
    add(arrived(names.playlist, fetch.source.url, FailedResourceType.M3U8))
    return await HlsFetch(fetch, media).run()


class PlaylistError(Exception):
    """The playlist at ``url`` did not arrive, or is none."""

    def __init__(self, url: str, cause: TransferError) -> None:
        super().__init__(cause.message)
        self.url, self.cause = url, cause


async def _load(fetch: Fetch) -> MediaPlaylist:
    """The media playlist, by way of a master playlist if the URL is of one; both are kept as fetched."""
    url, names = fetch.source.url, fetch.source.names
    try:
        text, playlist = await _read(fetch, url)
        if isinstance(playlist, MasterPlaylist):
            fetch.storage.write(names.master_playlist, text)
            master, url = playlist, choose_variant(playlist, fetch.source.max_height).url
            text, playlist = await _read(fetch, url, master)
        if isinstance(playlist, MasterPlaylist):
            raise invalid("master playlist", "it lists a master playlist where a media playlist must be")
        if not (playlist.ended or playlist.playlist_type == "VOD"):
            raise invalid("live", "the stream has not ended, and live streams are not recorded yet")
        fetch.storage.write(names.playlist, text)
    except TransferError as error:
        raise PlaylistError(url, error) from error
    except StorageError as error:
        raise PlaylistError(url, refused_by_storage(error)) from error
    return playlist


async def _read(
    fetch: Fetch, url: str, master: MasterPlaylist | None = None
) -> tuple[bytes, MasterPlaylist | MediaPlaylist]:
    document = await fetch.document(url, fetch.limits.max_playlist_bytes)
    variables = master.variables if master is not None else {}
    limit = fetch.limits.max_segments  # 20,000 segments take 0.4 s to parse: not on the loop
    playlist = await fetch.in_thread(parse, document.body, document.url, max_segments=limit, imported=variables)
    return document.body, playlist


async def _from_what_is_stored(fetch: Fetch, cause: TransferError) -> FetchOutcome:
    """The playlist is out of reach, but an earlier run may have kept it: what that run stored still counts."""
    text = fetch.storage.read(fetch.source.names.playlist)
    if text is None:
        return FetchOutcome(0, 0, note=cause.message)
    try:
        media = await fetch.in_thread(parse, text, fetch.source.url, max_segments=fetch.limits.max_segments)
    except TransferError:
        return FetchOutcome(0, 0, note=cause.message)
    if isinstance(media, MasterPlaylist):
        return FetchOutcome(0, 0, note=cause.message)
    return await HlsFetch(fetch, media).close(cause.message)


class HlsFetch:
    """The pieces of one media playlist, ``limits.concurrency`` at a time."""

    def __init__(self, fetch: Fetch, media: MediaPlaylist) -> None:
        self._fetch = fetch
        self._media = media
        self._files = HlsFiles(fetch, media)
        self._keys: Memo[bytes] = Memo()
        self._maps: Memo[None] = Memo()
        self._unnamed: list[tuple[Segment, TransferError]] = []

    async def run(self) -> FetchOutcome:
        """Fetch what is missing."""
        todo = self._todo()
        async with asyncio.TaskGroup() as workers:
            for _ in range(self._fetch.limits.concurrency):
                workers.create_task(self._work(todo))
        self._report_unnamed()
        return await self.close()

    async def close(self, note: str | None = None) -> FetchOutcome:
        """Write what describes the pieces, and measure."""
        return await self._files.close(note)

    def _todo(self) -> Iterator[Segment]:
        files, transfer = self._files, self._fetch.transfer
        transfer.segments_total = len(self._media.segments)
        transfer.segments_stored, transfer.bytes_stored = files.count, files.size
        for segment in self._media.segments:
            if files.has(segment):
                transfer.add(arrived(files.key(segment), segment.url, FailedResourceType.TS, segment.index))
            elif not files.skipped(segment):
                yield segment

    async def _work(self, todo: Iterator[Segment]) -> None:
        for segment in todo:
            if self._fetch.transfer.draining:
                return
            try:
                await self._store(segment)
            except TransferError as error:
                self._lose(segment, error)

    async def _store(self, segment: Segment) -> None:
        if segment.gap:
            raise GAP
        if segment.map is not None:
            await self._initialization(segment.map)
        wanted = Wanted(
            request=self._fetch.span(segment.url, segment.byte_range),
            key_for=lambda container: self._name(segment, container),
            expected=Expected.SEGMENT if segment.map is None else Expected.FRAGMENT,
            cipher=await self._cipher(segment.key),
        )
        stored = await store(self._fetch, wanted, self._files.key(segment))
        self._files.add(stored)
        transfer = self._fetch.transfer
        transfer.segments_stored += 1
        transfer.add(arrived(stored.key, segment.url, FailedResourceType.TS, segment.index))

    def _name(self, segment: Segment, container: Container) -> str:
        self._files.settle_extension(container)
        self._report_unnamed()
        return self._files.key(segment)

    def _lose(self, segment: Segment, error: TransferError) -> None:
        """A failure row carries the key, and a key the extension: it waits until a first piece shows that."""
        self._unnamed.append((segment, error))
        if self._files.extension_known:
            self._report_unnamed()

    def _report_unnamed(self) -> None:
        for segment, error in self._unnamed:
            key = self._files.key(segment)
            self._fetch.transfer.add(lost(key, segment.url, FailedResourceType.TS, error, segment.index))
        self._unnamed.clear()

    async def _initialization(self, section: Map) -> None:
        """EXT-X-MAP, once, however many segments need it."""

        async def make() -> None:
            key = self._files.map_key(section)
            if self._files.has_key(key):
                return
            request = self._fetch.span(section.url, section.byte_range)
            wanted = Wanted(request, lambda _: key, Expected.INITIALIZATION, await self._cipher(section.key))
            self._files.add(await store(self._fetch, wanted, key))

        await self._needed("initialization section", section.url, self._maps.get(section, make))

    async def _cipher(self, key: Key | None) -> Cipher | None:
        """EXT-X-KEY: each key is fetched once a run."""
        if key is None:
            return None

        async def make() -> bytes:
            found = (await self._fetch.document(key.url, MAX_KEY_BYTES)).body
            if len(found) != BLOCK:
                raise unrecognised(found, invalid("key", f"it has {len(found)} bytes instead of {BLOCK}"))
            return found

        return Cipher(await self._needed("key", key.url, self._keys.get(key.url, make)), key.iv)

    @staticmethod
    async def _needed(what: str, url: str, coming: Awaitable[Value]) -> Value:
        try:
            return await coming
        except TransferError as error:
            message = f"{error.message} (the {what} {last_part(url)[:80]} that this segment needs)"
            raise TransferError(error.failure_type, message) from error


class Memo(Generic[Value]):
    """Makes each value once, also when many ask at the same time; a failure is remembered too."""

    def __init__(self) -> None:
        self._locks: dict[object, asyncio.Lock] = {}
        self._made: dict[object, Value | TransferError] = {}

    async def get(self, key: object, make: Callable[[], Awaitable[Value]]) -> Value:
        """Raises TransferError: the one that ``make`` raised."""
        async with self._locks.setdefault(key, asyncio.Lock()):
            if key not in self._made:
                try:
                    self._made[key] = await make()
                except TransferError as error:
                    self._made[key] = error
        made = self._made[key]
        if isinstance(made, TransferError):
            raise TransferError(made.failure_type, made.message)
        return made
