"""The subscriptions: follow, and show what comes."""

from __future__ import annotations

from collections.abc import AsyncGenerator

import strawberry
from strawberry.types.field import StrawberryField

from domain import models
from graph.context import Info
from graph.inputs import TaskId, parse_id
from graph.types import DownloadTask


def _subscription(description: str) -> StrawberryField:
    made: StrawberryField = strawberry.subscription(description=description, graphql_type=DownloadTask)
    return made


@strawberry.type(
    description="What can be followed. Everything is the viewer's own: other users' rows do not exist here. At most "
    "four states of a task come in a second, always the latest ones."
)
class Subscription:
    """Each event is executed like a query whose root is the task."""

    @_subscription(
        "The task now, then at every change; ends at COMPLETED, PARTIAL_COMPLETED, FAILED, CANCELLED, or when it is "
        "deleted. NOT_FOUND when there is none with this id."
    )
    async def task_changed(self, info: Info, task_id: TaskId) -> AsyncGenerator[models.DownloadTask, None]:
        operation = info.context
        with operation.changes.follow(operation.user_id, parse_id(task_id), operation.until) as follower:
            async for task in follower:
                yield task
                if task.at_rest:
                    return

    @_subscription("Every change of any of your tasks; at once, the newest 100 of those that are PROCESSING.")
    async def tasks_changed(self, info: Info) -> AsyncGenerator[models.DownloadTask, None]:
        operation = info.context
        with operation.changes.follow(operation.user_id, until=operation.until) as follower:
            async for task in follower:
                yield task
