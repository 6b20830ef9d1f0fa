"""What one document may ask, measured in one linear pass before validation.

Each fragment is measured once, however often it is spread, and its measure is counted at every spread; a fragment
that reaches itself counts nothing there and is refused by validation. Validation and execution are costly on hostile
documents, this is not.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple, cast

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    InlineFragmentNode,
    ListValueNode,
    ObjectValueNode,
    OperationDefinitionNode,
    SelectionNode,
    SelectionSetNode,
    ValueNode,
    parse,
)

from graph.errors import limit_exceeded

MAX_BYTES = 16 * 1024
MAX_TOKENS = 2_000
MAX_DEPTH = 12
MAX_INTROSPECTION_DEPTH = 20
MAX_ALIASES = 30
MAX_ROOT_FIELDS = 20
MAX_OBJECTS = 200
"""Fields with fields of their own. Validation compares each pair that may have to be merged: 480 took 1.2 s."""
MAX_INPUT_FIELDS = 30
"""Of one input object in the document. Validation prints the whole object for each field it does not know: 600 took
0.4 s of CPU."""
MAX_VALUES = 10_000
"""In the variables: items and members. Coercing a mebibyte of nulls took 1.5 s; 100 tasks with 20 headers are 7,200."""
MAX_SCHEMAS = 1
MAX_TYPES = 5

CACHED_DOCUMENTS = 64
"""A document of 2,000 tokens takes 1.2 MB when parsed."""
PLANNED_FIELDS = 500
"""Of documents that select more, no plans are kept. Fragments that are spread often select 80,000: plans of 4 MB."""


@dataclass(slots=True)
class Measure:
    """Of a selection set. Depths count fields, the leaf included. ``selected`` are its fields and all below."""

    depth: int = 0
    introspection_depth: int = 0
    aliases: int = 0
    objects: int = 0
    input_fields: int = 0
    fields: int = 0
    selected: int = 0
    schemas: int = 0
    types: int = 0

    def add(self, other: Measure) -> None:
        """Put a selection beside the others."""
        self.depth = max(self.depth, other.depth)
        self.introspection_depth = max(self.introspection_depth, other.introspection_depth)
        self.aliases += other.aliases
        self.objects += other.objects
        self.input_fields = max(self.input_fields, other.input_fields)
        self.fields += other.fields
        self.selected += other.selected
        self.schemas += other.schemas
        self.types += other.types

    def costs(self) -> Iterator[str]:
        """What is too much to validate, in words."""
        if self.objects > MAX_OBJECTS:
            yield f"The document has more than {MAX_OBJECTS} fields with fields of their own."

        if self.input_fields > MAX_INPUT_FIELDS:
            yield f"An input object has more than {MAX_INPUT_FIELDS} fields."

    def excesses(self) -> Iterator[str]:
        """What is too much for an operation, in words."""
        yield from self.costs()
        if self.depth > MAX_DEPTH:
            yield f"The operation is more than {MAX_DEPTH} fields deep."
        if self.introspection_depth > MAX_INTROSPECTION_DEPTH:
            yield f"Introspection is more than {MAX_INTROSPECTION_DEPTH} fields deep."
        if self.aliases > MAX_ALIASES:
            yield f"The operation has more than {MAX_ALIASES} aliases."
        if self.fields > MAX_ROOT_FIELDS:
            yield f"The operation has more than {MAX_ROOT_FIELDS} root fields."
        if self.schemas > MAX_SCHEMAS or self.types > MAX_TYPES:
            yield "The operation asks for __schema or __type too often."


class _Measuring:
    def __init__(self, document: DocumentNode) -> None:
        self._fragments = {
            node.name.value: node for node in document.definitions if isinstance(node, FragmentDefinitionNode)
        }
        self._measured: dict[str, Measure] = {}

    def of(self, selection_set: SelectionSetNode | None) -> Measure:
        total = Measure()
        for selection in selection_set.selections if selection_set else ():
            total.add(self._of_selection(selection))
        return total

    def _of_selection(self, selection: SelectionNode) -> Measure:
        match selection:
            case FieldNode():
                return self._of_field(selection)
            case InlineFragmentNode():
                return self.of(selection.selection_set)
            case FragmentSpreadNode():
                return self._of_fragment(selection.name.value)
        raise AssertionError(selection)

    def _of_field(self, node: FieldNode) -> Measure:
        name, inner = node.name.value, self.of(node.selection_set)
        introspects = name in ("__schema", "__type")
        return Measure(
            depth=1 if introspects else inner.depth + 1,
            introspection_depth=inner.depth + 1 if introspects else inner.introspection_depth,
            aliases=inner.aliases + (node.alias is not None),
            objects=inner.objects + (node.selection_set is not None),
            input_fields=max(inner.input_fields, *(_input_fields(each.value) for each in node.arguments or ()), 0),
            fields=1,
            selected=inner.selected + 1,
            schemas=inner.schemas + (name == "__schema"),
            types=inner.types + (name == "__type"),
        )

    def _of_fragment(self, name: str) -> Measure:
        if name not in self._measured:
            self._measured[name] = Measure()  # what it counts within itself
            fragment = self._fragments.get(name)
            self._measured[name] = self.of(fragment.selection_set if fragment else None)
        return self._measured[name]


def _input_fields(value: ValueNode) -> int:
    """Of the largest object within a value, itself included."""
    match value:
        case ObjectValueNode():
            return max(len(value.fields), *(_input_fields(each.value) for each in value.fields), 0)
        case ListValueNode():
            return max((_input_fields(each) for each in value.values), default=0)
    return 0


class Measured(NamedTuple):
    """A document within the limits, and how many fields its operations select, wherever fragments lead them."""

    node: DocumentNode
    selected: int


def check_document(document: DocumentNode) -> Measured:
    """Raises a GraphQLError with the code LIMIT_EXCEEDED."""
    measuring, selected = _Measuring(document), 0
    for node in document.definitions:
        if isinstance(node, OperationDefinitionNode | FragmentDefinitionNode):
            measure = measuring.of(node.selection_set)
            defaults = [each.default_value for each in node.variable_definitions or () if each.default_value]
            measure.input_fields = max(measure.input_fields, *map(_input_fields, defaults), 0)
            # A fragment that no operation spreads is validated all the same.
            excesses = measure.excesses() if isinstance(node, OperationDefinitionNode) else measure.costs()
            for message in excesses:
                raise limit_exceeded(message)
            selected += measure.selected if isinstance(node, OperationDefinitionNode) else 0
    return Measured(document, selected)


def check_variables(variables: Mapping[str, object]) -> None:
    """Raises a GraphQLError with the code LIMIT_EXCEEDED."""
    counted, left = 0, [cast("object", variables)]
    while left:
        value = left.pop()
        inner = list(value.values()) if isinstance(value, dict) else value if isinstance(value, list) else []
        counted += len(inner)
        if counted > MAX_VALUES:
            raise limit_exceeded(f"The variables hold more than {MAX_VALUES} values.")
        left += inner


def parse_within_limits(source: str) -> Measured:
    """The parsed document. Raises a GraphQLError when it is too large or not GraphQL."""
    if len(source.encode()) > MAX_BYTES:
        raise limit_exceeded(f"The document is larger than {MAX_BYTES // 1024} KiB.")
    document = parse(source, max_lexical_tokens=MAX_TOKENS, max_comments=MAX_TOKENS, allow_empty_selection_sets=False)
    try:
        return check_document(document)
    except RecursionError:
        raise limit_exceeded("The document is nested too deeply.") from None
