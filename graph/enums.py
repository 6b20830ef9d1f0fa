"""The enums of the schema: the domain's own, described here, and those that only GraphQL has."""

from __future__ import annotations

from enum import Enum
from typing import TypeVar

import strawberry
from strawberry.types.enum import StrawberryEnumDefinition

from domain.values import FailedResourceType, FailureStatus, FailureType, ResourceType, TaskStatus, VideoStatus

Member = TypeVar("Member", bound=Enum)


def _describe(enum: type[Member], description: str, members: dict[Member, str]) -> None:
    """Make a domain enum a GraphQL enum; ``members`` describes every member."""
    definition: StrawberryEnumDefinition = vars(strawberry.enum(enum, description=description))[
        "__strawberry_definition__"
    ]
    for value in definition.values:
        value.description = members[enum(value.value)]


_describe(
    ResourceType,
    "What a task downloads.",
    {
        ResourceType.HLS: "An HLS stream: a master or media playlist.",
        ResourceType.MP4: "One MP4 file.",
        ResourceType.IMAGE: "One picture.",
    },
)
_describe(
    TaskStatus,
    "Where a task stands. PENDING and PROCESSING tasks can still move on by themselves or by a call; the other four "
    "are at rest.",
    {
        TaskStatus.PENDING: "Not started, or paused.",
        TaskStatus.PROCESSING: "Started by the user: waits for a slot while `startedAt` is null, runs afterwards.",
        TaskStatus.COMPLETED: "Every piece is stored.",
        TaskStatus.PARTIAL_COMPLETED: "At most 30 % of the segments are lost; the rest is stored and plays.",
        TaskStatus.FAILED: "More than that is lost, or nothing arrived.",
        TaskStatus.CANCELLED: "Given up by the user.",
    },
)
_describe(
    FailureStatus,
    "Where a failure stands.",
    {
        FailureStatus.PENDING: "Waits for a retry, by the user or (at `nextRetryTime`) by itself.",
        FailureStatus.RETRYING: "Is being fetched again.",
        FailureStatus.ABANDONED: "Given up by the user; it still counts as lost.",
    },
)
_describe(
    FailureType,
    "Why a piece did not arrive.",
    {
        FailureType.NETWORK_ERROR: "No name, no connection, a broken TLS handshake, or HTTP 404, 410, 429 or 5xx.",
        FailureType.TIMEOUT: "The connection was not made in time, or no byte arrived for too long.",
        FailureType.INVALID_CONTENT: "What arrived is not the media it should be, or is larger than allowed.",
        FailureType.STORAGE_ERROR: "The disk is full or read-only, or the object storage refused.",
        FailureType.PERMISSION_ERROR: "HTTP 401 or 403, an expired URL, or an address that must not be fetched.",
    },
)
_describe(
    FailedResourceType,
    "What kind of piece did not arrive.",
    {
        FailedResourceType.TS: "A segment or initialization section, of whatever container.",
        FailedResourceType.M3U8: "A playlist or a key.",
        FailedResourceType.MP4: "A whole MP4 file.",
        FailedResourceType.IMAGE: "A whole picture.",
    },
)
_describe(
    VideoStatus,
    "How whole a video is.",
    {
        VideoStatus.COMPLETED: "Nothing is missing.",
        VideoStatus.PARTIAL_COMPLETED: "It plays, with gaps.",
        VideoStatus.FAILED: "Little of it plays.",
    },
)


class TaskOrderField(Enum):
    """The value is the entity's attribute."""

    CREATED_AT = "created_at"
    UPDATED_AT = "updated_at"
    PRIORITY = "priority"
    PROGRESS = "progress"
    STATUS = "status"
    LIVEROOM_ID = "liveroom_id"


class OrderDirection(Enum):
    """Which end comes first."""

    ASC = "asc"
    DESC = "desc"


class UserErrorCode(Enum):
    """The value is what clients read."""

    NOT_FOUND = "NOT_FOUND"
    INVALID = "INVALID"
    CONFLICT = "CONFLICT"
    BLOCKED_URL = "BLOCKED_URL"
    RETRY_LIMIT_REACHED = "RETRY_LIMIT_REACHED"
    QUOTA_EXCEEDED = "QUOTA_EXCEEDED"


_describe(
    TaskOrderField,
    "What tasks can be ordered by. Equal values are ordered by id.",
    {
        TaskOrderField.CREATED_AT: "When the task was created.",
        TaskOrderField.UPDATED_AT: "When the task last changed.",
        TaskOrderField.PRIORITY: "Its priority, 0 to 100.",
        TaskOrderField.PROGRESS: "Its progress, 0 to 1.",
        TaskOrderField.STATUS: "The name of its status, alphabetically.",
        TaskOrderField.LIVEROOM_ID: "The id of its live room, alphabetically.",
    },
)
_describe(
    OrderDirection,
    "A direction to order in.",
    {
        OrderDirection.ASC: "The smallest or oldest first.",
        OrderDirection.DESC: "The largest or newest first.",
    },
)
_describe(
    UserErrorCode,
    "Why a mutation did nothing.",
    {
        UserErrorCode.NOT_FOUND: "There is no such row among yours.",
        UserErrorCode.INVALID: "A value of the input is not acceptable.",
        UserErrorCode.CONFLICT: "The state of this row, or another row, does not allow it.",
        UserErrorCode.BLOCKED_URL: "This address must not be fetched.",
        UserErrorCode.RETRY_LIMIT_REACHED: "All retries are used up.",
        UserErrorCode.QUOTA_EXCEEDED: "Your quota is used up.",
    },
)
