from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple
from uuid import UUID, uuid4

import pytest

from domain.errors import (
    IllegalMoveError,
    InvalidInputError,
    OutsideTaskFolderError,
    TaskMismatchError,
    TaskNotFoundError,
)
from domain.inputs import NewFailure
from domain.models import DownloadFailure
from domain.ports import PieceNames
from domain.services import Services
from domain.values import FailedResourceType, FailureStatus, FailureType, ResourceType, TaskStatus
from tests.builders import a_task
from tests.rooms import Rooms

USER = UUID(int=1)
TS, M3U8, MP4, IMAGE = FailedResourceType


def a_new_failure(path: str, **overrides: Any) -> NewFailure:
    values = {
        "resource_url": "https://media.example/3.ts?token=secret",
        "resource_type": TS,
        "failure_type": FailureType.TIMEOUT,
        "error_message": "stalled",
        "expected_path": path,
    }
    return NewFailure(**values | overrides)


def test_recording_changes_nothing_else_of_the_task(rooms: Rooms, services: Services) -> None:
    task = a_task(user_id=USER, status=TaskStatus.COMPLETED)
    rooms.keep(task)
    before = rooms.rows()["download_tasks"]
    path = f"{rooms.names(task).folder}hls/ts/3.ts"
    new = a_new_failure(path, standard_name="3.ts", segment_index=3, retry_count=2)
    now = rooms.clock.forward(hours=1)

    recorded = services.failures.create_download_failure(USER, task.id, new)

    failure = rooms.failure(task.id)
    assert (failure.id, failure.resource_url, failure.expected_path) == (recorded.id, new.resource_url, path)
    assert (failure.resource_type, failure.failure_type, failure.error_message) == (TS, FailureType.TIMEOUT, "stalled")
    assert (failure.standard_name, failure.segment_index, failure.retry_count) == ("3.ts", 3, 2)
    assert (failure.status, failure.next_retry_time, failure.created_at) == (FailureStatus.PENDING, None, now)
    assert rooms.rows()["download_tasks"] == before


class Piece(NamedTuple):
    """What a recorded failure says that it is of."""

    task_type: ResourceType
    kind: FailedResourceType
    segment: int | None
    path: Callable[[PieceNames], str]


KNOWN = [
    Piece(ResourceType.HLS, TS, 9, lambda names: names.segment(9, ".ts")),
    Piece(ResourceType.HLS, TS, 0, lambda names: names.segment(0, ".m4s")),
    Piece(ResourceType.HLS, TS, None, lambda names: names.segment(4, ".ts")),
    Piece(ResourceType.HLS, M3U8, None, lambda names: names.playlist),
    Piece(ResourceType.HLS, M3U8, None, lambda names: names.master_playlist),
    Piece(ResourceType.MP4, MP4, None, lambda names: names.mp4),
    Piece(ResourceType.IMAGE, IMAGE, None, lambda names: names.image("")),
]
UNKNOWN = [
    Piece(ResourceType.HLS, TS, 10, lambda names: names.segment(10, ".ts")),
    Piece(ResourceType.HLS, TS, 3, lambda names: names.segment(4, ".ts")),
    Piece(ResourceType.HLS, TS, None, lambda names: names.segment(10, ".ts")),
    Piece(ResourceType.HLS, TS, None, lambda names: f"{names.folder}4.ts"),
    Piece(ResourceType.HLS, TS, 3, lambda names: f"{names.folder}3.ts"),
    Piece(ResourceType.HLS, MP4, None, lambda names: names.mp4),
    Piece(ResourceType.MP4, M3U8, None, lambda names: names.playlist),
    Piece(ResourceType.MP4, TS, 0, lambda names: names.segment(0, ".ts")),
    Piece(ResourceType.IMAGE, MP4, None, lambda names: names.mp4),
]


def record(rooms: Rooms, services: Services, piece: Piece) -> DownloadFailure:
    """The recorded failure of a piece of a task with ten segments."""
    task = a_task(user_id=USER, status=TaskStatus.PARTIAL_COMPLETED, resource_type=piece.task_type, segments_total=10)
    rooms.keep(task)
    new = a_new_failure(piece.path(rooms.names(task)), resource_type=piece.kind, segment_index=piece.segment)
    return services.failures.create_download_failure(USER, task.id, new)


@pytest.mark.parametrize("piece", KNOWN)
def test_a_recorded_failure_of_a_known_piece_can_be_retried(rooms: Rooms, services: Services, piece: Piece) -> None:
    failure = record(rooms, services, piece)
    assert failure.piece_key == failure.expected_path
    services.failures.retry_download_failure(USER, failure.id)
    assert rooms.failure(failure.task_id).status is FailureStatus.RETRYING
    assert rooms.task(failure.task_id).status is TaskStatus.PROCESSING


@pytest.mark.parametrize("piece", UNKNOWN)
def test_of_a_piece_that_the_playlist_does_not_have_it_cannot(rooms: Rooms, services: Services, piece: Piece) -> None:
    failure = record(rooms, services, piece)
    assert failure.piece_key is None
    with rooms.refusal(IllegalMoveError):
        services.failures.retry_download_failure(USER, failure.id)


def test_the_path_of_a_segment_tells_its_place(rooms: Rooms, services: Services) -> None:
    failure = record(rooms, services, Piece(ResourceType.HLS, TS, None, lambda names: names.segment(4, ".ts")))
    assert failure.segment_index == 4


def test_a_path_outside_of_the_tasks_folder_is_refused(rooms: Rooms, services: Services) -> None:
    task, other = a_task(user_id=USER), a_task(user_id=USER)
    rooms.keep(task, other)
    folder = rooms.names(task).folder
    for path in (f"{rooms.names(other).folder}a.ts", f"{folder}../a.ts", f"/{folder}a.ts", "/etc/passwd"):
        with rooms.refusal(OutsideTaskFolderError) as caught:
            services.failures.create_download_failure(USER, task.id, a_new_failure(path))
        assert caught.value.field == ("expected_path",)


def test_a_faulty_failure_is_refused(rooms: Rooms, services: Services) -> None:
    task = a_task(user_id=USER)
    rooms.keep(task)
    new = a_new_failure(rooms.names(task).playlist, retry_count=4)
    with rooms.refusal(InvalidInputError):
        services.failures.create_download_failure(USER, task.id, new)


def test_a_failure_of_another_task_is_refused(rooms: Rooms, services: Services) -> None:
    task, other = a_task(user_id=USER), a_task(user_id=USER)
    rooms.keep(task, other)
    path = rooms.names(task).playlist
    with rooms.refusal(TaskMismatchError) as caught:
        services.failures.create_download_failure(USER, task.id, a_new_failure(path, task_id=other.id))
    assert caught.value.field == ("task_id",)
    services.failures.create_download_failure(USER, task.id, a_new_failure(path, task_id=task.id))


def test_another_users_task_takes_no_failure(rooms: Rooms, services: Services) -> None:
    theirs = a_task()
    rooms.keep(theirs)
    for task_id in (theirs.id, uuid4()):
        with rooms.refusal(TaskNotFoundError):
            services.failures.create_download_failure(USER, task_id, a_new_failure(rooms.names(theirs).playlist))
