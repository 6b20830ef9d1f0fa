"""The schema keeps what clients rely on, and says what everything means."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from graphql import (
    GraphQLArgument,
    GraphQLEnumType,
    GraphQLInputField,
    GraphQLInputObjectType,
    GraphQLNamedType,
    GraphQLObjectType,
    GraphQLSchema,
    build_schema,
    is_introspection_type,
    is_specified_scalar_type,
)
from graphql.utilities import BreakingChange, DangerousChange, find_schema_changes

from graph.schema import print_schema

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def ours() -> GraphQLSchema:
    """The schema as clients see it."""
    return build_schema(print_schema())


@pytest.fixture(scope="module")
def contract() -> GraphQLSchema:
    """What was promised."""
    return build_schema((ROOT / "tests/contract/schema.graphql").read_text())


def test_the_committed_schema_is_what_the_code_prints() -> None:
    assert (ROOT / "schema.graphql").read_text() == print_schema()


def test_everything_promised_is_there(ours: GraphQLSchema, contract: GraphQLSchema) -> None:
    changes = find_schema_changes(contract, ours)
    broken = [change.description for change in changes if isinstance(change, BreakingChange | DangerousChange)]
    assert broken == []


def test_arguments_and_input_fields_have_the_promised_types_and_defaults(
    ours: GraphQLSchema, contract: GraphQLSchema
) -> None:
    promised = _inputs(contract)
    assert promised == {name: text for name, text in _inputs(ours).items() if name in promised}


def _inputs(schema: GraphQLSchema) -> dict[str, tuple[str, object]]:
    found: dict[str, GraphQLArgument | GraphQLInputField] = {}
    for named in _own_types(schema):
        if isinstance(named, GraphQLInputObjectType):
            found |= {f"{named.name}.{name}": field for name, field in named.fields.items()}
        if isinstance(named, GraphQLObjectType):
            for field_name, field in named.fields.items():
                found |= {f"{named.name}.{field_name}({name})": given for name, given in field.args.items()}
    return {name: (str(element.type), element.default_value) for name, element in found.items()}


def test_everything_is_described(ours: GraphQLSchema) -> None:
    assert [name for name, description in _descriptions(ours) if not (description or "").endswith((".", '"'))] == []


def _descriptions(schema: GraphQLSchema) -> Iterator[tuple[str, str | None]]:
    for named in _own_types(schema):
        yield named.name, named.description
        members = named.values if isinstance(named, GraphQLEnumType) else getattr(named, "fields", {})
        for name, member in members.items():
            yield f"{named.name}.{name}", member.description
            for argument, given in getattr(member, "args", {}).items():
                yield f"{named.name}.{name}({argument})", given.description


def _own_types(schema: GraphQLSchema) -> list[GraphQLNamedType]:
    return [
        named
        for named in schema.type_map.values()
        if not is_introspection_type(named) and not is_specified_scalar_type(named)
    ]
