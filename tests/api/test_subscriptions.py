"""Subscriptions, and operations over WebSocket: a real socket in front of the real application."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import jwt
import pytest
from sqlalchemy import Engine
from websockets.exceptions import InvalidStatus

from domain.services import OpenServices, Services
from graph import websocket
from graph.changes import Changes
from persistence.unit_of_work import uow_factory
from tests.api.conftest import AUTH, SECRET, THREADS, Api, serve
from tests.api.test_graphql_errors import open_broken
from tests.subscriber import Subscriber, event_stream, subscriber

CREATE = """
    mutation ($input: CreateTaskInput!) { createTask(input: $input) { task { id } userErrors { code message field } } }
"""
UPDATE = "mutation ($id: ID!, $priority: Int) { updateTask(id: $id, input: {priority: $priority}) { task { id } } }"
FOLLOW = "subscription ($id: ID!) { taskChanged(id: $id) { id status priority } }"
FOLLOW_ALL = "subscription { tasksChanged { id status priority } }"
TASK = {"resourceUrl": "https://example.com/a.mp4", "resourceType": "MP4", "liveroomId": "room-1"}


@pytest.fixture
def socket(api: Api) -> Iterator[Subscriber]:
    """Of the user of ``api``, signed in."""
    with connected(api) as socket:
        yield socket.sign_in(token(api))


@contextmanager
def connected(api: Api, **options: Any) -> Iterator[Subscriber]:
    with subscriber(str(api.client.base_url), **options) as socket:
        yield socket


def token(api: Api) -> str:
    return AUTH.make_development_token(api.user_id, 30)


def short_token(api: Api) -> str:
    """It expires within two seconds."""
    return jwt.encode({"user_id": str(api.user_id), "exp": int(time.time()) + 2}, SECRET)


def create(api: Api, **more: object) -> str:
    """The id of a new task."""
    task_id: str = api.data(CREATE, input={**TASK, **more})["createTask"]["task"]["id"]
    return task_id


def move(api: Api, mutation: str, task_id: str) -> None:
    api.data(f"mutation ($id: ID!) {{ {mutation}(id: $id) {{ userErrors {{ code }} }} }}", id=task_id)


def state(task_id: str, status: str = "PENDING", priority: int = 50) -> dict[str, Any]:
    """What FOLLOW tells of a task."""
    return {"taskChanged": {"id": task_id, "status": status, "priority": priority}}


# --- taskChanged --------------------------------------------------------------------------------------------


def test_the_task_now_then_its_changes_to_its_end(api: Api, socket: Subscriber) -> None:
    task_id = create(api)
    socket.subscribe(FOLLOW, id=task_id)
    assert socket.next() == state(task_id)
    api.data(UPDATE, id=task_id, priority=7)
    assert socket.next() == state(task_id, priority=7)
    move(api, "startTask", task_id)
    assert socket.next() == state(task_id, "PROCESSING", 7)
    move(api, "cancelTask", task_id)
    assert socket.until_complete() == [state(task_id, "CANCELLED", 7)]
    socket.subscribe(FOLLOW, id=task_id)  # the id is free again; the task is at rest already
    assert socket.until_complete() == [state(task_id, "CANCELLED", 7)]


def test_it_completes_when_the_task_is_deleted(api: Api, socket: Subscriber) -> None:
    task_id = create(api)
    socket.subscribe(FOLLOW, id=task_id)
    socket.next()
    move(api, "deleteTask", task_id)
    assert socket.until_complete() == []


@pytest.mark.parametrize("transport", ["WebSocket", "Server-Sent Events"])
def test_what_is_not_mine_was_never_there(api: Api, stranger: Api, transport: str) -> None:
    def asked(task_id: str) -> list[Any]:
        if transport == "WebSocket":
            with connected(stranger) as socket:
                return socket.sign_in(token(stranger)).ask(FOLLOW, id=task_id)
        with event_stream(stranger.client, token(stranger), FOLLOW, id=task_id) as events:
            return list(events)

    theirs = asked(create(api))
    assert theirs == asked(str(uuid4()))
    errors = [{"message": "There is no such task.", "extensions": {"code": "NOT_FOUND"}}]
    if transport == "WebSocket":
        assert theirs == [{"id": "1", "type": "error", "payload": errors}]
    else:
        assert theirs == [("next", {"errors": errors}), ("complete", None)]


@pytest.mark.parametrize("task_id", ["", "7", "not-a-uuid", "0b2f7c9e4f0d4a539a523d1f0c3c5a77"])
def test_a_malformed_id_is_bad_input(socket: Subscriber, task_id: str) -> None:
    (message,) = socket.ask(FOLLOW, id=task_id)
    assert (message["type"], [error["extensions"] for error in message["payload"]]) == (
        "error",
        [{"code": "BAD_USER_INPUT"}],
    )


def test_what_belongs_to_a_task_comes_along(api: Api, socket: Subscriber) -> None:
    task_id = create(api)
    folder = f"video_{api.data('query ($id: ID!) { task(id: $id) { videoId } }', id=task_id)['task']['videoId']}"
    failure = {
        "resourceUrl": "https://example.com/0.ts",
        "resourceType": "TS",
        "failureType": "TIMEOUT",
        "errorMessage": "lost",
        "expectedPath": f"{folder}/0.ts",
    }
    record = (
        "mutation ($id: ID!, $input: RecordFailureInput!) { recordFailure(taskId: $id, input: $input) { __typename } }"
    )
    api.data(record, id=task_id, input=failure)
    follow = """
        subscription ($id: ID!) {
            taskChanged(id: $id) {
                playbackUrl video { id }
                failures(first: 1) { totalCount nodes { errorMessage task { id } } }
            }
        }
    """
    socket.subscribe(follow, id=task_id)
    nodes = [{"errorMessage": "lost", "task": {"id": task_id}}]
    failures = {"totalCount": 1, "nodes": nodes}
    assert socket.next() == {"taskChanged": {"playbackUrl": None, "video": None, "failures": failures}}


def test_the_latest_state_at_most_four_times_a_second(api: Api, socket: Subscriber) -> None:
    task_id = create(api)
    rename = "mutation ($id: ID!, $to: String) { updateTask(id: $id, input: {liveroomTitle: $to}) { task { id } } }"
    socket.subscribe("subscription ($id: ID!) { taskChanged(id: $id) { liveroomTitle } }", id=task_id)
    moments, titles = [time.monotonic()], [socket.next()["taskChanged"]["liveroomTitle"] or "0"]

    def rename_often() -> None:
        for number in range(1, 251):
            api.data(rename, id=task_id, to=str(number))

    with ThreadPoolExecutor(1) as beside:
        renamed = beside.submit(rename_often)
        while titles[-1] != "250":
            titles.append(socket.next()["taskChanged"]["liveroomTitle"])
            moments.append(time.monotonic())
        renamed.result()
    assert [*map(int, titles)] == sorted(set(map(int, titles)))
    assert all(later - earlier >= 1 for earlier, later in zip(moments, moments[4:], strict=False))


# --- tasksChanged -------------------------------------------------------------------------------------------


def test_all_my_tasks_and_nobody_elses(api: Api, stranger: Api, socket: Subscriber) -> None:
    waiting, pending = create(api, autoStart=True), create(api)
    create(stranger, autoStart=True)
    socket.subscribe(FOLLOW_ALL)
    assert socket.next()["tasksChanged"] == {"id": waiting, "status": "PROCESSING", "priority": 50}
    create(stranger)
    api.data(UPDATE, id=pending, priority=1)
    assert socket.next()["tasksChanged"] == {"id": pending, "status": "PENDING", "priority": 1}
    new = create(api)
    assert socket.next()["tasksChanged"] == {"id": new, "status": "PENDING", "priority": 50}
    move(api, "deleteTask", new)
    move(api, "cancelTask", waiting)
    assert socket.next()["tasksChanged"] == {"id": waiting, "status": "CANCELLED", "priority": 50}


# --- queries and mutations over WebSocket -------------------------------------------------------------------

DEEP = "{ tasks { nodes " + "{ failures { nodes { task " * 5 + "{ id }" + " } } }" * 5 + " } }"


@pytest.mark.parametrize(
    ("document", "variables"),
    [
        ("{ viewer { userId waiting } tasks { totalCount nodes { status failures { totalCount } } } }", {}),
        (CREATE, {"input": {**TASK, "liveroomId": ""}}),
        ('{ task(id: "1") { id } viewer { userId } }', {}),
        ("{", {}),
        ("{ nothing }", {}),
        ("query ($id: ID!) { task(id: $id) { id } }", {}),
        ("query A { viewer { userId } } query B { viewer { userId } }", {}),
        (DEEP, {}),
        (f"{{ viewer {{ userId }} }} #{'x' * 20_000}", {}),
        (f"{{ {' '.join(f'a{n}: __typename' for n in range(31))} }}", {}),
    ],
    ids=["fine", "userErrors", "a field", "syntax", "unknown", "variable", "ambiguous", "deep", "large", "aliases"],
)
def test_operations_are_answered_as_over_http(
    api: Api, socket: Subscriber, document: str, variables: dict[str, Any]
) -> None:
    request = {"query": document, "variables": variables}
    answer = api.client.post("/graphql", json=request, headers=api.headers()).json()
    messages = socket.ask(document, **variables)
    if "data" in answer:
        assert messages == [{"id": "1", "type": "next", "payload": answer}, {"id": "1", "type": "complete"}]
    else:
        assert messages == [{"id": "1", "type": "error", "payload": answer["errors"]}]


def test_a_mutation_over_websocket_is_done(api: Api, socket: Subscriber) -> None:
    answer, complete = socket.ask(CREATE, input=TASK)
    assert complete == {"id": "1", "type": "complete"}
    task_id = answer["payload"]["data"]["createTask"]["task"]["id"]
    assert api.data("{ tasks { nodes { id } } }") == {"tasks": {"nodes": [{"id": task_id}]}}


def test_faults_of_ours_are_masked_and_logged(caplog: pytest.LogCaptureFixture) -> None:
    with serve(open_broken) as client:
        api = Api(client)
        with connected(api) as socket:
            socket.sign_in(token(api))
            (answer, _), (refusal,) = socket.ask("{ viewer { waiting } }"), socket.ask(FOLLOW_ALL)
    for error in (answer["payload"]["errors"][0], refusal["payload"][0]):
        assert error["message"] == "Something went wrong on our side. Give the request id when you report it."
        assert error["extensions"]["code"] == "INTERNAL_SERVER_ERROR"
        request_id = error["extensions"]["requestId"]
        assert any(request_id in record.getMessage() for record in caplog.records if record.name == "graph.errors")


@dataclass
class Gate:
    """Services that open when told to; whoever waits for them has a thread."""

    open_services: OpenServices
    waiting: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))
    opened: threading.Event = field(default_factory=threading.Event)

    @contextmanager
    def __call__(self) -> Iterator[Services]:
        self.waiting.release()
        assert self.opened.wait(10)
        with self.open_services() as services:
            yield services


def test_operations_that_wait_hold_nobody_up(open_services: OpenServices) -> None:
    gate = Gate(open_services)
    with serve(gate) as client:
        api = Api(client)
        with connected(api) as socket:
            socket.sign_in(token(api))
            for name in map(str, range(THREADS)):
                socket.subscribe("{ viewer { waiting } }", name)
                assert gate.waiting.acquire(timeout=10)
            assert client.get("/health").json() == {"status": "ok"}
            socket.send("ping")
            assert socket.receive() == {"type": "pong"}
            gate.opened.set()
            messages = [socket.receive() for _ in range(2 * THREADS)]
    answered = [message["payload"] for message in messages if message["type"] == "next"]
    assert answered == [{"data": {"viewer": {"waiting": 0}}}] * THREADS


def test_what_was_given_up_is_not_answered_under_an_id_that_is_used_again(open_services: OpenServices) -> None:
    gate = Gate(open_services)
    with serve(gate) as client:
        api = Api(client)
        with connected(api) as socket:
            socket.sign_in(token(api)).subscribe("{ viewer { waiting } }")
            assert gate.waiting.acquire(timeout=10)
            socket.send("complete", id="1")
            socket.send("ping")
            assert socket.receive() == {"type": "pong"}
            gate.opened.set()
            socket.subscribe("{ viewer { bytesStored } }")
            assert socket.until_complete() == [{"viewer": {"bytesStored": 0}}]


# --- who asks -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "payload",
    [
        {},
        {"payload": None},
        {"payload": {}},
        {"payload": {"Authorization": 7}},
        {"payload": {"Authorization": "Bearer x.y.z"}},
        {"payload": {"Authorization": "Bearer " + jwt.encode({"user_id": str(uuid4()), "exp": 1}, SECRET)}},
        {"payload": {"token": "x"}},
    ],
)
def test_without_a_valid_token_the_socket_is_closed(api: Api, payload: dict[str, Any]) -> None:
    with connected(api) as socket:
        socket.send("connection_init", **payload)
        assert socket.closed() == (4403, "Forbidden")


def test_the_name_of_the_header_has_no_case(api: Api) -> None:
    with connected(api) as socket:
        socket.send("connection_init", payload={"authorization": f"bearer {token(api)}"})
        assert socket.receive() == {"type": "connection_ack"}


def test_the_socket_is_closed_when_the_token_expires(api: Api) -> None:
    with connected(api) as socket:
        socket.sign_in(short_token(api)).subscribe(FOLLOW_ALL)
        assert socket.closed() == (4401, "The token has expired")


def test_an_event_stream_ends_when_the_token_expires(api: Api) -> None:
    task_id = create(api)
    with event_stream(api.client, short_token(api), FOLLOW, id=task_id) as events:
        message = "The token has expired: sign in again."
        assert list(events) == [
            ("next", {"data": state(task_id)}),
            ("next", {"errors": [{"message": message, "extensions": {"code": "UNAUTHENTICATED"}}]}),
            ("complete", None),
        ]


@pytest.mark.parametrize(("origin", "status"), [("https://app.example", 101), ("https://evil.example", 403)])
def test_pages_of_known_origins_alone_may_connect(open_services: OpenServices, origin: str, status: int) -> None:
    with serve(open_services, cors_origins=("https://app.example",)) as client:
        try:
            with subscriber(str(client.base_url), origin=origin) as socket:
                socket.sign_in(AUTH.make_development_token(uuid4(), 1))
                assert status == 101
        except InvalidStatus as refused:
            assert refused.response.status_code == status  # noqa: PT017 - either may come


# --- the protocol -------------------------------------------------------------------------------------------

ASK = {"query": "{ viewer { userId } }"}


def test_pings_are_answered_before_signing_in_too(api: Api) -> None:
    with connected(api) as socket:
        socket.send("pong")
        socket.send("ping", payload={"any": "thing"})
        assert socket.receive() == {"type": "pong"}


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        ("", 4400),
        ("null", 4400),
        ("7", 4400),
        ("[]", 4400),
        ("[" * 100_000, 4400),
        (b'{"type": "ping"}', 4400),
        ("{}", 4400),
        ('{"type": ["ping"]}', 4400),
        ('{"type": "start"}', 4400),
        ('{"type": "connection_init"}', 4429),
        ('{"type": "complete"}', 4400),
        (json.dumps({"type": "subscribe", "payload": ASK}), 4400),
        (json.dumps({"type": "subscribe", "id": "", "payload": ASK}), 4400),
        (json.dumps({"type": "subscribe", "id": ["1"], "payload": ASK}), 4400),
        (json.dumps({"type": "subscribe", "id": "1"}), 4400),
        (json.dumps({"type": "subscribe", "id": "1", "payload": {"query": 7}}), 4400),
        (json.dumps({"type": "subscribe", "id": "1", "payload": {**ASK, "variables": "x"}}), 4400),
        (json.dumps({"type": "subscribe", "id": "taken", "payload": ASK}), 4409),
        (json.dumps({"type": "ping", "payload": "x" * 2**20}), 1009),
    ],
)
def test_what_is_no_message_closes_the_socket(socket: Subscriber, sent: str | bytes, code: int) -> None:
    socket.subscribe(FOLLOW_ALL, "taken")
    socket.socket.send(sent)
    assert socket.closed()[0] == code


def test_nothing_runs_before_signing_in(api: Api) -> None:
    with connected(api) as socket:
        socket.subscribe(CREATE, input=TASK)
        assert socket.closed() == (4401, "Unauthorized")
    assert api.data("{ tasks { totalCount } }") == {"tasks": {"totalCount": 0}}


def test_who_does_not_sign_in_is_sent_away(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    assert websocket.INIT_SECONDS == 10
    monkeypatch.setattr(websocket, "INIT_SECONDS", 0.05)
    with connected(api) as socket:
        assert socket.closed() == (4408, "Connection initialisation timeout")


def test_another_protocol_is_refused(api: Api) -> None:
    with subscriber(str(api.client.base_url), protocol="graphql-ws") as socket:
        assert socket.closed() == (4406, "Subprotocol not acceptable")


def test_a_socket_runs_so_many_operations_at_once(
    api: Api, socket: Subscriber, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert websocket.MAX_OPERATIONS == 100
    monkeypatch.setattr(websocket, "MAX_OPERATIONS", 2)
    for name in ("1", "2"):
        socket.subscribe(FOLLOW_ALL, name)
    (refusal,) = socket.ask("{ viewer { userId } }", "3")
    assert refusal["payload"][0]["extensions"] == {"code": "LIMIT_EXCEEDED"}
    socket.send("complete", id="1")
    answer, _ = socket.ask("{ viewer { userId } }", "3")
    assert answer["payload"] == {"data": {"viewer": {"userId": str(api.user_id)}}}


def test_what_is_completed_by_the_client_is_told_no_more(api: Api, socket: Subscriber) -> None:
    task_id = create(api)
    for name in ("goes", "stays"):
        socket.subscribe(FOLLOW, name, id=task_id)
        socket.next(name)
    socket.send("complete", id="goes")
    socket.send("ping")
    assert socket.receive() == {"type": "pong"}
    for priority in (1, 2):
        api.data(UPDATE, id=task_id, priority=priority)
        assert socket.next("stays") == state(task_id, priority=priority)


def test_whoever_hangs_up_is_forgotten(open_services: OpenServices, database: Engine) -> None:
    changes = Changes(uow_factory(database))
    with serve(open_services, changes=changes) as client:
        api = Api(client)
        task_id = create(api)
        with connected(api) as socket, event_stream(client, token(api), FOLLOW, id=task_id) as events:
            socket.sign_in(token(api)).subscribe(FOLLOW, id=task_id)
            assert socket.next() == next(events)[1]["data"]
            polling = changes._polling
            assert polling is not None
        ended = asyncio.run_coroutine_threadsafe(asyncio.wait({polling}), polling.get_loop())
        assert ended.result(10) == ({polling}, set())


# --- Server-Sent Events -------------------------------------------------------------------------------------


def test_a_task_is_followed_by_event_stream(api: Api) -> None:
    task_id = create(api)
    with event_stream(api.client, token(api), FOLLOW, id=task_id) as events:
        assert next(events) == ("next", {"data": state(task_id)})
        move(api, "cancelTask", task_id)
        assert list(events) == [("next", {"data": state(task_id, "CANCELLED")}), ("complete", None)]


@pytest.mark.parametrize(
    ("document", "result"),
    [
        ("{ viewer { waiting } }", {"data": {"viewer": {"waiting": 0}}}),
        (
            "{ nothing }",
            {
                "errors": [
                    {
                        "message": "Cannot query field 'nothing' on type 'Query'.",
                        "locations": [{"line": 1, "column": 3}],
                        "extensions": {"code": "GRAPHQL_VALIDATION_FAILED"},
                    }
                ]
            },
        ),
    ],
)
def test_whoever_wants_nothing_but_a_stream_gets_one(api: Api, document: str, result: dict[str, Any]) -> None:
    with event_stream(api.client, token(api), document) as events:
        assert list(events) == [("next", result), ("complete", None)]


EITHER = "application/graphql-response+json, application/json, text/event-stream"


def test_whoever_takes_either_gets_what_fits(api: Api) -> None:
    answer = api.client.post("/graphql", json=ASK, headers={**api.headers(), "Accept": EITHER})
    assert answer.headers["content-type"] == "application/graphql-response+json; charset=utf-8"
    with event_stream(api.client, token(api), FOLLOW, EITHER, id=str(uuid4())) as events:
        assert [name for name, _ in events] == ["next", "complete"]


@pytest.mark.parametrize("accept", ["*/*", "application/json", "application/json, text/event-stream;q=0"])
def test_whoever_takes_no_stream_gets_no_subscription(api: Api, accept: str) -> None:
    headers = {**api.headers(), "Accept": accept}
    answer = api.client.post("/graphql", json={"query": FOLLOW_ALL}, headers=headers).json()
    extensions = {"code": "GRAPHQL_VALIDATION_FAILED"}
    message = "Subscriptions take a WebSocket, or Accept: text/event-stream."
    assert answer == {"errors": [{"message": message, "extensions": extensions}]}


def test_a_stream_is_neither_cached_nor_held_back(api: Api) -> None:
    headers = {**api.headers(), "Accept": "text/event-stream"}
    answer = api.client.post("/graphql", json=ASK, headers=headers)
    assert answer.headers["cache-control"] == "no-cache, no-transform"
    assert answer.headers["x-accel-buffering"] == "no"


def test_without_a_token_there_is_no_stream(api: Api) -> None:
    answer = api.client.post("/graphql", json=ASK, headers={"Accept": "text/event-stream"})
    assert (answer.status_code, answer.headers["content-type"]) == (401, "application/json; charset=utf-8")
