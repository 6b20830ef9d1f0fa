"""A large file against a real origin: how many connections it gets, and what becomes of what goes wrong."""

from __future__ import annotations

import asyncio
import fcntl
import json
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import pytest
from xxhash import xxh3_128

from domain.ports import FetchOutcome, PieceFailure, Source
from domain.values import FailureType, ResourceType
from downloader import partial_file, ranges, ranges_fetch
from downloader.client import Client
from downloader.fetch import Fetch
from downloader.file import fetch_mp4
from downloader.http import http_client
from downloader.limits import MIB, Limits
from downloader.transfer import Transfer
from storage.keys import Names
from storage.local import LocalStorage
from tests import media
from tests import origin_faults as faults
from tests.fetching import local
from tests.origin import Hit, Origin
from tests.origin_faults import Exchange, Fault

NAMES = Names(UUID(int=1), datetime(2025, 6, 14, tzinfo=UTC))
RATE = 4 * MIB  # bytes a second, a connection
FILM = media.mp4(min_bytes=4 * MIB)
OTHER = FILM[:-MIB] + bytes(MIB)
SLACK = MIB  # bytes that an origin may have sent, and nobody taken, when connections ended early
PATH = "/film.mp4"


@pytest.fixture(autouse=True)
def _in_small(monkeypatch: pytest.MonkeyPatch) -> None:
    """A second's work is large here, and a tenth of it worth a connection."""
    monkeypatch.setattr(ranges, "WORTHWHILE", 0.1)
    monkeypatch.setattr(ranges_fetch, "SMALL", MIB)


@pytest.fixture
def origin() -> Iterator[Origin]:
    with Origin(rate=RATE) as running:
        running.put(PATH, FILM, etag='"one"')
        yield running


class Downloads:
    """Fetches the film into one folder, run after run."""

    def __init__(self, origin: Origin, root: Path) -> None:
        self.origin = origin
        self.storage = LocalStorage(root)
        self.partial = self.storage.partial(NAMES.mp4)
        self.state = self.partial.with_name(f"{self.partial.name}.json")
        self.limits = Limits()
        self.timeout = 5.0
        self.transfer = Transfer(Source(origin.url(PATH), ResourceType.MP4, NAMES, 0))

    def run(self, *, until: Callable[[Transfer], bool] = lambda _: False) -> FetchOutcome | None:
        """One run; None when it was stopped since it was as far as ``until`` says."""
        return asyncio.run(self._run(until))

    @property
    def stored(self) -> bytes | None:
        return self.storage.read(NAMES.mp4)

    @property
    def left(self) -> list[str]:
        """Temporary files."""
        return [path.name for path in self.partial.parent.iterdir() if path.name.startswith(".")]

    @property
    def failure(self) -> PieceFailure | None:
        (result,) = self.transfer.take_results()
        return result.failure

    async def _run(self, until: Callable[[Transfer], bool]) -> FetchOutcome | None:
        source = Source(self.origin.url(PATH), ResourceType.MP4, NAMES, self.transfer.source.run_number + 1)
        self.transfer = Transfer(source)
        async with self._fetch() as fetch:
            running = asyncio.create_task(fetch_mp4(fetch))
            while not running.done() and not until(self.transfer):
                now, total = self.transfer.progress().bytes_downloaded, self.transfer.bytes_total
                assert now <= (total or now)
                await asyncio.wait([running], timeout=0.01)
            running.cancel() if not running.done() else None
            with suppress(asyncio.CancelledError):
                return await running
        return None

    @asynccontextmanager
    async def _fetch(self) -> AsyncIterator[Fetch]:
        client = Client(local(self.origin.port), timeout=self.timeout)
        documents = http_client(client)
        with ThreadPoolExecutor(2) as aside:
            yield Fetch(self.transfer, client, documents, self.storage, self.limits, aside)
        await documents.aclose()
        await client.aclose()


@pytest.fixture
def downloads(origin: Origin, tmp_path: Path) -> Downloads:
    return Downloads(origin, tmp_path)


def arrived_whole(downloads: Downloads, film: bytes = FILM) -> None:
    """The film is stored, nothing else is left, and its digest is recorded."""
    assert downloads.failure is None
    assert downloads.stored == film
    assert downloads.left == []
    assert downloads.transfer.progress().bytes_downloaded == downloads.transfer.bytes_total == len(film)
    line = f"{xxh3_128(film).hexdigest()}  {NAMES.mp4.removeprefix(NAMES.folder)}\n"
    assert downloads.storage.read(NAMES.digests) == line.encode()


def sent(hits: list[Hit]) -> int:
    return sum(hit.bytes_sent for hit in hits)


# --- how many connections ---


def test_a_slow_connection_is_joined_by_others(origin: Origin, downloads: Downloads) -> None:
    downloads.run()

    arrived_whole(downloads)
    first, *others = origin.log
    assert (first.status, first.range) == (200, None)
    assert {(hit.status, hit.headers["if-range"]) for hit in others} == {(206, '"one"')}
    assert 8 <= origin.max_concurrent <= 16
    assert sent(origin.log) < len(FILM) + SLACK


def test_a_task_gets_no_more_connections_than_it_may_have(origin: Origin, downloads: Downloads) -> None:
    downloads.limits = Limits(concurrency=3)
    downloads.run()

    arrived_whole(downloads)
    assert origin.max_concurrent == 3


def test_what_is_small_is_one_stream(origin: Origin, downloads: Downloads) -> None:
    film = FILM[: len(media.mp4())] + bytes([0, 0, 0, 8]) + b"free"
    origin.put(PATH, film)
    origin.fail(PATH, faults.drip(len(film)))
    downloads.run()

    arrived_whole(downloads, film)
    assert [hit.range for hit in origin.log] == [None]


def test_what_is_quick_is_one_stream(downloads: Downloads, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ranges, "FAST", MIB)
    with Origin(rate=RATE) as origin:
        origin.put(PATH, FILM)
        downloads.origin = origin
        downloads.run()

        arrived_whole(downloads)
        assert [hit.range for hit in origin.log] == [None]


@pytest.mark.parametrize(
    ("etag", "changed", "validator"),
    [
        (None, "Mon, 01 Jan 2024 00:00:00 GMT", "Mon, 01 Jan 2024 00:00:00 GMT"),
        (None, "Fri, 01 Jan 2100 00:00:00 GMT", None),
        ('W/"one"', "Mon, 01 Jan 2024 00:00:00 GMT", None),
        (None, None, None),
    ],
)
def test_only_a_strong_validator_allows_parts(
    origin: Origin, downloads: Downloads, etag: str | None, changed: str | None, validator: str | None
) -> None:
    origin.put(PATH, FILM, etag=etag, last_modified=changed)
    downloads.run()

    arrived_whole(downloads)
    assert {hit.headers.get("if-range") for hit in origin.log[1:]} == ({validator} if validator else set())


# --- an origin that does not send parts ---


def test_who_does_not_know_ranges_is_asked_once(origin: Origin, downloads: Downloads) -> None:
    origin.put(PATH, FILM, etag='"one"', ranges=False)
    downloads.run()

    arrived_whole(downloads)
    assert [hit.status for hit in origin.log] == [200, 200]
    assert sent(origin.log) < len(FILM) + SLACK


def test_who_says_that_it_knows_none_is_not_asked(origin: Origin, downloads: Downloads) -> None:
    origin.put(PATH, FILM, etag='"one"', ranges=False, headers={"Accept-Ranges": "none"})
    downloads.run()

    arrived_whole(downloads)
    assert len(origin.log) == 1


@faults.fault
async def other_part(exchange: Exchange) -> None:
    """A 206 of another version, whatever If-Range says."""
    exchange.resource = replace(exchange.resource, etag='"two"', body=OTHER)
    headers = {name: value for name, value in exchange.request.headers.items() if name != "if-range"}
    await exchange.send(exchange.resource.reply(replace(exchange.request, headers=headers)))


@pytest.mark.parametrize(
    "fault",
    [
        faults.range_ignored(),
        faults.wrong_range(),
        faults.status(416),
        faults.status(403),
        faults.status(206, body=b"x"),
        faults.html(),
        faults.gzip_bomb(),
    ],
    ids=repr,
)
def test_an_origin_that_breaks_its_word_is_one_stream(origin: Origin, downloads: Downloads, fault: Fault) -> None:
    origin.fail(PATH, fault, skip=1)
    downloads.run()

    arrived_whole(downloads)


def test_who_bears_few_connections_gets_few(origin: Origin, downloads: Downloads) -> None:
    origin.fail(PATH, faults.status(403), skip=4, times=4)
    downloads.run()

    arrived_whole(downloads)
    assert [hit.status for hit in origin.log].count(403) == 4


# --- another version ---


@pytest.mark.parametrize("fault", [faults.changed_etag(OTHER), other_part()], ids=["200", "206"])
def test_another_version_in_the_middle_starts_anew_and_is_never_mixed(
    origin: Origin, downloads: Downloads, fault: Fault
) -> None:
    origin.fail(PATH, fault, skip=1)
    downloads.run()

    arrived_whole(downloads, OTHER)
    assert origin.log[-1].range is None


@pytest.mark.parametrize("size", [len(FILM), len(FILM) - MIB, len(FILM) + MIB], ids=["as long", "shorter", "longer"])
def test_another_version_between_two_runs(origin: Origin, downloads: Downloads, size: int) -> None:
    half(downloads)
    other = media.mp4(min_bytes=size).replace(b"isom", b"iso2", 1)
    origin.put(PATH, other, etag='"two"')
    downloads.run()

    arrived_whole(downloads, other)


def test_another_version_between_two_runs_whatever_if_range_says(origin: Origin, downloads: Downloads) -> None:
    half(downloads)
    origin.put(PATH, OTHER, etag='"two"')
    origin.fail(PATH, other_part(), times=1)
    downloads.run()

    arrived_whole(downloads, OTHER)


# --- ranges that break off ---


@pytest.mark.parametrize(
    "fault",
    [
        faults.reset(MIB // 16),
        faults.truncated(MIB // 16),
        faults.stall(MIB // 16),
        faults.stall(),
        faults.reset(),
        faults.status(503),
        faults.retry_after(0),
    ],
    ids=repr,
)
def test_a_range_that_breaks_off_goes_on_where_it_was(origin: Origin, downloads: Downloads, fault: Fault) -> None:
    downloads.timeout = 1.0
    origin.fail(PATH, fault, skip=2, times=3)
    downloads.run()

    arrived_whole(downloads)
    assert sent(origin.log) < len(FILM) + SLACK


def test_the_first_stream_goes_on_where_it_broke_off(origin: Origin, downloads: Downloads) -> None:
    downloads.limits = Limits(concurrency=1)
    for size in (1, 0.5, 2):
        origin.fail(PATH, faults.reset(int(size * MIB)), times=1)
    downloads.run()

    arrived_whole(downloads)
    first, *others = origin.log
    assert first.range is None
    starts = [int(hit.range[6:].split("-")[0]) for hit in others if hit.range]
    assert starts == sorted(starts)
    assert sent(origin.log) < len(FILM) + SLACK


def test_a_connection_that_drips_is_robbed(origin: Origin, downloads: Downloads) -> None:
    origin.fail(PATH, faults.drip(5_000), skip=3, times=1)
    began = time.monotonic()
    downloads.run()

    assert time.monotonic() - began < 5  # of the fifty that its share would take
    arrived_whole(downloads)
    assert sent(origin.log) < len(FILM) + SLACK


def test_a_range_that_cannot_be_had_fails_the_file_and_keeps_the_rest(origin: Origin, downloads: Downloads) -> None:
    with Origin(rate=RATE) as broken:
        broken.put(PATH, FILM, etag='"one"')
        broken.fail(PATH, faults.reset(MIB), times=1)
        broken.fail(PATH, faults.status(403))
        downloads.origin = broken
        downloads.run()
        assert downloads.failure == PieceFailure(FailureType.PERMISSION_ERROR, "expired: HTTP 403")
    present = kept(downloads)
    assert 0 < present <= MIB
    downloads.origin = origin
    downloads.run()
    arrived_whole(downloads)
    assert sent(origin.log) < len(FILM) - present + SLACK


def test_without_a_validator_every_try_starts_anew(origin: Origin, downloads: Downloads) -> None:
    origin.put(PATH, FILM, etag=None, last_modified=None)
    origin.fail(PATH, faults.truncated(MIB // 2), times=2)
    downloads.run()

    arrived_whole(downloads)
    assert [hit.range for hit in origin.log] == [None] * 3


def test_a_chunked_body_tells_its_size_when_it_is_gone_on_with(origin: Origin, downloads: Downloads) -> None:
    origin.put(PATH, FILM, etag='"one"', chunked=True)
    origin.fail(PATH, faults.chunked_truncated(MIB), times=1)
    downloads.run()

    arrived_whole(downloads)
    first, second, *others = origin.log
    assert (first.range, second.range) == (None, f"bytes={MIB}-")
    assert len(others) > 0
    assert sent(origin.log) < len(FILM) + SLACK


def test_a_chunked_body_is_gone_on_with_by_a_later_run(origin: Origin, downloads: Downloads) -> None:
    origin.put(PATH, FILM, etag='"one"', chunked=True)
    downloads.run(until=lambda transfer: transfer.bytes_in_flight > MIB)
    assert json.loads(downloads.state.read_text())["total"] is None
    downloads.run()

    arrived_whole(downloads)
    assert origin.log[1].status == 206


@pytest.mark.parametrize(
    ("fault", "failure"),
    [
        (faults.status(404), PieceFailure(FailureType.NETWORK_ERROR, "HTTP 404")),
        (faults.truncated(MIB // 4), PieceFailure(FailureType.INVALID_CONTENT, "truncated: the body ended early")),
        (faults.stall(MIB // 4), PieceFailure(FailureType.TIMEOUT, "timeout: no byte for 0.5 s")),
        (faults.html(), PieceFailure(FailureType.INVALID_CONTENT, "HTML: the server sent a page instead of media")),
        (faults.empty(), PieceFailure(FailureType.INVALID_CONTENT, "empty: the answer had no bytes")),
        (faults.endless(), PieceFailure(FailureType.INVALID_CONTENT, f"too large: over {5 * MIB} bytes")),
    ],
    ids=repr,
)
def test_what_cannot_be_had_is_a_failure(downloads: Downloads, fault: Fault, failure: PieceFailure) -> None:
    with Origin() as origin:
        origin.put(PATH, FILM, etag='"one"')
        origin.fail(PATH, fault)
        downloads.origin, downloads.timeout = origin, 0.5
        downloads.limits = Limits(max_file_bytes=5 * MIB)
        outcome = downloads.run()

    assert outcome == FetchOutcome(pieces=1, stored=0, note=failure.message)
    assert downloads.failure == failure
    assert downloads.stored is None


# --- over several runs ---


def half(downloads: Downloads) -> int:
    """A run that is stopped in the middle; the bytes that it keeps."""
    assert downloads.run(until=lambda transfer: transfer.bytes_in_flight > len(FILM) // 2) is None
    assert downloads.stored is None
    return kept(downloads)


def kept(downloads: Downloads) -> int:
    """Bytes that the state tells of, each of which is right."""
    state, present = json.loads(downloads.state.read_text()), bytearray(downloads.partial.read_bytes())
    assert len(present) == state["total"] == len(FILM)
    missing: list[tuple[int, int]] = state["missing"]
    for start, end in missing:
        present[start:end] = FILM[start:end]
    assert present == FILM
    return len(FILM) - sum(end - start for start, end in missing)


def test_a_later_run_fetches_only_what_is_missing(origin: Origin, downloads: Downloads) -> None:
    present = half(downloads)
    before = len(origin.log)
    downloads.run()

    arrived_whole(downloads)
    assert len(FILM) // 2 < present < len(FILM)
    assert {hit.status for hit in origin.log[before:]} == {206}
    assert sent(origin.log[before:]) < len(FILM) - present + SLACK


@pytest.mark.parametrize("fault", [faults.html(), faults.empty()], ids=repr)
def test_a_page_in_place_of_the_rest_costs_nothing_that_is_there(
    origin: Origin, downloads: Downloads, fault: Fault
) -> None:
    present = half(downloads)
    origin.fail(PATH, fault)
    downloads.run()

    message = "not media: the server sent something else in place of the rest"
    assert downloads.failure == PieceFailure(FailureType.INVALID_CONTENT, message)
    assert kept(downloads) == present
    origin.heal()
    downloads.run()
    arrived_whole(downloads)


def test_an_origin_that_sends_no_parts_any_more_sends_the_whole(origin: Origin, downloads: Downloads) -> None:
    half(downloads)
    before = len(origin.log)
    origin.put(PATH, FILM, etag='"one"', ranges=False)
    downloads.run()

    arrived_whole(downloads)
    assert [hit.status for hit in origin.log[before:]] == [200]


@pytest.mark.parametrize("fault", [faults.wrong_range(), faults.status(416), faults.gzip_bomb()], ids=repr)
def test_parts_that_are_wrong_once_are_asked_for_again(origin: Origin, downloads: Downloads, fault: Fault) -> None:
    half(downloads)
    before = len(origin.log)
    origin.fail(PATH, fault, times=1)
    downloads.run()

    arrived_whole(downloads)
    assert None not in [hit.range for hit in origin.log[before:]]


def test_parts_that_stay_wrong_are_done_without(origin: Origin, downloads: Downloads) -> None:
    half(downloads)
    before = len(origin.log)
    origin.fail(PATH, faults.wrong_range())
    downloads.run()

    arrived_whole(downloads)
    *parts, last = origin.log[before:]
    assert None not in [hit.range for hit in parts]
    assert (last.status, last.range) == (200, None)


def test_while_another_run_still_writes_the_file_is_begun_anew(origin: Origin, downloads: Downloads) -> None:
    half(downloads)
    before, left = len(origin.log), downloads.left
    with downloads.partial.open("rb") as late:
        present = late.read()
        fcntl.flock(late, fcntl.LOCK_EX)
        downloads.run()

        assert downloads.stored == FILM
        assert (downloads.left, downloads.partial.read_bytes()) == (left, present)
    assert origin.log[before].range is None
    downloads.run()
    assert downloads.left == []


def test_what_a_killed_run_left_beside_the_stored_file_goes(origin: Origin, downloads: Downloads) -> None:
    downloads.run()
    before = len(origin.log)
    downloads.state.touch()
    downloads.run()

    downloads.transfer.take_results()
    assert (downloads.stored, downloads.left, len(origin.log)) == (FILM, [], before)


def test_who_is_stopped_while_the_file_is_published_leaves_nothing(
    downloads: Downloads, monkeypatch: pytest.MonkeyPatch
) -> None:
    publishing, publish = threading.Event(), downloads.storage.publish

    def slowly(scratch: Path, key: str) -> None:
        if key == NAMES.mp4:
            publishing.set()
        time.sleep(0.2)  # as long as an upload might take
        publish(scratch, key)

    monkeypatch.setattr(downloads.storage, "publish", slowly)
    assert downloads.run(until=lambda _: publishing.is_set()) is None

    assert (downloads.stored, downloads.left) == (FILM, [])


# --- redirects ---


def test_all_ranges_come_from_where_the_first_was_redirected_to(origin: Origin, downloads: Downloads) -> None:
    origin.put("/mirror.mp4", FILM, etag='"one"')
    origin.fail(PATH, faults.redirect("/mirror.mp4"))
    downloads.run()

    arrived_whole(downloads)
    assert origin.hits(PATH) == 1


def test_a_redirect_that_has_expired_is_asked_for_again(origin: Origin, downloads: Downloads) -> None:
    origin.put("/mirror.mp4", FILM, etag='"one"')
    origin.fail(PATH, faults.redirect("/mirror.mp4?token=1"), times=1)
    origin.fail(PATH, faults.redirect("/mirror.mp4?token=2"))
    origin.fail("/mirror.mp4", faults.expiry("2"), skip=2)
    downloads.run()

    arrived_whole(downloads)
    assert origin.hits(lambda hit: hit.query == "token=2") > 0


# --- the disk ---


def test_what_does_not_fit_is_refused_before_a_byte_is_kept(origin: Origin, downloads: Downloads) -> None:
    downloads.limits = Limits(min_free_bytes=2**60)
    downloads.run()

    failure = PieceFailure(FailureType.STORAGE_ERROR, "disk full: the file does not fit")
    assert downloads.failure == failure
    assert (downloads.stored, downloads.left, len(origin.log)) == (None, [], 1)


def test_a_disk_that_fills_up_stops_the_run_and_the_next_goes_on(
    downloads: Downloads, monkeypatch: pytest.MonkeyPatch
) -> None:
    present = half(downloads)
    monkeypatch.setattr(partial_file, "SAVE_INTERVAL", 0.0)
    downloads.limits = Limits(min_free_bytes=2**60)
    downloads.run()

    failure = PieceFailure(FailureType.STORAGE_ERROR, "disk full: the file does not fit")
    assert downloads.failure == failure
    assert kept(downloads) >= present
    downloads.limits = Limits()
    downloads.run()
    arrived_whole(downloads)
