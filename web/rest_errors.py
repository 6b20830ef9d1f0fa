"""Where the error tree of the domain meets REST, and nowhere else: HTTP status, code and documented message."""

from __future__ import annotations

import logging
from collections.abc import Collection
from typing import NamedTuple

from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response

from domain.errors import (
    AbandonedFailureError,
    AuthenticationError,
    BlockedUrlError,
    CompletedTaskError,
    ConflictError,
    DatabaseError,
    ExpiredCredentials,
    FailureRecordNotFoundError,
    IllegalMoveError,
    InvalidCredentials,
    MissingCredentials,
    OutsideTaskFolderError,
    ParameterError,
    QuotaExceededError,
    RetryLimitReachedError,
    ServiceError,
    SortFieldError,
    TaskMismatchError,
    TaskNotFoundError,
    VideoNotFoundError,
)
from web.csv_file import MAX_FILE_BYTES, CsvError
from web.envelope import create_error_response
from web.middleware import MAX_BODY_BYTES, BodyTooLarge, request_id
from web.rest_rules import UNREADABLE_BODY, Detail, detail_of_reading, detail_of_rules

logger = logging.getLogger(__name__)

SYSTEM, BUSINESS, DATABASE, CONFLICT = 1000, 1001, 1002, 1003


class Refusal(NamedTuple):
    """How a kind of error is answered."""

    status: int
    code: int
    message: str


def _business(message: str) -> Refusal:
    return Refusal(400, BUSINESS, message)


MALFORMED = Refusal(422, 422, "参数校验失败")

REFUSALS: dict[type[Exception], Refusal] = {
    TaskNotFoundError: Refusal(404, 404, "任务不存在"),
    FailureRecordNotFoundError: Refusal(404, 404, "失败记录不存在"),
    VideoNotFoundError: Refusal(404, 404, "视频不存在"),
    IllegalMoveError: _business("任务状态不允许此操作"),
    CompletedTaskError: _business("不能删除已完成任务"),
    AbandonedFailureError: _business("失败记录已放弃"),
    ConflictError: Refusal(409, CONFLICT, "任务已存在或数据冲突"),
    RetryLimitReachedError: _business("重试次数已达上限"),
    QuotaExceededError: _business("配额已用完"),
    TaskMismatchError: _business("任务ID不一致"),
    OutsideTaskFolderError: _business("存储路径无效"),
    SortFieldError: _business("排序字段无效"),
    BlockedUrlError: _business("资源地址不允许访问"),
    ParameterError: MALFORMED,
    DatabaseError: Refusal(500, DATABASE, "数据库操作失败"),
    Exception: Refusal(500, SYSTEM, "服务器内部错误"),
}

CREDENTIALS: dict[type[AuthenticationError], str] = {
    MissingCredentials: "认证凭证缺失",
    InvalidCredentials: "认证凭证无效",
    ExpiredCredentials: "认证凭证已过期",
}


def refusal_of(error: Exception) -> Refusal:
    """How its nearest kind is answered."""
    return next(REFUSALS[kind] for kind in type(error).__mro__ if kind in REFUSALS)


def render(error: Exception) -> Response:
    """The answer to a request that raised ``error``; a fault of ours is logged here."""
    match error:
        case AuthenticationError():
            return _not_signed_in(error)
        case RequestValidationError():
            return _malformed(detail_of_reading(error.errors()))
        case BodyTooLarge():
            return _too_large(error)
        case HTTPException():  # FastAPI's 400: neither JSON nor form
            return _malformed(UNREADABLE_BODY)
        case ServiceError():
            return _refused(error)
    return _fault(error)


def unknown_path() -> Response:
    """There is no such path under the prefix."""
    return create_error_response(404, 404, "接口不存在")


def unknown_method(allowed: Collection[str]) -> Response:
    """The path knows only the methods ``allowed``."""
    return create_error_response(405, 405, "请求方法不允许", headers={"Allow": ", ".join(sorted(allowed))})


def _refused(error: ServiceError) -> Response:
    if isinstance(error, CsvError):
        return create_error_response(400, BUSINESS, error.message, error.data)
    malformed = [each for each in (error, *error.also) if refusal_of(each) is MALFORMED]
    if malformed:
        return _malformed(detail_of_rules(malformed))
    status, code, message = refusal_of(error)
    return create_error_response(status, code, message) if status < 500 else _fault(error)


def _fault(error: Exception) -> Response:
    logger.error("REST request failed (request %s)", request_id.get(), exc_info=error)
    return create_error_response(*refusal_of(error), {"request_id": request_id.get()})


def _malformed(detail: Detail) -> Response:
    return create_error_response(*MALFORMED, detail=detail)


def _too_large(error: BodyTooLarge) -> Response:
    if error.limit == MAX_BODY_BYTES:
        return create_error_response(413, 413, "请求体大小超过限制，最大允许1MB")
    sizes = {"file_size": error.size, "max_size": MAX_FILE_BYTES}
    return create_error_response(413, 413, "文件大小超过限制，最大允许10MB", sizes)


def _not_signed_in(error: AuthenticationError) -> Response:
    why = CREDENTIALS[type(error)]
    headers = {"WWW-Authenticate": "Bearer"}
    return create_error_response(401, 401, "认证失败", {"error": why}, detail=why, headers=headers)
