from __future__ import annotations

import logging
from datetime import timedelta
from queue import SimpleQueue
from threading import Event
from typing import Any
from uuid import UUID

import pytest

from domain.models import DownloadTask
from domain.ports import AdmissionLimits, Purge
from domain.upkeep import Upkeep
from domain.values import FailureStatus, TaskStatus
from jobs.local import NoWorker
from tests.builders import NOW, a_failure, a_task, a_video
from tests.rooms import Rooms, losing

PENDING, PROCESSING, COMPLETED, PARTIAL, FAILED, CANCELLED = TaskStatus
OPEN, RETRYING, ABANDONED = FailureStatus
INSTANT = timedelta(microseconds=1)
FOLDER = f"video_{UUID(int=1)}/"


def upkeep(rooms: Rooms) -> Upkeep:
    return Upkeep(rooms.open_uow, rooms.admission, rooms.jobs, rooms.storage, rooms.clock)


def a_started_task(**overrides: Any) -> DownloadTask:
    return a_task(**{"status": PROCESSING, "queued_at": NOW, "admitted_at": NOW, "started_at": NOW} | overrides)


def test_where_nothing_is_to_do_nothing_changes(rooms: Rooms) -> None:
    tasks = [a_task(status=status) for status in TaskStatus if status is not PROCESSING]
    rooms.keep(*tasks, *(a_failure(task) for task in tasks))
    before = rooms.rows()
    upkeep(rooms).tick()
    assert rooms.rows() == before


# --- jobs ---


def test_a_task_whose_job_is_lost_is_handed_over_anew(rooms: Rooms) -> None:
    """As at the start after a kill: no job runs, and the rows say that some do."""
    lost = a_started_task(progress=0.4, run_number=3, bytes_per_second=9.0)
    rooms.keep(lost)
    now = rooms.clock.forward(hours=1)

    upkeep(rooms).tick()

    task = rooms.task(lost.id)
    assert (task.status, task.queued_at, task.admitted_at, task.started_at) == (PROCESSING, NOW, now, None)
    assert (task.progress, task.run_number, task.bytes_per_second) == (0.4, 3, None)


def test_lost_tasks_come_before_those_that_waited_less(rooms: Rooms) -> None:
    rooms.limits = AdmissionLimits(total=1, per_user=1)
    lost = a_started_task()
    waiting = a_task(user_id=lost.user_id, status=PROCESSING, queued_at=NOW + INSTANT)
    rooms.keep(waiting, lost)
    now = rooms.clock.forward(hours=1)
    upkeep(rooms).tick()
    assert (rooms.task(lost.id).admitted_at, rooms.task(waiting.id).admitted_at) == (now, None)


def test_a_task_whose_job_lives_is_left_alone(rooms: Rooms) -> None:
    task, waiting = a_started_task(), a_task(status=PROCESSING, queued_at=NOW)
    rooms.keep(task, waiting)
    begun, leave = Event(), Event()

    def run(_: UUID, __: object) -> None:
        begun.set()
        leave.wait()

    rooms.jobs.start(run, lambda: None, interval=60)
    try:
        with rooms.open_uow() as uow, uow:
            rooms.jobs.enqueue(uow, [task.id])
            uow.commit()
        assert begun.wait(5)
        now = rooms.clock.forward(hours=1)
        upkeep(rooms).tick()
        assert (rooms.task(task.id).admitted_at, rooms.task(task.id).started_at) == (NOW, NOW)
        assert rooms.task(waiting.id).admitted_at == now
    finally:
        leave.set()
        rooms.jobs.stop(5)


def test_where_jobs_are_unknown_none_is_taken_for_lost(rooms: Rooms) -> None:
    rooms.keep(a_started_task())
    before = rooms.rows()
    Upkeep(rooms.open_uow, rooms.admission, NoWorker(), rooms.storage, rooms.clock).tick()
    assert rooms.rows() == before


def test_free_slots_are_filled(rooms: Rooms) -> None:
    rooms.limits = AdmissionLimits(total=2, per_user=1)
    tasks = [a_task(status=PROCESSING, queued_at=NOW + index * INSTANT) for index in range(3)]
    rooms.keep(*tasks)
    upkeep(rooms).tick()
    assert [rooms.task(task.id).admitted_at for task in tasks] == [NOW, NOW, None]


# --- retries by themselves ---


@pytest.mark.parametrize("status", [PARTIAL, FAILED])
def test_a_due_failure_starts_its_task(rooms: Rooms, status: TaskStatus) -> None:
    task = a_task(status=status, retry_count=3, completed_at=NOW)
    due, later = (
        a_failure(task, segment_index=index, next_retry_time=NOW + index * INSTANT, retry_count=3) for index in (0, 1)
    )
    rooms.keep(task, due, later)

    upkeep(rooms).tick()

    first, second = rooms.failures(task.id)
    assert (first.status, first.retry_count, first.auto_retry_count) == (RETRYING, 3, 1)
    assert (first.next_retry_time, second.next_retry_time) == (None, NOW + INSTANT)
    assert (second.status, second.auto_retry_count) == (OPEN, 0)
    started = rooms.task(task.id)
    assert (started.status, started.retry_count, started.admitted_at) == (PROCESSING, 3, NOW)


def test_a_due_failure_joins_a_run(rooms: Rooms) -> None:
    task = a_task(status=PROCESSING, queued_at=NOW, run_number=1)
    rooms.keep(task, *(a_failure(task, segment_index=index, next_retry_time=NOW) for index in range(3)))
    upkeep(rooms).tick()
    assert [failure.status for failure in rooms.failures(task.id)] == [RETRYING] * 3
    assert (rooms.task(task.id).queued_at, rooms.task(task.id).run_number) == (NOW, 1)


@pytest.mark.parametrize(
    ("status", "failure"),
    [
        (PENDING, OPEN),
        (CANCELLED, OPEN),
        (COMPLETED, OPEN),
        (PARTIAL, ABANDONED),
        (PARTIAL, RETRYING),
    ],
)
def test_what_nobody_wants_is_not_retried(rooms: Rooms, status: TaskStatus, failure: FailureStatus) -> None:
    task = a_task(status=status, paused=status is PENDING)
    rooms.keep(task, a_failure(task, status=failure, next_retry_time=NOW))
    before = rooms.rows()
    upkeep(rooms).tick()
    assert rooms.rows() == before


def test_three_tries_by_itself_then_it_waits_for_its_user(rooms: Rooms) -> None:
    task = a_started_task()
    rooms.keep(task)
    job, downloader = rooms.job(*[losing(0, of=10)] * 4, auto_retry=True)
    waits: list[timedelta] = []

    job.run(task.id)
    while (due := rooms.failure(task.id).next_retry_time) is not None:
        waits.append(due - rooms.clock.now)
        rooms.clock.now = due - INSTANT
        upkeep(rooms).tick()
        assert rooms.task(task.id).status is PARTIAL
        rooms.clock.now = due
        upkeep(rooms).tick()
        job.run(task.id)

    assert [round(wait / timedelta(minutes=1) / 2**tries) for tries, wait in enumerate(waits)] == [1, 1, 1]
    assert [len(source.skip) for source in downloader.sources] == [0, 0, 0, 0]
    failure = rooms.failure(task.id)
    assert (failure.status, failure.retry_count, failure.auto_retry_count) == (OPEN, 0, 3)
    assert (rooms.task(task.id).status, rooms.task(task.id).retry_count) == (PARTIAL, 0)


# --- deleted folders ---


def test_a_deleted_folder_is_removed_until_its_time(rooms: Rooms) -> None:
    task = a_task(video_id=UUID(int=1))
    rooms.keep(task)
    with rooms.open_services() as services:
        services.tasks.delete_download_task(task.user_id, task.id)
    other = f"video_{UUID(int=2)}/mp4/a.mp4"
    rooms.storage.write(other, b"another task's")
    purge = Purge(FOLDER, NOW + timedelta(minutes=1))

    for seconds, left in ((0, [purge]), (30, [purge]), (30, [])):
        rooms.clock.forward(seconds=seconds)
        rooms.storage.write(f"{FOLDER}hls/late.ts", b"by a run that learns late")
        upkeep(rooms).tick()
        assert rooms.storage.sizes(FOLDER) == {}
        assert rooms.purges() == left
    assert rooms.storage.read(other) == b"another task's"


def test_a_delete_wakes_upkeep(rooms: Rooms) -> None:
    task, ticks = a_task(), SimpleQueue[None]()
    rooms.keep(task)
    rooms.jobs.start(lambda *_: None, lambda: ticks.put(None), interval=60)
    ticks.get(timeout=5)
    with rooms.open_services() as services:
        services.tasks.delete_download_task(task.user_id, task.id)
    ticks.get(timeout=5)
    rooms.jobs.stop(5)


def test_a_folder_that_cannot_be_removed_now_is_tried_again(rooms: Rooms, caplog: pytest.LogCaptureFixture) -> None:
    with rooms.open_uow() as uow, uow:
        uow.purges.add(Purge(FOLDER, NOW))
        uow.commit()
    rooms.storage.write(f"{FOLDER}a.ts", b"a")
    in_the_way = rooms.root / ".trash"
    in_the_way.write_bytes(b"")

    with caplog.at_level(logging.WARNING):
        upkeep(rooms).tick()
    assert rooms.purges() == [Purge(FOLDER, NOW)]
    assert rooms.storage.sizes(FOLDER) == {f"{FOLDER}a.ts": 1}
    assert [record.message for record in caplog.records] == [
        "A deleted task's folder could not be removed; it is tried again"
    ]

    in_the_way.unlink()
    upkeep(rooms).tick()
    assert (rooms.purges(), rooms.storage.sizes(FOLDER)) == ([], {})


# --- idempotency keys ---


def test_keys_are_forgotten_after_seven_days(rooms: Rooms) -> None:
    task = a_task(idempotency_key="key", idempotency_digest="digest")
    rooms.keep(task)
    rooms.clock.forward(days=7)
    upkeep(rooms).tick()
    assert rooms.task(task.id).idempotency_key == "key"
    rooms.clock.now += INSTANT
    upkeep(rooms).tick()
    forgotten = rooms.task(task.id)
    assert (forgotten.idempotency_key, forgotten.idempotency_digest) == (None, None)


# --- room ---


def test_while_the_disk_is_nearly_full_tasks_and_retries_wait(rooms: Rooms) -> None:
    waiting = a_task(status=PROCESSING, queued_at=NOW)
    lossy = a_task(status=PARTIAL, progress=0.9)
    due = a_failure(lossy, next_retry_time=NOW)
    rooms.keep(waiting, lossy, due)
    rooms.root.mkdir(exist_ok=True)
    rooms.min_free_bytes = 2**62
    upkeep(rooms).tick()
    assert rooms.task(waiting.id).admitted_at is None
    assert rooms.failure(lossy.id).status is OPEN

    rooms.min_free_bytes = 0
    upkeep(rooms).tick()

    assert rooms.task(waiting.id).admitted_at == NOW
    assert rooms.failure(lossy.id).status is RETRYING
    assert rooms.task(lossy.id).status is PROCESSING


# --- retention ---

DAY = timedelta(days=1)


def upkeep_that_removes(rooms: Rooms, days: int) -> Upkeep:
    return Upkeep(
        rooms.open_uow, rooms.admission, rooms.jobs, rooms.storage, rooms.clock, retention=timedelta(days=days)
    )


@pytest.mark.parametrize("status", [COMPLETED, PARTIAL, FAILED, CANCELLED])
def test_an_old_finished_task_goes_with_everything(rooms: Rooms, status: TaskStatus) -> None:
    task = a_task(status=status)
    rooms.keep(task, a_failure(task), a_video(task))
    key = f"{rooms.names(task).folder}hls/ts/segment_000000.ts"
    rooms.storage.write(key, b"x")
    keeper = upkeep_that_removes(rooms, 7)
    rooms.clock.forward(days=7)
    keeper.tick()
    assert rooms.find(task.id) is not None
    rooms.clock.forward(microseconds=1)
    keeper.tick()
    assert {name: rows for name, rows in rooms.rows().items() if rows} == {}
    assert rooms.storage.read(key) is None


@pytest.mark.parametrize("status", [PENDING, PROCESSING])
@pytest.mark.parametrize("paused", [False, True])
def test_a_task_that_is_not_finished_stays(rooms: Rooms, status: TaskStatus, paused: bool) -> None:
    rooms.limits = AdmissionLimits(total=0, per_user=0)
    task = a_task(status=status, paused=paused, queued_at=NOW if status is PROCESSING else None)
    rooms.keep(task)
    rooms.clock.forward(days=1000)
    before = rooms.rows()
    upkeep_that_removes(rooms, 1).tick()
    assert rooms.rows() == before


def test_the_end_counts_and_not_what_was_changed_since(rooms: Rooms) -> None:
    """Nor when the task was made."""
    ended_long_ago = a_task(status=COMPLETED, completed_at=NOW, updated_at=NOW + 9 * DAY)
    ended_just_now = a_task(status=PARTIAL, completed_at=NOW + 9 * DAY, updated_at=NOW + 9 * DAY)
    rooms.keep(ended_long_ago, ended_just_now)
    rooms.clock.forward(days=10)
    upkeep_that_removes(rooms, 7).tick()
    assert rooms.find(ended_long_ago.id) is None
    assert rooms.find(ended_just_now.id) is not None


def test_so_many_at_once_the_oldest_first(rooms: Rooms, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("domain.upkeep.REMOVED_AT_ONCE", 2)
    tasks = [a_task(status=FAILED, updated_at=NOW - age * DAY) for age in range(5)]
    rooms.keep(*tasks)
    keeper = upkeep_that_removes(rooms, 1)
    rooms.clock.forward(days=2)
    left = []
    for _ in range(4):
        left.append([rooms.find(task.id) is not None for task in tasks])
        keeper.tick()
    assert left == [[True] * 5, [True] * 3 + [False] * 2, [True] + [False] * 4, [False] * 5]


def test_nothing_goes_while_its_files_could_not(rooms: Rooms) -> None:
    task = a_task(status=COMPLETED)
    rooms.keep(task)
    rooms.clock.forward(days=10)
    rooms.root.write_bytes(b"where the folder should be")
    upkeep_that_removes(rooms, 1).tick()
    assert rooms.find(task.id) is not None


def test_without_a_term_everything_stays(rooms: Rooms) -> None:
    rooms.keep(a_task(status=COMPLETED))
    rooms.clock.forward(days=36_500)
    before = rooms.rows()
    upkeep(rooms).tick()
    assert rooms.rows() == before
