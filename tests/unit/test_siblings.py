"""What belongs to many rows is read once for all of them."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from graph.siblings import Siblings


@dataclass(eq=False)
class Row:
    """Like an entity: equal only to itself."""

    id: UUID


class Shelf:
    """What belongs to a row is its number; every fetch is noted."""

    def __init__(self) -> None:
        self.fetches: list[set[int]] = []

    def fetch(self, ids: set[UUID]) -> dict[UUID, int]:
        self.fetches.append({each.int for each in ids})
        return {each: each.int for each in ids if each.int}


def rows(*numbers: int) -> list[Row]:
    return [Row(UUID(int=number)) for number in numbers]


def read(siblings: Siblings, shelf: Shelf, row: Row, what: str = "number") -> int | None:
    return siblings.read(what, row, lambda each: each.id, shelf.fetch)


def test_the_first_row_has_it_read_for_all() -> None:
    siblings, shelf, group = Siblings(), Shelf(), rows(1, 2, 3)
    siblings.introduce(group)
    assert [read(siblings, shelf, row) for row in group] == [1, 2, 3]
    assert shelf.fetches == [{1, 2, 3}]


def test_nothing_is_found_once_too() -> None:
    siblings, shelf, group = Siblings(), Shelf(), rows(0, 1)
    siblings.introduce(group)
    assert [read(siblings, shelf, row) for row in (*group, *group)] == [None, 1, None, 1]
    assert shelf.fetches == [{0, 1}]


def test_other_arguments_are_read_apart() -> None:
    siblings, shelf, group = Siblings(), Shelf(), rows(1, 2)
    siblings.introduce(group)
    read(siblings, shelf, group[0], "first 5")
    read(siblings, shelf, group[0], "first 3")
    read(siblings, shelf, group[1], "first 5")
    assert shelf.fetches == [{1, 2}, {1, 2}]


def test_a_row_on_its_own_is_read_alone() -> None:
    siblings, shelf, (row, other) = Siblings(), Shelf(), rows(1, 2)
    siblings.introduce([other])
    assert read(siblings, shelf, row) == 1
    assert shelf.fetches == [{1}]


def test_what_is_known_already_is_not_asked_for_again() -> None:
    siblings, shelf, (one, two) = Siblings(), Shelf(), rows(1, 2)
    read(siblings, shelf, one)
    siblings.introduce([one, two])
    read(siblings, shelf, two)
    assert shelf.fetches == [{1}, {2}]


def test_after_a_mutation_everything_is_read_afresh() -> None:
    siblings, shelf, group = Siblings(), Shelf(), rows(1, 2)
    siblings.introduce(group)
    read(siblings, shelf, group[0])
    siblings.forget()
    read(siblings, shelf, group[0])
    assert shelf.fetches == [{1, 2}, {1}]
