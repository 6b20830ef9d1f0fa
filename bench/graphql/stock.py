"""Strawberry's own async router, as its documentation has it: types, async resolvers, an AsyncSession, DataLoaders."""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any
from uuid import UUID

import strawberry
import uvicorn
from fastapi import Depends, FastAPI, Header
from sqlalchemy import make_url
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from strawberry.dataloader import DataLoader
from strawberry.fastapi import GraphQLRouter
from strawberry.schema.config import StrawberryConfig

from bench.graphql.rows import newest_failures, newest_tasks, user_of, videos_of
from domain import models
from domain.values import FailedResourceType, FailureStatus, FailureType, ResourceType, TaskStatus, VideoStatus
from graph.scalars import SCALARS, BigInt
from persistence.mapping import start_mappers

PORT, DATABASE_URL, SECRET = sys.argv[1:]
for _enum in (FailedResourceType, FailureStatus, FailureType, ResourceType, TaskStatus, VideoStatus):
    strawberry.enum(_enum)

start_mappers()
engine = create_async_engine(make_url(DATABASE_URL).set(drivername="postgresql+psycopg"), pool_size=16, max_overflow=0)
open_session = async_sessionmaker(engine)


@strawberry.type
class Failure:
    """Its columns."""

    id: strawberry.ID
    resource_url: str
    resource_type: FailedResourceType
    failure_type: FailureType
    error_message: str
    segment_index: int | None
    status: FailureStatus
    retry_count: int
    created_at: datetime


@strawberry.type
class Failures:
    """A page."""

    nodes: list[Failure]


@strawberry.type
class Video:
    """Its columns."""

    id: strawberry.ID
    storage_path: str
    video_type: ResourceType
    status: VideoStatus
    file_size: BigInt | None
    duration: float | None
    resolution: str | None
    format: str | None
    created_at: datetime


Info = strawberry.Info[dict[str, Any], None]


async def failures_of(parent: strawberry.Parent[models.DownloadTask], info: Info, first: int) -> Failures:
    """Batched."""
    found = await info.context["failures"].load((parent.id, first))
    return Failures(nodes=found)


async def video_of(parent: strawberry.Parent[models.DownloadTask], info: Info) -> Video | None:
    """Batched."""
    found: Video | None = await info.context["videos"].load(parent.id)
    return found


@strawberry.type
class Task:
    """Its columns, and what belongs to it."""

    id: strawberry.ID
    video_id: strawberry.ID
    liveroom_id: str
    liveroom_title: str | None
    liveroom_url: str | None
    resource_url: str
    resource_type: ResourceType
    status: TaskStatus
    paused: bool
    progress: float
    bytes_downloaded: BigInt
    bytes_total: BigInt | None
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
    failures: Failures = strawberry.field(resolver=failures_of)
    video: Video | None = strawberry.field(resolver=video_of)


@strawberry.type
class Tasks:
    """A page."""

    nodes: list[Task]


@strawberry.type
class Query:
    """The one field."""

    @strawberry.field
    async def tasks(self, info: Info, first: int) -> Tasks:
        """The newest."""
        rows = await info.context["session"].scalars(newest_tasks(info.context["user_id"], first))
        return Tasks(nodes=rows.all())


async def context(authorization: str = Header()) -> AsyncIterator[dict[str, Any]]:
    """One Session a request."""
    user_id = user_of(authorization, SECRET)
    async with open_session() as session:
        yield {
            "user_id": user_id,
            "session": session,
            "failures": DataLoader(lambda keys: load_failures(session, keys)),
            "videos": DataLoader(lambda keys: load_videos(session, keys)),
        }


async def load_failures(session: AsyncSession, keys: list[tuple[UUID, int]]) -> list[list[Any]]:
    """In the order of the keys."""
    found = defaultdict(list)
    for row in await session.scalars(newest_failures([task_id for task_id, _ in keys], keys[0][1])):
        found[row.task_id].append(row)
    return [found[task_id] for task_id, _ in keys]


async def load_videos(session: AsyncSession, keys: list[UUID]) -> list[Any]:
    """In the order of the keys."""
    found = {row.task_id: row for row in await session.scalars(videos_of(keys))}
    return [found.get(task_id) for task_id in keys]


app = FastAPI()
schema = strawberry.Schema(Query, config=StrawberryConfig(scalar_map=SCALARS))
app.include_router(GraphQLRouter(schema, context_getter=Depends(context).dependency), prefix="/graphql")

if __name__ == "__main__":
    uvicorn.run(app, port=int(PORT))
