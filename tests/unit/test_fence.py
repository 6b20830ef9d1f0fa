"""What a run does when its task is taken from it, or when pieces join it, while it runs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest

from domain.errors import RunStopped
from domain.inputs import TaskChanges
from domain.models import DownloadTask
from domain.ports import AdmissionLimits, FetchOutcome, Progress, Sink, Source
from domain.services import Services
from domain.values import FailureStatus, TaskStatus
from tests.builders import NOW, a_failure, a_task
from tests.rooms import NOT_FOUND, Rooms, Step, a_piece, losing

USER = UUID(int=1)
PENDING, PROCESSING, COMPLETED, PARTIAL, FAILED, CANCELLED = TaskStatus
OPEN, RETRYING, ABANDONED = FailureStatus
NEW_URL = "https://media.example/fresh.m3u8"


@pytest.fixture
def task(rooms: Rooms) -> DownloadTask:
    """Started, and handed over."""
    task = a_task(user_id=USER, status=PROCESSING, queued_at=NOW, admitted_at=NOW)
    rooms.keep(task)
    return task


def lost_piece(rooms: Rooms, task: DownloadTask, index: int, **overrides: Any) -> UUID:
    """Keep a failure of this segment; its id."""
    failure = a_failure(task, segment_index=index, piece_key=rooms.names(task).segment(index, ".ts"), **overrides)
    rooms.keep(failure)
    return failure.id


def after(action: Callable[[], object], step: Step) -> Step:
    """The step, once ``action`` has happened during the run."""

    def both(source: Source, sink: Sink) -> FetchOutcome:
        sink.report(Progress(100, 1_000, 1, 10), [])
        action()
        return step(source, sink)

    return both


# --- taken away ---


def pause_and_resume(services: Services, task: DownloadTask) -> None:
    services.tasks.pause_download_task(USER, task.id)
    services.tasks.resume_download_task(USER, task.id)


TAKEN: dict[str, Callable[[Services, DownloadTask], object]] = {
    "paused": lambda services, task: services.tasks.pause_download_task(USER, task.id),
    "resumed again": pause_and_resume,
    "cancelled": lambda services, task: services.tasks.cancel_download_task(USER, task.id),
    "given a new URL": lambda services, task: services.tasks.update_download_task(
        USER, task.id, TaskChanges(resource_url=NEW_URL)
    ),
    "settled by hand": lambda services, task: services.tasks.update_download_task(
        USER, task.id, TaskChanges(status=COMPLETED)
    ),
    "deleted": lambda services, task: services.tasks.delete_download_task(USER, task.id),
}


def told_to_stop(source: Source, sink: Sink) -> FetchOutcome:
    with pytest.raises(RunStopped):
        sink.report(Progress(1_000, 1_000, 10, 10), [a_piece(source.names, 3, NOT_FOUND)])
    raise RunStopped


@pytest.mark.parametrize(
    "notices",
    [told_to_stop, lambda *_: FetchOutcome(10, 10, 1_000, "late")],
    ids=["at its next report", "at its end"],
)
@pytest.mark.parametrize("taken", TAKEN)
def test_a_run_that_lost_its_task_writes_nothing(
    rooms: Rooms, services: Services, task: DownloadTask, taken: str, notices: Step
) -> None:
    rows = rooms.rows()

    def take() -> None:
        rooms.clock.forward(hours=1)
        TAKEN[taken](services, task)
        rows.update(rooms.rows())

    rooms.job(after(take, notices))[0].run(task.id)

    assert rooms.rows() == rows


def test_a_second_claim_makes_the_first_stale(rooms: Rooms, task: DownloadTask) -> None:
    """As after a worker was stopped for a while, taken for dead, and continued."""
    second, fresh = rooms.job(losing(of=10))
    first, stale = rooms.job(after(lambda: second.run(task.id), losing(*range(10), of=10)))

    first.run(task.id)

    assert [source.run_number for source in (*stale.sources, *fresh.sources)] == [1, 2]
    assert (rooms.task(task.id).status, rooms.task(task.id).run_number) == (COMPLETED, 2)
    assert rooms.failures(task.id) == []


def test_a_new_url_is_fetched_by_the_next_run(rooms: Rooms, services: Services, task: DownloadTask) -> None:
    change = after(lambda: TAKEN["given a new URL"](services, task), losing(of=10))
    job, downloader = rooms.job(change, losing(of=10))
    job.run(task.id)
    assert (rooms.task(task.id).started_at, rooms.task(task.id).admitted_at) == (None, NOW)
    job.run(task.id)
    assert [source.url for source in downloader.sources] == [task.resource_url, NEW_URL]
    assert (rooms.task(task.id).status, rooms.task(task.id).run_number) == (COMPLETED, 2)


@pytest.mark.parametrize("taken", ["paused", "cancelled", "given a new URL"])
def test_what_was_stored_stays_when_the_row_does(
    rooms: Rooms, services: Services, task: DownloadTask, taken: str
) -> None:
    key = rooms.names(task).segment(0, ".ts")
    rooms.storage.write(key, b"stored")
    rooms.job(after(lambda: TAKEN[taken](services, task), losing(of=10)))[0].run(task.id)
    assert rooms.storage.read(key) == b"stored"


def test_what_is_written_after_a_delete_goes(rooms: Rooms, services: Services, task: DownloadTask) -> None:
    names, others = rooms.names(task), f"video_{UUID(int=2)}/a.mp4"
    rooms.storage.write(others, b"another task's")

    def delete() -> None:
        services.tasks.delete_download_task(USER, task.id)
        rooms.storage.write(names.segment(0, ".ts"), b"late")

    rooms.job(after(delete, losing(of=10)))[0].run(task.id)

    assert rooms.storage.sizes(names.folder) == {}
    assert rooms.storage.read(others) == b"another task's"


def test_a_run_clears_the_scratch_files_of_those_before_it(rooms: Rooms, task: DownloadTask) -> None:
    key = rooms.names(task).segment(0, ".ts")
    rooms.storage.scratch(key, 0).write_bytes(b"left by a killed run")
    left: list[bool] = []

    def step(source: Source, sink: Sink) -> FetchOutcome:
        left.append(rooms.storage.scratch(key, 0).exists())
        rooms.storage.scratch(key, source.run_number).write_bytes(b"of this run")
        return losing(of=10)(source, sink)

    rooms.job(step)[0].run(task.id)
    left.append(rooms.storage.scratch(key, 1).exists())
    assert left == [False, False]


# --- the worker stops ---


def test_while_the_worker_stops_the_task_goes_back_to_its_place(rooms: Rooms, task: DownloadTask) -> None:
    rooms.limits = AdmissionLimits(total=1, per_user=1)
    now = rooms.clock.forward(hours=1)
    later = a_task(user_id=USER, status=PROCESSING, queued_at=now)
    rooms.keep(later)
    lost_piece(rooms, task, 1, status=RETRYING)
    seen: list[bool] = []

    def step(_: Source, sink: Sink) -> FetchOutcome:
        sink.report(Progress(400, 1_000, 4, 10), [])
        seen.append(sink.draining)
        return FetchOutcome(10, 4, 400)

    rooms.job(step)[0].run(task.id, stopping=lambda: True)

    waits = rooms.task(task.id)
    assert seen == [True]
    assert (waits.status, waits.queued_at, waits.started_at) == (PROCESSING, NOW, None)
    assert (waits.admitted_at, rooms.task(later.id).admitted_at) == (now, None)  # the first to be handed over anew
    assert (waits.progress, waits.bytes_downloaded, waits.bytes_per_second) == (0.4, 400, None)
    assert (waits.last_error, rooms.failure(task.id).status, rooms.video(task.id)) == (None, RETRYING, None)


def test_what_a_fetch_tells_at_its_end_is_kept_while_the_worker_stops(rooms: Rooms, task: DownloadTask) -> None:
    arrived, lost = lost_piece(rooms, task, 1, status=RETRYING), lost_piece(rooms, task, 2, status=RETRYING)

    def step(source: Source, sink: Sink) -> FetchOutcome:
        sink.ended(Progress(400, 1_000, 4, 10, pieces="ts 6.000 s4w6"), [a_piece(source.names, 1)])
        return FetchOutcome(10, 4, 400)

    rooms.job(step)[0].run(task.id, stopping=lambda: True)

    waits = rooms.task(task.id)
    assert (waits.status, waits.started_at, waits.version) == (PROCESSING, None, 2)  # the claim, and no decision
    assert (waits.progress, waits.bytes_downloaded, waits.segments_downloaded) == (0.4, 400, 4)
    assert [failure.id for failure in rooms.failures(task.id)] == [lost]
    assert arrived != lost


def test_an_engine_that_closes_gives_back_what_it_was_told_at_the_end(rooms: Rooms, task: DownloadTask) -> None:
    def step(source: Source, sink: Sink) -> FetchOutcome:
        sink.ended(Progress(400, 1_000, 4, 10), [a_piece(source.names, 3, NOT_FOUND)])
        raise RunStopped

    rooms.job(step)[0].run(task.id)

    waits = rooms.task(task.id)
    assert (waits.status, waits.started_at, waits.progress, waits.segments_total) == (PROCESSING, None, 0.4, 10)
    assert rooms.failure(task.id).segment_index == 3


def test_what_is_whole_when_the_worker_stops_is_settled(rooms: Rooms, task: DownloadTask) -> None:
    rooms.job(losing(of=10))[0].run(task.id, stopping=lambda: True)
    assert rooms.task(task.id).status is COMPLETED


# --- pieces that join ---


def test_a_round_that_another_one_follows_is_measured(rooms: Rooms, services: Services, task: DownloadTask) -> None:
    failure, seen = lost_piece(rooms, task, 1), []

    def join(source: Source, sink: Sink) -> FetchOutcome:
        services.failures.retry_download_failure(USER, failure)
        sink.ended(Progress(800, 1_000, 8, 10), [a_piece(source.names, 2, NOT_FOUND)])
        return FetchOutcome(10, 8)

    def look(source: Source, sink: Sink) -> FetchOutcome:
        seen.append(rooms.task(task.id))
        return losing(2, of=10)(source, sink)

    rooms.job(join, look)[0].run(task.id)

    assert [(row.status, row.progress, row.segments_downloaded, row.version) for row in seen] == [
        (PROCESSING, 0.8, 8, 2)
    ]
    assert [(f.segment_index, f.status) for f in rooms.failures(task.id)] == [(2, OPEN)]


@pytest.mark.parametrize("last", ["report", "ended"])
def test_pieces_that_join_get_another_round(rooms: Rooms, services: Services, task: DownloadTask, last: str) -> None:
    first, second = lost_piece(rooms, task, 1), lost_piece(rooms, task, 2)

    def arrive(source: Source, sink: Sink) -> FetchOutcome:
        getattr(sink, last)(Progress(900, None, 9, 10), [a_piece(source.names, 2)])
        return FetchOutcome(10, 9, 900, source.names.hls_folder)

    join = after(lambda: services.failures.retry_download_failure(USER, second), lambda *_: FetchOutcome(10, 8))
    job, downloader = rooms.job(join, arrive)
    job.run(task.id)

    names = rooms.names(task)
    assert [source.skip for source in downloader.sources] == [
        {names.segment(1, ".ts"), names.segment(2, ".ts")},
        {names.segment(1, ".ts")},
    ]
    assert [(failure.id, failure.status) for failure in rooms.failures(task.id)] == [(first, OPEN)]
    ended = rooms.task(task.id)
    assert (ended.status, ended.progress, ended.run_number) == (PARTIAL, 0.9, 1)


def test_a_piece_that_was_lost_again_may_join_once_more(rooms: Rooms, services: Services, task: DownloadTask) -> None:
    failure_id = lost_piece(rooms, task, 1, status=RETRYING, retry_count=1)

    def lost_and_asked_for(source: Source, sink: Sink) -> FetchOutcome:
        sink.report(Progress(900, None, 9, 10), [a_piece(source.names, 1, NOT_FOUND)])
        services.failures.retry_download_failure(USER, failure_id)
        return FetchOutcome(10, 9, 900, source.names.hls_folder)

    job, downloader = rooms.job(lost_and_asked_for, lost_and_asked_for, losing(1, of=10))
    job.run(task.id)

    assert [source.skip for source in downloader.sources] == [frozenset()] * 3
    failure = rooms.failure(task.id)
    assert (failure.status, failure.retry_count) == (OPEN, 3)
    assert rooms.task(task.id).status is PARTIAL


def test_a_piece_that_the_playlist_no_longer_has_waits_again(rooms: Rooms, task: DownloadTask) -> None:
    lost_piece(rooms, task, 99, status=RETRYING)
    lost_piece(rooms, task, 98, status=ABANDONED)
    job, downloader = rooms.job(losing(of=10))
    job.run(task.id)
    assert len(downloader.sources) == 1
    assert [failure.status for failure in rooms.failures(task.id)] == [ABANDONED, OPEN]
    assert rooms.task(task.id).status is COMPLETED


def test_a_piece_abandoned_meanwhile_stays_so(rooms: Rooms, services: Services, task: DownloadTask) -> None:
    failure_id = lost_piece(rooms, task, 1, status=RETRYING)
    abandon = after(lambda: services.failures.abandon_download_failure(USER, failure_id), losing(1, of=10))
    job, downloader = rooms.job(abandon)
    job.run(task.id)
    assert len(downloader.sources) == 1
    assert (rooms.failure(task.id).status, rooms.task(task.id).progress) == (ABANDONED, 0.9)


def test_a_piece_that_joined_a_run_that_broke_waits_again(rooms: Rooms, services: Services, task: DownloadTask) -> None:
    failure_id = lost_piece(rooms, task, 1)

    def broken(*_: object) -> FetchOutcome:
        raise ZeroDivisionError

    job, downloader = rooms.job(after(lambda: services.failures.retry_download_failure(USER, failure_id), broken))
    job.run(task.id)
    assert len(downloader.sources) == 1
    assert (rooms.failure(task.id).status, rooms.task(task.id).status) == (OPEN, FAILED)
