"""PostgreSQL goes away and comes back: clean answers meanwhile, and everything as before afterwards."""

from __future__ import annotations

import time
from pathlib import Path
from uuid import uuid4

import httpx

from tests import media
from tests.e2e.service import Service, User, wait_until
from tests.origin import Origin
from tests.postgres import PostgresServer

IMAGE = media.png()
SOON = 10  # seconds; nothing has to be waited for when nobody listens


def ready(service: Service) -> tuple[int, dict[str, object]]:
    answer = service.http.get("/ready")
    return answer.status_code, answer.json()["parts"]


def rest(user: User, method: str, path: str, **options: object) -> httpx.Response:
    return user.service.http.request(method, f"/api/v1/download{path}", headers=user.headers, json=options or None)


def refused_by_rest(answer: httpx.Response) -> None:
    content = answer.json()
    assert (answer.status_code, content["code"], content["message"]) == (500, 1002, "数据库操作失败")
    assert content["data"] == {"request_id": answer.headers["x-request-id"]}


def refused_by_graphql(answer: httpx.Response) -> None:
    (error,) = answer.json()["errors"]
    assert error["message"] == "Something went wrong on our side. Give the request id when you report it."
    assert error["extensions"] == {"code": "INTERNAL_SERVER_ERROR", "requestId": answer.headers["x-request-id"]}


def test_the_database_stops_and_starts_again(
    tmp_path: Path, origin: Origin, postgres: PostgresServer, postgres_url: str
) -> None:
    origin.put("/cover.png", IMAGE)
    with Service(tmp_path, DATABASE_URL=postgres_url, EGRESS_ALLOW=origin.host_port) as service:
        user = service.user()
        done = user.create(origin.url("/cover.png"), "IMAGE")
        assert user.wait(done["id"])["status"] == "COMPLETED"
        new = {"resource_url": origin.url("/cover.png"), "resource_type": "image", "liveroom_id": "room-1"}
        with postgres.down():
            began = time.monotonic()
            assert service.http.get("/health").status_code == 200
            assert ready(service) == (503, {"database": "down", "storage": "ok"})
            for _ in range(3):  # the first may still find connections that were good
                refused_by_rest(rest(user, "GET", f"/tasks/{done['id']}"))
                refused_by_rest(rest(user, "POST", "/tasks", **new))
                refused_by_graphql(user.post(f'{{ task(id: "{uuid4()}") {{ id }} }}'))
                refused_by_graphql(user.call("startTask", id=done["id"]))
            assert time.monotonic() - began < SOON
        wait_until(lambda: ready(service) == (200, {"database": "ok", "storage": "ok"}), "the database")
        (task,) = rest(user, "GET", "/tasks").json()["data"]["items"]
        assert (task["id"], task["status"]) == (done["id"], "completed")
        another = user.create(origin.url("/cover.png"), "IMAGE")
        assert user.wait(another["id"])["status"] == "COMPLETED"
