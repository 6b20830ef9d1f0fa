"""What is refused, and how: real HTTP in front of the real application."""

from __future__ import annotations

import json
import logging
import re
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, NoReturn
from uuid import uuid4

import httpx
import pytest
from graphql import get_introspection_query

from domain.errors import DatabaseError
from domain.services import OpenServices, Services
from tests.api.conftest import AUTH, THREADS, Api, serve

QUESTION = {"query": "{ viewer { userId } }"}
GRAPHQL_JSON = "application/graphql-response+json"
CREATE = """
    mutation ($input: CreateTaskInput!) {
        createTask(input: $input) { task { id } userErrors { code message field } }
    }
"""
TASK = {"resourceUrl": "https://example.com/a.mp4", "resourceType": "MP4", "liveroomId": "room-1"}


def post(api: Api, **request: Any) -> httpx.Response:
    """Signed in, and otherwise as told."""
    return api.client.post("/graphql", **{"headers": api.headers(), **request})


def body(api: Api, content: bytes | Iterator[bytes], **headers: str) -> httpx.Response:
    """Exactly these bytes."""
    return post(api, content=content, headers={**api.headers(), "Content-Type": "application/json", **headers})


def how(answer: httpx.Response) -> tuple[int, str]:
    """Status and code of a refusal; there is no data."""
    content = answer.json()
    assert list(content) == ["errors"]
    return answer.status_code, content["errors"][0]["extensions"]["code"]


# --- signing in ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("authorization", [None, "", "Basic abc", "Bearer", "Bearer x.y.z"])
def test_without_a_valid_token_nothing_is_read(api: Api, authorization: str | None) -> None:
    headers = {"Authorization": authorization} if authorization is not None else {}
    for content in (b'{"query": "{ viewer { userId } }"}', b"not even JSON"):
        answer = api.client.post("/graphql", content=content, headers=headers)
        assert how(answer) == (401, "UNAUTHENTICATED")
        assert answer.headers["www-authenticate"] == "Bearer"


def test_an_expired_token_says_so(api: Api) -> None:
    token = AUTH.make_development_token(api.user_id, -1)
    answer = api.client.post("/graphql", json=QUESTION, headers={"Authorization": f"Bearer {token}"})
    assert how(answer) == (401, "UNAUTHENTICATED")
    assert answer.json()["errors"][0]["message"] == "The token has expired: sign in again."


# --- the request --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "content",
    [b"", b"null", b"7", b'"x"', b"[]", b'[{"query": "{ viewer { userId } }"}]', b"{", b"\xff\xfe", b"{}", b"NaN"],
)
def test_a_body_that_is_no_request_is_refused(api: Api, content: bytes) -> None:
    assert how(body(api, content)) == (400, "BAD_REQUEST")


@pytest.mark.parametrize(
    "member",
    [
        {"query": 7},
        {"query": ""},
        {"query": None},
        {"operationName": 7},
        {"variables": "{}"},
        {"variables": []},
        {"extensions": 7},
    ],
)
def test_a_member_of_the_wrong_type_is_refused(api: Api, member: dict[str, Any]) -> None:
    assert how(post(api, json=QUESTION | member)) == (400, "BAD_REQUEST")


def test_deep_json_is_refused(api: Api) -> None:
    deep = b"[" * 100_000 + b"]" * 100_000
    assert how(body(api, b'{"query": "{ viewer { userId } }", "variables": ' + deep + b"}")) == (400, "BAD_REQUEST")
    known = {
        "query": "query ($id: ID!) { task(id: $id) { id } }",
        "variables": {"id": json.loads("[" * 900 + "]" * 900)},
    }
    assert how(post(api, json=known)) == (400, "BAD_USER_INPUT")


def test_a_large_body_is_refused_before_it_is_read(api: Api) -> None:
    sent = 0

    def endless() -> Iterator[bytes]:
        nonlocal sent
        while sent < 2**30:
            sent += 2**16
            yield b" " * 2**16

    try:
        assert how(body(api, endless())) == (413, "BAD_REQUEST")
    except httpx.WriteError:  # the server has hung up before it was all sent
        assert sent < 2**26
    assert how(body(api, b" " * (2**20 + 1))) == (413, "BAD_REQUEST")


@pytest.mark.parametrize(
    "content_type",
    ["", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "application/graphql"],
)
def test_other_media_types_are_refused(api: Api, content_type: str) -> None:
    assert how(body(api, json.dumps(QUESTION).encode(), **{"Content-Type": content_type})) == (415, "BAD_REQUEST")


def test_other_charsets_are_refused(api: Api) -> None:
    content = json.dumps(QUESTION).encode()
    assert how(body(api, content, **{"Content-Type": "application/json; charset=utf-16"})) == (415, "BAD_REQUEST")
    assert body(api, content, **{"Content-Type": "application/json; charset=UTF-8"}).status_code == 200


@pytest.mark.parametrize("accept", ["application/json", ""])
def test_operations_by_get_are_refused(api: Api, accept: str) -> None:
    for document in ("{ viewer { userId } }", "mutation { startTask(id: 1) { task { id } } }"):
        answer = api.client.get("/graphql", params={"query": document}, headers={"Accept": accept})
        assert how(answer) == (405, "BAD_REQUEST")
        assert answer.headers["allow"] == "POST"


# --- the answer ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("accept", "media_type", "unrunnable"),
    [
        (GRAPHQL_JSON, GRAPHQL_JSON, 400),
        (f"{GRAPHQL_JSON}, application/json;q=0.9", GRAPHQL_JSON, 400),
        (f"application/json;q=0.9, {GRAPHQL_JSON}; charset=utf-8", GRAPHQL_JSON, 400),
        (f"{GRAPHQL_JSON};q=0.5, application/json", "application/json", 200),
        ("application/json", "application/json", 200),
        ("application/json; charset=utf-8", "application/json", 200),
        ("*/*", "application/json", 400),
        ("application/*", "application/json", 400),
        ("", "application/json", 400),
        ("text/html, */*;q=0.1", "application/json", 400),
        ("application/json;q=0, */*", GRAPHQL_JSON, 400),
    ],
)
def test_media_type_and_status_follow_accept(api: Api, accept: str, media_type: str, unrunnable: int) -> None:
    headers = {**api.headers(), "Accept": accept}
    good, bad = (post(api, json={"query": text}, headers=headers) for text in ("{ viewer { userId } }", "{"))
    assert [answer.headers["content-type"] for answer in (good, bad)] == [f"{media_type}; charset=utf-8"] * 2
    assert (good.status_code, bad.status_code) == (200, unrunnable)
    assert good.json() == {"data": {"viewer": {"userId": str(api.user_id)}}}
    assert list(bad.json()) == ["errors"]


@pytest.mark.parametrize("accept", ["text/html", "image/png, text/plain", "application/json;q=0", "x;q=nonsense"])
def test_what_cannot_be_answered_is_not_run(api: Api, accept: str) -> None:
    answer = post(
        api, json={"query": CREATE, "variables": {"input": TASK}}, headers={**api.headers(), "Accept": accept}
    )
    assert how(answer) == (406, "BAD_REQUEST")
    assert api.data("{ tasks { totalCount } }") == {"tasks": {"totalCount": 0}}


def test_answers_carry_their_headers(api: Api) -> None:
    answer = post(api, json=QUESTION, headers={**api.headers(), "X-Request-ID": "my-own.id_1"})
    assert answer.headers["x-request-id"] == "my-own.id_1"
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["x-content-type-options"] == "nosniff"
    made = post(api, json=QUESTION, headers={**api.headers(), "X-Request-ID": "x" * 65}).headers["x-request-id"]
    assert re.fullmatch(r"[0-9a-f]{32}", made)


# --- the document -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("request_members", "code"),
    [
        ({"query": "{ viewer { } }"}, "GRAPHQL_PARSE_FAILED"),
        ({"query": "{ nothing }"}, "GRAPHQL_VALIDATION_FAILED"),
        ({"query": '{ tasks(filter: { createdAfter: "yesterday" }) { totalCount } }'}, "GRAPHQL_VALIDATION_FAILED"),
        ({"query": "query A { viewer { userId } } query B { viewer { waiting } }"}, "GRAPHQL_VALIDATION_FAILED"),
        ({"query": "query A { viewer { userId } }", "operationName": "B"}, "GRAPHQL_VALIDATION_FAILED"),
        ({"query": "fragment A on Viewer { userId }"}, "GRAPHQL_VALIDATION_FAILED"),
        ({"query": "subscription { nothing }"}, "GRAPHQL_VALIDATION_FAILED"),
        ({"query": "query ($n: Int) { tasks(first: $n) { totalCount } }", "variables": {"n": 2**40}}, "BAD_USER_INPUT"),
        ({"query": "query ($n: Int!) { tasks(first: $n) { totalCount } }"}, "BAD_USER_INPUT"),
        ({"query": CREATE, "variables": {"input": TASK | {"resourceType": "GIF"}}}, "BAD_USER_INPUT"),
        ({"query": "{ viewer { userId } }" + " " * 16_384}, "LIMIT_EXCEEDED"),
        ({"query": "{" + " viewer { waiting }" * 21 + "}"}, "LIMIT_EXCEEDED"),
    ],
)
def test_what_cannot_run_says_why(api: Api, request_members: dict[str, Any], code: str) -> None:
    assert how(post(api, json=request_members)) == (400, code)


def test_the_named_operation_runs(api: Api) -> None:
    document = "query A { viewer { userId } } query B { viewer { waiting } }"
    answer = post(api, json={"query": document, "operationName": "B"})
    assert answer.json() == {"data": {"viewer": {"waiting": 0}}}


@pytest.mark.parametrize(
    "field",
    [
        'task(id: "1") { id }',
        'failure(id: "{0b2f7c9e-4f0d-4a53-9a52-3d1f0c3c5a77}") { id }',
        'video(videoId: "0b2f7c9e4f0d4a539a523d1f0c3c5a77") { id }',
        "tasks(first: 0) { totalCount }",
        "failures(first: 101) { totalCount }",
        "videos(first: 1, last: 1) { totalCount }",
        'tasks(after: "nonsense") { totalCount }',
        'tasks(filter: { search: "\\u0000" }) { totalCount }',
    ],
)
def test_arguments_that_make_no_sense_are_bad_input(api: Api, field: str) -> None:
    assert api.codes(f"{{ {field} }}") == ["BAD_USER_INPUT"]


@pytest.mark.parametrize(
    "field",
    [
        'startTask(id: "1") { task { id } }',
        'abandonFailures(taskId: "1") { abandonedCount }',
        'retryFailure(id: "1") { failure { id } }',
        'deleteTasks(ids: ["0b2f7c9e-4f0d-4a53-9a52-3d1f0c3c5a77", "1"]) { deletedTaskId }',
    ],
)
def test_malformed_ids_of_mutations_are_bad_input(api: Api, field: str) -> None:
    assert api.codes(f"mutation {{ {field} }}") == ["BAD_USER_INPUT"]


def test_unknown_ids_are_null_or_not_found(api: Api) -> None:
    unknown = str(uuid4())
    document = "query ($id: ID!) { task(id: $id) { id } failure(id: $id) { id } video(videoId: $id) { id } }"
    assert api.data(document, id=unknown) == {"task": None, "failure": None, "video": None}
    start = "mutation ($id: ID!) { startTask(id: $id) { task { id } userErrors { code message field } } }"
    error = {"code": "NOT_FOUND", "message": "There is no such task.", "field": ["id"]}
    assert api.data(start, id=unknown) == {"startTask": {"task": None, "userErrors": [error]}}


# --- user errors --------------------------------------------------------------------------------------------


def test_every_fault_of_an_input_is_named_with_its_path(api: Api) -> None:
    faulty = {"liveroomId": "room", "priority": 101, "requestHeaders": [{"name": "Host", "value": "x"}]}
    created = api.data(CREATE, input=TASK | faulty)["createTask"]
    assert created["task"] is None
    assert [(error["code"], error["field"]) for error in created["userErrors"]] == [
        ("INVALID", ["input", "liveroomId"]),
        ("INVALID", ["input", "priority"]),
        ("INVALID", ["input", "requestHeaders", "0", "name"]),
    ]
    assert api.data("{ tasks { totalCount } }") == {"tasks": {"totalCount": 0}}


def test_a_bad_item_stops_no_other(api: Api) -> None:
    document = """
        mutation ($inputs: [CreateTaskInput!]!) {
            createTasks(inputs: $inputs) { task { liveroomId } userErrors { code field } }
        }
    """
    inputs = [TASK, TASK | {"liveroomId": "x"}, TASK | {"liveroomId": "room-3"}]
    assert api.data(document, inputs=inputs)["createTasks"] == [
        {"task": {"liveroomId": "room-1"}, "userErrors": []},
        {"task": None, "userErrors": [{"code": "INVALID", "field": ["inputs", "1", "liveroomId"]}]},
        {"task": {"liveroomId": "room-3"}, "userErrors": []},
    ]
    assert api.codes(document, {"inputs": [TASK] * 101}) == ["LIMIT_EXCEEDED"]
    assert api.data("{ tasks { totalCount } }") == {"tasks": {"totalCount": 2}}


def test_what_the_state_forbids_names_the_row(api: Api) -> None:
    task_id = api.data(CREATE, input=TASK)["createTask"]["task"]["id"]
    document = "mutation ($id: ID!) { resumeTask(id: $id) { task { id } userErrors { code field } } }"
    assert api.data(document, id=task_id)["resumeTask"] == {
        "task": None,
        "userErrors": [{"code": "CONFLICT", "field": ["id"]}],
    }
    deleted = api.data(
        "mutation ($ids: [ID!]!) { deleteTasks(ids: $ids) { deletedTaskId userErrors { code field } } }",
        ids=[task_id, task_id],
    )
    assert deleted["deleteTasks"] == [
        {"deletedTaskId": task_id, "userErrors": []},
        {"deletedTaskId": None, "userErrors": [{"code": "NOT_FOUND", "field": ["ids", "1"]}]},
    ]


def test_a_null_is_no_value_for_what_must_have_one(api: Api) -> None:
    task_id = api.data(CREATE, input=TASK | {"liveroomTitle": "Evening"})["createTask"]["task"]["id"]
    document = """
        mutation ($id: ID!, $input: UpdateTaskInput!) {
            updateTask(id: $id, input: $input) { task { liveroomTitle priority } userErrors { code field } }
        }
    """
    for name in ("resourceUrl", "priority", "maxRetries"):
        assert api.data(document, id=task_id, input={name: None, "liveroomTitle": "Night"})["updateTask"] == {
            "task": None,
            "userErrors": [{"code": "INVALID", "field": ["input", name]}],
        }
    assert api.data(document, id=task_id, input={"priority": 7})["updateTask"]["task"] == {
        "liveroomTitle": "Evening",
        "priority": 7,
    }
    assert api.data(document, id=task_id, input={"liveroomTitle": None})["updateTask"]["task"] == {
        "liveroomTitle": None,
        "priority": 7,
    }


# --- faults of ours -----------------------------------------------------------------------------------------


class Broken:
    """Services of a day when nothing works."""

    def __getattr__(self, name: str) -> NoReturn:
        if name == "videos":
            raise DatabaseError("SELECT secret FROM somewhere")
        raise ZeroDivisionError("the secret is 42")


@contextmanager
def open_broken() -> Iterator[Services]:
    """See ``Broken``."""
    yield Broken()  # type: ignore[misc]  # what breaks need not be a Services


@pytest.mark.parametrize(
    "document",
    ["{ viewer { waiting } }", "{ videos { totalCount } }", CREATE],
    ids=["a bug", "the database", "a mutation"],
)
def test_a_fault_of_ours_is_masked_and_logged(document: str, caplog: pytest.LogCaptureFixture) -> None:
    with serve(open_broken) as client:
        answer = post(Api(client), json={"query": document, "variables": {"input": TASK}})
    (error,) = answer.json()["errors"]
    assert (answer.status_code, answer.json()["data"]) == (200, None)
    assert error["message"] == "Something went wrong on our side. Give the request id when you report it."
    assert error["extensions"] == {
        "code": "INTERNAL_SERVER_ERROR",
        "requestId": answer.headers["x-request-id"],
    }
    assert "secret" not in answer.text
    (record,) = [record for record in caplog.records if record.name.startswith("graph")]
    assert answer.headers["x-request-id"] in record.getMessage()
    assert record.exc_info is not None
    assert type(record.exc_info[1]) in (ZeroDivisionError, DatabaseError)


def test_mistakes_of_clients_are_not_logged_as_ours(api: Api, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    for document in ("{", "{ nothing }", '{ task(id: "1") { id } }', "{ tasks(first: 0) { totalCount } }"):
        post(api, json={"query": document})
    assert caplog.records == []


# --- the explorer, introspection, other origins -------------------------------------------------------------


def test_who_leaves_in_the_middle_of_a_request_is_no_fault_of_ours(
    open_services: OpenServices, caplog: pytest.LogCaptureFixture
) -> None:
    with serve(open_services) as client:
        api = Api(client)
        token, url = api.headers()["Authorization"], client.base_url
        head = f"POST /graphql HTTP/1.1\r\nHost: {url.host}\r\nAuthorization: {token}\r\n"
        with socket.create_connection((url.host, url.port or 80)) as leaving:
            leaving.sendall(f'{head}Content-Type: application/json\r\nContent-Length: 99\r\n\r\n{{"query":'.encode())
        api.data("{ viewer { userId } }")
    assert [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR] == []


def test_operations_are_in_the_description_of_the_paths(api: Api) -> None:
    described = api.client.get("/openapi.json", headers=api.headers()).json()["paths"]
    assert set(described["/graphql"]) == {"get", "post"}


def test_the_explorer_page_needs_no_token(api: Api) -> None:
    page = api.client.get("/graphql", headers={"Accept": "text/html"})
    assert (page.status_code, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert "__schema" in api.data(get_introspection_query())


def test_without_the_explorer_the_schema_is_not_told(open_services: OpenServices) -> None:
    with serve(open_services, graphiql=False) as client:
        api = Api(client)
        assert client.get("/graphql", headers={"Accept": "text/html"}).status_code == 404
        assert set(api.codes("{ __schema { queryType { name } } }", status=400)) == {"GRAPHQL_VALIDATION_FAILED"}
        for document in (
            "{ viewr { userId } }",
            "{ tasks(fist: 1) { totalCount } }",
            "{ tasks(orderBy: {field: PRIO}) { totalCount } }",
        ):
            assert "Did you mean" not in json.dumps(api.ask(document, status=400))
        assert api.data("{ __typename viewer { userId } }")["__typename"] == "Query"


def test_only_known_origins_may_read(open_services: OpenServices) -> None:
    with serve(open_services, cors_origins=("https://app.example",)) as client:
        asked = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization"}
        known, unknown = (
            client.options("/graphql", headers={"Origin": origin, **asked})
            for origin in ("https://app.example", "https://evil.example")
        )
    assert known.headers["access-control-allow-origin"] == "https://app.example"
    assert "access-control-allow-origin" not in unknown.headers


# --- slow operations ----------------------------------------------------------------------------------------


def test_operations_that_wait_hold_nobody_up(open_services: OpenServices) -> None:
    waiting, gate = threading.Semaphore(0), threading.Event()

    @contextmanager
    def open_when_told() -> Iterator[Services]:
        waiting.release()
        assert gate.wait(10)
        with open_services() as services:
            yield services

    with serve(open_when_told) as client, ThreadPoolExecutor(THREADS + 1) as users:
        answers = [users.submit(Api(client).data, "{ viewer { waiting } }") for _ in range(THREADS + 1)]
        for _ in range(THREADS):
            assert waiting.acquire(timeout=10)
        assert client.get("/health").json() == {"status": "ok"}
        assert client.get("/ready").json() == {"status": "ok", "parts": {"database": "ok", "storage": "ok"}}
        assert not waiting.acquire(blocking=False)  # the last has no thread yet
        gate.set()
        assert [answer.result() for answer in answers] == [{"viewer": {"waiting": 0}}] * (THREADS + 1)
