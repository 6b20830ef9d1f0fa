from __future__ import annotations

import time
from datetime import datetime, timedelta
from uuid import UUID, uuid4

from sqlalchemy import event

from domain.errors import TransferError
from domain.models import DownloadFailure, DownloadTask
from domain.ports import PieceFailure, PieceResult
from domain.queries import FailureFilter, Sort, SortKey
from domain.values import FailedResourceType, FailureStatus, FailureType, TaskStatus
from downloader import fetch
from persistence.unit_of_work import SqlUnitOfWork
from tests.builders import NOW, a_failure, a_task, keep

LATER = NOW + timedelta(minutes=1)


def arrived(key: str) -> PieceResult:
    return PieceResult(key, f"https://media.example/{key}", FailedResourceType.TS)


def lost(key: str, index: int = 0, message: str = "HTTP 503") -> PieceResult:
    failure = PieceFailure(FailureType.NETWORK_ERROR, message)
    return PieceResult(key, f"https://media.example/{key}?new", FailedResourceType.TS, index, failure=failure)


def in_minutes(failure_type: FailureType, tries: int) -> datetime | None:
    """Four times at most; the type shows that it was passed on."""
    assert failure_type is FailureType.NETWORK_ERROR
    return LATER + timedelta(minutes=tries) if tries < 4 else None


def record(uow: SqlUnitOfWork, task: DownloadTask, *results: PieceResult) -> None:
    with uow:
        uow.failures.record(task.id, results, in_minutes, LATER)
        uow.commit()


def of(uow: SqlUnitOfWork, task: DownloadTask) -> list[DownloadFailure]:
    with uow.reading():
        return uow.failures.of_task(task.id)


def test_a_loss_becomes_a_failure(uow: SqlUnitOfWork) -> None:
    task = a_task()
    keep(uow, task)
    record(uow, task, lost("video_x/hls/ts/segment_7.ts", 7, "HTTP 404"), arrived("video_x/hls/ts/segment_8.ts"))
    [failure] = of(uow, task)
    assert vars(failure) | {"_sa_instance_state": None} == {
        "_sa_instance_state": None,
        "id": failure.id,
        "task_id": task.id,
        "resource_url": "https://media.example/video_x/hls/ts/segment_7.ts?new",
        "resource_type": FailedResourceType.TS,
        "failure_type": FailureType.NETWORK_ERROR,
        "error_message": "HTTP 404",
        "expected_path": "video_x/hls/ts/segment_7.ts",
        "standard_name": "segment_7.ts",
        "segment_index": 7,
        "piece_key": "video_x/hls/ts/segment_7.ts",
        "status": FailureStatus.PENDING,
        "retry_count": 0,
        "auto_retry_count": 0,
        "next_retry_time": LATER,
        "created_at": LATER,
        "updated_at": LATER,
    }


def test_a_loss_may_be_named_by_anything(uow: SqlUnitOfWork) -> None:
    """An origin chooses the names: a row must take them, and a terminal show them."""
    task = a_task()
    keep(uow, task)
    error = TransferError(FailureType.NETWORK_ERROR, "key: k\0\x1b]0;title\x07")
    record(uow, task, fetch.lost("segment_1.ts", "https://media.example/\0\x1b[31m1.ts", FailedResourceType.TS, error))
    [failure] = of(uow, task)
    assert failure.resource_url == "https://media.example/��[31m1.ts"
    assert failure.error_message == "key: k��]0;title�"


def test_a_piece_that_arrives_takes_all_its_failures_away(uow: SqlUnitOfWork) -> None:
    task, other = a_task(), a_task()
    keep(uow, task, other)
    keep(uow, a_failure(task, piece_key="a"), a_failure(task, piece_key="a", status=FailureStatus.ABANDONED))
    keep(uow, kept := a_failure(task, piece_key="b"), unknown := a_failure(task, piece_key=None))
    keep(uow, anothers := a_failure(other, piece_key="a"))
    record(uow, task, arrived("a"))
    assert {failure.id for failure in of(uow, task)} == {kept.id, unknown.id}
    assert [failure.id for failure in of(uow, other)] == [anothers.id]


def test_a_piece_that_is_lost_again_renews_its_failures(uow: SqlUnitOfWork) -> None:
    task = a_task()
    tried = a_failure(
        task,
        piece_key="a",
        status=FailureStatus.RETRYING,
        failure_type=FailureType.TIMEOUT,
        retry_count=2,
        auto_retry_count=1,
    )
    used_up = a_failure(task, piece_key="a", auto_retry_count=4, segment_index=1)
    given_up = a_failure(task, piece_key="a", status=FailureStatus.ABANDONED, segment_index=2)
    keep(uow, task, tried, used_up, given_up)
    record(uow, task, lost("a"))
    renewed, waiting, abandoned = of(uow, task)
    assert (renewed.id, waiting.id, abandoned.id) == (tried.id, used_up.id, given_up.id)
    assert (renewed.status, renewed.retry_count, renewed.auto_retry_count) == (FailureStatus.PENDING, 2, 1)
    assert (renewed.failure_type, renewed.error_message) == (FailureType.NETWORK_ERROR, "HTTP 503")
    assert renewed.resource_url == "https://media.example/a?new"
    assert renewed.next_retry_time == LATER + timedelta(minutes=1)
    assert (renewed.created_at, renewed.updated_at) == (NOW, LATER)
    assert (waiting.next_retry_time, waiting.error_message) == (None, "HTTP 503")
    assert (abandoned.status, abandoned.error_message, abandoned.updated_at) == (
        FailureStatus.ABANDONED,
        "HTTP 404",
        NOW,
    )


def test_the_last_result_of_a_piece_counts(uow: SqlUnitOfWork) -> None:
    task = a_task()
    keep(uow, task)
    record(uow, task, lost("a"), arrived("a"), arrived("b"), lost("b", message="one"), lost("b", message="two"))
    assert [(failure.piece_key, failure.error_message) for failure in of(uow, task)] == [("b", "two")]


def test_changes_of_the_same_transaction_are_seen(uow: SqlUnitOfWork) -> None:
    task = a_task()
    keep(uow, task, a_failure(task, piece_key="a"))
    with uow:
        [loaded] = uow.failures.of_task(task.id)
        loaded.retry(LATER)
        uow.failures.record(task.id, [lost("a"), lost("b", 1)], in_minutes, LATER)
        again, new = uow.failures.of_task(task.id)
        assert again is loaded
        assert (again.status, again.retry_count, new.piece_key) == (FailureStatus.PENDING, 1, "b")
        uow.failures.record(task.id, [arrived("a"), arrived("b")], in_minutes, LATER)
        assert uow.failures.of_task(task.id) == []


def test_twenty_thousand_results_at_once(uow: SqlUnitOfWork) -> None:
    task = a_task()
    keep(uow, task)
    keys = [f"video_{task.video_id}/hls/ts/segment_{index:06d}.ts" for index in range(20_000)]
    begun = time.perf_counter()
    record(uow, task, *(lost(key, index) for index, key in enumerate(keys)))
    record(uow, task, *(lost(key, index) for index, key in enumerate(keys)))
    assert time.perf_counter() - begun < 8  # 1.2 s when nothing else runs
    with uow.reading():
        assert uow.failures.count(task.user_id, FailureFilter(), task_id=task.id) == 20_000
    record(uow, task, *map(arrived, keys))
    assert of(uow, task) == []


def test_due_are_pending_failures_whose_time_has_come(uow: SqlUnitOfWork) -> None:
    early = NOW - timedelta(seconds=1)
    due: list[UUID] = []
    for status in TaskStatus:
        task = a_task(status=status)
        keep(uow, task)
        keep(uow, exact := a_failure(task, next_retry_time=NOW), sooner := a_failure(task, next_retry_time=early))
        keep(uow, a_failure(task, next_retry_time=LATER), a_failure(task))
        keep(uow, a_failure(task, next_retry_time=NOW, status=FailureStatus.RETRYING))
        keep(uow, a_failure(task, next_retry_time=NOW, status=FailureStatus.ABANDONED))
        if status in (TaskStatus.PROCESSING, TaskStatus.PARTIAL_COMPLETED, TaskStatus.FAILED):
            due += [exact.id, sooner.id]
    with uow:
        found = uow.failures.due(NOW, 100)
        assert {failure.id for failure in found} == set(due)
        assert [failure.next_retry_time for failure in found] == [early] * 3 + [NOW] * 3
        assert [failure.id for failure in uow.failures.due(NOW, 4)] == [failure.id for failure in found[:4]]


def test_the_first_failures_of_many_tasks_in_one_statement(uow: SqlUnitOfWork) -> None:
    user = uuid4()
    many, few, none = (a_task(user_id=user) for _ in range(3))
    strangers = a_task()
    keep(uow, many, few, none, strangers, a_failure(strangers))
    keep(uow, *(a_failure(many, error_message=f"HTTP 50{n}", created_at=NOW + timedelta(n)) for n in range(5)))
    keep(uow, a_failure(few, error_message="HTTP 404"), a_failure(few, status=FailureStatus.ABANDONED))
    newest: Sort = (SortKey("created_at", True),)
    statements: list[str] = []
    event.listen(uow._session.get_bind(), "before_cursor_execute", lambda *call: statements.append(call[2]))
    with uow.reading():
        found = uow.failures.first_of_tasks(
            user,
            [task.id for task in (many, few, none, strangers)],
            FailureFilter(status=(FailureStatus.PENDING,)),
            newest,
            2,
        )
    assert len([statement for statement in statements if statement.startswith("SELECT")]) == 1
    assert {task_id: [failure.error_message for failure in rows] for task_id, rows in found.items()} == {
        many.id: ["HTTP 504", "HTTP 503", "HTTP 502"],
        few.id: ["HTTP 404"],
        none.id: [],
        strangers.id: [],
    }
