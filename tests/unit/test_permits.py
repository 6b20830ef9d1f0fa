"""Operations execute few at a time, and one that waits holds nobody up."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from types import SimpleNamespace

import pytest
from anyio.to_thread import current_default_thread_limiter

from graph import permits
from graph.permits import PERMITS, Permits

SOON = 10.0  # seconds


class Work:
    """Counts who is at it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._here = self.most = self.done = 0
        self._full = threading.Event()

    def __call__(self) -> None:
        """Stays until as many as may be here have come, or nobody comes."""
        with self._here_too() as here:
            if here == PERMITS:
                self._full.set()
            self._full.wait(SOON)

    @contextmanager
    def _here_too(self) -> Iterator[int]:
        with self._lock:
            self._here += 1
            self.most = max(self.most, self._here)
            here = self._here
        try:
            yield here
        finally:
            with self._lock:
                self._here -= 1
                self.done += 1


def test_few_execute_at_once_and_all_in_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(permits, "LOOK", SOON)
    work, many = Work(), 5 * PERMITS

    async def run() -> None:
        current_default_thread_limiter().total_tokens = many
        shared = Permits()
        await asyncio.gather(*(shared.run(work) for _ in range(many)))

    asyncio.run(run())
    assert (work.most, work.done) == (PERMITS, many)


def the_process_computes(monkeypatch: pytest.MonkeyPatch, computed: Callable[[], float]) -> None:
    """So many seconds until now."""
    monkeypatch.setattr(permits, "time", SimpleNamespace(process_time=computed))


@pytest.mark.parametrize("share", [0.0, 1.0], ids=["idle", "long"])
def test_those_that_wait_hold_nobody_up(share: float, monkeypatch: pytest.MonkeyPatch) -> None:
    gate = threading.Event()
    monkeypatch.setattr(permits, "LONG", 0.01 if share else SOON)
    the_process_computes(monkeypatch, lambda: share * time.monotonic())

    async def run() -> str:
        current_default_thread_limiter().total_tokens = 3 * PERMITS
        shared = Permits()
        waiting = [asyncio.create_task(shared.run(lambda: gate.wait(SOON))) for _ in range(2 * PERMITS)]
        quick = await asyncio.wait_for(shared.run(lambda: "done"), SOON / 2)
        gate.set()
        assert await asyncio.gather(*waiting) == [True] * len(waiting)
        return quick

    assert asyncio.run(run()) == "done"


def test_nobody_joins_those_that_compute(monkeypatch: pytest.MonkeyPatch) -> None:
    enough, looks = threading.Event(), count()

    def computed() -> float:
        if next(looks) == 10 * PERMITS:
            enough.set()
        return time.monotonic()

    monkeypatch.setattr(permits, "LONG", SOON)
    the_process_computes(monkeypatch, computed)

    async def run() -> list[bool]:
        shared = Permits()
        computing = (shared.run(lambda: enough.wait(SOON)) for _ in range(PERMITS))
        return await asyncio.gather(*computing, shared.run(enough.is_set))

    assert asyncio.run(run()) == [True] * (PERMITS + 1)


def test_a_permit_is_free_again_after_an_error() -> None:
    def fail() -> None:
        raise ValueError

    async def run() -> list[object]:
        shared = Permits()
        failed = await asyncio.gather(*(shared.run(fail) for _ in range(2 * PERMITS)), return_exceptions=True)
        return [type(each) for each in failed] + [await shared.run(lambda: "done")]

    assert asyncio.run(run()) == [ValueError] * (2 * PERMITS) + ["done"]
