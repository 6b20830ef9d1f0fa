"""A deployed client's whole day: a download with losses, over the documented paths and a real service."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import media
from tests.e2e.service import SECRET, Service, wait_until
from tests.origin import Origin
from tests.origin_faults import status
from tests.rest import User
from web.auth import JWTAuth


@pytest.fixture
def origin() -> Iterator[Origin]:
    with Origin() as running:
        yield running


@pytest.fixture
def service(tmp_path: Path, origin: Origin) -> Iterator[Service]:
    with Service(tmp_path, EGRESS_ALLOW=origin.host_port, AUTO_RETRY="false") as running:
        yield running


def test_a_stream_with_losses(service: Service, origin: Origin) -> None:
    stream = media.many_segments(10)
    origin.put_all(stream.files, under="/s/")
    lost = [f"/s/{name}" for name in sorted(stream.files) if name != stream.media][2:4]
    for path in lost:
        origin.fail(path, status(404))
    user = User(service.http, JWTAuth(SECRET))
    new = {"resource_url": origin.url(f"/s/{stream.media}"), "resource_type": "hls", "liveroom_id": "room-1"}

    task = user.data("POST", "/tasks", 201, json=new)
    path = f"/tasks/{task['id']}"
    task = user.data("POST", f"{path}/start?wait=25")
    assert (task["status"], task["progress"], task["retry_count"]) == ("partial_completed", 0.8, 0)
    failures = user.data("GET", f"{path}/failures?sort=expected_path:asc")["items"]
    assert [failure["resource_url"] for failure in failures] == [origin.url(path) for path in lost]
    assert {(failure["failure_type"], failure["resource_type"]) for failure in failures} == {("network_error", "ts")}

    origin.heal(lost[0])
    retried = user.data("POST", f"/failures/{failures[0]['id']}/retry")
    assert (retried["status"], retried["retry_count"]) == ("retrying", 1)
    wait_until(lambda: user.data("GET", path)["status"] != "processing", "the piece to arrive")
    (left,) = user.data("GET", f"{path}/failures")["items"]
    assert left["id"] == failures[1]["id"]
    assert user.data("POST", f"{path}/failures/{left['id']}/abandon")["status"] == "abandoned"
    assert user.data("GET", path)["progress"] == 0.9

    video = user.data("GET", f"/videos/{task['video_id']}")
    assert (video["status"], video["resource_url"]) == ("partial_completed", new["resource_url"])
    assert video["file_size"] > 0
    assert service.media(video["storage_path"]).is_dir()
    assert user.data("DELETE", path) is None
    assert user.send("GET", f"/videos/{task['video_id']}").status_code == 404
    wait_until(lambda: not service.media(f"video_{task['video_id']}").exists(), "the files to go")
