"""Spans of requests, operations and runs. Where nobody collects them, none is made.

FastAPI could make spans of requests by itself: theirs hold queries, and paths with the tokens of signed links.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from opentelemetry.propagate import extract
from opentelemetry.trace import INVALID_SPAN, Span, SpanKind, StatusCode, Tracer


@dataclass
class _Process:
    tracer: Tracer | None = None


_process = _Process()


def trace_by(tracer: Tracer | None) -> None:
    """Make spans by ``tracer`` from now on; None: make no more."""
    _process.tracer = tracer


def is_tracing() -> bool:
    return _process.tracer is not None


@dataclass(frozen=True, slots=True)
class OpenSpan:
    """What may be said of a span: ids, counts and words of ours, nothing that a caller or an origin has sent."""

    span: Span = INVALID_SPAN

    def set(self, **attributes: str | int) -> None:
        """Two underscores are a dot of OpenTelemetry's names."""
        for name, value in attributes.items():
            self.span.set_attribute(name.replace("__", "."), value)

    def fail(self, kind: str) -> None:
        """It has failed, by an error of this type; the error's message may hold anything, and is not told."""
        self.span.set_attribute("error.type", kind)
        self.span.set_status(StatusCode.ERROR)


_NOBODY_LOOKS = OpenSpan()


@contextmanager
def span(
    name: str, *, server: bool = False, parent: Mapping[str, str] | None = None, **attributes: str | int
) -> Iterator[OpenSpan]:
    """One span around what is done in the context; ``parent`` are headers of the request that it answers."""
    if _process.tracer is None:
        yield _NOBODY_LOOKS
        return
    with _process.tracer.start_as_current_span(
        name,
        context=extract(parent) if parent else None,
        kind=SpanKind.SERVER if server else SpanKind.INTERNAL,
        record_exception=False,
        set_status_on_exception=False,
    ) as opened:
        told = OpenSpan(opened)
        told.set(**attributes)
        try:
            yield told
        except Exception as error:
            told.fail(type(error).__name__)
            raise
