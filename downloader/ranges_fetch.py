"""The missing ranges of one file, fetched side by side while that is of use."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from functools import partial

from domain.errors import TransferError
from domain.values import FailureType
from downloader.disk import reserve
from downloader.fetch import Fetch
from downloader.invalid import invalid
from downloader.limits import MIB
from downloader.partial_file import PartialFile, strong_validator
from downloader.ranges import OPEN_END, Range
from downloader.request import Request
from downloader.response import Response
from downloader.retry import with_retries

MAX_CONNECTIONS = 16  # for one file
SMALL = 8 * MIB  # bytes: a shorter file is fetched in one stream
TICK = 0.1  # seconds between two looks at the rates
FIRST_TICK = 0.01  # until one is known
LASTING = 2.0  # seconds: what takes longer, when a second has passed, has its room on the disk reserved
RENEWING = 8 * MIB  # bytes: whoever brought as much gets new tries, as the next segment of a stream does

PARTIAL_CONTENT = 206
PAGES = ("text/html", "application/json")


class VersionChanged(Exception):
    """The origin has another version now, or cannot be trusted with ranges: nothing we have can be gone on with."""


class RangesRefused(Exception):
    """The origin sends the whole where a part was asked for."""


async def fetch_ranges(fetch: Fetch, file: PartialFile) -> None:
    """Fetch all that ``file`` misses. Raises TransferError; what has arrived by then is there for the next try.

    Raises StorageError and OSError, too.
    """
    fetch.transfer.bytes_total = file.total
    try:
        await _RangeFetch(fetch, file).run()
    except VersionChanged:
        file.discard()
        file.one_stream = True  # that has one version for sure, be it from mirrors that do not agree
        raise invalid("changed", "the origin has another version now", retry=True) from None


class _RangeFetch:
    """One connection, and as soon as it proves slow, up to sixteen.

    The first request asks for the whole. A connection that has become free takes over a share of the range that
    would take longest; who held that ends where its share ends. A range that fails after its tries is given back
    for another connection to try, once, and fails the file then, or when nothing else is under way.
    """

    def __init__(self, fetch: Fetch, file: PartialFile) -> None:
        self._fetch = fetch
        self._file = file
        self._url = fetch.source.url  # or where it led to: mirrors need not agree on validators
        self._most = 1 if file.one_stream else min(MAX_CONNECTIONS, fetch.limits.concurrency)
        self._width = 1  # until the origin has shown that it knows ranges
        self._tasks: dict[asyncio.Task[None], Range] = {}
        self._reserving: asyncio.Task[None] | None = None

    async def run(self) -> None:
        """Until nothing is missing. Raises TransferError, VersionChanged, StorageError, OSError."""
        try:
            while self._begin_more():
                tick = TICK if self._file.ranges.usual_rate else FIRST_TICK
                done, _ = await asyncio.wait(self._tasks, timeout=tick, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    self._take_in(task)
                self._file.ranges.measure(_now())
                if self._file.save_now_and_then():
                    self._reserve()
        finally:
            await self._stop()

    def _begin_more(self) -> bool:
        """Give every free connection something to do; False when nothing is left."""
        while len(self._tasks) < min(self._width, self._most) and (part := self._file.ranges.next()) is not None:
            self._tasks[asyncio.create_task(self._complete(part))] = part
        for task, part in self._tasks.items():
            if part.is_taken_over:
                task.cancel()
        return bool(self._tasks)

    def _take_in(self, task: asyncio.Task[None]) -> None:
        """Take in how a range has ended."""
        part = self._tasks.pop(task)
        error = None if task.cancelled() else task.exception()
        if error is None:
            self._file.ranges.ended(part)
        elif isinstance(error, RangesRefused):
            self._most = 1
            self._file.ranges.give_back(part)
        elif isinstance(error, TransferError) and not part.given_back and (self._tasks or self._misleads(error)):
            self._most = max(1, len(self._tasks))
            self._file.ranges.give_back(part)
        else:
            raise self._final(error)

    def _misleads(self, error: TransferError) -> bool:
        """Other bytes came than those that were asked for, though they must exist."""
        return error.failure_type is FailureType.INVALID_CONTENT and not error.retry and self._goes_on

    def _final(self, error: BaseException) -> BaseException:
        """``error`` as it is to leave here: its tries are used up."""
        if not isinstance(error, TransferError):
            return error
        if error.retry:
            return TransferError(error.failure_type, error.message, refused=error.refused)
        return VersionChanged() if self._misleads(error) else error

    async def _stop(self) -> None:
        tasks = [*self._tasks, *([self._reserving] if self._reserving else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _reserve(self) -> None:
        """Set the room aside for what takes long, so that others cannot fill the disk under it."""
        if self._reserving is not None:
            if self._reserving.done():
                self._reserving.result()
        elif self._file.total is not None and self._file.ranges.seconds_left > LASTING:
            self._reserving = asyncio.create_task(self._fetch.in_thread(reserve, self._file.path, self._file.total))

    # --- one range ---

    async def _complete(self, part: Range) -> None:
        while part.size:
            before = part.position
            try:
                await with_retries(partial(self._receive, part))
            except TransferError as error:
                if not error.retry or part.position - before < RENEWING:
                    raise

    async def _receive(self, part: Range) -> None:
        part.asked = part.end
        try:
            await self._fetch.client.fetch(self._request(part), self._sink(part), partial(self._on_response, part))
        except _Reached:
            return
        except TransferError as error:
            if self._url != self._fetch.source.url:
                self._url = self._fetch.source.url
                error.retry = True  # an address that we were redirected to may be short-lived
            raise
        if part.end == OPEN_END:
            self._file.know_total(part, part.position)

    @property
    def _goes_on(self) -> bool:
        """Whether there is something to be gone on with."""
        return self._file.validator is not None and self._file.present > 0

    def _request(self, part: Range) -> Request:
        if not self._goes_on:
            return self._fetch.request(self._url)
        length = None if part.end == OPEN_END else part.size
        request = self._fetch.request(self._url, start=part.position, length=length, if_range=self._file.validator)
        return replace(request, require_range=False)  # the whole tells more: is it another version?

    def _on_response(self, part: Range, response: Response) -> None:
        if response.status == PARTIAL_CONTENT:
            if not self._file.continues(response):
                raise VersionChanged
            if self._file.total is None:
                self._file.know_total(part, response.size)
        elif any(other.size for other in self._file.ranges.active if other is not part):
            told = strong_validator(response.headers)
            raise RangesRefused if told in (None, self._file.validator) else VersionChanged
        else:
            self._restart(part, response)
        self._widen(response)
        self._url = response.url
        self._fetch.transfer.bytes_total = self._file.total
        part.begin(_now())

    def _restart(self, part: Range, response: Response) -> None:
        """The only request under way brings the whole."""
        if self._goes_on:
            if response.size == 0 or response.headers.get("content-type", "").startswith(PAGES):
                raise invalid("not media", "the server sent something else in place of the rest", retry=True)
            if strong_validator(response.headers) == self._file.validator:
                self._most = 1
        self._file.restart(part, response)

    def _widen(self, response: Response) -> None:
        """How many connections the origin bears, as far as it shows; who does not say is asked for one range first."""
        if self._file.validator is not None and (self._file.total or 0) >= SMALL:
            shown = response.headers.get("accept-ranges", "") if response.status != PARTIAL_CONTENT else "bytes"
            self._width = {"bytes": MAX_CONNECTIONS, "": 2}.get(shown, 1)

    def _sink(self, part: Range) -> Callable[[memoryview], None]:
        write = self._file.write

        def sink(data: memoryview) -> None:
            write(part, data if len(data) <= part.size else data[: part.size])
            if part.is_taken_over:
                raise _Reached

        return sink


class _Reached(Exception):
    """The rest of the request's range has been taken over."""


def _now() -> float:
    return asyncio.get_running_loop().time()
