"""The schema, put together, and how operations on it are executed."""

from __future__ import annotations

from collections.abc import Awaitable, Iterable, Sequence
from typing import Any, TypeGuard, cast

import strawberry
from graphql import ExecutionResult as GraphQLResult
from graphql import GraphQLError
from strawberry.schema.config import StrawberryConfig
from strawberry.types import ExecutionResult
from strawberry.types.graphql import OperationType
from typing_extensions import override

from graph.documents import Document, reader
from graph.errors import presentable
from graph.executor import Executor
from graph.limits import check_variables
from graph.mutations import Mutation
from graph.plans import find_attributes
from graph.queries import Query
from graph.scalars import SCALARS
from graph.subscriptions import Subscription

NOT_HERE = "Subscriptions take a WebSocket, or Accept: text/event-stream."


class Schema(strawberry.Schema):
    """Executes documents that were read before, and shows errors by the rules of graph/errors.py.

    Strawberry runs its extensions around every step of every operation, though none is installed: 0.4 ms.
    """

    def __init__(self, *, introspection: bool) -> None:
        super().__init__(
            query=Query,
            mutation=Mutation,
            subscription=Subscription,
            execution_context_class=Executor,
            config=StrawberryConfig(scalar_map=SCALARS, disable_field_suggestions=not introspection),
        )
        find_attributes(self._schema)
        self._read = reader(self._schema, introspection=introspection)

    @override
    def execute_sync(
        self,
        query: str | None,
        variable_values: dict[str, Any] | None = None,
        context_value: Any | None = None,
        root_value: Any | None = None,
        operation_name: str | None = None,
        allowed_operation_types: Iterable[OperationType] | None = None,
        operation_extensions: dict[str, Any] | None = None,
    ) -> ExecutionResult:
        """Never raises: what goes wrong is in the result."""
        try:
            check_variables(variable_values or {})
            document = self._read(query or "")
            operation = document.operation(operation_name)
            if operation.operation.value not in {each.value for each in allowed_operation_types or OperationType}:
                return self._refused([GraphQLError(NOT_HERE)])
            if document.refusals:
                return self._refused(document.refusals)
            result = self._execute(document, variable_values, context_value, root_value, operation_name)
        except GraphQLError as error:
            return self._refused([error])
        except Exception as error:  # noqa: BLE001 - of graphql-core itself; those of resolvers are in the result
            return self._refused([GraphQLError(str(error), original_error=error)])
        return ExecutionResult(result.data, self._shown(result.errors or (), executed=True) or None)

    def _execute(
        self,
        document: Document,
        variables: dict[str, Any] | None,
        context: object,
        root: object,
        name: str | None,
    ) -> GraphQLResult:
        executor_class = self.execution_context_class or Executor
        executor = executor_class.build(
            self._schema,
            document.node,
            root,
            context,
            variables,
            name,
            is_awaitable=_never,
            hide_suggestions=self.config.disable_field_suggestions,
        )
        if isinstance(executor, list):
            return GraphQLResult(None, executor)
        if isinstance(executor, Executor):
            executor.plans = document.plans
        return cast("GraphQLResult", executor.execute_operation())

    def _refused(self, errors: Sequence[GraphQLError]) -> ExecutionResult:
        return ExecutionResult(None, self._shown(errors, executed=False))

    def _shown(self, errors: Iterable[GraphQLError], *, executed: bool) -> list[GraphQLError]:
        shown = [presentable(error, executed=executed) for error in errors]
        if self.config.disable_field_suggestions:
            for error in shown:
                error.message = error.message.partition(" Did you mean ")[0]
        return shown


def _never(_: object) -> TypeGuard[Awaitable[Any]]:
    """No resolver of ours is a coroutine."""
    return False


def build_schema(*, introspection: bool = True) -> Schema:
    """The schema; without introspection, errors suggest no names either."""
    return Schema(introspection=introspection)


def print_schema() -> str:
    """The schema in the GraphQL schema definition language."""
    return build_schema().as_str() + "\n"
