"""PostgreSQL: many machines, and a network that can fail between any two bytes."""

from __future__ import annotations

import select
from collections.abc import Mapping
from contextlib import closing
from typing import Any

import psycopg2
from sqlalchemy import URL, Engine, create_engine, event
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import InvalidatePoolError

from persistence.standstill import Watch

POOL_TIMEOUT = 60  # seconds; operations never wait, a hundred runs share the worker's few connections
CONNECT_TIMEOUT = 4  # seconds, for each address of the host's name
STATEMENT_TIMEOUT = 30  # seconds; no statement of ours comes near it
LOCK_TIMEOUT = 10  # seconds; our transactions hold a row for milliseconds
IDLE_TIMEOUT = 10  # seconds; a transaction of ours never pauses: only one of a stopped process does, with its locks

STANDSTILL = STATEMENT_TIMEOUT + 5  # seconds; a server that works has ended the statement by then

_WATCH = Watch(STANDSTILL)

READING: Mapping[str, Any] = {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}

PATIENCE: Mapping[str, int] = {
    "connect_timeout": CONNECT_TIMEOUT,
    # A server whose machine has gone answers nothing at all, not even that it has gone: 20 s, as in libpq's words.
    "keepalives_idle": 5,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 20_000,
}

_SESSION = {
    "statement_timeout": f"{STATEMENT_TIMEOUT}s",
    "lock_timeout": f"{LOCK_TIMEOUT}s",
    "idle_in_transaction_session_timeout": f"{IDLE_TIMEOUT}s",
    "timezone": "UTC",
}


def open_server(url: URL, pool_size: int) -> Engine:
    """See ``persistence.engine.open_engine``. What the URL asks for as ``options`` is kept, but for ours."""
    given = url.query.get("options", "")
    ours = " ".join(f"-c {name}={value}" for name, value in _SESSION.items())
    engine = create_engine(
        url.difference_update_query(["options"]),
        pool_size=pool_size,
        max_overflow=0,
        pool_timeout=POOL_TIMEOUT,
        hide_parameters=True,  # of errors, which are logged: rows hold URLs
        executemany_mode="values_plus_batch",  # many rows a round trip
        connect_args={**PATIENCE, "options": f"{given} {ours}".strip()},
    )

    def replace_dead(connection: DBAPIConnection, *_: object) -> None:
        """All connections of the pool, as after a restart every one is dead."""
        try:
            if _was_spoken_to(connection):
                engine.dialect.do_ping(connection)
        except psycopg2.Error as error:
            raise InvalidatePoolError from error

    event.listen(engine, "connect", _be_in_utc)
    event.listen(engine, "checkout", replace_dead)
    _WATCH.over(engine)
    return engine


def _be_in_utc(connection: DBAPIConnection, _: object) -> None:
    """What tables.UtcDateTime relies on. The driver sends the PGTZ of the environment, which goes before options."""
    if connection.get_parameter_status("TimeZone") != _SESSION["timezone"]:
        with closing(connection.cursor()) as cursor:
            cursor.execute(f"SET timezone = '{_SESSION['timezone']}'")
        connection.commit()


def _was_spoken_to(connection: DBAPIConnection) -> bool:
    """While it lay in the pool. A server that ends says so, or else its machine does: it lies in the socket.

    To look costs a few microseconds; to ask, as ``pool_pre_ping`` does, was a tenth of a small task's CPU.
    """
    poll = select.poll()
    poll.register(connection.fileno(), select.POLLIN)
    return bool(poll.poll(0))
