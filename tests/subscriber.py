"""A client of GraphQL subscriptions: graphql-transport-ws, and Server-Sent Events."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, Self

import httpx
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Subprotocol

PATIENCE = 10.0  # seconds to wait for what must come
Message = dict[str, Any]


class Subscriber:
    """One WebSocket."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket

    def sign_in(self, token: str) -> Self:
        """Until it is acknowledged."""
        self.send("connection_init", payload={"Authorization": f"Bearer {token}"})
        assert self.receive() == {"type": "connection_ack"}
        return self

    def send(self, kind: str, **members: object) -> None:
        self.socket.send(json.dumps({"type": kind, **members}))

    def receive(self, timeout: float = PATIENCE) -> Message:
        """The next message. Raises TimeoutError, ConnectionClosed."""
        text = self.socket.recv(timeout)
        assert isinstance(text, str), "messages are text frames"
        message: Message = json.loads(text)
        return message

    def subscribe(self, document: str, name: str = "1", **variables: object) -> None:
        self.send("subscribe", id=name, payload={"query": document, "variables": variables})

    def next(self, name: str = "1") -> Any:
        """The data of the next message, which is one without errors."""
        message = self.receive()
        assert (message["type"], message["id"]) == ("next", name), message
        assert "errors" not in message["payload"], message
        return message["payload"]["data"]

    def until_complete(self, name: str = "1") -> list[Any]:
        """What comes until the end."""
        found = []
        while (message := self.receive()) != {"type": "complete", "id": name}:
            assert (message["type"], message["id"]) == ("next", name), message
            found.append(message["payload"]["data"])
        return found

    def ask(self, document: str, name: str = "1", **variables: object) -> list[Message]:
        """Every message about one operation, to its end."""
        self.subscribe(document, name, **variables)
        messages = [self.receive()]
        while messages[-1]["type"] == "next":
            messages.append(self.receive())
        return messages

    def closed(self) -> tuple[int | None, str | None]:
        """Code and reason, once the server has closed; what comes before is not looked at."""
        with suppress(ConnectionClosed):
            while True:
                self.receive()
        return self.socket.close_code, self.socket.close_reason


@contextmanager
def subscriber(
    url: str, path: str = "/graphql", *, protocol: str = "graphql-transport-ws", **options: Any
) -> Iterator[Subscriber]:
    """Connected to the service at ``url``, and not signed in."""
    address = f"{url.replace('http', 'ws', 1)}{path}"
    with connect(address, subprotocols=[Subprotocol(protocol)], proxy=None, max_size=None, **options) as socket:
        yield Subscriber(socket)


@contextmanager
def event_stream(
    client: httpx.Client, token: str, document: str, accept: str = "text/event-stream", **variables: object
) -> Iterator[Iterator[tuple[str, Any]]]:
    """The events of an operation: name and data; comments are left out."""
    headers = {"Authorization": f"Bearer {token}", "Accept": accept}
    request = {"query": document, "variables": variables}
    with client.stream("POST", "/graphql", json=request, headers=headers, timeout=PATIENCE) as answer:
        assert answer.status_code == httpx.codes.OK, answer.read()
        assert answer.headers["content-type"].startswith("text/event-stream")
        yield _events(answer.iter_lines())


def _events(lines: Iterator[str]) -> Iterator[tuple[str, Any]]:
    event = data = ""
    for line in lines:
        name, _, value = line.partition(": ")
        if name == "event":
            event = value
        elif name in ("data", "data:"):
            data = value
        elif not line and event:
            yield event, json.loads(data) if data else None
            event = data = ""
