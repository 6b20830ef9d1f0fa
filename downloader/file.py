"""Whole files: an MP4, which goes on where it stopped, or an image."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import PurePosixPath

from domain.errors import TransferError
from domain.ports import FetchOutcome, MediaFacts
from domain.values import FailedResourceType, FailureType
from downloader.digests import digest_lines
from downloader.fetch import Fetch, arrived, lost
from downloader.images import verify_image
from downloader.limits import MAX_IMAGE_BYTES, MIB
from downloader.partial_file import PartialFile, forget, partial_file
from downloader.piece import held, in_flight, in_scratch, scratch_file, write_all
from downloader.ranges_fetch import fetch_ranges
from downloader.response import Response
from downloader.retry import read_again, with_retries
from downloader.room import Hold

SMALL = MIB // 4  # bytes of an image; to look through a larger one may take so long that the loop must not wait


async def fetch_mp4(fetch: Fetch) -> FetchOutcome:
    """One MP4 file."""
    return await _fetch_file(fetch, fetch.source.names.mp4, FailedResourceType.MP4, _store_mp4)


async def fetch_image(fetch: Fetch) -> FetchOutcome:
    """One picture, named by what it is."""
    return await _fetch_file(fetch, fetch.source.names.image(""), FailedResourceType.IMAGE, _store_image)


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A file under its key, its digest if that was taken on the way, and what it measures."""

    key: str
    digest: str | None
    facts: MediaFacts | None


Store = Callable[[Fetch], Awaitable[StoredFile]]
"""Fetches the file. Raises TransferError."""


async def _fetch_file(fetch: Fetch, name: str, kind: FailedResourceType, store: Store) -> FetchOutcome:
    """``name`` is the file's key, but for an extension that its content tells."""
    source, transfer = fetch.source, fetch.transfer
    try:
        found = await fetch.in_thread(_find, fetch, name)
        if found is None and name in source.skip:
            return FetchOutcome(pieces=1, stored=0)
        file = (
            await read_again(lambda: store(fetch))
            if found is None
            else StoredFile(found, None, await fetch.probe(found))
        )
        size = await fetch.in_thread(_settle, fetch, file)
    except TransferError as error:
        transfer.add(lost(name, source.url, kind, error))
        return FetchOutcome(pieces=1, stored=0, note=error.message)
    transfer.bytes_stored = transfer.bytes_total = size
    transfer.add(arrived(name, source.url, kind))
    return FetchOutcome(pieces=1, stored=1, bytes_stored=size, storage_path=file.key, facts=file.facts)


def _find(fetch: Fetch, name: str) -> str | None:
    """The file's key, if it is stored. What a killed run may have left beside it goes."""
    key = next((key for key in _beside(fetch, name) if key.startswith(name)), None)
    if key is not None:
        forget(fetch.storage.partial(key))
    return key


def _settle(fetch: Fetch, file: StoredFile) -> int:
    """Record the stored file's digest; its size in bytes."""
    names = fetch.source.names
    fetch.storage.write(names.digests, "".join(digest_lines(fetch.storage, names, [(file.key, file.digest)])).encode())
    return _beside(fetch, file.key)[file.key]


def _beside(fetch: Fetch, name: str) -> dict[str, int]:
    return fetch.storage.sizes(str(PurePosixPath(name).parent))


async def _store_image(fetch: Fetch) -> StoredFile:
    return await in_scratch(fetch, lambda hold: with_retries(lambda: _try_image(fetch, hold)))


async def _try_image(fetch: Fetch, hold: Hold) -> StoredFile:
    name = fetch.source.names.image("")
    with scratch_file(fetch, name) as (path, file), in_flight(fetch) as count:

        def sink(data: memoryview) -> None:
            count(len(data))
            write_all(file, data)

        def expect(response: Response) -> None:
            hold.grow_to(response.size or 0)
            fetch.transfer.bytes_total = response.size

        request = fetch.request(fetch.source.url, max_bytes=MAX_IMAGE_BYTES)
        response = await fetch.client.fetch(request, held(hold, sink)[0], expect)
        small = response.received <= SMALL
        key = fetch.source.names.image(verify_image(path) if small else await fetch.measured(verify_image, path))
        facts = await fetch.probe_file(path, key)
        await (fetch.publish if small else fetch.publish_large)(path, key)
    fetch.transfer.bytes_stored = response.received
    return StoredFile(key, None, facts)


async def _store_mp4(fetch: Fetch) -> StoredFile:
    """What it needs in scratch is known when the origin answers."""
    spare = await fetch.in_thread(fetch.storage.partial, fetch.source.names.mp4)
    return await in_scratch(fetch, lambda hold: _fill_mp4(fetch, hold), 0, spare)


async def _fill_mp4(fetch: Fetch, hold: Hold) -> StoredFile:
    key = fetch.source.names.mp4
    with in_flight(fetch) as count, partial_file(fetch, key, count, hold) as partial:
        digest = await with_retries(lambda: _try_mp4(fetch, partial))
        facts = await fetch.probe_file(partial.path, key)
        await _publish(fetch, partial, key)
    fetch.transfer.bytes_stored = partial.present
    return StoredFile(key, digest, facts)


async def _try_mp4(fetch: Fetch, partial: PartialFile) -> str:
    await fetch_ranges(fetch, partial)
    try:
        return await fetch.measured(partial.verified)
    except TransferError as error:
        if error.failure_type is FailureType.INVALID_CONTENT:
            partial.discard()
        raise


async def _publish(fetch: Fetch, partial: PartialFile, key: str) -> None:
    """Raises TransferError. Who is cancelled meanwhile waits for the end: a thread cannot be called back."""
    publishing = asyncio.create_task(fetch.publish_large(partial.path, key))
    try:
        await asyncio.shield(publishing)
    finally:
        await asyncio.gather(publishing, return_exceptions=True)
