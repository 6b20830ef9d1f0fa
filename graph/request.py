"""What a GraphQL request says, however it came."""

from __future__ import annotations

from typing import Any

import orjson
from starlette.exceptions import HTTPException
from strawberry.http import GraphQLRequestData


def parse_json(text: bytes | str) -> object:
    """Raises HTTPException 400."""
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise HTTPException(400, "This is not JSON in UTF-8, or nested too deeply.") from error


def read_request(members: object) -> GraphQLRequestData:
    """Raises HTTPException 400 unless it is an object with members of the right types."""
    if not isinstance(members, dict):
        raise HTTPException(400, "A request is one JSON object; batches are not taken.")
    if not isinstance(members.get("query"), str) or not members["query"]:
        raise HTTPException(400, "query must be a text.")
    if not isinstance(members.get("operationName"), str | None):
        raise HTTPException(400, "operationName must be a text or null.")
    return GraphQLRequestData(
        query=members["query"],
        variables=_object_or_null(members, "variables"),
        operation_name=members.get("operationName"),
        extensions=_object_or_null(members, "extensions"),
    )


def _object_or_null(members: dict[str, Any], name: str) -> dict[str, Any] | None:
    found = members.get(name)
    if not isinstance(found, dict | None):
        raise HTTPException(400, f"{name} must be an object or null.")
    return found
