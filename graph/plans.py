"""How the fields of a selection are had: decided once a schema or once an operation, not once an object.

Nine of ten fields of an answer are attributes of a row that need nothing but their GraphQL type, and the resolver of a
hundred rows gets the same arguments a hundred times. graphql-core and Strawberry find both out anew for each object.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, TypeAlias
from uuid import UUID

from graphql import (
    FieldNode,
    GraphQLEnumType,
    GraphQLField,
    GraphQLLeafType,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLResolveInfo,
    GraphQLSchema,
    is_leaf_type,
)
from graphql.execution.collect_fields import FieldDetailsList, GroupedFieldSet
from strawberry.schema.schema_converter import GraphQLCoreConverter
from strawberry.types import Info
from strawberry.types.arguments import convert_arguments
from strawberry.types.field import StrawberryField
from strawberry.types.fields.resolver import StrawberryResolver

Shower: TypeAlias = Callable[[Any], Any]
"""From a value that is not None to what the answer shows. Raises where graphql-core would."""

_DEFINITION = "strawberry-definition"
_ATTRIBUTE = "attribute"
_AS_IT_IS = {"String": str, "Boolean": bool}


class Attribute(NamedTuple):
    """What makes a field plain: it is an attribute of its object, a scalar or an enum, and takes no arguments."""

    name: str
    nullable: bool
    show: Shower


class Plain(NamedTuple):
    """An entry of a selection that is an attribute."""

    response_name: str
    attribute: Attribute
    details: FieldDetailsList


class Resolved(NamedTuple):
    """An entry that has a resolver."""

    response_name: str
    field: GraphQLField
    call: Call
    details: FieldDetailsList
    nodes: list[FieldNode]


class Other(NamedTuple):
    """An entry that is graphql-core's own business, such as ``__typename``."""

    response_name: str
    details: FieldDetailsList


class Plan(NamedTuple):
    """Of one selection on objects of one type; ``blank`` has the response names in their order."""

    blank: dict[str, None]
    plain: list[Plain]
    resolved: list[Resolved]
    others: list[Other]


def find_attributes(schema: GraphQLSchema) -> None:
    """Note in each plain field of the schema what it is."""
    for each in schema.type_map.values():
        for field in each.fields.values() if isinstance(each, GraphQLObjectType) else ():
            field.extensions[_ATTRIBUTE] = _attribute(field)


def plan(schema: GraphQLSchema, parent_type: GraphQLObjectType, selected: GroupedFieldSet) -> Plan:
    """How ``selected`` is had of any object of ``parent_type``."""
    made = Plan(dict.fromkeys(selected), [], [], [])
    for name, details in selected.items():
        field = schema.get_field(parent_type, details[0].node.name.value)
        attribute = field.extensions.get(_ATTRIBUTE) if field else None
        call = _call(schema, field) if field else None
        if attribute is not None:
            made.plain.append(Plain(name, attribute, details))
        elif field is not None and call is not None:
            made.resolved.append(Resolved(name, field, call, details, [each.node for each in details]))
        else:
            made.others.append(Other(name, details))
    return made


# --- attributes ---------------------------------------------------------------------------------------------


def _attribute(field: GraphQLField) -> Attribute | None:
    definition = field.extensions.get(_DEFINITION)
    nullable = not isinstance(field.type, GraphQLNonNull)
    shown = field.type.of_type if isinstance(field.type, GraphQLNonNull) else field.type
    if field.args or not isinstance(definition, StrawberryField) or not definition.is_basic_field:
        return None
    return Attribute(definition.python_name, nullable, _shower(shown)) if is_leaf_type(shown) else None


def _shower(shown: GraphQLLeafType) -> Shower:
    """The type's own, past it for what it would leave as it is or only look up."""
    coerce: Shower = shown.coerce_output_value
    if isinstance(shown, GraphQLEnumType):
        wrapped = shown.extensions[_DEFINITION].wrapped_cls
        names = {member: coerce(member) for member in wrapped}
        return lambda value: names[value] if type(value) is wrapped else coerce(value)
    if shown.name == "ID":
        return lambda value: str(value) if type(value) is UUID else coerce(value)
    if shown.name == "Int":
        return lambda value: value if type(value) is int and -(2**31) <= value < 2**31 else coerce(value)
    as_it_is = _AS_IT_IS.get(shown.name)
    return coerce if as_it_is is None else lambda value: value if type(value) is as_it_is else coerce(value)


# --- resolvers ----------------------------------------------------------------------------------------------


class Call:
    """A resolver and its arguments, which depend on the document and its variables alone."""

    __slots__ = ("_arguments", "_converter", "_definition", "_resolver")

    def __init__(
        self, definition: StrawberryField, resolver: StrawberryResolver[Any], converter: GraphQLCoreConverter
    ) -> None:
        self._definition = definition
        self._resolver = resolver
        self._converter = converter
        self._arguments: dict[str, Any] | None = None

    def __call__(self, source: Any, raw: GraphQLResolveInfo[Any], arguments: Callable[[], dict[str, Any]]) -> object:  # noqa: ANN401 - any object of the schema
        """What the resolver gives. ``arguments`` are asked for until they were understood once."""
        resolver = self._resolver
        info: Info[Any, Any] = Info(_raw_info=raw, _field=self._definition)  # Info[…] is worked out at every call
        given = dict(self._understood(arguments, info))
        if resolver.parent_parameter:
            given[resolver.parent_parameter.name] = source
        if resolver.info_parameter:
            given[resolver.info_parameter.name] = info
        return resolver(source, **given) if resolver.self_parameter else resolver(**given)

    def _understood(self, arguments: Callable[[], dict[str, Any]], info: Info[Any, Any]) -> dict[str, Any]:
        if self._arguments is None:
            self._arguments = convert_arguments(
                arguments(),
                self._definition.arguments,
                self._converter.scalar_registry,
                self._converter.config,
                info,
            )
        return self._arguments


def _call(schema: GraphQLSchema, field: GraphQLField) -> Call | None:
    definition = field.extensions.get(_DEFINITION)
    resolver = definition.base_resolver if isinstance(definition, StrawberryField) else None
    if definition is None or resolver is None or definition.is_async or definition.extensions:
        return None
    if definition.is_subscription:  # its resolver gives the stream; the event is what is shown
        return None
    return Call(definition, resolver, schema.extensions[_DEFINITION].schema_converter)
