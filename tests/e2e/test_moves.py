"""What a task's state forbids, how often a retry may be asked for, and calls that are made twice."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests import media
from tests.e2e.service import Service, User
from tests.origin import Origin
from tests.origin_faults import status

MOVES = ("startTask", "pauseTask", "resumeTask", "cancelTask", "finishTask", "retryTask")
ALLOWED = {
    "pending": {"startTask", "cancelTask"},
    "paused": {"startTask", "resumeTask", "cancelTask"},
    "waiting": {"pauseTask", "cancelTask"},
    "running": {"pauseTask", "cancelTask"},
    "completed": set(),
    "partial": {"startTask", "retryTask"},
    "failed": {"startTask", "retryTask"},
    "cancelled": set(),
}
CONFLICT = [("CONFLICT", ["id"])]
LIMIT_REACHED = [("RETRY_LIMIT_REACHED", ["id"])]


@pytest.fixture(scope="module")
def origin() -> Iterator[Origin]:
    with Origin() as running:
        running.put("/film.mp4", media.mp4())
        running.put("/held.mp4", media.mp4())
        running.put("/refused.png", media.png())
        running.fail("/refused.png", status(403))
        yield running


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory, origin: Origin) -> Iterator[Service]:
    """One task of a user runs at a time; a transfer may be held as long as this module takes."""
    settings = {"EGRESS_ALLOW": origin.host_port, "AUTO_RETRY": "false", "REQUEST_TIMEOUT_SECONDS": "600"}
    folder = tmp_path_factory.mktemp("service")
    with Service(folder, MAX_CONCURRENT_TASKS_PER_USER="1", **settings) as running:
        yield running


@pytest.fixture(scope="module")
def user(service: Service) -> User:
    """Has a task that runs for ever, so that all others wait."""
    return service.user()


@pytest.fixture(scope="module")
def states(user: User, origin: Origin) -> dict[str, str]:
    """The id of a task in every state."""
    film = origin.url("/film.mp4")
    tasks = {
        "completed": user.create(film, "MP4"),
        "partial": user.create(_with_a_hole(origin)),
        "failed": user.create(origin.url("/refused.png"), "IMAGE"),
    }
    ended = {state: user.wait(task["id"])["status"] for state, task in tasks.items()}
    assert ended == {"completed": "COMPLETED", "partial": "PARTIAL_COMPLETED", "failed": "FAILED"}
    gate = origin.hold("/held.mp4")
    tasks["running"] = user.create(origin.url("/held.mp4"), "MP4")
    gate.wait_until_held()
    tasks |= {state: user.create(film, "MP4") for state in ("waiting", "paused", "cancelled")}
    tasks["pending"] = user.create(film, "MP4", autoStart=False)
    user.move("pauseTask", tasks["paused"]["id"])
    user.move("cancelTask", tasks["cancelled"]["id"])
    return {state: task["id"] for state, task in tasks.items()}


def _with_a_hole(origin: Origin) -> str:
    stream = media.many_segments(10)
    origin.put_all(stream.files, under="/hole/")
    origin.fail(f"/hole/{stream.media.replace('index.m3u8', 'segment_3.ts')}", status(403))
    return origin.url(f"/hole/{stream.media}")


@pytest.mark.parametrize(
    ("state", "move"), [(state, move) for state, allowed in ALLOWED.items() for move in MOVES if move not in allowed]
)
def test_a_forbidden_move(service: Service, user: User, states: dict[str, str], state: str, move: str) -> None:
    with service.unchanged(of=user):
        assert user.errors(move, id=states[state]) == CONFLICT


@pytest.mark.parametrize(
    ("state", "move"), [(state, move) for state, moves in ALLOWED.items() for move in sorted(moves)]
)
def test_an_allowed_move(origin: Origin, service: Service, state: str, move: str) -> None:
    """The table above leaves nothing out: what it does not forbid is done."""
    user = service.user()
    held, film = origin.url("/held.mp4"), origin.url("/film.mp4")
    if state in ("waiting", "paused"):
        user.create(held, "MP4")
    url = {"partial": _with_a_hole(origin), "failed": origin.url("/refused.png"), "running": held}.get(state, film)
    kind = {"partial": "HLS", "failed": "IMAGE"}.get(state, "MP4")
    task = user.create(url, kind, autoStart=state != "pending")["id"]
    if state in ("partial", "failed"):
        user.wait(task)
    if state == "running":
        user.watch(task, lambda task: task["startedAt"] is not None)
    if state == "paused":
        assert user.errors("pauseTask", id=task) == []
    done = user.move(move, task)
    assert done["userErrors"] == []
    after = {"cancelTask": "CANCELLED", "pauseTask": "PENDING"}.get(move, "PROCESSING")
    assert (done["task"]["status"], done["task"]["paused"]) == (after, move == "pauseTask")


@pytest.mark.parametrize("state", ["completed", "cancelled"])
@pytest.mark.parametrize("change", [{"resourceUrl": "https://media.example/a"}, {"requestHeaders": []}], ids=str)
def test_a_new_source_for_a_task_that_fetches_nothing_more(
    service: Service, user: User, states: dict[str, str], state: str, change: dict[str, object]
) -> None:
    with service.unchanged(of=user):
        assert user.errors("updateTask", id=states[state], input={**change, "priority": 1}) == CONFLICT


def test_a_completed_task_is_deleted_only_on_purpose(service: Service, user: User, states: dict[str, str]) -> None:
    completed = states["completed"]
    with service.unchanged(of=user):
        assert user.errors("deleteTask", id=completed) == CONFLICT
        assert user.errors("deleteTask", id=completed, includeCompleted=False) == CONFLICT
        assert user.errors("deleteTasks", ids=[completed]) == [("CONFLICT", ["ids", "0"])]


# --- failures and videos ------------------------------------------------------------------------------------


def _failure(user: User, task_id: str) -> str:
    (failure,) = user.task(task_id)["failures"]["nodes"]
    return str(failure["id"])


def _recorded(user: User, task_id: str, name: str = "a.mp4") -> str:
    """A failure that the user has seen; of the file itself only if ``name`` is its name."""
    video_id = user.task(task_id)["videoId"]
    failure = {"resourceUrl": "https://media.example/a", "resourceType": "MP4", "failureType": "TIMEOUT"}
    told = {"errorMessage": "lost", "expectedPath": f"video_{video_id}/mp4/{name}"}
    answer = user.call("recordFailure", "failure { id }", taskId=task_id, input=failure | told)
    return str(answer.json()["data"]["recordFailure"]["failure"]["id"])


def test_a_failure_is_abandoned_once(service: Service, user: User, states: dict[str, str]) -> None:
    failure = _recorded(user, states["pending"])
    assert user.errors("abandonFailure", id=failure) == []
    with service.unchanged(of=user):
        assert user.errors("abandonFailure", id=failure) == CONFLICT
        assert user.errors("retryFailure", id=failure) == CONFLICT
        assert user.errors("abandonFailures", taskId=states["pending"]) == []


@pytest.mark.parametrize("state", ["pending", "paused", "completed", "cancelled", "failed", "running"])
def test_a_recorded_failure_of_no_known_piece_is_not_retried(
    service: Service, user: User, states: dict[str, str], state: str
) -> None:
    failure = _recorded(user, states[state], "no-piece.mp4")
    with service.unchanged(of=user):
        assert user.errors("retryFailure", id=failure) == CONFLICT


@pytest.mark.parametrize("state", ["pending", "paused", "completed", "cancelled"])
def test_a_failure_of_a_task_that_may_not_run(service: Service, user: User, states: dict[str, str], state: str) -> None:
    row = next(row for row in service.rows("download_tasks") if row["id"] == states[state].replace("-", ""))
    stamp = row["created_at"][:19].replace("-", "").replace(":", "").replace(" ", "T")
    video_id = user.task(states[state])["videoId"]
    failure = _recorded(user, states[state], f"video_{video_id}_fetch_{stamp}.mp4")
    with service.unchanged(of=user):
        assert user.errors("retryFailure", id=failure) == CONFLICT


def test_a_failure_that_is_being_retried(service: Service, origin: Origin) -> None:
    """The user's slot is taken, so that the retry waits."""
    busy = service.user()
    failed = busy.wait(busy.create(origin.url("/refused.png"), "IMAGE")["id"])
    busy.create(origin.url("/held.mp4"), "MP4")
    failure = _failure(busy, failed["id"])
    assert busy.errors("retryFailure", id=failure) == []
    with service.unchanged(of=busy):
        assert busy.errors("retryFailure", id=failure) == CONFLICT


def test_a_second_video(service: Service, user: User, states: dict[str, str]) -> None:
    video_id = user.task(states["completed"])["videoId"]
    video = {"videoType": "MP4", "videoUrl": "https://media.example/a", "status": "COMPLETED"}
    with service.unchanged(of=user):
        errors = user.errors(
            "recordVideo", taskId=states["completed"], input=video | {"storagePath": f"video_{video_id}/a.mp4"}
        )
    assert errors == [("CONFLICT", ["taskId"])]


@pytest.mark.parametrize("limit", [1, 3])
def test_a_task_is_retried_as_often_as_it_may(service: Service, origin: Origin, limit: int) -> None:
    user = service.user()
    task = user.create(origin.url("/refused.png"), "IMAGE", maxRetries=limit)["id"]
    for number in range(1, limit + 1):
        user.wait(task)
        assert user.errors("retryTask", id=task) == []
        assert user.wait(task)["retryCount"] == number
    with service.unchanged(of=user):
        assert user.errors("retryTask", id=task) == LIMIT_REACHED
    assert user.errors("updateTask", id=task, input={"maxRetries": limit + 1}) == []
    assert user.errors("retryTask", id=task) == []


def test_a_failure_is_retried_three_times(service: Service, origin: Origin) -> None:
    user = service.user()
    task = user.wait(user.create(origin.url("/refused.png"), "IMAGE")["id"])["id"]
    failure = _failure(user, task)
    for number in range(1, 4):
        assert user.errors("retryFailure", id=failure) == []
        (row,) = user.wait(task)["failures"]["nodes"]
        assert (row["id"], row["status"], row["retryCount"]) == (failure, "PENDING", number)
    with service.unchanged(of=user):
        assert user.errors("retryFailure", id=failure) == LIMIT_REACHED


# --- twice, and afresh --------------------------------------------------------------------------------------


def test_the_same_call_twice_makes_one_task(service: Service, origin: Origin) -> None:
    user, other = service.user(), service.user()
    new = {"resourceUrl": origin.url("/film.mp4"), "resourceType": "MP4", "liveroomId": "room-1"}
    keyed = {**new, "idempotencyKey": "one", "requestHeaders": [{"name": "Referer", "value": "https://a.example/"}]}

    def create(caller: User, values: dict[str, Any]) -> str:
        answer = caller.call("createTask", "task { id }", input=values).json()["data"]["createTask"]
        assert answer["userErrors"] == []
        return str(answer["task"]["id"])

    with ThreadPoolExecutor(8) as pool:
        first, *others = set(pool.map(lambda _: create(user, keyed), range(16)))
    assert others == []
    with service.unchanged(of=user):
        assert create(user, keyed) == first
        for name, other_value in {"priority": 51, "autoStart": True, "requestHeaders": [], "maxHeight": 720}.items():
            errors = user.errors("createTask", input=keyed | {name: other_value})
            assert errors == [("CONFLICT", ["input", "idempotencyKey"])]
    assert len({create(user, keyed | {"idempotencyKey": "two"}), create(user, new), create(other, keyed), first}) == 4


def test_a_fresh_url_keeps_what_is_stored_and_gives_all_retries_back(service: Service, origin: Origin) -> None:
    stream = media.many_segments(10)
    names = [f"{stream.media.rpartition('/')[0]}/segment_{index}.ts" for index in range(10)]
    origin.put_all(stream.files, under="/stale/")
    origin.put_all(stream.files, under="/fresh/")
    for name in names[:4]:
        origin.fail(f"/stale/{name}", status(403))
    user = service.user()
    task = user.wait(user.create(origin.url(f"/stale/{stream.media}"))["id"])
    assert (task["status"], task["progress"]) == ("FAILED", 0.6)
    assert user.errors("retryFailure", id=task["failures"]["nodes"][0]["id"]) == []
    user.wait(task["id"])
    assert user.errors("retryTask", id=task["id"]) == []
    task = user.wait(task["id"])
    assert (task["retryCount"], max(row["retryCount"] for row in task["failures"]["nodes"])) == (1, 1)
    folder = f"video_{task['videoId']}"
    files = service.files(folder)

    assert user.errors("updateTask", id=task["id"], input={"resourceUrl": origin.url(f"/fresh/{stream.media}")}) == []

    task = user.task(task["id"])
    assert (task["status"], task["retryCount"], task["failures"]["totalCount"]) == ("FAILED", 0, 4)
    assert {row["retryCount"] for row in task["failures"]["nodes"]} == {0}
    assert service.files(folder) == files
    assert user.errors("retryTask", id=task["id"]) == []
    task = user.wait(task["id"])
    assert (task["status"], task["retryCount"], task["failures"]["totalCount"]) == ("COMPLETED", 1, 0)
    fetched = sorted(hit.path for hit in origin.log if hit.path.startswith("/fresh/") and hit.path.endswith(".ts"))
    assert fetched == [f"/fresh/{name}" for name in names[:4]]
