"""What breaks clients is said in the CHANGELOG, or `make check` fails: python -m tests.contract.breaking.

Breaking is what graphql-core finds to be so. The schema that the code prints is compared with three others:

    published.graphql       beside this file: schema.graphql at the last release, which copies it here
    HEAD                    schema.graphql as last committed
    the branch's beginning  schema.graphql where this branch left origin/main

Where git has no answer (a tarball, no remote, a shallow clone), the first one has to do. A change is said when the
section "Breaking", under "Unreleased", names its coordinate in backticks, as in `DownloadTask.progress`,
`Query.tasks(first:)` or `TaskOrder`.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from graphql import GraphQLSchema, build_schema
from graphql.utilities import BreakingChange, find_schema_changes

from graph.schema import print_schema

ROOT = Path(__file__).parents[2]
PUBLISHED = Path(__file__).with_name("published.graphql")

_COORDINATE = re.compile(r"@?[_A-Za-z]\w*(?:\.\w+)?(?:\(\w+:\))?")


def unsaid(before: str, after: str, changelog: str) -> list[str]:
    """What would break a client of ``before`` and is not said, in words. Both are SDL."""
    old, said = build_schema(before), _said(changelog)
    changes = find_schema_changes(old, build_schema(after))
    broken = [change.description for change in changes if isinstance(change, BreakingChange)]
    return [f"{what} To be said: `{name}`" for what in broken if (name := _coordinate(what, old)) not in said]


def _coordinate(description: str, schema: GraphQLSchema) -> str:
    """Of the element that a description speaks of: a member rather than its type, a directive, a type."""
    found: list[str] = _COORDINATE.findall(description)
    members = [each for each in found if "." in each or each.startswith("@")]
    return (members or [each for each in found if each in schema.type_map])[0]


def _said(changelog: str) -> set[str]:
    said = _section("Breaking", 3, _section(r"\[Unreleased\]", 2, changelog))
    return set(re.findall(r"`([^`]+)`", said))


def _section(title: str, level: int, text: str) -> str:
    """What stands under a heading, to the next one that is not below it."""
    found = re.search(rf"^#{{{level}}} {title}\n(.*?)(?=^#{{1,{level}}} |\Z)", text, re.MULTILINE | re.DOTALL)
    return found[1] if found else ""


def baselines() -> Iterator[tuple[str, str]]:
    """Name and SDL of what the schema is compared with."""
    yield "what was published", PUBLISHED.read_text()
    for name, commit in {"HEAD": "HEAD", "origin/main": _git("merge-base", "HEAD", "origin/main").strip()}.items():
        if commit and (committed := _git("show", f"{commit}:schema.graphql")):
            yield name, committed


def _git(*arguments: str) -> str:
    """Nothing where git has no answer."""
    git = shutil.which("git")
    command = [git or "git", "-C", str(ROOT), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout if git else ""


def main() -> int:
    """1 when something is unsaid."""
    now, changelog = print_schema(), (ROOT / "CHANGELOG.md").read_text()
    found = {what: name for name, before in baselines() for what in unsaid(before, now, changelog)}
    for what, name in found.items():
        print(f"schema.graphql breaks clients of {name}: {what}", file=sys.stderr)  # noqa: T201 - its answer
    if found:
        print('CHANGELOG.md, "Unreleased", "Breaking" has to say so.', file=sys.stderr)  # noqa: T201 - its answer
    return bool(found)


if __name__ == "__main__":
    sys.exit(main())
