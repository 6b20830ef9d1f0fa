"""The service as its users meet it: a process of its own, and HTTP."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import httpx

from web.auth import JWTAuth

ROOT = Path(__file__).parents[2]
SECRET = "a secret of the tests, longer than thirty-two bytes"  # noqa: S105 - opens nothing but the tests
AT_REST = frozenset({"COMPLETED", "PARTIAL_COMPLETED", "FAILED", "CANCELLED"})

TASK_FIELDS = """
    id videoId status paused progress bytesDownloaded bytesTotal segmentsDownloaded segmentsTotal retryCount
    lastError startedAt completedAt
    failures(first: 100) { totalCount nodes {
        id resourceUrl resourceType failureType errorMessage segmentIndex status retryCount nextRetryTime } }
    video { id status storagePath fileSize duration resolution format }
"""


class Service:
    """``main.py serve`` in ``folder``; only the environment given, so that nothing of this machine's helps it."""

    def __init__(self, folder: Path, **settings: str) -> None:
        self.folder = folder
        self.port = _free_port()
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
        self.log = folder / "service.log"
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
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, ROOT / "main.py", "serve"],
                cwd=self.folder,
                env=self._environment,
                stdout=log,
                stderr=log,
            )
        wait_until(self._serves, "the service to serve", process=self._process, log=self.log)

    def kill(self) -> None:
        """SIGKILL, as the kernel would: nothing is told, nothing is flushed."""
        if self._process is not None:
            self._process.send_signal(signal.SIGKILL)
            self._process.wait()
            self._process = None

    def terminate(self) -> int:
        """SIGTERM; the exit code."""
        assert self._process is not None
        self._process.send_signal(signal.SIGTERM)
        code = self._process.wait(15)
        self._process = None
        return code

    def user(self, user_id: UUID | None = None) -> User:
        """A signed-in user; a new one if none is named."""
        return User(self, user_id or uuid4())

    def media(self, *parts: str) -> Path:
        """A path under the storage root."""
        return self.folder.joinpath("media", *parts)

    def _serves(self) -> bool:
        try:
            return self.http.get("/ready").status_code == httpx.codes.OK
        except httpx.TransportError:
            return False


class User:
    """One user's view, over GraphQL."""

    def __init__(self, service: Service, user_id: UUID) -> None:
        self.id = user_id
        self._http = service.http
        token = JWTAuth(SECRET).make_development_token(user_id, 60)
        self.headers = {"Authorization": f"Bearer {token}"}

    def post(self, query: str, variables: Mapping[str, object] | None = None) -> httpx.Response:
        """The raw answer."""
        body = {"query": query, "variables": dict(variables or {})}
        return self._http.post("/graphql", json=body, headers=self.headers)

    def execute(self, query: str, **variables: object) -> Any:  # noqa: ANN401 - JSON
        """The data of an answer without errors."""
        answer = self.post(query, variables)
        assert answer.status_code == httpx.codes.OK, answer.text
        assert "errors" not in answer.json(), answer.text
        return answer.json()["data"]

    def create(self, url: str, kind: str = "HLS", **more: object) -> Any:  # noqa: ANN401 - JSON
        """A started task, unless told otherwise."""
        fields = {"resourceUrl": url, "resourceType": kind, "liveroomId": "room-1", "autoStart": True, **more}
        payload = self.execute(
            "mutation($input: CreateTaskInput!) { createTask(input: $input) {"
            " task { id videoId status progress } userErrors { code message field } } }",
            input=fields,
        )["createTask"]
        assert payload["userErrors"] == [], payload
        return payload["task"]

    def move(self, mutation: str, task_id: str) -> Any:  # noqa: ANN401 - JSON
        """``startTask``, ``pauseTask`` … : the payload."""
        return self.execute(
            f"mutation($id: ID!) {{ {mutation}(id: $id) {{ task {{ id status paused progress }}"
            " userErrors { code message field } } }",
            id=task_id,
        )[mutation]

    def task(self, task_id: str) -> Any:  # noqa: ANN401 - JSON
        """Everything of one task, None when there is none."""
        return self.execute(f"query($id: ID!) {{ task(id: $id) {{ {TASK_FIELDS} }} }}", id=task_id)["task"]

    def wait(self, task_id: str, *, timeout: float = 60) -> Any:  # noqa: ANN401 - JSON
        """The task once it is at rest."""
        return self.watch(task_id, lambda task: task["status"] in AT_REST, timeout=timeout)

    def watch(self, task_id: str, reached: Callable[[Any], bool], *, timeout: float = 60) -> Any:  # noqa: ANN401 - JSON
        """The task once it is as wanted."""
        last: Any = None

        def look() -> bool:
            nonlocal last
            last = self.task(task_id)
            return reached(last)

        wait_until(look, lambda: f"a task; it is {last}", timeout=timeout)
        return last


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


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
