"""Where the error tree of the domain meets GraphQL, and nowhere else.

What the caller can act on becomes an entry of ``userErrors``; the rest becomes a top-level error with a code:

    BAD_USER_INPUT             an argument or variable that cannot be understood
    GRAPHQL_PARSE_FAILED       the document is not GraphQL
    GRAPHQL_VALIDATION_FAILED  the document does not fit the schema
    LIMIT_EXCEEDED             more was asked for than one operation may ask
    UNAUTHENTICATED            the token has expired in the middle of a subscription
    INTERNAL_SERVER_ERROR      a fault of ours: masked, with the request id that the log has too
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Protocol, TypeVar

import strawberry
from graphql import GraphQLError, GraphQLSyntaxError
from strawberry.utils.str_converters import to_camel_case

from domain.errors import (
    AuthenticationError,
    BadArgumentError,
    BlockedUrlError,
    ConflictError,
    InvalidInputError,
    NotFoundError,
    QuotaExceededError,
    RetryLimitReachedError,
    ServiceError,
)
from graph.enums import UserErrorCode
from web.middleware import request_id

logger = logging.getLogger(__name__)

Path = tuple[str, ...]

USER_ERRORS: dict[type[ServiceError], UserErrorCode] = {
    NotFoundError: UserErrorCode.NOT_FOUND,
    InvalidInputError: UserErrorCode.INVALID,
    ConflictError: UserErrorCode.CONFLICT,
    BlockedUrlError: UserErrorCode.BLOCKED_URL,
    RetryLimitReachedError: UserErrorCode.RETRY_LIMIT_REACHED,
    QuotaExceededError: UserErrorCode.QUOTA_EXCEEDED,
}


@strawberry.type(
    description="Why a mutation did nothing: the caller can act on it. Faults of the service and documents that cannot "
    "run are top-level errors instead."
)
class UserError:
    """One entry of ``userErrors``."""

    code: UserErrorCode = strawberry.field(description="The kind of error, for programs.")
    message: str = strawberry.field(description="What is wrong, for people.")
    field: list[str] | None = strawberry.field(
        description='The path of the argument at fault: `["input", "liveroomId"]` where it is a value, `["id"]` '
        "where it is the row with that id. Null where it is no argument at all."
    )


class Payload(Protocol):
    """What every mutation answers."""

    user_errors: list[UserError]


P = TypeVar("P", bound=Payload)


def attempt(payload: Callable[..., P], action: Callable[[], P], *, row: Path = (), values: Path = ("input",)) -> P:
    """What ``action`` gives, or a ``payload`` that says why not.

    ``row`` is the argument that names the row; ``values`` is the argument whose fields the errors speak of.
    """
    try:
        return action()
    except tuple(USER_ERRORS) as error:
        found = [_user_error(each, row, values) for each in (error, *error.also)]
        return payload(user_errors=found)


def _user_error(error: ServiceError, row: Path, values: Path) -> UserError:
    path = (*values, *map(to_camel_case, error.field)) if error.field else row
    return UserError(code=_code(error) or UserErrorCode.INVALID, message=error.message, field=list(path) or None)


def _code(error: ServiceError) -> UserErrorCode | None:
    return next((code for kind, code in USER_ERRORS.items() if isinstance(error, kind)), None)


def limit_exceeded(message: str) -> GraphQLError:
    """A refusal of an operation that asks for too much."""
    return GraphQLError(message, extensions={"code": "LIMIT_EXCEEDED"})


def presentable(error: GraphQLError, *, executed: bool) -> GraphQLError:
    """The error as the client may see it; a fault of ours is logged and masked. Presenting twice changes nothing.

    ``executed`` tells whether the document was valid and its execution begun.
    """
    if "code" in (error.extensions or {}):
        return error
    code = _top_level_code(error, executed)
    if code is None:
        return _masked(error)
    error.extensions = {**(error.extensions or {}), "code": code}
    return error


def _top_level_code(error: GraphQLError, executed: bool) -> str | None:
    """None for a fault of ours."""
    cause = error.original_error
    if isinstance(error, GraphQLSyntaxError):
        # graphql-core ends a parse that exceeds one of its limits with these words.
        return "LIMIT_EXCEEDED" if error.message.endswith("Parsing aborted.") else "GRAPHQL_PARSE_FAILED"
    if isinstance(cause, AuthenticationError):
        return "UNAUTHENTICATED"
    if isinstance(cause, ServiceError):
        user_error = _code(cause)
        return "BAD_USER_INPUT" if isinstance(cause, BadArgumentError) else user_error and user_error.value
    if error.path is None and (executed or cause is None or error.nodes):  # no field ran: a variable, or the document
        return "BAD_USER_INPUT" if executed else "GRAPHQL_VALIDATION_FAILED"
    # An argument that is checked only when it is used leads back to the document; a wrong result of ours does not.
    return "BAD_USER_INPUT" if isinstance(cause, GraphQLError) and cause.nodes else None


def _masked(error: GraphQLError) -> GraphQLError:
    cause = error.original_error or error
    logger.error("GraphQL field %s failed (request %s)", error.path, request_id.get(), exc_info=cause)
    return GraphQLError(
        "Something went wrong on our side. Give the request id when you report it.",
        nodes=error.nodes,
        path=error.path,
        extensions={"code": "INTERNAL_SERVER_ERROR", "requestId": request_id.get()},
    )
