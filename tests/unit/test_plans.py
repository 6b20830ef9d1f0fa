"""What PostgreSQL makes of the statements that run most, over many rows: no table is read from end to end."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from hashlib import md5
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import Connection, Engine, event, make_url

from domain.paging import PageRequest
from domain.ports import AdmissionLimits, Measurement, Progress
from domain.queries import (
    NEWEST_FIRST,
    TASK_COLUMNS,
    FailureFilter,
    SortKey,
    TaskFilter,
    VideoFilter,
)
from domain.values import FailureStatus, ResourceType, TaskStatus
from persistence.engine import open_engine
from persistence.unit_of_work import SqlUnitOfWork, uow_factory
from tests.builders import NOW
from tests.postgres import PostgresServer

TASKS = 1_000_000 if os.environ.get("TEST_LONG") else 50_000
USERS = TASKS // 20
OURS = ("download_tasks", "download_failures", "downloaded_videos")

# Every user has twenty tasks, but for one who has a tenth of all. One task in a hundred runs, one waits, one is
# pending; the others are finished, and of those a fifth have lost pieces.
FILL = f"""
INSERT INTO download_tasks (id, user_id, video_id, liveroom_id, resource_url, resource_type, status, paused, priority,
    max_retries, retry_count, progress, bytes_downloaded, segments_downloaded, is_live, finish_requested, run_number,
    version, queued_at, admitted_at, started_at, completed_at, created_at, updated_at)
SELECT md5('task' || n)::uuid, md5('user' || CASE WHEN n % 10 = 0 THEN 0 ELSE n % {USERS} END)::uuid,
    md5('video' || n)::uuid, 'room-' || n % 1000, 'https://media.example/' || n || '.m3u8', 'hls',
    CASE n % 100 WHEN 1 THEN 'processing' WHEN 2 THEN 'processing' WHEN 3 THEN 'pending' WHEN 4 THEN 'failed'
        ELSE CASE n % 5 WHEN 0 THEN 'partial_completed' ELSE 'completed' END END,
    false, n % 101, 3, 0, 0.5, n, 1, false, false, 0, 1,
    CASE WHEN n % 100 IN (1, 2) THEN moment END, CASE WHEN n % 10000 = 1 THEN moment END, NULL,
    CASE WHEN n % 100 > 4 THEN moment END, moment, moment
FROM (SELECT n, timestamptz '2025-06-14 10:00Z' - n * interval '1 minute' AS moment FROM generate_series(1, {TASKS}) n)
    AS numbered;
INSERT INTO download_failures (id, task_id, resource_url, resource_type, failure_type, error_message, expected_path,
    segment_index, piece_key, status, retry_count, auto_retry_count, next_retry_time, created_at, updated_at)
SELECT md5('failure' || m || id)::uuid, id, resource_url, 'ts', 'network_error', 'HTTP 404', 'x', m, 'segment' || m,
    'pending', 0, 0, CASE WHEN priority = 7 THEN created_at END, created_at, updated_at
FROM download_tasks, generate_series(1, 2) m WHERE status IN ('failed', 'partial_completed');
INSERT INTO downloaded_videos (id, task_id, video_id, liveroom_id, video_type, video_url, storage_path, status,
    created_at, updated_at)
SELECT md5('result' || id)::uuid, id, video_id, liveroom_id, 'hls', resource_url, 'x', status, created_at, updated_at
FROM download_tasks WHERE status IN ('completed', 'partial_completed');
ANALYZE;
"""  # noqa: S608 - numbers of ours


def uuid_of(what: str) -> UUID:
    """As ``md5(…)::uuid`` makes it."""
    return UUID(md5(what.encode(), usedforsecurity=False).hexdigest())


BUSIEST, USER = uuid_of("user0"), uuid_of("user7")


@pytest.fixture(scope="module")
def filled(postgres: PostgresServer) -> Iterator[Engine]:
    with postgres.database() as url:
        postgres.execute(FILL, str(make_url(url).database))
        engine = open_engine(url, pool_size=2)
        yield engine
        engine.dispose()


@contextmanager
def statements_of(engine: Engine) -> Iterator[list[tuple[str, Any]]]:
    """What the context sends, but for what begins and ends transactions."""
    sent: list[tuple[str, Any]] = []

    def keep(_: Connection, __: object, statement: str, parameters: Any, ___: object, ____: bool) -> None:
        sent.append((statement, parameters[0] if isinstance(parameters, list) else parameters))

    event.listen(engine, "before_cursor_execute", keep)
    yield sent
    event.remove(engine, "before_cursor_execute", keep)


def read_whole(engine: Engine, work: Callable[[SqlUnitOfWork], object]) -> list[str]:
    """The tables of ours that a statement of this work reads from end to end; the work is rolled back."""
    with uow_factory(engine)() as uow:
        assert isinstance(uow, SqlUnitOfWork)
        with statements_of(engine) as sent, uow:
            work(uow)
    with engine.connect() as connection:
        plans = [
            connection.exec_driver_sql(f"EXPLAIN (FORMAT JSON) {statement}", parameters).scalar_one()
            for statement, parameters in sent
        ]
    assert plans
    return [
        node["Relation Name"]
        for plan in plans
        for node in nodes(plan[0]["Plan"])
        if node["Node Type"] == "Seq Scan" and node["Relation Name"] in OURS
    ]


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for below in plan.get("Plans", ()):
        yield from nodes(below)


def middle(uow: SqlUnitOfWork, user: UUID) -> PageRequest:
    """After the tenth of the user's newest."""
    last = uow.tasks.page(user, TaskFilter(), NEWEST_FIRST, PageRequest(10)).items[-1]
    return PageRequest(after=(last.created_at, last.id))


PAGES: dict[str, Callable[[SqlUnitOfWork, UUID], object]] = {
    "tasks": lambda uow, user: uow.tasks.page(user, TaskFilter(), NEWEST_FIRST, PageRequest()),
    "the next tasks": lambda uow, user: uow.tasks.page(user, TaskFilter(), NEWEST_FIRST, middle(uow, user)),
    "tasks of a status": lambda uow, user: uow.tasks.page(
        user, TaskFilter(status=(TaskStatus.FAILED,)), NEWEST_FIRST, PageRequest()
    ),
    "tasks of a type": lambda uow, user: uow.tasks.page(
        user, TaskFilter(resource_type=(ResourceType.HLS,)), NEWEST_FIRST, PageRequest()
    ),
    "tasks of a room": lambda uow, user: uow.tasks.page(
        user, TaskFilter(liveroom_id="room-7"), NEWEST_FIRST, PageRequest()
    ),
    "tasks of a time": lambda uow, user: uow.tasks.page(
        user, TaskFilter(created_after=NOW - timedelta(days=1), created_before=NOW), NEWEST_FIRST, PageRequest()
    ),
    "a count of tasks": lambda uow, user: uow.tasks.count(user, TaskFilter(status=(TaskStatus.FAILED,))),
    "failures": lambda uow, user: uow.failures.page(user, FailureFilter(), NEWEST_FIRST, PageRequest()),
    "videos": lambda uow, user: uow.videos.page(user, VideoFilter(), NEWEST_FIRST, PageRequest()),
}


@pytest.mark.parametrize("page", PAGES)
def test_a_users_pages(filled: Engine, page: str) -> None:
    assert read_whole(filled, lambda uow: PAGES[page](uow, USER)) == []


@pytest.mark.parametrize("page", PAGES)
def test_the_pages_of_a_user_with_a_tenth_of_all(filled: Engine, page: str) -> None:
    assert read_whole(filled, lambda uow: PAGES[page](uow, BUSIEST)) == []


def admission(uow: SqlUnitOfWork, _: UUID) -> object:
    return uow.tasks.admit(AdmissionLimits(total=100, per_user=10), NOW)


WORK: dict[str, Callable[[SqlUnitOfWork, UUID], object]] = {
    "one task": lambda uow, user: uow.tasks.get(user, uuid_of("task7"), for_update=True),
    "what a page shows of its tasks": lambda uow, user: (
        uow.failures.first_of_tasks(user, some_tasks(), FailureFilter(), NEWEST_FIRST, 20),
        uow.videos.of_tasks(user, some_tasks()),
    ),
    "a task's failures": lambda uow, user: uow.failures.page(
        user, FailureFilter(status=(FailureStatus.PENDING,)), NEWEST_FIRST, PageRequest(), task_id=uuid_of("task4")
    ),
    "one video": lambda uow, user: uow.videos.get(user, uuid_of("video5")),
    "a duplicate": lambda uow, user: uow.tasks.combinations(user, ["https://media.example/7.m3u8"]),
    "an idempotency key": lambda uow, user: uow.tasks.find_idempotent(user, "key"),
    "waiting tasks": lambda uow, user: uow.tasks.count_waiting(user),
    "news": lambda uow, user: uow.tasks.changed([user], NOW, some_tasks(), some_tasks()),
    "admission": admission,
    "a claim": lambda uow, _: uow.tasks.claim(uuid_of("task1"), NOW),
    "progress": lambda uow, _: uow.tasks.record_progress(
        [Measurement(task, 1, Progress(1, None, 1, 2), None, NOW) for task in some_tasks()]
    ),
    "pieces that arrived": lambda uow, _: uow.failures.forget([(task, "segment1") for task in some_tasks()]),
    "lost pieces": lambda uow, _: uow.failures.of_task(uuid_of("task4")),
    "admitted tasks": lambda uow, _: uow.tasks.admitted(),
    "jobs that are gone": lambda uow, _: uow.tasks.return_to_queue(some_tasks(), NOW),
    "failures that are due": lambda uow, _: uow.failures.due(NOW - timedelta(days=30), 1000),
    "old idempotency keys": lambda uow, _: uow.tasks.forget_idempotency_keys(NOW),
    "old tasks": lambda uow, _: uow.tasks.finished_before(NOW, 100),
}


def some_tasks() -> list[UUID]:
    return [uuid_of(f"task{number}") for number in range(20)]


@pytest.mark.parametrize("work", WORK)
def test_the_work_of_every_second(filled: Engine, work: str) -> None:
    """Of operations, runs and upkeep, over all users."""
    assert read_whole(filled, lambda uow: WORK[work](uow, USER)) == []


@pytest.mark.parametrize("field", sorted(TASK_COLUMNS))
def test_a_users_tasks_in_any_order(filled: Engine, field: str) -> None:
    assert read_whole(filled, lambda uow: uow.tasks.page(USER, TaskFilter(), (SortKey(field),), PageRequest())) == []
