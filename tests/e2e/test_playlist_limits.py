"""Playlists that are too much: refused in seconds and with little memory, as a process of its own shows."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.e2e.service import ROOT
from tests.origin import Origin

pytestmark = pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="memory is measured by /proc")

MILLION = 1_000_000
HEAD, END = b"#EXTM3U\n#EXT-X-TARGETDURATION:1\n", b"#EXT-X-ENDLIST\n"
SEGMENT = b"#EXTINF:1,\n1.ts\n"
SECONDS, MIBS = 5.0, 100.0  # of the process as a whole; of CPU, for it waits for nothing, and the machine may be busy

# Not ``ru_maxrss``: there a child begins with what its parent had. VmHWM is that of the program alone.
MEASURED = """
import os, sys, time


def report():
    print("CPU", time.process_time())
    print("VmHWM", next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM")), flush=True)


"""
FETCH = """
leave = os._exit
os._exit = lambda code: (print("exit code", code), report(), leave(code))
import main
main.main()
"""
PARSE = """
from downloader.playlist import parse
print(len(parse(sys.stdin.buffer.read(), "http://a/", max_segments=20_000).segments), "segments")
report()
"""

REFUSED: dict[str, tuple[Callable[[], bytes], str]] = {
    "segments": (
        lambda: HEAD + SEGMENT * (MILLION // 2) + END,
        "over a limit: the playlist has 500000 segments, more than 20000",
    ),
    "lines that end in CR": (
        lambda: (HEAD + SEGMENT * (MILLION // 2) + END).replace(b"\n", b"\r"),
        "over a limit: the playlist has 500000 segments, more than 20000",
    ),
    "comments": (lambda: HEAD + b"#a\n" * MILLION + SEGMENT + END, "over a limit: the playlist has 1000005 lines"),
    "URIs": (lambda: b"#EXTM3U\n" + b"1.ts\n" * MILLION, "over a limit: the playlist has 1000001 lines"),
    "variants": (
        lambda: b"#EXTM3U\n" + b"#EXT-X-STREAM-INF:\nx\n" * 390_000,
        "over a limit: the playlist has 780001 lines",
    ),
    "more bytes": (lambda: HEAD + SEGMENT * MILLION + END, "too large: over 8388608 bytes"),
}
# Within every limit, and as much work as that allows.
FULL = 20_000
READ: dict[str, tuple[Callable[[], bytes], int]] = {
    "keys": (lambda: HEAD + (b'#EXT-X-KEY:METHOD=AES-128,URI="k"\n' * 11 + SEGMENT) * FULL + END, FULL),
    "maps": (lambda: HEAD + (b'#EXT-X-MAP:URI="m"\n' * 18 + SEGMENT) * FULL + END, FULL),
    "variables": (lambda: HEAD + (b'#EXT-X-DEFINE:NAME="a",VALUE="b"\n' * 11 + SEGMENT) * FULL + END, FULL),
    "a long line": (lambda: HEAD + b"#EXTINF:1," + b"a" * 8_000_000 + b"\n1.ts\n" + END, 1),
    "attributes": (lambda: HEAD + b"#EXT-X-KEY:METHOD=NONE" + b",A=1" * 2_000_000 + b"\n" + SEGMENT + END, 1),
}


@dataclass(frozen=True)
class Cost:
    """Of a process: what it ``told``, the ``seconds`` of CPU that it took, and its peak of memory in MiB."""

    told: str
    seconds: float
    mibs: float


def measure(code: str, *arguments: str, given: bytes = b"", **environment: str) -> Cost:
    ended = subprocess.run(
        [sys.executable, "-c", MEASURED + code, *arguments],
        cwd=ROOT,
        env={"PATH": "/usr/bin:/bin", "COLUMNS": "300", **environment},
        input=given,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
    )
    told = ended.stdout.decode()
    spent, peak = re.search(r"CPU ([\d.]+)", told), re.search(r"VmHWM (\d+)", told)
    assert spent is not None, told
    assert peak is not None, told
    return Cost(told, float(spent[1]), int(peak[1]) / 1024)


@pytest.mark.parametrize("name", REFUSED)
def test_a_million_lines_are_refused(tmp_path: Path, origin: Origin, name: str) -> None:
    make, message = REFUSED[name]
    origin.put("/index.m3u8", make())
    arguments = ["fetch", origin.url("/index.m3u8"), "--out", str(tmp_path)]
    cost = measure(FETCH, *arguments, HOME=str(tmp_path), EGRESS_ALLOW=origin.host_port)
    assert f"Nothing was stored: {message}\nexit code 1\n" in cost.told
    assert len(origin.log) == 1
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
    assert cost.seconds < SECONDS, cost
    assert cost.mibs < MIBS, cost


@pytest.mark.parametrize("name", READ)
def test_what_is_within_the_limits_is_read_in_time(name: str) -> None:
    make, segments = READ[name]
    body = make()
    assert len(body) <= 8 * 2**20
    cost = measure(PARSE, given=body)
    assert f"{segments} segments\n" in cost.told
    assert cost.seconds < SECONDS, cost
    assert cost.mibs < MIBS, cost
