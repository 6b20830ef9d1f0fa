"""What one process of the service stands: sleeping queries, a crowd, and subscribers who hear nothing."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from statistics import quantiles
from uuid import UUID

from sqlalchemy import Engine, text
from websockets.asyncio.client import ClientConnection, connect
from websockets.typing import Subprotocol

from bench.graphql.query import QUERY
from bench.graphql.servers import SECRET, Question, Running
from persistence.engine import open_engine
from web.auth import JWTAuth

SLEEPERS = 64  # queries at once, for each of which the database takes a second
PING_EVERY = 0.02  # seconds
CLIENTS, EACH = 500, 20
SUBSCRIBERS, IDLE_SECONDS = 1_000, 10
PROTOCOL = "graphql-transport-ws"
DASHBOARD = Question("/graphql", "{ tasks(first: 20) { nodes { id status progress bytesPerSecond etaSeconds } } }")

_ASLEEP = (
    "ALTER TABLE download_tasks RENAME TO tasks_awake",
    "CREATE VIEW download_tasks AS SELECT * FROM tasks_awake WHERE (SELECT pg_sleep(1)) IS NOT NULL",
)
_AWAKE = ("DROP VIEW download_tasks", "ALTER TABLE tasks_awake RENAME TO download_tasks")


@dataclass(frozen=True, slots=True)
class Line:
    """A figure and what it may be at most; None where it was not measured."""

    name: str
    unit: str
    at_most: float
    figure: float | None


def lines(server: Running, database_url: str) -> Iterator[Line]:
    """One after the other."""
    yield Line(f"longest GET /health beside {SLEEPERS} queries that sleep 1 s", "s", 0.1, sleep(server, database_url))
    yield Line(f"CPU of {SUBSCRIBERS} subscribers when nothing changes", "of a core", 0.1, asyncio.run(idle(server)))
    for name, question in (("a list", DASHBOARD), ("the page of the comparison", Question("/graphql", QUERY))):
        yield Line(
            f"p99 of {CLIENTS} clients x {EACH} requests, {name}", "s", 2.0, asyncio.run(crowd(server, question))
        )
        yield Line(f"peak RSS after {CLIENTS} clients x {EACH} requests, {name}", "MiB", 400, server.peak)


# --- queries that sleep ---


def sleep(server: Running, database_url: str) -> float:
    """The longest ping, in seconds. Raises RuntimeError when a query fails."""
    engine = open_engine(database_url, pool_size=1)
    try:
        with asleep(engine):
            return asyncio.run(_ping_beside(server))
    finally:
        engine.dispose()


@contextmanager
def asleep(engine: Engine) -> Iterator[None]:
    """Every statement that reads tasks takes a second more, for the length of the context."""
    _execute(engine, _ASLEEP)
    try:
        yield
    finally:
        _execute(engine, _AWAKE)


def _execute(engine: Engine, statements: tuple[str, ...]) -> None:
    with engine.begin() as connection:
        for statement in statements:
            connection.execute(text(statement))


async def _ping_beside(server: Running) -> float:
    async with AsyncExitStack() as stack:
        ping, *others = [await stack.enter_async_context(_connection(server)) for _ in range(SLEEPERS + 1)]
        asked, health = _request(server, DASHBOARD), _request(server, Question("/health"))
        queries = [asyncio.create_task(_exchange(*each, asked)) for each in others]
        longest = 0.0
        while not all(query.done() for query in queries):
            longest = max(longest, await _exchange(*ping, health))
            await asyncio.sleep(PING_EVERY)
        await asyncio.gather(*queries)
    return longest


# --- a crowd ---


async def crowd(server: Running, question: Question) -> float:
    """The 99th percentile in seconds. Raises RuntimeError when an answer is no success."""
    request = _request(server, question)

    async def client() -> list[float]:
        async with _connection(server) as connection:
            return [await _exchange(*connection, request) for _ in range(EACH)]

    taken = await asyncio.gather(*(client() for _ in range(CLIENTS)))
    return quantiles([seconds for each in taken for seconds in each], n=100)[98]


# --- HTTP, as little of it as there can be: a library would take more CPU than the service ---


@asynccontextmanager
async def _connection(server: Running) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    host, port = server.url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    try:
        yield reader, writer
    finally:
        writer.close()


def _request(server: Running, question: Question) -> bytes:
    lines = [f"{question.method} {question.path} HTTP/1.1", f"Host: {server.url.removeprefix('http://')}"]
    lines += [f"Content-Length: {len(question.body)}"]
    lines += [f"{name}: {value}" for name, value in question.headers.items()]
    return "\r\n".join([*lines, "", question.body]).encode()


async def _exchange(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: bytes) -> float:
    """Seconds until the whole answer is there."""
    began = time.perf_counter()
    writer.write(request)
    head = await reader.readuntil(b"\r\n\r\n")
    if not head.startswith(b"HTTP/1.1 200 "):
        raise RuntimeError(head.decode())
    await reader.readexactly(int(head.lower().partition(b"content-length:")[2].split()[0]))
    return time.perf_counter() - began


# --- subscribers ---


async def idle(server: Running) -> float:
    """Share of a core that the server takes for subscribers who all have a user of their own."""
    async with AsyncExitStack() as stack:
        for number in range(SUBSCRIBERS):
            socket = await stack.enter_async_context(
                connect(f"ws{server.url.removeprefix('http')}/graphql", subprotocols=[Subprotocol(PROTOCOL)])
            )
            await _subscribe(socket, UUID(int=number))
        await asyncio.sleep(2)  # what the welcome costs is over
        before, began = server.cpu, time.perf_counter()
        await asyncio.sleep(IDLE_SECONDS)
        return (server.cpu - before) / (time.perf_counter() - began)


async def _subscribe(socket: ClientConnection, user_id: UUID) -> None:
    token = JWTAuth(SECRET).make_development_token(user_id, 60)
    await socket.send(json.dumps({"type": "connection_init", "payload": {"Authorization": f"Bearer {token}"}}))
    await socket.recv()
    query = {"query": "subscription { tasksChanged { id status } }"}
    await socket.send(json.dumps({"type": "subscribe", "id": "1", "payload": query}))
