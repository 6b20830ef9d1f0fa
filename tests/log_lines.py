"""Events as the service's own formatter and handler render them."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from telemetry.context import begin
from telemetry.formats import EcsFormatter
from telemetry.redaction import Redactor
from telemetry.writer import LineHandler, Writer

SECRET = "0123456789abcdef0123456789abcdef"
REQUIRED = frozenset({"@timestamp", "log.level", "message", "ecs.version", "log", "process", "service"})


class Lines:
    """Lines that are kept instead of written."""

    def __init__(self, formatter: logging.Formatter) -> None:
        self._lines: list[str] = []
        self.handler = LineHandler([Writer(self._lines.append)])
        self.handler.setFormatter(formatter)

    def lines(self) -> list[str]:
        self.handler.flush()
        return self._lines

    def events(self) -> list[dict[str, Any]]:
        """As Elasticsearch would have them."""
        return [event_of(line) for line in self.lines()]

    def event(self) -> dict[str, Any]:
        """The only one."""
        (event,) = self.events()
        return event


def event_of(line: str) -> dict[str, Any]:
    """Checked for what every line must be, and what every event must have."""
    assert line.isascii()
    assert line.isprintable()
    event: dict[str, Any] = json.loads(line)
    assert event.keys() >= REQUIRED, line
    assert event["log"].keys() == {"logger", "origin"}, line
    assert event["log"]["origin"].keys() == {"function", "file"}, line
    assert event["log"]["origin"]["file"].keys() == {"name", "line"}, line
    return event


@contextmanager
def kept_lines(formatter: logging.Formatter | None = None) -> Iterator[Lines]:
    """What is logged by anyone, from DEBUG on; nothing is bound to the context at first."""
    lines, root = Lines(formatter or EcsFormatter(Redactor([SECRET]))), logging.getLogger()
    before = root.level
    root.addHandler(lines.handler)
    root.setLevel(logging.DEBUG)
    begin({})
    try:
        yield lines
    finally:
        root.setLevel(before)
        root.removeHandler(lines.handler)
        lines.handler.close()
