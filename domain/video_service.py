"""The use cases of videos: the finished results."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from uuid import UUID

from domain.errors import DuplicateError, TaskMismatchError, TaskNotFoundError, VideoNotFoundError
from domain.inputs import NewVideo, blank_to_none, refuse, video_errors
from domain.models import DownloadedVideo, DownloadTask
from domain.paging import Page, PageRequest
from domain.paths import check_under
from domain.ports import Clock, NamesFor, UnitOfWork
from domain.queries import Sort, VideoFilter


@dataclass(frozen=True, slots=True)
class VideoService:
    """Videos of one user's tasks at a time; the user id comes first in every call."""

    uow: UnitOfWork
    names_for: NamesFor
    clock: Clock

    def create_downloaded_video(self, user_id: UUID, task_id: UUID, new: NewVideo) -> DownloadedVideo:
        """Keep a result that the caller vouches for; nothing else of the task changes.

        Raises TaskNotFoundError, InvalidInputError, TaskMismatchError, OutsideTaskFolderError, DuplicateError.
        """
        refuse(video_errors(new))
        with self.uow as uow:
            task = uow.tasks.get(user_id, task_id, for_update=True)
            if task is None:
                raise TaskNotFoundError
            _refuse_mismatch(task, new)
            check_under(new.storage_path, self.names_for(task).folder, "storage_path")
            if uow.videos.of_task(task_id) is not None:
                raise DuplicateError("The task has a video already.")
            video = self._build(task, new)
            uow.videos.add(video)
            uow.commit()
            return video

    def _build(self, task: DownloadTask, new: NewVideo) -> DownloadedVideo:
        now = self.clock()
        return DownloadedVideo(
            task_id=task.id,
            video_id=task.video_id,
            liveroom_id=task.liveroom_id,
            liveroom_title=blank_to_none(new.liveroom_title) or task.liveroom_title,
            liveroom_url=blank_to_none(new.liveroom_url) or task.liveroom_url,
            video_type=new.video_type,
            video_url=new.video_url,
            storage_path=new.storage_path,
            status=new.status,
            file_size=new.file_size,
            duration=new.duration,
            resolution=new.resolution,
            format=new.format,
            created_at=now,
            updated_at=now,
        )

    def get_downloaded_video(self, user_id: UUID, video_id: UUID) -> DownloadedVideo:
        """By the video id of its task. Raises VideoNotFoundError."""
        with self.uow.reading() as uow:
            video = uow.videos.get(user_id, video_id)
        if video is None:
            raise VideoNotFoundError
        return video

    def list_downloaded_videos(
        self, user_id: UUID, where: VideoFilter, sort: Sort, request: PageRequest, task_id: UUID | None = None
    ) -> Page[DownloadedVideo]:
        """One page: of all tasks, or of one. Raises TaskNotFoundError."""
        with self.uow.reading() as uow:
            self._seen(user_id, task_id)
            return uow.videos.page(user_id, where, sort, request, task_id=task_id)

    def count_downloaded_videos(self, user_id: UUID, where: VideoFilter, task_id: UUID | None = None) -> int:
        """How many there are in all pages. Raises TaskNotFoundError."""
        with self.uow.reading() as uow:
            self._seen(user_id, task_id)
            return uow.videos.count(user_id, where, task_id=task_id)

    def videos_of_tasks(self, user_id: UUID, task_ids: Collection[UUID]) -> dict[UUID, DownloadedVideo]:
        """The videos of those tasks that have one, by task id."""
        with self.uow.reading() as uow:
            return uow.videos.of_tasks(user_id, task_ids)

    def _seen(self, user_id: UUID, task_id: UUID | None) -> None:
        if task_id is not None and self.uow.tasks.get(user_id, task_id) is None:
            raise TaskNotFoundError


def _refuse_mismatch(task: DownloadTask, new: NewVideo) -> None:
    if new.video_id not in (None, task.video_id):
        raise TaskMismatchError(field=("video_id",))
    if new.liveroom_id not in (None, task.liveroom_id):
        raise TaskMismatchError(field=("liveroom_id",))
