"""How OpenAPI describes the refusals that operations share."""

from __future__ import annotations

from typing import Any

from web.rest_models import Malformed, NotSignedIn, Refusal

Answers = dict[int | str, dict[str, Any]]
"""What an operation can answer, by status, as FastAPI's ``responses`` takes it."""


def _refusal(description: str, model: type[Refusal] | type[NotSignedIn], **example: object) -> dict[str, Any]:
    content = {"application/json": {"example": {**example, "timestamp": "2025-06-14T10:00:00Z"}}}
    return {"model": model, "description": description, "content": content}


def _plain(description: str, code: int, message: str) -> dict[str, Any]:
    return _refusal(description, Refusal, code=code, message=message, data=None)


NOT_SIGNED_IN = _refusal(
    "The token is missing, not valid or expired · 认证失败",
    NotSignedIn,
    code=401,
    message="认证失败",
    data={"error": "认证凭证缺失"},
    detail="认证凭证缺失",
)
MALFORMED = _refusal(
    "An id, a parameter or the body is malformed · 参数校验失败",
    Malformed,
    code=422,
    message="参数校验失败",
    data=None,
    detail=[{"type": "value_error", "loc": ["body", "liveroom_id"], "msg": "直播间ID长度必须在5-20之间"}],
)
REFUSALS: Answers = {
    400: _plain("A rule of the service forbids it · 业务规则不允许", 1001, "任务状态不允许此操作"),
    401: {**NOT_SIGNED_IN, "headers": {"WWW-Authenticate": {"schema": {"type": "string", "enum": ["Bearer"]}}}},
    404: _plain("No such row, or another user's · 记录不存在", 404, "任务不存在"),
    409: _plain("It conflicts with what is there · 数据冲突", 1003, "任务已存在或数据冲突"),
    413: _plain("The body is too large · 请求体过大", 413, "请求体大小超过限制，最大允许1MB"),
    422: MALFORMED,
    500: _plain("A fault of the service · 服务器内部错误", 1000, "服务器内部错误"),
}
