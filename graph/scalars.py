"""The two scalars of the schema that GraphQL does not have, and how answers are written."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import NewType

import orjson
import strawberry
from strawberry.types.scalar import ScalarDefinition

BigInt = NewType("BigInt", int)

_LIMIT = 2**63
_RFC3339 = re.compile(r"\d{4}-\d{2}-\d{2}[Tt]\d{2}:\d{2}:\d{2}(\.\d{1,6})?\d*([Zz]|[+-]\d{2}:\d{2})", re.ASCII)


def _parse_big_int(value: object) -> int:
    if type(value) is not int or not -_LIMIT <= value < _LIMIT:
        raise ValueError("BigInt must be an integer between -2^63 and 2^63 - 1.")
    return value


def _parse_instant(value: object) -> datetime:
    if not isinstance(value, str) or not _RFC3339.fullmatch(value):
        raise ValueError("DateTime must be written as in 2025-06-14T10:00:00Z.")
    try:
        return datetime.fromisoformat(value.upper()).astimezone(UTC)
    except (ValueError, OverflowError):
        raise ValueError("DateTime must be an instant that exists.") from None


def _serialize_instant(value: datetime) -> str:
    return value.astimezone(UTC).isoformat().replace("+00:00", "Z")


SCALARS: dict[object, ScalarDefinition] = {
    BigInt: strawberry.scalar(
        name="BigInt",
        description="An integer beyond 32 bits, as a JSON number: byte counts.",
        serialize=_parse_big_int,
        parse_value=_parse_big_int,
    ),
    datetime: strawberry.scalar(
        name="DateTime",
        description="An instant in UTC, RFC 3339.",
        specified_by_url="https://www.rfc-editor.org/rfc/rfc3339#section-5.6",
        serialize=_serialize_instant,
        parse_value=_parse_instant,
    ),
}


def write(content: object) -> bytes:
    """JSON. What stays a UUID or an instant until here reads as an ID and as ``DateTime`` do."""
    return orjson.dumps(content, option=orjson.OPT_UTC_Z)
