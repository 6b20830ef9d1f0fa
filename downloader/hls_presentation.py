"""Where the playlists of a stream are: behind a master playlist, which names variants and renditions, or alone."""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from itertools import count

from domain.errors import TransferError
from downloader.fetch import Fetch
from downloader.hls_track import MAIN
from downloader.http import Document
from downloader.invalid import invalid
from downloader.local_playlist import render_master
from downloader.playlist import choose_variant, parse
from downloader.playlist_model import MasterPlaylist, MediaPlaylist, Rendition, Variant
from downloader.retry import expired

MAX_RENDITIONS = 100
SMALL = 32 * 1024  # bytes of a playlist; more take so long to read that the loop must not wait


def changed() -> TransferError:
    """The failure of a playlist with which nothing that is stored can be gone on with."""
    return invalid("changed", "the task's URL leads to another stream now; what is stored is kept as it is")


class PlaylistError(Exception):
    """The playlist at ``url`` did not arrive, or is none."""

    def __init__(self, url: str, cause: TransferError) -> None:
        super().__init__(cause.message)
        self.url, self.cause = url, cause


@dataclass(frozen=True, slots=True)
class Load:
    """A media playlist as it was at ``url``, which redirects may have led on from; ``began`` is a monotonic time."""

    playlist: MediaPlaylist
    url: str
    began: float


class Presentation:
    """The playlists of one stream, by the name of their track.

    A playlist that fails is looked up in the master playlist the next time: its URL may have expired.
    """

    def __init__(self, fetch: Fetch) -> None:
        self._fetch = fetch
        self._master: MasterPlaylist | None = None
        self._variant: Variant | None = None
        self._begun: Variant | None = None  # of which an earlier run has stored segments
        self._urls: dict[str, str] = {}
        self._doubted: set[str] = set()  # tracks whose URL did not work the last time
        self._renditions: dict[Rendition, str] = {}  # the track of each
        self._kept: set[str] = set()

    @property
    def tracks(self) -> tuple[str, ...]:
        """Those of the renditions that have a playlist of their own."""
        return tuple(dict.fromkeys(track for track in self._renditions.values() if track != MAIN))

    async def load(self, track: str = MAIN, *, once: bool = False) -> Load:
        """Read the playlist of ``track``, tried again where that can help, unless ``once``. Raises PlaylistError."""
        source, names, began = self._fetch.source.url, self._fetch.source.names, time.monotonic()
        url = source if track in self._doubted else self._urls.get(track, source)
        try:
            text, playlist = await self._read(url, once=once)
            if url == source and isinstance(playlist, MasterPlaylist):
                await self._keep(names.master_playlist, text)
                self._adopt(playlist)
                url = self._urls.get(track, source)
                text, playlist = await self._read(url, once=once)
            if url == source and track != MAIN:
                raise invalid("rendition", "the task's URL no longer leads to it")
            if isinstance(playlist, MasterPlaylist):
                raise invalid("master playlist", "it lists a master playlist where a media playlist must be")
            await self._keep(names.fetched_playlist(track), text)
        except TransferError as error:
            self._doubted ^= {track}  # if it was the master playlist that failed, the known URL may still work
            raise PlaylistError(url, error) from error
        self._doubted.discard(track)
        return Load(playlist, url, began)

    async def read(self, track: str = MAIN) -> Load:
        """Like ``load``, and once more where the origin refuses: what a master playlist names may be short-lived."""
        try:
            return await self.load(track)
        except PlaylistError as error:
            if not error.cause.refused:
                raise
        try:
            return await self.load(track)
        except PlaylistError as error:
            raise PlaylistError(error.url, expired(error.cause)) from error

    async def read_again(self) -> dict[str, MediaPlaylist] | None:
        """The playlists of all tracks that arrive, from the task's own URL on; None if it leads to another stream.

        Raises PlaylistError for the main one.
        """
        known = self._master, self._variant, self._renditions, self._urls
        self._doubted.add(MAIN)
        found = {MAIN: (await self.load()).playlist}
        if _described(self._variant, self._renditions) != _described(known[1], known[2]):
            self._master, self._variant, self._renditions, self._urls = known
            return None
        for track in self.tracks:
            with suppress(PlaylistError):
                found[track] = (await self.load(track)).playlist
        return found

    async def _read(self, url: str, *, once: bool) -> tuple[bytes, MasterPlaylist | MediaPlaylist]:
        limits = self._fetch.limits

        async def parsed(document: Document) -> tuple[bytes, MasterPlaylist | MediaPlaylist]:
            read = partial(
                parse,
                document.body,
                document.url,
                max_segments=limits.max_segments,
                max_live_segments=max(limits.max_segments, limits.max_live_segments),
                imported=self._master.variables if self._master is not None else {},
            )
            small = len(document.body) <= SMALL  # 20,000 segments take 0.4 s
            return document.body, read() if small else await self._fetch.in_thread(read)

        return await self._fetch.document(url, limits.max_playlist_bytes, parsed, once=once)

    def _adopt(self, master: MasterPlaylist) -> None:
        variant = self._variant_to_take(master)
        tracks, renditions = {variant.url: MAIN}, dict[Rendition, str]()
        numbers = {"AUDIO": count(), "SUBTITLES": count()}
        for rendition in master.renditions_of(variant):
            if rendition.url is not None:
                if rendition.url not in tracks:
                    tracks[rendition.url] = f"{rendition.type.lower()}_{next(numbers[rendition.type])}"
                renditions[rendition] = tracks[rendition.url]
        if len(tracks) > MAX_RENDITIONS:
            raise invalid("over a limit", f"the stream has more than {MAX_RENDITIONS} renditions")
        self._master, self._variant, self._renditions = master, variant, renditions
        self._urls = {track: url for url, track in tracks.items()}

    def _variant_to_take(self, master: MasterPlaylist) -> Variant:
        if self._begun is None:
            return choose_variant(master, self._fetch.source.max_height)
        begun = replace(self._begun, url="")
        same = next((each for each in master.variants if replace(each, url="") == begun), None)
        if same is None:
            raise changed()
        return same

    def go_on_with(self, kept: bytes | None) -> None:
        """Take the variant that was taken from the master playlist ``kept`` by an earlier run, and no other."""
        limit = self._fetch.limits.max_segments
        with suppress(TransferError):  # there was none
            master = parse(kept or b"", self._fetch.source.url, max_segments=limit)
            if isinstance(master, MasterPlaylist):
                self._begun = choose_variant(master, self._fetch.source.max_height)

    async def _keep(self, key: str, text: bytes) -> None:
        """As fetched, once a run."""
        if key not in self._kept:
            await self._fetch.write(key, text)
            self._kept.add(key)

    def recall(self) -> None:
        """Take the tracks from the master playlist as an earlier run has kept it; its URLs may have expired."""
        fetch = self._fetch
        text = fetch.storage.read(fetch.source.names.master_playlist)
        try:
            master = parse(text or b"", fetch.source.url, max_segments=fetch.limits.max_segments)
            if isinstance(master, MasterPlaylist):
                self._adopt(master)
        except TransferError:  # there was none, or it was spoiled
            return
        self._urls.clear()

    def local_master(self, names: Mapping[str, str]) -> bytes:
        """The local master playlist of the tracks with these file names; only where there are renditions."""
        if self._master is None or self._variant is None:
            raise RuntimeError("there is no master playlist")
        renditions = {rendition: names[track] for rendition, track in self._renditions.items() if track in names}
        return render_master(self._master, self._variant, names[MAIN], renditions).encode()


def _described(variant: Variant | None, renditions: Mapping[Rendition, str]) -> object:
    """What makes out the tracks, whatever their URLs."""
    main = None if variant is None else replace(variant, url="")
    return main, [(replace(rendition, url=None), track) for rendition, track in renditions.items()]
