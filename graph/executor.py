"""Executes as graphql-core does, by plans (graph/plans.py). What has no plan, and every error, goes its way."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import Any, NoReturn, cast

from graphql import ExecutionResult as GraphQLResult
from graphql import GraphQLObjectType, GraphQLOutputType, Undefined, create_source_event_stream
from graphql.execution.collect_fields import GroupedFieldSet
from graphql.execution.values import get_argument_values
from graphql.pyutils import Path
from graphql.type.definition import GraphQLResolveInfoHelpers
from strawberry.schema.schema import StrawberryGraphQLCoreExecutionContext
from strawberry.types.graphql import OperationType
from typing_extensions import override

from graph.plans import MakeInfo, Other, Plain, Plan, Resolved, plan


def _not_async(_: object) -> NoReturn:
    raise TypeError("resolvers here are no coroutines")


_NO_HELPERS = GraphQLResolveInfoHelpers(_not_async, _not_async)


class Executor(StrawberryGraphQLCoreExecutionContext):
    """Executes a subscription that has no event yet by subscribing: CreateSourceEventStream, GraphQL 6.2.3.1.

    ``plans`` are kept by the document, if it keeps any.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - graphql-core's own
        super().__init__(*args, **kwargs)
        self.async_helpers = _NO_HELPERS  # its own refer to it: with all its rows it would wait for the collector
        self.plans: dict[int, Plan] | None = None
        self._plans: dict[int, tuple[GroupedFieldSet, Plan]] = {}  # the selection stays, so that no other has its id
        self._arguments: dict[Resolved, Mapping[str, Any]] = {}

    @override
    def execute_operation(self, serially: bool | None = None) -> Any:
        """The stream is left in the context."""
        kind = self.operation.operation.value
        self.context_value.only_reads = kind != OperationType.MUTATION.value
        if kind != OperationType.SUBSCRIPTION.value or self.root_value is not None:
            return super().execute_operation(serially)
        stream = create_source_event_stream(self)
        if isinstance(stream, GraphQLResult):
            return stream
        self.context_value.events = stream
        return GraphQLResult(None, None)

    @override
    def execute_fields(
        self,
        parent_type: GraphQLObjectType,
        source_value: Any,
        path: Path | None,
        grouped_field_set: GroupedFieldSet,
        position_context: Any,
    ) -> dict[str, Any]:
        """All that is selected of one object. Resolvers here are no coroutines."""
        if path is not None or self.plans is None:
            return self._object(self._plan(parent_type, grouped_field_set), source_value, path)
        kept = self.plans.get(id(self.operation))
        if kept is None:
            kept = self.plans[id(self.operation)] = plan(self.schema, parent_type, grouped_field_set)
        return self._object(kept, source_value, path)

    def _object(self, made: Plan, source: object, path: Path | None) -> dict[str, Any]:
        results, left = made.read(source)
        others: Sequence[Plain | Other] = [*left, *made.others] if left or made.others else ()
        for other in others:
            other_path = Path(path, other.response_name, made.parent_type.name)
            value = self.execute_field(made.parent_type, source, other.details, other_path, None)
            results[other.response_name] = value
            if value is Undefined:
                del results[other.response_name]
        for entry in made.resolved:
            entry_path = Path(path, entry.response_name, made.parent_type.name)
            results[entry.response_name] = self._resolve(made.parent_type, source, entry, entry_path)
        return results

    def _resolve(self, parent_type: GraphQLObjectType, source: object, entry: Resolved, path: Path) -> object:
        info = partial(self.build_resolve_info, entry.field, entry.nodes, parent_type, path)
        try:
            value = entry.call(source, info, self._given(entry, info))
            if entry.objects is None or value is None or isinstance(value, Exception):
                return self.complete_value(entry.field.type, entry.details, info(), path, value, None)
            if entry.below is None:
                selected = self.collect_subfields(entry.objects, entry.details).grouped_field_set
                entry.below = plan(self.schema, entry.objects, selected)
            if entry.item_type is None:
                return self._object(entry.below, value, path)
            return self._list(entry.below, entry, info, path, cast("Iterable[object]", value))
        except Exception as error:  # noqa: BLE001 - a resolver may raise anything
            self.handle_field_error(error, entry.field.type, entry.details, path)
            return None

    def _list(self, below: Plan, entry: Resolved, info: MakeInfo, path: Path, items: Iterable[Any]) -> list[Any]:
        completed: list[Any] = []
        item_type, details = cast("GraphQLOutputType", entry.item_type), entry.details
        for index, item in enumerate(items):
            item_path = Path(path, index, None)
            try:
                if item is None or isinstance(item, Exception):
                    completed.append(self.complete_value(item_type, details, info(), item_path, item, None))
                else:
                    completed.append(self._object(below, item, item_path))
            except Exception as error:  # noqa: BLE001 - of any resolver below
                self.handle_field_error(error, item_type, details, item_path)
                completed.append(None)
        return completed

    def _given(self, entry: Resolved, info: MakeInfo) -> Mapping[str, Any]:
        """The arguments of a field, understood once."""
        given = self._arguments.get(entry) if entry.given is None else entry.given
        if given is None:
            first = entry.details[0]
            raw = get_argument_values(
                entry.field, first.node, self.variable_values, first.fragment_variable_values, self.hide_suggestions
            )
            given = entry.call.understood(raw, info)
            if entry.fixed:
                entry.given = given
            else:
                self._arguments[entry] = given
        return given

    def _plan(self, parent_type: GraphQLObjectType, selected: GroupedFieldSet) -> Plan:
        found = self._plans.get(id(selected))
        if found is None:
            found = self._plans[id(selected)] = selected, plan(self.schema, parent_type, selected)
        return found[1]
