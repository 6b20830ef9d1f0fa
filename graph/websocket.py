"""GraphQL over WebSocket: the server's side of the graphql-transport-ws protocol (enisdenjo/graphql-ws, PROTOCOL.md).

Close codes: 4400 a message that is none, 4401 an operation before the acknowledgement, or the token has expired,
4403 no valid token, 4408 no connection_init in time, 4409 an id that is in use, 4429 a second connection_init.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import aclosing, suppress
from typing import Any, Protocol, cast

from anyio import CancelScope, Event, create_task_group, move_on_after, sleep
from starlette.exceptions import HTTPException
from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketState
from strawberry.asgi import ASGIWebSocketAdapter
from strawberry.http import GraphQLRequestData
from strawberry.subscriptions.protocols.graphql_transport_ws.handlers import BaseGraphQLTransportWSHandler
from strawberry.types import ExecutionResult
from typing_extensions import override

from domain.errors import AuthenticationError
from domain.models import utc_now
from graph.context import Entrance
from graph.errors import limit_exceeded
from graph.execution import Execution, never_ran
from graph.request import parse_json, read_request
from graph.scalars import write
from web.auth import Identity

INIT_SECONDS = 10.0
MAX_OPERATIONS = 100
CLOCK_SECONDS = 60.0
"""How often a socket looks at the wall clock: a machine that sleeps, or is set right, must not make tokens last."""


class Closed(Exception):
    """The protocol wants this connection closed, with a code and a reason of at most 123 bytes."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code, self.reason = code, reason


class HasExecution(Protocol):
    """The router that this is a part of."""

    execution: Execution


class SocketHandler(BaseGraphQLTransportWSHandler[Any, None]):
    """Strawberry negotiates the protocol, we speak it: its own speaker runs resolvers on the event loop."""

    @override
    async def handle(self) -> None:
        """To the end of the connection."""
        adapter = cast("ASGIWebSocketAdapter", self.websocket)
        await Socket(adapter.ws, self.context, cast("HasExecution", self.view).execution).serve()


class Socket:
    """One accepted connection: its user, and the operations that run on it."""

    def __init__(self, websocket: WebSocket, entrance: Entrance, execution: Execution) -> None:
        self._websocket = websocket
        self._entrance = entrance
        self._execution = execution
        self._user: Identity | None = None
        self._signed_in = Event()
        self._operations: dict[str, CancelScope] = {}
        self._tasks = create_task_group()

    async def serve(self) -> None:
        """Take messages until either side closes; whatever runs then is cancelled."""
        async with self._tasks:
            self._tasks.start_soon(self._watch_the_clock)
            try:
                while (message := await self._websocket.receive())["type"] == "websocket.receive":
                    await self._take(message.get("text"))
            except Closed as closed:
                await self._close(closed)
            self._tasks.cancel_scope.cancel()

    async def _watch_the_clock(self) -> None:
        with move_on_after(INIT_SECONDS):
            await self._signed_in.wait()
        if self._user is None:
            return await self._close(Closed(4408, "Connection initialisation timeout"))
        while (left := (self._user.expires_at - utc_now()).total_seconds()) > 0:  # noqa: ASYNC110 - a clock rings no bell
            await sleep(min(left, CLOCK_SECONDS))
        return await self._close(Closed(4401, "The token has expired"))

    async def _close(self, closed: Closed) -> None:
        self._tasks.cancel_scope.cancel()
        if self._websocket.application_state is WebSocketState.CONNECTED:
            with CancelScope(shield=True), suppress(WebSocketDisconnect):
                await self._websocket.close(closed.code, closed.reason)

    # --- messages ---

    async def _take(self, text: str | None) -> None:
        message = _read(text)
        match message.get("type"):
            case "connection_init":
                await self._sign_in(message.get("payload"))
            case "ping":
                await self._send({"type": "pong"})
            case "pong":
                pass
            case "subscribe":
                await self._subscribe(_id_of(message), message.get("payload"))
            case "complete":
                if scope := self._operations.pop(_id_of(message), None):
                    scope.cancel()
            case _:
                raise Closed(4400, "Unknown message type")

    async def _sign_in(self, payload: object) -> None:
        if self._signed_in.is_set():
            raise Closed(4429, "Too many initialisation requests")
        params = payload if isinstance(payload, dict) else {}
        authorization = next((value for name, value in params.items() if name.lower() == "authorization"), None)
        try:
            self._user = self._entrance.sign_in(authorization if isinstance(authorization, str) else None)
        except AuthenticationError:
            raise Closed(4403, "Forbidden") from None
        self._signed_in.set()
        await self._send({"type": "connection_ack"})

    async def _subscribe(self, operation_id: str, payload: object) -> None:
        if self._user is None:
            raise Closed(4401, "Unauthorized")
        if operation_id in self._operations:
            raise Closed(4409, "Subscriber for this id already exists")
        try:
            data = read_request(payload)
        except HTTPException as error:
            raise Closed(4400, error.detail) from None
        if len(self._operations) >= MAX_OPERATIONS:
            refusal = limit_exceeded(f"More than {MAX_OPERATIONS} operations on one connection.")
            return await self._send({"id": operation_id, "type": "error", "payload": [refusal.formatted]})
        self._operations[operation_id] = scope = CancelScope()
        self._tasks.start_soon(self._run, operation_id, data, self._user, scope)
        return None

    async def _send(self, message: Mapping[str, object]) -> None:
        """As a text frame; nothing is sent any more once either side has closed."""
        with suppress(WebSocketDisconnect, RuntimeError):  # Starlette and uvicorn tell so in different ways
            await self._websocket.send_text(write(message).decode())

    # --- operations ---

    async def _run(self, operation_id: str, data: GraphQLRequestData, user: Identity, scope: CancelScope) -> None:
        with scope:
            last = await self._results(operation_id, data, user)
            if self._operations.get(operation_id) is scope:  # the client has not completed it meanwhile
                del self._operations[operation_id]  # free before the client knows
                await self._send({"id": operation_id, **last})

    async def _results(self, operation_id: str, data: GraphQLRequestData, user: Identity) -> Mapping[str, object]:
        """Sends all but the last message, which it returns."""
        operation = self._entrance.operation(user.user_id)
        async with aclosing(self._execution.stream(operation, data)) as results:
            async for result in results:
                if never_ran(result):
                    return {"type": "error", "payload": _errors(result)}
                await self._send({"id": operation_id, "type": "next", "payload": _payload(result)})
        return {"type": "complete"}


def _read(text: str | None) -> dict[str, Any]:
    if text is None:
        raise Closed(4400, "Messages are text")
    try:
        message = parse_json(text)
    except HTTPException as error:
        raise Closed(4400, error.detail) from None
    if not isinstance(message, dict):
        raise Closed(4400, "A message is a JSON object")
    return message


def _id_of(message: Mapping[str, object]) -> str:
    found = message.get("id")
    if not isinstance(found, str) or not found:
        raise Closed(4400, "id must be a text")
    return found


def _payload(result: ExecutionResult) -> dict[str, object]:
    return {"data": result.data, **({"errors": _errors(result)} if result.errors else {})}


def _errors(result: ExecutionResult) -> list[object]:
    return [error.formatted for error in result.errors or ()]
