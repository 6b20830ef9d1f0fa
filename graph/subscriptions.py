"""The subscriptions: follow, and show what comes."""

from __future__ import annotations

from collections.abc import AsyncGenerator

import strawberry

from domain import models
from graph.context import Info
from graph.inputs import TaskId, parse_id
from graph.types import DownloadTask


async def _task_changed(info: Info, task_id: TaskId) -> AsyncGenerator[models.DownloadTask, None]:
    operation = info.context
    with operation.changes.follow(operation.user_id, parse_id(task_id), operation.until) as follower:
        async for task in follower:
            yield task
            if task.at_rest:
                return


async def _tasks_changed(info: Info) -> AsyncGenerator[models.DownloadTask, None]:
    operation = info.context
    with operation.changes.follow(operation.user_id, until=operation.until) as follower:
        async for task in follower:
            yield task


@strawberry.type(
    description="What can be followed. Everything is the viewer's own: other users' rows do not exist here. Of each task "
    "at most four states a second come, the latest ones."
)
class Subscription:
    """Each event is executed like a query whose root is the task."""

    task_changed = strawberry.subscription(
        resolver=_task_changed,
        graphql_type=DownloadTask,
        description="The task now, then at every change; ends at COMPLETED, PARTIAL_COMPLETED, FAILED, CANCELLED, or "
        "when it is deleted. NOT_FOUND when there is none with this id.",
    )
    tasks_changed = strawberry.subscription(
        resolver=_tasks_changed,
        graphql_type=DownloadTask,
        description="Every change of any of your tasks. Those that are PROCESSING come at once, the newest 100 of them.",
    )
