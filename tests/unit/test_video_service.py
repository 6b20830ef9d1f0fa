from __future__ import annotations

from typing import Any
from uuid import UUID, uuid4

import pytest

from domain.errors import (
    DuplicateError,
    InvalidInputError,
    OutsideTaskFolderError,
    TaskMismatchError,
    TaskNotFoundError,
    VideoNotFoundError,
)
from domain.inputs import NewVideo
from domain.paging import PageRequest
from domain.queries import NEWEST_FIRST, VideoFilter
from domain.services import Services
from domain.values import ResourceType, TaskStatus, VideoStatus
from tests.builders import a_task, a_video
from tests.rooms import Rooms

USER = UUID(int=1)
ANYTHING = VideoFilter()


def a_new_video(path: str, **overrides: Any) -> NewVideo:
    values = {
        "video_type": ResourceType.MP4,
        "video_url": "https://media.example/a.mp4",
        "storage_path": path,
        "status": VideoStatus.PARTIAL_COMPLETED,
    }
    return NewVideo(**values | overrides)


def test_recording_changes_nothing_of_the_task(rooms: Rooms, services: Services) -> None:
    task = a_task(user_id=USER, status=TaskStatus.FAILED, liveroom_title="title", liveroom_url="https://live.example/")
    rooms.keep(task)
    before = rooms.rows()["download_tasks"]
    path = f"{rooms.names(task).folder}mp4/a.mp4"
    new = a_new_video(
        path, file_size=2**40, duration=1.5, resolution="640x360", format="mp4", liveroom_title="own", liveroom_url=""
    )
    now = rooms.clock.forward(hours=1)

    services.videos.create_downloaded_video(USER, task.id, new)

    video = services.videos.get_downloaded_video(USER, task.video_id)
    assert (video.task_id, video.video_id, video.liveroom_id) == (task.id, task.video_id, "room-1")
    assert (video.liveroom_title, video.liveroom_url) == ("own", "https://live.example/")
    assert (video.video_type, video.status) == (ResourceType.MP4, VideoStatus.PARTIAL_COMPLETED)
    assert (video.video_url, video.storage_path) == ("https://media.example/a.mp4", path)
    assert (video.file_size, video.duration, video.resolution, video.format) == (2**40, 1.5, "640x360", "mp4")
    assert (video.created_at, video.updated_at, video.download_start_time) == (now, now, None)
    assert rooms.rows()["download_tasks"] == before


def test_a_task_has_one_video(rooms: Rooms, services: Services) -> None:
    task = a_task(user_id=USER)
    rooms.keep(task, a_video(task))
    with rooms.refusal(DuplicateError) as caught:
        services.videos.create_downloaded_video(USER, task.id, a_new_video(rooms.names(task).mp4))
    assert caught.value.message == "The task has a video already."


def test_a_path_outside_of_the_tasks_folder_is_refused(rooms: Rooms, services: Services) -> None:
    task, other = a_task(user_id=USER), a_task(user_id=USER)
    rooms.keep(task, other)
    folder = rooms.names(task).folder
    for path in (rooms.names(other).mp4, f"{folder}../a.mp4", f"/{folder}a.mp4", folder):
        with rooms.refusal(OutsideTaskFolderError) as caught:
            services.videos.create_downloaded_video(USER, task.id, a_new_video(path))
        assert caught.value.field == ("storage_path",)


@pytest.mark.parametrize("fault", [{"video_url": ""}, {"file_size": -1}])
def test_a_faulty_video_is_refused(rooms: Rooms, services: Services, fault: dict[str, Any]) -> None:
    task = a_task(user_id=USER)
    rooms.keep(task)
    with rooms.refusal(InvalidInputError):
        services.videos.create_downloaded_video(USER, task.id, a_new_video(rooms.names(task).mp4, **fault))


@pytest.mark.parametrize("other", [{"video_id": uuid4()}, {"liveroom_id": "room-2"}])
def test_a_video_of_another_task_is_refused(rooms: Rooms, services: Services, other: dict[str, Any]) -> None:
    task = a_task(user_id=USER)
    rooms.keep(task)
    path, own = rooms.names(task).mp4, {"video_id": task.video_id, "liveroom_id": "room-1"}
    with rooms.refusal(TaskMismatchError) as caught:
        services.videos.create_downloaded_video(USER, task.id, a_new_video(path, **own | other))
    assert caught.value.field == tuple(other)
    services.videos.create_downloaded_video(USER, task.id, a_new_video(path, **own))


def test_another_users_video_is_as_one_that_never_was(rooms: Rooms, services: Services) -> None:
    theirs = a_task(status=TaskStatus.COMPLETED)
    rooms.keep(theirs, a_video(theirs))
    videos, page = services.videos, PageRequest()
    new = a_new_video(rooms.names(theirs).mp4)

    for task_id in (theirs.id, uuid4()):
        with rooms.refusal(TaskNotFoundError):
            videos.create_downloaded_video(USER, task_id, new)
        with rooms.refusal(TaskNotFoundError):
            videos.list_downloaded_videos(USER, ANYTHING, NEWEST_FIRST, page, task_id)
        with rooms.refusal(TaskNotFoundError):
            videos.count_downloaded_videos(USER, ANYTHING, task_id)
    for video_id in (theirs.video_id, uuid4()):
        with rooms.refusal(VideoNotFoundError) as caught:
            videos.get_downloaded_video(USER, video_id)
        assert caught.value.message == "There is no such video."
    assert videos.list_downloaded_videos(USER, ANYTHING, NEWEST_FIRST, page).items == []
    assert videos.count_downloaded_videos(USER, ANYTHING) == 0
    assert videos.videos_of_tasks(USER, [theirs.id]) == {}


def test_reading_ones_own(rooms: Rooms, services: Services) -> None:
    tasks = [a_task(user_id=USER, status=TaskStatus.COMPLETED) for _ in range(2)]
    unfinished = a_task(user_id=USER)
    rooms.keep(*tasks, unfinished, *(a_video(task) for task in tasks))
    videos, page, first = services.videos, PageRequest(), tasks[0]

    def found(task_id: UUID | None = None) -> set[UUID]:
        items = videos.list_downloaded_videos(USER, ANYTHING, NEWEST_FIRST, page, task_id).items
        assert videos.count_downloaded_videos(USER, ANYTHING, task_id) == len(items)
        return {video.task_id for video in items}

    assert found() == {task.id for task in tasks}
    assert (found(first.id), found(unfinished.id)) == ({first.id}, set())
    assert set(videos.videos_of_tasks(USER, [first.id, unfinished.id])) == {first.id}
