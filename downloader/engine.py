"""The downloader: one asyncio loop in a thread of its own serves every run of the process."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from domain.errors import RunStopped
from domain.ports import FetchOutcome, Sink, Source, Storage
from domain.values import ResourceType
from downloader.client import Client
from downloader.fetch import Fetch
from downloader.http import DocumentClient, http_client
from downloader.limits import Limits
from downloader.probe import Reserve
from downloader.room import Room
from downloader.transfer import Transfer

if TYPE_CHECKING:
    from types import TracebackType

STORING = 32  # files on their way to storage that is elsewhere, over all runs
REPORT_INTERVAL = 0.5  # seconds: the throttle of progress writes, and the delay of a stop

Result = TypeVar("Result")


def fetcher(kind: ResourceType) -> Callable[[Fetch], Coroutine[Any, Any, FetchOutcome]]:
    """Who fetches such a resource. Each is loaded when it is needed: a process that fetches once needs one."""
    if kind is ResourceType.HLS:
        from downloader.hls import fetch_hls  # noqa: PLC0415

        return fetch_hls
    from downloader.file import fetch_image, fetch_mp4  # noqa: PLC0415

    return fetch_mp4 if kind is ResourceType.MP4 else fetch_image


def until_the_next_report() -> float:
    """Seconds; all runs of a process report at the same moments, so that one transaction writes what they say."""
    return REPORT_INTERVAL - time.monotonic() % REPORT_INTERVAL


class Engine:
    """A ``Downloader``. Use as a context manager: the loop runs between ``__enter__`` and ``__exit__``."""

    def __init__(
        self, storage: Storage, make_client: Callable[[], Client], limits: Limits, *, measures: bool = True
    ) -> None:
        self._storage = storage
        self._measures = measures
        self._make_client = make_client
        self._limits = limits
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="downloader", daemon=True)
        self._client: Client | None = None
        self._documents: DocumentClient | None = None
        # Two: probing and digesting use a core each, and the loop needs its share.
        self._aside = ThreadPoolExecutor(2, thread_name_prefix="downloader-aside")
        # Many, since these only wait; local storage has no answers to wait for.
        self._storing = ThreadPoolExecutor(STORING, "downloader-storing") if storage.is_remote else self._aside
        self._probes = Reserve()
        self._room = Room(limits.scratch_bytes, self._trim) if storage.is_remote else None

    def __enter__(self) -> Engine:
        self._thread.start()
        self._call(self._open())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._call(self._close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def fetch(self, source: Source, sink: Sink) -> FetchOutcome:
        """See ``Downloader.fetch``."""
        transfer = Transfer(source)
        task, ended = self._call(self._begin(transfer))
        is_probed = self._measures and source.resource_type is not ResourceType.IMAGE
        with self._probes.kept() if is_probed else nullcontext():
            return self._follow(transfer, task, ended, sink)

    def _follow(
        self, transfer: Transfer, task: asyncio.Task[FetchOutcome], ended: threading.Event, sink: Sink
    ) -> FetchOutcome:
        """Report until the fetch has ended."""
        try:
            while not ended.wait(until_the_next_report()):
                sink.report(transfer.progress(), transfer.take_results())
                transfer.reported_at = time.monotonic()
                if sink.draining or sink.finishing:
                    self._loop.call_soon_threadsafe(partial(transfer.end, draining=sink.draining))
                if keys := sink.asked_again:
                    self._loop.call_soon_threadsafe(transfer.asked_again.put_nowait, frozenset(keys))
        except BaseException:
            self._loop.call_soon_threadsafe(task.cancel)
            ended.wait()  # nothing of this run writes any more when the next one begins
            sink.left(transfer.progress())
            raise
        sink.ended(transfer.progress(), transfer.take_results())
        try:
            return task.result()
        except asyncio.CancelledError:
            raise RunStopped from None  # the engine is being closed

    async def _begin(self, transfer: Transfer) -> tuple[asyncio.Task[FetchOutcome], threading.Event]:
        if self._client is None or self._documents is None:
            raise RuntimeError("use the engine as a context manager")
        fetch = Fetch(
            transfer,
            self._client,
            self._documents,
            self._storage,
            self._limits,
            self._aside,
            self._measures,
            self._storing,
            self._room,
            self._probes,
        )
        task = asyncio.create_task(fetcher(transfer.source.resource_type)(fetch))
        ended = threading.Event()
        task.add_done_callback(lambda _: ended.set())
        return task, ended

    async def _open(self) -> None:
        self._client = self._make_client()
        self._documents = http_client(self._client)
        if self._room is not None:
            await self._room.open()

    async def _trim(self, most: int, spare: Path | None) -> int:
        return await self._loop.run_in_executor(self._aside, self._storage.trim_partials, most, spare)

    async def _close(self) -> None:
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        if self._client is not None and self._documents is not None:
            await self._documents.aclose()
            await self._client.aclose()
        self._aside.shutdown()
        self._storing.shutdown()

    def _call(self, coroutine: Coroutine[Any, Any, Result]) -> Result:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result()
