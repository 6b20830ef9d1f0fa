"""`make check` lets no breaking change pass that the CHANGELOG does not say."""

from __future__ import annotations

import pytest

from graph.schema import print_schema
from tests.contract.breaking import PUBLISHED, baselines, unsaid

BEFORE = """
directive @flag on FIELD
type Query { task(id: ID!, deep: Boolean): Task  tasks: [Task!]! }
type Task { id: ID!  status: Status  title: String }
enum Status { ON OFF }
input New { title: String }
union Any = Task | Query
"""


def _changelog(*breaking: str, below: str = "Unreleased") -> str:
    lines = "\n".join(f"- `{each}` is no more." for each in breaking)
    above = f"# Changelog\n\n## [{below}]\n\n### Added\n\n- `Task.title`\n\n### Breaking\n\n"
    return f"{above}{lines}\n\n## [0.9]\n\n- `Any`\n"


@pytest.mark.parametrize(
    ("old", "new", "coordinate"),
    [
        ("  title: String }\nenum", " }\nenum", "Task.title"),
        ("title: String }\nenum", "title: [String] }\nenum", "Task.title"),
        ("ON OFF", "ON", "Status.OFF"),
        (", deep: Boolean", "", "Query.task(deep:)"),
        ("deep: Boolean", "deep: Boolean!", "Query.task(deep:)"),
        ("tasks:", "tasks(first: Int!):", "Query.tasks(first:)"),
        ("input New { title: String }", "", "New"),
        ("input New { title", "input New { more: ID! title", "New.more"),
        ("input New { title: String }", "type New { title: String }", "New"),
        ("Task | Query", "Task", "Query"),
        ("directive @flag on FIELD", "", "@flag"),
    ],
)
def test_a_break_has_to_be_said(old: str, new: str, coordinate: str) -> None:
    after = BEFORE.replace(old, new)
    assert after != BEFORE
    (found,) = unsaid(BEFORE, after, _changelog("Task", "Task.id"))
    assert found.endswith(f"To be said: `{coordinate}`")
    assert unsaid(BEFORE, after, _changelog(coordinate)) == []
    assert len(unsaid(BEFORE, after, _changelog(coordinate, below="1.0.0"))) == 1
    assert len(unsaid(BEFORE, after, "# Changelog\n")) == 1


def test_what_is_added_breaks_nobody() -> None:
    after = (
        BEFORE.replace("status:", "more(a: Int = 1): Int  status:").replace("ON OFF", "ON OFF MAYBE")
        + "type T { a: Int }"
    )
    assert unsaid(BEFORE, after, "") == []


def test_the_schema_breaks_nothing_that_was_published() -> None:
    assert next(iter(baselines())) == ("what was published", PUBLISHED.read_text())
    assert unsaid(PUBLISHED.read_text(), print_schema(), (PUBLISHED.parents[2] / "CHANGELOG.md").read_text()) == []
