from __future__ import annotations

import time

import pytest

from domain.speed import Speed


def at(monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    monkeypatch.setattr(time, "monotonic", lambda: seconds)


def speeds(monkeypatch: pytest.MonkeyPatch, *samples: tuple[float, int]) -> list[float | None]:
    speed, found = Speed(), list[float | None]()
    for seconds, total in samples:
        at(monkeypatch, seconds)
        found.append(speed.update(total))
    return found


def test_is_unknown_until_there_is_something_to_compare_with(monkeypatch: pytest.MonkeyPatch) -> None:
    assert speeds(monkeypatch, (100.0, 5_000), (100.0, 9_000), (102.0, 6_000)) == [None, None, 500.0]


def test_is_the_average_of_the_window(monkeypatch: pytest.MonkeyPatch) -> None:
    assert speeds(monkeypatch, (0.0, 0), (1.0, 100), (4.0, 1_000)) == [None, 100.0, 250.0]


def test_forgets_what_is_older_than_the_window(monkeypatch: pytest.MonkeyPatch) -> None:
    """The oldest sample that is kept is just outside of the window, so that the whole window counts."""
    assert speeds(monkeypatch, (0.0, 0), (1.0, 1_000), (5.5, 1_000), (6.0, 2_000), (10.5, 2_000)) == [
        None,
        1_000.0,
        pytest.approx(1_000 / 5.5),
        200.0,
        200.0,
    ]


def test_a_stall_ends_at_zero(monkeypatch: pytest.MonkeyPatch) -> None:
    stalled = [(2.0 + second, 1_000) for second in range(6)]
    assert speeds(monkeypatch, (0.0, 0), (1.0, 1_000), *stalled)[-1] == 0.0


def test_bytes_thrown_away_are_no_negative_speed(monkeypatch: pytest.MonkeyPatch) -> None:
    assert speeds(monkeypatch, (0.0, 1_000), (1.0, 400)) == [None, 0.0]


def test_keeps_no_more_samples_than_the_window_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    speed = Speed()
    for tick in range(1_000):
        at(monkeypatch, tick * 0.5)
        speed.update(tick)
    assert len(speed.samples) == 11
