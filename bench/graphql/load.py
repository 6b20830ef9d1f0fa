"""wrk: so many connections, each of which asks again as soon as it has its answer."""

from __future__ import annotations

import json
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from bench.graphql.servers import Question, Running

WRK = shutil.which("wrk")
WARM_UP = 1  # seconds

_SCRIPT = """
wrk.method = {method}
wrk.headers = {{ {headers} }}
wrk.body = {body}
function done(summary, latency, requests)
    local errors = summary.errors
    io.write(string.format('{{"requests": %d, "seconds": %f, "failed": %d, "p50": %f, "p99": %f}}\\n', summary.requests,
        summary.duration / 1e6, errors.connect + errors.read + errors.write + errors.status + errors.timeout,
        latency:percentile(50) / 1e6, latency:percentile(99) / 1e6))
end
"""


@dataclass(frozen=True, slots=True)
class Sample:
    """Requests a second; milliseconds of the server process's CPU a request; latencies in seconds."""

    rate: float
    cpu: float
    p50: float
    p99: float
    rss: float  # MiB, the peak so far


def load(server: Running, question: Question, folder: Path, *, connections: int, seconds: int) -> Sample:
    """Raises RuntimeError when an answer is no success."""
    script = folder / "load.lua"
    headers = ", ".join(f"[{json.dumps(name)}] = {json.dumps(value)}" for name, value in question.headers.items())
    script.write_text(
        _SCRIPT.format(method=json.dumps(question.method), headers=headers, body=json.dumps(question.body))
    )
    _run(server.url + question.path, script, connections, WARM_UP)
    before = server.cpu
    told = _run(server.url + question.path, script, connections, seconds)
    if told["failed"] or not told["requests"]:
        raise RuntimeError(f"{told['failed']:.0f} requests failed of {told['requests']:.0f}")
    return Sample(
        rate=told["requests"] / told["seconds"],
        cpu=(server.cpu - before) * 1000 / told["requests"],
        p50=told["p50"],
        p99=told["p99"],
        rss=server.peak,
    )


def _run(url: str, script: Path, connections: int, seconds: int) -> dict[str, float]:
    command = [str(WRK), "-t1", f"-c{connections}", f"-d{seconds}", "--timeout", "30", "-s", str(script), url]
    ended = subprocess.run(command, capture_output=True, text=True, check=True)  # noqa: S603 - wrk
    told: dict[str, float] = json.loads(ended.stdout.strip().splitlines()[-1])
    return told
