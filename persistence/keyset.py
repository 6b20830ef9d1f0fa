"""Pages by position.

A page begins after a row's values, not after a number of rows, so that rows which come and go meanwhile
neither repeat others nor hide them.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, NamedTuple, TypeVar

from sqlalchemy import (
    Column,
    ColumnElement,
    Integer,
    Select,
    Table,
    UnaryExpression,
    and_,
    bindparam,
    false,
    literal,
    or_,
    select,
    tuple_,
)
from sqlalchemy.orm import Session

from domain.errors import BadArgumentError, SortFieldError
from domain.paging import Page, PageRequest, Position
from domain.queries import Sort
from persistence.shown import Shown

Row = TypeVar("Row")

LIMIT = "at_most"


class Key(NamedTuple):
    """One column of an order. Null counts as the greatest value."""

    column: Column[Any]
    descending: bool

    @property
    def turned(self) -> Key:
        return Key(self.column, not self.descending)

    @property
    def clause(self) -> UnaryExpression[Any]:
        """For ORDER BY. The databases disagree on where nulls go by default."""
        ordered = self.column.desc() if self.descending else self.column.asc()
        if not self.column.nullable:
            return ordered
        return ordered.nulls_first() if self.descending else ordered.nulls_last()

    def after(self, value: object) -> ColumnElement[bool]:
        """Rows whose value comes after ``value``."""
        if value is None:
            return self.column.is_not(None) if self.descending else false()
        if self.descending:
            return self.column < value
        greater = self.column > value
        return or_(greater, self.column.is_(None)) if self.column.nullable else greater

    def equal(self, value: object) -> ColumnElement[bool]:
        return self.column.is_(None) if value is None else self.column == value

    def fits(self, value: object) -> bool:
        if value is None:
            return bool(self.column.nullable)
        return isinstance(value, self.column.type.python_type)


Order = Sequence[Key]
"""The last key is ``id``, so that no two rows are equal."""


class Bound(NamedTuple):
    """What a filter says of one column: it is greater than ``value``, or less.

    Neither database begins at the nearer of two such limits, so the one that a position implies is left out.
    """

    column: Column[Any]
    greater: bool
    value: object

    @property
    def clause(self) -> ColumnElement[bool]:
        return self.column > self.value if self.greater else self.column < self.value

    def implied(self, order: Order, position: Position | None) -> bool:
        """Whether it holds of whatever is beyond ``position``."""
        key = order[0]
        if not position or key.column is not self.column or not key.fits(position[0]):
            return False
        if self.greater:
            return not key.descending and bool(position[0] > self.value)
        return key.descending and bool(position[0] < self.value)


def order_of(table: Table, sortable: Collection[str], sort: Sort) -> Order:
    """``sort`` with ``id`` as its last key, in the last direction. Raises SortFieldError."""
    keys = []
    for key in sort:
        if key.field not in sortable:
            raise SortFieldError
        keys.append(Key(table.c[key.field], key.descending))
    return [*keys, Key(table.c.id, bool(keys) and keys[-1].descending)]


@dataclass(frozen=True, slots=True, eq=False)
class Listing(Generic[Row]):
    """What there is to page through: ``rows``, made by ``shown``, within ``bounds``, and in which order.

    Whoever keeps it need not build the statement of a first page again, which takes longer than to execute it.
    ``rows`` may have parameters then. How many rows it has is one, as callers choose it.
    """

    shown: Shown[Row]
    rows: Select[Any]
    order: Order
    bounds: Sequence[Bound] = ()
    _first_pages: dict[bool, Select[Any]] = field(default_factory=dict)

    def statement(self, request: PageRequest) -> Select[Any]:
        """The rows of one page. Its parameter ``LIMIT`` is how many. Raises BadArgumentError."""
        if request.after or request.before or request.offset:
            return self._build(request)
        kept = self._first_pages.get(request.backward)
        if kept is None:
            kept = self._first_pages[request.backward] = self._build(request)
        return kept

    def _build(self, request: PageRequest) -> Select[Any]:
        order, start, stop = self._from(request)
        page = self._within((order, start), (_turned(order), stop))
        if start is not None:
            page = page.where(_beyond(order, start))
        if stop is not None:
            page = page.where(_beyond(_turned(order), stop))
        page = page.order_by(*(key.clause for key in order)).limit(bindparam(LIMIT, type_=Integer))
        return page.offset(request.offset or None)

    def beyond(self, request: PageRequest) -> tuple[Select[Any] | None, Select[Any] | None]:
        """The rows behind a page, then those ahead of it, where it is bounded by a position."""
        order, start, stop = self._from(request)
        return self._beyond_or_at(_turned(order), start), self._beyond_or_at(order, stop)

    def _from(self, request: PageRequest) -> tuple[Order, Position | None, Position | None]:
        """In which order, beginning after which position, and ending before which."""
        if request.backward:
            return _turned(self.order), request.before, request.after
        return self.order, request.after, request.before

    def _beyond_or_at(self, order: Order, position: Position | None) -> Select[Any] | None:
        if position is None:
            return None
        return self._within((order, position)).where(_beyond(order, position, inclusive=True))

    def _within(self, *places: tuple[Order, Position | None]) -> Select[Any]:
        clauses = (each.clause for each in self.bounds if not any(each.implied(*place) for place in places))
        return self.rows.where(*clauses)


def fetch_page(
    session: Session, listing: Listing[Row], request: PageRequest, parameters: Mapping[str, Any] | None = None
) -> Page[Row]:
    """One page. Raises BadArgumentError when a position does not belong to the order."""
    limited = {**(parameters or {}), LIMIT: request.size + 1}  # one of the next page, if there is one
    found = listing.shown.read(session, listing.statement(request), limited)
    rows_behind, rows_ahead = listing.beyond(request)
    ahead = len(found) > request.size or _any(session, rows_ahead, parameters)
    behind = request.offset > 0 or _any(session, rows_behind, parameters)
    items = found[: request.size]
    if request.backward:
        return Page(items[::-1], has_next=behind, has_previous=ahead)
    return Page(items, has_next=ahead, has_previous=behind)


def _any(session: Session, rows: Select[Any] | None, parameters: Mapping[str, Any] | None) -> bool:
    return rows is not None and bool(session.scalar(select(rows.exists()), parameters))


def _turned(order: Order) -> Order:
    return [key.turned for key in order]


def _beyond(order: Order, position: Position, *, inclusive: bool = False) -> ColumnElement[bool]:
    """Rows after ``position``; ``inclusive``, also the one that stands there."""
    if len(position) != len(order) or not all(map(Key.fits, order, position)):
        raise BadArgumentError("This cursor does not belong to this order.")
    if len({key.descending for key in order}) == 1 and not any(key.column.nullable for key in order):
        return _beyond_as_row(order, position, inclusive=inclusive)
    steps = [
        and_(*map(Key.equal, order[:depth], position[:depth]), key.after(position[depth]))
        for depth, key in enumerate(order)
    ]
    if inclusive:
        steps.append(and_(*map(Key.equal, order, position)))
    return or_(*steps)


def _beyond_as_row(order: Order, position: Position, *, inclusive: bool) -> ColumnElement[bool]:
    """``(a, id) > (x, y)``: both databases take it as one range of an index on these columns."""
    columns = tuple_(*(key.column for key in order))
    values = tuple_(*(literal(value, key.column.type) for key, value in zip(order, position, strict=True)))
    if order[0].descending:
        return columns <= values if inclusive else columns < values
    return columns >= values if inclusive else columns > values
