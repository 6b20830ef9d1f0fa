"""The service as its users meet it: a process of its own, and HTTP."""

from __future__ import annotations

import os
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import httpx

from web.auth import JWTAuth

ROOT = Path(__file__).parents[2]
SECRET = "a secret of the tests, longer than thirty-two bytes"
AT_REST = frozenset({"COMPLETED", "PARTIAL_COMPLETED", "FAILED", "CANCELLED"})

TABLES = ("download_tasks", "download_failures", "downloaded_videos")
MEASURED = (
    "updated_at",
    "bytes_per_second",
    "pieces",
)  # of a task that runs, twice a second, also when no byte arrives

TASK_FIELDS = """
    id videoId status paused progress bytesDownloaded bytesTotal segmentsDownloaded segmentsTotal retryCount
    lastError startedAt completedAt
    failures(first: 100) { totalCount nodes {
        id resourceUrl resourceType failureType errorMessage segmentIndex status retryCount nextRetryTime } }
    video { id status storagePath fileSize duration resolution format }
"""


class Service:
    """``main.py serve`` in ``folder``; only the environment given, so that nothing of this machine's helps it.

    ``command``: or ``api``, or ``worker``.
    """

    def __init__(self, folder: Path, command: str = "serve", **settings: str) -> None:
        self.folder, self.command = folder, command
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._environment = {
            "PATH": "/usr/bin:/bin",
            "HOME": str(folder),
            "PORT": str(self.port),
            "JWT_SECRET_KEY": SECRET,
            "DATABASE_URL": f"sqlite:///{folder}/media.db",
            "STORAGE_URL": str(folder / "media"),
            "LOG_LEVEL": "WARNING",
            "MIN_FREE_BYTES": "0",
            **settings,
        }
        self.log = folder / ("service.log" if command == "serve" else f"{command}-{self.port}.log")
        self.http = httpx.Client(base_url=self.url, timeout=20)
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Service:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.http.close()
        self.kill()

    def start(self) -> None:
        """Start, and wait until it serves."""
        self._spawn()
        self.wait_until_ready()

    def wait_until_ready(self) -> None:
        wait_until(self._serves, "the service to serve", process=self._process, log=self.log)

    def _spawn(self) -> None:
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, ROOT / "main.py", self.command],
                cwd=self.folder,
                env=self._environment,
                stdout=log,
                stderr=log,
            )

    def kill(self) -> None:
        """SIGKILL, as the kernel would: nothing is told, nothing is flushed."""
        if self._process is not None:
            self._process.send_signal(signal.SIGKILL)
            self._process.wait()
            self._process = None

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def send(self, number: signal.Signals) -> None:
        """A signal, such as SIGSTOP and SIGCONT."""
        assert self._process is not None
        self._process.send_signal(number)

    def restart_if_ended(self) -> None:
        """Unless it was told to end."""
        if self._process is not None and self._process.poll() is not None:
            self._spawn()

    def terminate(self) -> int:
        """SIGTERM; the exit code."""
        self.send(signal.SIGTERM)
        return self.ended()

    def ended(self) -> int:
        """The exit code, once it has ended by itself."""
        assert self._process is not None
        code = self._process.wait(15)
        self._process = None
        return code

    def user(self, user_id: UUID | None = None) -> User:
        """A signed-in user; a new one if none is named."""
        return User(self, user_id or uuid4())

    def media(self, *parts: str) -> Path:
        """A path under the storage root."""
        return self.folder.joinpath("media", *parts)

    def rows(self, table: str) -> list[dict[str, Any]]:
        """Every row of a table, as the database holds it; without what is measured of a task that runs."""
        with closing(sqlite3.connect(f"file:{self.folder}/media.db?mode=ro", uri=True)) as database:
            database.row_factory = sqlite3.Row
            found = [dict(row) for row in database.execute(f"SELECT * FROM {table} ORDER BY id")]  # noqa: S608 - ours
        for row in found:
            if row.get("status") == "processing":
                row.update(dict.fromkeys(MEASURED))
        return found

    def files(self, folder: str = ".") -> dict[str, bytes]:
        """Every file under a folder of the storage root, by its path from the root."""
        root = self.media()
        found = (path for path in root.joinpath(folder).rglob("*") if path.is_file())
        return {str(path.relative_to(root)): path.read_bytes() for path in found}

    def temporary_files(self) -> list[str]:
        """What downloads leave while they run: no name in storage that stays begins with a dot."""
        root = self.media()
        found = (str(path.relative_to(root)) for path in root.rglob("*"))
        return sorted(name for name in found if name.startswith(".") or "/." in name)

    @contextmanager
    def unchanged(self, of: User | None = None) -> Iterator[None]:
        """Fails when a row or a file, of one user if one is named, is another one afterwards."""
        before = self._state(of)
        yield
        assert self._state(of) == before

    def _state(self, of: User | None) -> tuple[list[list[dict[str, Any]]], dict[str, bytes]]:
        tasks, failures, videos = (self.rows(table) for table in TABLES)
        if of is None:
            return [tasks, failures, videos], self.files()
        tasks = [task for task in tasks if task["user_id"] == of.id.hex]
        rows = [
            [row for row in rows if row["task_id"] in {task["id"] for task in tasks}] for rows in (failures, videos)
        ]
        folders = [f"video_{UUID(task['video_id'])}" for task in tasks]
        return [tasks, *rows], {name: content for folder in folders for name, content in self.files(folder).items()}

    def _serves(self) -> bool:
        try:
            path = "/health" if self.command == "worker" else "/ready"
            return self.http.get(path).status_code == httpx.codes.OK
        except httpx.TransportError:
            return False


class User:
    """One user's view, over GraphQL."""

    def __init__(self, service: Service, user_id: UUID) -> None:
        self.id, self.service = user_id, service
        self.token = JWTAuth(SECRET).make_development_token(user_id, 60)
        self.headers = {"Authorization": f"Bearer {self.token}"}

    def post(self, query: str, variables: Mapping[str, object] | None = None) -> httpx.Response:
        """The raw answer."""
        body = {"query": query, "variables": dict(variables or {})}
        return self.service.http.post("/graphql", json=body, headers=self.headers)

    def execute(self, query: str, **variables: object) -> Any:
        """The data of an answer without errors."""
        answer = self.post(query, variables)
        assert answer.status_code == httpx.codes.OK, answer.text
        assert "errors" not in answer.json(), answer.text
        return answer.json()["data"]

    def call(self, mutation: str, selection: str = "", /, **arguments: object) -> httpx.Response:
        """The raw answer of a mutation: ``selection`` and the userErrors of its payload."""
        wanted = f"{{ {selection} userErrors {{ code message field }} }}"
        declared = ", ".join(f"${name}: {_type_of(mutation, name)}" for name in arguments)
        passed = ", ".join(f"{name}: ${name}" for name in arguments)
        return self.post(f"mutation({declared}) {{ {mutation}({passed}) {wanted} }}", arguments)

    def errors(self, mutation: str, /, **arguments: object) -> list[tuple[str, list[str] | None]]:
        """Code and field of each of the userErrors of a mutation; each has a message."""
        answer = self.call(mutation, **arguments)
        assert answer.status_code == httpx.codes.OK, answer.text
        assert "errors" not in answer.json(), answer.text
        payloads = answer.json()["data"][mutation]
        payloads = payloads if isinstance(payloads, list) else [payloads]
        found = [error for payload in payloads for error in payload["userErrors"]]
        assert all(error["message"].endswith(".") for error in found), found
        return [(error["code"], error["field"]) for error in found]

    def create(self, url: str, kind: str = "HLS", **more: object) -> Any:
        """A started task, unless told otherwise."""
        fields = {"resourceUrl": url, "resourceType": kind, "liveroomId": "room-1", "autoStart": True, **more}
        payload = self.execute(
            "mutation($input: CreateTaskInput!) { createTask(input: $input) {"
            " task { id videoId status progress } userErrors { code message field } } }",
            input=fields,
        )["createTask"]
        assert payload["userErrors"] == [], payload
        return payload["task"]

    def move(self, mutation: str, task_id: str) -> Any:
        """``startTask``, ``pauseTask`` … : the payload."""
        return self.execute(
            f"mutation($id: ID!) {{ {mutation}(id: $id) {{ task {{ id status paused progress }}"
            " userErrors { code message field } } }",
            id=task_id,
        )[mutation]

    def task(self, task_id: str) -> Any:
        """Everything of one task, None when there is none."""
        return self.execute(f"query($id: ID!) {{ task(id: $id) {{ {TASK_FIELDS} }} }}", id=task_id)["task"]

    def wait(self, task_id: str, *, timeout: float = 60) -> Any:
        """The task once it is at rest."""
        return self.watch(task_id, lambda task: task["status"] in AT_REST, timeout=timeout)

    def watch(self, task_id: str, reached: Callable[[Any], bool], *, timeout: float = 60) -> Any:
        """The task once it is as wanted."""
        last: Any = None

        def look() -> bool:
            nonlocal last
            last = self.task(task_id)
            return reached(last)

        wait_until(look, lambda: f"a task; it is {last}", timeout=timeout)
        return last


def _type_of(mutation: str, argument: str) -> str:
    types = {
        "input": f"{mutation[0].upper()}{mutation[1:]}Input!",
        "inputs": "[CreateTaskInput!]!",
        "ids": "[ID!]!",
        "includeCompleted": "Boolean!",
        "pieces": "PieceRange!",
    }
    return types.get(argument, "ID!")


def wait_until(
    reached: Callable[[], bool],
    what: str | Callable[[], str],
    *,
    timeout: float = 30,
    process: subprocess.Popen[bytes] | None = None,
    log: Path | None = None,
) -> None:
    """Ask again and again: another process has no event that we could await."""
    deadline = time.monotonic() + timeout
    while not reached():
        if process is not None and process.poll() is not None:
            raise AssertionError(f"the process ended: {log.read_text() if log else ''}")
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {timeout} s for {what if isinstance(what, str) else what()}")
        time.sleep(0.03)


def clean_environment() -> dict[str, str]:
    """What a fresh shell has."""
    return {name: os.environ[name] for name in ("HOME",) if name in os.environ} | {"PATH": "/usr/bin:/bin"}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
