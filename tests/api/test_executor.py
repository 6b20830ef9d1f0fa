"""Executing by plans answers what graphql-core answers, to the letter."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NoReturn
from uuid import UUID, uuid4

import orjson
import pytest
from graphql import get_introspection_query
from sqlalchemy import Engine, update
from strawberry.schema.schema import StrawberryGraphQLCoreExecutionContext
from strawberry.types.graphql import OperationType

from domain.models import DownloadTask
from domain.paging import PageRequest
from domain.queries import NEWEST_FIRST, TaskFilter
from domain.services import OpenServices
from graph.changes import Changes
from graph.context import Operation
from graph.scalars import write
from graph.schema import Schema, build_schema
from persistence.tables import tasks
from storage.keys import names_for
from tests.api.conftest import SECRET
from tests.api.test_graphql_pages import add_tasks
from web.links import Links
from web.playback_urls import PlaybackUrls

Answer = tuple[Any, list[dict[str, Any]]]

TASK = """
    id videoId liveroomId liveroomTitle liveroomUrl resourceUrl resourceType status paused progress bytesDownloaded
    bytesTotal bytesPerSecond etaSeconds segmentsDownloaded segmentsTotal isLive playbackUrl retryCount maxRetries
    priority lastError createdAt updatedAt startedAt completedAt
"""
FAILURE = """
    id taskId resourceUrl resourceType failureType errorMessage expectedPath standardName segmentIndex status retryCount
    nextRetryTime createdAt updatedAt
"""
VIDEO = """
    id videoId taskId liveroomId liveroomTitle liveroomUrl videoType videoUrl storagePath fileSize duration resolution
    format status playbackUrl coverUrl downloadStartTime downloadEndTime createdAt updatedAt
"""
OURS, REFERENCE = build_schema(), build_schema()
REFERENCE.execution_context_class = StrawberryGraphQLCoreExecutionContext
NOBODY = str(UUID(int=0))
DOCUMENTS: dict[str, tuple[str, dict[str, Any]]] = {
    "everything": (
        f"""{{
            tasks(first: 3) {{
                totalCount
                nodes {{ {TASK} failures(first: 2) {{ totalCount nodes {{ {FAILURE} }} }} video {{ {VIDEO} }} }}
            }}
            viewer {{ userId waiting bytesStored taskCounts {{ status count }} }}
        }}""",
        {},
    ),
    "there and back": (
        """{
            tasks { edges { cursor node { failures {
                pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
                edges { node { task { id video { task { id } } } } }
            } } } }
        }""",
        {},
    ),
    "aliases and fragments": (
        """query {
            a: tasks(last: 2) { ...page }
            b: tasks(first: 1) { ...page nodes { x: id } nodes { id y: id } }
        }
        fragment page on DownloadTaskConnection { __typename nodes { ... on DownloadTask { z: status id ...more } } }
        fragment more on DownloadTask {
            one: failures(first: 1) { nodes { id } }
            two: failures(last: 2) { nodes { id __typename } }
        }""",
        {},
    ),
    "variables": (
        """query ($n: Int, $f: FailureFilter, $o: TaskOrder = {field: PRIORITY}, $yes: Boolean!, $no: Boolean!) {
            tasks(first: $n, orderBy: $o) { nodes {
                id @skip(if: $yes)
                status @include(if: $yes)
                video @include(if: $no) { id }
                failures(first: $n, filter: $f) { nodes { id } }
            } }
        }""",
        {"n": 2, "f": {"status": ["PENDING"]}, "yes": True, "no": False},
    ),
    "nobody's": ("query ($id: ID!) { task(id: $id) { id } video(videoId: $id) { id } }", {"id": NOBODY}),
    "introspection": (get_introspection_query(), {}),
    "a bad argument below": ("{ tasks(first: 3) { nodes { id failures(first: 0) { nodes { id } } } } }", {}),
    "a bad cursor below": ('{ tasks(first: 3) { nodes { id failures(after: "x") { nodes { id } } } } }', {}),
    "a bad argument beside": ("{ tasks(first: 101) { nodes { id } } viewer { waiting } }", {}),
    "a null for an id": ("query ($id: ID) { task(id: $id) { id } }", {"id": None}),
    "a mutation that does nothing": (
        "mutation ($id: ID!) { startTask(id: $id) { task { id } userErrors { code message field __typename } } }",
        {"id": NOBODY},
    ),
    "mutations in a row": (
        """mutation ($id: ID!) {
            a: deleteTask(id: $id) { deletedTaskId userErrors { code field } }
            b: pauseTask(id: "x") { userErrors { code } }
        }""",
        {"id": NOBODY},
    ),
}


@dataclass(frozen=True)
class Both:
    """Answers of one user."""

    services: OpenServices
    user_id: UUID

    def answer(
        self, document: str, variables: dict[str, Any], event: DownloadTask | None = None, name: str | None = None
    ) -> Answer:
        """Data, and errors by their path: once by plans and once graphql-core's own way, without a difference."""
        first, second = (self._answer(schema, document, variables, event, name) for schema in (OURS, REFERENCE))
        assert first == second
        assert repr(first) == repr(second)  # the order too, and 1 is neither 1.0 nor true
        assert repr(self._answer(OURS, document, variables, event, name)) == repr(first)  # by plans that are kept
        return first

    def _answer(
        self, schema: Schema, document: str, variables: dict[str, Any], event: DownloadTask | None, name: str | None
    ) -> Answer:
        links = Links(SECRET, public_url="http://media.test", seconds=3600, clock=lambda: 1_750_000_000.0)
        urls, changes = PlaybackUrls(links, names_for), Changes(self._fail)
        with Operation(self.services, urls, changes, self.user_id) as operation:
            result = schema.execute_sync(
                document,
                variables,
                context_value=operation,
                root_value=event,
                operation_name=name,
                allowed_operation_types=OperationType,
            )
        errors = [dict(error.formatted) for error in result.errors or ()]
        return orjson.loads(write(result.data)), sorted(errors, key=lambda error: str(error.get("path")))

    def _fail(self) -> NoReturn:
        raise AssertionError("nothing is followed here")


@pytest.fixture(scope="module")
def both(open_services: OpenServices) -> Both:
    """Of a user with five tasks."""
    user_id = uuid4()
    add_tasks(open_services, user_id, 5, failures=3)
    return Both(open_services, user_id)


@pytest.mark.parametrize("name", DOCUMENTS)
def test_answers_are_those_of_graphql_core(both: Both, name: str) -> None:
    both.answer(*DOCUMENTS[name])


def test_a_document_that_is_asked_again_minds_its_variables(both: Both) -> None:
    document = """query ($n: Int!, $f: FailureFilter) {
        tasks(first: $n) { nodes { id failures(first: $n, filter: $f) { nodes { status } } } }
    }"""
    counts = []
    for n, status in [(1, "PENDING"), (3, "PENDING"), (2, "ABANDONED"), (1, "PENDING")]:
        data, errors = both.answer(document, {"n": n, "f": {"status": [status]}})
        counts.append([len(node["failures"]["nodes"]) for node in data["tasks"]["nodes"]])
        assert errors == []
    assert counts == [[1], [3, 3, 3], [0, 0], [1]]


def test_a_document_that_is_asked_again_minds_its_directives(both: Both) -> None:
    document = "query ($yes: Boolean!) { tasks(first: 1) { nodes { paused progress @include(if: $yes) } } }"
    shown = [both.answer(document, {"yes": yes})[0]["tasks"]["nodes"] for yes in (True, False, True)]
    assert shown == [[{"paused": False, "progress": 0.0}], [{"paused": False}], [{"paused": False, "progress": 0.0}]]


def test_one_document_may_hold_many_operations(both: Both) -> None:
    document = "query a { tasks(first: 1) { nodes { paused } } } query b { tasks(first: 2) { nodes { isLive } } }"
    asked = [both.answer(document, {}, name=name)[0]["tasks"]["nodes"] for name in ("a", "b", "a")]
    assert asked == [[{"paused": False}], [{"isLive": False}, {"isLive": False}], [{"paused": False}]]


def test_an_event_of_a_subscription_too(both: Both) -> None:
    with both.services() as services:
        task = services.tasks.list_download_tasks(both.user_id, TaskFilter(), NEWEST_FIRST, PageRequest(1)).items[0]
    document = f"subscription ($id: ID!) {{ taskChanged(id: $id) {{ {TASK} failures {{ nodes {{ id }} }} }} }}"
    data, errors = both.answer(document, {"id": str(task.id)}, task)
    assert (data["taskChanged"]["id"], errors) == (str(task.id), [])


@pytest.mark.parametrize("shared_database_url", ["sqlite"], indirect=True)  # PostgreSQL keeps no such numbers
def test_what_cannot_be_shown_is_an_error_as_there(
    database: Engine,
    open_services: OpenServices,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A count beyond 32 bits is a fault of ours: where null is allowed it is null, elsewhere its row is gone."""
    monkeypatch.setattr("graph.errors.request_id", type("Fixed", (), {"get": lambda: "-"}))
    user_id = uuid4()
    add_tasks(open_services, user_id, 3, failures=1)
    with database.begin() as connection:
        mine = tasks.c.user_id == user_id
        connection.execute(update(tasks).where(mine, tasks.c.priority == 99).values(segments_downloaded=2**31))
        connection.execute(update(tasks).where(mine, tasks.c.priority == 98).values(segments_total=2**31))

    data, errors = Both(open_services, user_id).answer(*DOCUMENTS["everything"])
    assert data is None
    assert [error["path"][2:] for error in errors] == [[0, "segmentsTotal"], [1, "segmentsDownloaded"]]
    assert {error["extensions"]["code"] for error in errors} == {"INTERNAL_SERVER_ERROR"}
    assert caplog.records
