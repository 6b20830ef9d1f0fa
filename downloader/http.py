"""httpx over the same guarded connections, for what is read whole: playlists, keys and images."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from typing import TypeAlias

import httpx

from domain.addresses import redact
from downloader.client import Client
from downloader.guard import blocked
from downloader.request import Headers, Request

# It logs every URL, and queries are where tokens travel.
logging.getLogger("httpx").setLevel(logging.WARNING)

DocumentClient: TypeAlias = httpx.AsyncClient  # named for those who must not import httpx


@dataclass(frozen=True, slots=True)
class Document:
    """A small resource, whole. ``url`` is where it came from, after redirects; its query is not shown."""

    body: bytes = field(repr=False)
    url: str
    content_type: str  # as sent, "" if it was not

    def __repr__(self) -> str:
        return f"Document({len(self.body)} bytes, {redact(self.url)!r}, {self.content_type!r})"


class CurlTransport(httpx.AsyncBaseTransport):
    """Sends httpx's GETs through a Client, which follows redirects; closing it leaves the Client open.

    A request's extension ``max_bytes`` bounds the body; a response's extension ``url`` is where it came from.
    Failures are raised as the Client's TransferError.
    """

    def __init__(self, client: Client) -> None:
        self._client = client

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Fetch the whole body into memory."""
        body = bytearray()
        headers = tuple(request.headers.items())
        max_bytes = request.extensions.get("max_bytes")
        response = await self._client.fetch(
            Request(str(request.url), headers=headers, max_bytes=max_bytes), body.extend
        )
        # httpx would keep cookies, and send them for other users' tasks.
        fields = [
            (name.encode("latin-1"), value.encode("latin-1"))
            for name, value in response.headers.items()
            if name != "set-cookie"
        ]
        return httpx.Response(response.status, headers=fields, content=bytes(body), extensions={"url": response.url})


def http_client(client: Client) -> DocumentClient:
    """Give the httpx API over `client`."""
    return DocumentClient(transport=CurlTransport(client), follow_redirects=False, trust_env=False)


async def read(client: DocumentClient, url: str, headers: Headers, max_bytes: int) -> Document:
    """Fetch `url` whole, at most `max_bytes` of it. Raises TransferError."""
    try:
        # Not client.get(): its default headers would take the place of the Client's own.
        fields = [(name.encode(), value.encode()) for name, value in headers]
        request = httpx.Request("GET", url, headers=fields, extensions={"max_bytes": max_bytes})
    except (httpx.InvalidURL, UnicodeError):  # the second from the idna package
        raise blocked() from None
    response = await client.send(request)
    content_type = response.headers.get("content-type", "")
    return Document(response.content, response.extensions["url"], content_type)
