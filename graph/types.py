"""The types of the schema, resolved straight from the domain's entities, which have the same attributes."""

from __future__ import annotations

from datetime import datetime

import strawberry
from strawberry import ID

from domain.values import FailedResourceType, FailureStatus, FailureType, ResourceType, TaskStatus, VideoStatus
from graph import children
from graph.connection import Connection  # noqa: F401 - named by the types below
from graph.context import Info
from graph.fields import field
from graph.scalars import BigInt


@strawberry.type(description="One download that a user asked for.")
class DownloadTask:
    """domain.models.DownloadTask."""

    id: ID = strawberry.field(description="Names the task.")
    video_id: ID = strawberry.field(description="Names the video that it becomes, and its folder in the storage.")
    liveroom_id: str = strawberry.field(description="The live room it belongs to.")
    liveroom_title: str | None = strawberry.field(description="The title of the live room.")
    liveroom_url: str | None = strawberry.field(description="A link to the live room.")
    resource_url: str = strawberry.field(description="What it downloads.")
    resource_type: ResourceType = strawberry.field(description="What kind of media that is.")
    status: TaskStatus = strawberry.field(description="Where it stands.")
    paused: bool = strawberry.field(
        description="True from pauseTask until resumeTask or startTask; the status is PENDING meanwhile."
    )
    progress: float = strawberry.field(description="0 to 1; never falls while the task runs.")
    bytes_downloaded: BigInt = strawberry.field(description="Bytes that have arrived.")
    bytes_total: BigInt | None = strawberry.field(description="Bytes in all; null while unknown.")
    bytes_per_second: float | None = strawberry.field(description="The present speed; null unless it runs.")
    eta_seconds: float | None = strawberry.field(
        description="Seconds until the end at the present speed; null unless it runs and the total is known."
    )
    segments_downloaded: int = strawberry.field(description="Segments that are stored.")
    segments_total: int | None = strawberry.field(
        description="Segments in all; null while unknown, and for whole files."
    )
    is_live: bool = strawberry.field(description="True while a playlist without an end is being recorded.")
    playback_url = strawberry.field(
        resolver=children.playback_of_task,
        graphql_type=str | None,
        description="A signed, expiring URL that plays what is stored, also while the task runs; null before the first "
        "piece.",
    )
    retry_count: int = strawberry.field(description="How often retryTask was called.")
    max_retries: int = strawberry.field(description="How often it may be called.")
    priority: int = strawberry.field(description="0 (last) to 100 (first) among the tasks of its user.")
    last_error: str | None = strawberry.field(description="What went wrong last, for people.")
    created_at: datetime = strawberry.field(description="When it was created.")
    updated_at: datetime = strawberry.field(description="When it last changed.")
    started_at: datetime | None = strawberry.field(description="When a worker took it up; null while it waits.")
    completed_at: datetime | None = strawberry.field(
        description="When it became COMPLETED or PARTIAL_COMPLETED; null before."
    )
    piece_map = strawberry.field(
        resolver=children.pieces_of_task,
        graphql_type="list[PieceTrack]",
        description="Where each of its pieces stands, track by track, the main one first; empty while nobody knows "
        "them.",
    )
    failures = strawberry.field(
        resolver=children.failures_of_task,
        graphql_type="Connection[DownloadFailure]",
        description="The pieces that did not arrive, the newest first.",
    )
    failures_within = strawberry.field(
        resolver=children.failures_within,
        graphql_type="Connection[DownloadFailure]",
        description="Those of a stretch of the piece map, the newest first.",
    )
    video = strawberry.field(
        resolver=children.video_of_task,
        graphql_type="DownloadedVideo | None",
        description="The finished result; null while there is none.",
    )


@strawberry.type(description="The pieces of one playlist, or a whole file, and where each of them stands.")
class PieceTrack:
    """domain.piece_map.PieceTrack."""

    name: str = strawberry.field(
        description="`ts`: the main playlist; `audio_{n}`, `subtitles_{n}`: a rendition; `mp4`, `image`: a whole file."
    )
    total: int = strawberry.field(description="How many pieces it has, so far.")
    duration: float | None = strawberry.field(
        description="What they play together, in seconds, as the playlist says; null for a whole file."
    )
    runs: str = strawberry.field(
        description="The state of each piece, in order, run-length coded: a letter and how many pieces in a row have "
        "it, as in `s90f10`. `s` is stored, `i` in flight, `w` waiting, `f` failed, `a` abandoned, `g` a gap of the "
        "stream itself. Positions are the segmentIndex of failures of this track."
    )


@strawberry.type(description="One piece that did not arrive: a segment, a playlist, a key or a whole file.")
class DownloadFailure:
    """domain.models.DownloadFailure."""

    id: ID = strawberry.field(description="Names the failure.")
    task = strawberry.field(
        resolver=children.task_of_failure, graphql_type="DownloadTask", description="The task it belongs to."
    )
    task_id: ID = strawberry.field(description="The id of that task.")
    resource_url: str = strawberry.field(description="The URL of the piece.")
    resource_type: FailedResourceType = strawberry.field(description="What kind of piece it is.")
    failure_type: FailureType = strawberry.field(description="Why it did not arrive.")
    error_message: str = strawberry.field(description="What went wrong, beginning with the cause, for people.")
    expected_path: str = strawberry.field(description="Where the piece goes, relative to the storage root.")
    standard_name: str | None = strawberry.field(description="Its file name there.")
    segment_index: int | None = strawberry.field(
        description="Its position in its playlist, from 0; null for a whole file."
    )
    track = strawberry.field(
        resolver=children.track_of_failure,
        graphql_type=str | None,
        description="The track of the piece map that it is in; null for a playlist, and for a piece that is not known.",
    )
    status: FailureStatus = strawberry.field(description="Where it stands.")
    retry_count: int = strawberry.field(description="How often retryFailure was called: 3 at most.")
    next_retry_time: datetime | None = strawberry.field(
        description="When it is tried again by itself; null when it waits for its user."
    )
    created_at: datetime = strawberry.field(description="When it was recorded.")
    updated_at: datetime = strawberry.field(description="When it last changed.")


@strawberry.type(description="The finished result of a task: a video, or an image.")
class DownloadedVideo:
    """domain.models.DownloadedVideo."""

    id: ID = strawberry.field(description="Names this row.")
    video_id: ID = strawberry.field(description="The video id of its task.")
    task = strawberry.field(
        resolver=children.task_of_video, graphql_type="DownloadTask", description="The task it belongs to."
    )
    task_id: ID = strawberry.field(description="The id of that task.")
    liveroom_id: str = strawberry.field(description="The live room it belongs to.")
    liveroom_title: str | None = strawberry.field(description="The title of the live room.")
    liveroom_url: str | None = strawberry.field(description="A link to the live room.")
    video_type: ResourceType = strawberry.field(description="What kind of media it is.")
    video_url: str = strawberry.field(description="Where it came from.")
    storage_path: str = strawberry.field(
        description="Where it lies, relative to the storage root: a file, or the folder of an HLS stream."
    )
    file_size: BigInt | None = strawberry.field(description="Its size in bytes.")
    duration: float | None = strawberry.field(description="Its length in seconds; null for an image.")
    resolution: str | None = strawberry.field(description='Its width and height, as in "1280x720".')
    format: str | None = strawberry.field(description="Its container or image format.")
    status: VideoStatus = strawberry.field(description="How whole it is.")
    playback_url = strawberry.field(
        resolver=children.playback_of_video,
        graphql_type=str | None,
        description="A signed, expiring URL that plays in a `<video>` element or hls.js without a header.",
    )
    cover_url = strawberry.field(
        resolver=children.cover_of_video,
        graphql_type=str | None,
        description="A signed, expiring URL of a still picture.",
    )
    download_start_time: datetime | None = strawberry.field(description="When its download began.")
    download_end_time: datetime | None = strawberry.field(description="When its download ended.")
    created_at: datetime = strawberry.field(description="When it was recorded.")
    updated_at: datetime = strawberry.field(description="When it last changed.")


@strawberry.type(description="How many tasks are in one state.")
class TaskCount:
    """One entry a status."""

    status: TaskStatus = strawberry.field(description="The state.")
    count: int = strawberry.field(description="The number of tasks in it.")


@strawberry.type(description="The user whose token this is.")
class Viewer:
    """Every field is read only when it is selected."""

    @field("The user id in the token.")
    def user_id(self, info: Info) -> ID:
        return ID(str(info.context.user_id))

    @field("How many tasks are in each state, all six of them.")
    def task_counts(self, info: Info) -> list[TaskCount]:
        counts = info.context.services.tasks.count_by_status(info.context.user_id)
        return [TaskCount(status=status, count=count) for status, count in counts.items()]

    @field("Started tasks that have no slot yet.")
    def waiting(self, info: Info) -> int:
        return info.context.services.tasks.count_waiting(info.context.user_id)

    @field("Bytes stored for all tasks together.")
    def bytes_stored(self, info: Info) -> BigInt:
        return BigInt(info.context.services.tasks.bytes_stored(info.context.user_id))
