"""Gives up connections to a server that stands still.

Its own timeouts do not work while its process is stopped, or waits for a disk that does not answer. The network's do
not either: its machine goes on to acknowledge what it is sent. Whoever waits for an answer would wait for ever.
"""

from __future__ import annotations

import logging
import os
import socket
import threading
import time
import weakref
from contextlib import suppress

from psycopg2.extensions import TRANSACTION_STATUS_ACTIVE
from sqlalchemy import Connection, Engine, event
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.pool import ConnectionPoolEntry

logger = logging.getLogger(__name__)

PAUSE = 1.0  # seconds between two looks
LINE = "line"


class Line:
    """A connection, as another thread than the one that waits for its answer may touch it."""

    def __init__(self, connection: DBAPIConnection) -> None:
        self._connection = connection
        # Of our own: a connection that breaks gives its number back, and the next download has it.
        self._socket = os.dup(connection.fileno())
        self.close = weakref.finalize(self, os.close, self._socket)
        self.taken()

    def taken(self) -> None:
        """From the pool, for its next use."""
        self.may_wait = False
        self.spoke()

    def spoke(self) -> None:
        """Something was asked just now."""
        self._since = time.monotonic()

    def waits_since(self, moment: float) -> bool:
        """Whether what was asked before ``moment`` is not answered, although it should be."""
        if self.may_wait or self._since >= moment:
            return False
        return bool(self._connection.get_transaction_status() == TRANSACTION_STATUS_ACTIVE)

    def cut(self) -> None:
        """Whoever waits for an answer has an error instead."""
        with socket.socket(fileno=os.dup(self._socket)) as line, suppress(OSError):  # it has broken by itself
            line.shutdown(socket.SHUT_RDWR)


def let_wait(connection: Connection) -> None:
    """For as long as it takes, until it goes back to the pool."""
    connection.info[LINE].may_wait = True


class Watch:
    """Cuts the lines on which nothing has come for ``limit`` seconds, of any number of engines, in one thread."""

    def __init__(self, limit: float) -> None:
        self._limit = limit
        self._lines: weakref.WeakSet[Line] = weakref.WeakSet()
        self._guard = threading.Condition()
        self._thread: threading.Thread | None = None

    def over(self, engine: Engine) -> None:
        """From now on."""
        event.listen(engine, "connect", self._opened)
        event.listen(engine, "close", self._closed)
        event.listen(engine, "checkout", lambda _, entry, __: entry.info[LINE].taken())
        event.listen(engine, "before_cursor_execute", lambda connection, *_: _spoke(connection))
        event.listen(engine, "commit", _spoke)
        event.listen(engine, "rollback", _spoke)

    def look(self, now: float) -> None:
        """Once, as at ``now``."""
        with self._guard:
            waiting = [line for line in self._lines if line.waits_since(now - self._limit)]
            for line in waiting:
                line.cut()
        if waiting:
            logger.warning("The database stands still: %d connections are given up", len(waiting))

    def _opened(self, connection: DBAPIConnection, entry: ConnectionPoolEntry) -> None:
        entry.info[LINE] = line = Line(connection)
        with self._guard:
            self._lines.add(line)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="database-watch", daemon=True)
                self._thread.start()

    def _closed(self, _: DBAPIConnection, entry: ConnectionPoolEntry) -> None:
        """Before it closes: nobody looks at it any more then."""
        line = entry.info.pop(LINE, None)
        if line is not None:
            with self._guard:
                self._lines.discard(line)
            line.close()

    def _run(self) -> None:
        while True:
            time.sleep(PAUSE)
            self.look(time.monotonic())


def _spoke(connection: Connection) -> None:
    if not connection.invalidated:  # else nothing is sent
        connection.info[LINE].spoke()
