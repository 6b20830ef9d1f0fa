"""The documented paths, row by row: HTTP status, code, message and keys, in both status modes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import jwt
import pytest

from tests.rest import PAGE_KEYS, PREFIX, SECRET, Rest, User, broken_rules, running_rest, without_time
from tests.rest_paths import PATHS, Path, a_shelf, put
from web.auth import JWTAuth

NOWHERE = "0b2f7c9e-4f0d-4a53-9a52-3d1f0c3c5a77"

every_path = pytest.mark.parametrize("path", PATHS, ids=lambda path: path.name)
every_path_with_ids = pytest.mark.parametrize(
    "path", [path for path in PATHS if path.not_found], ids=lambda path: path.name
)


@pytest.fixture(scope="module", params=[False, True], ids=["http statuses", "envelope only"])
def rest(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rest]:
    with running_rest(tmp_path_factory.mktemp("rest"), rest_envelope_only=request.param) as running:
        yield running


@pytest.fixture
def user(rest: Rest) -> User:
    return rest.user()


def times_of(row: dict[str, Any]) -> list[str]:
    return [value for name, value in row.items() if name.endswith(("_at", "_time")) and isinstance(value, str)]


@every_path
def test_success(rest: Rest, user: User, path: Path) -> None:
    shelf = put(rest, a_shelf(user, video=path.video))
    data = rest.check(path.send(user, shelf), path.status, path.status, path.message)
    if path.page:
        assert list(data) == PAGE_KEYS
        assert (data["total"], data["page"], data["size"], data["pages"]) == (1, 1, 10, 1)
        (data,) = data["items"]
    assert list(data or {}) == path.keys
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", time) for time in times_of(data or {}))


@every_path_with_ids
def test_a_missing_row_and_another_users_are_one(rest: Rest, user: User, path: Path) -> None:
    mine, theirs = a_shelf(user, video=path.video), put(rest, a_shelf(rest.user(), video=path.video))
    before = rest.rows()
    missing, foreign = path.send(user, mine), path.send(user, theirs)
    assert rest.check(missing, 404, 404, path.not_found) is None
    assert missing.status_code == foreign.status_code
    assert without_time(missing) == without_time(foreign)
    assert rest.rows() == before


@every_path_with_ids
@pytest.mark.parametrize("no_id", ["no-id", "1", "0b2f7c9e-4f0d-4a53-9a52-3d1f0c3c5a7", "%00", "%ff", "٣" * 32])
def test_a_malformed_id(user: User, path: Path, no_id: str) -> None:
    names = re.findall(r"\{(\w+)\}", path.path)
    body = path.json(a_shelf(user)) if path.json else None
    answer = user.send(path.method, re.sub(r"\{\w+\}", no_id, path.path), json=body)
    rules = {"task_id": "任务ID必须是UUID", "failure_id": "失败记录ID必须是UUID", "video_id": "视频ID必须是UUID"}
    assert broken_rules(answer) == [(f"path.{name}", rules[name]) for name in names]


def _token(**claims: Any) -> str:
    return f"Bearer {jwt.encode({'exp': 4_000_000_000, **claims}, SECRET)}"


LONG_AGO = JWTAuth(SECRET, clock=lambda: 1_000_000_000)
CREDENTIALS = {
    "none": (None, "认证凭证缺失"),
    "empty": ("Bearer", "认证凭证缺失"),
    "another scheme": ("Basic dXNlcjpwYXNz", "认证凭证缺失"),
    "rubbish": ("Bearer rubbish", "认证凭证无效"),
    "another secret": (f"Bearer {JWTAuth('x' * 32).make_development_token(uuid4(), 5)}", "认证凭证无效"),
    "no user": (_token(), "认证凭证无效"),
    "no UUID": (_token(user_id="admin"), "认证凭证无效"),
    "expired": (f"Bearer {LONG_AGO.make_development_token(uuid4(), 5)}", "认证凭证已过期"),
}


@every_path
@pytest.mark.parametrize(("authorization", "text"), CREDENTIALS.values(), ids=CREDENTIALS)
def test_unauthenticated(rest: Rest, path: Path, authorization: str | None, text: str) -> None:
    """Whatever else is wrong with the request."""
    answer = rest.http.request(
        path.method,
        PREFIX + a_shelf(rest.user()).path(path.path),
        headers={"Authorization": authorization} if authorization else {},
        content=b"{",
    )
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"
    content = answer.json()
    assert list(content) == ["code", "message", "data", "detail", "timestamp"]
    del content["timestamp"]
    assert content == {"code": 401, "message": "认证失败", "data": {"error": text}, "detail": text}


# --- what else is under the prefix ----------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["", "/", "/nope", "/tasks/", "/tasks/1/2/3", "/Tasks", "/tasks/batch-import/x"])
def test_an_unknown_path(user: User, path: str) -> None:
    answer = user.send("GET", path)
    assert answer.status_code == 404
    assert without_time(answer) == '{"code":404,"message":"接口不存在","data":null,"timestamp":""}'.encode()


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("DELETE", "/tasks", "GET, POST"),
        ("HEAD", "/tasks", "GET, POST"),
        ("POST", f"/tasks/{NOWHERE}", "DELETE, GET, PATCH, PUT"),
        ("GET", f"/tasks/{NOWHERE}/start", "POST"),
        ("PROPFIND", "/videos", "GET"),
    ],
)
def test_an_unknown_method(user: User, method: str, path: str, allowed: str) -> None:
    answer = user.send(method, path)
    assert (answer.status_code, answer.headers["allow"]) == (405, allowed)
    if method != "HEAD":
        assert without_time(answer) == '{"code":405,"message":"请求方法不允许","data":null,"timestamp":""}'.encode()


def test_every_documented_path_is_described_and_tested(rest: Rest) -> None:
    described = rest.app.openapi()["paths"]
    operations = {
        (method.upper(), path.removeprefix(PREFIX)): operation
        for path, methods in described.items()
        if path.startswith(PREFIX)
        for method, operation in methods.items()
    }
    assert set(operations) == {(path.method, path.path) for path in PATHS}
    for operation in operations.values():
        assert re.search("[a-z]", operation["summary"])
        assert re.search("[一-鿿]", operation["summary"])
        assert operation["security"] == [{"Bearer": []}]
        assert {"401", "422", "500"} < set(operation["responses"])
    assert rest.app.openapi()["components"]["securitySchemes"]["Bearer"]["scheme"] == "bearer"
