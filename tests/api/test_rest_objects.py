"""What the rows look like over REST, field by field."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from tests.builders import NOW, a_video
from tests.rest import Rest, User, running_rest
from tests.rest_paths import F, T, V, a_shelf, put


@pytest.fixture(scope="module")
def rest(tmp_path_factory: pytest.TempPathFactory, shared_database_url: str) -> Iterator[Rest]:
    with running_rest(tmp_path_factory.mktemp("rest"), database_url=shared_database_url) as running:
        yield running


@pytest.fixture
def user(rest: Rest) -> User:
    return rest.user()


def test_what_a_task_shows(rest: Rest, user: User) -> None:
    shelf = put(rest, a_shelf(user, {"completed_at": NOW, "last_error": "HTTP 404", "progress": 0.7}))
    row = shelf.task
    assert user.data("GET", shelf.path(T)) == {
        "id": str(row.id),
        "user_id": str(user.id),
        "video_id": str(row.video_id),
        "liveroom_id": "room-1",
        "liveroom_title": None,
        "liveroom_url": None,
        "resource_url": "https://media.example/live/index.m3u8?token=secret",
        "resource_type": "hls",
        "status": "failed",
        "progress": 0.7,
        "retry_count": 0,
        "max_retries": 3,
        "priority": 50,
        "last_error": "HTTP 404",
        "created_at": "2025-06-14T10:00:00.123456Z",
        "updated_at": "2025-06-14T10:00:00.123456Z",
        "completed_at": "2025-06-14T10:00:00.123456Z",
    }


def test_what_a_failure_shows(rest: Rest, user: User) -> None:
    shelf = put(rest, a_shelf(user, failure={"next_retry_time": NOW}))
    failure, path = shelf.failure, shelf.failure.expected_path
    assert user.data("GET", shelf.path(F)) == {
        "id": str(failure.id),
        "failure_id": str(failure.id),
        "task_id": str(shelf.task.id),
        "resource_url": "https://media.example/live/0.ts",
        "expected_path": path,
        "standard_name": "segment_000000.ts",
        "resource_type": "ts",
        "failure_type": "network_error",
        "error_message": "HTTP 404",
        "status": "pending",
        "retry_count": 0,
        "next_retry_time": "2025-06-14T10:00:00.123456Z",
        "created_at": "2025-06-14T10:00:00.123456Z",
        "updated_at": "2025-06-14T10:00:00.123456Z",
    }


def test_what_a_video_shows(rest: Rest, user: User) -> None:
    shelf = a_shelf(user)
    video_id = str(shelf.task.video_id)
    cover = f"video_{video_id}/image/cover.jpg"
    shelf.video = a_video(shelf.task, duration=12.3456, cover_path=cover, download_start_time=NOW)
    put(rest, shelf)
    shown = user.data("GET", shelf.path(V))
    link = shown.pop("cover_url")
    assert re.fullmatch(rf"http://127\.0\.0\.1:8000/media/[A-Za-z0-9_-]+/{cover}", link)
    assert shown == {
        "id": str(shelf.video.id),
        "video_id": video_id,
        "task_id": str(shelf.task.id),
        "liveroom_id": "room-1",
        "liveroom_title": None,
        "liveroom_url": None,
        "video_type": "hls",
        "resource_type": "hls",
        "video_url": "https://media.example/live/index.m3u8?token=secret",
        "resource_url": "https://media.example/live/index.m3u8?token=secret",
        "storage_path": f"video_{video_id}/hls",
        "file_size": 3_000_000_000,
        "duration": 12.346,
        "resolution": "1280x720",
        "format": "hls",
        "cover_path": cover,
        "status": "completed",
        "download_start_time": "2025-06-14T10:00:00.123456Z",
        "download_end_time": None,
        "created_at": "2025-06-14T10:00:00.123456Z",
        "updated_at": "2025-06-14T10:00:00.123456Z",
    }
