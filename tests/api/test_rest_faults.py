"""Faults of the service, and what lies around the documented paths."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import httpx
import pytest

from domain.services import Services
from tests.rest import PREFIX, Rest, User, running_rest
from tests.rest_paths import PATHS, a_shelf


@pytest.fixture(params=[False, True], ids=["http statuses", "envelope only"])
def rest(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Rest]:
    with running_rest(tmp_path, rest_envelope_only=request.param) as running:
        yield running


def logged_with(caplog: pytest.LogCaptureFixture, request_id: str) -> list[type[BaseException] | None]:
    """The kinds of error whose stack was logged under this id."""
    return [record.exc_info[0] for record in caplog.records if record.exc_info and request_id in record.getMessage()]


def test_a_broken_database(rest: Rest, caplog: pytest.LogCaptureFixture) -> None:
    """On every path; no SQL reaches a client."""
    user = rest.user()
    with rest.database.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE download_tasks RENAME TO elsewhere")
    for path in PATHS:
        answer = path.send(user, a_shelf(user))
        assert answer.status_code == 500
        request_id = answer.headers["x-request-id"]
        assert rest.check(answer, 500, 1002, "数据库操作失败") == {"request_id": request_id}
        assert len(logged_with(caplog, request_id)) == 1


def _a_bug() -> AbstractContextManager[Services]:
    raise ZeroDivisionError("a secret of the program")


def test_a_bug(rest: Rest, caplog: pytest.LogCaptureFixture) -> None:
    rest.app.state.open_services = _a_bug
    for number, path in enumerate(PATHS):
        request_id = f"request-{number}-"
        user = User(rest.http, headers={"X-Request-ID": request_id})
        answer = path.send(user, a_shelf(user))
        assert answer.headers["x-request-id"] == request_id
        assert rest.check(answer, 500, 1000, "服务器内部错误") == {"request_id": request_id}
        assert logged_with(caplog, request_id) == [ZeroDivisionError]


def test_errors_elsewhere_are_worded_as_ever(rest: Rest) -> None:
    for path in ("/nope", "/api/v1/other", f"{PREFIX}s", "/api/v1"):
        answer = rest.http.get(path)
        assert (answer.status_code, answer.json()) == (404, {"detail": "Not Found"})
    answer = rest.http.post("/graphql", json={"query": "{ viewer { userId } }"})
    assert answer.status_code == 401
    assert answer.json()["errors"][0]["extensions"]["code"] == "UNAUTHENTICATED"


def test_pages_of_other_origins(tmp_path: Path) -> None:
    """A browser asks first, and reads refusals too."""
    origin = "https://app.example.com"
    with running_rest(tmp_path, cors_origins=(origin,)) as rest:
        preflight = {
            "Origin": origin,
            "Access-Control-Request-Method": "PUT",
            "Access-Control-Request-Headers": "authorization, content-type",
        }
        answer = rest.http.options(f"{PREFIX}/tasks/1", headers=preflight)
        assert answer.status_code == 200
        assert answer.headers["access-control-allow-origin"] == origin
        assert "PUT" in answer.headers["access-control-allow-methods"]
        assert "authorization" in answer.headers["access-control-allow-headers"].lower()
        refused = rest.http.get(f"{PREFIX}/tasks", headers={"Origin": origin})
        assert (refused.status_code, refused.headers["access-control-allow-origin"]) == (401, origin)
        stranger = rest.http.get(f"{PREFIX}/tasks", headers={"Origin": "https://evil.example"})
        assert "access-control-allow-origin" not in stranger.headers


def test_two_answers_have_two_ids(rest: Rest) -> None:
    user = rest.user()
    answers: list[httpx.Response] = [user.send("GET", "/tasks") for _ in range(2)]
    assert len({answer.headers["x-request-id"] for answer in answers}) == 2
