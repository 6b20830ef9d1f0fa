"""GraphQL over HTTP (graphql.github.io/graphql-over-http): media types, status codes, and where operations run."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

import orjson
from anyio import to_thread
from cross_web import AsyncHTTPRequestAdapter
from fastapi.routing import APIRoute
from graphql import GraphQLError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from strawberry.fastapi import GraphQLRouter
from strawberry.http import GraphQLHTTPResponse, GraphQLRequestData
from strawberry.http.parse_content_type import parse_content_type
from strawberry.schema.exceptions import CannotGetOperationTypeError, InvalidOperationTypeError
from strawberry.types import ExecutionResult
from strawberry.types.graphql import OperationType
from typing_extensions import override

from domain.errors import AuthenticationError
from graph.context import Operation, get_context
from graph.schema import build_schema

JSON = "application/json"
GRAPHQL_JSON = "application/graphql-response+json"


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
    """Which of the two media types the client wants. Raises HTTPException 406."""
    weights = _weights(request.headers.get("accept") or "*/*")
    anything = weights.get("application/*", weights.get("*/*", 0.0))
    plain, precise = weights.get(JSON, anything), weights.get(GRAPHQL_JSON, 0.0)
    if max(plain, precise) > 0:
        return GRAPHQL_JSON if precise >= plain else JSON
    if weights.get(GRAPHQL_JSON, anything) > 0:
        return GRAPHQL_JSON
    raise HTTPException(406, f"Answers are {GRAPHQL_JSON} or {JSON}.")


def _wants_200(request: Request) -> bool:
    """A client that names application/json, and that alone, may take any other status for no GraphQL at all."""
    return _answer_type(request) == JSON and JSON in request.headers.get("accept", "").lower()


def _check_content_type(content_type: str | None) -> None:
    media_type, parameters = parse_content_type(content_type or "missing")
    if media_type != JSON or parameters.get("charset", "utf-8").lower() != "utf-8":
        raise HTTPException(415, f"Send {JSON} in UTF-8.")


def _read_request(body: bytes) -> GraphQLRequestData:
    """The members of the body. Raises HTTPException 400 unless it is an object with members of the right types."""
    try:
        members = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise HTTPException(400, "The body is not JSON in UTF-8, or nested too deeply.") from error
    if not isinstance(members, dict):
        raise HTTPException(400, "The body must be one JSON object; batches are not taken.")
    if not isinstance(members.get("query"), str) or not members["query"]:
        raise HTTPException(400, "query must be a text.")
    if not isinstance(members.get("operationName"), str | None):
        raise HTTPException(400, "operationName must be a text or null.")
    for name in ("variables", "extensions"):
        if not isinstance(members.get(name), dict | None):
            raise HTTPException(400, f"{name} must be an object or null.")
    return GraphQLRequestData(
        query=members["query"],
        variables=members.get("variables"),
        operation_name=members.get("operationName"),
        extensions=members.get("extensions"),
    )


# --- what is answered ---------------------------------------------------------------------------------------


def _never_ran(result: ExecutionResult) -> bool:
    """Errors of fields have a path; those of documents and variables have none."""
    return result.data is None and all(error.path is None for error in result.errors or ())


def _response(media_type: str, status: int, content: object, headers: dict[str, str] | None = None) -> Response:
    return Response(orjson.dumps(content), status, headers, f"{media_type}; charset=utf-8")


def _refusal(request: Request, status: int, message: str, code: str, headers: dict[str, str] | None) -> Response:
    try:
        media_type = _answer_type(request)
    except HTTPException:
        media_type = JSON
    content = {"errors": [{"message": message, "extensions": {"code": code}}]}
    return _response(media_type, status, content, headers)


class _Route(APIRoute):
    """Words refusals the way GraphQL clients read errors."""

    @override
    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """FastAPI's own, with the errors that pass it."""
        handle = super().get_route_handler()

        async def answer(request: Request) -> Response:
            try:
                return await handle(request)
            except AuthenticationError as error:
                return _refusal(request, 401, error.message, "UNAUTHENTICATED", {"WWW-Authenticate": "Bearer"})
            except HTTPException as error:
                headers = dict(error.headers or {})
                return _refusal(request, error.status_code, error.detail, "BAD_REQUEST", headers)

        return answer


class Router(GraphQLRouter[Operation, None]):
    """One operation, one thread, one Session: Strawberry would run resolvers on the event loop."""

    @override
    async def parse_http_body(self, request: AsyncHTTPRequestAdapter) -> GraphQLRequestData:
        """Raises HTTPException: 405 for GET, 415, 400."""
        if request.method != "POST":
            raise HTTPException(405, "Send operations by POST.", {"Allow": "POST"})
        _check_content_type(request.content_type)
        return _read_request(await request.get_body())

    @override
    async def execute_single(
        self,
        request: Request,
        request_adapter: AsyncHTTPRequestAdapter,
        sub_response: Response,
        context: Operation,
        root_value: None,
        request_data: GraphQLRequestData,
    ) -> ExecutionResult:
        """In a thread of the default limiter, which has as many as there are connections."""
        sub_response.media_type = _answer_type(request)
        result = await to_thread.run_sync(self._execute, context, request_data)
        sub_response.status_code = 400 if _never_ran(result) and not _wants_200(request) else 200
        return result

    def _execute(self, operation: Operation, data: GraphQLRequestData) -> ExecutionResult:
        try:
            with operation:
                return self.schema.execute_sync(
                    data.query,
                    variable_values=data.variables,
                    context_value=operation,
                    operation_name=data.operation_name,
                    allowed_operation_types=(OperationType.QUERY, OperationType.MUTATION),
                )
        except CannotGetOperationTypeError as error:
            reason = error.as_http_error_reason()
        except InvalidOperationTypeError as error:
            reason = error.as_http_error_reason("POST")
        return ExecutionResult(None, [GraphQLError(reason, extensions={"code": "GRAPHQL_VALIDATION_FAILED"})])

    @override
    async def process_result(self, request: Request, result: ExecutionResult) -> GraphQLHTTPResponse:
        """An operation that never ran has no data, not even null."""
        answer: GraphQLHTTPResponse = {}
        if result.errors:
            answer["errors"] = [error.formatted for error in result.errors]
        if not _never_ran(result):
            answer["data"] = result.data
        return answer

    @override
    def create_response(
        self, response_data: GraphQLHTTPResponse | list[GraphQLHTTPResponse], sub_response: Response
    ) -> Response:
        """By orjson."""
        return _response(str(sub_response.media_type), sub_response.status_code, response_data)


def make_router(*, graphiql: bool) -> Router:
    """POST /graphql, and with ``graphiql`` the explorer page at GET /graphql and introspection.

    The application's state holds ``auth`` and ``open_services``.
    """
    return Router(
        build_schema(introspection=graphiql),
        path="/graphql",
        graphql_ide="graphiql" if graphiql else None,
        allow_queries_via_get=False,
        context_getter=get_context,
        subscription_protocols=(),
        route_class=_Route,
    )
