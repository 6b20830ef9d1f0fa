"""Whole files: an MP4, which goes on where it stopped, or an image."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import PurePosixPath

from domain.errors import TransferError
from domain.ports import FetchOutcome
from domain.values import FailedResourceType
from downloader.fetch import Fetch, arrived, lost
from downloader.images import verify_image
from downloader.limits import MAX_IMAGE_BYTES
from downloader.partial_file import partial_file
from downloader.piece import in_flight, scratch_file
from downloader.retry import with_retries
from downloader.verify import verify_mp4


async def fetch_mp4(fetch: Fetch) -> FetchOutcome:
    """One MP4 file."""
    return await _fetch_file(fetch, fetch.source.names.mp4, FailedResourceType.MP4, _store_mp4)


async def fetch_image(fetch: Fetch) -> FetchOutcome:
    """One picture, named by what it is."""
    return await _fetch_file(fetch, fetch.source.names.image(""), FailedResourceType.IMAGE, _store_image)


Store = Callable[[Fetch], Awaitable[str]]
"""Fetches the file and gives its key. Raises TransferError."""


async def _fetch_file(fetch: Fetch, name: str, kind: FailedResourceType, store: Store) -> FetchOutcome:
    """``name`` is the file's key, but for an extension that its content tells."""
    source, transfer = fetch.source, fetch.transfer
    key = _stored_under(fetch, name)
    if key is None:
        if name in source.skip:
            return FetchOutcome(pieces=1, stored=0)
        try:
            key = await with_retries(lambda: store(fetch))
        except TransferError as error:
            transfer.add(lost(name, source.url, kind, error))
            return FetchOutcome(pieces=1, stored=0, note=error.message)
    transfer.add(arrived(name, source.url, kind))
    size = _beside(fetch, key)[key]
    transfer.bytes_stored = transfer.bytes_total = size
    return FetchOutcome(pieces=1, stored=1, bytes_stored=size, storage_path=key, facts=await fetch.probe(key))


def _stored_under(fetch: Fetch, name: str) -> str | None:
    return next((key for key in _beside(fetch, name) if key.startswith(name)), None)


def _beside(fetch: Fetch, name: str) -> dict[str, int]:
    return fetch.storage.sizes(str(PurePosixPath(name).parent))


async def _store_image(fetch: Fetch) -> str:
    name = fetch.source.names.image("")
    with scratch_file(fetch, name) as (path, file), in_flight(fetch) as count:

        def sink(data: memoryview) -> None:
            count(len(data))
            file.write(data)

        request = fetch.request(fetch.source.url, max_bytes=MAX_IMAGE_BYTES)
        await fetch.client.fetch(request, sink, fetch.expect)
        file.close()
        key = fetch.source.names.image(verify_image(path))
        await fetch.publish(path, key)
    return key


async def _store_mp4(fetch: Fetch) -> str:
    key = fetch.source.names.mp4
    with partial_file(fetch, key) as partial, in_flight(fetch) as count:
        await partial.advance(count)
        try:
            await fetch.in_thread(verify_mp4, partial.path)
        except TransferError:
            partial.discard()
            raise
        await fetch.publish(partial.path, key)
    return key
