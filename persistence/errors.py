"""The border where the database's errors become ours."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.exc import DBAPIError, IntegrityError, OperationalError, SQLAlchemyError
from sqlalchemy.orm.exc import StaleDataError

from domain.errors import DatabaseError, DuplicateError, ServiceError

CAUSES = {
    "password authentication failed": "it refuses this user or password",
    "no password supplied": "it asks for a password",
    "no pg_hba.conf entry": "it refuses this user from this machine",
    "database .* does not exist": "there is no database of this name",
    "role .* does not exist": "it knows no user of this name",
    "permission denied": "its user may not do this",
    "readonly database|read-only transaction": "it can only be read",
    "could not translate host name": "its host has no address",
    "timeout expired|timed out": "nobody answers at its address",
    "Connection refused|No such file or directory|No route|unreachable": "no server is at its address",
    "starting up|shutting down|recovery mode|server closed": "the server is starting or stopping",
    "too many (clients|connections)|remaining connection slots": "the server has no connection left",
    "SSL": "the server and this machine do not agree on TLS",
    "invalid dsn|invalid .*option|invalid (port|integer)": "one of its options is not known",
    "not a database|malformed": "the file is damaged, or no SQLite database",
    "unable to open": "the file cannot be opened",
    "disk I/O|database or disk is full": "the disk does not take or give the file",
    "database is locked|lock timeout": "another process holds it",
}
"""What a database says when it cannot be used, and how we put it. Its own words may hold a part of the URL."""

UNIQUE_VIOLATIONS = frozenset({"SQLITE_CONSTRAINT_UNIQUE", "SQLITE_CONSTRAINT_PRIMARYKEY", "23505"})


@contextmanager
def our_errors() -> Iterator[None]:
    """Raises DatabaseError, or DuplicateError when a row is there already or was changed meanwhile.

    What the database said stays as the cause, for the log; SQL and values never reach a message.
    """
    try:
        yield
    except SQLAlchemyError as error:
        raise _ours(error) from error


def unusable(error: DatabaseError) -> str | None:
    """Why the database cannot be used at all, when it is the database that said so."""
    cause = error.__cause__
    if not isinstance(cause, DBAPIError):
        return None
    otherwise = (
        "it does not answer" if isinstance(cause, OperationalError) else "its tables are not those of the service"
    )
    return next((ours for theirs, ours in CAUSES.items() if re.search(theirs, str(cause.orig))), otherwise)


def _ours(error: SQLAlchemyError) -> ServiceError:
    if isinstance(error, StaleDataError):
        return DuplicateError("This was changed by someone else at the same moment. Try again.")
    if isinstance(error, IntegrityError) and _code(error.orig) in UNIQUE_VIOLATIONS:
        return DuplicateError()
    return DatabaseError()


def _code(error: BaseException | None) -> str | None:
    """SQLite's name of the error, or PostgreSQL's SQLSTATE."""
    return getattr(error, "sqlite_errorname", None) or getattr(error, "pgcode", None)
