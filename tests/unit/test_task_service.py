from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from domain.errors import (
    BlockedUrlError,
    CompletedTaskError,
    ConflictError,
    IllegalMoveError,
    InvalidInputError,
    QuotaExceededError,
    TaskNotFoundError,
)
from domain.inputs import NewTask, TaskChanges
from domain.models import DownloadTask
from domain.policy import Policy
from domain.ports import Purge
from domain.services import Services
from domain.values import FailureStatus, ResourceType, TaskStatus
from tests.builders import NOW, a_failure, a_task, a_video
from tests.rooms import Rooms

USER = UUID(int=1)
URL = "https://media.example/index.m3u8?token=secret"
WEEK = timedelta(days=7)
INSTANT = timedelta(microseconds=1)


def a_new_task(**overrides: Any) -> NewTask:
    values = {"resource_url": URL, "resource_type": ResourceType.HLS, "liveroom_id": "room-1"}
    return NewTask(**values | overrides)


# --- create ---


def test_create_keeps_what_was_given(rooms: Rooms, services: Services) -> None:
    headers = (("Cookie", "secret=1"), ("Referer", "https://live.example/"))
    new = a_new_task(
        liveroom_title="第一場",
        liveroom_url="https://live.example/1",
        priority=100,
        max_retries=10,
        max_height=720,
        request_headers=headers,
    )
    created = services.tasks.create_download_task(USER, new)

    task = rooms.task(created.id)
    assert (task.user_id, task.resource_url, task.resource_type) == (USER, URL, ResourceType.HLS)
    assert (task.liveroom_id, task.liveroom_title, task.liveroom_url) == ("room-1", "第一場", "https://live.example/1")
    assert (task.priority, task.max_retries, task.max_height) == (100, 10, 720)
    assert (task.status, task.queued_at, task.created_at, task.updated_at) == (TaskStatus.PENDING, None, NOW, NOW)
    assert task.sealed_headers is not None
    assert b"secret" not in task.sealed_headers
    assert rooms.sealer.open(task.sealed_headers) == headers


def test_blank_texts_are_none(rooms: Rooms, services: Services) -> None:
    task = rooms.task(services.tasks.create_download_task(USER, a_new_task(liveroom_title="", liveroom_url="")).id)
    assert (task.liveroom_title, task.liveroom_url, task.sealed_headers) == (None, None, None)


def test_auto_start_hands_it_over_at_once(rooms: Rooms, services: Services) -> None:
    task = rooms.task(services.tasks.create_download_task(USER, a_new_task(auto_start=True)).id)
    assert (task.status, task.queued_at, task.admitted_at) == (TaskStatus.PROCESSING, NOW, NOW)


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:8000/a", "http://[::1]/", "ftp://media.example/", "https://a@b.example/"]
)
def test_an_address_that_must_not_be_fetched_is_no_task(rooms: Rooms, services: Services, url: str) -> None:
    with rooms.refusal(BlockedUrlError):
        services.tasks.create_download_task(USER, a_new_task(resource_url=url))


def test_unless_the_deployment_allows_it(rooms: Rooms) -> None:
    with rooms.open_services(Policy(egress_allow=frozenset({("127.0.0.1", 8000)}))) as services:
        new = a_new_task(resource_url="http://127.0.0.1:8000/a")
        assert services.tasks.create_download_task(USER, new).resource_url == "http://127.0.0.1:8000/a"


def test_every_fault_of_an_input_is_told(rooms: Rooms, services: Services) -> None:
    faulty = a_new_task(resource_url="http://10.0.0.1/", liveroom_id="x", priority=101)
    with rooms.refusal(BlockedUrlError) as caught:
        services.tasks.create_download_task(USER, faulty)
    told = [error.field for error in (caught.value, *caught.value.also)]
    assert told == [("resource_url",), ("liveroom_id",), ("priority",)]


# --- idempotency ---


def test_the_same_key_is_the_same_task(rooms: Rooms, services: Services) -> None:
    new = a_new_task(idempotency_key="k", request_headers=(("Cookie", "a"),), auto_start=True)
    first = services.tasks.create_download_task(USER, new)
    before = rooms.rows()

    assert services.tasks.create_download_task(USER, new).id == first.id
    assert rooms.rows() == before


@pytest.mark.parametrize("other", [{"priority": 51}, {"request_headers": (("Cookie", "b"),)}, {"auto_start": True}])
def test_the_same_key_with_other_input_is_refused(rooms: Rooms, services: Services, other: dict[str, Any]) -> None:
    services.tasks.create_download_task(USER, a_new_task(idempotency_key="k"))
    with rooms.refusal(ConflictError) as caught:
        services.tasks.create_download_task(USER, a_new_task(idempotency_key="k", **other))
    assert caught.value.message == "This idempotencyKey was used with other input. Use a new key."
    assert caught.value.field == ("idempotency_key",)


def test_a_key_is_its_users(services: Services) -> None:
    new = a_new_task(idempotency_key="k")
    tasks = [services.tasks.create_download_task(user, new) for user in (USER, uuid4())]
    assert len({task.id for task in tasks}) == 2


def test_a_key_is_kept_for_seven_days(rooms: Rooms, services: Services) -> None:
    first = services.tasks.create_download_task(USER, a_new_task(idempotency_key="k"))

    rooms.clock.now = NOW + WEEK
    assert services.tasks.create_download_task(USER, a_new_task(idempotency_key="k")).id == first.id

    rooms.clock.now += INSTANT
    second = services.tasks.create_download_task(USER, a_new_task(idempotency_key="k", priority=1))
    assert second.id != first.id
    assert (rooms.task(first.id).idempotency_key, rooms.task(second.id).idempotency_key) == (None, "k")


def test_calls_at_the_same_moment_make_one_task(rooms: Rooms) -> None:
    def create(_: int) -> UUID:
        with rooms.open_services() as services:
            return services.tasks.create_download_task(USER, a_new_task(idempotency_key="k")).id

    with ThreadPoolExecutor(5) as threads:
        assert len(set(threads.map(create, range(20)))) == 1
    assert len(rooms.rows()["download_tasks"]) == 1


# --- quotas ---


def test_a_quota_of_tasks_stops_the_next_one(rooms: Rooms) -> None:
    rooms.keep(a_task())  # another user's
    with rooms.open_services(Policy(max_tasks_per_user=2)) as services:
        first = services.tasks.create_download_task(USER, a_new_task(idempotency_key="k"))
        services.tasks.create_download_task(USER, a_new_task())
        with rooms.refusal(QuotaExceededError) as caught:
            services.tasks.create_download_task(USER, a_new_task())
        assert caught.value.message == "You have 2 tasks, the most allowed. Delete some first."

        assert services.tasks.create_download_task(USER, a_new_task(idempotency_key="k")).id == first.id
        assert services.tasks.start_download_task(USER, first.id).status is TaskStatus.PROCESSING
        services.tasks.delete_download_task(USER, first.id)
        services.tasks.create_download_task(USER, a_new_task())


def test_a_quota_of_bytes_stops_what_would_fetch_more(rooms: Rooms) -> None:
    fresh, paused = a_task(user_id=USER), a_task(user_id=USER, paused=True, bytes_downloaded=400)
    rooms.keep(fresh, paused, a_task(user_id=USER, bytes_downloaded=600), a_task(bytes_downloaded=1_000))
    with rooms.open_services(Policy(max_bytes_per_user=1_000)) as services:
        fetches: list[Callable[[], object]] = [
            lambda: services.tasks.create_download_task(USER, a_new_task()),
            lambda: services.tasks.start_download_task(USER, fresh.id),
            lambda: services.tasks.resume_download_task(USER, paused.id),
            lambda: services.tasks.update_download_task(USER, fresh.id, TaskChanges(status=TaskStatus.PROCESSING)),
        ]
        for fetch in fetches:
            with rooms.refusal(QuotaExceededError) as caught:
                fetch()
            assert caught.value.message == "Your storage is full. Delete some downloads first."
    with rooms.open_services(Policy(max_bytes_per_user=1_001)) as services:
        assert services.tasks.start_download_task(USER, fresh.id).status is TaskStatus.PROCESSING


# --- update ---


def a_running_task(**overrides: Any) -> DownloadTask:
    values = {
        "user_id": USER,
        "status": TaskStatus.PROCESSING,
        "run_number": 1,
        "queued_at": NOW,
        "admitted_at": NOW,
        "started_at": NOW,
        "retry_count": 3,
        "progress": 0.5,
    }
    return a_task(**values | overrides)


def test_update_changes_what_is_given(rooms: Rooms, services: Services) -> None:
    task = a_task(user_id=USER, liveroom_title="old", liveroom_url="https://live.example/")
    rooms.keep(task)
    now = rooms.clock.forward(hours=1)

    services.tasks.update_download_task(USER, task.id, TaskChanges(liveroom_title="new", priority=0))
    changed = rooms.task(task.id)
    assert (changed.liveroom_title, changed.liveroom_url) == ("new", "https://live.example/")
    assert (changed.priority, changed.max_retries, changed.updated_at) == (0, 3, now)

    services.tasks.update_download_task(USER, task.id, TaskChanges(liveroom_title="", liveroom_url=None, max_retries=1))
    changed = rooms.task(task.id)
    assert (changed.liveroom_title, changed.liveroom_url, changed.max_retries) == (None, None, 1)


@pytest.mark.parametrize(
    "changes",
    [TaskChanges(resource_url="https://other.example/a"), TaskChanges(request_headers=(("Cookie", "new"),))],
    ids=["url", "headers"],
)
def test_a_new_source_is_used_at_once_with_all_retries(rooms: Rooms, services: Services, changes: TaskChanges) -> None:
    task = a_running_task()
    rooms.keep(task, a_failure(task, retry_count=3, auto_retry_count=3))
    now = rooms.clock.forward(hours=1)

    services.tasks.update_download_task(USER, task.id, changes)

    changed, failure = rooms.task(task.id), rooms.failure(task.id)
    assert (changed.status, changed.progress, changed.retry_count) == (TaskStatus.PROCESSING, 0.5, 0)
    assert (changed.queued_at, changed.admitted_at, changed.started_at) == (NOW, now, None)
    assert (failure.status, failure.retry_count, failure.auto_retry_count) == (FailureStatus.PENDING, 0, 0)


@pytest.mark.parametrize("status", [TaskStatus.PENDING, TaskStatus.FAILED, TaskStatus.PARTIAL_COMPLETED])
def test_a_new_source_starts_nothing(rooms: Rooms, services: Services, status: TaskStatus) -> None:
    task = a_task(user_id=USER, status=status, retry_count=3, sealed_headers=b"old")
    rooms.keep(task)
    services.tasks.update_download_task(USER, task.id, TaskChanges(resource_url=URL, request_headers=()))
    changed = rooms.task(task.id)
    assert (changed.status, changed.resource_url, changed.sealed_headers) == (status, URL, None)
    assert (changed.retry_count, changed.admitted_at) == (0, None)


@pytest.mark.parametrize("status", [TaskStatus.COMPLETED, TaskStatus.CANCELLED])
@pytest.mark.parametrize("changes", [TaskChanges(resource_url=URL), TaskChanges(request_headers=())])
def test_what_is_final_takes_no_new_source(
    rooms: Rooms, services: Services, status: TaskStatus, changes: TaskChanges
) -> None:
    task = a_task(user_id=USER, status=status)
    rooms.keep(task)
    with rooms.refusal(IllegalMoveError) as caught:
        services.tasks.update_download_task(USER, task.id, changes)
    assert caught.value.message == "A completed or cancelled task fetches nothing more: create a new one."
    services.tasks.update_download_task(USER, task.id, TaskChanges(liveroom_title="renamed"))
    assert rooms.task(task.id).liveroom_title == "renamed"


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        (TaskChanges(resource_url="http://169.254.169.254/"), BlockedUrlError),
        (TaskChanges(liveroom_title="fine", priority=101), InvalidInputError),
        (TaskChanges(liveroom_title="fine", status=TaskStatus.COMPLETED), IllegalMoveError),
    ],
)
def test_a_refused_update_changes_nothing(
    rooms: Rooms, services: Services, changes: TaskChanges, error: type[ConflictError]
) -> None:
    task = a_task(user_id=USER)
    rooms.keep(task)
    with rooms.refusal(error):
        services.tasks.update_download_task(USER, task.id, changes)


# --- delete ---


@pytest.mark.parametrize("status", TaskStatus)
def test_delete_takes_everything_along(rooms: Rooms, services: Services, status: TaskStatus) -> None:
    task, other = a_task(user_id=USER, status=status), a_task(user_id=USER)
    rooms.keep(task, a_failure(task), a_video(task), other)

    assert services.tasks.delete_download_task(USER, task.id, include_completed=True) == task.id

    assert (rooms.find(task.id), rooms.failures(task.id), rooms.video(task.id)) == (None, [], None)
    assert rooms.purges() == [Purge(f"video_{task.video_id}/", NOW + timedelta(minutes=1))]
    assert rooms.task(other.id).status is TaskStatus.PENDING


def test_a_completed_task_is_not_deleted_by_mistake(rooms: Rooms, services: Services) -> None:
    task = a_task(user_id=USER, status=TaskStatus.COMPLETED)
    rooms.keep(task, a_video(task))
    with rooms.refusal(CompletedTaskError):
        services.tasks.delete_download_task(USER, task.id)


def test_delete_twice_is_not_found(rooms: Rooms, services: Services) -> None:
    task = a_task(user_id=USER)
    rooms.keep(task)
    services.tasks.delete_download_task(USER, task.id)
    with rooms.refusal(TaskNotFoundError):
        services.tasks.delete_download_task(USER, task.id)
