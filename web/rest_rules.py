"""What is wrong with a value, in the words of the documented service: the ``detail`` of a 422."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from domain.errors import BadArgumentError, ControlCharacterError, ServiceError

RULES = {
    "resource_url": "资源地址必须是http或https地址，长度不能超过2000",
    "liveroom_id": "直播间ID长度必须在5-20之间",
    "liveroom_title": "直播间标题长度不能超过255",
    "liveroom_url": "直播间地址必须是http或https地址，长度不能超过2000",
    "priority": "优先级必须在0-100之间",
    "max_retries": "最大重试次数必须在1-10之间",
    "expected_path": "预期路径必须是文本",
    "standard_name": "标准文件名长度不能超过255",
    "error_message": "错误信息长度必须在1-4000之间",
    "retry_count": "重试次数必须在0-3之间",
    "video_url": "视频地址必须是http或https地址，长度不能超过2000",
    "storage_path": "存储路径必须是文本",
    "file_size": "文件大小必须是非负整数",
    "duration": "时长必须在0-1000000000秒之间",
    "resolution": "分辨率长度不能超过50",
    "format": "格式长度不能超过50",
    "task_id": "任务ID必须是UUID",
    "failure_id": "失败记录ID必须是UUID",
    "video_id": "视频ID必须是UUID",
    "page": "页码必须在1-2147483647之间",
    "size": "每页数量必须在1-100之间",
    "sort": "排序格式必须是field:asc或field:desc，多个字段以逗号分隔",
    "search": "搜索内容长度不能超过2000",
    "wait": "等待秒数必须在0-25之间",
    "file": "必须上传CSV文件",
    "skip_duplicates": "skip_duplicates必须是布尔值",
    "auto_start": "auto_start必须是布尔值",
}
NO_OBJECT = "请求体必须是JSON对象"
UNPRINTABLE = "不能包含控制字符"

Detail = list[dict[str, object]]

UNREADABLE_BODY: Detail = [{"type": "body_invalid", "loc": ["body"], "msg": "请求体无法解析"}]


def detail_of_reading(errors: Sequence[Any]) -> Detail:
    """Of pydantic's errors. What was sent is not repeated: it may be secret, or no JSON at all."""
    return [{"type": each["type"], "loc": list(each["loc"]), "msg": _rule(each)} for each in errors]


def detail_of_rules(errors: Sequence[ServiceError]) -> Detail:
    """Of the domain's errors."""
    return [{"type": "value_error", "loc": [_part(each), *each.field], "msg": rule_broken(each)} for each in errors]


def rule_broken(error: ServiceError) -> str:
    """The rule that a value breaks."""
    if isinstance(error, ControlCharacterError):
        return UNPRINTABLE
    return RULES.get(error.field[0] if error.field else "", "参数无效")


def _part(error: ServiceError) -> str:
    return "query" if isinstance(error, BadArgumentError) else "body"


def _rule(error: dict[str, Any]) -> str:
    field = str(error["loc"][-1])
    match error["type"]:
        case "missing" if field != "body":
            return f"缺少必填字段: {field}"
        case "enum":
            words = re.findall("'(.*?)'", error["ctx"]["expected"])
            return f"{field}必须是{'/'.join(words)}之一"
        case "string_unicode" | "string_pattern_mismatch":
            return UNPRINTABLE
    return RULES.get(field, NO_OBJECT)
