"""What a collector of OpenTelemetry is sent, and what a service without one does not even load."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests import media
from tests.e2e.service import ROOT, SECRET, Service, free_port
from tests.origin import Origin


class Collector(ThreadingHTTPServer):
    """Keeps what is sent to it."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.sent: list[tuple[str, bytes]] = []

    def spans(self) -> list[Any]:
        found = [ExportTraceServiceRequest.FromString(body) for _, body in self.sent]
        scopes = [scope for request in found for each in request.resource_spans for scope in each.scope_spans]
        return [span for scope in scopes for span in scope.spans]


class _Handler(BaseHTTPRequestHandler):
    server: Collector

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        self.server.sent.append((self.path, body))
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Nothing."""


@pytest.fixture
def collector() -> Iterator[Collector]:
    with Collector() as running:
        thread = threading.Thread(target=running.serve_forever)
        thread.start()
        yield running
        running.shutdown()
        thread.join()


def attributes(span: Any) -> dict[str, Any]:
    return {each.key: each.value.string_value or each.value.int_value for each in span.attributes}


def test_requests_operations_and_runs_are_spans_without_secrets(
    tmp_path: Path, origin: Origin, collector: Collector
) -> None:
    stream = media.hls_vod(2, 1.0)
    origin.put_all(stream.files, under="/s/")
    endpoint = f"http://127.0.0.1:{collector.server_port}"
    with Service(tmp_path, EGRESS_ALLOW=origin.host_port, OTEL_EXPORTER_OTLP_ENDPOINT=endpoint) as service:
        user = service.user()
        task = user.create(origin.url(f"/s/{stream.media}?token=private"))
        user.wait(task["id"])
        url = user.execute("query($id: ID!) { task(id: $id) { playbackUrl } }", id=task["id"])["task"]["playbackUrl"]
        traced = {"traceparent": f"00-{'a' * 32}-{'b' * 16}-01"}
        assert service.http.get(f"{url}?signature=private", headers=traced).status_code == 200
        assert service.terminate() == 0

    spans = collector.spans()
    names = {span.name for span in spans}
    assert {"POST graphql", "graphql operation", "job", "fetch", "GET playback"} <= names
    (fetch,) = [attributes(span) for span in spans if span.name == "fetch"]
    assert (fetch["media.pieces"], fetch["media.stored"], fetch["media.resource_type"]) == (2, 2, "hls")
    (job,) = [span for span in spans if span.name == "job"]
    assert attributes(job)["media.task_id"] == task["id"]
    (playback,) = [span for span in spans if span.name == "GET playback"]
    assert (playback.trace_id.hex(), playback.parent_span_id.hex()) == ("a" * 32, "b" * 16)
    assert attributes(playback) == {"http.request.method": "GET", "http.response.status_code": 200}
    requests = {span.span_id for span in spans if span.name == "POST graphql"}
    assert all(span.parent_span_id in requests for span in spans if span.name == "graphql operation")

    assert {path for path, _ in collector.sent} == {"/v1/traces"}
    everything = b"".join(body for _, body in collector.sent)
    token = url.split("/media/")[1].split("/")[0]
    for secret in ("private", user.token, SECRET, token, origin.host_port, "createTask"):
        assert secret.encode() not in everything, secret


def test_a_collector_that_is_away_holds_nothing_up(tmp_path: Path) -> None:
    with Service(tmp_path, OTEL_EXPORTER_OTLP_ENDPOINT=f"http://127.0.0.1:{free_port()}") as service:
        assert service.user().execute("{ viewer { waiting } }") == {"viewer": {"waiting": 0}}
        assert service.terminate() == 0


LOADED = """
import sys
from main import running
with running("serve") as settings:
    print(settings.traces_are_collected, any(name.startswith("opentelemetry.sdk") for name in sys.modules))
"""


@pytest.mark.parametrize(
    ("variables", "told"),
    [
        ({}, "False False"),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://127.0.0.1:9/v1/traces"}, "True True"),
    ],
)
def test_without_a_collector_nothing_is_loaded(tmp_path: Path, variables: dict[str, str], told: str) -> None:
    environment = {"PATH": "/usr/bin:/bin", "JWT_SECRET_KEY": SECRET, "PYTHONPATH": str(ROOT), **variables}
    ran = subprocess.run(
        [sys.executable, "-c", LOADED], cwd=tmp_path, env=environment, capture_output=True, text=True, check=True
    )
    assert ran.stdout.strip() == told
