"""The documented paths of tasks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated
from uuid import UUID

from anyio import current_time, sleep, to_thread
from fastapi import Query
from starlette.responses import Response

from domain.errors import IllegalMoveError
from domain.models import DownloadTask
from domain.task_service import TaskService
from domain.values import TaskStatus
from web.envelope import create_response
from web.rest_models import NewTaskBody, Task, TaskChangesBody, TaskId
from web.rest_query import SORTED_TASKS, TaskQuery
from web.rest_route import Caller, SignedIn

MAX_WAIT = 25  # seconds
POLL = 0.25  # seconds; a look takes about a millisecond

Wait = Annotated[
    float,
    Query(ge=0, le=MAX_WAIT, allow_inf_nan=False, description="Seconds to wait until the task is at rest. 等待秒数"),
]


def create_task(caller: Caller, body: NewTaskBody) -> Response:
    """Create a task · 创建下载任务.

    It is `pending`: start it to download.
    """
    with caller.services() as services:
        task = services.tasks.create_download_task(caller.user_id, body.to_domain())
    return create_response(201, "创建下载任务成功", Task.of(task))


def list_tasks(caller: Caller, query: Annotated[TaskQuery, Query()]) -> Response:
    """List tasks · 获取下载任务列表.

    The user's own, the newest first unless `sort` says otherwise.
    """
    order, where = query.order(SORTED_TASKS), query.where
    with caller.services() as services:
        total = services.tasks.count_download_tasks(caller.user_id, where)
        page = services.tasks.list_download_tasks(caller.user_id, where, order, query.request)
    return create_response(200, "获取下载任务列表成功", query.show(map(Task.of, page.items), total))


def get_task(caller: Caller, task_id: TaskId) -> Response:
    """Get a task · 获取下载任务详情."""
    return create_response(200, "获取下载任务详情成功", Task.of(_look(caller, task_id)))


def update_task(caller: Caller, task_id: TaskId, body: TaskChangesBody) -> Response:
    """Change a task · 更新下载任务.

    What is given is stored and takes effect, on a waiting task too.
    """
    with caller.services() as services:
        task = services.tasks.update_download_task(caller.user_id, task_id, body.to_domain())
    return create_response(200, "更新下载任务成功", Task.of(task))


def delete_task(caller: Caller, task_id: TaskId) -> Response:
    """Delete a task · 删除下载任务.

    In any state but `completed`. A running download stops; failures, video and files go too.
    """
    with caller.services() as services:
        services.tasks.delete_download_task(caller.user_id, task_id)
    return create_response(200, "删除下载任务成功")


async def start_task(caller: Caller, task_id: TaskId, wait: Wait = 0) -> Response:
    """Start a task · 开始下载任务.

    The download runs in the background. A task that cannot be started is answered as it is.
    """
    task = await to_thread.run_sync(_moved, TaskService.start_download_task, caller, task_id)
    deadline = current_time() + wait
    while task.status is TaskStatus.PROCESSING and current_time() < deadline:
        await sleep(min(POLL, deadline - current_time()))
        task = await to_thread.run_sync(_look, caller, task_id)
    return create_response(200, "下载任务成功", Task.of(task))


def retry_task(caller: Caller, task_id: TaskId) -> Response:
    """Retry a task · 重试下载任务.

    What is missing is fetched once more. A task that has not failed is answered as it is.
    """
    task = _moved(TaskService.retry_download_task, caller, task_id)
    return create_response(200, "重试下载任务成功", Task.of(task))


def _moved(move: Callable[[TaskService, UUID, UUID], DownloadTask], caller: SignedIn, task_id: UUID) -> DownloadTask:
    with caller.services() as services:
        try:
            return move(services.tasks, caller.user_id, task_id)
        except IllegalMoveError:
            return services.tasks.get_download_task(caller.user_id, task_id)


def _look(caller: SignedIn, task_id: UUID) -> DownloadTask:
    with caller.services() as services:
        return services.tasks.get_download_task(caller.user_id, task_id)
