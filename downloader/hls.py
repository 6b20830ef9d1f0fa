"""HTTP Live Streaming: playlists, their segments, and what they need (RFC 8216)."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from domain.errors import TransferError
from domain.ports import FetchOutcome
from downloader.fetch import Fetch
from downloader.hedge import Flight, Hedge
from downloader.hls_output import HlsOutput
from downloader.hls_pieces import HlsPieces
from downloader.hls_renewal import Renewal
from downloader.hls_stream import Stream, open_stream
from downloader.hls_track import Track
from downloader.invalid import invalid
from downloader.playlist_model import Segment
from downloader.timeline import is_unseen

BREATH = 500  # segments that are stored already: 20,000 at once would hold up all other transfers
CHANCES = 3  # for a segment that a live playlist goes on listing: an edge server may get it yet
RENEWALS = 1  # for a segment that is refused: its URL may have expired

GAP = invalid("gap", "the stream itself marks this segment as missing")
UNSEEN = invalid("left the window", "no load of the playlist has shown this segment")


async def fetch_hls(fetch: Fetch) -> FetchOutcome:
    """Everything of a stream that is neither stored nor skipped."""
    try:
        stream = await open_stream(fetch)
    except TransferError as error:
        return FetchOutcome(0, 0, note=error.message)
    if stream.note is None:
        return await HlsFetch(fetch, stream).run()
    if stream.tracks[0].announced:
        return await HlsOutput(fetch, stream.presentation, stream.tracks).close(stream.note)
    return FetchOutcome(0, 0, note=stream.note)


class HlsFetch:
    """The pieces of all tracks of one stream, ``limits.concurrency`` at a time."""

    def __init__(self, fetch: Fetch, stream: Stream) -> None:
        self._fetch, self._transfer, self._stream = fetch, fetch.transfer, stream
        self._output = HlsOutput(fetch, stream.presentation, stream.tracks)
        self._pieces = HlsPieces(fetch)
        self._renewal = Renewal(stream.presentation, stream.tracks)
        self._slots = asyncio.Semaphore(fetch.limits.concurrency)
        self._hedge = Hedge(fetch.client, self._pieces, self._slots)
        self._begun = asyncio.Event()  # nothing is left to begin with

    async def run(self) -> FetchOutcome:
        """Fetch what is missing, and follow what has not ended."""
        tracks, recorders = self._stream.tracks, self._stream.recorders
        self._transfer.segments_stored = sum(track.files.count for track in tracks)
        self._transfer.bytes_stored = sum(track.files.size for track in tracks)
        try:
            await self._fetch.in_thread(self._output.resume)
        except TransferError as error:
            return FetchOutcome(0, 0, note=error.message)
        done = asyncio.Event()
        async with asyncio.TaskGroup() as beside:
            beside.create_task(self._output.grow(done))
            hedging = beside.create_task(self._hedge.watch(self._begun, done, beside))
            async with asyncio.TaskGroup() as group:
                group.create_task(self._record(group))
                group.create_task(self._feed_all(tracks, group))
            done.set()
            hedging.cancel()
        notes = (recorder.note for recorder in recorders)
        return await self._output.close(next(filter(None, notes), None))

    async def _record(self, pieces: asyncio.TaskGroup) -> None:
        """While a playlist is followed nobody knows how much there will be."""
        if self._stream.recorders:
            self._transfer.is_live = True
            rejoining = pieces.create_task(self._rejoin(pieces))
            async with asyncio.TaskGroup() as group:
                for recorder in self._stream.recorders:
                    group.create_task(recorder.run())
            rejoining.cancel()
            self._transfer.is_live = False
        self._transfer.segments_total = sum(track.announced for track in self._stream.tracks)

    async def _rejoin(self, pieces: asyncio.TaskGroup) -> None:
        """Lost pieces whose retry is asked for while the recording runs."""
        while True:
            keys = await self._transfer.asked_again.get()
            for track in self._stream.tracks:
                for segment in track.take_back(keys):
                    pieces.create_task(self._again(track, segment))

    async def _again(self, track: Track, segment: Segment) -> None:
        if segment.gap:
            track.lose(segment, UNSEEN if is_unseen(segment) else GAP)
            return
        await self._slots.acquire()
        if self._transfer.draining:
            self._slots.release()
            track.skip(segment)
            return
        await self._piece(track, segment)

    async def _feed_all(self, tracks: Iterable[Track], pieces: asyncio.TaskGroup) -> None:
        async with asyncio.TaskGroup() as group:
            for track in tracks:
                group.create_task(self._feed(track, pieces))
        if not self._stream.recorders and not self._transfer.draining:
            self._begun.set()

    async def _feed(self, track: Track, group: asyncio.TaskGroup) -> None:
        """Begin with each segment in its turn; tracks take turns where slots are few."""
        async for segment in track.follow():
            if segment.index % BREATH == 0:
                await asyncio.sleep(0)
            if track.files.has(segment):
                track.arrived(segment)
            elif track.files.skipped(segment):
                track.skip(segment)
            elif segment.gap:
                track.lose(segment, UNSEEN if is_unseen(segment) else GAP)
            else:
                await self._slots.acquire()
                await self._transfer.until_reported()
                if self._transfer.draining:
                    self._slots.release()
                    return
                group.create_task(self._piece(track, segment))

    async def _piece(self, track: Track, segment: Segment) -> None:
        """Has a slot when it begins."""
        flight = self._hedge.take_off(track, segment)
        try:
            await self._fetch_piece(flight)
        finally:
            self._hedge.land(flight)

    async def _fetch_piece(self, flight: Flight) -> None:
        track, segment = flight.track, flight.segment
        chances, renewals = CHANCES, RENEWALS
        while True:
            track.begin(segment)
            latest = track.latest(segment)
            try:
                return await self._pieces.store(track, segment, latest, flight)
            except TransferError as error:
                failure = error
            finally:
                self._slots.release()
            if await flight.is_saved():
                return None
            if failure.refused:
                renewals -= 1
                if renewals < 0 or not await self._renewal.helps(track, segment, latest):
                    return track.lose(segment, self._renewal.loss(failure))
            else:
                chances -= 1
                if not chances or not failure.retry or not await track.still_listed(segment):
                    return track.lose(segment, failure)
            await self._slots.acquire()
