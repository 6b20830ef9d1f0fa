"""What REST reads and shows: the documented bodies and objects, in their documented order.

Bodies are read here and judged by the domain: the bounds in their schemas tell clients what the domain will say.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Generic, Self, TypeVar
from uuid import UUID

from fastapi import Path
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, PlainSerializer, WithJsonSchema

from domain.inputs import MAX_MESSAGE, MAX_URL, NewFailure, NewTask, NewVideo, TaskChanges, refuse, web_url
from domain.values import FailedResourceType, FailureStatus, FailureType, ResourceType, TaskStatus, VideoStatus
from web.envelope import instant

Data = TypeVar("Data")
Item = TypeVar("Item")

TaskId = Annotated[UUID, Path(description="Of the task. 任务ID")]
FailureId = Annotated[UUID, Path(description="Of the failure. 失败记录ID")]
VideoId = Annotated[UUID, Path(description="The `video_id` of its task. 视频ID")]

# NUL fits no text column of PostgreSQL; a lone surrogate is no Unicode text, which a pattern finds out.
Text = Annotated[str, Field(pattern=r"^[^\x00]*$")]
OptionalText = Annotated[Text | None, AfterValidator(lambda given: given or None)]

Url = Annotated[Text, Field(json_schema_extra={"minLength": 1, "maxLength": MAX_URL})]
OptionalUrl = Annotated[OptionalText, Field(json_schema_extra={"maxLength": MAX_URL})]
Title = Annotated[OptionalText, Field(json_schema_extra={"maxLength": 255})]
Word = Annotated[OptionalText, Field(json_schema_extra={"maxLength": 50})]

Instant = Annotated[
    datetime,
    PlainSerializer(instant, return_type=str),
    WithJsonSchema({"type": "string", "format": "date-time", "examples": ["2025-06-14T10:00:00.000000Z"]}),
]
Seconds = Annotated[float, PlainSerializer(lambda seconds: round(seconds, 3), return_type=float)]


# --- bodies -------------------------------------------------------------------------------------------------


class NewTaskBody(BaseModel):
    """See domain.inputs.NewTask."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "resource_url": "https://media.example/live/index.m3u8",
                    "resource_type": "hls",
                    "liveroom_id": "room-10001",
                    "liveroom_title": "直播间",
                    "liveroom_url": "https://live.example/room-10001",
                }
            ]
        }
    )

    resource_url: Url
    resource_type: ResourceType
    liveroom_id: Annotated[Text, Field(json_schema_extra={"minLength": 5, "maxLength": 20})]
    liveroom_title: Title = None
    liveroom_url: OptionalUrl = None
    video_id: Any = Field(None, description="Accepted and ignored: the server makes its own.")

    def to_domain(self) -> NewTask:
        """Raises InvalidInputError for what is no web URL; whether it may be fetched is asked later."""
        refuse(web_url("resource_url", self.resource_url))
        return NewTask(**self.model_dump(exclude={"video_id"}))


class TaskChangesBody(BaseModel):
    """See domain.inputs.TaskChanges. Null counts as absent."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"priority": 80, "max_retries": 5}]})

    status: TaskStatus | None = Field(None, description="Only legal moves.")
    max_retries: int | None = Field(None, json_schema_extra={"minimum": 1, "maximum": 10})
    priority: int | None = Field(None, description="100 first.", json_schema_extra={"minimum": 0, "maximum": 100})

    def to_domain(self) -> TaskChanges:
        return TaskChanges(**self.model_dump(exclude_none=True))


class NewFailureBody(BaseModel):
    """See domain.inputs.NewFailure."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "resource_url": "https://media.example/live/0.ts",
                    "expected_path": "video_0b2f7c9e-4f0d-4a53-9a52-3d1f0c3c5a77/hls/ts/segment_000000.ts",
                    "resource_type": "ts",
                    "failure_type": "network_error",
                    "error_message": "HTTP 404",
                }
            ]
        }
    )

    task_id: UUID | None = Field(None, description="If given, the path's.")
    resource_url: Url
    expected_path: Text = Field(description="Under the task's own folder; it reaches no file.")
    resource_type: FailedResourceType
    failure_type: FailureType
    error_message: Annotated[Text, Field(json_schema_extra={"minLength": 1, "maxLength": MAX_MESSAGE})]
    standard_name: Title = None
    retry_count: int | None = Field(None, json_schema_extra={"minimum": 0, "maximum": 3})

    def to_domain(self) -> NewFailure:
        return NewFailure(**self.model_dump(exclude_none=True))


class NewVideoBody(BaseModel):
    """See domain.inputs.NewVideo."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "video_id": "0b2f7c9e-4f0d-4a53-9a52-3d1f0c3c5a77",
                    "liveroom_id": "room-10001",
                    "video_type": "hls",
                    "video_url": "https://media.example/live/index.m3u8",
                    "storage_path": "video_0b2f7c9e-4f0d-4a53-9a52-3d1f0c3c5a77/hls",
                    "status": "completed",
                }
            ]
        }
    )

    video_id: UUID = Field(description="The task's.")
    liveroom_id: Text = Field(description="The task's.")
    liveroom_title: Title = None
    liveroom_url: OptionalUrl = None
    video_type: ResourceType
    video_url: Url
    storage_path: Text = Field(description="Under the task's own folder; it reaches no file.")
    status: VideoStatus
    file_size: int | None = Field(None, description="Bytes.", json_schema_extra={"minimum": 0, "maximum": 2**63 - 1})
    duration: float | None = Field(None, description="Seconds.", json_schema_extra={"minimum": 0, "maximum": 10**9})
    resolution: Word = None
    format: Word = None

    def to_domain(self) -> NewVideo:
        return NewVideo(**self.model_dump())


# --- objects ------------------------------------------------------------------------------------------------


class Shown(BaseModel):
    """A row as clients read it."""

    model_config = ConfigDict(from_attributes=True)

    @classmethod
    def of(cls, row: object) -> Self:
        """The attributes of ``row`` that are published."""
        return cls.model_validate(row)


class Task(Shown):
    """See domain.models.DownloadTask."""

    id: UUID
    user_id: UUID
    video_id: UUID
    liveroom_id: str
    liveroom_title: str | None
    liveroom_url: str | None
    resource_url: str
    resource_type: ResourceType
    status: TaskStatus
    progress: float = Field(json_schema_extra={"minimum": 0, "maximum": 1})
    retry_count: int
    max_retries: int
    priority: int
    last_error: str | None
    created_at: Instant
    updated_at: Instant
    completed_at: Instant | None


class Failure(Shown):
    """See domain.models.DownloadFailure."""

    id: UUID
    failure_id: UUID = Field(validation_alias="id")
    task_id: UUID
    resource_url: str
    expected_path: str
    standard_name: str | None
    resource_type: FailedResourceType
    failure_type: FailureType
    error_message: str
    status: FailureStatus
    retry_count: int
    next_retry_time: Instant | None
    created_at: Instant
    updated_at: Instant


class Video(Shown):
    """See domain.models.DownloadedVideo."""

    id: UUID
    video_id: UUID
    task_id: UUID
    liveroom_id: str
    liveroom_title: str | None
    liveroom_url: str | None
    video_type: ResourceType
    resource_type: ResourceType = Field(validation_alias="video_type")
    video_url: str
    resource_url: str = Field(validation_alias="video_url")
    storage_path: str
    file_size: int | None
    duration: Seconds | None
    resolution: str | None
    format: str | None
    cover_url: str | None = None
    cover_path: str | None
    status: VideoStatus
    download_start_time: Instant | None
    download_end_time: Instant | None
    created_at: Instant
    updated_at: Instant


class Page(BaseModel, Generic[Item]):
    """One page of rows, and how many there are."""

    total: int
    page: int
    size: int
    pages: int
    items: list[Item]


# --- envelopes, as OpenAPI shows them -------------------------------------------------------------------------


class Envelope(BaseModel, Generic[Data]):
    """See web.envelope."""

    code: int
    message: str
    data: Data
    timestamp: str = Field(json_schema_extra={"format": "date-time"}, examples=["2025-06-14T10:00:00Z"])


class Refusal(Envelope[Mapping[str, Any] | None]):
    """An error."""


class NotSignedIn(Envelope[Mapping[str, Any]]):
    """``detail`` repeats ``data.error``."""

    detail: str


class BrokenRule(BaseModel):
    """One entry of FastAPI's ``detail``."""

    type: str
    loc: list[str | int]
    msg: str


class Malformed(Refusal):
    """``detail`` names every rule that is broken."""

    detail: list[BrokenRule]
