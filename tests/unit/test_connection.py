"""Cursors name a place in one ordering, and pages say where they stand."""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any
from uuid import UUID
from zlib import crc32

import orjson
import pytest
from strawberry import UNSET

from domain.errors import BadArgumentError
from domain.paging import PageRequest
from domain.queries import NEWEST_FIRST, Sort, SortKey
from domain.values import TaskStatus
from graph.connection import BadCursor, decode_cursor, encode_cursor, page_request

ROW = SimpleNamespace(
    id=UUID("0b2f7c9e-4f0d-4a53-9a52-3d1f0c3c5a77"),
    created_at=datetime(2025, 6, 14, 10, 0, 0, 123456, UTC),
    updated_at=datetime(2025, 6, 14, 10, 0, 1, tzinfo=UTC),
    priority=50,
    progress=1 / 3,
    status=TaskStatus.PARTIAL_COMPLETED,
    liveroom_id="直播间-1234",
)
COLUMNS = ["created_at", "updated_at", "priority", "progress", "status", "liveroom_id"]


def by(column: str, *, descending: bool = True) -> Sort:
    return (SortKey(column, descending),)


def forged(content: Any) -> str:
    """A cursor with a right checksum."""
    payload = orjson.dumps(content)
    return urlsafe_b64encode(crc32(payload).to_bytes(4, "big") + payload).decode()


@pytest.mark.parametrize("column", COLUMNS)
@pytest.mark.parametrize("descending", [True, False])
def test_a_cursor_leads_back_to_its_row(column: str, descending: bool) -> None:
    sort = by(column, descending=descending)
    assert decode_cursor(encode_cursor(ROW, sort), sort) == (getattr(ROW, column), ROW.id)


def test_a_forged_cursor_that_is_well_made_is_one() -> None:
    assert decode_cursor(forged([["priority desc"], [7, str(ROW.id)]]), by("priority")) == (7, ROW.id)


@pytest.mark.parametrize("other", [by("created_at", descending=False), by("updated_at"), by("created_at") * 2])
def test_a_cursor_of_another_ordering_is_refused(other: Sort) -> None:
    with pytest.raises(BadCursor):
        decode_cursor(encode_cursor(ROW, by("created_at")), other)


def test_a_cursor_with_any_letter_changed_is_refused() -> None:
    cursor = encode_cursor(ROW, NEWEST_FIRST)
    for position, letter in enumerate(cursor):
        changed = cursor[:position] + ("A" if letter != "A" else "B") + cursor[position + 1 :]
        with pytest.raises(BadCursor):
            decode_cursor(changed, NEWEST_FIRST)


@pytest.mark.parametrize(
    "cursor",
    [
        "",
        "=",
        "é",
        "x" * 100_000,
        encode_cursor(ROW, by("priority")).rstrip("="),
        encode_cursor(ROW, by("priority")) + " ",
        urlsafe_b64encode(urlsafe_b64decode(encode_cursor(ROW, by("priority")))[4:]).decode(),
        *map(
            forged,
            (
                None,
                {},
                [],
                [["priority desc"]],
                [["priority desc"], None],
                [["priority desc"], [50]],
                [["priority desc"], ["50", str(ROW.id)]],
                [["priority desc"], [50.0, str(ROW.id)]],
                [["priority desc"], [True, str(ROW.id)]],
                [["priority desc"], [None, str(ROW.id)]],
                [["priority desc"], [[50], str(ROW.id)]],
                [["priority desc"], [50, 7]],
                [["priority desc"], [50, str(ROW.id).upper()]],
                [["priority desc"], [50, ROW.id.hex]],
                [["priority desc"], [50, str(ROW.id)], 1],
            ),
        ),
    ],
)
def test_what_is_no_cursor_is_refused(cursor: str) -> None:
    with pytest.raises(BadCursor):
        decode_cursor(cursor, by("priority"))


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("created_at", "2025-06-14T10:00:00"),
        ("created_at", 1749895200),
        ("progress", "0.5"),
        ("progress", 1),
        ("status", "COMPLETED"),
        ("status", "sleeping"),
        ("liveroom_id", "a\0b"),
        ("liveroom_id", 5),
    ],
)
def test_a_forged_value_of_the_wrong_kind_is_refused(column: str, value: object) -> None:
    with pytest.raises(BadCursor):
        decode_cursor(forged([[f"{column} desc"], [value, str(ROW.id)]]), by(column))


def test_absent_arguments_ask_for_the_first_twenty() -> None:
    assert page_request(NEWEST_FIRST, UNSET, UNSET, UNSET, UNSET) == PageRequest(20)
    assert page_request(NEWEST_FIRST, None, None, None, None) == PageRequest(20)


def test_arguments_become_positions() -> None:
    cursor, position = encode_cursor(ROW, NEWEST_FIRST), (ROW.created_at, ROW.id)
    assert page_request(NEWEST_FIRST, 3, cursor, UNSET, UNSET) == PageRequest(3, after=position)
    assert page_request(NEWEST_FIRST, UNSET, UNSET, 4, cursor) == PageRequest(4, before=position, backward=True)


@pytest.mark.parametrize("argument", ["first", "last"])
@pytest.mark.parametrize("size", [0, -1, 101])
def test_a_size_out_of_bounds_is_refused(argument: str, size: int) -> None:
    arguments = {"first": UNSET, "after": UNSET, "last": UNSET, "before": UNSET, argument: size}
    with pytest.raises(BadArgumentError, match=f"{argument} must be from 1 to 100."):
        page_request(NEWEST_FIRST, **arguments)


def test_first_and_last_together_are_refused() -> None:
    with pytest.raises(BadArgumentError, match=r"Give first or last, not both\."):
        page_request(NEWEST_FIRST, 1, UNSET, 1, UNSET)


@pytest.mark.parametrize("argument", ["after", "before"])
def test_a_bad_cursor_is_named(argument: str) -> None:
    arguments = {"first": UNSET, "after": UNSET, "last": UNSET, "before": UNSET, argument: ""}
    with pytest.raises(BadArgumentError, match=f"{argument} is not a cursor of this list in this order.") as caught:
        page_request(NEWEST_FIRST, **arguments)
    assert caught.value.field == (argument,)
