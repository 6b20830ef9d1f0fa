"""Which stored file plays, and the signed link to it. Keys come from the row, never from a caller."""

from __future__ import annotations

import math
from dataclasses import dataclass
from uuid import UUID

from domain.models import DownloadedVideo, DownloadTask
from domain.paths import folder_of
from domain.ports import NamesFor
from domain.values import ResourceType, TaskStatus
from web.links import Links


@dataclass(frozen=True, slots=True)
class PlaybackUrls:
    """Links for the rows of one user's answer."""

    links: Links
    names_for: NamesFor

    def of(self, task: DownloadTask, video: DownloadedVideo | None) -> str | None:
        """What plays of ``task``, from its first stored piece on; None before. ``video`` is its result, if any."""
        key = self._key(task, video)
        return None if key is None else self.links.url(key, task.user_id, _seconds(task, video))

    def cover(self, video: DownloadedVideo, user_id: UUID) -> str | None:
        """A still picture; for an image, itself."""
        key = _own_cover(video)
        return None if key is None else self.links.url(key, user_id)

    def _key(self, task: DownloadTask, video: DownloadedVideo | None) -> str | None:
        match task.resource_type:
            case ResourceType.HLS:
                return self.names_for(task).local_playlist if task.segments_downloaded else None
            case ResourceType.MP4:
                return self.names_for(task).mp4 if task.status is TaskStatus.COMPLETED else None
            case ResourceType.IMAGE:  # its extension was seen when it arrived
                return _own_cover(video) if video is not None else None


def _own_cover(video: DownloadedVideo) -> str | None:
    """The one key that a row keeps. A link opens whatever it names, so it names nothing of another task."""
    key = video.cover_path
    return key if key is not None and key.startswith(folder_of(video.video_id)) else None


def _seconds(task: DownloadTask, video: DownloadedVideo | None) -> float:
    """How long it plays. While it is being stored nobody knows: its link lasts as long as one may."""
    if task.resource_type is ResourceType.IMAGE:
        return 0
    measured = video.duration if video is not None else None
    return math.inf if measured is None else measured
