"""The moves of tasks as use cases: who may, what goes along, and who gets the free slot."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID, uuid4

import pytest

from domain.admission import Admission
from domain.errors import IllegalMoveError, RetryLimitReachedError, TaskNotFoundError
from domain.inputs import TaskChanges
from domain.models import DownloadTask
from domain.paging import PageRequest
from domain.policy import Policy
from domain.ports import AdmissionLimits
from domain.queries import NEWEST_FIRST, TaskFilter
from domain.services import Services
from domain.task_service import TaskService
from domain.values import FailureStatus, TaskStatus
from jobs.local import NoWorker
from storage.keys import names_for
from tests.builders import NOW, a_failure, a_task
from tests.rooms import LIMITS, Rooms

USER = UUID(int=1)
PENDING, PROCESSING, COMPLETED, PARTIAL, FAILED, CANCELLED = TaskStatus
OPEN, RETRYING, ABANDONED = FailureStatus

Operation = Callable[[TaskService, UUID, UUID], object]


def to(status: TaskStatus) -> Operation:
    return lambda tasks, user_id, task_id: tasks.update_download_task(user_id, task_id, TaskChanges(status=status))


OPERATIONS: dict[str, Operation] = {
    "start": TaskService.start_download_task,
    "retry": TaskService.retry_download_task,
    "pause": TaskService.pause_download_task,
    "resume": TaskService.resume_download_task,
    "cancel": TaskService.cancel_download_task,
    "finish": TaskService.finish_download_task,
    "delete": TaskService.delete_download_task,
    "get": TaskService.get_download_task,
    "update": to(CANCELLED),
}


def a_task_of_mine(status: TaskStatus, **overrides: Any) -> DownloadTask:
    return a_task(user_id=USER, status=status, **overrides)


# --- who may ---


@pytest.mark.parametrize("operation", OPERATIONS)
def test_another_users_task_is_as_one_that_never_was(rooms: Rooms, services: Services, operation: str) -> None:
    theirs = a_task(paused=True, is_live=True)
    rooms.keep(theirs)
    for task_id in (theirs.id, uuid4()):
        with rooms.refusal(TaskNotFoundError) as caught:
            OPERATIONS[operation](services.tasks, USER, task_id)
        assert caught.value.message == "There is no such task."


def test_reading_sees_ones_own_alone(rooms: Rooms, services: Services) -> None:
    mine, waiting = a_task_of_mine(FAILED, bytes_downloaded=5), a_task_of_mine(PROCESSING, bytes_downloaded=7)
    theirs = a_task(status=PROCESSING, bytes_downloaded=100)
    rooms.keep(mine, waiting, theirs)
    tasks, anything = services.tasks, TaskFilter()

    assert tasks.get_download_task(USER, mine.id).id == mine.id
    assert set(tasks.get_download_tasks(USER, [mine.id, theirs.id, uuid4()])) == {mine.id}
    page = tasks.list_download_tasks(USER, anything, NEWEST_FIRST, PageRequest())
    assert {task.id for task in page.items} == {mine.id, waiting.id}
    assert tasks.count_download_tasks(USER, anything) == 2
    assert tasks.count_by_status(USER) == dict.fromkeys(TaskStatus, 0) | {FAILED: 1, PROCESSING: 1}
    assert (tasks.count_waiting(USER), tasks.bytes_stored(USER)) == (1, 12)


# --- moves ---

LEGAL = {
    PENDING: {PROCESSING, CANCELLED},
    PROCESSING: {COMPLETED, PARTIAL, FAILED, CANCELLED, PENDING},
    PARTIAL: {PROCESSING},
    FAILED: {PROCESSING},
    COMPLETED: set[TaskStatus](),
    CANCELLED: set[TaskStatus](),
}


@pytest.mark.parametrize("target", TaskStatus)
@pytest.mark.parametrize("status", TaskStatus)
def test_update_makes_legal_moves_alone(
    rooms: Rooms, services: Services, status: TaskStatus, target: TaskStatus
) -> None:
    task = a_task_of_mine(status, progress=0.4)
    rooms.keep(task)
    now = rooms.clock.forward(hours=1)

    if target is not status and target not in LEGAL[status]:
        with rooms.refusal(IllegalMoveError):
            to(target)(services.tasks, USER, task.id)
        return
    to(target)(services.tasks, USER, task.id)
    moved = rooms.task(task.id)
    assert (moved.status, moved.progress, moved.updated_at) == (target, 0.4, now)
    assert moved.paused is (target is PENDING and status is PROCESSING)
    assert (moved.completed_at == now) is (target in {COMPLETED, PARTIAL} and status is PROCESSING)


@pytest.mark.parametrize(("operation", "status"), [("start", COMPLETED), ("retry", PENDING), ("resume", PENDING)])
def test_a_refused_move_changes_nothing(rooms: Rooms, services: Services, operation: str, status: TaskStatus) -> None:
    task = a_task_of_mine(status)
    rooms.keep(task, a_failure(task))
    with rooms.refusal(IllegalMoveError):
        OPERATIONS[operation](services.tasks, USER, task.id)


def test_the_retry_limit_changes_nothing(rooms: Rooms, services: Services) -> None:
    task = a_task_of_mine(FAILED, retry_count=3)
    rooms.keep(task, a_failure(task))
    with rooms.refusal(RetryLimitReachedError):
        services.tasks.retry_download_task(USER, task.id)
    services.tasks.update_download_task(USER, task.id, TaskChanges(max_retries=4))
    assert services.tasks.retry_download_task(USER, task.id).retry_count == 4


@pytest.mark.parametrize(
    ("operation", "task"),
    [
        ("start", {"status": PENDING}),
        ("start", {"status": FAILED}),
        ("retry", {"status": PARTIAL}),
        ("resume", {"status": PENDING, "paused": True}),
        ("update", {"status": PARTIAL}),
    ],
)
def test_what_starts_takes_the_open_failures_along(
    rooms: Rooms, services: Services, operation: str, task: dict[str, Any]
) -> None:
    started = a_task_of_mine(**task)
    statuses = enumerate((OPEN, RETRYING, ABANDONED))
    lost = [a_failure(started, segment_index=index, status=status, retry_count=3) for index, status in statuses]
    rooms.keep(started, *lost)

    (to(PROCESSING) if operation == "update" else OPERATIONS[operation])(services.tasks, USER, started.id)

    failures = rooms.failures(started.id)
    assert [failure.status for failure in failures] == [RETRYING, RETRYING, ABANDONED]
    assert [failure.retry_count for failure in failures] == [3, 3, 3]
    assert rooms.task(started.id).admitted_at == NOW


@pytest.mark.parametrize(
    ("operation", "status"), [("pause", RETRYING), ("cancel", OPEN), ("complete", OPEN), ("pend", RETRYING)]
)
def test_what_ends_for_good_lets_the_failures_go(
    rooms: Rooms, services: Services, operation: str, status: FailureStatus
) -> None:
    """A paused task fetches them when it is resumed."""
    task = a_task_of_mine(PROCESSING)
    rooms.keep(task, a_failure(task, status=RETRYING))
    (OPERATIONS | {"complete": to(COMPLETED), "pend": to(PENDING)})[operation](services.tasks, USER, task.id)
    assert rooms.failure(task.id).status is status


def test_pause_and_resume_keep_the_progress(rooms: Rooms, services: Services) -> None:
    task = a_task_of_mine(PROCESSING, progress=0.4, bytes_downloaded=400, segments_downloaded=4, segments_total=10)
    rooms.keep(task)
    services.tasks.pause_download_task(USER, task.id)
    paused = rooms.task(task.id)
    services.tasks.resume_download_task(USER, task.id)
    resumed = rooms.task(task.id)

    assert (paused.status, paused.paused, paused.queued_at, paused.admitted_at) == (PENDING, True, None, None)
    assert (resumed.status, resumed.paused, resumed.queued_at, resumed.admitted_at) == (PROCESSING, False, NOW, NOW)
    for row in (paused, resumed):
        assert (row.progress, row.bytes_downloaded, row.segments_downloaded) == (0.4, 400, 4)


def test_finish_asks_a_live_recording_to_end(rooms: Rooms, services: Services) -> None:
    live, vod = a_task_of_mine(PROCESSING, is_live=True), a_task_of_mine(PROCESSING)
    rooms.keep(live, vod)
    services.tasks.finish_download_task(USER, live.id)
    assert rooms.task(live.id).finish_requested is True
    with rooms.refusal(IllegalMoveError):
        services.tasks.finish_download_task(USER, vod.id)


# --- slots ---


@pytest.mark.parametrize("operation", ["pause", "cancel", "delete"])
def test_what_stops_hands_its_slot_to_the_next(rooms: Rooms, operation: str) -> None:
    rooms.limits = AdmissionLimits(total=1, per_user=1)
    running, waiting = a_task_of_mine(PENDING), a_task()
    rooms.keep(running, waiting)
    with rooms.open_services() as services:
        services.tasks.start_download_task(USER, running.id)
        services.tasks.start_download_task(waiting.user_id, waiting.id)
        assert (rooms.task(running.id).admitted_at, rooms.task(waiting.id).admitted_at) == (NOW, None)
        assert services.tasks.count_waiting(waiting.user_id) == 1

        now = rooms.clock.forward(seconds=1)
        OPERATIONS[operation](services.tasks, USER, running.id)
    assert rooms.task(waiting.id).admitted_at == now


def test_a_waiting_task_takes_a_new_priority(rooms: Rooms) -> None:
    rooms.limits = AdmissionLimits(total=1, per_user=1)
    first, second, third = (a_task_of_mine(PENDING) for _ in range(3))
    rooms.keep(first, second, third)
    with rooms.open_services() as services:
        for task in (first, second, third):
            services.tasks.start_download_task(USER, task.id)
            rooms.clock.forward(seconds=1)
        services.tasks.update_download_task(USER, third.id, TaskChanges(priority=51))
        services.tasks.pause_download_task(USER, first.id)
    assert rooms.task(second.id).admitted_at is None
    assert rooms.task(third.id).admitted_at == rooms.clock.now


def test_a_process_without_a_worker_leaves_admission_to_the_workers(rooms: Rooms) -> None:
    task = a_task_of_mine(PENDING)
    rooms.keep(task)
    admission = Admission(LIMITS, NoWorker(), rooms.clock)
    with rooms.open_uow() as uow:
        tasks = TaskService(uow, admission, rooms.sealer, names_for, Policy(), rooms.clock)
        tasks.start_download_task(USER, task.id)
    started = rooms.task(task.id)
    assert (started.status, started.queued_at, started.admitted_at) == (PROCESSING, NOW, None)
