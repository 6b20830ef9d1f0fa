"""What lists can be narrowed to and ordered by."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from domain.values import FailureStatus, FailureType, ResourceType, TaskStatus, VideoStatus


@dataclass(frozen=True, slots=True)
class TaskFilter:
    """None means any; ``search`` is looked for in title, room and URL, whatever the case."""

    status: tuple[TaskStatus, ...] | None = None
    resource_type: tuple[ResourceType, ...] | None = None
    liveroom_id: str | None = None
    search: str | None = None
    created_after: datetime | None = None
    created_before: datetime | None = None


@dataclass(frozen=True, slots=True)
class PieceRange:
    """Pieces of one track, the last one too: see ``domain.piece_map``."""

    track: str
    first: int
    last: int

    def holds(self, place: tuple[str, int] | None) -> bool:
        """Whether the piece at ``place``, track and index, is one of them."""
        return place is not None and place[0] == self.track and self.first <= place[1] <= self.last


@dataclass(frozen=True, slots=True)
class FailureFilter:
    """None means any."""

    status: tuple[FailureStatus, ...] | None = None
    failure_type: tuple[FailureType, ...] | None = None
    pieces: PieceRange | None = None


@dataclass(frozen=True, slots=True)
class VideoFilter:
    """None means any."""

    video_type: tuple[ResourceType, ...] | None = None
    status: tuple[VideoStatus, ...] | None = None
    liveroom_id: str | None = None


@dataclass(frozen=True, slots=True)
class SortKey:
    """A column by its attribute's name, and its direction."""

    field: str
    descending: bool = False


Sort = tuple[SortKey, ...]
"""First key first. Repositories add ``id`` as the last key, in the last direction given: pages never overlap."""

NEWEST_FIRST: Sort = (SortKey("created_at", descending=True),)

TASK_COLUMNS = frozenset(
    "id user_id video_id liveroom_id liveroom_title liveroom_url resource_url resource_type status progress"
    " retry_count max_retries priority last_error created_at updated_at completed_at".split()
)
FAILURE_COLUMNS = frozenset(
    "id task_id resource_url expected_path standard_name resource_type failure_type error_message status retry_count"
    " next_retry_time created_at updated_at".split()
)
VIDEO_COLUMNS = frozenset(
    "id video_id task_id liveroom_id liveroom_title liveroom_url video_type video_url storage_path file_size duration"
    " resolution format cover_path status download_start_time download_end_time created_at updated_at".split()
)
