"""Fetching with a client that lives as long as one scenario."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypedDict, TypeVar, Unpack

import pytest

from domain.errors import TransferError
from domain.values import FailureType
from downloader.client import Client
from downloader.guard import Guard
from downloader.request import Request
from downloader.response import Response

Result = TypeVar("Result")


class Limits(TypedDict, total=False):
    """A client's limits that a test may choose."""

    max_connections: int
    max_connections_per_host: int
    timeout: float


class Asked(TypedDict, total=False):
    """The bytes of a resource that a request asks for."""

    offset: int
    length: int


def local(*ports: int) -> Guard:
    """A guard that lets 127.0.0.1 be dialled at these ports."""
    return Guard(frozenset(("127.0.0.1", port) for port in ports))


def run(guard: Guard, scenario: Callable[[Client], Awaitable[Result]], **limits: Unpack[Limits]) -> Result:
    """What `scenario` returns; its client is closed after it."""

    async def whole() -> Result:
        client = Client(guard, **limits)
        try:
            return await scenario(client)
        finally:
            await client.aclose()

    return asyncio.run(whole())


async def get(client: Client, request: Request | str) -> bytes:
    """The body that `request`, or a URL, brings."""
    body = bytearray()
    await client.fetch(Request(request) if isinstance(request, str) else request, body.extend)
    return bytes(body)


def fetch(guard: Guard, request: Request, **limits: Unpack[Limits]) -> tuple[Response, bytes]:
    """One request: its response and body."""
    body = bytearray()
    response = run(guard, lambda client: client.fetch(request, body.extend), **limits)
    return response, bytes(body)


def failure(guard: Guard, request: Request | str, **limits: Unpack[Limits]) -> TransferError:
    """How one request fails."""
    with pytest.raises(TransferError) as caught:
        run(guard, lambda client: get(client, request), **limits)
    return caught.value


def told(error: TransferError) -> tuple[FailureType, str, bool]:
    """What a failure says."""
    return error.failure_type, error.message, error.retry


def raw(answer: bytes, **asked: Unpack[Asked]) -> bytes | str:
    """Fetch from a server that says exactly this and closes: the body, or the failure's message."""

    async def say(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        writer.close()
        await writer.wait_closed()

    async def scenario() -> bytes | str:
        async with await asyncio.start_server(say, "127.0.0.1", 0) as server:
            port = server.sockets[0].getsockname()[1]
            client = Client(local(port))
            try:
                return await get(client, Request(f"http://127.0.0.1:{port}/", **asked))
            except TransferError as error:
                return error.message
            finally:
                await client.aclose()

    return asyncio.run(scenario())
