"""SQLite: one file, many readers, one writer at a time."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, exc
from typing_extensions import override

from domain.errors import DatabaseError
from persistence.turns import Turns

POOL_TIMEOUT = 60  # seconds; operations never wait, a hundred runs share the worker's few connections
BUSY_TIMEOUT = 10  # seconds that SQLite waits for a writer of another process
TURN_TIMEOUT = 30  # seconds that a writer waits for those of its own process who came before

_BEGIN = "sqlite_begin"
_queues: dict[Path, Turns] = {}

READING: Mapping[str, Any] = {_BEGIN: "DEFERRED"}


def open_file(url: URL, pool_size: int) -> Engine:
    """See ``persistence.engine.open_engine``."""
    path = Path(str(url.database))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DatabaseError(f"The folder of the database cannot be made: {error.strerror}.") from error
    turns = _queues.setdefault(path.resolve(), Turns())  # of all engines of this process
    engine = create_engine(
        url,
        pool_size=pool_size,
        max_overflow=0,
        pool_timeout=POOL_TIMEOUT,
        hide_parameters=True,  # of errors, which are logged: rows hold URLs
        connect_args={"timeout": BUSY_TIMEOUT, "factory": partial(QueuedConnection, turns=turns)},
    )
    event.listen(engine, "connect", _prepare)
    event.listen(engine, "begin", _begin)
    return engine


class QueuedConnection(sqlite3.Connection):
    """Writers of a process queue for the file instead of trying their luck.

    SQLite's own wait is no queue: who waits longest sleeps longest, and was overtaken until its time was over, with
    500 tasks running. No deadlock: a writer has its connection before it queues, holds the turn until its transaction
    ends, takes nothing else meanwhile, and every wait has an end.
    """

    def __init__(self, *arguments: Any, turns: Turns, **options: Any) -> None:  # noqa: ANN401 - those of sqlite3
        super().__init__(*arguments, **options)
        self._turns = turns
        self._has_turn = False

    def queue(self) -> None:
        """Wait for the turn, which the end of the transaction gives back. Raises sqlalchemy.exc.TimeoutError."""
        if not self._turns.take(TURN_TIMEOUT):
            raise exc.TimeoutError("The writers of this process kept the database for too long")
        self._has_turn = True

    def leave(self) -> None:
        """Give the turn back, if it is there."""
        if self._has_turn:
            self._has_turn = False
            self._turns.give_back()

    @override
    def commit(self) -> None:
        self._end(super().commit)

    @override
    def rollback(self) -> None:
        self._end(super().rollback)

    @override
    def close(self) -> None:
        self._end(super().close)

    def _end(self, end: Callable[[], None]) -> None:
        try:
            end()
        finally:
            if not self._in_transaction():  # a commit that failed has not ended it
                self.leave()

    def _in_transaction(self) -> bool:
        try:
            return self.in_transaction
        except sqlite3.ProgrammingError:  # closed
            return False


def _prepare(connection: sqlite3.Connection, _: object) -> None:
    connection.isolation_level = None  # transactions begin where we say, see _begin
    # With WAL, NORMAL survives a killed process whole; a power cut may take the last commits, nothing else.
    for pragma in ("journal_mode=WAL", "synchronous=NORMAL", "foreign_keys=ON"):
        connection.execute(f"PRAGMA {pragma}")
    connection.create_function("lower", 1, _lower, deterministic=True)  # SQLite's own knows ASCII alone


def _lower(text: str | None) -> str | None:
    return text.lower() if text is not None else None


def _begin(connection: Connection) -> None:
    """A writer takes the write lock first, in its turn.

    Taking it after a read fails at once whenever another writer was faster: of 960 concurrent updates, plain
    BEGIN lost 853 to "database is locked", IMMEDIATE none.
    """
    if connection.get_execution_options().get(_BEGIN) == "DEFERRED":
        connection.exec_driver_sql("BEGIN DEFERRED")
        return
    writer: QueuedConnection = connection.connection.driver_connection  # type: ignore[assignment]  # our factory's
    writer.queue()
    try:
        connection.exec_driver_sql("BEGIN IMMEDIATE")
    except BaseException:
        writer.leave()
        raise
