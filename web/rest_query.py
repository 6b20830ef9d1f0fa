"""What the lists of REST are asked by: filters, the sort grammar ``field:asc|desc[,…]``, and pages by number."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Annotated, TypeVar

from pydantic import BaseModel, Field

from domain.errors import BadArgumentError, SortFieldError
from domain.paging import MAX_SIZE, PageRequest
from domain.queries import (
    FAILURE_COLUMNS,
    TASK_COLUMNS,
    VIDEO_COLUMNS,
    FailureFilter,
    Sort,
    SortKey,
    TaskFilter,
    VideoFilter,
)
from domain.values import FailureStatus, FailureType, ResourceType, TaskStatus
from web.rest_models import Page, Text

MAX_PAGE = 2**31 - 1
MAX_SEARCH = 2_000
"""Characters; nothing that is searched is longer."""

Value = TypeVar("Value")
Shown = TypeVar("Shown", bound=BaseModel)
Searched = Annotated[Text, Field(max_length=MAX_SEARCH)]

# The published names of the columns that can be sorted by, and the attributes they stand for.
SORTED_TASKS = {name: name for name in TASK_COLUMNS}
SORTED_FAILURES = {name: name for name in FAILURE_COLUMNS} | {"failure_id": "id"}
SORTED_VIDEOS = {name: name for name in VIDEO_COLUMNS} | {
    "resource_type": "video_type",
    "resource_url": "video_url",
    "cover_url": "cover_path",
}


class ListQuery(BaseModel):
    """Which page, in which order."""

    page: int = Field(1, ge=1, le=MAX_PAGE, description="The page, from 1. 页码")
    size: int = Field(10, ge=1, le=MAX_SIZE, description="Rows a page. 每页数量")
    sort: Text = Field("created_at:desc", description="`field:asc|desc`, several with commas. 排序")

    @property
    def request(self) -> PageRequest:
        return PageRequest(self.size, offset=(self.page - 1) * self.size)

    def order(self, sortable: Mapping[str, str]) -> Sort:
        """Raises SortFieldError, BadArgumentError."""
        return parse_sort(self.sort, sortable)

    def show(self, items: Iterable[Shown], total: int) -> Page[Shown]:
        """The page as clients read it."""
        pages = -(-total // self.size)
        return Page(total=total, page=self.page, size=self.size, pages=pages, items=list(items))


class TaskQuery(ListQuery):
    """Which tasks."""

    status: TaskStatus | None = Field(None, description="In this state. 任务状态")
    resource_type: ResourceType | None = Field(None, description="Of this type. 资源类型")
    liveroom_id: Searched | None = Field(None, description="Of exactly this live room. 直播间ID")
    search: Searched | None = Field(None, description="With this text in title, live room or URL. 搜索内容")

    @property
    def where(self) -> TaskFilter:
        return TaskFilter(_one(self.status), _one(self.resource_type), self.liveroom_id, self.search)


class FailureQuery(ListQuery):
    """Which failures."""

    status: FailureStatus | None = Field(None, description="In this state. 失败记录状态")
    failure_type: FailureType | None = Field(None, description="Of this type. 失败类型")

    @property
    def where(self) -> FailureFilter:
        return FailureFilter(_one(self.status), _one(self.failure_type))


class VideoQuery(ListQuery):
    """Which videos."""

    resource_type: ResourceType | None = Field(None, description="Of this type. 资源类型")

    @property
    def where(self) -> VideoFilter:
        return VideoFilter(_one(self.resource_type))


def parse_sort(sort: str, sortable: Mapping[str, str]) -> Sort:
    """The order that ``sort`` spells; ``sortable`` gives the attribute of each published name.

    Raises SortFieldError for any other name, and BadArgumentError for what is no direction.
    """
    keys: dict[str, SortKey] = {}
    for name, direction in _spelled(sort):
        if name not in sortable:
            raise SortFieldError
        if direction not in ("asc", "desc"):
            raise BadArgumentError(field=("sort",))
        attribute = sortable[name]
        keys.setdefault(attribute, SortKey(attribute, descending=direction == "desc"))  # a second mention is idle
    return tuple(keys.values())


def _spelled(sort: str) -> Iterator[tuple[str, str]]:
    for part in sort.split(","):
        name, _, direction = part.partition(":")
        yield name.strip(), direction.strip()


def _one(value: Value | None) -> tuple[Value, ...] | None:
    return None if value is None else (value,)
