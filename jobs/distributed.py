"""The queue that many machines share: Procrastinate, in the service's own PostgreSQL."""

from __future__ import annotations

from collections.abc import Callable, Collection
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

    def enqueue(self, uow: UnitOfWork, task_ids: Collection[UUID], /) -> None:
        """A worker takes them up once the transaction has committed. Raises DatabaseError."""
        jobs = [_job(RUN, str(task_id), task_id=str(task_id)) for task_id in task_ids]
        if not self._defer(uow, jobs):
            for job in jobs:
                self._defer(uow, [job])

    def wake(self, uow: UnitOfWork) -> None:
        """One worker's upkeep runs once the transaction has committed. Raises DatabaseError."""
        self._defer(uow, [_job(UPKEEP, UPKEEP)])

    def alive(self, uow: UnitOfWork, task_ids: Collection[UUID], /) -> set[UUID]:
        """Those with a row. Workers remove the rows that nobody works on: see ``jobs.sweep``."""
        locks = [str(task_id) for task_id in task_ids]
        found = self._connection_of(uow).execute(_ALIVE, {"locks": locks})
        return {UUID(lock) for lock in found.scalars()}

    def _defer(self, uow: UnitOfWork, jobs: list[Job]) -> bool:
        """False when one of them waits already: the savepoint keeps its refusal from ending the transaction."""
        connection = self._connection_of(uow)
        try:
            with connection.begin_nested():
                self._manager.batch_defer_jobs(jobs, connection=connection)
        except AlreadyEnqueued:
            return False
        except ConnectorException as error:
            raise DatabaseError from error
        return True


def _job(name: str, lock: str, **arguments: str) -> Job:
    return Job(queue=QUEUE, task_name=name, lock=lock, queueing_lock=lock, task_kwargs={**arguments})
