"""Which tracks a stream has, and what they list: from the network, a recording, or what an earlier run has kept."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial

from domain.errors import TransferError
from domain.values import FailedResourceType
from downloader.fetch import Fetch, arrived, lost
from downloader.hls_presentation import Load, PlaylistError, Presentation, changed
from downloader.hls_recorder import Recorder
from downloader.hls_track import MAIN, Track
from downloader.invalid import invalid
from downloader.playlist import parse
from downloader.playlist_model import MediaPlaylist
from downloader.recording import Recording
from downloader.timeline import Timeline

MAX_TRACKS = 4  # times MAX_SEGMENTS: what all tracks of a stream may have together
TOO_MANY = invalid("over a limit", "the tracks of the stream have too many segments together")


@dataclass(frozen=True, slots=True)
class Stream:
    """The main track first. ``note`` says why the network was of no help, if it was not."""

    presentation: Presentation
    tracks: list[Track]
    recorders: tuple[Recorder, ...] = ()
    note: str | None = None


async def open_stream(fetch: Fetch) -> Stream:
    """Raises TransferError when the storage cannot be read."""
    sizes = await fetch.in_thread(fetch.storage.sizes, f"{fetch.source.names.hls_folder}/")
    return await _Opening(fetch, sizes).open()


@dataclass(frozen=True, slots=True)
class _Known:
    """What an earlier run has kept of the main track, and the playlists as it was fetched."""

    timeline: Timeline
    texts: Mapping[str, bytes | None] = field(repr=False)


class _Opening:
    def __init__(self, fetch: Fetch, sizes: Mapping[str, int]) -> None:
        self._fetch, self._sizes = fetch, sizes
        self._names, self._skip, self._add = fetch.source.names, fetch.source.skip, fetch.transfer.add
        self._presentation = Presentation(fetch)

    async def open(self) -> Stream:
        if self._names.recording(0, MAIN) in self._sizes:
            return await self._fetch.in_thread(self._recorded)
        known = await self._fetch.in_thread(self._known)
        try:
            load = await self._main(known)
        except PlaylistError as error:
            self._add(lost(self._names.playlist, error.url, FailedResourceType.M3U8, error.cause))
            if known is not None:
                await self._fetch.in_thread(self._put_back, known)
            return await self._fetch.in_thread(self._kept, error.cause.message)
        if not load.playlist.is_whole:
            return await self._fetch.in_thread(self._live, load)
        self._add(arrived(self._names.playlist, load.url, FailedResourceType.M3U8))
        timelines = {MAIN: Timeline.of(load.playlist), **await self._renditions(len(load.playlist.segments))}
        return Stream(self._presentation, await self._fetch.in_thread(self._tracks, timelines))

    async def _main(self, known: _Known | None) -> Load:
        load = await self._presentation.read()
        if known is None or (load.playlist.is_whole and known.timeline.has_shape_of(load.playlist)):
            return load
        raise PlaylistError(load.url, changed())

    def _known(self) -> _Known | None:
        """The stream of which an earlier run has stored segments; two streams are never mixed."""
        folder = self._names.segment(0, "").rpartition("/")[0]
        timeline = self._kept_timeline(MAIN) if any(key.startswith(f"{folder}/") for key in self._sizes) else Timeline()
        if not timeline.segments:
            return None
        read = self._fetch.storage.read
        known = _Known(timeline, {key: read(key) for key in (self._names.master_playlist, self._names.playlist)})
        self._presentation.go_on_with(known.texts[self._names.master_playlist])
        return known

    def _put_back(self, known: _Known) -> None:
        for key, text in known.texts.items():
            if text is not None:
                self._fetch.storage.write(key, text)

    def _tracks(self, timelines: Mapping[str, Timeline]) -> list[Track]:
        """Of what will not grow."""
        tracks = [Track(name, timeline, self._fetch.transfer, self._sizes) for name, timeline in timelines.items()]
        for track in tracks:
            track.close()
        return tracks

    async def _renditions(self, segments: int) -> dict[str, Timeline]:
        """One whose playlist does not arrive has no segments, and no end."""
        timelines = {}
        for name in self._presentation.tracks:
            timelines[name] = await self._rendition(name, MAX_TRACKS * self._fetch.limits.max_segments - segments)
            segments += len(timelines[name].segments)
        return timelines

    async def _rendition(self, name: str, room: int) -> Timeline:
        key = self._names.fetched_playlist(name)
        if key in self._skip:
            return Timeline()
        try:
            load = await self._presentation.read(name)
        except PlaylistError as error:
            self._add(lost(key, error.url, FailedResourceType.M3U8, error.cause))
            return Timeline()
        if len(load.playlist.segments) > room:
            self._add(lost(key, load.url, FailedResourceType.M3U8, TOO_MANY))
            return Timeline()
        self._add(arrived(key, load.url, FailedResourceType.M3U8))
        return Timeline.of(load.playlist)

    # --- live ---

    def _recorded(self) -> Stream:
        """An ended recording is read instead of the network, where nothing is left of the stream.

        So is an open one whose playlist was lost, unless this run is to try that again.
        """
        self._presentation.recall()
        return self._live()

    def _live(self, first: Load | None = None) -> Stream:
        tracks: list[Track] = []
        recorders = []
        for name in (MAIN, *self._presentation.tracks):
            recording = Recording(self._fetch.storage, partial(self._names.recording, track=name))
            limit = self._fetch.limits.max_live_segments
            timeline = recording.load(limit) or Timeline(limit=limit)
            track = Track(name, timeline, self._fetch.transfer, self._sizes)
            tracks.append(track)
            if timeline.ended or (first is None and self._names.fetched_playlist(name) in self._skip):
                track.close()
                continue
            recorders.append(Recorder(self._fetch, self._presentation, track, recording, main=tracks[0], first=first))
            first = None
        return Stream(self._presentation, tracks, tuple(recorders))

    # --- the network is of no help ---

    def _kept(self, note: str) -> Stream:
        """What earlier runs have stored still counts."""
        self._presentation.recall()
        timelines = {name: self._kept_timeline(name) for name in (MAIN, *self._presentation.tracks)}
        return Stream(self._presentation, self._tracks(timelines), note=note)

    def _kept_timeline(self, name: str) -> Timeline:
        text = self._fetch.storage.read(self._names.fetched_playlist(name)) or b""
        try:
            media = parse(text, self._fetch.source.url, max_segments=self._fetch.limits.max_segments)
        except TransferError:
            return Timeline()
        return Timeline.of(media) if isinstance(media, MediaPlaylist) else Timeline()
