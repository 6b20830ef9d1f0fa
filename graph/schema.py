"""The schema, put together."""

from __future__ import annotations

import strawberry
from graphql import GraphQLError
from strawberry.extensions import DisableIntrospection, SchemaExtension, ValidationCache
from strawberry.schema.config import StrawberryConfig
from strawberry.types import ExecutionContext

from graph.errors import presentable
from graph.executor import Executor
from graph.limits import CACHED_DOCUMENTS, WithinLimits
from graph.mutations import Mutation
from graph.plans import find_attributes
from graph.queries import Query
from graph.scalars import SCALARS
from graph.subscriptions import Subscription


def _validation_cache() -> ValidationCache:
    return ValidationCache(maxsize=CACHED_DOCUMENTS)


class Schema(strawberry.Schema):
    """Shows errors by the rules of graph/errors.py."""

    def process_errors(self, errors: list[GraphQLError], execution_context: ExecutionContext | None = None) -> None:
        """In place: every way of executing passes here before the errors leave."""
        executed = execution_context is not None and execution_context.result is not None
        errors[:] = [presentable(error, executed=executed) for error in errors]
        if self.config.disable_field_suggestions:  # Strawberry itself removes those of fields alone
            for error in errors:
                error.message = error.message.partition(" Did you mean ")[0]


def build_schema(*, introspection: bool = True) -> Schema:
    """The schema; without introspection, errors suggest no names either."""
    # Classes and factories, not instances: an instance would be shared by all operations.
    hidden: list[type[SchemaExtension]] = [] if introspection else [DisableIntrospection]
    schema = Schema(
        query=Query,
        mutation=Mutation,
        subscription=Subscription,
        execution_context_class=Executor,
        extensions=[WithinLimits, *hidden, _validation_cache],
        config=StrawberryConfig(scalar_map=SCALARS, disable_field_suggestions=not introspection),
    )
    find_attributes(schema._schema)  # noqa: SLF001 - graphql-core's, which it has no other door to
    return schema


def print_schema() -> str:
    """The schema in the GraphQL schema definition language."""
    return build_schema().as_str() + "\n"
