"""Documents: parsed, measured and validated once while they are in use."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from graphql import DocumentNode, GraphQLError, GraphQLSchema, OperationDefinitionNode, specified_rules, validate
from graphql.validation import ASTValidationRule, NoSchemaIntrospectionCustomRule

from graph.limits import CACHED_DOCUMENTS, PLANNED_FIELDS, Measured, parse_within_limits
from graph.plans import Plan


@dataclass(frozen=True, slots=True, eq=False)
class Document:
    """``refusals`` are what validation has found. ``plans`` are of its operations, by their nodes' identities.

    ``plans`` is None where directives let variables decide what is selected, and where that is a lot.
    """

    node: DocumentNode
    refusals: Sequence[GraphQLError]
    plans: dict[int, Plan] | None = field(default_factory=dict)

    def operation(self, name: str | None) -> OperationDefinitionNode:
        """The one to be executed: GraphQL 6.1, GetOperation. Raises GraphQLError."""
        operations = [each for each in self.node.definitions if isinstance(each, OperationDefinitionNode)]
        if name is None:
            if len(operations) > 1:
                raise GraphQLError("Must provide operation name if query contains multiple operations.")
            if not operations:
                raise GraphQLError("Can't get GraphQL operation type")
            return operations[0]
        for operation in operations:
            if operation.name and operation.name.value == name:
                return operation
        raise GraphQLError(f'Unknown operation named "{name}".')


def reader(schema: GraphQLSchema, *, introspection: bool) -> Callable[[str], Document]:
    """Reads documents for ``schema``; the last CACHED_DOCUMENTS texts are kept. It raises what parsing raises."""
    rules: Collection[type[ASTValidationRule]] = specified_rules
    if not introspection:
        rules = (*rules, NoSchemaIntrospectionCustomRule)

    @lru_cache(CACHED_DOCUMENTS)
    def read(source: str) -> Document:
        measured = parse_within_limits(source)
        refusals = validate(schema, measured.node, rules)
        return Document(measured.node, refusals, {} if _may_be_planned(source, measured) else None)

    return read


def _may_be_planned(source: str, measured: Measured) -> bool:
    return "@" not in source and measured.selected <= PLANNED_FIELDS
