"""The border where the database's errors become ours."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.exc import IntegrityError, SQLAlchemyError
from sqlalchemy.orm.exc import StaleDataError

from domain.errors import DatabaseError, DuplicateError, ServiceError

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


def _ours(error: SQLAlchemyError) -> ServiceError:
    if isinstance(error, StaleDataError):
        return DuplicateError("This was changed by someone else at the same moment. Try again.")
    if isinstance(error, IntegrityError) and _code(error.orig) in UNIQUE_VIOLATIONS:
        return DuplicateError()
    return DatabaseError()


def _code(error: BaseException | None) -> str | None:
    """SQLite's name of the error, or PostgreSQL's SQLSTATE."""
    return getattr(error, "sqlite_errorname", None) or getattr(error, "pgcode", None)
