"""The queue that many machines share: Procrastinate, in the service's own PostgreSQL."""

from __future__ import annotations

from collections.abc import Callable, Collection
from contextlib import suppress
from uuid import UUID

from procrastinate.contrib.sqlalchemy import SQLAlchemyPsycopg2Connector
from procrastinate.exceptions import AlreadyEnqueued, ConnectorException
from procrastinate.jobs import Job
from procrastinate.manager import JobManager
from sqlalchemy import Connection, text

from domain.errors import DatabaseError
from domain.ports import UnitOfWork

QUEUE = "media"
RUN, UPKEEP = "run", "upkeep"

_ALIVE = text("SELECT lock FROM procrastinate_jobs WHERE status IN ('todo', 'doing') AND lock = ANY(:locks)")


class DistributedJobs:
    """A ``JobQueue`` whose jobs are rows, written in the transaction that wants them.

    A job's lock is its task's id: at most one job of a task runs, and at most one waits behind it.
    """

    admits = True

    def __init__(self, connection_of: Callable[[UnitOfWork], Connection]) -> None:
        self._connection_of = connection_of
        self._manager = JobManager(SQLAlchemyPsycopg2Connector())

    def enqueue(self, uow: UnitOfWork, task_id: UUID) -> None:
        """A worker takes it up once the transaction has committed. Raises DatabaseError."""
        self._defer(uow, RUN, lock=str(task_id), task_id=str(task_id))

    def wake(self, uow: UnitOfWork) -> None:
        """One worker's upkeep runs once the transaction has committed. Raises DatabaseError."""
        self._defer(uow, UPKEEP, lock=UPKEEP)

    def alive(self, uow: UnitOfWork, task_ids: Collection[UUID], /) -> set[UUID]:
        """Those with a row. Workers remove the rows that nobody works on: see ``jobs.sweep``."""
        locks = [str(task_id) for task_id in task_ids]
        found = self._connection_of(uow).execute(_ALIVE, {"locks": locks})
        return {UUID(lock) for lock in found.scalars()}

    def _defer(self, uow: UnitOfWork, name: str, *, lock: str, **arguments: str) -> None:
        """A job that waits already will do: a savepoint keeps its refusal from ending the transaction."""
        job = Job(queue=QUEUE, task_name=name, lock=lock, queueing_lock=lock, task_kwargs={**arguments})
        connection = self._connection_of(uow)
        try:
            with suppress(AlreadyEnqueued), connection.begin_nested():
                self._manager.defer_job(job, connection=connection)
        except ConnectorException as error:
            raise DatabaseError from error
