"""One Session, one transaction at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Self

from sqlalchemy import Connection, Engine, func, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from domain.ports import UnitOfWork, UnitOfWorkFactory
from persistence.engine import READING
from persistence.errors import our_errors
from persistence.failure_repository import SqlFailureRepository
from persistence.purge_repository import SqlPurgeRepository
from persistence.task_repository import SqlTaskRepository
from persistence.video_repository import SqlVideoRepository


class SqlUnitOfWork:
    """See ``domain.ports.UnitOfWork``.

    Entities leave the Session at the end of their transaction: they stay readable as they were, and the next
    transaction reads afresh. A change to one of them counts only in the transaction that loaded it.
    """

    def __init__(self, session: Session, reading_options: Mapping[str, Any]) -> None:
        self._session = session
        self._reading_options = reading_options
        self._actions: list[Callable[[], None]] = []
        self._reads = False
        self.tasks = SqlTaskRepository(session)
        self.failures = SqlFailureRepository(session)
        self.videos = SqlVideoRepository(session)
        self.purges = SqlPurgeRepository(session)

    def __enter__(self) -> Self:
        self._session.begin()
        return self

    def __exit__(self, *exc: object) -> None:
        _, error, _ = exc
        with our_errors():
            self._end()
            if isinstance(error, SQLAlchemyError):
                raise error

    @contextmanager
    def reading(self) -> Iterator[Self]:
        """One read transaction: all its statements see one moment. Within another it is part of that."""
        if self._reads:
            with our_errors():
                yield self
            return
        self._session.begin()
        with our_errors():
            try:
                self._session.connection(execution_options=self._reading_options)
                with self._session.no_autoflush:
                    self._reads = True
                    yield self
            finally:
                self._reads = False
                self._end()

    def commit(self) -> None:
        """Make it last, then run what waits for that. Raises DatabaseError, DuplicateError."""
        with our_errors():
            self._session.commit()
        self._session.expunge_all()
        actions, self._actions = self._actions, []
        for action in actions:
            action()

    def flush(self) -> None:
        with our_errors():
            self._session.flush()

    def after_commit(self, action: Callable[[], None]) -> None:
        self._actions.append(action)

    @property
    def connection(self) -> Connection:
        """The transaction's own, for an adapter whose rows belong in it."""
        return self._session.connection()

    def alone(self, purpose: str) -> bool:
        """SQLite has one writer at a time."""
        if self.connection.dialect.name != "postgresql":
            return True
        lock = int.from_bytes(purpose.encode())  # a bigint: 7 letters at most
        return bool(self._session.scalar(select(func.pg_try_advisory_xact_lock(lock))))

    def _end(self) -> None:
        self._actions.clear()
        self._session.expunge_all()  # before the rollback, which would make every attribute unreadable
        self._session.rollback()


def connection_of(uow: UnitOfWork) -> Connection:
    """See ``SqlUnitOfWork.connection``."""
    if not isinstance(uow, SqlUnitOfWork):
        raise TypeError("this unit of work has no connection")
    return uow.connection


def uow_factory(engine: Engine) -> UnitOfWorkFactory:
    """Opens Sessions on ``engine``; a Session takes a connection only while a transaction runs."""

    @contextmanager
    def open_uow() -> Iterator[UnitOfWork]:
        # Without autobegin no statement runs outside of a transaction that was asked for.
        with Session(engine, autobegin=False, expire_on_commit=False) as session:
            yield SqlUnitOfWork(session, READING[engine.dialect.name])

    return open_uow
