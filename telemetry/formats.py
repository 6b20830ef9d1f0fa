"""How one event reads: a line of JSON in the Elastic Common Schema, or text for a terminal."""

from __future__ import annotations

import json
import logging
import math
import re
import time
import traceback
from collections.abc import Iterator
from typing import Any

from typing_extensions import override

from telemetry.context import bound
from telemetry.redaction import Redactor, message_of

SERVICE = "media-download-service"
ECS_VERSION = "1.6.0"
ROOMS = frozenset({"domain", "downloader", "graph", "jobs", "main", "persistence", "storage", "telemetry", "web"})
"""The loggers that are ours. What others log is kept to one line, and to the fields that every event has."""

_SAFE = frozenset({"@timestamp", "ecs.version", "event", "log", "process", "service", "trace", "user"})
"""Fields that hold nothing but what the program says; looking through them takes longer than all the rest."""

MAX_TRACE = 32_768  # characters
MAX_FRAMES = 40  # of one exception, the innermost
MAX_ITEMS = 100  # of a list

_ENCODER = json.JSONEncoder(ensure_ascii=True, separators=(",", ":"), default=repr)
_RECORD = frozenset(
    {*vars(logging.makeLogRecord({})), "message", "asctime"}
)  # what a record has without anyone's extra fields
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")  # but for tab and line feed


class EcsFormatter(logging.Formatter):
    """One line, whatever is in the event. Carries what is bound to the context of the thread that logs.

    Written out: the package ecs-logging takes every event apart and together again, for twice the time.
    """

    def __init__(self, redact: Redactor) -> None:
        super().__init__()
        self._redact = redact

    @override
    def format(self, record: logging.LogRecord) -> str:
        """JSON escapes every control character but DEL."""
        return _ENCODER.encode(self._event(record)).replace("\x7f", "\\u007f")

    def _event(self, record: logging.LogRecord) -> dict[str, Any]:
        """As nested fields; what the record says of itself comes before what its context says."""
        event = _place(record)
        event["message"] = self._redact(_message(record))
        for name, value in _extra(record).items():
            self._put(event, name, value)
        for name, known in bound().items():
            self._put(event, name, known)
        error = _error(record)
        if error is not None:
            text = self._redact(message_of(error))
            trace = "".join(stack_trace(error, self._redact))[-MAX_TRACE:]
            event["error"] = {"type": type(error).__name__, "message": text, "stack_trace": trace}
        elif record.stack_info:
            event["error"] = {"stack_trace": self._redact(record.stack_info)}
        return event

    def _put(self, event: dict[str, Any], name: str, value: object) -> None:
        """Sets the field with the dotted ``name`` unless the event has it."""
        if isinstance(value, dict):
            for inner, each in value.items():
                self._put(event, f"{name}.{inner}", each)
        elif value is not None:
            *path, last = name.split(".")
            cleaned = value if name.partition(".")[0] in _SAFE else self._clean(value)
            for part in path:
                event = event.setdefault(part, {})
            event.setdefault(last, cleaned)

    def _clean(self, value: object) -> Any:  # noqa: ANN401 - JSON
        match value:
            case None | bool() | int():
                return value
            case float():
                return value if math.isfinite(value) else str(value)
            case dict():
                return {str(name): self._clean(each) for name, each in value.items()}
            case list() | tuple() | set() | frozenset():
                return [self._clean(each) for each in list(value)[:MAX_ITEMS]]
            case _:
                return self._redact(str(value))


class TextFormatter(logging.Formatter):
    """For people at a terminal: only a stack trace takes more lines than one."""

    def __init__(self, redact: Redactor) -> None:
        super().__init__("%(asctime)s %(levelname)-7s %(name)s: %(message)s")
        self._redact = redact

    @override
    def format(self, record: logging.LogRecord) -> str:
        error, record = _error(record), logging.makeLogRecord(vars(record))
        record.message = self._redact(_message(record)).replace("\n", "\\n")
        record.asctime = self.formatTime(record)
        trace = "".join(stack_trace(error, self._redact)) if error is not None else ""
        text = f"{self.formatMessage(record)}\n{trace}".rstrip("\n")
        return _CONTROL.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


def stack_trace(error: BaseException, redact: Redactor) -> Iterator[str]:
    """Frames, type and message of each exception that led to ``error``, and at last its own."""
    for each in _chain(error):
        yield from traceback.format_tb(each.__traceback__, limit=-MAX_FRAMES)
        yield f"{type(each).__module__}.{type(each).__qualname__}: {redact(message_of(each))}\n"
        if isinstance(each, BaseExceptionGroup):
            for inner in each.exceptions[:MAX_ITEMS]:
                yield from stack_trace(inner, redact)


def _chain(error: BaseException) -> list[BaseException]:
    """The oldest first; as Python itself would show them."""
    chain: list[BaseException] = []
    following: BaseException | None = error
    while following is not None and following not in chain:
        chain.append(following)
        following = following.__cause__ or (None if following.__suppress_context__ else following.__context__)
    return chain[::-1]


def _error(record: logging.LogRecord) -> BaseException | None:
    return record.exc_info[1] if record.exc_info else None


def _is_ours(record: logging.LogRecord) -> bool:
    return record.name.partition(".")[0] in ROOMS


def _message(record: logging.LogRecord) -> str:
    """Of a foreign event, the first line alone."""
    said = record.getMessage()
    return said if _is_ours(record) else said.strip().partition("\n")[0]


def _extra(record: logging.LogRecord) -> dict[str, object]:
    """The fields that whoever logs has added; none of a foreign event's."""
    return {name: value for name, value in vars(record).items() if name not in _RECORD} if _is_ours(record) else {}


def _place(record: logging.LogRecord) -> dict[str, Any]:
    """What every event has. The first three come first, as the Common Schema's logging libraries have it."""
    second = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
    file = {"name": record.filename, "line": record.lineno}
    return {
        "@timestamp": f"{second}.{int(record.msecs):03d}Z",
        "log.level": record.levelname.lower(),
        "message": "",
        "ecs.version": ECS_VERSION,
        "event": {"dataset": f"{SERVICE}.log"},
        "log": {"logger": record.name, "origin": {"file": file, "function": record.funcName}},
        "process": {"pid": record.process, "thread": {"name": record.threadName}},
        "service": {"name": SERVICE},
    }
