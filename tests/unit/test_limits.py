"""What a document may ask; hostile ones are refused, and fast."""

from __future__ import annotations

import time
from types import SimpleNamespace

import pytest
from graphql import GraphQLError, get_introspection_query, parse, validate

from graph.documents import reader
from graph.limits import PLANNED_FIELDS, check_document, check_variables, parse_within_limits
from graph.schema import build_schema

SCHEMA = build_schema()


def nested(depth: int) -> str:
    """So many fields deep, the leaf included."""
    pairs = (depth - 2) // 2
    return "{ task(id: 1) " + "{ video { task " * pairs + "{ id " + "}" * (2 * pairs) + "} }"


def fragments(*bodies: str) -> str:
    """F0, F1, … on DownloadTask."""
    return " ".join(f"fragment F{number} on DownloadTask {{ {body} }}" for number, body in enumerate(bodies))


def refusal(document: str) -> str:
    """The message of the refusal, or nothing."""
    try:
        check_document(parse(document))
    except GraphQLError as error:
        return f"{(error.extensions or {})['code']}: {error.message}"
    return ""


@pytest.mark.parametrize(
    ("within", "beyond", "message"),
    [
        (nested(12), nested(14), "LIMIT_EXCEEDED: The operation is more than 12 fields deep."),
        (
            "{ viewer { " + " ".join(f"a{n}: waiting" for n in range(30)) + " } }",
            "{ viewer { " + " ".join(f"a{n}: waiting" for n in range(31)) + " } }",
            "LIMIT_EXCEEDED: The operation has more than 30 aliases.",
        ),
        (
            "{ " + "viewer { waiting } " * 20 + "}",
            "{ " + "viewer { waiting } " * 21 + "}",
            "LIMIT_EXCEEDED: The operation has more than 20 root fields.",
        ),
        (
            "{ task(id: 1) { " + "video { id } " * 199 + "} }",
            "{ task(id: 1) { " + "video { id } " * 200 + "} }",
            "LIMIT_EXCEEDED: The document has more than 200 fields with fields of their own.",
        ),
        (
            "mutation { createTask(input: {" + "a: 1 " * 30 + "}) { task { id } } }",
            "mutation { createTask(input: {" + "a: 1 " * 31 + "}) { task { id } } }",
            "LIMIT_EXCEEDED: An input object has more than 30 fields.",
        ),
        (
            "{ __schema { types { name } } }",
            "{ __schema { types { name } } __schema { types { name } } }",
            "LIMIT_EXCEEDED: The operation asks for __schema or __type too often.",
        ),
        (
            "{ " + '__type(name: "ID") { name } ' * 5 + "}",
            "{ " + '__type(name: "ID") { name } ' * 6 + "}",
            "LIMIT_EXCEEDED: The operation asks for __schema or __type too often.",
        ),
        (
            "{ __schema { types " + "{ ofType " * 17 + "{ name }" + "}" * 18 + " }",
            "{ __schema { types " + "{ ofType " * 18 + "{ name }" + "}" * 19 + " }",
            "LIMIT_EXCEEDED: Introspection is more than 20 fields deep.",
        ),
    ],
)
def test_each_limit(within: str, beyond: str, message: str) -> None:
    assert (refusal(within), refusal(beyond)) == ("", message)


def test_what_a_fragment_holds_counts_at_every_spread() -> None:
    eleven = fragments(" ".join(f"a{n}: id" for n in range(11)))
    two, three = ("{ " + " ".join(f"x{n}: task(id: 1) {{ ...F0 }}" for n in range(k)) + " } " for k in (2, 3))
    assert refusal(two + eleven) == ""
    assert refusal(three + eleven) == "LIMIT_EXCEEDED: The operation has more than 30 aliases."


def test_depth_is_counted_through_fragments() -> None:
    deep = fragments(*(f"video {{ task {{ ...F{number + 1} }} }}" for number in range(5)), "id")
    assert refusal("{ task(id: 1) { ...F0 } } " + deep) == ""
    deeper = fragments(*(f"video {{ task {{ ...F{number + 1} }} }}" for number in range(6)), "id")
    assert (
        refusal("{ task(id: 1) { ...F0 } } " + deeper) == "LIMIT_EXCEEDED: The operation is more than 12 fields deep."
    )


@pytest.mark.parametrize(
    "document",
    [
        "mutation { createTasks(inputs: [{}, {a: [{%s}]}]) { task { id } } }",
        "query ($a: CreateTaskInput = {%s}) { viewer { waiting } }",
        "{ viewer { waiting } } fragment F on Query { tasks(filter: {%s}) { totalCount } }",
    ],
)
def test_input_objects_are_found_wherever_they_are(document: str) -> None:
    assert refusal(document % ("a: 1 " * 30)) == ""
    assert refusal(document % ("a: 1 " * 31)) == "LIMIT_EXCEEDED: An input object has more than 30 fields."


def test_every_operation_of_the_document_is_measured() -> None:
    assert refusal("query A { viewer { waiting } } query B " + nested(14)) == (
        "LIMIT_EXCEEDED: The operation is more than 12 fields deep."
    )


def test_every_standard_introspection_query_passes() -> None:
    documents = [
        get_introspection_query(),
        get_introspection_query(
            specified_by_url=True,
            directive_is_repeatable=True,
            schema_description=True,
            input_value_deprecation=True,
            one_of=True,
        ),
    ]
    for document in documents:
        result = SCHEMA.execute_sync(document, context_value=SimpleNamespace())
        assert result.errors is None


@pytest.mark.parametrize("inner", [[0] * 5_000, dict.fromkeys(map(str, range(5_000))), [[0] * 4_999]])
def test_the_values_of_variables_are_counted(inner: object) -> None:
    check_variables({"a": inner, "b": [0] * 4_998})
    with pytest.raises(GraphQLError, match="hold more than 10000 values"):
        check_variables({"a": inner, "b": [0] * 4_999})


DOUBLING = "{ task(id: 1) { ...F0 } } " + fragments(*(f"...F{n + 1} ...F{n + 1}" for n in range(150)), "x: id")
HOSTILE = {
    "doubling fragments": DOUBLING,
    "doubling fields": "{ task(id: 1) { ...F0 } } "
    + fragments(
        *(f"video {{ task {{ ...F{n + 1} }} }} failures {{ nodes {{ task {{ ...F{n + 1} }} }} }}" for n in range(50)),
        "id",
    ),
    "a circle": "{ task(id: 1) { ...F0 } } " + fragments("...F1", "...F0"),
    "a circle through a field": "{ task(id: 1) { ...F0 } } " + fragments("video { task { ...F0 } }"),
    "a chain": "{ task(id: 1) { ...F0 } } " + fragments(*(f"...F{n + 1}" for n in range(240)), "id"),
    "nesting": "{ viewer " * 990,
    "nested lists": "{ task(id: " + "[" * 1900,
    "nested types": "query A($a: " + "[" * 1900,
    "nested inline fragments": "{ " + "... { " * 900 + "viewer { waiting } " + "} " * 901,
    "tokens": "{ " + "viewer " * 2_000 + "}",
    "a comment": "#" + "x" * 5_000_000 + "\n{ viewer { waiting } }",
    "many comments": "#\n" * 8_000 + "{ viewer { waiting } }",
    "aliases": "{ " + " ".join(f"a{n}: viewer {{ waiting }}" for n in range(330)) + " }",
    "repeated objects": "{ task(id: 1) { " + "video { id } " * 480 + "} }",
    "repeated objects in a fragment that nobody uses": "{ viewer { waiting } } " + fragments("video { id } " * 480),
    "unknown input fields": "mutation { createTask(input: {"
    + " ".join(f"a{n}: 1" for n in range(600))
    + "}) { task { id } } }",
    "unknown names": "{ " + " ".join(f"field{n}" for n in range(1_500)) + " }",
}


@pytest.mark.parametrize("document", HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_document_is_refused_within_a_second(document: str) -> None:
    start = time.perf_counter()
    result = SCHEMA.execute_sync(document)
    assert time.perf_counter() - start < 1
    assert result.data is None
    assert {(error.extensions or {})["code"] for error in result.errors or ()} <= {
        "LIMIT_EXCEEDED",
        "GRAPHQL_PARSE_FAILED",
        "GRAPHQL_VALIDATION_FAILED",
    }


LEGAL_AND_LARGE = {
    "repeated fields": "{ viewer { " + "waiting " * 1_900 + "} }",
    "repeated objects": "{ task(id: 1) { " + "video { id } " * 199 + "} }",
    "many fragments": "{ viewer { "
    + " ".join(f"...F{n}" for n in range(150))
    + " } } "
    + " ".join(f"fragment F{n} on Viewer {{ userId waiting bytesStored }}" for n in range(150)),
    "unknown input fields": "mutation { createTask(input: {"
    + " ".join(f"a{n}: 1" for n in range(29))
    + " more: ["
    + "1 " * 1_800
    + "]}) { task { id } } }",
    "unused variables": "query (" + " ".join(f"$v{n}: ID" for n in range(480)) + ") { viewer { waiting } }",
    "many directives": "{ viewer { waiting " + "@skip(if: false) " * 270 + "} }",
}


@pytest.mark.parametrize("document", LEGAL_AND_LARGE.values(), ids=LEGAL_AND_LARGE)
def test_validating_what_the_limits_let_through_takes_less_than_a_second(document: str) -> None:
    start = time.thread_time()  # CPU seconds: the machine may be busy with other tests
    validate(SCHEMA._schema, parse_within_limits(document).node)
    assert time.thread_time() - start < 1


def test_a_document_is_parsed_once_while_it_is_in_use() -> None:
    read = reader(SCHEMA._schema, introspection=True)
    assert read("{ viewer { waiting } }") is read("{ viewer { waiting } }")


def test_plans_are_kept_of_documents_that_select_little_wherever_fragments_lead() -> None:
    read = reader(SCHEMA._schema, introspection=True)
    once = "fragment F on DownloadTask {" + "id " * PLANNED_FIELDS + "}"
    twice = "fragment F on DownloadTask {" + "id " * (PLANNED_FIELDS // 2) + "}"
    assert read("{ task(id: 1) { ...F } } " + twice).plans == {}
    assert read("{ task(id: 1) { ...F } } " + once).plans is None
    assert read("{ a: task(id: 1) { ...F } b: task(id: 1) { ...F } } " + twice).plans is None


def test_the_size_is_counted_in_bytes() -> None:
    with pytest.raises(GraphQLError, match="larger than 16 KiB"):
        parse_within_limits("{ viewer { waiting } } #" + "é" * 8 * 1024)
