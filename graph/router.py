"""GraphQL over HTTP (graphql.github.io/graphql-over-http): media types and status codes.

Subscriptions come as Server-Sent Events, in the distinct connections mode of the GraphQL over SSE protocol.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Coroutine, Mapping, Sequence
from contextlib import aclosing
from typing import Any, cast

from cross_web import AsyncHTTPRequestAdapter
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route
from strawberry.fastapi import GraphQLRouter
from strawberry.http import GraphQLHTTPResponse, GraphQLRequestData
from strawberry.http.parse_content_type import parse_content_type
from strawberry.subscriptions import GRAPHQL_SSE_PROTOCOL, GRAPHQL_TRANSPORT_WS_PROTOCOL
from strawberry.types import ExecutionResult, SubscriptionExecutionResult
from typing_extensions import override

from domain.errors import AuthenticationError
from graph.changes import Changes
from graph.context import Operation, context_getter
from graph.execution import ALL, ONE_ANSWER, Execution, never_ran
from graph.request import parse_json, read_request
from graph.scalars import write
from graph.schema import build_schema
from graph.websocket import SocketHandler

JSON = "application/json"
GRAPHQL_JSON = "application/graphql-response+json"
EVENT_STREAM = "text/event-stream"

Page = Callable[[Request], Response]


# --- what the request says ----------------------------------------------------------------------------------


def _weights(accept: str) -> dict[str, float]:
    """Media ranges and their weights, RFC 9110, 12.5.1; an unreadable weight is 0."""
    weights = {}
    for part in accept.split(","):
        media_range, *parameters = (each.strip().lower() for each in part.split(";"))
        weight = next((each[2:] for each in parameters if each.startswith("q=")), "1")
        weights[media_range] = float(weight) if weight.replace(".", "", 1).isdecimal() else 0.0
    return weights


def _answer_type(request: Request) -> str:
    """Which of the media types the client wants; of those it wants alike, not the stream. Raises HTTPException 406."""
    weights = _weights(request.headers.get("accept") or "*/*")
    anything = weights.get("application/*", weights.get("*/*", 0.0))
    plain, precise = weights.get(JSON, anything), weights.get(GRAPHQL_JSON, 0.0)
    if weights.get(EVENT_STREAM, 0.0) > max(plain, precise):
        return EVENT_STREAM
    if max(plain, precise) > 0:
        return GRAPHQL_JSON if precise >= plain else JSON
    if weights.get(GRAPHQL_JSON, anything) > 0:
        return GRAPHQL_JSON
    raise HTTPException(406, f"Answers are {GRAPHQL_JSON} or {JSON}, or {EVENT_STREAM} for subscriptions.")


def _takes_streams(request: Request) -> bool:
    return _weights(request.headers.get("accept", "")).get(EVENT_STREAM, 0.0) > 0


def _wants_200(request: Request) -> bool:
    """A client that names application/json, and that alone, may take any other status for no GraphQL at all."""
    return _answer_type(request) == JSON and JSON in request.headers.get("accept", "").lower()


def _check_content_type(content_type: str | None) -> None:
    media_type, parameters = parse_content_type(content_type or "missing")
    if media_type != JSON or parameters.get("charset", "utf-8").lower() != "utf-8":
        raise HTTPException(415, f"Send {JSON} in UTF-8.")


# --- what is answered ---------------------------------------------------------------------------------------


def _response(media_type: str, status: int, content: object, headers: dict[str, str] | None = None) -> Response:
    return Response(write(content), status, headers, f"{media_type}; charset=utf-8")


def _refusal(request: Request, status: int, message: str, code: str, headers: dict[str, str] | None) -> Response:
    try:
        media_type = _answer_type(request)
    except HTTPException:
        media_type = JSON
    media_type = JSON if media_type == EVENT_STREAM else media_type
    content = {"errors": [{"message": message, "extensions": {"code": code}}]}
    return _response(media_type, status, content, headers)


Handler = Callable[[Request], Coroutine[Any, Any, Response]]


def _refusing(handle: Handler) -> Handler:
    """``handle``, with answers in place of the errors that pass it."""

    async def answer(request: Request) -> Response:
        try:
            return await handle(request)
        except AuthenticationError as error:
            return _refusal(request, 401, error.message, "UNAUTHENTICATED", {"WWW-Authenticate": "Bearer"})
        except ClientDisconnect:  # in the middle of its request; nobody reads this but the log
            return _refusal(request, 400, "The request is not complete.", "BAD_REQUEST", None)
        except HTTPException as error:
            headers = dict(error.headers or {})
            return _refusal(request, error.status_code, error.detail, "BAD_REQUEST", headers)

    return answer


class _Route(APIRoute):
    @override
    def get_route_handler(self) -> Handler:
        return _refusing(super().get_route_handler())


def _no_page(_: Request) -> Response:
    raise HTTPException(404, "There is no page here.")


class Router(GraphQLRouter[Operation, None]):
    """One operation, one thread, one Session: Strawberry would run resolvers on the event loop.

    Its route for POST is ours, past FastAPI's dependencies and Strawberry's steps for uploads, batches and multipart
    answers, none of which we have: 0.3 ms a request.
    """

    graphql_transport_ws_handler_class = SocketHandler

    def __init__(self, changes: Changes, page: Page | None, *, path: str, **options: Any) -> None:  # noqa: ANN401 - Strawberry's own
        self._get_context = context_getter(changes)
        super().__init__(
            context_getter=self._get_context, graphql_ide="graphiql" if page else None, path=path, **options
        )
        self.execution = Execution(self.schema)
        self._changes = changes
        self._page = page or _no_page
        theirs = next(at for at, each in enumerate(self.routes) if "POST" in getattr(each, "methods", ()))
        # Theirs stays behind it for OpenAPI alone, which does not show those that FastAPI knows nothing of.
        self.routes.insert(theirs, Route(path, _refusing(self._answer), methods=["POST"]))

    async def _answer(self, request: Request) -> Response:
        """A stream where it is a subscription, or the client wants nothing else.

        Raises AuthenticationError, and HTTPException: 415, 413, 400, 406.
        """
        operation = await self._get_context(request)
        _check_content_type(request.headers.get("content-type"))
        data = read_request(parse_json(await request.body()))
        media_type, execution = _answer_type(request), self.execution
        result = await execution.run(operation, data, ALL if _takes_streams(request) else ONE_ANSWER)
        if operation.events is not None or media_type == EVENT_STREAM:
            events = cast("SubscriptionExecutionResult", execution.stream(operation, data, result))
            return await self._create_streaming_response(request, events, "sse", Response())
        status = 400 if never_ran(result) and not _wants_200(request) else 200
        return _response(media_type, status, await self.process_result(request, result))

    @override
    async def render_graphql_ide(self, request: Request) -> Response:  # type: ignore[override]  # any page will do
        """Ours: Strawberry's own would load its scripts from elsewhere."""
        return self._page(request)

    @override
    async def parse_http_body(self, request: AsyncHTTPRequestAdapter) -> GraphQLRequestData:
        """Raises HTTPException 405: this is a GET that wants no page."""
        raise HTTPException(405, "Send operations by POST.", {"Allow": "POST"})

    @override
    async def process_result(self, request: Request, result: ExecutionResult) -> GraphQLHTTPResponse:
        """An operation that never ran has no data, not even null."""
        answer: GraphQLHTTPResponse = {}
        if result.errors:
            answer["errors"] = [error.formatted for error in result.errors]
        if not never_ran(result):
            answer["data"] = result.data
        return answer

    @override
    async def create_streaming_response(
        self,
        request: Request,
        stream: Callable[[], AsyncIterator[str]],
        sub_response: Response,
        headers: Mapping[str, str],
    ) -> Response:
        """A stream that the stop of the service cuts off says nothing of an end, so that its client comes back."""

        async def while_served() -> AsyncGenerator[str, None]:
            async with aclosing(cast("AsyncGenerator[str, None]", stream())) as events:
                async for event in events:
                    if self._changes.stopped:
                        return
                    yield event

        return StreamingResponse(while_served(), headers=headers)

    @override
    def encode_json(self, data: object) -> bytes:
        """For streams."""
        return write(data)


def make_router(*, graphiql: Page | None, changes: Changes, origins: Sequence[str] = ()) -> Router:
    """POST and WS /graphql, and with ``graphiql`` this explorer page at GET /graphql and introspection.

    The application's state holds ``auth``, ``open_services`` and ``playback_urls``. Pages of other ``origins`` than
    our own may open a WebSocket.
    """
    return Router(
        changes,
        graphiql,
        schema=build_schema(introspection=graphiql is not None),
        path="/graphql",
        allow_queries_via_get=False,
        subscription_protocols=(GRAPHQL_TRANSPORT_WS_PROTOCOL, GRAPHQL_SSE_PROTOCOL),
        allowed_origins=origins,
        route_class=_Route,
    )
