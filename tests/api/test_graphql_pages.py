"""Pages over the real database: their order, their ends, and how many statements they cost."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import Engine, event

from domain.inputs import NewFailure, NewTask, NewVideo
from domain.services import OpenServices
from domain.values import FailedResourceType, FailureType, ResourceType, VideoStatus
from graph import context
from tests.api.conftest import Api

TASKS = """
    query ($first: Int, $after: String, $last: Int, $before: String, $orderBy: TaskOrder, $filter: TaskFilter) {
        tasks(first: $first, after: $after, last: $last, before: $before, orderBy: $orderBy, filter: $filter) {
            nodes { liveroomId }
            edges { cursor node { liveroomId } }
            pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
        }
    }
"""


def add_tasks(open_services: OpenServices, user_id: UUID, number: int, *, failures: int = 0) -> None:
    """room-00, room-01, … with priorities that fall, each with failures and a video."""
    with open_services() as services:
        for index in range(number):
            room, url = f"room-{index:02d}", f"https://example.com/{index}.m3u8"
            task = services.tasks.create_download_task(
                user_id, NewTask(url, ResourceType.HLS, room, priority=100 - index)
            )
            folder = f"video_{task.video_id}"
            for piece in range(failures):
                lost = NewFailure(url, FailedResourceType.TS, FailureType.TIMEOUT, "stalled", f"{folder}/{piece}.ts")
                services.failures.create_download_failure(user_id, task.id, lost)
            services.videos.create_downloaded_video(
                user_id, task.id, NewVideo(ResourceType.HLS, url, f"{folder}/hls", VideoStatus.COMPLETED)
            )


def rooms(page: dict[str, Any]) -> list[str]:
    """The rooms of a page; nodes and edges agree."""
    assert [edge["node"] for edge in page["edges"]] == page["nodes"]
    return [node["liveroomId"] for node in page["nodes"]]


def ends(page: dict[str, Any]) -> tuple[bool, bool]:
    """Whether there is more before and after; the cursors are those of the outer rows."""
    info, cursors = page["pageInfo"], [edge["cursor"] for edge in page["edges"]] or [None]
    assert (info["startCursor"], info["endCursor"]) == (cursors[0], cursors[-1])
    return info["hasPreviousPage"], info["hasNextPage"]


@contextmanager
def statements(database: Engine) -> Iterator[list[str]]:
    """What is selected meanwhile."""
    seen: list[str] = []

    def note(_: object, __: object, statement: str, *___: object) -> None:
        seen.extend([statement] if statement.startswith(("SELECT", "WITH")) else [])

    event.listen(database, "before_cursor_execute", note)
    yield seen
    event.remove(database, "before_cursor_execute", note)


def test_pages_lead_forward_and_back(api: Api, open_services: OpenServices) -> None:
    add_tasks(open_services, api.user_id, 5)
    first = api.data(TASKS, first=2)["tasks"]
    second = api.data(TASKS, first=2, after=first["pageInfo"]["endCursor"])["tasks"]
    third = api.data(TASKS, first=2, after=second["pageInfo"]["endCursor"])["tasks"]
    assert [rooms(page) for page in (first, second, third)] == [
        ["room-04", "room-03"],
        ["room-02", "room-01"],
        ["room-00"],
    ]
    assert [ends(page) for page in (first, second, third)] == [(False, True), (True, True), (True, False)]
    back = api.data(TASKS, last=2, before=third["pageInfo"]["startCursor"])["tasks"]
    assert rooms(back) == ["room-02", "room-01"]
    assert rooms(api.data(TASKS, last=2)["tasks"]) == ["room-01", "room-00"]


def test_an_empty_page_has_no_ends(api: Api) -> None:
    page = api.data(TASKS)["tasks"]
    assert (rooms(page), ends(page)) == ([], (False, False))


def test_an_order_is_kept_and_its_cursors_are_its_own(api: Api, open_services: OpenServices) -> None:
    add_tasks(open_services, api.user_id, 3)
    rising = {"field": "PRIORITY", "direction": "ASC"}
    page = api.data(TASKS, orderBy=rising, first=2)["tasks"]
    assert rooms(page) == ["room-02", "room-01"]
    after = page["pageInfo"]["endCursor"]
    assert rooms(api.data(TASKS, orderBy=rising, after=after)["tasks"]) == ["room-00"]
    for other in ({"field": "PRIORITY"}, {"field": "CREATED_AT", "direction": "ASC"}, None):
        assert api.codes(TASKS, {"orderBy": other, "after": after}) == ["BAD_USER_INPUT"]


def test_filters_narrow_and_absent_ones_do_not(api: Api, open_services: OpenServices) -> None:
    add_tasks(open_services, api.user_id, 3)
    assert rooms(api.data(TASKS, filter={"liveroomId": "room-01"})["tasks"]) == ["room-01"]
    assert rooms(api.data(TASKS, filter={"status": ["PENDING"], "resourceType": None})["tasks"])[-1] == "room-00"
    assert rooms(api.data(TASKS, filter={"status": []})["tasks"]) == []
    assert rooms(api.data(TASKS, filter={"search": "EXAMPLE.com/2"})["tasks"]) == ["room-02"]


@pytest.mark.parametrize("first", [1, 30])
def test_children_cost_one_statement_a_level(
    api: Api, open_services: OpenServices, database: Engine, first: int
) -> None:
    add_tasks(open_services, api.user_id, first, failures=3)
    document = """
        query ($first: Int) {
            tasks(first: $first) {
                nodes { id ...pieces ... @include(if: true) { video { id task { liveroomId } } } }
            }
        }
        fragment pieces on DownloadTask { failures(first: 2) { nodes { id task { id } } pageInfo { hasNextPage } } }
    """
    with statements(database) as seen:
        nodes = api.data(document, first=first)["tasks"]["nodes"]
    assert len(seen) == 4  # tasks, failures, videos, and the tasks that failures and videos lead back to
    assert [len(node["failures"]["nodes"]) for node in nodes] == [2] * first
    assert {node["failures"]["pageInfo"]["hasNextPage"] for node in nodes} == {True}
    assert all(lost["task"]["id"] == node["id"] for node in nodes for lost in node["failures"]["nodes"])
    assert [node["video"]["task"]["liveroomId"] for node in nodes] == [f"room-{n:02d}" for n in reversed(range(first))]


def test_a_query_reads_at_one_moment(api: Api, open_services: OpenServices, database: Engine) -> None:
    add_tasks(open_services, api.user_id, 2, failures=1)
    begun: list[object] = []
    note = begun.append
    event.listen(database, "begin", note)
    api.data("{ tasks { totalCount nodes { failures { totalCount } video { id } } } viewer { waiting bytesStored } }")
    event.remove(database, "begin", note)
    assert len(begun) == 1


def test_each_set_of_arguments_is_read_apart(api: Api, open_services: OpenServices, database: Engine) -> None:
    add_tasks(open_services, api.user_id, 3, failures=3)
    document = """{
        tasks { nodes {
            one: failures(first: 1) { nodes { id } }
            two: failures(first: 2) { nodes { id } pageInfo { endCursor } }
            abandoned: failures(filter: { status: [ABANDONED] }) { nodes { id } }
        } }
    }"""
    with statements(database) as seen:
        nodes = api.data(document)["tasks"]["nodes"]
    assert len(seen) == 4
    assert [[len(node[name]["nodes"]) for name in ("one", "two", "abandoned")] for node in nodes] == [[1, 2, 0]] * 3
    after = nodes[0]["two"]["pageInfo"]["endCursor"]
    rest = api.data(f'{{ tasks(first: 1) {{ nodes {{ failures(after: "{after}") {{ nodes {{ id }} }} }} }} }}')
    assert len(rest["tasks"]["nodes"][0]["failures"]["nodes"]) == 1


def test_the_whole_is_counted_only_when_asked(api: Api, open_services: OpenServices, database: Engine) -> None:
    add_tasks(open_services, api.user_id, 2, failures=1)
    with statements(database) as seen:
        api.data("{ tasks(first: 1) { nodes { id } } }")
        assert len(seen) == 1
        counted = api.data("{ tasks(first: 1) { totalCount } failures(first: 1) { totalCount } }")
    assert counted == {"tasks": {"totalCount": 2}, "failures": {"totalCount": 2}}


def test_a_mutation_shows_what_it_changed(api: Api, open_services: OpenServices) -> None:
    add_tasks(open_services, api.user_id, 1, failures=2)
    lost = api.data("{ failures { nodes { id } } }")["failures"]["nodes"]
    answers = api.data(
        """mutation ($a: ID!, $b: ID!) {
            a: abandonFailure(id: $a) { failure { ...open } }
            b: abandonFailure(id: $b) { failure { ...open } }
        }
        fragment open on DownloadFailure {
            task { failures(filter: { status: [PENDING] }) { totalCount nodes { id } } }
        }
        """,
        a=lost[0]["id"],
        b=lost[1]["id"],
    )
    assert [answers[name]["failure"]["task"]["failures"] for name in "ab"] == [
        {"totalCount": 1, "nodes": [{"id": lost[1]["id"]}]},
        {"totalCount": 0, "nodes": []},
    ]


def test_an_answer_that_grows_beyond_all_measure_is_refused(
    api: Api, open_services: OpenServices, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_tasks(open_services, api.user_id, 3, failures=3)
    monkeypatch.setattr(context, "MAX_ROWS", 11)
    assert api.codes("{ tasks { nodes { failures { nodes { id } } } } }") == ["LIMIT_EXCEEDED"]
    monkeypatch.setattr(context, "MAX_ROWS", 12)
    api.data("{ tasks { nodes { failures { nodes { id } } } } }")


@pytest.mark.parametrize(
    "child",
    [
        "failuresWithin(pieces: { first: 0, last: 9 }) { nodes { id } }",
        "failures { totalCount }",
        "failures(last: 1) { nodes { id } }",
    ],
)
def test_what_is_read_for_one_row_alone_has_bounds(
    api: Api, open_services: OpenServices, monkeypatch: pytest.MonkeyPatch, child: str
) -> None:
    """Else ten thousand rows with thirty aliases each would be a million statements."""
    add_tasks(open_services, api.user_id, 1, failures=3)
    document = f"{{ tasks {{ nodes {{ failures {{ nodes {{ task {{ {child} }} }} }} }} }} }}"
    monkeypatch.setattr(context, "MAX_SINGLE_READS", 2)
    assert api.codes(document) == ["LIMIT_EXCEEDED"]
    monkeypatch.setattr(context, "MAX_SINGLE_READS", 3)
    api.data(document)


def test_strangers_have_nothing(api: Api, stranger: Api, open_services: OpenServices) -> None:
    add_tasks(open_services, api.user_id, 2, failures=1)
    cursor = api.data(TASKS, first=1)["tasks"]["pageInfo"]["endCursor"]
    assert rooms(stranger.data(TASKS, after=cursor)["tasks"]) == []
    assert stranger.data("{ failures { totalCount } videos { totalCount } viewer { bytesStored } }") == {
        "failures": {"totalCount": 0},
        "videos": {"totalCount": 0},
        "viewer": {"bytesStored": 0},
    }


def test_the_viewer_sees_all_six_states(api: Api, open_services: OpenServices) -> None:
    add_tasks(open_services, api.user_id, 2)
    viewer = api.data("{ viewer { userId taskCounts { status count } waiting } }")["viewer"]
    assert viewer == {
        "userId": str(api.user_id),
        "taskCounts": [
            {"status": "PENDING", "count": 2},
            {"status": "PROCESSING", "count": 0},
            {"status": "COMPLETED", "count": 0},
            {"status": "PARTIAL_COMPLETED", "count": 0},
            {"status": "FAILED", "count": 0},
            {"status": "CANCELLED", "count": 0},
        ],
        "waiting": 0,
    }
