"""The same JSON from an endpoint as FastAPI's documentation has it: a dependency, the ORM, response models."""

from __future__ import annotations

import sys
from collections import defaultdict
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

import uvicorn
from fastapi import Depends, FastAPI, Header
from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel
from sqlalchemy.orm import Session

from bench.graphql.rows import newest_failures, newest_tasks, user_of, videos_of
from domain.values import FailedResourceType, FailureStatus, FailureType, ResourceType, TaskStatus, VideoStatus
from persistence.engine import open_engine

PORT, DATABASE_URL, SECRET = sys.argv[1:]
engine = open_engine(DATABASE_URL, pool_size=40)


class Shown(BaseModel):
    """Names as in JSON."""

    model_config = ConfigDict(from_attributes=True, alias_generator=to_camel, populate_by_name=True)


class Failure(Shown):
    """Its columns."""

    id: UUID
    resource_url: str
    resource_type: FailedResourceType
    failure_type: FailureType
    error_message: str
    segment_index: int | None
    status: FailureStatus
    retry_count: int
    created_at: datetime


class Failures(Shown):
    """A page."""

    nodes: list[Failure]


class Video(Shown):
    """Its columns."""

    id: UUID
    storage_path: str
    video_type: ResourceType
    status: VideoStatus
    file_size: int | None
    duration: float | None
    resolution: str | None
    format: str | None
    created_at: datetime


class Task(Shown):
    """Its columns, and what belongs to it."""

    id: UUID
    video_id: UUID
    liveroom_id: str
    liveroom_title: str | None
    liveroom_url: str | None
    resource_url: str
    resource_type: ResourceType
    status: TaskStatus
    paused: bool
    progress: float
    bytes_downloaded: int
    bytes_total: int | None
    bytes_per_second: float | None
    segments_downloaded: int
    segments_total: int | None
    is_live: bool
    retry_count: int
    max_retries: int
    priority: int
    last_error: str | None
    created_at: datetime
    updated_at: datetime
    started_at: datetime | None
    completed_at: datetime | None
    failures: Failures
    video: Video | None


class Tasks(Shown):
    """A page."""

    nodes: list[Task]


class Data(Shown):
    """As GraphQL wraps it."""

    tasks: Tasks


class Answer(Shown):
    """The whole of it."""

    data: Data


app = FastAPI()


async def current_user(authorization: Annotated[str, Header()]) -> UUID:
    """Whose token it is."""
    return user_of(authorization, SECRET)


@app.get("/tasks")
def tasks(user_id: Annotated[UUID, Depends(current_user)], first: int = 20) -> Answer:
    """The newest."""
    with Session(engine) as session:
        rows = session.scalars(newest_tasks(user_id, first)).all()
        ids = [row.id for row in rows]
        lost: defaultdict[UUID, list[Any]] = defaultdict(list)
        for failure in session.scalars(newest_failures(ids, 5)):
            lost[failure.task_id].append(failure)
        results = {video.task_id: video for video in session.scalars(videos_of(ids))}
        nodes = [
            Task.model_validate({**vars(row), "failures": Failures(nodes=lost[row.id]), "video": results.get(row.id)})
            for row in rows
        ]
    return Answer(data=Data(tasks=Tasks(nodes=nodes)))


if __name__ == "__main__":
    uvicorn.run(app, port=int(PORT))
