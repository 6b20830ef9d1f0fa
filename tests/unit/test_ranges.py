"""Which bytes are fetched next, and by whom; times are in seconds, sizes and rates in bytes."""

from __future__ import annotations

import pytest

from downloader.limits import MIB
from downloader.ranges import FAST, LEAST, OPEN_END, Range, Ranges


def ranges(*missing: tuple[int, int]) -> Ranges:
    return Ranges(missing)


def under_way(whole: Ranges, rate: float | None = None) -> Range:
    """The next range, its request sent; with a rate, a tenth of a second old."""
    part = whole.next()
    assert part is not None
    part.asked = part.end
    if rate is not None:
        part.begin(1.0)
        part.position += int(rate / 10)
        part.measure(1.1)
    return part


def test_what_is_missing_is_told_in_order_whether_under_way_or_waiting() -> None:
    whole = ranges((50, 60), (0, 10), (20, 40))

    first = under_way(whole)
    first.position += 4
    empty = under_way(whole)
    empty.position = empty.end

    assert whole.missing == [(20, 40), (54, 60)]


def test_what_waits_comes_first_in_order_and_then_nothing_while_no_rate_is_known() -> None:
    whole = ranges((0, 10 * MIB), (20 * MIB, 30 * MIB))

    taken = [whole.next(), whole.next(), whole.next()]

    assert [part and part.position for part in taken] == [0, 20 * MIB, None]


def test_a_rate_is_the_average_at_first_and_of_the_last_second_later() -> None:
    part = Range(100, OPEN_END)
    part.measure(0.9)
    part.begin(1.0)
    part.position += 1000
    part.measure(1.02)
    assert part.rate is None
    part.measure(1.1)
    assert part.rate == pytest.approx(10_000)
    part.position += 1000
    part.measure(1.5)
    assert part.rate == pytest.approx(4_000)
    part.position += 100_000
    part.begin(2.0)  # the answer to another try
    part.measure(3.5)
    assert part.rate == pytest.approx(50_000)
    part.measure(4.0)
    assert part.rate == pytest.approx(25_000)


def test_the_slowest_range_is_shared_so_that_both_ends_come_at_the_same_time() -> None:
    whole = ranges((0, 100 * MIB), (100 * MIB, 200 * MIB))
    quick, slow = under_way(whole, 30 * MIB), under_way(whole, 10 * MIB)
    left = slow.size

    taken = whole.next()

    assert taken is not None
    assert (quick.end, slow.end, taken.end) == (100 * MIB, taken.position, 200 * MIB)
    assert taken.size == left - int(left / 3)  # 10 against the usual 20 MiB/s


def test_a_range_without_an_answer_is_halved_and_never_taken_whole() -> None:
    whole = ranges((0, 20 * MIB), (20 * MIB, 40 * MIB))
    under_way(whole, 10 * MIB)
    silent = under_way(whole)

    assert [whole.next() for _ in range(2)] != [None, None]
    assert silent.end == 30 * MIB
    assert not silent.is_taken_over


def test_a_range_that_stands_still_is_taken_over_whole() -> None:
    whole = ranges((0, 20 * MIB), (20 * MIB, 20 * MIB + 2 * LEAST))
    under_way(whole, 10 * MIB)
    still = under_way(whole, 0)

    taken = whole.next()

    assert taken is not None
    assert (taken.position, taken.end) == (20 * MIB, 20 * MIB + 2 * LEAST)
    assert still.is_taken_over


@pytest.mark.parametrize(
    ("size", "rate"),
    [
        (5 * MIB, 10 * MIB),  # half a second of work
        (10_000 * MIB, FAST + MIB),  # a link can hardly bring more
        (10 * MIB, 0),  # what another would bring is not known
    ],
)
def test_what_would_gain_nothing_is_not_shared(size: int, rate: float) -> None:
    whole = ranges((0, size + int(rate / 10)))
    part = under_way(whole, rate)

    assert whole.next() is None
    assert part.size == size
    assert not part.is_taken_over


def test_sixteen_share_alike() -> None:
    whole = ranges((0, 256 * MIB))
    under_way(whole, 8 * MIB)

    while len(whole.active) < 16:
        under_way(whole)

    sizes = [part.size for part in whole.active]
    assert sum(sizes) == 256 * MIB - int(0.8 * MIB)
    assert max(sizes) - min(sizes) <= 16


def test_what_is_left_of_a_range_waits() -> None:
    whole = ranges((0, 100))
    part = under_way(whole)
    part.position = 30

    whole.ended(part)

    assert (whole.active, whole.missing) == ([], [(30, 100)])
    part = under_way(whole)
    part.position = 100
    whole.ended(part)
    assert (whole.missing, whole.next()) == ([], None)


def test_what_is_given_back_is_brought_by_the_request_before_it_that_still_asks_for_it() -> None:
    whole = ranges((0, 256 * MIB))
    first = under_way(whole, 8 * MIB)
    others = [under_way(whole) for _ in range(3)]

    for other in others:
        whole.give_back(other)

    assert whole.active == [first]
    assert whole.missing == [(first.position, 256 * MIB)]
    assert first.end == 256 * MIB


def test_what_no_request_asks_for_waits_and_is_known_as_given_back() -> None:
    whole = ranges((0, 100), (100, 200))
    under_way(whole)
    second = under_way(whole)
    second.position = 150

    whole.give_back(second)

    assert whole.missing == [(0, 100), (150, 200)]
    again = under_way(whole)
    assert (again.position, again.end, again.given_back) == (150, 200, True)


def test_a_restart_makes_one_range_of_everything() -> None:
    whole = ranges((10, 20), (30, 40))
    part = under_way(whole)

    part.restart()
    whole.only(part)

    assert whole.missing == [(0, OPEN_END)]
    assert whole.next() is None
