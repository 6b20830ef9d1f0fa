"""Whole files: an MP4, which goes on where it stopped, or an image."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import PurePosixPath

from domain.errors import TransferError
from domain.ports import FetchOutcome
from domain.values import FailedResourceType, FailureType
from downloader.digests import digest_lines
from downloader.fetch import Fetch, arrived, lost
from downloader.images import verify_image
from downloader.limits import MAX_IMAGE_BYTES
from downloader.partial_file import PartialFile, forget, partial_file
from downloader.piece import in_flight, scratch_file, write_all
from downloader.ranges_fetch import fetch_ranges
from downloader.retry import read_again, with_retries


async def fetch_mp4(fetch: Fetch) -> FetchOutcome:
    """One MP4 file."""
    return await _fetch_file(fetch, fetch.source.names.mp4, FailedResourceType.MP4, _store_mp4)


async def fetch_image(fetch: Fetch) -> FetchOutcome:
    """One picture, named by what it is."""
    return await _fetch_file(fetch, fetch.source.names.image(""), FailedResourceType.IMAGE, _store_image)


Store = Callable[[Fetch], Awaitable[tuple[str, str | None]]]
"""Fetches the file and gives its key, and its digest if that was taken on the way. Raises TransferError."""


async def _fetch_file(fetch: Fetch, name: str, kind: FailedResourceType, store: Store) -> FetchOutcome:
    """``name`` is the file's key, but for an extension that its content tells."""
    source, transfer = fetch.source, fetch.transfer
    try:
        found = await fetch.in_thread(_find, fetch, name)
        if found is None and name in source.skip:
            return FetchOutcome(pieces=1, stored=0)
        key, digest = (found, None) if found is not None else await read_again(lambda: store(fetch))
        size = await fetch.in_thread(_settle, fetch, key, digest)
    except TransferError as error:
        transfer.add(lost(name, source.url, kind, error))
        return FetchOutcome(pieces=1, stored=0, note=error.message)
    transfer.bytes_stored = transfer.bytes_total = size
    transfer.add(arrived(name, source.url, kind))
    return FetchOutcome(pieces=1, stored=1, bytes_stored=size, storage_path=key, facts=await fetch.probe(key))


def _find(fetch: Fetch, name: str) -> str | None:
    """The file's key, if it is stored. What a killed run may have left beside it goes."""
    key = next((key for key in _beside(fetch, name) if key.startswith(name)), None)
    if key is not None:
        forget(fetch.storage.partial(key))
    return key


def _settle(fetch: Fetch, key: str, digest: str | None) -> int:
    """Record the stored file's digest; its size in bytes."""
    names = fetch.source.names
    fetch.storage.write(names.digests, "".join(digest_lines(fetch.storage, names, [(key, digest)])).encode())
    return _beside(fetch, key)[key]


def _beside(fetch: Fetch, name: str) -> dict[str, int]:
    return fetch.storage.sizes(str(PurePosixPath(name).parent))


async def _store_image(fetch: Fetch) -> tuple[str, None]:
    return await with_retries(lambda: _try_image(fetch)), None


async def _try_image(fetch: Fetch) -> str:
    name = fetch.source.names.image("")
    with scratch_file(fetch, name) as (path, file), in_flight(fetch) as count:

        def sink(data: memoryview) -> None:
            count(len(data))
            write_all(file, data)

        request = fetch.request(fetch.source.url, max_bytes=MAX_IMAGE_BYTES)
        response = await fetch.client.fetch(request, sink, fetch.expect)
        key = fetch.source.names.image(verify_image(path))
        await fetch.publish(path, key)
    fetch.transfer.bytes_stored = response.received
    return key


async def _store_mp4(fetch: Fetch) -> tuple[str, str]:
    key = fetch.source.names.mp4
    with in_flight(fetch) as count, partial_file(fetch, key, count) as partial:
        digest = await with_retries(lambda: _try_mp4(fetch, partial))
        await _publish(fetch, partial, key)
    fetch.transfer.bytes_stored = partial.present
    return key, digest


async def _try_mp4(fetch: Fetch, partial: PartialFile) -> str:
    await fetch_ranges(fetch, partial)
    try:
        return await fetch.in_thread(partial.verified)
    except TransferError as error:
        if error.failure_type is FailureType.INVALID_CONTENT:
            partial.discard()
        raise


async def _publish(fetch: Fetch, partial: PartialFile, key: str) -> None:
    """Raises TransferError. Who is cancelled meanwhile waits for the end: a thread cannot be called back."""
    publishing = asyncio.create_task(fetch.publish(partial.path, key))
    try:
        await asyncio.shield(publishing)
    finally:
        await asyncio.gather(publishing, return_exceptions=True)
