"""What callers hand to the use cases, and the rules a value must keep before anything is touched."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import Enum
from typing import Final, TypeVar
from urllib.parse import urlsplit
from uuid import UUID

from domain.errors import ControlCharacterError, InvalidInputError, ParameterError, ServiceError
from domain.ports import Headers
from domain.values import FailedResourceType, FailureType, ResourceType, TaskStatus, VideoStatus

MAX_URL = 2000
MAX_MESSAGE = 4000


class Unset(Enum):
    """The type of a field that was not given; None is a value."""

    UNSET = "unset"


UNSET: Final = Unset.UNSET

Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class NewTask:
    """A download to keep. Headers go with every request for it."""

    resource_url: str = field(repr=False)
    resource_type: ResourceType
    liveroom_id: str
    liveroom_title: str | None = None
    liveroom_url: str | None = None
    priority: int = 50
    max_retries: int = 3
    auto_start: bool = False
    request_headers: Headers = field(default=(), repr=False)
    max_height: int | None = None
    idempotency_key: str | None = None


@dataclass(frozen=True, slots=True)
class TaskChanges:
    """What to change of a task; UNSET fields stay."""

    resource_url: str | Unset = field(default=UNSET, repr=False)
    liveroom_title: str | Unset | None = UNSET
    liveroom_url: str | Unset | None = UNSET
    priority: int | Unset = UNSET
    max_retries: int | Unset = UNSET
    request_headers: Headers | Unset = field(default=UNSET, repr=False)
    status: TaskStatus | Unset = UNSET


@dataclass(frozen=True, slots=True)
class NewFailure:
    """A loss that the caller saw. ``task_id``, if given, must be that of its task."""

    resource_url: str = field(repr=False)
    resource_type: FailedResourceType
    failure_type: FailureType
    error_message: str
    expected_path: str
    standard_name: str | None = None
    segment_index: int | None = None
    retry_count: int = 0
    task_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class NewVideo:
    """A result that the caller vouches for. ``video_id`` and ``liveroom_id``, if given, must be those of its task."""

    video_type: ResourceType
    video_url: str = field(repr=False)
    storage_path: str
    status: VideoStatus
    file_size: int | None = None
    duration: float | None = None
    resolution: str | None = None
    format: str | None = None
    liveroom_title: str | None = None
    liveroom_url: str | None = None
    video_id: UUID | None = None
    liveroom_id: str | None = None


def refuse(errors: Iterator[ServiceError]) -> None:
    """Raises the first of ``errors``, with the others as its ``also``; does nothing when there are none."""
    found = list(errors)
    if found:
        found[0].also = tuple(found[1:])
        raise found[0]


def task_errors(task: NewTask) -> Iterator[ParameterError]:
    """What is wrong with a new task, its URL apart."""
    yield from text("liveroom_id", task.liveroom_id, 5, 20)
    yield from text("liveroom_title", task.liveroom_title, 0, 255)
    yield from web_url("liveroom_url", blank_to_none(task.liveroom_url))
    yield from number("priority", task.priority, 0, 100)
    yield from number("max_retries", task.max_retries, 1, 10)
    yield from number("max_height", task.max_height, 1, 2**31 - 1)
    yield from text("idempotency_key", task.idempotency_key, 1, 255)
    yield from header_errors(task.request_headers)


def change_errors(changes: TaskChanges) -> Iterator[ParameterError]:
    """What is wrong with changes to a task, its URL apart."""
    yield from text("liveroom_title", given(changes.liveroom_title), 0, 255)
    yield from web_url("liveroom_url", blank_to_none(given(changes.liveroom_url)))
    yield from number("priority", given(changes.priority), 0, 100)
    yield from number("max_retries", given(changes.max_retries), 1, 10)
    yield from header_errors(given(changes.request_headers) or ())


def failure_errors(failure: NewFailure) -> Iterator[ParameterError]:
    """What is wrong with a recorded failure, its path apart."""
    yield from text("resource_url", failure.resource_url, 1, MAX_URL)
    yield from text("error_message", failure.error_message, 1, MAX_MESSAGE, lines=True)
    yield from text("standard_name", failure.standard_name, 0, 255)
    yield from number("segment_index", failure.segment_index, 0, 2**31 - 1)
    yield from number("retry_count", failure.retry_count, 0, 3)


def video_errors(video: NewVideo) -> Iterator[ParameterError]:
    """What is wrong with a recorded video, its path apart."""
    yield from web_url("video_url", video.video_url)
    yield from number("file_size", video.file_size, 0, 2**63 - 1)
    yield from number("duration", video.duration, 0, 10**9)
    yield from text("resolution", video.resolution, 0, 50)
    yield from text("format", video.format, 0, 50)
    yield from text("liveroom_title", video.liveroom_title, 0, 255)
    yield from web_url("liveroom_url", blank_to_none(video.liveroom_url))


def given(value: Value | Unset) -> Value | None:
    """The value, or None when it was not given."""
    return None if isinstance(value, Unset) else value


def blank_to_none(value: str | None) -> str | None:
    """The documented clients send an empty text for none."""
    return value or None


# --- single values ------------------------------------------------------------------------------------------

_CONTROL = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")
_CONTROL_BUT_LINES = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")


def text(name: str, value: str | None, low: int, high: int, *, lines: bool = False) -> Iterator[InvalidInputError]:
    """None passes; else ``low`` to ``high`` characters, none of which a database or terminal chokes on."""
    if value is None:
        return
    if not low <= len(value) <= high:
        bounds = f"{low} to {high}" if low else f"at most {high}"
        yield InvalidInputError(f"{_spoken(name)} must have {bounds} characters.", field=(name,))
    elif (_CONTROL_BUT_LINES if lines else _CONTROL).search(value):
        yield ControlCharacterError(f"{_spoken(name)} must not contain control characters.", field=(name,))


def number(name: str, value: float | None, low: int, high: int) -> Iterator[InvalidInputError]:
    """None passes; NaN does not."""
    if value is not None and not low <= value <= high:
        yield InvalidInputError(f"{_spoken(name)} must be from {low} to {high}.", field=(name,))


def web_url(name: str, value: str | None) -> Iterator[InvalidInputError]:
    """None passes. A link that is shown and never fetched: http or https with a host."""
    if value is None:
        return
    problem = next(text(name, value, 1, MAX_URL), None)
    if problem is not None:
        yield problem
    elif not _is_web_url(value):
        yield InvalidInputError(f"{_spoken(name)} must be an http or https URL.", field=(name,))


def _is_web_url(value: str) -> bool:
    try:
        parts = urlsplit(value)
        return parts.scheme in ("http", "https") and bool(parts.hostname)
    except ValueError:
        return False


def _spoken(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(part.capitalize() for part in rest)


# --- request headers ----------------------------------------------------------------------------------------

MAX_HEADERS = 20
MAX_HEADER_NAME = 64
MAX_HEADER_VALUE = 4 * 1024
MAX_HEADER_BYTES = 8 * 1024

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # RFC 9110, section 5.6.2
_FIELD_VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]*")  # RFC 9110, section 5.5
_OURS = frozenset({"host", "range", "if-range", "accept-encoding"})
_HOP_BY_HOP = frozenset(  # RFC 9110, section 7.6.1, and those that frame or upgrade a message
    "connection keep-alive proxy-connection proxy-authenticate proxy-authorization te trailer transfer-encoding"
    " upgrade expect http2-settings".split()
)


def header_errors(headers: Headers) -> Iterator[InvalidInputError]:
    """What is wrong with request headers; no message repeats a value."""
    if len(headers) > MAX_HEADERS:
        yield InvalidInputError(f"At most {MAX_HEADERS} request headers are allowed.", field=("request_headers",))
        return
    for position, (name, value) in enumerate(headers):
        yield from _header_errors(("request_headers", str(position)), name, value)
    if sum(len(name) + len(value) for name, value in headers) > MAX_HEADER_BYTES:
        yield InvalidInputError("The request headers together exceed 8 KiB.", field=("request_headers",))


def _header_errors(where: tuple[str, ...], name: str, value: str) -> Iterator[InvalidInputError]:
    lowered = name.lower()
    if len(name) > MAX_HEADER_NAME or not _TOKEN.fullmatch(name):
        yield InvalidInputError("A header name has 1 to 64 letters, digits or hyphens.", field=(*where, "name"))
    elif lowered in _OURS or lowered in _HOP_BY_HOP or lowered.startswith("content-"):
        yield InvalidInputError(f"The header {name} is set by the service and cannot be given.", field=(*where, "name"))
    if len(value) > MAX_HEADER_VALUE or not _FIELD_VALUE.fullmatch(value):
        yield InvalidInputError("A header value has at most 4 KiB and no control characters.", field=(*where, "value"))
