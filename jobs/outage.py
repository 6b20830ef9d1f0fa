"""A connector that sits an outage of the database out."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any, LiteralString, TypeVar

from procrastinate import PsycopgConnector
from procrastinate.connector import Notify
from procrastinate.exceptions import ConnectorException
from psycopg import AsyncConnection, OperationalError
from psycopg.errors import RaiseException
from psycopg_pool import AsyncConnectionPool
from typing_extensions import override

logger = logging.getLogger(__name__)

PAUSE = 0.5  # seconds between two attempts
CONNECTIONS = 4
PATIENCE = 5  # seconds that one attempt may wait for a connection
BACKOFF = 2.0  # seconds: with more of it the pool comes back long after the database

Result = TypeVar("Result")


class PatientConnector(PsycopgConnector):
    """Asks again and again until the database answers, or until ``given_up`` says so.

    Procrastinate's worker takes the first error for its end: it would stop its heartbeat, wait for its running jobs,
    hours if they last that long, and forget to write down how they ended.
    """

    def __init__(self, connect: Mapping[str, Any], given_up: Callable[[], bool]) -> None:
        super().__init__()
        self._connect = dict(connect)
        self._given_up = given_up
        self._out = False

    @override
    async def open_async(self, pool: AsyncConnectionPool | None = None) -> None:
        """Does not wait for the database."""
        mine = pool or AsyncConnectionPool(
            kwargs=self._connect,
            configure=_autocommit,
            min_size=1,
            max_size=CONNECTIONS,
            open=False,
            timeout=PATIENCE,
            reconnect_timeout=BACKOFF,
            num_workers=1,
        )
        await mine.open()
        await super().open_async(mine)

    @override
    async def close_async(self) -> None:
        """Procrastinate leaves the pools that others have made open."""
        await self.pool.close()

    @override
    async def execute_query_async(self, query: LiteralString, **arguments: Any) -> None:
        """A job that is not there any more has been taken away from a worker that gave no sign: nothing to write."""
        try:
            await self._patiently(lambda: super(PatientConnector, self).execute_query_async(query, **arguments))
        except ConnectorException as error:
            if not isinstance(error.__cause__, RaiseException):
                raise
            logger.info("The job has been taken away meanwhile")

    @override
    async def execute_query_one_async(self, query: LiteralString, **arguments: Any) -> dict[str, Any]:
        return await self._patiently(lambda: super(PatientConnector, self).execute_query_one_async(query, **arguments))

    @override
    async def execute_query_all_async(self, query: LiteralString, **arguments: Any) -> list[dict[str, Any]]:
        return await self._patiently(lambda: super(PatientConnector, self).execute_query_all_async(query, **arguments))

    @override
    async def listen_notify(self, on_notification: Notify, channels: Iterable[str]) -> None:
        await self._patiently(lambda: super(PatientConnector, self).listen_notify(on_notification, channels))

    async def _patiently(self, ask: Callable[[], Awaitable[Result]]) -> Result:
        while True:
            try:
                result = await ask()
            except ConnectorException as error:
                if not isinstance(error.__cause__, OperationalError) or self._given_up():
                    raise
                self._tell(out=True)
                await asyncio.sleep(PAUSE)
            else:
                self._tell(out=False)
                return result

    def _tell(self, *, out: bool) -> None:
        if out is not self._out:
            self._out = out
            logger.warning("The database %s", "does not answer: jobs wait for it" if out else "answers again")


async def _autocommit(connection: AsyncConnection) -> None:
    """Each query is one statement: a transaction around it is three trips, and one that a stopped process holds."""
    await connection.set_autocommit(True)
