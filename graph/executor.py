"""Executes as graphql-core does, by plans (graph/plans.py). What has no plan, and every error, goes its way."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import Any

from graphql import ExecutionResult as GraphQLResult
from graphql import (
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLOutputType,
    GraphQLResolveInfo,
    Undefined,
    create_source_event_stream,
)
from graphql.execution.collect_fields import FieldDetailsList, GroupedFieldSet
from graphql.execution.values import get_argument_values
from graphql.pyutils import Path
from strawberry.schema.schema import StrawberryGraphQLCoreExecutionContext
from strawberry.types.graphql import OperationType
from typing_extensions import override

from graph.plans import Other, Plain, Plan, Resolved, plan

_ABSENT = object()


class Executor(StrawberryGraphQLCoreExecutionContext):
    """Executes a subscription that has no event yet by subscribing: CreateSourceEventStream, GraphQL 6.2.3.1."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - graphql-core's own
        super().__init__(*args, **kwargs)
        self._plans: dict[int, tuple[GroupedFieldSet, Plan]] = {}  # the selection stays, so that no other has its id

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
        made = self._plan(parent_type, grouped_field_set)
        results: dict[str, Any] = dict(made.blank)
        others: list[Plain | Other] = [*_read(source_value, made.plain, results), *made.others]
        for other in others:
            other_path = Path(path, other.response_name, parent_type.name)
            value = self.execute_field(parent_type, source_value, other.details, other_path, position_context)
            results[other.response_name] = value
            if value is Undefined:
                del results[other.response_name]
        for entry in made.resolved:
            entry_path = Path(path, entry.response_name, parent_type.name)
            results[entry.response_name] = self._resolve(parent_type, source_value, entry, entry_path)
        return results

    def _resolve(self, parent_type: GraphQLObjectType, source: object, entry: Resolved, path: Path) -> object:
        info = self.build_resolve_info(entry.field, entry.nodes, parent_type, path)
        try:
            value = entry.call(source, info, partial(self._arguments, entry))
            return self.complete_value(entry.field.type, entry.details, info, path, value, None)
        except Exception as error:  # noqa: BLE001 - a resolver may raise anything
            self.handle_field_error(error, entry.field.type, entry.details, path)
            return None

    def _arguments(self, entry: Resolved) -> dict[str, Any]:
        first = entry.details[0]
        return get_argument_values(
            entry.field, first.node, self.variable_values, first.fragment_variable_values, self.hide_suggestions
        )

    def _plan(self, parent_type: GraphQLObjectType, selected: GroupedFieldSet) -> Plan:
        found = self._plans.get(id(selected))
        if found is None:
            found = self._plans[id(selected)] = selected, plan(self.schema, parent_type, selected)
        return found[1]

    @override
    def complete_iterable_value(
        self,
        item_type: GraphQLOutputType,
        field_details_list: FieldDetailsList,
        info: GraphQLResolveInfo[Any],
        path: Path,
        items: Iterable[Any],
        position_context: Any,
    ) -> Any:
        """Of objects, the selection is collected once."""
        shown = item_type.of_type if isinstance(item_type, GraphQLNonNull) else item_type
        if not isinstance(shown, GraphQLObjectType) or shown.is_type_of:
            return super().complete_iterable_value(item_type, field_details_list, info, path, items, position_context)
        selected = self.collect_subfields(shown, field_details_list).grouped_field_set
        completed: list[Any] = []
        for index, item in enumerate(items):
            item_path = path.add_key(index, None)
            try:
                if item is None or isinstance(item, Exception):
                    place = field_details_list, info, item_path
                    completed.append(self.complete_value(item_type, *place, item, position_context))
                else:
                    completed.append(self.execute_fields(shown, item, item_path, selected, position_context))
            except Exception as error:  # noqa: BLE001 - of any resolver below
                self.handle_field_error(error, item_type, field_details_list, item_path)
                completed.append(None)
        return completed


def _read(source: object, plain: Iterable[Plain], results: dict[str, Any]) -> list[Plain]:
    """Those that cannot be shown are left over, for graphql-core to say why."""
    attributes = getattr(source, "__dict__", {})  # past the descriptors of SQLAlchemy, a call each
    left = []
    for entry in plain:
        name, nullable, show = entry.attribute
        try:
            value = attributes.get(name, _ABSENT)
            if value is _ABSENT:
                value = getattr(source, name)
            if value is not None:
                results[entry.response_name] = show(value)
            elif not nullable:
                left.append(entry)
        except Exception:  # noqa: BLE001 - whatever it is, it comes again
            left.append(entry)
    return left
