"""What the rules of the service refuse, over REST: the literal answers, and nothing changed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import pytest

from domain.values import FailureStatus, TaskStatus
from storage.keys import names_for
from tests.rest import NEW_TASK, Rest, User, running_rest
from tests.rest_paths import NO_FAILURE, F, Shelf, T, a_failure_body, a_shelf, a_video_body, put

WRONG_STATE, AT_LIMIT, ABANDONED = "任务状态不允许此操作", "重试次数已达上限", "失败记录已放弃"
MISMATCH, BAD_PATH, BLOCKED, BAD_SORT = "任务ID不一致", "存储路径无效", "资源地址不允许访问", "排序字段无效"
PARTIAL = TaskStatus.PARTIAL_COMPLETED
TWICE = "任务已存在或数据冲突"
OTHER = str(uuid4())


@pytest.fixture(scope="module", params=[False, True], ids=["http statuses", "envelope only"])
def rest(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rest]:
    with running_rest(tmp_path_factory.mktemp("rest"), rest_envelope_only=request.param) as running:
        yield running


@pytest.fixture
def user(rest: Rest) -> User:
    return rest.user()


@dataclass(frozen=True)
class Refusal:
    """What is asked of which task and failure, and what the answer is."""

    method: str
    path: str
    message: str
    task: dict[str, Any] = field(default_factory=dict)
    failure: dict[str, Any] = field(default_factory=dict)
    json: Callable[[Shelf], dict[str, Any]] | None = None
    status: int = 400
    code: int = 1001
    video: bool = False


def status(value: str) -> Callable[[Shelf], dict[str, Any]]:
    return lambda _: {"status": value, "priority": 99}


def failure_body(**changes: Any) -> Callable[[Shelf], dict[str, Any]]:
    return lambda shelf: a_failure_body(shelf) | changes


def video_body(**changes: Any) -> Callable[[Shelf], dict[str, Any]]:
    return lambda shelf: a_video_body(shelf) | changes


def elsewhere(shelf: Shelf) -> list[str]:
    """Paths that do not lie under the task's folder, spelled the plain way."""
    folder = f"video_{shelf.task.video_id}"
    return [
        "",
        folder,
        f"{folder}/",
        f"/{folder}/hls",
        f"video_{uuid4()}/hls",
        f"{folder}/../video_{uuid4()}/hls",
        f"{folder}/hls/..",
        f"{folder}/./hls",
        f"{folder}//hls",
        f"{folder}/hls/",
        f"{folder}\\hls",
        f"x{folder}/hls",
        f"{folder}/{'x' * 256}",
        f"{folder}/hls\n",
    ]


REFUSALS = [
    Refusal("DELETE", T, "不能删除已完成任务", {"status": TaskStatus.COMPLETED}),
    *(
        Refusal("PUT", T, WRONG_STATE, {"status": TaskStatus(old)}, json=status(new))
        for old, news in {
            "pending": "completed partial_completed failed",
            "completed": "pending processing partial_completed failed cancelled",
            "cancelled": "pending processing completed partial_completed failed",
            "failed": "pending completed partial_completed cancelled",
            "partial_completed": "pending completed failed cancelled",
        }.items()
        for new in news.split()
    ),
    Refusal("POST", f"{T}/retry", AT_LIMIT, {"retry_count": 3}),
    Refusal("POST", f"{T}/retry", AT_LIMIT, {"retry_count": 1, "max_retries": 1, "status": PARTIAL}),
    *(
        refusal
        for path in (F, f"{T}{F}")
        for refusal in (
            Refusal("POST", f"{path}/retry", ABANDONED, failure={"status": FailureStatus.ABANDONED}),
            Refusal("POST", f"{path}/retry", AT_LIMIT, failure={"retry_count": 3}),
            Refusal("POST", f"{path}/retry", WRONG_STATE, failure={"piece_key": None}),
            Refusal("POST", f"{path}/retry", WRONG_STATE, failure={"status": FailureStatus.RETRYING}),
            Refusal("POST", f"{path}/retry", WRONG_STATE, {"status": TaskStatus.PENDING}),
            Refusal("POST", f"{path}/retry", WRONG_STATE, {"status": TaskStatus.CANCELLED}),
            Refusal("POST", f"{path}/abandon", ABANDONED, failure={"status": FailureStatus.ABANDONED}),
        )
    ),
    Refusal("POST", f"{T}/failures", MISMATCH, json=failure_body(task_id=OTHER)),
    Refusal("POST", f"{T}/videos", MISMATCH, json=video_body(video_id=OTHER)),
    Refusal("POST", f"{T}/videos", MISMATCH, json=video_body(liveroom_id="room-2")),
    Refusal("POST", f"{T}/videos", TWICE, json=a_video_body, status=409, code=1003, video=True),
    *(
        Refusal("GET", f"{path}?sort={sort}", BAD_SORT)
        for path in ("/tasks", "/failures", "/videos", f"{T}/failures", f"{T}/videos")
        for sort in ("nope:asc", "created_at:desc,nope:asc", "paused:asc", "piece_key:desc", "version:asc", "nope", "")
    ),
]


@pytest.mark.parametrize("refusal", REFUSALS, ids=lambda each: f"{each.method} {each.path} {each.message}")
def test_a_broken_rule_changes_nothing(rest: Rest, user: User, refusal: Refusal) -> None:
    shelf = put(rest, a_shelf(user, refusal.task, refusal.failure, video=refusal.video))
    before = rest.rows()
    body = refusal.json(shelf) if refusal.json else None
    answer = user.send(refusal.method, shelf.path(refusal.path), json=body)
    assert rest.check(answer, refusal.status, refusal.code, refusal.message) is None
    assert rest.rows() == before


def test_a_path_outside_of_the_tasks_folder(rest: Rest, user: User) -> None:
    shelf = put(rest, a_shelf(user, video=False))
    before = rest.rows()
    for path in elsewhere(shelf):
        failure = user.send("POST", shelf.path(f"{T}/failures"), json=a_failure_body(shelf) | {"expected_path": path})
        video = user.send("POST", shelf.path(f"{T}/videos"), json=a_video_body(shelf) | {"storage_path": path})
        assert rest.check(failure, 400, 1001, BAD_PATH) is None
        assert rest.check(video, 400, 1001, BAD_PATH) is None
    assert rest.rows() == before


@pytest.mark.parametrize(
    "host",
    "localhost 127.0.0.1 0x7f.1 10.0.0.1 169.254.169.254 [::1] [::ffff:10.0.0.1] user:pass@media.example".split(),
)
def test_a_url_that_must_not_be_fetched(rest: Rest, user: User, host: str) -> None:
    before = rest.rows()
    answer = user.send("POST", "/tasks", json=NEW_TASK | {"resource_url": f"http://{host}/film.mp4"})
    assert rest.check(answer, 400, 1001, BLOCKED) is None
    assert rest.rows() == before


@pytest.mark.parametrize(
    ("move", "message", "state"),
    [("start", "下载任务成功", state) for state in ("processing", "completed", "cancelled")]
    + [("retry", "重试下载任务成功", state) for state in ("pending", "processing", "completed", "cancelled")],
)
def test_a_move_that_the_state_forbids_shows_the_task_as_it_is(
    rest: Rest, user: User, move: str, message: str, state: str
) -> None:
    shelf = put(rest, a_shelf(user, {"status": TaskStatus(state)}))
    before = rest.rows()
    data = rest.check(user.send("POST", shelf.path(f"{T}/{move}")), 200, 200, message)
    assert data == rest.check(user.send("GET", shelf.path(T)), 200, 200, "获取下载任务详情成功")
    assert data["status"] == state
    assert rest.rows() == before


@pytest.mark.parametrize("move", ["retry", "abandon"])
def test_a_failure_of_another_task_of_the_same_user(rest: Rest, user: User, move: str) -> None:
    one, other = put(rest, a_shelf(user)), put(rest, a_shelf(user))
    before = rest.rows()
    answer = user.send("POST", f"/tasks/{one.task.id}/failures/{other.failure.id}/{move}")
    assert rest.check(answer, 404, 404, NO_FAILURE) is None
    assert rest.rows() == before


def test_a_recorded_failure_is_retried_if_the_playlist_has_its_segment(rest: Rest, user: User) -> None:
    shelf = put(rest, a_shelf(user))
    known = user.send("POST", shelf.path(f"{T}/failures"), json=a_failure_body(shelf)).json()["data"]
    retried = rest.check(user.send("POST", f"/failures/{known['id']}/retry"), 200, 200, "重试失败记录成功")
    assert (retried["status"], retried["retry_count"]) == ("retrying", 1)
    beyond = a_failure_body(shelf) | {"expected_path": names_for(shelf.task).segment(10, ".ts")}
    unknown = user.send("POST", shelf.path(f"{T}/failures"), json=beyond).json()["data"]
    assert rest.check(user.send("POST", f"/failures/{unknown['id']}/retry"), 400, 1001, WRONG_STATE) is None
