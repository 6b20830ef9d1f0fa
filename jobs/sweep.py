"""Finds the jobs that nobody works on any more."""

from __future__ import annotations

import time
from collections.abc import Collection

from procrastinate.connector import BaseAsyncConnector
from procrastinate.jobs import Status
from procrastinate.manager import JobManager

from jobs.distributed import QUEUE

_SERVER_AGE = "SELECT extract(epoch FROM now() - pg_postmaster_start_time())::float AS seconds"


class Sweep:
    """Removes jobs whose worker has given no sign for ``silence`` seconds, or that their worker knows nothing of.

    Removed, not given to another worker: the first one may wake up, and what it then writes about the end of its job
    would count for the other's, since nothing but the job's id is compared.
    """

    def __init__(self, connector: BaseAsyncConnector, silence: float) -> None:
        self._connector = connector
        self._jobs = JobManager(connector)
        self._silence = silence
        self._unknown: dict[int, float] = {}  # since when

    async def __call__(self, worker_id: int | None, running: Collection[int]) -> None:
        """``running`` are the jobs at work here."""
        for job_id in await self._silent(worker_id) | await self._forgotten(worker_id, running):
            await self._jobs.finish_job_by_id_async(job_id, Status.FAILED, delete_job=True)

    async def _silent(self, worker_id: int | None) -> set[int]:
        """While the server was down nobody could give a sign: it must be up for long enough."""
        age = await self._connector.execute_query_one_async(_SERVER_AGE)
        if age["seconds"] < self._silence:
            return set()
        silent = await self._jobs.get_stalled_jobs(queue=QUEUE, seconds_since_heartbeat=self._silence)
        return {
            job.id for job in silent if job.id is not None and (job.worker_id is None or job.worker_id != worker_id)
        }

    async def _forgotten(self, worker_id: int | None, running: Collection[int]) -> set[int]:
        """A connection broke after the database had handed the job out, or before its end was written.

        Not at once: a job that has just been handed out is not at work yet, and after an outage ends come late.
        """
        if worker_id is None:
            return set()
        mine = await self._jobs.list_jobs_async(worker_id=worker_id, status=Status.DOING.value)
        now, unknown = time.monotonic(), {job.id for job in mine if job.id is not None} - set(running)
        self._unknown = {job_id: self._unknown.get(job_id, now) for job_id in unknown}
        return {job_id for job_id, since in self._unknown.items() if now - since >= self._silence / 4}
