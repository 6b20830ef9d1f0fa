from __future__ import annotations

import logging
from queue import SimpleQueue
from threading import Event

import pytest

from domain.errors import DatabaseError
from jobs.refill import Refill

SOON = 10  # seconds


def test_all_who_ask_meanwhile_are_served_by_one() -> None:
    begun, leave = SimpleQueue[None](), SimpleQueue[None]()

    def admit() -> None:
        begun.put(None)
        leave.get(timeout=SOON)

    refill = Refill(admit)
    refill.start()
    refill()
    begun.get(timeout=SOON)
    for _ in range(100):
        refill()
    assert begun.empty()
    leave.put(None)
    begun.get(timeout=SOON)
    leave.put(None)
    leave.put(None)
    refill.stop(SOON)
    begun.get(timeout=SOON)
    assert begun.empty()


def test_what_was_asked_for_before_a_stop_is_done() -> None:
    done = Event()
    refill = Refill(done.set)
    refill()
    refill.start()
    refill.stop(SOON)
    assert done.is_set()


def test_a_database_that_does_not_answer_is_asked_again(caplog: pytest.LogCaptureFixture) -> None:
    tries, errors = SimpleQueue[None](), iter([DatabaseError()])

    def admit() -> None:
        tries.put(None)
        for error in errors:
            raise error

    refill = Refill(admit)
    refill.start()
    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            refill()
            tries.get(timeout=SOON)
        refill.stop(SOON)
    assert caplog.messages == ["Free slots could not be filled; upkeep will do it"]
