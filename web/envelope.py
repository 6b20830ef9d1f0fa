"""The envelope around every REST answer: ``{"code", "message", "data", "timestamp"}``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Literal

import orjson
from pydantic import BaseModel
from starlette.responses import Response

from domain.models import utc_now


def create_response(code: int, message: str, data: BaseModel | None = None) -> Response:
    """What became of a request that was carried out; the HTTP status is its code."""
    shown = data.model_dump(mode="json") if data is not None else None
    return _response(code, {"code": code, "message": message, "data": shown})


def create_error_response(
    status: int,
    code: int,
    message: str,
    data: Mapping[str, object] | None = None,
    *,
    detail: str | Sequence[Mapping[str, object]] | None = None,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """A refusal. ``detail`` stands beside ``data`` for clients that read FastAPI's own errors."""
    beside = {} if detail is None else {"detail": detail}
    return _response(status, {"code": code, "message": message, "data": data, **beside}, headers)


def instant(moment: datetime, timespec: Literal["seconds", "microseconds"] = "microseconds") -> str:
    """A time as REST writes it: UTC, with ``Z``."""
    return moment.astimezone(UTC).isoformat(timespec=timespec).replace("+00:00", "Z")


def _response(status: int, content: dict[str, Any], headers: Mapping[str, str] | None = None) -> Response:
    content["timestamp"] = instant(utc_now(), "seconds")
    return Response(orjson.dumps(content), status, headers, "application/json")
