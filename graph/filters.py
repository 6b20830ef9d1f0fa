"""What lists can be narrowed to and ordered by, as callers write it."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Annotated, Any, TypeAlias, TypeVar

import strawberry
from strawberry import UNSET

from domain import queries
from domain.errors import BadArgumentError
from domain.queries import NEWEST_FIRST, Sort, SortKey
from domain.values import FailureStatus, FailureType, ResourceType, TaskStatus, VideoStatus
from graph.enums import OrderDirection, TaskOrderField
from graph.inputs import given

Value = TypeVar("Value")

MAX_SEARCH = 2_000
"""Characters; nothing that is searched is longer."""


def _set(values: Iterable[Value] | None) -> tuple[Value, ...] | None:
    """Each value once, so that no list grows the SQL; None when it is absent or null."""
    return None if values is None or values is UNSET else tuple(dict.fromkeys(values))


def _searched(**texts: str | None) -> dict[str, Any]:
    """Raises BadArgumentError on what can be in no row."""
    found = given(**texts)
    for text in found.values():
        if "\0" in text or len(text) > MAX_SEARCH:
            raise BadArgumentError(f"A text to look for has at most {MAX_SEARCH} characters, none of them NUL.")
    return found


@strawberry.input(description="Narrows a list of tasks: all that is given must hold.")
class TaskFilter:
    """See domain.queries.TaskFilter."""

    status: list[TaskStatus] | None = strawberry.field(default=UNSET, description="In one of these states.")
    resource_type: list[ResourceType] | None = strawberry.field(default=UNSET, description="Of one of these types.")
    liveroom_id: str | None = strawberry.field(default=UNSET, description="Of exactly this live room.")
    search: str | None = strawberry.field(
        default=UNSET, description="With this text in its title, live room id or URL, whatever the case."
    )
    created_after: datetime | None = strawberry.field(default=UNSET, description="Created after this instant.")
    created_before: datetime | None = strawberry.field(default=UNSET, description="Created before this instant.")

    def to_domain(self) -> queries.TaskFilter:
        """Raises BadArgumentError."""
        return queries.TaskFilter(
            **given(
                status=_set(self.status),
                resource_type=_set(self.resource_type),
                created_after=self.created_after,
                created_before=self.created_before,
            ),
            **_searched(liveroom_id=self.liveroom_id, search=self.search),
        )


@strawberry.input(description="Narrows a list of failures: all that is given must hold.")
class FailureFilter:
    """See domain.queries.FailureFilter."""

    status: list[FailureStatus] | None = strawberry.field(default=UNSET, description="In one of these states.")
    failure_type: list[FailureType] | None = strawberry.field(default=UNSET, description="Of one of these types.")

    def to_domain(self) -> queries.FailureFilter:
        """Hashable, so that equal filters are read together."""
        return queries.FailureFilter(**given(status=_set(self.status), failure_type=_set(self.failure_type)))


FailureFilterArgument: TypeAlias = Annotated[
    FailureFilter | None, strawberry.argument(name="filter", description="Which failures; all without it.")
]


def narrowed_failures(narrowed: FailureFilter | None) -> queries.FailureFilter:
    """What the filter lets through; everything when it is absent."""
    return narrowed.to_domain() if narrowed else queries.FailureFilter()


@strawberry.input(description="Narrows a list of videos: all that is given must hold.")
class VideoFilter:
    """See domain.queries.VideoFilter."""

    video_type: list[ResourceType] | None = strawberry.field(default=UNSET, description="Of one of these types.")
    status: list[VideoStatus] | None = strawberry.field(default=UNSET, description="In one of these states.")
    liveroom_id: str | None = strawberry.field(default=UNSET, description="Of exactly this live room.")

    def to_domain(self) -> queries.VideoFilter:
        """Raises BadArgumentError."""
        return queries.VideoFilter(
            **given(video_type=_set(self.video_type), status=_set(self.status)),
            **_searched(liveroom_id=self.liveroom_id),
        )


@strawberry.input(description="How a list of tasks is ordered. Without it: the newest first.")
class TaskOrder:
    """One column; the id comes last by itself."""

    field: TaskOrderField = strawberry.field(description="What to order by.")
    direction: OrderDirection = strawberry.field(default=OrderDirection.DESC, description="Which end comes first.")

    def to_domain(self) -> Sort:
        """The ordering, as the repositories take it."""
        return (SortKey(self.field.value, descending=self.direction is OrderDirection.DESC),)


def sort_of(order: TaskOrder | None) -> Sort:
    """The ordering asked for, or the newest first."""
    return order.to_domain() if order else NEWEST_FIRST
