"""Sends spans to a collector, by OTLP over HTTP. Only imported where one is named: it takes a quarter of a second."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, MutableMapping
from contextlib import contextmanager

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

from telemetry.tracing import trace_by

SERVICE = "media-download"
EXPORT_SECONDS = 5.0
LAST_SECONDS = 1.0  # a stop waits no longer for a collector


@contextmanager
def exporting(role: str, variables: Mapping[str, str], environment: MutableMapping[str, str]) -> Iterator[None]:
    """Spans are made and sent for the length of the context.

    ``variables`` are the ``OTEL_…`` ones, of .env too; OpenTelemetry's SDK reads them from ``environment``.
    """
    environment.update(variables)
    environment.setdefault("OTEL_SERVICE_NAME", SERVICE)
    provider = TracerProvider(resource=Resource.create({"media.role": role}), shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(timeout=EXPORT_SECONDS)))
    trace_by(provider.get_tracer(SERVICE))
    try:
        yield
    finally:
        trace_by(None)
        closing = threading.Thread(target=provider.shutdown, name="last-spans", daemon=True)
        closing.start()
        closing.join(LAST_SECONDS)
