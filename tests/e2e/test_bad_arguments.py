"""Arguments that make no sense are errors of the document: BAD_USER_INPUT at the top, and nothing is done."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import httpx
import pytest

from domain.queries import NEWEST_FIRST, SortKey
from graph.connection import encode_cursor
from tests.builders import a_task
from tests.e2e.service import Service, User

URL = "https://media.example/film.mp4"
A_TASK = {"resourceUrl": URL, "resourceType": "MP4", "liveroomId": "room-1"}
AN_ID = "0b2f7c9e-4f0d-4a53-9a52-3d1f0c3c5a77"


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with Service(tmp_path_factory.mktemp("service")) as running:
        yield running


@pytest.fixture(scope="module")
def user(service: Service) -> User:
    return service.user()


@pytest.fixture(scope="module")
def task(user: User) -> Any:
    return user.create(URL, "MP4", autoStart=False)


def codes(answer: httpx.Response) -> list[str]:
    """Of the top-level errors; an answer with them has done nothing."""
    content = answer.json()
    assert not any((content.get("data") or {}).values()), content
    assert all(error["message"] for error in content["errors"])
    return [error["extensions"]["code"] for error in content["errors"]]


# --- ids ----------------------------------------------------------------------------------------------------

NO_IDS = {
    "nothing": "",
    "a word": "x",
    "a number": 5,
    "without hyphens": AN_ID.replace("-", ""),
    "in braces": f"{{{AN_ID}}}",
    "as a URN": f"urn:uuid:{AN_ID}",
    "a space before": f" {AN_ID}",
    "a line feed behind": f"{AN_ID}\n",
    "a digit too few": AN_ID[:-1],
    "a digit too many": f"{AN_ID}7",
    "no hexadecimal digit": AN_ID.replace("0", "g"),
    "full-width digits": AN_ID.replace("0", "０"),
    "NUL": f"{AN_ID[:-1]}\0",
    "SQL": "' OR ''='",
    "long": "a" * 100_000,
}
QUERIES = {"task": "id", "failure": "id", "video": "videoId"}
BY_ID = """
    startTask pauseTask resumeTask cancelTask finishTask retryTask deleteTask updateTask retryFailure abandonFailure
""".split()
BY_TASK_ID = ["recordFailure", "abandonFailures", "recordVideo"]
INPUTS: dict[str, dict[str, Any]] = {
    "updateTask": {"priority": 1},
    "recordFailure": {
        "resourceUrl": URL,
        "resourceType": "MP4",
        "failureType": "TIMEOUT",
        "errorMessage": "lost",
        "expectedPath": "video_x/a.mp4",
    },
    "recordVideo": {"videoType": "MP4", "videoUrl": URL, "storagePath": "video_x/a.mp4", "status": "FAILED"},
}


@pytest.mark.parametrize("no_id", NO_IDS.values(), ids=NO_IDS)
def test_an_id_that_is_none(service: Service, user: User, task: Any, no_id: object) -> None:
    answers = {
        name: user.post(f"query($id: ID!) {{ {name}({argument}: $id) {{ id }} }}", {"id": no_id})
        for name, argument in QUERIES.items()
    }
    with service.unchanged():
        for name in (*BY_ID, *BY_TASK_ID):
            given = {"input": INPUTS[name]} if name in INPUTS else {}
            answers[name] = user.call(name, **{"id" if name in BY_ID else "taskId": no_id}, **given)
        answers["deleteTasks"] = user.call("deleteTasks", ids=[task["id"], no_id])
    assert {name for name, answer in answers.items() if codes(answer) != ["BAD_USER_INPUT"]} == set()


def test_an_id_in_capitals_is_one(user: User, task: Any) -> None:
    assert user.task(task["id"].upper())["id"] == task["id"]


# --- pages --------------------------------------------------------------------------------------------------

LISTS = ("tasks", "failures", "videos")
NO_PAGES: dict[str, dict[str, object]] = {
    "first 0": {"first": 0},
    "first -1": {"first": -1},
    "first 101": {"first": 101},
    "first beyond 32 bits": {"first": 2**31},
    "last 0": {"last": 0},
    "last -1": {"last": -1},
    "last 101": {"last": 101},
    "first and last": {"first": 1, "last": 1},
    "first as a text": {"first": "1"},
    "first as a fraction": {"first": 1.5},
}
A_CURSOR = encode_cursor(a_task(), NEWEST_FIRST)
NO_CURSORS = {
    "nothing": "",
    "a word": "x",
    "an id": AN_ID,
    "no base64": "é",
    "changed": A_CURSOR[:20] + ("A" if A_CURSOR[20] != "A" else "B") + A_CURSOR[21:],
    "without its checksum": A_CURSOR[4:],
    "cut": A_CURSOR[:-4],
    "a line feed behind": f"{A_CURSOR}\n",
    "of another order": encode_cursor(a_task(), (SortKey("priority"),)),
    "of the other direction": encode_cursor(a_task(), (SortKey("created_at"),)),
    "long": "A" * 100_000,
    "nested": "W1tbW1tbW1tbW1tb",
}


def page(user: User, where: str, arguments: dict[str, object]) -> httpx.Response:
    page = "(first: $first, after: $after, last: $last, before: $before) { totalCount nodes { id } }"
    wanted = f"tasks {{ nodes {{ id failures{page} }} }}" if where == "nested" else f"{where}{page}"
    return user.post(f"query($first: Int, $after: String, $last: Int, $before: String) {{ {wanted} }}", arguments)


@pytest.mark.usefixtures("task")
@pytest.mark.parametrize("where", [*LISTS, "nested"])
@pytest.mark.parametrize("arguments", NO_PAGES.values(), ids=NO_PAGES)
def test_a_page_that_is_none(user: User, where: str, arguments: dict[str, object]) -> None:
    assert codes(page(user, where, arguments)) == ["BAD_USER_INPUT"]


@pytest.mark.usefixtures("task")
@pytest.mark.parametrize("where", [*LISTS, "nested"])
@pytest.mark.parametrize("cursor", NO_CURSORS.values(), ids=NO_CURSORS)
def test_a_cursor_that_is_none(user: User, where: str, cursor: str) -> None:
    assert codes(page(user, where, {"after": cursor})) == ["BAD_USER_INPUT"]
    assert codes(page(user, where, {"last": 1, "before": cursor})) == ["BAD_USER_INPUT"]


@pytest.mark.parametrize("where", LISTS)
@pytest.mark.parametrize("arguments", [{"first": 1}, {"first": 100}, {"last": 100}, {"first": None, "after": A_CURSOR}])
def test_a_page_at_the_bounds(user: User, where: str, arguments: dict[str, object]) -> None:
    assert "errors" not in page(user, where, arguments).json()


@pytest.mark.parametrize("text", ["a\0b", "a" * 2001], ids=["NUL", "2,001 characters"])
@pytest.mark.parametrize("name", ["search", "liveroomId"])
def test_a_text_that_is_in_no_row(user: User, name: str, text: str) -> None:
    answer = user.post("query($f: TaskFilter) { tasks(filter: $f) { totalCount } }", {"f": {name: text}})
    assert codes(answer) == ["BAD_USER_INPUT"]


# --- types --------------------------------------------------------------------------------------------------

OF_ANOTHER_TYPE: dict[str, dict[str, object]] = {
    "an unknown type": {"resourceType": "FLV"},
    "a type in small letters": {"resourceType": "hls"},
    "no type": {"resourceType": None},
    "no URL": {"resourceUrl": None},
    "a number for a text": {"liveroomId": 12345},
    "a text for a number": {"priority": "50"},
    "a fraction for a number": {"priority": 1.5},
    "beyond 32 bits": {"priority": 2**31},
    "a number for a truth": {"autoStart": 1},
    "an unknown field": {"videoId": AN_ID},
    "a header without a value": {"requestHeaders": [{"name": "Referer"}]},
    "null for a header": {"requestHeaders": [None]},
}


@pytest.mark.parametrize("values", OF_ANOTHER_TYPE.values(), ids=OF_ANOTHER_TYPE)
def test_a_value_of_another_type(service: Service, user: User, values: dict[str, object]) -> None:
    with service.unchanged():
        answer = user.call("createTask", input=A_TASK | values)
    assert (answer.status_code, codes(answer)) == (400, ["BAD_USER_INPUT"])


@pytest.mark.parametrize("size", [2**63, -(2**63) - 1, 1.5, "1", True], ids=str)
def test_a_byte_count_that_is_none(service: Service, user: User, task: Any, size: object) -> None:
    with service.unchanged():
        answer = user.call("recordVideo", taskId=task["id"], input=INPUTS["recordVideo"] | {"fileSize": size})
    assert (answer.status_code, codes(answer)) == (400, ["BAD_USER_INPUT"])


@pytest.mark.parametrize("value", [r"\ud800", r"\udfff", r"\ud800x"])
def test_half_a_character(service: Service, user: User, value: str) -> None:
    """A lone surrogate is no text: the body is not JSON in UTF-8."""
    title = f'"liveroomTitle": "{value}"'
    body = (
        '{"query": "mutation($i: CreateTaskInput!) { createTask(input: $i) { task { id } } }", "variables": {"i": {'
        f'"resourceUrl": "{URL}", "resourceType": "MP4", "liveroomId": "room-1", {title}}}}}}}'
    )
    with service.unchanged():
        answer = service.http.post(
            "/graphql", content=body, headers=user.headers | {"Content-Type": "application/json"}
        )
    assert (answer.status_code, codes(answer)) == (400, ["BAD_REQUEST"])


@pytest.mark.parametrize(
    ("mutation", "items"), [("createTasks", [A_TASK] * 101), ("deleteTasks", [str(uuid4())] * 101)]
)
def test_more_than_a_hundred_at_once(service: Service, user: User, mutation: str, items: list[object]) -> None:
    with service.unchanged():
        answer = user.call(mutation, **{"inputs" if mutation == "createTasks" else "ids": items})
    assert codes(answer) == ["LIMIT_EXCEEDED"]


def test_nothing_of_this_was_a_fault_of_the_service(service: Service) -> None:
    assert service.log.read_text() == ""
