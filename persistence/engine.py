"""One engine a pool of connections: SQLite on one machine, PostgreSQL on many."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import URL, Engine, make_url
from sqlalchemy.exc import ArgumentError

from domain.errors import DatabaseError
from persistence import postgresql, sqlite
from persistence.mapping import start_mappers

READING: Mapping[str, Mapping[str, Any]] = {"sqlite": sqlite.READING, "postgresql": postgresql.READING}
"""By dialect, what makes a read transaction: its statements see one moment, and wait for no writer."""


def open_engine(url: str, *, pool_size: int) -> Engine:
    """An engine for at most ``pool_size`` transactions at once; it connects when it is used.

    ``sqlite:///relative.db`` lies under the working directory; its folder is made. Raises DatabaseError.
    """
    start_mappers()
    parsed = _parse(url)
    if parsed.get_backend_name() == "sqlite":
        return sqlite.open_file(parsed, pool_size)
    return postgresql.open_server(parsed, pool_size)


def libpq_parameters(url: str) -> Mapping[str, Any]:
    """How another driver than ours connects to the PostgreSQL of ``url``. Raises DatabaseError."""
    parsed = _parse(url)
    _, parameters = parsed.get_dialect()().create_connect_args(parsed)
    return {**parameters, **postgresql.PATIENCE}


def _parse(url: str) -> URL:
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):  # a port that is no number
        raise DatabaseError("This is not a database URL.") from None  # it may hold a password
    if parsed.get_backend_name() == "sqlite" and parsed.database not in {None, "", ":memory:"}:
        return parsed
    if parsed.get_backend_name() == "postgresql":
        return parsed.set(drivername="postgresql+psycopg2")  # the driver that is installed
    raise DatabaseError("The database must be an SQLite file (sqlite:///…) or PostgreSQL (postgresql://…).")
