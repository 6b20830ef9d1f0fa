from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID, uuid4

import pytest

from domain.errors import (
    AbandonedFailureError,
    FailureRecordNotFoundError,
    IllegalMoveError,
    RetryLimitReachedError,
    ServiceError,
    TaskNotFoundError,
)
from domain.failure_service import FailureService
from domain.models import DownloadTask
from domain.paging import PageRequest
from domain.queries import NEWEST_FIRST, FailureFilter
from domain.services import Services
from domain.values import FailureStatus, TaskStatus
from tests.builders import NOW, a_failure, a_task
from tests.rooms import Rooms

USER = UUID(int=1)
PENDING, PROCESSING, COMPLETED, PARTIAL, FAILED, CANCELLED = TaskStatus
OPEN, RETRYING, ABANDONED = FailureStatus
ANYTHING = FailureFilter()

Operation = Callable[[FailureService, UUID, UUID], object]
OPERATIONS: dict[str, Operation] = {
    "retry": FailureService.retry_download_failure,
    "abandon": FailureService.abandon_download_failure,
    "get": FailureService.get_failure_details,
}


def a_task_of_mine(status: TaskStatus, **overrides: Any) -> DownloadTask:
    return a_task(user_id=USER, status=status, **overrides)


# --- retry ---


@pytest.mark.parametrize("status", [PARTIAL, FAILED])
def test_a_retry_is_a_run_of_that_piece(rooms: Rooms, services: Services, status: TaskStatus) -> None:
    task = a_task_of_mine(status, progress=0.9, retry_count=3, completed_at=NOW)
    asked, other = a_failure(task, next_retry_time=NOW), a_failure(task, segment_index=1)
    rooms.keep(task, asked, other)
    now = rooms.clock.forward(hours=1)

    services.failures.retry_download_failure(USER, asked.id)

    failures = {failure.id: failure for failure in rooms.failures(task.id)}
    assert (failures[asked.id].status, failures[asked.id].retry_count) == (RETRYING, 1)
    assert (failures[asked.id].next_retry_time, failures[asked.id].auto_retry_count) == (None, 0)
    assert (failures[other.id].status, failures[other.id].retry_count) == (OPEN, 0)
    started = rooms.task(task.id)
    assert (started.status, started.retry_count, started.progress) == (PROCESSING, 3, 0.9)
    assert (started.queued_at, started.admitted_at, started.completed_at) == (now, now, None)


def test_on_a_processing_task_it_joins_the_run(rooms: Rooms, services: Services) -> None:
    task = a_task_of_mine(PROCESSING, run_number=1, queued_at=NOW, admitted_at=NOW, started_at=NOW)
    failures = [a_failure(task, segment_index=index) for index in range(3)]
    rooms.keep(task, *failures)
    before = rooms.rows()["download_tasks"]
    rooms.clock.forward(hours=1)

    for failure in failures:
        services.failures.retry_download_failure(USER, failure.id)

    assert [(failure.status, failure.retry_count) for failure in rooms.failures(task.id)] == [(RETRYING, 1)] * 3
    assert rooms.rows()["download_tasks"] == before


@pytest.mark.parametrize(
    ("task", "failure", "error"),
    [
        (PENDING, {"status": ABANDONED, "retry_count": 3}, AbandonedFailureError),
        (CANCELLED, {"status": ABANDONED}, AbandonedFailureError),
        (PENDING, {"retry_count": 3}, RetryLimitReachedError),
        (COMPLETED, {"retry_count": 3, "piece_key": None}, RetryLimitReachedError),
        (PARTIAL, {"retry_count": 3}, RetryLimitReachedError),
        (PROCESSING, {"status": RETRYING, "retry_count": 2}, IllegalMoveError),
        (PARTIAL, {"piece_key": None}, IllegalMoveError),
        (PENDING, {}, IllegalMoveError),
        (COMPLETED, {}, IllegalMoveError),
        (CANCELLED, {}, IllegalMoveError),
    ],
)
def test_what_a_retry_is_refused_for_first(
    rooms: Rooms, services: Services, task: TaskStatus, failure: dict[str, Any], error: type[ServiceError]
) -> None:
    owner = a_task_of_mine(task)
    lost = a_failure(owner, **failure)
    rooms.keep(owner, lost)
    with rooms.refusal(error):
        services.failures.retry_download_failure(USER, lost.id)


def test_a_paused_task_says_what_to_do_instead(rooms: Rooms, services: Services) -> None:
    task = a_task_of_mine(PENDING, paused=True)
    failure = a_failure(task)
    rooms.keep(task, failure)
    with rooms.refusal(IllegalMoveError) as caught:
        services.failures.retry_download_failure(USER, failure.id)
    assert caught.value.message == "The task is not started, or paused: start or resume it instead."


# --- abandon ---


@pytest.mark.parametrize("status", [OPEN, RETRYING])
@pytest.mark.parametrize("task_status", TaskStatus)
def test_abandoned_is_for_good_and_leaves_the_task(
    rooms: Rooms, services: Services, status: FailureStatus, task_status: TaskStatus
) -> None:
    task = a_task_of_mine(task_status)
    failure = a_failure(task, status=status, retry_count=2, next_retry_time=NOW)
    rooms.keep(task, failure)
    before = rooms.rows()["download_tasks"]

    services.failures.abandon_download_failure(USER, failure.id)

    abandoned = rooms.failure(task.id)
    assert (abandoned.status, abandoned.retry_count, abandoned.next_retry_time) == (ABANDONED, 2, None)
    assert rooms.rows()["download_tasks"] == before
    with rooms.refusal(AbandonedFailureError):
        services.failures.abandon_download_failure(USER, failure.id)


def test_abandon_all_counts_those_that_were_open(rooms: Rooms, services: Services) -> None:
    task, other = a_task_of_mine(FAILED), a_task_of_mine(FAILED)
    lost = [a_failure(task, segment_index=index, status=status) for index, status in enumerate(FailureStatus)]
    rooms.keep(task, other, *lost, a_failure(other))

    assert services.failures.abandon_download_failures(USER, task.id) == 2
    assert services.failures.abandon_download_failures(USER, task.id) == 0
    assert [failure.status for failure in rooms.failures(task.id)] == [ABANDONED] * 3
    assert rooms.failure(other.id).status is OPEN


# --- whose ---


@pytest.mark.parametrize("operation", OPERATIONS)
def test_another_users_failure_is_as_one_that_never_was(rooms: Rooms, services: Services, operation: str) -> None:
    theirs = a_task(status=PARTIAL)
    failure = a_failure(theirs)
    rooms.keep(theirs, failure)
    for failure_id in (failure.id, uuid4()):
        with rooms.refusal(FailureRecordNotFoundError) as caught:
            OPERATIONS[operation](services.failures, USER, failure_id)
        assert caught.value.message == "There is no such failure."


def test_a_failure_of_another_task_is_not_found_by_this_one(rooms: Rooms, services: Services) -> None:
    task, other = a_task_of_mine(PARTIAL), a_task_of_mine(PARTIAL)
    failure = a_failure(task)
    rooms.keep(task, other, failure)
    for move in (services.failures.retry_download_failure, services.failures.abandon_download_failure):
        with rooms.refusal(FailureRecordNotFoundError):
            move(USER, failure.id, task_id=other.id)
    services.failures.retry_download_failure(USER, failure.id, task_id=task.id)


def test_another_users_task_has_no_failures(rooms: Rooms, services: Services) -> None:
    theirs = a_task(status=PARTIAL)
    rooms.keep(theirs, a_failure(theirs))
    failures, page = services.failures, PageRequest()
    for ask in (
        lambda task_id: failures.abandon_download_failures(USER, task_id),
        lambda task_id: failures.list_download_failures(USER, task_id, ANYTHING, NEWEST_FIRST, page),
        lambda task_id: failures.count_download_failures(USER, task_id, ANYTHING),
    ):
        for task_id in (theirs.id, uuid4()):
            with rooms.refusal(TaskNotFoundError):
                ask(task_id)
    assert failures.list_failures(USER, ANYTHING, NEWEST_FIRST, page).items == []
    assert failures.count_failures(USER, ANYTHING) == 0
    assert failures.first_failures_of_tasks(USER, [theirs.id], ANYTHING, NEWEST_FIRST, 5)[theirs.id].items == []


def test_reading_ones_own(rooms: Rooms, services: Services) -> None:
    task, whole = a_task_of_mine(PARTIAL), a_task_of_mine(COMPLETED)
    lost = [a_failure(task, segment_index=index) for index in range(3)]
    rooms.keep(task, whole, *lost)
    failures, ids = services.failures, {failure.id for failure in lost}
    page = PageRequest(size=2)

    assert failures.get_failure_details(USER, lost[0].id).segment_index == 0
    assert {failure.id for failure in failures.list_failures(USER, ANYTHING, NEWEST_FIRST, PageRequest()).items} == ids
    of_task = failures.list_download_failures(USER, task.id, ANYTHING, NEWEST_FIRST, page)
    assert (len(of_task.items), of_task.has_next) == (2, True)
    assert failures.count_failures(USER, ANYTHING) == failures.count_download_failures(USER, task.id, ANYTHING) == 3
    first = failures.first_failures_of_tasks(USER, [task.id, whole.id], ANYTHING, NEWEST_FIRST, 2)
    assert {task_id: (len(page.items), page.has_next) for task_id, page in first.items()} == {
        task.id: (2, True),
        whole.id: (0, False),
    }
