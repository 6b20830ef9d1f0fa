"""Pages of rows: by cursor, Relay's way, or by offset, for the documented REST paths."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from domain.errors import BadArgumentError

Row = TypeVar("Row")

DEFAULT_SIZE = 20
MAX_SIZE = 100

Position = tuple[Any, ...]
"""The values of a row's sort keys, ``id`` last: where a page begins or ends."""


@dataclass(frozen=True, slots=True)
class PageRequest:
    """``size`` rows after (or before) a position; ``backward`` takes the last ones. ``offset`` is REST's page."""

    size: int = DEFAULT_SIZE
    after: Position | None = None
    before: Position | None = None
    backward: bool = False
    offset: int = 0

    @classmethod
    def relay(cls, first: int | None, after: Position | None, last: int | None, before: Position | None) -> PageRequest:
        """Raises BadArgumentError on first and last together, or out of 1-100."""
        if first is not None and last is not None:
            raise BadArgumentError("Give first or last, not both.", field=("last",))
        name, size = ("last", last) if last is not None else ("first", first)
        if size is not None and not 1 <= size <= MAX_SIZE:
            raise BadArgumentError(f"{name} must be from 1 to {MAX_SIZE}.", field=(name,))
        return cls(DEFAULT_SIZE if size is None else size, after, before, backward=last is not None)


@dataclass(frozen=True, slots=True)
class Page(Generic[Row]):
    """Rows in the asked order, and whether there are more on either side."""

    items: list[Row]
    has_next: bool = False
    has_previous: bool = False
