"""What REST cannot read is refused by name, whatever it is, and changes nothing."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest

from tests.rest import NEW_TASK, Rest, User, broken_rules, running_rest
from tests.rest_paths import F, Shelf, T, V, a_failure_body, a_shelf, a_video_body, put

URL, TITLE, LINK = (
    "资源地址必须是http或https地址，长度不能超过2000",
    "直播间标题长度不能超过255",
    "直播间地址必须是http或https地址，长度不能超过2000",
)
ROOM, KIND = "直播间ID长度必须在5-20之间", "resource_type必须是hls/mp4/image之一"
VIDEO_URL = "视频地址必须是http或https地址，长度不能超过2000"
STATES = "status必须是pending/processing/completed/partial_completed/failed/cancelled之一"
CONTROL = "不能包含控制字符"
JSON = {"Content-Type": "application/json"}
HUGE = 10**400


@pytest.fixture(scope="module")
def rest(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rest]:
    with running_rest(tmp_path_factory.mktemp("rest")) as running:
        yield running


@pytest.fixture(scope="module")
def user(rest: Rest) -> User:
    return rest.user()


@pytest.fixture(scope="module")
def shelf(rest: Rest, user: User) -> Shelf:
    """A task without a video."""
    return put(rest, a_shelf(user, video=False))


# --- bodies -------------------------------------------------------------------------------------------------

TASK_VALUES: list[tuple[str, Any, str]] = [
    *(
        ("resource_url", url, URL)
        for url in ("", "media.example/a", "ftp://media.example/a", "http://", "http://[", 5, None)
    ),
    ("resource_url", f"http://media.example/{'a' * 1980}", URL),
    ("resource_url", "http://media.example/a\nb", CONTROL),
    *(("resource_type", kind, KIND) for kind in ("ts", "HLS", "", 1, None)),
    *(("liveroom_id", room, ROOM) for room in ("", "room", "r" * 21, 12345, None, ["room-1"])),
    ("liveroom_id", "room\x7f1", CONTROL),
    ("liveroom_title", "t" * 256, TITLE),
    ("liveroom_title", "a\tb", CONTROL),
    ("liveroom_url", "live.example", LINK),
    ("liveroom_url", f"http://live.example/{'a' * 1981}", LINK),
]
NO_PRIORITIES: list[Any] = [-1, 101, "high", 1.5, HUGE, -HUGE, float("nan"), float("inf"), [], {}]
CHANGES: list[tuple[str, Any, str]] = [
    *(("priority", value, "优先级必须在0-100之间") for value in NO_PRIORITIES),
    *(("max_retries", value, "最大重试次数必须在1-10之间") for value in (0, 11, "", HUGE, float("inf"))),
    *(("status", value, STATES) for value in ("running", "", 1)),
]
FAILURE_VALUES: list[tuple[str, Any, str]] = [
    ("resource_type", "hls", "resource_type必须是ts/m3u8/mp4/image之一"),
    (
        "failure_type",
        "http_error",
        "failure_type必须是network_error/timeout/invalid_content/storage_error/permission_error之一",
    ),
    *(("error_message", value, "错误信息长度必须在1-4000之间") for value in ("", "e" * 4001, None)),
    ("error_message", "\x1b[31m", CONTROL),
    ("standard_name", "n" * 256, "标准文件名长度不能超过255"),
    *(("retry_count", value, "重试次数必须在0-3之间") for value in (-1, 4, HUGE)),
    *(("task_id", value, "任务ID必须是UUID") for value in ("1", 1)),
    ("resource_url", "", URL),
]
VIDEO_VALUES: list[tuple[str, Any, str]] = [
    *(("video_id", value, "视频ID必须是UUID") for value in ("", "1", None)),
    ("video_type", "ts", "video_type必须是hls/mp4/image之一"),
    *(("video_url", value, VIDEO_URL) for value in ("", "film.mp4", "file:///etc/passwd")),
    ("status", "pending", "status必须是completed/partial_completed/failed之一"),
    *(("file_size", value, "文件大小必须是非负整数") for value in (-1, 2**63, HUGE, "big", 0.5)),
    *(("duration", value, "时长必须在0-1000000000秒之间") for value in (-0.1, 1e10, HUGE, float("inf"), float("nan"))),
    ("resolution", "r" * 51, "分辨率长度不能超过50"),
    ("format", "f" * 51, "格式长度不能超过50"),
    ("liveroom_title", "t" * 256, TITLE),
    ("liveroom_url", "nowhere", LINK),
]
BODIES = [("POST", "/tasks", *value) for value in TASK_VALUES]
BODIES += [(method, T, *value) for value in CHANGES for method in ("PUT", "PATCH")]
BODIES += [("POST", f"{T}/failures", *value) for value in FAILURE_VALUES]
BODIES += [("POST", f"{T}/videos", *value) for value in VIDEO_VALUES]

TEXTS = {
    "/tasks": "resource_url liveroom_id liveroom_title liveroom_url",
    f"{T}/failures": "resource_url expected_path standard_name error_message",
    f"{T}/videos": "liveroom_id liveroom_title liveroom_url video_url storage_path resolution format",
}


def good_body(path: str, shelf: Shelf) -> dict[str, Any]:
    return {"/tasks": NEW_TASK, T: {}, f"{T}/failures": a_failure_body(shelf), f"{T}/videos": a_video_body(shelf)}[path]


@pytest.mark.parametrize(("method", "path", "name", "value", "rule"), BODIES)
def test_a_bad_value(
    rest: Rest, user: User, shelf: Shelf, *, method: str, path: str, name: str, value: object, rule: str
) -> None:
    before = rest.rows()
    body = json.dumps(good_body(path, shelf) | {name: value})
    answer = user.send(method, shelf.path(path), content=body, headers=JSON)
    assert broken_rules(answer) == [(f"body.{name}", rule)]
    assert rest.rows() == before


@pytest.mark.parametrize("text", ["\0", "room\0", "\ud800", "room\udfff-1"], ids=ascii)
@pytest.mark.parametrize(("path", "name"), [(path, name) for path, names in TEXTS.items() for name in names.split()])
def test_a_text_that_no_database_holds(
    rest: Rest, user: User, shelf: Shelf, *, path: str, name: str, text: str
) -> None:
    before = rest.rows()
    body = json.dumps(good_body(path, shelf) | {name: text})
    answer = user.send("POST", shelf.path(path), content=body, headers=JSON)
    assert broken_rules(answer) == [(f"body.{name}", CONTROL)]
    assert rest.rows() == before


def test_every_fault_is_named(user: User) -> None:
    answer = user.send("POST", "/tasks", json={"resource_url": "http://10.0.0.1/", "liveroom_title": "t" * 256})
    assert broken_rules(answer) == [
        ("body.resource_type", "缺少必填字段: resource_type"),
        ("body.liveroom_id", "缺少必填字段: liveroom_id"),
    ]
    body = {"resource_url": "http://10.0.0.1/", "resource_type": "mp4", "liveroom_id": "r", "liveroom_title": "t" * 256}
    assert broken_rules(user.send("POST", "/tasks", json=body)) == [
        ("body.liveroom_id", ROOM),
        ("body.liveroom_title", TITLE),
    ]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"null",
        b"[]",
        b'"text"',
        b"5",
        b'{"resource_url": "\xff"}',
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b'{"liveroom_id": ' + b"9" * 5000 + b"}",
    ],
    ids=lambda body: repr(body[:12]),
)
def test_a_body_that_is_no_object(rest: Rest, user: User, body: bytes) -> None:
    before = rest.rows()
    ((_, rule),) = broken_rules(user.send("POST", "/tasks", content=body, headers=JSON))
    assert rule in {"请求体必须是JSON对象", "请求体无法解析"}
    assert rest.rows() == before


def test_a_body_that_is_no_json(user: User) -> None:
    assert broken_rules(user.send("POST", "/tasks", data=NEW_TASK)) == [("body", "请求体必须是JSON对象")]


def test_a_body_that_is_too_large(rest: Rest, user: User) -> None:
    before = rest.rows()
    answer = user.send("POST", "/tasks", json=NEW_TASK | {"video_id": "x" * 1024 * 1024})
    assert rest.check(answer, 413, 413, "请求体大小超过限制，最大允许1MB") is None
    assert rest.rows() == before


# --- what is taken --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("video_id", ["5f0c1f2e-7d0a-4b7e-9c55-2f4a6f0f3c11", "mine", "", None, 5, {"a": []}])
def test_the_server_makes_its_own_video_id(user: User, video_id: object) -> None:
    task = user.data("POST", "/tasks", 201, json=NEW_TASK | {"video_id": video_id, "user_id": str(uuid4())})
    assert task["video_id"] != video_id
    assert task["user_id"] == str(user.id)


def test_json_without_a_content_type(user: User) -> None:
    task = user.data("POST", "/tasks", 201, content=json.dumps(NEW_TASK))
    assert task.items() >= NEW_TASK.items()


@pytest.mark.parametrize("none", ["", None])
def test_an_empty_text_counts_as_none(rest: Rest, user: User, none: str | None) -> None:
    task = user.data("POST", "/tasks", 201, json=NEW_TASK | {"liveroom_title": none, "liveroom_url": none})
    assert (task["liveroom_title"], task["liveroom_url"]) == (None, None)
    shelf = put(rest, a_shelf(user, video=False))
    names = ("liveroom_title", "liveroom_url", "resolution", "format", "file_size", "duration")
    body = a_video_body(shelf) | dict.fromkeys(names[:4], none)
    video = user.data("POST", shelf.path(f"{T}/videos"), 201, json=body)
    assert {name: video[name] for name in names} == dict.fromkeys(names)
    body = a_failure_body(shelf) | {"standard_name": none, "retry_count": None}
    failure = user.data("POST", shelf.path(f"{T}/failures"), 201, json=body)
    assert (failure["standard_name"], failure["retry_count"]) == (None, 0)


def test_bounds_are_inclusive(rest: Rest, user: User) -> None:
    url = f"https://media.example/{'a' * 1978}"
    for room, title in (("r" * 5, "t" * 255), ("房" * 20, "题")):
        body = {"resource_url": url, "resource_type": "image", "liveroom_id": room, "liveroom_title": title}
        assert user.data("POST", "/tasks", 201, json=body).items() >= body.items()
    shelf = put(rest, a_shelf(user, video=False))
    for changes in ({"priority": 0, "max_retries": 1}, {"priority": 100, "max_retries": 10}):
        assert user.data("PUT", shelf.path(T), json=changes).items() >= changes.items()
    measured = {"file_size": 2**63 - 1, "duration": 0.125, "resolution": "1280x720", "format": "mp4"}
    video = user.data("POST", shelf.path(f"{T}/videos"), 201, json=a_video_body(shelf) | measured | {"unknown": 1})
    assert {name: video[name] for name in measured} == measured


# --- queries --------------------------------------------------------------------------------------------------

LISTS = ["/tasks", "/failures", "/videos", f"{T}/failures", f"{T}/videos"]
PAGES = [
    *(
        ("page", page, "页码必须在1-2147483647之间")
        for page in ("0", "-1", "2147483648", "9" * 5000, "x", "", "1.5", "%00")
    ),
    *(("size", size, "每页数量必须在1-100之间") for size in ("0", "101", "9" * 400, "ten", "")),
    *(
        ("sort", sort, "排序格式必须是field:asc或field:desc，多个字段以逗号分隔")
        for sort in (
            "created_at",
            "created_at:",
            "created_at:up",
            "id:asc,created_at",
            "created_at:DESC",
            "id:asc:desc",
        )
    ),
    ("sort", "%00", CONTROL),
]


@pytest.mark.parametrize("path", LISTS)
@pytest.mark.parametrize(("name", "value", "rule"), PAGES)
def test_a_bad_page(user: User, shelf: Shelf, *, path: str, name: str, value: str, rule: str) -> None:
    assert broken_rules(user.send("GET", f"{shelf.path(path)}?{name}={value}")) == [(f"query.{name}", rule)]


@pytest.mark.parametrize(
    ("path", "name", "value", "rule"),
    [
        ("/tasks", "status", "running", STATES),
        ("/tasks", "status", "", STATES),
        ("/tasks", "resource_type", "ts", KIND),
        ("/tasks", "search", "%00", CONTROL),
        ("/tasks", "search", "s" * 2001, "搜索内容长度不能超过2000"),
        ("/tasks", "liveroom_id", "a%00", CONTROL),
        ("/failures", "status", "failed", "status必须是pending/retrying/abandoned之一"),
        (
            "/failures",
            "failure_type",
            "x",
            "failure_type必须是network_error/timeout/invalid_content/storage_error/permission_error之一",
        ),
        ("/videos", "resource_type", "m3u8", KIND),
    ],
)
def test_a_bad_filter(user: User, path: str, name: str, value: str, rule: str) -> None:
    assert broken_rules(user.send("GET", f"{path}?{name}={value}")) == [(f"query.{name}", rule)]


@pytest.mark.parametrize("wait", ["-1", "25.1", "26", "x", "", "nan", "inf", "1e400", "9" * 400])
def test_a_bad_wait(rest: Rest, user: User, shelf: Shelf, wait: str) -> None:
    before = rest.rows()
    answer = user.send("POST", f"{shelf.path(T)}/start?wait={wait}")
    assert broken_rules(answer) == [("query.wait", "等待秒数必须在0-25之间")]
    assert rest.rows() == before


@pytest.mark.parametrize("path", [T, F, V])
def test_a_query_that_nobody_asked_for_is_ignored(rest: Rest, user: User, path: str) -> None:
    assert user.data("GET", f"{put(rest, a_shelf(user)).path(path)}?fields=%00&page=x")
