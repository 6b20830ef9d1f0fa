"""The piece map: what a run writes, what failures add, and what people are shown."""

from __future__ import annotations

import time
from typing import Any
from uuid import UUID

import pytest

from domain.errors import IllegalMoveError, RetryLimitReachedError, TaskNotFoundError
from domain.models import DownloadTask
from domain.paging import PageRequest
from domain.piece_map import LostPiece, PieceTrack, Written, piece_map, place_of, read, runs_of, states_of, write
from domain.ports import FetchOutcome, Progress, Sink, Source
from domain.queries import NEWEST_FIRST, FailureFilter, PieceRange
from domain.services import Services
from domain.values import FailureStatus, ResourceType, TaskStatus
from downloader.board import Board
from downloader.playlist_model import Segment
from storage.keys import names_for
from tests.builders import NOW, a_failure, a_task
from tests.rooms import Rooms

USER = UUID(int=1)
PENDING, PROCESSING, COMPLETED, PARTIAL, FAILED, CANCELLED = TaskStatus
OPEN, RETRYING, ABANDONED = FailureStatus
NAMES = names_for(a_task(video_id=UUID("5f0c1f2e-7d0a-4b7e-9c55-2f4a6f0f3c11")))


def a_row(pieces: str | None, status: TaskStatus = PARTIAL, **overrides: object) -> Written:
    values = {"resource_type": ResourceType.HLS, "running": False, "segments_total": None} | overrides
    return Written(pieces=pieces, status=status, **values)  # type: ignore[arg-type]  # a test names what it is about


def lost(index: int, status: FailureStatus = OPEN, track: str = "ts") -> LostPiece:
    return LostPiece(NAMES.segment(index, ".ts", track), status)


def shown(written: Written, *losses: LostPiece) -> list[tuple[str, str]]:
    return [(track.name, track.runs) for track in piece_map(written, losses)]


# --- coding ---


@pytest.mark.parametrize(
    ("states", "runs"),
    [(b"", ""), (b"s", "s1"), (b"sssff", "s3f2"), (b"swsw", "s1w1s1w1"), (b"g" * 20_000, "g20000")],
)
def test_runs_and_states_are_the_same(states: bytes, runs: str) -> None:
    assert runs_of(states) == runs
    assert states_of(runs) == states
    assert PieceTrack("ts", runs).total == len(states)


def test_what_is_written_is_read() -> None:
    tracks = [PieceTrack("ts", "s90f10", 600.125), PieceTrack("audio_1", "w100", 600.0)]
    assert write(tracks) == "ts 600.125 s90f10\naudio_1 600.000 w100"
    assert list(read(write(tracks))) == tracks


def test_a_whole_film_in_a_few_hundred_bytes() -> None:
    """20 pieces in flight with some stored between them, and 30 lost here and there."""
    states = bytearray(b"s" * 9_000 + b"is" * 20 + b"w" * 10_960)
    for index in range(100, 9_000, 300):
        states[index] = ord("w")
    assert len(write([PieceTrack("ts", runs_of(bytes(states)), 120_000.0)])) == 284


def test_twenty_thousand_pieces_are_coded_in_no_time() -> None:
    board, segments = Board(), [Segment(index, index, "", 6.0) for index in range(20_000)]
    board.track("ts").extend((segment, segment.index % 7 != 0) for segment in segments)
    began = time.perf_counter()
    assert len(board.news() or "") > 10_000  # every run is short: the worst that there is
    assert time.perf_counter() - began < 0.1


@pytest.mark.parametrize(
    ("key", "place"),
    [
        (NAMES.segment(7, ".ts"), ("ts", 7)),
        (NAMES.segment(12_345, ".m4s"), ("ts", 12_345)),
        (NAMES.segment(1_234_567, ".ts"), ("ts", 1_234_567)),
        (NAMES.segment(3, ".aac", "audio_2"), ("audio_2", 3)),
        (NAMES.segment(0, ".vtt", "subtitles_1"), ("subtitles_1", 0)),
        (NAMES.mp4, ("mp4", 0)),
        (NAMES.image(""), ("image", 0)),
        (NAMES.playlist, None),
        (NAMES.initialization(1), None),
        (None, None),
    ],
)
def test_a_key_tells_the_place(key: str | None, place: tuple[str, int] | None) -> None:
    assert place_of(key) == place


# --- the row and its failures together ---


def test_failures_are_seen_where_their_pieces_are() -> None:
    row = a_row("ts 100.000 s3w4s3")
    assert shown(row, lost(3), lost(4, ABANDONED), lost(6), lost(5, RETRYING)) == [("ts", "s3f1a1w1f1s3")]


def test_a_retry_shows_what_its_run_does() -> None:
    row = a_row("ts 100.000 s1i1w1s1", PROCESSING, running=True)
    assert shown(row, lost(1, RETRYING), lost(2, RETRYING), lost(3, RETRYING)) == [("ts", "s1i1w1s1")]


def test_a_loss_that_a_user_recorded_is_shown_though_the_piece_is_stored() -> None:
    assert shown(a_row("ts 100.000 s3"), lost(1)) == [("ts", "s1f1s1")]


def test_a_gap_stays_one_until_it_is_given_up() -> None:
    assert shown(a_row("ts 100.000 s1g3"), lost(1), lost(2, RETRYING), lost(3, ABANDONED)) == [("ts", "s1g2a1")]


def test_a_loss_that_the_playlist_does_not_have_changes_nothing() -> None:
    assert shown(a_row("ts 100.000 s3"), lost(3), lost(0, track="audio_1")) == [("ts", "s3")]


def test_each_track_has_its_own_losses() -> None:
    row = a_row("ts 100.000 s3\naudio_1 100.000 s2w1")
    assert shown(row, lost(2, track="audio_1"), lost(0, ABANDONED)) == [("ts", "a1s2"), ("audio_1", "s2f1")]


@pytest.mark.parametrize("status", [PENDING, PROCESSING, PARTIAL, FAILED, CANCELLED])
def test_nothing_is_in_flight_where_nothing_runs(status: TaskStatus) -> None:
    assert shown(a_row("ts 100.000 s1i2w1", status)) == [("ts", "s1w3")]


@pytest.mark.parametrize(
    ("status", "running", "losses", "runs"),
    [
        (PENDING, False, (), "w1"),
        (PROCESSING, False, (), "w1"),
        (PROCESSING, True, (), "i1"),
        (COMPLETED, False, (), "s1"),
        (FAILED, False, (LostPiece(NAMES.mp4, OPEN),), "f1"),
        (FAILED, False, (LostPiece(NAMES.mp4, ABANDONED),), "a1"),
        (PROCESSING, True, (LostPiece(NAMES.mp4, RETRYING),), "i1"),
        (CANCELLED, False, (), "w1"),
    ],
)
def test_a_whole_file_is_one_piece(
    status: TaskStatus, losses: tuple[LostPiece, ...], runs: str, *, running: bool
) -> None:
    row = a_row(None, status, resource_type=ResourceType.MP4, running=running)
    assert shown(row, *losses) == [("mp4", runs)]


def test_a_picture_is_one_too() -> None:
    row = a_row(None, FAILED, resource_type=ResourceType.IMAGE)
    assert shown(row, LostPiece(NAMES.image(""), OPEN)) == [("image", "f1")]


def test_a_stream_has_no_map_until_somebody_knows_it() -> None:
    assert shown(a_row(None, PROCESSING, running=True)) == []
    assert shown(a_row(None, COMPLETED, segments_total=7)) == [("ts", "s7")]  # from before there were maps


# --- what a run writes ---


def a_started_task() -> DownloadTask:
    return a_task(user_id=USER, status=PROCESSING, queued_at=NOW, admitted_at=NOW)


def maps(rooms: Rooms, task: DownloadTask, user_id: UUID = USER) -> list[tuple[str, str]] | None:
    with rooms.open_services() as services:
        found = services.tasks.piece_maps_of_tasks(user_id, [task.id]).get(task.id)
    return None if found is None else [(track.name, track.runs) for track in found]


def test_a_run_writes_its_map_with_its_progress(rooms: Rooms) -> None:
    task, seen = a_started_task(), []
    rooms.keep(task)

    def step(_: Source, sink: Sink) -> FetchOutcome:
        seen.append(maps(rooms, task))
        for pieces in ("ts 6.000 i2w1", None, "ts 6.000 s1i1w1"):
            sink.report(Progress(1, None, 1, 3, pieces=pieces), [])
            seen.append(maps(rooms, task))
        sink.ended(Progress(2, None, 2, 3, pieces="ts 6.000 s2i1"), [])
        return FetchOutcome(3, 2, 200)

    rooms.job(step)[0].run(task.id)

    assert seen == [[], [("ts", "i2w1")], [("ts", "i2w1")], [("ts", "s1i1w1")]]
    assert maps(rooms, task) == [("ts", "s2w1")]
    assert maps(rooms, task, UUID(int=2)) is None


def test_what_a_stopped_run_left_behind_is_written_unless_another_has_begun(rooms: Rooms, services: Services) -> None:
    task = a_started_task()
    rooms.keep(task)

    def paused(_: Source, sink: Sink) -> FetchOutcome:
        sink.report(Progress(1, None, 1, 3, pieces="ts 6.000 s1i2"), [])
        services.tasks.pause_download_task(USER, task.id)
        sink.left(Progress(2, None, 2, 3, pieces="ts 6.000 s2i1"))
        services.tasks.resume_download_task(USER, task.id)
        rooms.job(lambda *_: FetchOutcome(3, 3, 300))[0].run(task.id)
        sink.left(Progress(1, None, 1, 3, pieces="ts 6.000 w3"))
        return FetchOutcome(3, 2, 200)

    rooms.job(paused)[0].run(task.id)

    assert rooms.task(task.id).run_number == 2
    assert maps(rooms, task) == [("ts", "s2w1")]


def test_a_fetch_whose_task_was_taken_away_writes_its_last_map(rooms: Rooms, services: Services) -> None:
    task = a_started_task()
    rooms.keep(task)

    def paused(_: Source, sink: Sink) -> FetchOutcome:
        services.tasks.pause_download_task(USER, task.id)
        sink.ended(Progress(2, None, 2, 3, pieces="ts 6.000 s2i1"), [])
        return FetchOutcome(3, 2, 200)

    rooms.job(paused)[0].run(task.id)

    assert rooms.task(task.id).status is TaskStatus.PENDING
    assert maps(rooms, task) == [("ts", "s2w1")]


def test_the_entity_and_lists_of_tasks_do_without_it(rooms: Rooms) -> None:
    task = a_started_task()
    rooms.keep(task)
    assert not hasattr(rooms.task(task.id), "pieces")


# --- stretches ---


@pytest.fixture
def partial(rooms: Rooms) -> DownloadTask:
    """Ten segments: 2, 3 and 5 are lost, 6 is given up, 7 has no retry left; and the first of a rendition is lost."""
    task = a_task(user_id=USER, status=PARTIAL, segments_total=10)
    names = names_for(task)
    lost: dict[int, dict[str, Any]] = {2: {}, 3: {}, 5: {}, 6: {"status": ABANDONED}, 7: {"retry_count": 3}}
    rows = [
        a_failure(task, segment_index=index, piece_key=names.segment(index, ".ts"), **more)
        for index, more in lost.items()
    ]
    rooms.keep(task, *rows, a_failure(task, segment_index=0, piece_key=names.segment(0, ".aac", "audio_1")))
    return task


def states(rooms: Rooms, task: DownloadTask) -> dict[tuple[str, int] | None, tuple[str, int]]:
    return {place_of(each.piece_key): (each.status.value, each.retry_count) for each in rooms.failures(task.id)}


def test_a_stretch_is_retried_in_one_call(rooms: Rooms, services: Services, partial: DownloadTask) -> None:
    before = states(rooms, partial)
    assert services.failures.retry_download_failures(USER, partial.id, PieceRange("ts", 3, 9)) == 2
    retried = {("ts", 3): ("retrying", 1), ("ts", 5): ("retrying", 1)}
    assert states(rooms, partial) == before | retried
    assert rooms.task(partial.id).status is PROCESSING
    assert services.failures.retry_download_failures(USER, partial.id, PieceRange("ts", 3, 6)) == 0
    assert services.failures.retry_download_failures(USER, partial.id, PieceRange("audio_1", 0, 9)) == 1


def test_a_stretch_without_losses_starts_nothing(rooms: Rooms, services: Services, partial: DownloadTask) -> None:
    before = rooms.rows()
    assert services.failures.retry_download_failures(USER, partial.id, PieceRange("ts", 8, 9)) == 0
    assert rooms.rows() == before


def test_why_a_stretch_is_not_retried(rooms: Rooms, services: Services, partial: DownloadTask) -> None:
    with rooms.refusal(RetryLimitReachedError):
        services.failures.retry_download_failures(USER, partial.id, PieceRange("ts", 6, 9))
    with rooms.refusal(TaskNotFoundError):
        services.failures.retry_download_failures(UUID(int=2), partial.id, PieceRange("ts", 0, 9))
    waiting = a_task(user_id=USER)
    rooms.keep(waiting, a_failure(waiting, piece_key=names_for(waiting).segment(0, ".ts")))
    with rooms.refusal(IllegalMoveError):
        services.failures.retry_download_failures(USER, waiting.id, PieceRange("ts", 0, 0))


def test_a_stretch_is_given_up_in_one_call(rooms: Rooms, services: Services, partial: DownloadTask) -> None:
    before = states(rooms, partial)
    assert services.failures.abandon_download_failures(USER, partial.id, PieceRange("ts", 5, 7)) == 2
    given_up = {("ts", 5): ("abandoned", 0), ("ts", 7): ("abandoned", 3)}
    assert states(rooms, partial) == before | given_up
    assert services.failures.abandon_download_failures(USER, partial.id) == 3


@pytest.mark.parametrize(
    ("pieces", "found"),
    [
        (PieceRange("ts", 3, 6), [3, 5, 6]),
        (PieceRange("audio_1", 0, 0), [0]),
        (PieceRange("audio_2", 0, 9), []),
        (PieceRange("ts", 8, 3), []),
    ],
)
def test_failures_are_listed_by_stretch(
    services: Services, partial: DownloadTask, pieces: PieceRange, found: list[int]
) -> None:
    where, page = FailureFilter(pieces=pieces), PageRequest(100)
    listed = services.failures.list_download_failures(USER, partial.id, where, NEWEST_FIRST, page)
    assert sorted(each.segment_index or 0 for each in listed.items) == found
    assert services.failures.count_download_failures(USER, partial.id, where) == len(found)
