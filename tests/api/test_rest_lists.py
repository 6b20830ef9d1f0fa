"""Pages by number: whole, in order, without overlap."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from domain.queries import FAILURE_COLUMNS, TASK_COLUMNS, VIDEO_COLUMNS
from domain.values import FailureStatus, FailureType, ResourceType, TaskStatus
from tests.builders import NOW, a_failure, a_task, a_video
from tests.rest import FAILURE_KEYS, TASK_KEYS, VIDEO_KEYS, Rest, User, running_rest
from tests.rest_paths import a_shelf, put


@pytest.fixture(scope="module")
def rest(tmp_path_factory: pytest.TempPathFactory, shared_database_url: str) -> Iterator[Rest]:
    with running_rest(tmp_path_factory.mktemp("rest"), database_url=shared_database_url) as running:
        yield running


@pytest.fixture
def user(rest: Rest) -> User:
    return rest.user()


def ids(items: list[dict[str, Any]]) -> list[str]:
    return [item["id"] for item in items]


# Sizes and numbers of pages


@pytest.mark.parametrize("sort", ["created_at:desc", "status:asc", "status:desc,priority:asc", "last_error:asc"])
def test_25_tasks(rest: Rest, user: User, sort: str) -> None:
    """Most rows are equal in what they are sorted by."""
    tasks = [a_task(user_id=user.id) for _ in range(25)]
    rest.keep(*tasks, a_task())
    pages = [user.data("GET", f"/tasks?size=10&page={page}&sort={sort}") for page in (1, 2, 3, 4)]
    assert [len(page["items"]) for page in pages] == [10, 10, 5, 0]
    assert all((page["total"], page["size"], page["pages"]) == (25, 10, 3) for page in pages)
    assert [page["page"] for page in pages] == [1, 2, 3, 4]
    seen = [each for page in pages for each in ids(page["items"])]
    assert len(seen) == len(set(seen)) == 25
    assert set(seen) == {str(task.id) for task in tasks}


def test_the_last_page_there_can_be(rest: Rest, user: User) -> None:
    rest.keep(a_task(user_id=user.id))
    assert user.data("GET", "/tasks?page=2147483647&size=100") == {
        "total": 1,
        "page": 2147483647,
        "size": 100,
        "pages": 1,
        "items": [],
    }


@pytest.mark.parametrize("path", ["/tasks", "/failures", "/videos"])
def test_nothing(user: User, path: str) -> None:
    assert user.data("GET", path) == {"total": 0, "page": 1, "size": 10, "pages": 0, "items": []}


# Order


def test_the_newest_first(rest: Rest, user: User) -> None:
    tasks = [a_task(user_id=user.id, created_at=NOW + timedelta(hours=hour)) for hour in (2, 1, 3)]
    rest.keep(*tasks)
    assert ids(user.data("GET", "/tasks")["items"]) == [str(tasks[at].id) for at in (2, 0, 1)]
    assert ids(user.data("GET", "/tasks?sort=created_at:asc")["items"]) == [str(tasks[at].id) for at in (1, 0, 2)]


def test_several_keys(rest: Rest, user: User) -> None:
    given = [(1, "b"), (2, "a"), (1, "a"), (2, "b")]
    tasks = [a_task(user_id=user.id, priority=priority, liveroom_title=title) for priority, title in given]
    rest.keep(*tasks)
    items = user.data("GET", "/tasks?sort=priority:desc,liveroom_title:asc,priority:asc")["items"]
    assert [(item["priority"], item["liveroom_title"]) for item in items] == [(2, "a"), (2, "b"), (1, "a"), (1, "b")]


@pytest.mark.parametrize(
    ("path", "keys"), [("/tasks", TASK_KEYS), ("/failures", FAILURE_KEYS), ("/videos", VIDEO_KEYS)]
)
def test_every_published_column_sorts(rest: Rest, user: User, path: str, keys: list[str]) -> None:
    put(rest, a_shelf(user))
    put(rest, a_shelf(user))
    for key in keys:
        for direction in ("asc", "desc"):
            found = user.data("GET", f"{path}?sort={key}:{direction}")["items"]
            values = [item[key] for item in found if item[key] is not None]
            assert len(found) == 2
            assert values == sorted(values, reverse=direction == "desc")


def test_the_columns_are_those_that_are_published() -> None:
    assert set(TASK_KEYS) == TASK_COLUMNS
    assert set(FAILURE_KEYS) == FAILURE_COLUMNS | {"failure_id"}
    assert set(VIDEO_KEYS) == VIDEO_COLUMNS | {"resource_type", "resource_url", "cover_url"}


def test_a_long_sort(rest: Rest, user: User) -> None:
    rest.keep(a_task(user_id=user.id))
    assert user.data("GET", f"/tasks?sort={','.join(['id:asc', 'status:desc'] * 2_500)}")["total"] == 1


# Filters


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", "abc"),
        ("status=failed", "b"),
        ("status=cancelled", ""),
        ("resource_type=mp4", "bc"),
        ("resource_type=mp4&status=completed", "c"),
        ("liveroom_id=room-b", "b"),
        ("liveroom_id=room", ""),
        ("liveroom_id=", ""),
        ("search=ROOM-", "abc"),
        ("search=100%25", "a"),
        ("search=STRASSE", ""),
        ("search=%E7%9B%B4%E6%92%AD", "c"),
        ("search=media.example", "abc"),
        ("search=_", "c"),
        ("search=%27%3B+DROP+TABLE+download_tasks%3B--", ""),
    ],
)
def test_tasks_are_found(rest: Rest, user: User, query: str, found: str) -> None:
    rest.keep(
        a_task(user_id=user.id, liveroom_id="room-a", liveroom_title="100%"),
        a_task(user_id=user.id, liveroom_id="room-b", status=TaskStatus.FAILED, resource_type=ResourceType.MP4),
        a_task(
            user_id=user.id,
            liveroom_id="room-c",
            liveroom_title="直播_c",
            status=TaskStatus.COMPLETED,
            resource_type=ResourceType.MP4,
        ),
        a_task(liveroom_id="room-x"),
    )
    page = user.data("GET", f"/tasks?{query}")
    assert {item["liveroom_id"] for item in page["items"]} == {f"room-{letter}" for letter in found}
    assert page["total"] == len(found)


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", "abc"),
        ("status=abandoned", "b"),
        ("failure_type=timeout", "bc"),
        ("status=pending&failure_type=timeout", "c"),
        ("status=retrying", ""),
    ],
)
def test_failures_are_found(rest: Rest, user: User, query: str, found: str) -> None:
    task, theirs = a_task(user_id=user.id), a_task()
    rest.keep(
        task,
        theirs,
        a_failure(task, error_message="a"),
        a_failure(task, error_message="b", failure_type=FailureType.TIMEOUT, status=FailureStatus.ABANDONED),
        a_failure(task, error_message="c", failure_type=FailureType.TIMEOUT),
        a_failure(theirs, error_message="x"),
    )
    page = user.data("GET", f"/failures?{query}")
    assert sorted(item["error_message"] for item in page["items"]) == list(found)
    assert page["total"] == len(found)


def test_videos_are_found(rest: Rest, user: User) -> None:
    tasks = [a_task(user_id=user.id, resource_type=ResourceType.MP4), a_task(user_id=user.id), a_task()]
    rest.keep(*tasks, *map(a_video, tasks))
    assert user.data("GET", "/videos")["total"] == 2
    (video,) = user.data("GET", "/videos?resource_type=mp4")["items"]
    assert (video["task_id"], video["resource_type"]) == (str(tasks[0].id), "mp4")
    assert user.data("GET", "/videos?resource_type=image")["total"] == 0


def test_a_tasks_own_failures_and_videos(rest: Rest, user: User) -> None:
    one, other = put(rest, a_shelf(user)), put(rest, a_shelf(user))
    for what, row in (("failures", one.failure), ("videos", one.video)):
        page = user.data("GET", f"/tasks/{one.task.id}/{what}")
        assert row is not None
        assert (page["total"], ids(page["items"])) == (1, [str(row.id)])
    assert user.data("GET", f"/tasks/{other.task.id}/failures")["total"] == 1
