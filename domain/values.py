"""The words with a fixed set of values. The member's value is what the database and REST hold."""

from __future__ import annotations

from enum import StrEnum


class ResourceType(StrEnum):
    """What a task downloads."""

    HLS = "hls"  # a master or media playlist, RFC 8216
    MP4 = "mp4"  # one file
    IMAGE = "image"  # one picture


class TaskStatus(StrEnum):
    """Where a task stands. The last four are at rest."""

    PENDING = "pending"  # not started, or paused
    PROCESSING = "processing"  # started: waits for a slot, or runs
    COMPLETED = "completed"  # every piece is stored
    PARTIAL_COMPLETED = "partial_completed"  # at most 30 % of the segments are lost
    FAILED = "failed"  # more is lost, or nothing came
    CANCELLED = "cancelled"  # given up by the user


class FailureStatus(StrEnum):
    """Where a failure stands."""

    PENDING = "pending"  # waits for a retry, by the user or by itself
    RETRYING = "retrying"  # is fetched by the current run, or by the next
    ABANDONED = "abandoned"  # given up by the user; still counts as lost


class FailureType(StrEnum):
    """Why a piece did not arrive; the table in the README says which cause is which."""

    NETWORK_ERROR = "network_error"  # DNS, refused, reset, TLS, 404, 410, 429, 5xx
    TIMEOUT = "timeout"  # connect or stall limit
    INVALID_CONTENT = "invalid_content"  # not the media it should be
    STORAGE_ERROR = "storage_error"  # disk full, read-only, object storage refuses
    PERMISSION_ERROR = "permission_error"  # 401, 403, expired, an address that must not be dialled


class FailedResourceType(StrEnum):
    """What kind of piece did not arrive."""

    TS = "ts"  # a segment or initialization section, of whatever container
    M3U8 = "m3u8"  # a playlist or key
    MP4 = "mp4"  # the whole file
    IMAGE = "image"  # the whole picture


class PieceState(StrEnum):
    """Where one piece stands, in the piece map."""

    WAITING = "w"  # not fetched yet
    IN_FLIGHT = "i"  # is being fetched
    STORED = "s"  # has arrived, whole and verified
    FAILED = "f"  # did not arrive
    ABANDONED = "a"  # given up by the user
    GAP = "g"  # the stream itself marks it as missing, or it left a live window unseen


class VideoStatus(StrEnum):
    """How whole a video is."""

    COMPLETED = "completed"  # nothing is missing
    PARTIAL_COMPLETED = "partial_completed"  # plays, with gaps
    FAILED = "failed"  # little of it plays


AT_REST = frozenset({TaskStatus.COMPLETED, TaskStatus.PARTIAL_COMPLETED, TaskStatus.FAILED, TaskStatus.CANCELLED})

LEGAL_MOVES: dict[TaskStatus, frozenset[TaskStatus]] = {
    TaskStatus.PENDING: frozenset({TaskStatus.PROCESSING, TaskStatus.CANCELLED}),
    TaskStatus.PROCESSING: frozenset(TaskStatus) - {TaskStatus.PROCESSING},
    TaskStatus.PARTIAL_COMPLETED: frozenset({TaskStatus.PROCESSING}),
    TaskStatus.FAILED: frozenset({TaskStatus.PROCESSING}),
    TaskStatus.COMPLETED: frozenset(),
    TaskStatus.CANCELLED: frozenset(),
}
