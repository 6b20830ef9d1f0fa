"""The application over a real database, with a job queue that takes jobs and never runs them."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, NoReturn
from uuid import UUID, uuid4

import httpx
import pytest
import uvicorn
from sqlalchemy import Engine

from domain.admission import Admission
from domain.errors import DatabaseError
from domain.models import utc_now
from domain.policy import Policy
from domain.ports import AdmissionLimits
from domain.services import OpenServices, ServiceBuilder
from graph.changes import Changes
from graph.router import make_router
from jobs.local import LocalJobs
from persistence.engine import open_engine
from persistence.sealing import AesGcmSealer
from persistence.unit_of_work import uow_factory
from storage.keys import names_for
from web.app import create_app
from web.auth import JWTAuth
from web.links import Links
from web.middleware import MAX_BODY_BYTES
from web.pages import Pages
from web.playback_urls import PlaybackUrls

SECRET = "a secret of 32 bytes, for tests only"
AUTH = JWTAuth(SECRET)
THREADS = 4


@dataclass
class Api:
    """A client of one user."""

    client: httpx.Client
    user_id: UUID = field(default_factory=uuid4)

    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {AUTH.make_development_token(self.user_id, 30)}"}

    def ask(self, document: str, variables: dict[str, Any] | None = None, status: int = 200) -> dict[str, Any]:
        """The whole answer, data and errors."""
        answer = self.client.post("/graphql", json={"query": document, "variables": variables}, headers=self.headers())
        assert answer.status_code == status, answer.text
        content: dict[str, Any] = answer.json()
        return content

    def data(self, document: str, **variables: Any) -> dict[str, Any]:
        """The data of an answer without errors."""
        answer = self.ask(document, variables)
        assert "errors" not in answer, answer["errors"]
        data: dict[str, Any] = answer["data"]
        return data

    def codes(self, document: str, variables: dict[str, Any] | None = None, status: int = 200) -> list[str]:
        """The codes of the top-level errors."""
        return [error["extensions"]["code"] for error in self.ask(document, variables, status)["errors"]]


@pytest.fixture(scope="module")
def database(shared_database_url: str) -> Iterator[Engine]:
    engine = open_engine(shared_database_url, pool_size=THREADS)
    yield engine
    engine.dispose()


@pytest.fixture(scope="module")
def open_services(database: Engine) -> OpenServices:
    """The use cases, as main.py puts them together."""
    return ServiceBuilder(
        open_uow=uow_factory(database),
        admission=Admission(AdmissionLimits(total=1_000, per_user=10), LocalJobs(), utc_now),
        sealer=AesGcmSealer(SECRET),
        names_for=names_for,
        policy=Policy(),
        clock=utc_now,
    )


@pytest.fixture(scope="module")
def changes(shared_database_url: str) -> Iterator[Changes]:
    """Polls over a connection of its own, as main.py has it."""
    engine = open_engine(shared_database_url, pool_size=1)
    yield Changes(uow_factory(engine))
    engine.dispose()


def _no_database() -> NoReturn:
    raise DatabaseError


@contextmanager
def serve(
    open_services: OpenServices,
    *,
    changes: Changes | None = None,
    graphiql: bool = True,
    cors_origins: tuple[str, ...] = (),
) -> Iterator[httpx.Client]:
    """A client of the application behind a real HTTP server; without ``changes`` nothing can be followed."""
    page = Pages("http://media.test").graphiql if graphiql else None
    app = create_app(
        auth=AUTH,
        open_services=open_services,
        playback_urls=PlaybackUrls(Links(SECRET, public_url="http://media.test", seconds=3600), names_for),
        routers=[make_router(graphiql=page, changes=changes or Changes(_no_database), origins=cors_origins)],
        database_answers=lambda: True,
        storage_answers=lambda: True,
        threads=THREADS,
        cors_origins=cors_origins,
    )
    server = uvicorn.Server(uvicorn.Config(app, log_config=None, ws_max_size=MAX_BODY_BYTES))
    # With the protocol named, asyncio turns Nagle's algorithm off: else every answer takes 45 ms more.
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP) as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        port = listening.getsockname()[1]
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        try:
            with httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False) as client:
                yield client
        finally:
            server.should_exit = True
            thread.join()


@pytest.fixture(scope="module")
def client(open_services: OpenServices, changes: Changes) -> Iterator[httpx.Client]:
    """Of a service with default settings."""
    with serve(open_services, changes=changes) as client:
        yield client


@pytest.fixture
def api(client: httpx.Client) -> Api:
    """A user who has nothing yet."""
    return Api(client)


@pytest.fixture
def stranger(client: httpx.Client) -> Api:
    """Another user of the same service."""
    return Api(client)
