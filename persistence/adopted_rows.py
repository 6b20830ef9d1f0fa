"""What becomes of a row of the documented service, whatever types its database gave to the columns."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

from domain.errors import DatabaseError

Row = Mapping[str, Any]
Values = dict[str, Any]
Reader = Callable[[Any], object]

TASKS, FAILURES, VIDEOS = "download_tasks", "download_failures", "downloaded_videos"

_SEGMENT = re.compile(r"/segment_([0-9]{6,9})_")


def to_uuid(value: object) -> UUID:
    """Raises ValueError."""
    match value:
        case UUID():
            return value
        case bytes():
            return UUID(bytes=value)
    return UUID(str(value).strip())


def to_instant(value: object) -> datetime:
    """Without an offset it is UTC, as that service meant it. Raises ValueError."""
    moment = value if isinstance(value, datetime) else datetime.fromisoformat(str(value))
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def to_word(value: object) -> str:
    """Some databases keep an enumeration's names, others its values; they differ in case alone."""
    return str(value).strip().lower()


READERS: dict[str, dict[str, Reader]] = {
    TASKS: {
        **dict.fromkeys(("id", "user_id", "video_id"), to_uuid),
        **dict.fromkeys(("liveroom_id", "liveroom_title", "liveroom_url", "resource_url", "last_error"), str),
        **dict.fromkeys(("resource_type", "status"), to_word),
        **dict.fromkeys(("retry_count", "max_retries", "priority"), int),
        "progress": float,
        **dict.fromkeys(("completed_at", "created_at", "updated_at"), to_instant),
    },
    FAILURES: {
        **dict.fromkeys(("id", "task_id"), to_uuid),
        **dict.fromkeys(("resource_url", "error_message", "expected_path", "standard_name"), str),
        **dict.fromkeys(("resource_type", "failure_type", "status"), to_word),
        "retry_count": int,
        **dict.fromkeys(("next_retry_time", "created_at", "updated_at"), to_instant),
    },
    VIDEOS: {
        **dict.fromkeys(("id", "task_id", "video_id"), to_uuid),
        **dict.fromkeys(("liveroom_id", "liveroom_title", "liveroom_url", "video_url", "storage_path"), str),
        **dict.fromkeys(("resolution", "format", "cover_path"), str),
        **dict.fromkeys(("video_type", "status"), to_word),
        "file_size": int,
        "duration": float,
        **dict.fromkeys(("download_start_time", "download_end_time", "created_at", "updated_at"), to_instant),
    },
}
"""The columns that are carried over."""

SHOWN_TWICE: dict[str, dict[str, str]] = {
    TASKS: {},
    FAILURES: {"failure_id": "id"},
    VIDEOS: {"resource_type": "video_type", "resource_url": "video_url", "cover_url": "cover_path"},
}
"""Second names of columns in that service's answers, should they have been columns of their own."""

DEFAULTS: dict[str, Values] = {
    TASKS: {"status": "pending", "progress": 0.0, "retry_count": 0, "max_retries": 3, "priority": 50},
    FAILURES: {"status": "pending", "retry_count": 0, "error_message": "", "expected_path": ""},
    VIDEOS: {"status": "completed", "storage_path": ""},
}
"""Where there is no such column, or nothing in it."""

NEW_IN_TASKS: Values = {
    **dict.fromkeys(("paused", "is_live", "finish_requested"), False),
    **dict.fromkeys(("bytes_downloaded", "segments_downloaded", "run_number"), 0),
    "version": 1,
}


@dataclass
class Adopted:
    """Reads rows of one database; tasks first."""

    now: datetime
    _renamed: dict[UUID, UUID] = field(default_factory=dict)

    def task(self, row: Row) -> Values:
        """Its run is over: while it is processing, it waits."""
        values = self._read(TASKS, row)
        values["video_id"] = values["video_id"] or self.rename(values["id"])
        queued_at = values["updated_at"] if values["status"] == "processing" else None
        return values | NEW_IN_TASKS | {"queued_at": queued_at}

    def rename(self, task_id: UUID) -> UUID:
        """Give the task a folder of its own, with nothing in it."""
        folder = self._renamed[task_id] = uuid4()
        return folder

    def failure(self, row: Row) -> Values:
        """Nobody retries it any more unless its task waits for a run. A path of the task's own names the piece."""
        values = self._read(FAILURES, row)
        if values["status"] == "retrying" and to_word(row["task_status"]) != "processing":
            values["status"] = "pending"
        path = values["expected_path"]
        segment = _SEGMENT.search(path)
        return values | {
            "auto_retry_count": 0,
            "piece_key": self._own(path, row),
            "segment_index": int(segment[1]) if segment else None,
        }

    def video(self, row: Row) -> Values:
        """Its cover is shown to the task's user, so it must be the task's own: a folder may have been shared."""
        values = self._read(VIDEOS, row)
        values["video_id"] = self._renamed.get(values["task_id"]) or self._folder_of(row) or values["video_id"]
        return values | {"cover_path": self._own(values["cover_path"], row)}

    def _own(self, path: str | None, row: Row) -> str | None:
        """``path``, if it lies under the folder of the row's task."""
        own = path is not None and path.startswith(f"video_{self._folder_of(row)}/") and ".." not in path
        return path if own else None

    def _folder_of(self, row: Row) -> UUID | None:
        """A task that got another folder has nothing in it yet; one that is not there has none."""
        task, folder = to_uuid(row["task_id"]), row["task_video_id"]
        return None if task in self._renamed or folder is None else to_uuid(folder)

    def _read(self, table: str, row: Row) -> Values:
        values = {name: self._value(table, name, row) for name in READERS[table]}
        values["created_at"] = values["created_at"] or self.now
        values["updated_at"] = values["updated_at"] or values["created_at"]
        return values

    def _value(self, table: str, name: str, row: Row) -> object:
        others = (row.get(other) for other, meant in SHOWN_TWICE[table].items() if meant == name)
        value = next((value for value in (row.get(name), *others) if value is not None), None)
        if value is None:
            return DEFAULTS[table].get(name)
        try:
            return READERS[table][name](value)
        except (ValueError, TypeError, OverflowError):
            raise DatabaseError(f"A value of {table}.{name} cannot be taken over; nothing was changed.") from None
