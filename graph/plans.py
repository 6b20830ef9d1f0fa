"""How the fields of a selection are had: decided once a schema or once an operation, not once an object.

Nine of ten fields of an answer are attributes of a row that need nothing but their GraphQL type, and the resolver of a
hundred rows gets the same arguments a hundred times. graphql-core and Strawberry find both out anew for each object.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from operator import itemgetter
from typing import Any, NamedTuple, TypeAlias
from uuid import UUID

from graphql import (
    FieldNode,
    GraphQLEnumType,
    GraphQLField,
    GraphQLLeafType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLOutputType,
    GraphQLResolveInfo,
    GraphQLSchema,
    ListValueNode,
    ObjectValueNode,
    ValueNode,
    VariableNode,
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

MakeInfo: TypeAlias = Callable[[], GraphQLResolveInfo[Any]]
"""Most resolvers need none, and to make one takes longer than most resolvers."""

_DEFINITION = "strawberry-definition"
_ATTRIBUTE = "attribute"
_AS_IT_IS = {"String": str, "Boolean": bool, "ID": UUID}
"""UUIDs, and instants too, stay what they are until the answer is written (graph/scalars.py)."""


class Attribute(NamedTuple):
    """What makes a field plain: it is an attribute of its object, a scalar or an enum, and takes no arguments.

    A value of the class ``as_it_is`` is shown as it is, without ``show``.
    """

    name: str
    nullable: bool
    as_it_is: type | None
    show: Shower


class Plain(NamedTuple):
    """An entry of a selection that is an attribute."""

    response_name: str
    attribute: Attribute
    details: FieldDetailsList


class Other(NamedTuple):
    """An entry that is graphql-core's own business, such as ``__typename``."""

    response_name: str
    details: FieldDetailsList


@dataclass(eq=False, slots=True)
class Resolved:
    """An entry that has a resolver.

    ``objects`` is the type of what it gives, where that is an object or a list of them (of ``item_type``). ``below``
    is how what is selected of those is had, and ``given`` the arguments, as soon as that is known; ``fixed``: no
    variable has a part in them.
    """

    response_name: str
    field: GraphQLField
    call: Call
    details: FieldDetailsList
    nodes: list[FieldNode]
    objects: GraphQLObjectType | None
    item_type: GraphQLOutputType | None
    fixed: bool
    below: Plan | None = None
    given: Mapping[str, Any] | None = None


@dataclass(eq=False, slots=True)
class Plan:
    """Of one selection on objects of ``parent_type``; ``blank`` has the response names in their order."""

    parent_type: GraphQLObjectType
    blank: dict[str, None]
    plain: list[Plain]
    resolved: list[Resolved]
    others: list[Other]
    readers: dict[type, Reader] = field(default_factory=dict)

    def read(self, source: object) -> tuple[dict[str, Any], Sequence[Plain]]:
        """The plain entries of ``source``, and those that cannot be shown, for graphql-core to say why."""
        reader = self.readers.get(type(source))
        if reader is None:
            reader = self.readers[type(source)] = Reader(self.plain, source)
        results: dict[str, Any] = dict(self.blank)
        return results, reader(source, results)


class Reader:
    """Reads plain entries of objects of one class: what lies in their ``__dict__`` at once, the rest one by one."""

    __slots__ = ("_get", "_names", "_plain", "_shown", "_single")

    def __init__(self, plain: Sequence[Plain], source: object) -> None:
        """For objects such as ``source``."""
        here = getattr(source, "__dict__", {})
        direct = [each for each in plain if each.attribute.name in here]
        self._plain = plain
        self._single = [each for each in plain if each.attribute.name not in here]
        self._names = [each.response_name for each in direct]
        keys = [each.attribute.name for each in direct]
        # With one key alone, itemgetter gives no tuple.
        self._get: Callable[[dict[str, Any]], Sequence[Any]] = itemgetter(*keys, *keys[:1]) if keys else lambda _: ()
        self._shown = [(each.response_name, *each.attribute[1:], each) for each in direct]

    def __call__(self, source: object, results: dict[str, Any]) -> Sequence[Plain]:
        """Into ``results``. Those that cannot be shown are left over."""
        left: list[Plain] = []
        try:
            results.update(zip(self._names, self._get(source.__dict__), strict=False))
        except (AttributeError, KeyError):  # one of the class that has other attributes at hand
            return _one_by_one(self._plain, source, results)
        for name, nullable, as_it_is, show, entry in self._shown:
            value = results[name]
            if type(value) is as_it_is:
                continue
            try:
                if value is not None:
                    results[name] = show(value)
                elif not nullable:
                    left.append(entry)
            except Exception:  # noqa: BLE001 - whatever it is, it comes again
                left.append(entry)
        return [*left, *_one_by_one(self._single, source, results)] if self._single else left


def _one_by_one(plain: Iterable[Plain], source: object, results: dict[str, Any]) -> list[Plain]:
    left = []
    for entry in plain:
        name, nullable, _, show = entry.attribute
        try:
            value = getattr(source, name)
            if value is not None:
                results[entry.response_name] = show(value)
            elif not nullable:
                left.append(entry)
        except Exception:  # noqa: BLE001 - whatever it is, it comes again
            left.append(entry)
    return left


def find_attributes(schema: GraphQLSchema) -> None:
    """Note in each plain field of the schema what it is."""
    for each in schema.type_map.values():
        for found in each.fields.values() if isinstance(each, GraphQLObjectType) else ():
            found.extensions[_ATTRIBUTE] = _attribute(found)


def plan(schema: GraphQLSchema, parent_type: GraphQLObjectType, selected: GroupedFieldSet) -> Plan:
    """How ``selected`` is had of any object of ``parent_type``."""
    made = Plan(parent_type, dict.fromkeys(selected), [], [], [])
    for name, details in selected.items():
        found = schema.get_field(parent_type, details[0].node.name.value)
        attribute = found.extensions.get(_ATTRIBUTE) if found else None
        call = _call(schema, found) if found else None
        if attribute is not None:
            made.plain.append(Plain(name, attribute, details))
        elif found is not None and call is not None:
            made.resolved.append(_resolved(name, found, call, details))
        else:
            made.others.append(Other(name, details))
    return made


def _resolved(name: str, found: GraphQLField, call: Call, details: FieldDetailsList) -> Resolved:
    nodes = [each.node for each in details]
    fixed = not any(_has_variable(argument.value) for argument in nodes[0].arguments or ())
    shown, item = _nullable(found.type), None
    if isinstance(shown, GraphQLList):
        item = shown.of_type
        shown = _nullable(item)
    objects = shown if isinstance(shown, GraphQLObjectType) and not shown.is_type_of else None
    return Resolved(name, found, call, details, nodes, objects, item, fixed)


def _nullable(shown: GraphQLOutputType) -> GraphQLOutputType:
    return shown.of_type if isinstance(shown, GraphQLNonNull) else shown


def _has_variable(value: ValueNode) -> bool:
    match value:
        case VariableNode():
            return True
        case ObjectValueNode():
            return any(_has_variable(each.value) for each in value.fields)
        case ListValueNode():
            return any(map(_has_variable, value.values))
    return False


# --- attributes ---------------------------------------------------------------------------------------------


def _attribute(field: GraphQLField) -> Attribute | None:
    definition = field.extensions.get(_DEFINITION)
    nullable = not isinstance(field.type, GraphQLNonNull)
    shown = _nullable(field.type)
    if field.args or not isinstance(definition, StrawberryField) or not definition.is_basic_field:
        return None
    if not is_leaf_type(shown):
        return None
    return Attribute(definition.python_name, nullable, _AS_IT_IS.get(shown.name), _shower(shown))


def _shower(shown: GraphQLLeafType) -> Shower:
    """The type's own, past it for what it would leave as it is or only look up."""
    coerce: Shower = shown.coerce_output_value
    if isinstance(shown, GraphQLEnumType):
        wrapped = shown.extensions[_DEFINITION].wrapped_cls
        return {member: coerce(member) for member in wrapped}.__getitem__
    if shown.name == "DateTime":
        return lambda value: value if type(value) is datetime and value.tzinfo is UTC else coerce(value)
    if shown.name == "Int":
        return lambda value: value if type(value) is int and -(2**31) <= value < 2**31 else coerce(value)
    return coerce


# --- resolvers ----------------------------------------------------------------------------------------------


class Call:
    """A resolver: its arguments depend on the document and its variables alone."""

    __slots__ = ("_converter", "_definition", "_resolver")

    def __init__(
        self, definition: StrawberryField, resolver: StrawberryResolver[Any], converter: GraphQLCoreConverter
    ) -> None:
        self._definition = definition
        self._resolver = resolver
        self._converter = converter

    def __call__(self, source: Any, info: MakeInfo, given: Mapping[str, Any]) -> object:  # noqa: ANN401 - any object of the schema
        """What the resolver gives; ``given`` are its arguments, understood."""
        resolver, arguments = self._resolver, dict(given)
        if resolver.parent_parameter:
            arguments[resolver.parent_parameter.name] = source
        if resolver.info_parameter:
            arguments[resolver.info_parameter.name] = self._info(info)
        return resolver(source, **arguments) if resolver.self_parameter else resolver(**arguments)

    def understood(self, raw: dict[str, Any], info: MakeInfo) -> Mapping[str, Any]:
        """The arguments as the resolver takes them."""
        definition, converter = self._definition, self._converter
        if not raw:
            return {}
        return convert_arguments(
            raw, definition.arguments, converter.scalar_registry, converter.config, self._info(info)
        )

    def _info(self, raw: MakeInfo) -> Info[Any, Any]:
        return Info(_raw_info=raw(), _field=self._definition)  # Info[…] is worked out at every call


def _call(schema: GraphQLSchema, field: GraphQLField) -> Call | None:
    definition = field.extensions.get(_DEFINITION)
    resolver = definition.base_resolver if isinstance(definition, StrawberryField) else None
    if definition is None or resolver is None or definition.is_async or definition.extensions:
        return None
    if definition.is_subscription:  # its resolver gives the stream; the event is what is shown
        return None
    return Call(definition, resolver, schema.extensions[_DEFINITION].schema_converter)
