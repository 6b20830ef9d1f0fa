from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from datetime import timedelta

import pytest

from domain.errors import (
    AbandonedFailureError,
    CompletedTaskError,
    IllegalMoveError,
    RetryLimitReachedError,
    ServiceError,
)
from domain.models import DownloadFailure, DownloadTask
from domain.values import AT_REST, FailureStatus, TaskStatus
from tests.builders import NOW, a_failure, a_task, a_video

LATER = NOW + timedelta(hours=1)
PENDING, PROCESSING, COMPLETED, PARTIAL, FAILED, CANCELLED = TaskStatus
OPEN, RETRYING, ABANDONED = FailureStatus


def settle(status: TaskStatus) -> Callable[[DownloadTask], None]:
    return lambda task: task.settle(status, 0.5, None, LATER)


# --- a task's moves: rest.md, "States" ---

MOVES: dict[str, tuple[Callable[[DownloadTask], None], dict[TaskStatus, TaskStatus]]] = {
    "start": (lambda task: task.start(LATER), dict.fromkeys((PENDING, PARTIAL, FAILED), PROCESSING)),
    "retry": (lambda task: task.retry(LATER), dict.fromkeys((PARTIAL, FAILED), PROCESSING)),
    "pause": (lambda task: task.pause(LATER), {PROCESSING: PENDING}),
    "resume": (lambda task: task.resume(LATER), {}),
    "cancel": (lambda task: task.cancel(LATER), dict.fromkeys((PENDING, PROCESSING), CANCELLED)),
    "finish": (lambda task: task.finish(LATER), {PROCESSING: PROCESSING}),
    **{f"settle as {status}": (settle(status), {PROCESSING: status}) for status in (COMPLETED, PARTIAL, FAILED)},
}


@pytest.mark.parametrize("status", TaskStatus)
@pytest.mark.parametrize("move", MOVES)
def test_every_move_from_every_status(move: str, status: TaskStatus) -> None:
    make, legal = MOVES[move]
    task = a_task(status=status, is_live=True)
    before = asdict(task)

    if status in legal:
        make(task)
        assert (task.status, task.updated_at) == (legal[status], LATER)
    else:
        with pytest.raises(IllegalMoveError, match=r"^The task's state does not allow this\.$"):
            make(task)
        assert asdict(task) == before


@pytest.mark.parametrize(("move", "status"), [("start", PROCESSING), ("resume", PROCESSING), ("cancel", CANCELLED)])
def test_what_ends_a_pause(move: str, status: TaskStatus) -> None:
    task = a_task(status=PENDING, paused=True)
    MOVES[move][0](task)
    assert (task.status, task.paused, task.updated_at) == (status, False, LATER)


@pytest.mark.parametrize("move", ["pause", "retry", "finish", "settle as completed"])
def test_a_paused_task_refuses_the_rest(move: str) -> None:
    task = a_task(status=PENDING, paused=True, is_live=True)
    before = asdict(task)
    with pytest.raises(IllegalMoveError):
        MOVES[move][0](task)
    assert asdict(task) == before


def test_at_rest_are_the_four_that_do_not_go_on_by_themselves() -> None:
    assert {status for status in TaskStatus if a_task(status=status).at_rest} == AT_REST
    assert {COMPLETED, PARTIAL, FAILED, CANCELLED} == AT_REST


# --- what a move does besides ---


def test_start_waits_at_the_end_of_the_queue_as_if_new() -> None:
    task = a_task(
        status=PARTIAL,
        progress=0.9,
        finish_requested=True,
        retry_count=2,
        started_at=NOW,
        completed_at=NOW,
        last_error="10 of 100 pieces are missing: HTTP 404",
    )
    task.start(LATER)
    assert (task.queued_at, task.admitted_at, task.started_at, task.completed_at) == (LATER, None, None, None)
    assert (task.progress, task.finish_requested, task.retry_count) == (0.9, False, 2)


def test_retry_counts_up_to_the_limit() -> None:
    task = a_task(status=FAILED, max_retries=2)
    for count in (1, 2):
        task.retry(LATER)
        assert (task.status, task.retry_count) == (PROCESSING, count)
        task.settle(FAILED, 0.0, "HTTP 404", LATER)
    before = asdict(task)
    with pytest.raises(RetryLimitReachedError, match=r"^All retries are used up\.$"):
        task.retry(LATER)
    assert asdict(task) == before


@pytest.mark.parametrize("status", [PENDING, PROCESSING, COMPLETED, CANCELLED])
def test_the_state_forbids_before_the_limit_does(status: TaskStatus) -> None:
    with pytest.raises(IllegalMoveError):
        a_task(status=status, retry_count=3).retry(LATER)


def test_pause_keeps_what_has_arrived() -> None:
    task = a_task(
        status=PROCESSING,
        progress=0.4,
        bytes_downloaded=400,
        bytes_total=1_000,
        bytes_per_second=50.0,
        segments_downloaded=4,
        segments_total=10,
        sealed_headers=b"sealed",
        queued_at=NOW,
        admitted_at=NOW,
        is_live=True,
    )
    task.pause(LATER)
    assert (task.progress, task.bytes_downloaded, task.segments_downloaded) == (0.4, 400, 4)
    assert (task.paused, task.sealed_headers) == (True, b"sealed")
    assert (task.queued_at, task.admitted_at, task.bytes_per_second, task.is_live) == (None, None, None, False)


@pytest.mark.parametrize("status", [PENDING, PROCESSING])
def test_cancel_drops_the_headers(status: TaskStatus) -> None:
    task = a_task(status=status, sealed_headers=b"sealed", is_live=status is PROCESSING, admitted_at=NOW)
    task.cancel(LATER)
    assert (task.sealed_headers, task.is_live, task.admitted_at, task.completed_at) == (None, False, None, None)


@pytest.mark.parametrize(
    ("status", "completed_at", "headers"),
    [(COMPLETED, LATER, None), (PARTIAL, LATER, b"sealed"), (FAILED, None, b"sealed")],
)
def test_settle_writes_the_result(status: TaskStatus, completed_at: object, headers: bytes | None) -> None:
    task = a_task(
        status=PROCESSING, sealed_headers=b"sealed", is_live=True, bytes_per_second=9.0, admitted_at=NOW, started_at=NOW
    )
    task.settle(status, 0.7, "why", LATER)
    assert (task.status, task.progress, task.last_error) == (status, 0.7, "why")
    assert (task.completed_at, task.sealed_headers) == (completed_at, headers)
    assert (task.is_live, task.bytes_per_second, task.admitted_at, task.started_at) == (False, None, None, NOW)


def test_finish_is_for_a_live_recording_alone() -> None:
    task = a_task(status=PROCESSING)
    with pytest.raises(IllegalMoveError):
        task.finish(LATER)
    assert (task.finish_requested, task.updated_at) == (False, NOW)
    task.is_live = True
    task.finish(LATER)
    assert (task.status, task.finish_requested, task.updated_at) == (PROCESSING, True, LATER)


def test_requeue_takes_the_start_back_and_keeps_the_place() -> None:
    task = a_task(status=PROCESSING, run_number=3, queued_at=NOW, admitted_at=NOW, started_at=NOW, bytes_per_second=9.0)
    task.requeue()
    assert (task.status, task.run_number, task.queued_at) == (PROCESSING, 3, NOW)
    assert (task.admitted_at, task.started_at, task.bytes_per_second) == (None, None, None)


@pytest.mark.parametrize("status", TaskStatus)
def test_only_a_completed_task_needs_leave_to_go(status: TaskStatus) -> None:
    task = a_task(status=status)
    task.deletable(include_completed=True)
    if status is COMPLETED:
        with pytest.raises(CompletedTaskError):
            task.deletable(include_completed=False)
    else:
        task.deletable(include_completed=False)


@pytest.mark.parametrize(
    ("downloaded", "total", "speed", "eta"),
    [
        (400, 1_000, 50.0, 12.0),
        (1_200, 1_000, 50.0, 0.0),
        (0, None, 50.0, None),
        (0, 1_000, None, None),
        (0, 1, 0.0, None),
    ],
)
def test_eta_needs_a_speed_and_a_total(
    downloaded: int, total: int | None, speed: float | None, eta: float | None
) -> None:
    task = a_task(status=PROCESSING, bytes_downloaded=downloaded, bytes_total=total, bytes_per_second=speed)
    assert task.eta_seconds == eta


# --- a failure's moves ---

FailureMove = Callable[[DownloadFailure], None]
FAILURE_MOVES: dict[str, tuple[FailureMove, dict[FailureStatus, FailureStatus | type[ServiceError]]]] = {
    "retry": (
        lambda failure: failure.retry(LATER),
        {OPEN: RETRYING, RETRYING: IllegalMoveError, ABANDONED: AbandonedFailureError},
    ),
    "take along": (lambda failure: failure.take_along(LATER), {OPEN: RETRYING}),
    "release": (lambda failure: failure.release(LATER), {RETRYING: OPEN}),
    "abandon": (
        lambda failure: failure.abandon(LATER),
        {OPEN: ABANDONED, RETRYING: ABANDONED, ABANDONED: AbandonedFailureError},
    ),
}


@pytest.mark.parametrize("status", FailureStatus)
@pytest.mark.parametrize("move", FAILURE_MOVES)
def test_every_move_of_a_failure(move: str, status: FailureStatus) -> None:
    make, results = FAILURE_MOVES[move]
    failure = a_failure(a_task(), status=status, next_retry_time=NOW)
    before = asdict(failure)

    match results.get(status):
        case None:
            make(failure)
            assert asdict(failure) == before
        case FailureStatus() as result:
            make(failure)
            assert (failure.status, failure.next_retry_time, failure.updated_at) == (result, None, LATER)
        case error:
            with pytest.raises(error):
                make(failure)
            assert asdict(failure) == before


def test_three_retries_are_the_users() -> None:
    failure = a_failure(a_task())
    for count in (1, 2, 3):
        failure.retry(LATER)
        assert (failure.retry_count, failure.auto_retry_count) == (count, 0)
        failure.release(LATER)
    before = asdict(failure)
    with pytest.raises(RetryLimitReachedError):
        failure.retry(LATER)
    assert asdict(failure) == before


def test_taken_along_it_costs_no_retry() -> None:
    failure = a_failure(a_task(), retry_count=3)
    failure.take_along(LATER)
    assert (failure.status, failure.retry_count, failure.auto_retry_count) == (RETRYING, 3, 0)


def test_by_itself_it_counts_apart() -> None:
    failure = a_failure(a_task(), retry_count=1, next_retry_time=NOW)
    failure.take_along_by_itself(LATER)
    assert (failure.status, failure.retry_count, failure.auto_retry_count) == (RETRYING, 1, 1)
    assert failure.next_retry_time is None


@pytest.mark.parametrize(
    ("overrides", "error"),
    [
        ({"status": ABANDONED, "retry_count": 3, "piece_key": None}, AbandonedFailureError),
        ({"status": RETRYING, "retry_count": 3, "piece_key": None}, RetryLimitReachedError),
        ({"status": RETRYING}, IllegalMoveError),
        ({"piece_key": None}, IllegalMoveError),
    ],
    ids=["abandoned", "limit", "retrying", "unknown piece"],
)
def test_the_order_of_a_retrys_checks(overrides: dict[str, object], error: type[ServiceError]) -> None:
    failure = a_failure(a_task(), **overrides)
    before = asdict(failure)
    with pytest.raises(ServiceError) as caught:
        failure.retry(LATER)
    assert type(caught.value) is error
    assert asdict(failure) == before


@pytest.mark.parametrize("status", [OPEN, RETRYING])
def test_forgiven_it_has_all_retries_again(status: FailureStatus) -> None:
    failure = a_failure(a_task(), status=status, retry_count=3, auto_retry_count=3)
    failure.forgive()
    assert (failure.status, failure.retry_count, failure.auto_retry_count) == (status, 0, 0)


# --- secrets ---


def test_no_repr_tells_a_secret() -> None:
    task = a_task(sealed_headers=b"secret", idempotency_key="secret", idempotency_digest="secret")
    failure = a_failure(task, resource_url=task.resource_url)
    told = f"{task!r} {failure!r} {a_video(task)!r}"
    assert "secret" not in told
    assert "media.example" not in told
