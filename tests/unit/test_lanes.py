"""How many requests a host gets at a time."""

from __future__ import annotations

import asyncio
import time

import pytest

from downloader.client import Client
from downloader.guard import Guard
from downloader.lanes import Lane
from downloader.request import Request
from downloader.response import HTTPStatusError
from downloader.retry import with_retries
from tests.origin import Origin
from tests.origin_faults import retry_after


async def test_as_many_as_it_is_wide_first_come_first_served() -> None:
    lane, order = Lane(2), []

    async def visit(name: str) -> None:
        await lane.enter()
        order.append(name)
        await asyncio.sleep(0)
        lane.leave()

    await asyncio.gather(*(visit(name) for name in "abcdef"))

    assert order == list("abcdef")
    assert lane.idle


async def test_whoever_gives_up_waiting_takes_no_place() -> None:
    lane = Lane(1)
    await lane.enter()
    waiting = [asyncio.create_task(lane.enter()) for _ in range(3)]
    await asyncio.sleep(0)
    waiting[0].cancel()
    lane.leave()  # the place goes to the second
    waiting[1].cancel()  # which gives up in that very moment
    await asyncio.wait_for(waiting[2], 1)

    lane.leave()

    assert lane.idle


async def test_asking_for_rest_halves_it_once_a_burst_and_success_widens_it_slowly() -> None:
    lane = Lane(8)
    burst = [await lane.enter() for _ in range(8)]
    for place in burst:
        lane.slow_down(place, 0)
        lane.leave()
    assert lane.width == 4

    for _ in range(4):
        lane.went_well()
    assert lane.width == 4
    lane.went_well()
    assert lane.width == 5
    for _ in range(1000):
        lane.went_well()
    assert lane.width == 8


async def test_it_is_closed_for_as_long_as_the_origin_asks() -> None:
    lane = Lane(4)
    lane.slow_down(await lane.enter(), 0.2)
    lane.leave()
    began = time.monotonic()

    await asyncio.gather(*(lane.enter() for _ in range(2)))

    assert 0.19 <= time.monotonic() - began < 1


async def test_retry_after_is_shared_by_every_request_to_the_host() -> None:
    with Origin() as origin:
        for number in range(6):
            origin.put(f"/{number}", b"body")
        origin.fail("/0", retry_after(1), times=1)
        client = Client(Guard(frozenset({("127.0.0.1", origin.port)})), max_connections_per_host=2)

        async def fetch(number: int) -> None:
            await with_retries(lambda: client.fetch(Request(origin.url(f"/{number}")), lambda _: None))

        try:
            with pytest.raises(HTTPStatusError):
                await client.fetch(Request(origin.url("/0")), lambda _: None)
            await asyncio.gather(*(fetch(number) for number in range(6)))
        finally:
            await client.aclose()

        refused, *later = origin.log
        assert refused.status == 429
        assert len(later) == 6
        assert all(hit.started - refused.started >= 1 for hit in later)
