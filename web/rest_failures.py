"""The documented paths of failures."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import Query
from starlette.responses import Response

from domain.queries import FailureFilter
from web.envelope import create_response
from web.rest_models import Failure, FailureId, NewFailureBody, TaskId
from web.rest_query import SORTED_FAILURES, FailureQuery, ListQuery
from web.rest_route import Caller


def create_failure(caller: Caller, task_id: TaskId, body: NewFailureBody) -> Response:
    """Record a failure · 创建下载失败记录.

    A loss that the caller saw; nothing else of the task changes.
    """
    with caller.services() as services:
        failure = services.failures.create_download_failure(caller.user_id, task_id, body.to_domain())
    return create_response(201, "创建下载失败记录成功", Failure.of(failure))


def list_task_failures(caller: Caller, task_id: TaskId, query: Annotated[ListQuery, Query()]) -> Response:
    """List a task's failures · 获取下载失败记录列表."""
    order, where = query.order(SORTED_FAILURES), FailureFilter()
    with caller.services() as services:
        total = services.failures.count_download_failures(caller.user_id, task_id, where)
        page = services.failures.list_download_failures(caller.user_id, task_id, where, order, query.request)
    return create_response(200, "获取下载失败记录列表成功", query.show(map(Failure.of, page.items), total))


def list_failures(caller: Caller, query: Annotated[FailureQuery, Query()]) -> Response:
    """List failures · 获取全局失败记录列表.

    Of all the user's tasks.
    """
    order, where = query.order(SORTED_FAILURES), query.where
    with caller.services() as services:
        total = services.failures.count_failures(caller.user_id, where)
        page = services.failures.list_failures(caller.user_id, where, order, query.request)
    return create_response(200, "获取全局失败记录列表成功", query.show(map(Failure.of, page.items), total))


def get_failure(caller: Caller, failure_id: FailureId) -> Response:
    """Get a failure · 获取失败记录详情."""
    with caller.services() as services:
        failure = services.failures.get_failure_details(caller.user_id, failure_id)
    return create_response(200, "获取失败记录详情成功", Failure.of(failure))


def retry_failure(caller: Caller, failure_id: FailureId) -> Response:
    """Retry a failure · 重试失败记录.

    The piece is fetched again, at most three times: by a run of its own, or by the one that the task has.
    """
    return _retry(caller, failure_id, None)


def retry_task_failure(caller: Caller, task_id: TaskId, failure_id: FailureId) -> Response:
    """Retry a failure of a task · 重试任务的失败记录."""
    return _retry(caller, failure_id, task_id)


def abandon_failure(caller: Caller, failure_id: FailureId) -> Response:
    """Abandon a failure · 放弃失败记录.

    The piece is never tried again, and still counts as lost.
    """
    return _abandon(caller, failure_id, None)


def abandon_task_failure(caller: Caller, task_id: TaskId, failure_id: FailureId) -> Response:
    """Abandon a failure of a task · 放弃任务的失败记录."""
    return _abandon(caller, failure_id, task_id)


def _retry(caller: Caller, failure_id: UUID, task_id: UUID | None) -> Response:
    with caller.services() as services:
        failure = services.failures.retry_download_failure(caller.user_id, failure_id, task_id)
    return create_response(200, "重试失败记录成功", Failure.of(failure))


def _abandon(caller: Caller, failure_id: UUID, task_id: UUID | None) -> Response:
    with caller.services() as services:
        failure = services.failures.abandon_download_failure(caller.user_id, failure_id, task_id)
    return create_response(200, "放弃失败记录成功", Failure.of(failure))
