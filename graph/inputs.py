"""What callers write, and how it becomes what the domain takes.

A field that may be absent has UNSET for its default, so that the schema shows none; only the changes to a task tell
an absent field from a null one.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, TypeAlias, TypeVar
from uuid import UUID

import strawberry
from strawberry import UNSET

from domain import queries
from domain.errors import BadArgumentError, InvalidInputError
from domain.inputs import NewFailure, NewTask, NewVideo, TaskChanges
from domain.ports import Headers
from domain.values import FailedResourceType, FailureType, ResourceType, VideoStatus
from graph.scalars import BigInt

Value = TypeVar("Value")

TaskId: TypeAlias = Annotated[strawberry.ID, strawberry.argument(name="id", description="The id of the task.")]
OwnerTaskId: TypeAlias = Annotated[
    strawberry.ID, strawberry.argument(name="taskId", description="The id of the task it belongs to.")
]
FailureId: TypeAlias = Annotated[strawberry.ID, strawberry.argument(name="id", description="The id of the failure.")]

_TRACK = re.compile(r"[a-z0-9]+(_[0-9]+)?", re.ASCII)
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)


def parse_id(value: str) -> UUID:
    """Raises BadArgumentError: an id that we could never have given is no id."""
    if not _UUID.fullmatch(value):
        raise BadArgumentError("An id is a UUID, as in 0b2f7c9e-4f0d-4a53-9a52-3d1f0c3c5a77.")
    return UUID(value)


def given(**values: object) -> dict[str, Any]:
    """Those that are given and not null; for the others the domain's own defaults hold."""
    return {name: value for name, value in values.items() if value is not UNSET and value is not None}


@strawberry.input(description="A header to send with every request for a task.")
class RequestHeaderInput:
    """Never shown again."""

    name: str = strawberry.field(
        description="Up to 64 characters. Host, Range, Accept-Encoding, Content-* and hop-by-hop names are refused."
    )
    value: str = strawberry.field(description="Up to 4 KiB; all headers together up to 8 KiB.")


def _headers(headers: list[RequestHeaderInput] | None) -> Headers:
    return tuple((header.name, header.value) for header in headers or ())


@strawberry.input(description="A download to create.")
class CreateTaskInput:
    """See domain.inputs.NewTask."""

    resource_url: str = strawberry.field(
        description="A public http or https URL of at most 2,000 characters, without user name and password."
    )
    resource_type: ResourceType = strawberry.field(description="What the URL leads to.")
    liveroom_id: str = strawberry.field(description="The live room it belongs to: 5 to 20 characters.")
    liveroom_title: str | None = strawberry.field(
        default=UNSET, description="Its title, for people: at most 255 characters."
    )
    liveroom_url: str | None = strawberry.field(default=UNSET, description="A link to the live room; never fetched.")
    priority: int | None = strawberry.field(default=50, description="0 (last) to 100 (first) among your own tasks.")
    max_retries: int | None = strawberry.field(default=3, description="How often retryTask may be called: 1 to 10.")
    auto_start: bool | None = strawberry.field(default=False, description="Start it in the same call.")
    request_headers: list[RequestHeaderInput] | None = strawberry.field(
        default=UNSET,
        description="Sent with every request for this task, as Referer, User-Agent or Cookie: at most 20. Write-only, "
        "kept encrypted, dropped when the task is at rest for good.",
    )
    max_height: int | None = strawberry.field(
        default=UNSET,
        description="HLS: take the best variant not taller than this many lines; null takes the best of all.",
    )
    idempotency_key: str | None = strawberry.field(
        default=UNSET,
        description="The same key from the same user returns the first call's task; with other input it is a CONFLICT. "
        "Kept for 7 days.",
    )

    def to_domain(self) -> NewTask:
        """A null counts as absent."""
        return NewTask(
            resource_url=self.resource_url,
            resource_type=self.resource_type,
            liveroom_id=self.liveroom_id,
            request_headers=_headers(self.request_headers),
            **given(
                liveroom_title=self.liveroom_title,
                liveroom_url=self.liveroom_url,
                priority=self.priority,
                max_retries=self.max_retries,
                auto_start=self.auto_start,
                max_height=self.max_height,
                idempotency_key=self.idempotency_key,
            ),
        )


@strawberry.input(
    description="Changes to a task. Absent fields stay as they are. A new resourceUrl or new headers replace expired "
    "ones: pieces already stored are kept, and retry counts start again."
)
class UpdateTaskInput:
    """See domain.inputs.TaskChanges."""

    resource_url: str | None = strawberry.field(default=UNSET, description="Another URL of the same media.")
    liveroom_title: str | None = strawberry.field(
        default=UNSET, description="Another title, at most 255 characters; null removes it."
    )
    liveroom_url: str | None = strawberry.field(
        default=UNSET, description="Another link to the live room; null removes it."
    )
    priority: int | None = strawberry.field(default=UNSET, description="0 (last) to 100 (first).")
    max_retries: int | None = strawberry.field(default=UNSET, description="How often retryTask may be called: 1 to 10.")
    request_headers: list[RequestHeaderInput] | None = strawberry.field(
        default=UNSET, description="All headers anew, at most 20; null or an empty list removes them."
    )

    def to_domain(self) -> TaskChanges:
        """Raises InvalidInputError for a null where there must be a value."""
        changes: dict[str, Any] = {
            "resource_url": _not_null("resource_url", self.resource_url),
            "liveroom_title": self.liveroom_title,
            "liveroom_url": self.liveroom_url,
            "priority": _not_null("priority", self.priority),
            "max_retries": _not_null("max_retries", self.max_retries),
            "request_headers": UNSET if self.request_headers is UNSET else _headers(self.request_headers),
        }
        return TaskChanges(**{name: value for name, value in changes.items() if value is not UNSET})


def _not_null(name: str, value: Value | None) -> Value:
    if value is None:
        raise InvalidInputError("This must not be null: leave it out to keep it as it is.", field=(name,))
    return value


@strawberry.input(description="Pieces of one track of the piece map, by their positions.")
class PieceRange:
    """See domain.queries.PieceRange."""

    first: int = strawberry.field(description="The first one, from 0.")
    last: int = strawberry.field(description="The last one, which belongs to them.")
    track: str = strawberry.field(default="ts", description="The name of the track.")

    def to_domain(self) -> queries.PieceRange:
        """Raises BadArgumentError."""
        if not _TRACK.fullmatch(self.track):
            raise BadArgumentError("A track is named as in ts, audio_1, subtitles_1, mp4 or image.")
        return queries.PieceRange(self.track, self.first, self.last)


@strawberry.input(
    description="A loss that the caller saw. Nothing is ever read, written or deleted by the path given here: where a "
    "piece lies follows from the task alone."
)
class RecordFailureInput:
    """See domain.inputs.NewFailure."""

    resource_url: str = strawberry.field(description="The URL of the piece.")
    resource_type: FailedResourceType = strawberry.field(description="What kind of piece it is.")
    failure_type: FailureType = strawberry.field(description="Why it did not arrive.")
    error_message: str = strawberry.field(description="What went wrong, for people: at most 4,000 characters.")
    expected_path: str = strawberry.field(description="Where it should be: under the task's own folder.")
    standard_name: str | None = strawberry.field(default=UNSET, description="Its file name: at most 255 characters.")
    segment_index: int | None = strawberry.field(
        default=UNSET, description="Its position in the playlist, from 0; null for a whole file."
    )

    def to_domain(self) -> NewFailure:
        """A null counts as absent."""
        return NewFailure(
            resource_url=self.resource_url,
            resource_type=self.resource_type,
            failure_type=self.failure_type,
            error_message=self.error_message,
            expected_path=self.expected_path,
            **given(standard_name=self.standard_name, segment_index=self.segment_index),
        )


@strawberry.input(description="A result that the caller vouches for. The path is kept as given and reaches no file.")
class RecordVideoInput:
    """See domain.inputs.NewVideo."""

    video_type: ResourceType = strawberry.field(description="What kind of media it is.")
    video_url: str = strawberry.field(description="Where it came from: an http or https URL.")
    storage_path: str = strawberry.field(description="Where it lies: under the task's own folder.")
    status: VideoStatus = strawberry.field(description="How whole it is.")
    file_size: BigInt | None = strawberry.field(default=UNSET, description="In bytes.")
    duration: float | None = strawberry.field(default=UNSET, description="In seconds.")
    resolution: str | None = strawberry.field(default=UNSET, description='As in "1280x720".')
    format: str | None = strawberry.field(default=UNSET, description='As in "mp4".')

    def to_domain(self) -> NewVideo:
        """A null counts as absent."""
        return NewVideo(
            video_type=self.video_type,
            video_url=self.video_url,
            storage_path=self.storage_path,
            status=self.status,
            **given(file_size=self.file_size, duration=self.duration, resolution=self.resolution, format=self.format),
        )
