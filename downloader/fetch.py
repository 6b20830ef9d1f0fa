"""What every kind of fetch works with: one run's transfer, the network, the storage."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Awaitable, Callable
from concurrent.futures import Executor
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, ParamSpec, TypeVar
from urllib.parse import urlsplit

from domain.errors import StorageError, TransferError
from domain.ports import MediaFacts, PieceFailure, PieceResult, Source, Storage
from domain.values import FailedResourceType, FailureType, ResourceType
from downloader.client import Client
from downloader.http import Document, DocumentClient, read
from downloader.image_size import image_facts
from downloader.images import verify_image
from downloader.limits import MAX_SEGMENT_BYTES, MIB, Limits
from downloader.probe import Reserve, probe
from downloader.probe_copy import copy, files_to_probe, remove
from downloader.request import Request, headers_for
from downloader.retry import with_retries
from downloader.room import Room
from downloader.transfer import Transfer

if TYPE_CHECKING:
    from downloader.playlist_model import ByteRange

logger = logging.getLogger(__name__)

COVER_EXTENSION = ".jpg"
MAX_COVER_BYTES = 4 * MIB  # as in probe_child.py

_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Fetch:
    """One fetch. Everything here is used on the engine's loop.

    ``aside`` are the threads for work that keeps a core busy, ``storing`` those that wait for the storage. ``room``
    is set where scratch has bounds.
    """

    transfer: Transfer
    client: Client
    documents: DocumentClient
    storage: Storage
    limits: Limits
    aside: Executor
    measures: bool = True  # whether anybody asks how long the media is, and how large its picture
    storing: Executor | None = None
    room: Room | None = None
    probes: Reserve = field(default_factory=Reserve)

    @property
    def source(self) -> Source:
        return self.transfer.source

    def request(
        self,
        url: str,
        *,
        start: int = 0,
        length: int | None = None,
        if_range: str | None = None,
        max_bytes: int | None = None,
    ) -> Request:
        """A GET with those of the task's headers that may go to ``url``.

        From ``start`` > 0 on an answer with the whole is taken too, unless ``length`` bounds the range.
        """
        ranged = start > 0 or length is not None
        return Request(
            url,
            headers=headers_for(url, self.source.url, self.source.headers),
            offset=start if ranged else None,
            length=length,
            if_range=if_range,
            max_bytes=max_bytes or self.limits.max_file_bytes,
            require_range=length is not None,
        )

    def span(self, url: str, byte_range: ByteRange | None) -> Request:
        """A GET of a segment or initialization section: a whole resource, or EXT-X-BYTERANGE of one."""
        if byte_range is None:
            return self.request(url, max_bytes=MAX_SEGMENT_BYTES)
        return self.request(url, start=byte_range.offset, length=byte_range.length)

    async def publish(self, path: Path, key: str) -> None:
        """Put a piece under its key. Raises TransferError, StorageError."""
        if self.storage.is_remote:
            await self.in_thread(self.storage.publish, path, key)
        else:
            self.storage.publish(path, key)  # a rename, quicker than a thread is found

    async def publish_large(self, path: Path, key: str) -> None:
        """Put a large file under its key. Raises TransferError."""
        await self.in_thread(self.storage.publish, path, key)

    async def write(self, key: str, data: bytes) -> None:
        """Put a small file under its key. Raises TransferError."""
        if self.storage.is_remote:
            return await self.in_thread(self.storage.write, key, data)
        try:
            self.storage.write(key, data)
        except StorageError as error:
            raise refused_by_storage(error) from error

    async def document(
        self, url: str, max_bytes: int, take: Callable[[Document], Awaitable[Result]], *, once: bool = False
    ) -> Result:
        """What ``take`` makes of a playlist or key; tried again where that can help, unless ``once``.

        Raises TransferError.
        """
        headers = headers_for(url, self.source.url, self.source.headers)

        async def attempt() -> Result:
            return await take(await read(self.documents, url, headers, max_bytes))

        return await (attempt() if once else with_retries(attempt))

    async def in_thread(
        self, work: Callable[Arguments, Result], *args: Arguments.args, **kwargs: Arguments.kwargs
    ) -> Result:
        """Run what waits for the storage. Raises TransferError for what that refuses."""
        return await self._run(self.storing or self.aside, lambda: work(*args, **kwargs))

    async def measured(
        self, work: Callable[Arguments, Result], *args: Arguments.args, **kwargs: Arguments.kwargs
    ) -> Result:
        """Run what keeps a core busy with stored bytes. Raises TransferError for what the storage refuses."""
        return await self._run(self.aside, lambda: work(*args, **kwargs))

    async def _run(self, threads: Executor, work: Callable[[], Result]) -> Result:
        try:
            return await asyncio.get_running_loop().run_in_executor(threads, work)
        except (StorageError, OSError) as error:
            raise refused_by_storage(error) from error

    async def probe(self, key: str) -> MediaFacts | None:
        """What the stored media under ``key`` measures, and its cover; None when it cannot be read."""
        if self.storage.is_remote and self.measures:
            try:
                return await self._probe_copy(key)
            except TransferError:  # a piece of it cannot be had back just now
                return None
        path = self.storage.path(key)
        return None if path is None else await self.probe_file(path, key)

    async def _probe_copy(self, key: str) -> MediaFacts | None:
        files, run_number = await self.in_thread(files_to_probe, self.storage, key), self.source.run_number
        size = sum(files.values()) + MAX_COVER_BYTES
        async with self.room.hold(size) if self.room is not None else nullcontext():
            try:
                await self.in_thread(copy, self.storage, files, run_number)
                return await self.probe_file(self.storage.scratch(key, run_number), key) if key in files else None
            finally:
                await self.in_thread(remove, self.storage, files, run_number)

    async def probe_file(self, path: Path, key: str) -> MediaFacts | None:
        """What the file at ``path``, which is or becomes ``key``, measures, and its cover."""
        if not self.measures:
            return None
        if self.source.resource_type is ResourceType.IMAGE:
            facts = image_facts(path, key) or await self.measured(probe, path)
            return None if facts is None else replace(facts, cover_path=key)
        return await self.measured(self._probe_video, path)

    def _probe_video(self, path: Path) -> MediaFacts | None:
        cover_path = self.source.names.image(COVER_EXTENSION)
        try:
            scratch = self.storage.scratch(cover_path, self.source.run_number)
        except StorageError:
            return self.probes.probe(path)
        facts = self.probes.probe(path, scratch)
        try:
            if facts is None or verify_image(scratch) != COVER_EXTENSION:
                return facts
            self.storage.publish(scratch, cover_path)
        except (TransferError, StorageError, OSError):  # there was no frame to show, or no room for it
            return facts
        finally:
            scratch.unlink(missing_ok=True)
        return replace(facts, cover_path=cover_path)


def refused_by_storage(error: StorageError | OSError) -> TransferError:
    """The failure of a piece that arrived and could not be kept."""
    logger.debug("The storage refuses a piece", exc_info=error)  # one line each: a full disk refuses thousands
    message = error.message if isinstance(error, StorageError) else f"storage: {error.strerror}"
    return TransferError(FailureType.STORAGE_ERROR, message)


def arrived(key: str, url: str, kind: FailedResourceType, index: int | None = None) -> PieceResult:
    """The result of a piece that is stored."""
    return PieceResult(key, url, kind, index)


def lost(key: str, url: str, kind: FailedResourceType, error: TransferError, index: int | None = None) -> PieceResult:
    """The result of a piece that is not."""
    return PieceResult(key, _kept(url), kind, index, PieceFailure(error.failure_type, _kept(error.message)))


def _kept(text: str) -> str:
    """As a row keeps it: PostgreSQL takes no NUL, and a terminal must not be driven by what is told of a loss."""
    return _CONTROLS.sub("\N{REPLACEMENT CHARACTER}", text)


def last_part(url: str) -> str:
    """A piece's own name at the origin: the last part of its path, without the query."""
    return urlsplit(url).path.rpartition("/")[2]
