"""Reading what belongs to many rows in one statement a level."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping
from typing import Any, TypeVar
from uuid import UUID

Row = TypeVar("Row", bound=Hashable)
Found = TypeVar("Found")


class Siblings:
    """The rows that one operation shows side by side.

    The first row that is asked for what belongs to it has it read for all its siblings at once; the others find it
    here. What is read is thus exactly what execution reaches, whatever fragments, aliases and @skip lead there.
    Entities are equal only to themselves, so a row is its own key.
    """

    def __init__(self) -> None:
        self._groups: dict[Any, list[Any]] = {}
        self._found: dict[Hashable, dict[UUID, Any]] = {}

    def introduce(self, rows: Iterable[Row]) -> None:
        """These rows are shown together."""
        group = list(rows)
        self._groups.update(dict.fromkeys(group, group))

    def read(
        self,
        what: Hashable,
        row: Row,
        key: Callable[[Row], UUID],
        fetch: Callable[[set[UUID]], Mapping[UUID, Found]],
    ) -> Found | None:
        """What belongs to ``row``, None if nothing does; ``what`` names it, with its arguments."""
        found: dict[UUID, Found | None] = self._found.setdefault(what, {})
        if key(row) not in found:
            missing = {key(sibling) for sibling in self._groups.get(row, [row])} - found.keys()
            answers = fetch(missing)
            found.update((each, answers.get(each)) for each in missing)
        return found[key(row)]

    def forget(self) -> None:
        """A mutation may change anything: read afresh after it."""
        self._groups.clear()
        self._found.clear()
