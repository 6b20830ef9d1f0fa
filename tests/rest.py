"""The REST paths of the real application: over HTTP, a real SQLite file, and no worker."""

from __future__ import annotations

import re
import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import httpx
import uvicorn
from fastapi import FastAPI
from sqlalchemy import Engine, select

import main
from domain.models import DownloadedVideo, DownloadFailure, DownloadTask
from jobs.local import NoWorker
from persistence.tables import metadata
from persistence.unit_of_work import uow_factory
from settings import Settings
from tests.builders import keep
from web.auth import JWTAuth

PREFIX = "/api/v1/download"
SECRET = "a secret of 32 bytes, for tests only"
AUTH = JWTAuth(SECRET)

TASK_KEYS = (
    "id user_id video_id liveroom_id liveroom_title liveroom_url resource_url resource_type status progress retry_count"
    " max_retries priority last_error created_at updated_at completed_at"
).split()
FAILURE_KEYS = (
    "id failure_id task_id resource_url expected_path standard_name resource_type failure_type error_message status"
    " retry_count next_retry_time created_at updated_at"
).split()
VIDEO_KEYS = (
    "id video_id task_id liveroom_id liveroom_title liveroom_url video_type resource_type video_url resource_url"
    " storage_path file_size duration resolution format cover_url cover_path status download_start_time"
    " download_end_time created_at updated_at"
).split()
REPORT_KEYS = "total success failed skipped created_task_ids failed_rows skipped_rows processing_time".split()
PAGE_KEYS = ["total", "page", "size", "pages", "items"]
BUSINESS_STATUSES = {201, 207, 400, 404, 409}
NEW_TASK = {"resource_url": "https://media.example/film.mp4", "resource_type": "mp4", "liveroom_id": "room-1"}


@dataclass
class User:
    """One user's client."""

    http: httpx.Client
    auth: JWTAuth = AUTH
    id: UUID = field(default_factory=uuid4)
    headers: dict[str, str] = field(default_factory=dict)

    def send(self, method: str, path: str, headers: Mapping[str, str] | None = None, **options: Any) -> httpx.Response:
        signed_in = {"Authorization": f"Bearer {self.auth.make_development_token(self.id, 30)}"}
        sent = signed_in | self.headers | dict(headers or {})
        return self.http.request(method, f"{PREFIX}{path}", headers=sent, **options)

    def data(self, method: str, path: str, status: int = 200, **options: Any) -> Any:
        """The data of an answer with this status."""
        answer = self.send(method, path, **options)
        assert answer.status_code == status, answer.text
        return answer.json()["data"]


@dataclass
class Rest:
    """The service, its clients, and what lies beneath."""

    app: FastAPI
    database: Engine
    http: httpx.Client
    envelope_only: bool

    def user(self) -> User:
        """A new one."""
        return User(self.http)

    def keep(self, *rows: DownloadTask | DownloadFailure | DownloadedVideo) -> None:
        with uow_factory(self.database)() as uow:
            keep(uow, *rows)

    def check(self, answer: httpx.Response, status: int, code: int, message: str) -> Any:
        """The data of an answer in the envelope; ``status`` is HTTP's where it tells outcomes."""
        flat = self.envelope_only and status in BUSINESS_STATUSES
        content = answer.json()
        assert (answer.status_code, content["code"], content["message"]) == (200 if flat else status, code, message)
        assert list(content) == ["code", "message", "data", "timestamp"]
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", content["timestamp"])
        assert answer.headers["content-type"] == "application/json"
        return content["data"]

    def rows(self) -> dict[str, list[Any]]:
        """Every row of every table: equal before and after when nothing changed."""
        with self.database.connect() as connection:
            return {
                name: sorted(connection.execute(select(table)), key=repr) for name, table in metadata.tables.items()
            }


@contextmanager
def running_rest(folder: Path, **settings: Any) -> Iterator[Rest]:
    """With the settings of a fresh install, but for those given."""
    usual = {"database_url": f"sqlite:///{folder / 'media.db'}", "storage_url": str(folder / "media")}
    given = Settings(jwt_secret_key=SECRET, **usual | settings)
    service = main.build(given, NoWorker())
    main.migrate_database(service.database)
    app = main.make_app(service)
    with serving(app) as http:
        yield Rest(app, service.database, http, given.rest_envelope_only)
    service.database.dispose()


@contextmanager
def serving(app: FastAPI) -> Iterator[httpx.Client]:
    """A client of ``app`` behind a real HTTP server."""
    server = uvicorn.Server(uvicorn.Config(app, log_config=None, access_log=False))
    # With the protocol named, asyncio turns Nagle's algorithm off: else every answer takes 45 ms more.
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP) as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        base_url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        with httpx.Client(base_url=base_url, trust_env=False, timeout=30) as client:
            yield client
        server.should_exit = True
        thread.join()


def without_time(answer: httpx.Response) -> bytes:
    """The body but for its ``timestamp``."""
    return answer.content.replace(answer.json()["timestamp"].encode(), b"")


def broken_rules(answer: httpx.Response) -> list[tuple[str, str]]:
    """Where, and what, of an answer to a malformed request."""
    assert answer.status_code == 422, answer.text
    content = answer.json()
    assert list(content) == ["code", "message", "data", "detail", "timestamp"]
    assert (content["code"], content["message"], content["data"]) == (422, "参数校验失败", None)
    assert all(list(each) == ["type", "loc", "msg"] for each in content["detail"])
    return [(".".join(map(str, each["loc"])), each["msg"]) for each in content["detail"]]
