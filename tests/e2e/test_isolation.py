"""Another user's row is answered as one that never was: every operation of the schema, byte for byte."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import astuple, dataclass, field, replace
from typing import Any
from uuid import uuid4

import httpx
import pytest

from domain.queries import NEWEST_FIRST
from graph.connection import encode_cursor
from tests import media
from tests.builders import a_task
from tests.e2e.service import Service, User
from tests.origin import Origin
from tests.origin_faults import status
from tests.subscriber import subscriber

ROOM = "room-of-owner"


@dataclass(frozen=True)
class Known:
    """What somebody may have learnt about a task; made up where nothing is given."""

    task: str = field(default_factory=lambda: str(uuid4()))
    video: str = field(default_factory=lambda: str(uuid4()))
    failure: str = field(default_factory=lambda: str(uuid4()))
    path: str = field(default_factory=lambda: f"/{uuid4()}")
    key: str = field(default_factory=lambda: str(uuid4()))
    cursor: str | None = field(default_factory=lambda: encode_cursor(a_task(), NEWEST_FIRST))


Operation = Callable[[User, Known], httpx.Response]
Arguments = Callable[[Known], dict[str, Any]]


def asked(field_and_id: str, selection: str, known: str) -> Operation:
    """A query by id."""
    document = f"query($id: ID!) {{ {field_and_id} {{ {selection} }} }}"
    return lambda caller, what: caller.post(document, {"id": getattr(what, known)})


def listed(name: str, where: str, selection: str, narrowed: Arguments) -> Operation:
    """A list from a place in it on, narrowed to the row."""
    document = (
        f"query($after: String, $filter: {where}) {{ {name}(first: 100, after: $after, filter: $filter) {{ totalCount"
        f" nodes {{ {selection} }} edges {{ cursor }} pageInfo {{ hasNextPage hasPreviousPage startCursor }} }} }}"
    )
    return lambda caller, what: caller.post(document, {"after": what.cursor, "filter": narrowed(what)})


def done(mutation: str, selection: str, arguments: Arguments) -> Operation:
    """A mutation."""
    return lambda caller, what: caller.call(mutation, selection, **arguments(what))


def moved(mutation: str) -> Operation:
    """A mutation of one task that takes nothing but its id."""
    return done(mutation, "task { id status resourceUrl }", lambda what: {"id": what.task})


def a_new_task(what: Known) -> dict[str, Any]:
    url = "https://media.example/film.mp4"
    return {"resourceUrl": url, "resourceType": "MP4", "liveroomId": "room-1", "idempotencyKey": what.key}


# A path outside of the task's folder: what is wrong with it must not be told before the row is.
A_FAILURE = {
    "resourceUrl": "https://media.example/0.ts",
    "resourceType": "TS",
    "failureType": "TIMEOUT",
    "errorMessage": "lost",
    "expectedPath": "../canary",
}
A_VIDEO = {
    "videoType": "MP4",
    "videoUrl": "https://media.example/film.mp4",
    "storagePath": "../canary",
    "status": "FAILED",
}
A_STRETCH = {"first": 0, "last": 9}
TASK = "id videoId status resourceUrl pieceMap { runs } failures { totalCount nodes { id } } video { id storagePath }"
FAILURE = "id taskId resourceUrl status task { id resourceUrl }"
VIDEO = "id videoId taskId videoUrl storagePath task { id resourceUrl }"

OPERATIONS: dict[str, Operation] = {
    "viewer": lambda caller, _: caller.post("{ viewer { userId waiting bytesStored taskCounts { status count } } }"),
    "task": asked("task(id: $id)", TASK, "task"),
    "tasks": listed("tasks", "TaskFilter", TASK, lambda what: {"search": what.path, "liveroomId": ROOM}),
    "failure": asked("failure(id: $id)", FAILURE, "failure"),
    "failures": listed("failures", "FailureFilter", FAILURE, lambda _: {"failureType": ["NETWORK_ERROR", "TIMEOUT"]}),
    "video": asked("video(videoId: $id)", VIDEO, "video"),
    "videos": listed("videos", "VideoFilter", VIDEO, lambda _: {"liveroomId": ROOM}),
    "createTask": done("createTask", "task { status resourceUrl }", lambda what: {"input": a_new_task(what)}),
    "createTasks": done("createTasks", "task { status resourceUrl }", lambda what: {"inputs": [a_new_task(what)] * 2}),
    "updateTask": done(
        "updateTask",
        "task { id resourceUrl }",
        lambda what: {"id": what.task, "input": {"resourceUrl": "https://media.example/new.mp4", "priority": 1}},
    ),
    "deleteTask": done("deleteTask", "deletedTaskId", lambda what: {"id": what.task, "includeCompleted": True}),
    "deleteTasks": done("deleteTasks", "deletedTaskId", lambda what: {"ids": [what.task], "includeCompleted": True}),
    "startTask": moved("startTask"),
    "pauseTask": moved("pauseTask"),
    "resumeTask": moved("resumeTask"),
    "cancelTask": moved("cancelTask"),
    "finishTask": moved("finishTask"),
    "retryTask": moved("retryTask"),
    "recordFailure": done(
        "recordFailure", f"failure {{ {FAILURE} }}", lambda what: {"taskId": what.task, "input": A_FAILURE}
    ),
    "retryFailure": done("retryFailure", f"failure {{ {FAILURE} }}", lambda what: {"id": what.failure}),
    "abandonFailure": done("abandonFailure", f"failure {{ {FAILURE} }}", lambda what: {"id": what.failure}),
    "retryPieces": done("retryPieces", "retriedCount", lambda what: {"taskId": what.task, "pieces": A_STRETCH}),
    "abandonPieces": done("abandonPieces", "abandonedCount", lambda what: {"taskId": what.task, "pieces": A_STRETCH}),
    "abandonFailures": done("abandonFailures", "abandonedCount", lambda what: {"taskId": what.task}),
    "recordVideo": done("recordVideo", f"video {{ {VIDEO} }}", lambda what: {"taskId": what.task, "input": A_VIDEO}),
}
CREATIONS = ("createTask", "createTasks")
FOLLOWED = "subscription($id: ID!) { taskChanged(id: $id) { id status resourceUrl } }"
ALL_FOLLOWED = "subscription { tasksChanged { id priority } }"
STATES = ("PENDING", "PAUSED", "PROCESSING", "COMPLETED", "PARTIAL_COMPLETED", "FAILED", "CANCELLED")


@pytest.fixture(scope="module")
def origin() -> Iterator[Origin]:
    with Origin() as running:
        yield running


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory, origin: Origin) -> Iterator[Service]:
    """One task runs at a time: the owner's waits behind another user's, and nothing of it changes by itself."""
    settings = {"EGRESS_ALLOW": origin.host_port, "AUTO_RETRY": "false", "MAX_CONCURRENT_TASKS": "1"}
    with Service(tmp_path_factory.mktemp("service"), **settings) as running:
        yield running


@pytest.fixture(scope="module")
def owner(service: Service) -> User:
    return service.user()


@pytest.fixture(scope="module")
def owned(service: Service, origin: Origin, owner: User) -> dict[str, Known]:
    """A task of the owner in every state, each with failures and a video."""
    stream = media.many_segments(10)
    origin.put_all(stream.files, under="/partial/")
    origin.fail(f"/partial/{stream.media.replace('index.m3u8', 'segment_3.ts')}", status(404))
    origin.put("/completed.mp4", media.mp4())
    origin.put("/held.png", media.png())
    urls = {
        "PARTIAL_COMPLETED": (f"/partial/{stream.media}", "HLS"),
        "COMPLETED": ("/completed.mp4", "MP4"),
        "FAILED": ("/absent.png", "IMAGE"),
    }
    tasks = {state: _created(owner, origin, *url) for state, url in urls.items()}
    assert {state: owner.wait(task["id"])["status"] for state, task in tasks.items()} == {each: each for each in urls}
    gate = origin.hold("/held.png")
    service.user().create(origin.url("/held.png"), "IMAGE")
    gate.wait_until_held()
    for state in ("PENDING", "CANCELLED"):
        tasks[state] = _created(owner, origin, f"/{state}.mp4", "MP4", autoStart=False)
    for state in ("PROCESSING", "PAUSED"):
        tasks[state] = _created(owner, origin, f"/{state}.mp4", "MP4")
    owner.move("cancelTask", tasks["CANCELLED"]["id"])
    owner.move("pauseTask", tasks["PAUSED"]["id"])
    return {state: _recorded(owner, task) for state, task in tasks.items()}


def _created(owner: User, origin: Origin, path: str, kind: str, **more: object) -> Any:
    task = owner.create(origin.url(path), kind, liveroomId=ROOM, idempotencyKey=f"key of {path}", **more)
    return task | {"path": path}


def _recorded(owner: User, task: dict[str, Any]) -> Known:
    """The task with a failure and, unless its download has left one, a video."""
    folder = f"video_{task['videoId']}"
    for mutation, what in {"recordFailure": A_FAILURE, "recordVideo": A_VIDEO}.items():
        paths = {name: f"{folder}/lost.ts" for name in ("expectedPath", "storagePath") if name in what}
        assert owner.call(mutation, taskId=task["id"], input=what | paths).status_code == 200
    found = owner.execute(
        "query($id: ID!, $path: String) {"
        " task(id: $id) { videoId video { id } failures(first: 1) { nodes { id } } }"
        " tasks(filter: { search: $path }) { edges { cursor } } }",
        id=task["id"],
        path=task["path"],
    )
    assert found["task"]["video"] is not None
    (failure,), (edge,) = found["task"]["failures"]["nodes"], found["tasks"]["edges"]
    return Known(task["id"], task["videoId"], failure["id"], task["path"], f"key of {task['path']}", edge["cursor"])


def test_every_operation_of_the_schema_is_walked(owner: User) -> None:
    kinds = owner.execute(
        "{ __schema { queryType { ...F } mutationType { ...F } subscriptionType { ...F } } }"
        " fragment F on __Type { fields { name } }"
    )["__schema"]
    fields = [field["name"] for kind in kinds.values() if kind for field in kind["fields"]]
    assert sorted(fields) == sorted([*OPERATIONS, "taskChanged", "tasksChanged"])


@pytest.mark.parametrize("state", STATES)
def test_the_owner_finds_what_a_stranger_does_not(owner: User, owned: dict[str, Known], state: str) -> None:
    """Without this, a document that never reaches a row would pass for one that hides it."""
    known, found = owned[state], {}
    for name in ("task", "failure", "video"):
        found[name] = OPERATIONS[name](owner, known).json()["data"][name]
    assert found["task"]["failures"]["totalCount"] > 0
    assert found["task"]["video"]["id"] == found["video"]["id"]
    assert found["failure"]["taskId"] == found["video"]["taskId"] == found["task"]["id"] == known.task
    for name in ("tasks", "failures", "videos"):
        assert OPERATIONS[name](owner, replace(known, cursor=None)).json()["data"][name]["totalCount"] > 0


@pytest.mark.parametrize("name", OPERATIONS)
def test_a_stranger_gets_the_answer_for_what_never_was(service: Service, owned: dict[str, Known], name: str) -> None:
    with service.unchanged():
        for known in owned.values():
            assert _answer(service, name, known) == _answer(service, name, Known())


def test_a_stranger_who_follows_a_task_is_told_that_there_is_none(service: Service, owned: dict[str, Known]) -> None:
    stranger, unknown = service.user(), Known()
    with subscriber(service.url) as socket:
        socket.sign_in(stranger.token)
        told = [(what.task, socket.ask(FOLLOWED, id=what.task)) for what in (*owned.values(), unknown)]
    answers = {json.dumps(messages).replace(task_id, "") for task_id, messages in told}
    assert len(answers) == 1
    assert '"NOT_FOUND"' in answers.pop()


def test_a_stranger_who_follows_everything_hears_of_their_own_alone(
    service: Service, owner: User, owned: dict[str, Known]
) -> None:
    """One poller serves both: what the stranger changed last would come after what the owner changed before."""
    stranger = service.user()
    own = stranger.create("https://media.example/film.mp4", "MP4", autoStart=False)["id"]
    with subscriber(service.url) as theirs, subscriber(service.url) as ours:
        theirs.sign_in(stranger.token).subscribe(ALL_FOLLOWED)
        ours.sign_in(owner.token).subscribe(ALL_FOLLOWED)
        running = owned["PROCESSING"].task
        assert ours.next()["tasksChanged"]["id"] == running
        assert owner.errors("updateTask", id=running, input={"priority": 51}) == []
        assert ours.next()["tasksChanged"] == {"id": running, "priority": 51}
        assert stranger.errors("updateTask", id=own, input={"priority": 52}) == []
        assert theirs.next()["tasksChanged"] == {"id": own, "priority": 52}


def _answer(service: Service, name: str, what: Known) -> tuple[int, dict[str, str], bytes]:
    """Status, headers and body for a user who has never been here, without the ids that they sent."""
    caller = service.user()
    answer = OPERATIONS[name](caller, what)
    assert answer.status_code == httpx.codes.OK, answer.text
    assert "errors" not in answer.json(), answer.text
    _check(answer.json()["data"][name], name)
    if name in CREATIONS:
        mine = caller.execute("{ tasks { nodes { id } } }")["tasks"]["nodes"]
        assert caller.errors("deleteTasks", ids=[task["id"] for task in mine]) == []
    headers = {key: value for key, value in answer.headers.items() if key not in {"date", "x-request-id"}}
    body = answer.content
    for place, sent in enumerate([str(caller.id), *filter(None, astuple(what))]):
        body = body.replace(sent.encode(), b"(%d)" % place)
    return answer.status_code, headers, body


def _check(answer: Any, name: str) -> None:
    """What an operation says that finds nothing."""
    if name in CREATIONS:
        payloads = answer if isinstance(answer, list) else [answer]
        assert [payload["task"]["status"] for payload in payloads] == ["PENDING"] * len(payloads)
    elif name in ("task", "failure", "video"):
        assert answer is None
    elif name in ("tasks", "failures", "videos"):
        assert (answer["totalCount"], answer["nodes"], answer["edges"]) == (0, [], [])
    elif name == "viewer":
        assert (answer["waiting"], answer["bytesStored"]) == (0, 0)
        assert {count["count"] for count in answer["taskCounts"]} == {0}
    else:
        for payload in answer if isinstance(answer, list) else [answer]:
            (error,) = payload.pop("userErrors")
            assert (error["code"], *payload.values()) in {("NOT_FOUND", None), ("NOT_FOUND", 0)}
