"""How one event reads: a line of JSON in the Elastic Common Schema, or text for a terminal."""

from __future__ import annotations

import logging
import math
import re
import traceback
from collections.abc import Iterator
from typing import Any

from ecs_logging import StdlibFormatter
from typing_extensions import override

from telemetry.context import bound
from telemetry.redaction import Redactor, message_of

SERVICE = "media-download-service"
ROOMS = frozenset({"domain", "downloader", "graph", "jobs", "main", "persistence", "storage", "telemetry", "web"})
"""The loggers that are ours. What others log is kept to one line, and to the fields that every event has."""

_SAFE = frozenset({"@timestamp", "ecs.version", "event", "log", "process", "service", "trace", "user"})
"""Fields that hold nothing but what the program says; looking through them takes longer than all the rest."""

MAX_TRACE = 32_768  # characters
MAX_FRAMES = 40  # of one exception, the innermost
MAX_ITEMS = 100  # of a list

_RECORD = frozenset(vars(logging.makeLogRecord({})))  # what a record has without anyone's extra fields
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")  # but for tab and line feed


class EcsFormatter(StdlibFormatter):
    """One line, whatever is in the event. Carries what is bound to the context of the thread that logs."""

    def __init__(self, redact: Redactor) -> None:
        super().__init__(
            exclude_fields=("log.original", "process.name", "process.thread.id"),  # the message once more; numbers
            extra={"service.name": SERVICE, "event.dataset": f"{SERVICE}.log"},
        )
        self._redact = redact

    @override
    def format(self, record: logging.LogRecord) -> str:
        """JSON escapes every control character but DEL."""
        return super().format(_own(record)).replace("\x7f", "\\u007f")

    @override
    def format_to_ecs(self, record: logging.LogRecord) -> dict[str, Any]:
        """The event as nested fields; what the record says of itself comes before what its context says."""
        event = super().format_to_ecs(record)
        for name, value in bound().items():
            _put(event, name, value)
        cleaned = {name: value if name in _SAFE else self._clean(value) for name, value in event.items()}
        error = _error(record)
        if error is not None:
            text = self._redact(message_of(error))
            trace = "".join(stack_trace(error, self._redact))[-MAX_TRACE:]
            cleaned["error"] = {"type": type(error).__name__, "message": text, "stack_trace": trace}
        return cleaned

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
        record = _own(record)
        record.message = self._redact(record.getMessage()).replace("\n", "\\n")
        record.asctime = self.formatTime(record)
        error = _error(record)
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


def _own(record: logging.LogRecord) -> logging.LogRecord:
    """A copy to work on; of a foreign event without extra fields, and with the first line of its message alone."""
    copy = logging.makeLogRecord(vars(record))
    if record.name.partition(".")[0] not in ROOMS:
        copy.msg, copy.args = record.getMessage().strip().partition("\n")[0], None
        for name in vars(record).keys() - _RECORD:
            delattr(copy, name)
    return copy


def _put(event: dict[str, Any], name: str, value: str) -> None:
    """Sets the field with the dotted ``name`` unless the event has it."""
    *path, last = name.split(".")
    for part in path:
        event = event.setdefault(part, {})
    event.setdefault(last, value)
