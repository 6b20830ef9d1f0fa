"""Pages by cursor, Relay's way: arguments in, connections out.

A cursor is base64url of a checksum and the JSON of an ordering and a position in it. It is opaque to clients, and
whoever makes one up reaches only rows of their own.
"""

from __future__ import annotations

import zlib
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Any, Generic, TypeAlias, TypeVar
from uuid import UUID

import orjson
import strawberry

from domain.errors import BadArgumentError
from domain.paging import Page, PageRequest, Position
from domain.queries import Sort
from domain.values import TaskStatus
from graph.fields import field

Node = TypeVar("Node")
Value = TypeVar("Value")

First: TypeAlias = Annotated[
    int | None,
    strawberry.argument(description="Take the first so many, 1 to 100. Without first and last: the first 20."),
]
After: TypeAlias = Annotated[str | None, strawberry.argument(description="Only what comes after this cursor.")]
Last: TypeAlias = Annotated[int | None, strawberry.argument(description="Take the last so many instead, 1 to 100.")]
Before: TypeAlias = Annotated[str | None, strawberry.argument(description="Only what comes before this cursor.")]


def page_request(sort: Sort, first: int | None, after: str | None, last: int | None, before: str | None) -> PageRequest:
    """The arguments of a connection, understood; absent ones are UNSET or None. Raises BadArgumentError."""
    return PageRequest.relay(
        _given(first), _position("after", after, sort), _given(last), _position("before", before, sort)
    )


def _given(value: Value | None) -> Value | None:
    return None if value is strawberry.UNSET else value


def _position(argument: str, cursor: str | None, sort: Sort) -> Position | None:
    cursor = _given(cursor)
    if cursor is None:
        return None
    try:
        return decode_cursor(cursor, sort)
    except BadCursor:
        raise BadArgumentError(f"{argument} is not a cursor of this list in this order.", field=(argument,)) from None


# --- cursors ------------------------------------------------------------------------------------------------


def _instant(value: str) -> datetime:
    instant = datetime.fromisoformat(value)
    if instant.tzinfo is None:
        raise ValueError("an instant needs an offset")
    return instant


def _text(value: str) -> str:
    if "\0" in value:
        raise ValueError("PostgreSQL knows no text with NUL")
    return value


_READERS: dict[str, Callable[[Any], Any]] = {
    "created_at": _instant,
    "updated_at": _instant,
    "priority": int,
    "progress": float,
    "status": TaskStatus,
    "liveroom_id": _text,
    "id": UUID,
}
_CHECKSUM_BYTES = 4


def encode_cursor(row: object, sort: Sort) -> str:
    """The cursor of ``row`` in this ordering."""
    return _encode(sort, tuple(getattr(row, column) for column in _columns(sort)))


class BadCursor(ValueError):
    """This is no cursor of this ordering."""


def decode_cursor(cursor: str, sort: Sort) -> Position:
    """The position that a cursor names. Raises BadCursor unless it is one of this very ordering, to the letter."""
    try:
        _, values = orjson.loads(urlsafe_b64decode(cursor)[_CHECKSUM_BYTES:])
        readers = [_READERS[column] for column in _columns(sort)]
        position = tuple(read(value) for read, value in zip(readers, values, strict=True))
    except (ValueError, TypeError, AttributeError) as error:
        raise BadCursor from error
    if _encode(sort, position) != cursor:
        raise BadCursor
    return position


def _columns(sort: Sort) -> tuple[str, ...]:
    return (*(key.field for key in sort), "id")


def _encode(sort: Sort, position: Position) -> str:
    ordering = [f"{key.field} {'desc' if key.descending else 'asc'}" for key in sort]
    payload = orjson.dumps((ordering, position))
    checksum = zlib.crc32(payload).to_bytes(_CHECKSUM_BYTES, "big")
    return urlsafe_b64encode(checksum + payload).decode()


# --- types --------------------------------------------------------------------------------------------------


@strawberry.type(description="Where a page stands in its list.")
class PageInfo:
    """Relay's."""

    has_next_page: bool = strawberry.field(description="Whether there is more after this page.")
    has_previous_page: bool = strawberry.field(description="Whether there is more before this page.")
    start_cursor: str | None = strawberry.field(description="The cursor of the first row; null on an empty page.")
    end_cursor: str | None = strawberry.field(description="The cursor of the last row; null on an empty page.")


@strawberry.type(description="A row of a page, and its place in the list.")
class Edge(Generic[Node]):
    """Relay's."""

    node: Node = strawberry.field(description="The row.")
    cursor: str = strawberry.field(description="Names this place: pass it on as after or before.")


@strawberry.type(description="A page of a list.")
class Connection(Generic[Node]):
    """Relay's; ``count`` is called only when totalCount is selected."""

    page: strawberry.Private[Page[Any]]
    sort: strawberry.Private[Sort]
    count: strawberry.Private[Callable[[], int]]

    @field("The rows with their cursors.")
    def edges(self) -> list[Edge[Node]]:
        return [Edge(node=row, cursor=encode_cursor(row, self.sort)) for row in self.page.items]

    @field("The rows.")
    def nodes(self) -> list[Node]:
        return self.page.items

    @field("Where this page stands in the list.")
    def page_info(self) -> PageInfo:
        cursors = [encode_cursor(row, self.sort) for row in (self.page.items[:1] + self.page.items[-1:])]
        return PageInfo(
            has_next_page=self.page.has_next,
            has_previous_page=self.page.has_previous,
            start_cursor=cursors[0] if cursors else None,
            end_cursor=cursors[-1] if cursors else None,
        )

    @field("How many rows the whole list has, all pages together.")
    def total_count(self) -> int:
        return self.count()
