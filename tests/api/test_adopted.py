"""A client of the documented service finds its rows again, over REST as before and over GraphQL."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from tests.documented import Documented
from tests.rest import FAILURE_KEYS, TASK_KEYS, VIDEO_KEYS, Rest, User, running_rest

QUERY = """
query($id: ID!) { task(id: $id) {
    status progress priority createdAt updatedAt completedAt
    failures { totalCount nodes { errorMessage retryCount createdAt } }
    video { fileSize duration resolution createdAt }
} }
"""
USER = uuid4()


@pytest.fixture
def documented(empty_database_url: str) -> Iterator[Documented]:
    with Documented(empty_database_url) as documented:
        yield documented


@pytest.fixture
def rest(documented: Documented, empty_database_url: str, tmp_path: Path) -> Iterator[Rest]:
    """Started over that database."""
    task = documented.task(USER, status="partial_completed", progress=0.9, completed_at="2025-06-14 11:00:00.5")
    documented.failure(task)
    documented.video(task, status="partial_completed")
    documented.task(uuid4())
    with running_rest(tmp_path, database_url=empty_database_url) as rest:
        yield rest


def test_rows_are_read_as_utc_and_by_their_user_alone(rest: Rest) -> None:
    user = User(rest.http, id=USER)
    (task,) = user.data("GET", "/tasks")["items"]
    (failure,) = user.data("GET", "/failures")["items"]
    video = user.data("GET", f"/videos/{task['video_id']}")
    assert (list(task), list(failure), list(video)) == (TASK_KEYS, FAILURE_KEYS, VIDEO_KEYS)
    assert [task[name] for name in ("status", "progress", "retry_count", "max_retries", "priority")] == [
        *("partial_completed", 0.9, 1, 5, 70)
    ]
    assert [task[name] for name in ("created_at", "updated_at", "completed_at")] == [
        *("2025-06-14T10:00:00.123456Z", "2025-06-14T11:00:00.000000Z", "2025-06-14T11:00:00.500000Z")
    ]
    assert (failure["error_message"], failure["created_at"]) == ("HTTP 404", "2025-06-14T10:30:00.000000Z")
    assert (video["file_size"], video["duration"], video["format"]) == (3_000_000_000, 12.345, "hls")
    answer = rest.http.post(
        "/graphql",
        json={"query": QUERY, "variables": {"id": task["id"]}},
        headers={"Authorization": f"Bearer {user.auth.make_development_token(USER, 30)}"},
    )
    assert answer.json() == {
        "data": {
            "task": {
                "status": "PARTIAL_COMPLETED",
                "progress": 0.9,
                "priority": 70,
                "createdAt": "2025-06-14T10:00:00.123456Z",
                "updatedAt": "2025-06-14T11:00:00Z",
                "completedAt": "2025-06-14T11:00:00.500000Z",
                "failures": {
                    "totalCount": 1,
                    "nodes": [{"errorMessage": "HTTP 404", "retryCount": 2, "createdAt": "2025-06-14T10:30:00Z"}],
                },
                "video": {
                    "fileSize": 3_000_000_000,
                    "duration": 12.345,
                    "resolution": "1280x720",
                    "createdAt": "2025-06-14T11:00:00Z",
                },
            }
        }
    }


def test_its_losses_can_be_retried(rest: Rest) -> None:
    user = User(rest.http, id=USER)
    (failure,) = user.data("GET", "/failures")["items"]
    retried = user.data("POST", f"/failures/{failure['id']}/retry")
    assert (retried["status"], retried["retry_count"]) == ("retrying", 3)
