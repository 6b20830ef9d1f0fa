"""The subscriptions: follow, and show what comes."""

from __future__ import annotations

from collections.abc import AsyncGenerator

import strawberry
from strawberry.types.field import StrawberryField

from domain import models
from graph.context import Info, Operation
from graph.inputs import TaskId, parse_id
from graph.types import DownloadTask

Tasks = AsyncGenerator[models.DownloadTask, None]


def _subscription(description: str) -> StrawberryField:
    made: StrawberryField = strawberry.subscription(description=description, graphql_type=DownloadTask)
    return made


@strawberry.type(
    description="What can be followed. Everything is the viewer's own: other users' rows do not exist here. At most "
    "four states of a task come in a second, always the latest ones."
)
class Subscription:
    """Resolvers give streams that begin when they are read: resolvers run in a thread, streams on the event loop."""

    @_subscription(
        "The task now, then at every change; ends at COMPLETED, PARTIAL_COMPLETED, FAILED, CANCELLED, or when it is "
        "deleted. NOT_FOUND when there is none with this id."
    )
    def task_changed(self, info: Info, task_id: TaskId) -> Tasks:
        return _until_at_rest(info.context, task_id)

    @_subscription("Every change of any of your tasks; at once, the newest 100 of those that are PROCESSING.")
    def tasks_changed(self, info: Info) -> Tasks:
        return _all(info.context)


async def _until_at_rest(operation: Operation, task_id: str) -> Tasks:
    with operation.changes.follow(operation.user_id, parse_id(task_id), operation.until) as follower:
        async for task in follower:
            yield task
            if task.at_rest:
                return


async def _all(operation: Operation) -> Tasks:
    with operation.changes.follow(operation.user_id, until=operation.until) as follower:
        async for task in follower:
            yield task
