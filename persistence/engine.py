"""One engine a pool of connections: SQLite on one machine, PostgreSQL on many."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError

from domain.errors import DatabaseError
from persistence.mapping import start_mappers

POOL_TIMEOUT = 60  # seconds; operations never wait, a hundred runs share the worker's few connections
BUSY_TIMEOUT = 10  # seconds that SQLite waits for another writer
STATEMENT_TIMEOUT = 30  # seconds; no statement of ours comes near it
IDLE_TIMEOUT = 10  # seconds; a transaction of ours never pauses: only one of a stopped process does, with its locks
CONNECT_TIMEOUT = 5  # seconds

_BEGIN = "sqlite_begin"

READING: Mapping[str, Mapping[str, Any]] = {
    "sqlite": {_BEGIN: "DEFERRED"},
    "postgresql": {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True},
}
"""By dialect, what makes a read transaction: its statements see one moment, and wait for no writer."""


def open_engine(url: str, *, pool_size: int) -> Engine:
    """An engine for at most ``pool_size`` transactions at once; it connects when it is used.

    ``sqlite:///relative.db`` lies under the working directory; its folder is made. Raises DatabaseError.
    """
    start_mappers()
    parsed = _parse(url)
    if parsed.get_backend_name() == "sqlite":
        return _sqlite(parsed, pool_size)
    return _postgresql(parsed, pool_size)


def _parse(url: str) -> URL:
    try:
        parsed = make_url(url)
    except ArgumentError:
        raise DatabaseError("This is not a database URL.") from None  # it may hold a password
    if parsed.get_backend_name() == "sqlite" and parsed.database not in {None, "", ":memory:"}:
        return parsed
    if parsed.get_backend_name() == "postgresql":
        return parsed.set(drivername="postgresql+psycopg2")  # the driver that is installed
    raise DatabaseError("The database must be an SQLite file (sqlite:///…) or PostgreSQL (postgresql://…).")


def _sqlite(url: URL, pool_size: int) -> Engine:
    try:
        Path(str(url.database)).parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DatabaseError(f"The folder of the database cannot be made: {error.strerror}.") from error
    engine = create_engine(
        url,
        pool_size=pool_size,
        max_overflow=0,
        pool_timeout=POOL_TIMEOUT,
        hide_parameters=True,  # of errors, which are logged: rows hold URLs
        connect_args={"timeout": BUSY_TIMEOUT},
    )
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _prepare_sqlite(connection: sqlite3.Connection, _: object) -> None:
    connection.isolation_level = None  # transactions begin where we say, see _begin_sqlite
    # With WAL, NORMAL survives a killed process whole; a power cut may take the last commits, nothing else.
    for pragma in ("journal_mode=WAL", "synchronous=NORMAL", "foreign_keys=ON"):
        connection.execute(f"PRAGMA {pragma}")
    connection.create_function("lower", 1, _lower, deterministic=True)  # SQLite's own knows ASCII alone


def _lower(text: str | None) -> str | None:
    return text.lower() if text is not None else None


def _begin_sqlite(connection: Connection) -> None:
    """A writer takes the write lock first, in its turn.

    Taking it after a read fails at once whenever another writer was faster: of 960 concurrent updates, plain
    BEGIN lost 853 to "database is locked", IMMEDIATE none.
    """
    connection.exec_driver_sql(f"BEGIN {connection.get_execution_options().get(_BEGIN, 'IMMEDIATE')}")


def _postgresql(url: URL, pool_size: int) -> Engine:
    return create_engine(
        url,
        pool_size=pool_size,
        max_overflow=0,
        pool_timeout=POOL_TIMEOUT,
        hide_parameters=True,
        pool_pre_ping=True,  # the server may have been restarted meanwhile
        executemany_mode="values_plus_batch",  # many rows a round trip
        connect_args={
            "connect_timeout": CONNECT_TIMEOUT,
            "options": f"-c statement_timeout={STATEMENT_TIMEOUT}s -c timezone=UTC"
            f" -c idle_in_transaction_session_timeout={IDLE_TIMEOUT}s",
        },
    )


def libpq_parameters(url: str) -> Mapping[str, Any]:
    """How another driver than ours connects to the PostgreSQL of ``url``. Raises DatabaseError."""
    parsed = _parse(url)
    _, parameters = parsed.get_dialect()().create_connect_args(parsed)
    return {**parameters, "connect_timeout": CONNECT_TIMEOUT}
