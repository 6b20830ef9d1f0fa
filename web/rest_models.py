"""What REST reads and shows: the documented bodies and objects, in their documented order.

Bodies are read here and judged by the domain: bounds in the schema tell clients what the domain will say.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from itertools import chain
from typing import Annotated, Any, Generic, Self, TypeVar
from uuid import UUID

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, PlainSerializer, WithJsonSchema
from pydantic.config import JsonDict

from domain.inputs import MAX_MESSAGE, MAX_URL, NewFailure, NewTask, NewVideo, TaskChanges, refuse, text, web_url
from domain.values import FailedResourceType, FailureStatus, FailureType, ResourceType, TaskStatus, VideoStatus
from web.envelope import instant

Data = TypeVar("Data")

# NUL fits no text column of PostgreSQL; a lone surrogate is no Unicode text (RFC 8259, 8.2), which a pattern rules out.
Text = Annotated[str, Field(pattern=r"^[^\x00]*$")]
OptionalText = Annotated[Text | None, AfterValidator(lambda value: value or None)]
Instant = Annotated[
    datetime,
    PlainSerializer(instant, return_type=str),
    WithJsonSchema({"type": "string", "format": "date-time", "examples": ["2025-06-14T10:00:00.000000Z"]}),
]


def _bounds(**schema: int) -> Any:  # noqa: ANN401 - pydantic's own Field is Any, so that it may stand for a default
    return Field(json_schema_extra={**schema})


Url = Annotated[Text, _bounds(minLength=1, maxLength=MAX_URL), Field(examples=["https://media.example/live.m3u8"])]
OptionalUrl = Annotated[OptionalText, _bounds(maxLength=MAX_URL)]
Title = Annotated[OptionalText, _bounds(maxLength=255)]


# --- bodies -------------------------------------------------------------------------------------------------


def _example(**values: object) -> ConfigDict:
    examples: JsonDict = {"examples": [{**values}]}  # type: ignore[dict-item, list-item]  # values are JSON
    return ConfigDict(json_schema_extra=examples)


class NewTaskBody(BaseModel):
    """See domain.inputs.NewTask."""

    model_config = _example(
        resource_url="https://media.example/live/index.m3u8",
        resource_type="hls",
        liveroom_id="room-10001",
        liveroom_title="直播间",
        liveroom_url="https://live.example/room-10001",
    )

    resource_url: Url
    resource_type: ResourceType
    liveroom_id: Annotated[Text, _bounds(minLength=5, maxLength=20)]
    liveroom_title: Title = None
    liveroom_url: OptionalUrl = None
    video_id: Any = Field(None, deprecated=True, description="Accepted and ignored: the server makes its own.")

    def to_domain(self) -> NewTask:
        """Raises InvalidInputError for what is no web URL; whether it may be fetched is asked later."""
        url = self.resource_url
        refuse(chain(text("resource_url", url, 1, MAX_URL), web_url("resource_url", url)))
        return NewTask(**self.model_dump(exclude={"video_id"}))


class TaskChangesBody(BaseModel):
    """See domain.inputs.TaskChanges. Null counts as absent."""

    model_config = _example(priority=80, max_retries=5)

    status: TaskStatus | None = None
    max_retries: int | None = _or_null = Field(None, json_schema_extra={"minimum": 1, "maximum": 10})
    priority: int | None = Field(None, json_schema_extra={"minimum": 0, "maximum": 100})

    def to_domain(self) -> TaskChanges:
        return TaskChanges(**self.model_dump(exclude_none=True))
