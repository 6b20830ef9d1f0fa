"""A run from claim to result: what the downloader says, in rows."""

from __future__ import annotations

import logging
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import event

from domain.download_job import AutoRetry, verdict
from domain.errors import DatabaseError
from domain.models import DownloadFailure, DownloadTask
from domain.ports import AdmissionLimits, FetchOutcome, MediaFacts, PieceFailure, Progress, Sink, Source
from domain.values import FailureStatus, FailureType, ResourceType, TaskStatus, VideoStatus
from persistence.sealing import AesGcmSealer
from tests.builders import NOW, a_failure, a_task, a_video
from tests.rooms import FACTS, NOT_FOUND, Rooms, a_piece, losing

PENDING, PROCESSING, COMPLETED, PARTIAL, FAILED, CANCELLED = TaskStatus
OPEN, RETRYING, ABANDONED = FailureStatus
MINUTE = timedelta(minutes=1)


def a_started_task(**overrides: Any) -> DownloadTask:
    return a_task(**{"status": PROCESSING, "queued_at": NOW, "admitted_at": NOW} | overrides)


def lost_piece(rooms: Rooms, task: DownloadTask, index: int, **overrides: Any) -> DownloadFailure:
    """A failure of the segment that has this index in the script."""
    return a_failure(task, segment_index=index, piece_key=rooms.names(task).segment(index, ".ts"), **overrides)


# --- verdict ---


@pytest.mark.parametrize(
    ("lost", "of", "status", "progress"),
    [
        (0, 100, COMPLETED, 1.0),
        (1, 100, PARTIAL, 0.99),
        (30, 100, PARTIAL, 0.7),
        (31, 100, FAILED, 0.69),
        (100, 100, FAILED, 0.0),
        (3, 10, PARTIAL, 0.7),
        (1, 3, FAILED, 2 / 3),
        (6_000, 20_000, PARTIAL, 0.7),
        (6_001, 20_000, FAILED, 13_999 / 20_000),
        (0, 1, COMPLETED, 1.0),
        (1, 1, FAILED, 0.0),
        (0, 0, FAILED, 0.0),
    ],
)
def test_up_to_thirty_percent_may_be_lost(lost: int, of: int, status: TaskStatus, progress: float) -> None:
    assert verdict(FetchOutcome(of, of - lost)) == (status, progress)


@pytest.mark.parametrize(
    ("lost", "status", "progress", "last_error", "completed"),
    [
        (0, COMPLETED, 1.0, None, True),
        (30, PARTIAL, 0.7, "30 of 100 pieces are missing: HTTP 404", True),
        (31, FAILED, 0.69, "31 of 100 pieces are missing: HTTP 404", False),
    ],
)
def test_the_verdict_is_written_with_a_row_for_every_loss(
    rooms: Rooms, lost: int, status: TaskStatus, progress: float, last_error: str | None, *, completed: bool
) -> None:
    task = a_started_task()
    rooms.keep(task)
    job, _ = rooms.job(losing(*range(1, lost + 1), of=100))
    now = rooms.clock.forward(hours=1)

    job.run(task.id)

    ended = rooms.task(task.id)
    assert (ended.status, ended.progress, ended.last_error) == (status, progress, last_error)
    assert ended.completed_at == (now if completed else None)
    assert (ended.bytes_downloaded, ended.bytes_total) == (100 * (100 - lost), 100 * (100 - lost))
    assert (ended.segments_downloaded, ended.segments_total) == (100 - lost, 100)
    assert (ended.run_number, ended.started_at, ended.admitted_at, ended.bytes_per_second) == (1, now, None, None)
    failures = rooms.failures(task.id)
    assert [failure.segment_index for failure in failures] == list(range(1, lost + 1))
    assert all((f.status, f.error_message, f.next_retry_time) == (OPEN, "HTTP 404", None) for f in failures)
    names = rooms.names(task)
    assert [failure.piece_key for failure in failures] == [names.segment(n, ".ts") for n in range(1, lost + 1)]


def test_of_one_file_the_cause_is_told_alone(rooms: Rooms) -> None:
    task = a_started_task(resource_type=ResourceType.MP4)
    rooms.keep(task)
    rooms.job(lambda *_: FetchOutcome(1, 0, note="HTTP 403"))[0].run(task.id)
    ended = rooms.task(task.id)
    assert (ended.status, ended.progress, ended.last_error) == (FAILED, 0.0, "HTTP 403")


def test_all_lost_without_a_word_says_so(rooms: Rooms) -> None:
    task = a_started_task()
    rooms.keep(task)
    rooms.job(lambda *_: FetchOutcome(0, 0))[0].run(task.id)
    assert rooms.task(task.id).last_error == "nothing arrived"


# --- the video ---


def test_the_video_is_measured(rooms: Rooms) -> None:
    task = a_started_task(liveroom_title="title", liveroom_url="https://live.example/")
    rooms.keep(task)
    started = rooms.clock.forward(hours=1)

    def step(source: Source, sink: Sink) -> FetchOutcome:
        rooms.clock.forward(minutes=5)
        return losing(1, of=10)(source, sink)

    rooms.job(step)[0].run(task.id)

    video = rooms.video(task.id)
    assert video is not None
    assert (video.video_id, video.liveroom_id, video.video_type) == (task.video_id, "room-1", ResourceType.HLS)
    assert (video.liveroom_title, video.liveroom_url) == ("title", "https://live.example/")
    assert (video.video_url, video.storage_path) == (task.resource_url, rooms.names(task).hls_folder)
    assert (video.status, video.file_size, video.duration) == (VideoStatus.PARTIAL_COMPLETED, 900, 12.346)
    assert (video.resolution, video.format) == ("1280x720", "hls")
    assert (video.download_start_time, video.download_end_time) == (started, started + 5 * MINUTE)


def test_a_later_run_measures_the_same_row_anew(rooms: Rooms) -> None:
    task = a_started_task()
    rooms.keep(task, a_video(task, status=VideoStatus.PARTIAL_COMPLETED, download_start_time=NOW, file_size=1))
    rooms.clock.forward(hours=1)
    rooms.job(losing(of=10))[0].run(task.id)
    video = rooms.video(task.id)
    assert video is not None
    assert (video.status, video.file_size, video.download_start_time) == (VideoStatus.COMPLETED, 1_000, NOW)


def test_sound_has_no_resolution(rooms: Rooms) -> None:
    task = a_started_task(resource_type=ResourceType.MP4)
    rooms.keep(task)
    facts = MediaFacts(duration=None, width=None, height=None, format="mp4")
    rooms.job(lambda *_: FetchOutcome(1, 1, 5, rooms.names(task).mp4, facts))[0].run(task.id)
    video = rooms.video(task.id)
    assert video is not None
    assert (video.duration, video.resolution, video.format, video.file_size) == (None, None, "mp4", 5)


@pytest.mark.parametrize(("facts", "expected"), [(None, None), (FACTS, VideoStatus.FAILED)])
def test_what_failed_has_a_video_only_if_something_plays(
    rooms: Rooms, facts: MediaFacts | None, expected: VideoStatus | None
) -> None:
    task = a_started_task()
    rooms.keep(task)
    rooms.job(lambda source, _: FetchOutcome(10, 5, 500, source.names.hls_folder, facts))[0].run(task.id)
    video = rooms.video(task.id)
    assert (video and video.status) == expected
    assert rooms.task(task.id).status is FAILED


def test_what_cannot_be_measured_again_stays_as_it_was_measured(rooms: Rooms) -> None:
    task = a_started_task()
    measured = {"duration": 9.5, "resolution": "1280x720", "format": "hls", "cover_path": "cover.jpg"}
    rooms.keep(task, a_video(task, **measured, status=VideoStatus.PARTIAL_COMPLETED, file_size=1))
    rooms.job(lambda source, _: FetchOutcome(10, 9, 500, source.names.hls_folder))[0].run(task.id)
    video = rooms.video(task.id)
    assert video is not None
    assert {name: getattr(video, name) for name in measured} == measured
    assert (video.status, video.file_size) == (VideoStatus.PARTIAL_COMPLETED, 500)


# --- what is asked of the downloader ---


def test_the_source_says_everything(rooms: Rooms) -> None:
    headers = (("Cookie", "secret"), ("Referer", "https://live.example/"))
    task = a_started_task(sealed_headers=rooms.sealer.seal(headers), max_height=720, run_number=4)
    lost = [lost_piece(rooms, task, index, status=status) for index, status in enumerate(FailureStatus)]
    rooms.keep(task, *lost, a_failure(task, piece_key=None))
    job, downloader = rooms.job(losing(of=10))

    job.run(task.id)

    (source,) = downloader.sources
    assert (source.url, source.resource_type) == (task.resource_url, ResourceType.HLS)
    assert (source.headers, source.max_height, source.run_number) == (headers, 720, 5)
    assert source.names == rooms.names(task)
    assert source.skip == {failure.piece_key for failure in lost if failure.status is not RETRYING}
    assert rooms.task(task.id).sealed_headers is None  # completed: nothing is fetched any more


@pytest.mark.parametrize("status", [PENDING, COMPLETED, PARTIAL, FAILED, CANCELLED])
def test_a_task_that_does_not_wait_is_not_run(rooms: Rooms, status: TaskStatus) -> None:
    task = a_task(status=status)
    rooms.keep(task)
    before = rooms.rows()
    job, downloader = rooms.job()
    job.run(task.id)
    job.run(uuid4())
    assert downloader.sources == []
    assert rooms.rows() == before


def test_headers_that_cannot_be_opened_fail_the_task_unasked(rooms: Rooms) -> None:
    sealed = AesGcmSealer("another secret of 32 bytes, gone by now").seal((("Cookie", "secret"),))
    task = a_started_task(sealed_headers=sealed, progress=0.9, bytes_downloaded=900)
    rooms.keep(task, lost_piece(rooms, task, 0, status=RETRYING))
    job, downloader = rooms.job()

    job.run(task.id)

    ended = rooms.task(task.id)
    assert downloader.sources == []
    assert (ended.status, ended.last_error) == (
        FAILED,
        "The request headers can no longer be read: the service's key has changed. Give them again.",
    )
    assert (ended.progress, ended.bytes_downloaded, ended.sealed_headers) == (0.9, 900, sealed)
    assert rooms.failure(task.id).status is OPEN


# --- the program at fault ---


def test_a_loss_that_cannot_be_written_fails_the_task(rooms: Rooms) -> None:
    task = a_started_task()
    rooms.keep(task)

    def step(source: Source, sink: Sink) -> FetchOutcome:
        unwritable = PieceFailure(FailureType.NETWORK_ERROR, "half a character: \ud800")
        sink.ended(Progress(100, None, 1, 2), [a_piece(source.names, 1, unwritable)])
        return FetchOutcome(2, 1, 100)

    rooms.job(step)[0].run(task.id)
    ended = rooms.task(task.id)
    assert (ended.status, ended.last_error) == (FAILED, "internal error: the log has the details")
    assert rooms.failures(task.id) == []


def test_an_error_of_ours_fails_the_task_and_is_logged(rooms: Rooms, caplog: pytest.LogCaptureFixture) -> None:
    task, next_one = a_started_task(), a_task(status=PROCESSING, queued_at=NOW)
    rooms.keep(task, next_one, lost_piece(rooms, task, 1, status=RETRYING))

    def step(_: Source, sink: Sink) -> FetchOutcome:
        sink.report(Progress(400, None, 4, 10), [])
        raise ZeroDivisionError("secret")

    with caplog.at_level(logging.ERROR):
        rooms.job(step)[0].run(task.id)

    ended = rooms.task(task.id)
    assert (ended.status, ended.last_error) == (FAILED, "internal error: the log has the details")
    assert (ended.progress, ended.bytes_downloaded, ended.segments_downloaded) == (0.4, 400, 4)
    assert rooms.failure(task.id).status is OPEN
    assert rooms.task(next_one.id).admitted_at == NOW
    (record,) = caplog.records
    assert (record.name, record.message) == ("domain.download_job", "A run failed by an error of the service")
    assert record.exc_info is not None
    assert record.exc_info[0] is ZeroDivisionError
    assert vars(record)["labels"] == {"task_id": str(task.id)}


def test_a_database_that_does_not_answer_leaves_the_task_to_upkeep(rooms: Rooms) -> None:
    task = a_started_task()
    rooms.keep(task)

    def step(*_: object) -> FetchOutcome:
        raise DatabaseError

    with pytest.raises(DatabaseError):
        rooms.job(step)[0].run(task.id)
    assert (rooms.task(task.id).status, rooms.task(task.id).last_error) == (PROCESSING, None)


def test_the_end_of_a_run_hands_its_slot_to_the_next(rooms: Rooms) -> None:
    rooms.limits = AdmissionLimits(total=1, per_user=1)
    task, waiting = a_started_task(), a_task(status=PROCESSING, queued_at=NOW)
    rooms.keep(task, waiting)
    now = rooms.clock.forward(hours=1)
    rooms.job(losing(of=10))[0].run(task.id)
    assert rooms.task(waiting.id).admitted_at == now


@pytest.mark.parametrize("lost", [True, False])
def test_of_a_piece_that_is_told_twice_at_the_end_the_last_word_counts(rooms: Rooms, *, lost: bool) -> None:
    task = a_started_task()
    rooms.keep(task)

    def step(source: Source, sink: Sink) -> FetchOutcome:
        told = [a_piece(source.names, 1, NOT_FOUND), a_piece(source.names, 1)]
        sink.ended(Progress(100, None, 1, 1), told[::-1] if lost else told)
        return FetchOutcome(1, 1, 100)

    rooms.job(step)[0].run(task.id)
    assert len(rooms.failures(task.id)) == lost


def test_a_run_that_loses_nothing_is_two_transactions_and_five_statements(rooms: Rooms) -> None:
    task, sent = a_started_task(resource_type=ResourceType.IMAGE), []
    rooms.keep(task)

    def step(source: Source, sink: Sink) -> FetchOutcome:
        sink.ended(Progress(5, 5), [a_piece(source.names, 0)])
        return FetchOutcome(1, 1, 5, rooms.names(task).image(".png"), FACTS)

    job, _ = rooms.job(step)
    later = replace(job, admission=replace(job.admission, refill_later=lambda: None))  # as in a worker
    event.listen(rooms.engine, "before_cursor_execute", lambda *args: sent.append(args[2].split()[0]))
    event.listen(rooms.engine, "commit", lambda _: sent.append("COMMIT"))
    later.run(task.id)

    assert [word for word in sent if word != "BEGIN"] == [
        *("UPDATE", "COMMIT"),
        *("SELECT", "SELECT", "UPDATE", "INSERT", "COMMIT"),
    ]
    assert rooms.task(task.id).status is COMPLETED


# --- retries by themselves ---

NETWORK, TIMEOUT, CONTENT, STORAGE, PERMISSION = FailureType


@pytest.mark.parametrize("failure_type", [NETWORK, TIMEOUT, STORAGE])
@pytest.mark.parametrize(("tries", "minutes"), [(0, 1), (1, 2), (2, 4)])
def test_a_passing_trouble_is_tried_again(rooms: Rooms, failure_type: FailureType, tries: int, minutes: int) -> None:
    auto_retry = AutoRetry(enabled=True, clock=rooms.clock)
    waits = [(auto_retry(failure_type, tries) or NOW) - NOW for _ in range(200)]
    assert min(waits) >= 0.8 * minutes * MINUTE
    assert max(waits) <= 1.2 * minutes * MINUTE
    assert max(waits) - min(waits) > 0.2 * minutes * MINUTE  # spread, so that not all come at once


@pytest.mark.parametrize(
    ("failure_type", "tries", "enabled"),
    [(NETWORK, 3, True), (CONTENT, 0, True), (PERMISSION, 0, True), (NETWORK, 0, False)],
)
def test_the_rest_waits_for_its_user(rooms: Rooms, failure_type: FailureType, tries: int, *, enabled: bool) -> None:
    assert AutoRetry(enabled, rooms.clock)(failure_type, tries) is None


def test_a_loss_is_recorded_with_its_next_retry(rooms: Rooms) -> None:
    task = a_started_task()
    rooms.keep(task, lost_piece(rooms, task, 1, status=RETRYING, auto_retry_count=2, retry_count=1))

    def step(source: Source, sink: Sink) -> FetchOutcome:
        lost = [PieceFailure(NETWORK, "reset"), PieceFailure(TIMEOUT, "stalled"), PieceFailure(CONTENT, "HTML")]
        sink.report(Progress(), [a_piece(source.names, index, failure) for index, failure in enumerate(lost)])
        return FetchOutcome(3, 0)

    rooms.job(step, auto_retry=True)[0].run(task.id)

    first, known, last = rooms.failures(task.id)
    assert first.next_retry_time is not None
    assert known.next_retry_time is not None
    assert abs(first.next_retry_time - NOW - MINUTE) <= 0.2 * MINUTE
    assert abs(known.next_retry_time - NOW - 4 * MINUTE) <= 0.8 * MINUTE
    assert (known.status, known.auto_retry_count, known.retry_count) == (OPEN, 2, 1)
    assert (last.error_message, last.next_retry_time) == ("HTML", None)
