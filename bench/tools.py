"""How each tool is told to fetch the same media with the same number of connections."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from bench.media import Media
from bench.origin import ROOT
from bench.process import Failed, Sample, measure

CONNECTIONS = 20
FETCH = [sys.executable, str(ROOT / "main.py"), "fetch"]


@dataclass(frozen=True, slots=True)
class Job:
    """Fetch ``media`` from ``origin`` (``host:port``) into the empty folder ``out``."""

    media: Media
    origin: str
    out: Path

    @property
    def url(self) -> str:
        return f"http://{self.origin}/{self.media.name}/{self.media.entry}"

    @property
    def urls(self) -> dict[str, str]:
        """File → URL: what a tool is told that reads no playlists."""
        return {name: f"http://{self.origin}/{self.media.name}/{name}" for name in self.media.files}

    @property
    def environment(self) -> dict[str, str]:
        ours = {"EGRESS_ALLOW": self.origin, "SEGMENT_CONCURRENCY": str(CONNECTIONS), "MIN_FREE_BYTES": "0"}
        # As it is installed, also in the image, the code is compiled: to do that anew each time takes 40 ms.
        kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
        return {**kept, **ours, "no_proxy": "127.0.0.1"}


class Tool(Protocol):
    """Who can do a job."""

    @property
    def missing(self) -> str | None:
        """The program that this machine lacks."""

    def run(self, job: Job) -> Sample:
        """Fetch once. Raises Failed, also when something was not stored."""


@dataclass(frozen=True, slots=True)
class Command:
    """A program of its own. ``keeps_all``: what it writes is as large as what it fetches."""

    program: str
    build: Callable[[Job], list[str]]
    keeps_all: bool = True

    @property
    def missing(self) -> str | None:
        return None if shutil.which(self.program) else self.program

    def run(self, job: Job) -> Sample:
        sample = measure(self.build(job), job.environment, job.out)
        ended = time.time()
        written = [path.stat() for path in job.out.rglob("*") if path.suffix in {".ts", ".mp4"}]
        if self.keeps_all and sum(file.st_size for file in written) < job.media.total:
            raise Failed("not everything was stored")
        return replace(sample, tail=ended - max((file.st_mtime for file in written), default=ended))


class FirstRequest:
    """``main.py fetch`` until its first request is here."""

    missing = None

    def run(self, job: Job) -> Sample:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            listener.settimeout(30)
            host, port = listener.getsockname()
            here = replace(job, origin=f"{host}:{port}")
            began = time.perf_counter()
            with subprocess.Popen(  # noqa: S603 -- our own program
                [*FETCH, here.url],
                env=here.environment,
                cwd=here.out,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            ) as process:
                with listener.accept()[0] as connection:
                    connection.recv(1)
                    wall = time.perf_counter() - began
                process.kill()
        return Sample(wall)


class RunningService:
    """A task of a service that already runs, from startTask to COMPLETED."""

    missing = None

    def run(self, job: Job) -> Sample:
        # As heavy as the service; the other rows do without.
        from tests.e2e.service import AT_REST, Service, wait_until  # noqa: PLC0415

        try:
            with Service(job.out, EGRESS_ALLOW=job.origin, LOG_LEVEL="INFO") as service:
                user = service.user()
                task_id = user.create(job.url, autoStart=False)["id"]
                began = time.perf_counter()
                user.move("startTask", task_id)
                # Its status alone, as a page would: to be asked for all of it 30 times a second takes part of a core.
                status = "query($id: ID!) { task(id: $id) { status } }"
                wait_until(
                    lambda: user.execute(status, id=task_id)["task"]["status"] in AT_REST, "the end", timeout=300
                )
                wall = time.perf_counter() - began
                task = user.task(task_id)
        except AssertionError as error:
            raise Failed(str(error)) from error
        if task["status"] != "COMPLETED":
            raise Failed(f"the task ended as {task['status']}: {task['lastError']}")
        return Sample(wall)


def _fetch(job: Job) -> list[str]:
    return [*FETCH, job.url]


def _curl(job: Job) -> list[str]:
    config = job.out / "urls"
    config.write_text("".join(f'url = "{url}"\noutput = "{name}"\n' for name, url in job.urls.items()))
    return ["curl", "-q", "-s", "--fail", "--parallel", "--parallel-max", str(CONNECTIONS), "--config", str(config)]


def _aria2c(job: Job) -> list[str]:
    listed = job.out / "urls"
    listed.write_text("".join(f"{url}\n  out={name}\n" for name, url in job.urls.items()))
    each = ["-j1", "-x16", "-s16", "-k1M"] if not job.media.count else [f"-j{CONNECTIONS}", "-x1", "-s1"]
    return ["aria2c", "--no-conf", "-q", "--file-allocation=none", *each, "-i", str(listed)]


def _yt_dlp(job: Job) -> list[str]:
    quiet = ["--ignore-config", "--quiet", "--no-warnings", "--no-cache-dir", "--fixup", "never"]
    return ["yt-dlp", *quiet, "--hls-prefer-native", "-N16", "-o", "video.ts", job.url]


def _ffmpeg(job: Job) -> list[str]:
    return ["ffmpeg", "-nostdin", "-loglevel", "error", "-i", job.url, "-c", "copy", "-f", "mpegts", "video.ts"]


OURS = Command(sys.executable, _fetch)
CURL = Command("curl", _curl)
ARIA2C = Command("aria2c", _aria2c)
YT_DLP = Command("yt-dlp", _yt_dlp)
FFMPEG = Command("ffmpeg", _ffmpeg, keeps_all=False)  # it leaves null packets out
