"""Where operations run: each in a thread, with a Session. Every event of a subscription is an operation of its own."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, Set
from contextlib import aclosing
from dataclasses import dataclass, field
from functools import partial

from anyio.lowlevel import checkpoint_if_cancelled
from graphql import GraphQLError
from strawberry.http import GraphQLRequestData
from strawberry.schema import BaseSchema
from strawberry.types import ExecutionResult
from strawberry.types.graphql import OperationType

from domain.models import DownloadTask
from graph.context import Operation
from graph.errors import presentable
from graph.permits import Permits
from telemetry.tracing import span

ALL = frozenset(OperationType)
_NAME = re.compile("[_A-Za-z][_0-9A-Za-z]{0,63}")  # spec.graphql.org, "Names"
ONE_ANSWER = ALL - {OperationType.SUBSCRIPTION}


@dataclass(frozen=True, slots=True)
class Execution:
    """Runs operations on ``schema``, whose executor is ``Executor``."""

    schema: BaseSchema
    permits: Permits = field(default_factory=Permits)

    async def run(
        self,
        operation: Operation,
        data: GraphQLRequestData,
        allowed: Set[OperationType] = ALL,
        event: DownloadTask | None = None,
    ) -> ExecutionResult:
        """In a thread of the default limiter, which has as many as there are connections: see ``Permits``.

        A subscription that has no ``event`` yet leaves its stream of them in ``operation``: see ``stream``.
        """
        result = await self.permits.run(partial(self._run, operation, data, allowed, event))
        await checkpoint_if_cancelled()  # whoever has left meanwhile is told nothing
        return result

    def _run(
        self, operation: Operation, data: GraphQLRequestData, allowed: Set[OperationType], event: DownloadTask | None
    ) -> ExecutionResult:
        with span("graphql operation", graphql__operation__name=_shown(data.operation_name)) as told, operation:
            result = self.schema.execute_sync(
                data.query,
                variable_values=data.variables,
                context_value=operation,
                root_value=event,
                operation_name=data.operation_name,
                allowed_operation_types=allowed,
            )
            told.set(graphql__errors=len(result.errors or ()))
            return result

    async def stream(
        self, operation: Operation, data: GraphQLRequestData, first: ExecutionResult | None = None
    ) -> AsyncGenerator[ExecutionResult, None]:
        """Every result of an operation: one, or one an event. To be closed. ``first`` is what it has been run to."""
        try:
            first = first or await self.run(operation, data)
            if operation.events is None:
                yield first
                return
            async with aclosing(operation.events) as events:
                async for event in events:
                    yield await self.run(operation.again(), data, event=event)
        except Exception as error:  # noqa: BLE001 - shown to the subscriber, and logged where it is a fault of ours
            cause = error if isinstance(error, GraphQLError) else GraphQLError(str(error), original_error=error)
            yield ExecutionResult(None, [presentable(cause, executed=False)])


def _shown(name: object) -> str:
    """The operation's name, as far as it is one and short: callers make it up."""
    return name if isinstance(name, str) and _NAME.fullmatch(name) else ""


def never_ran(result: ExecutionResult) -> bool:
    """Errors of fields have a path; those of documents and variables, and of whole subscriptions, have none."""
    return result.data is None and bool(result.errors) and all(error.path is None for error in result.errors or ())
