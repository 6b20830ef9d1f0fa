"""The queries: parse, call a service, show what comes back."""

from __future__ import annotations

from contextlib import suppress
from typing import Annotated

import strawberry
from strawberry import ID, UNSET

from domain import models, queries
from domain.errors import NotFoundError
from domain.queries import NEWEST_FIRST
from graph.connection import After, Before, Connection, First, Last, page_request
from graph.context import Info
from graph.fields import field
from graph.filters import FailureFilterArgument, TaskFilter, TaskOrder, VideoFilter, narrowed_failures, sort_of
from graph.inputs import FailureId, TaskId, parse_id
from graph.types import DownloadedVideo, DownloadFailure, DownloadTask, Viewer


@strawberry.type(description="What can be asked. Everything is the viewer's own: other users' rows do not exist here.")
class Query:
    """Rows that are not there are null; arguments that make no sense are BAD_USER_INPUT."""

    @field("Who you are, and how much you have.")
    def viewer(self) -> Viewer:
        return Viewer()

    @field("One task; null when there is none with this id.", DownloadTask | None)
    def task(self, info: Info, task_id: TaskId) -> models.DownloadTask | None:
        with suppress(NotFoundError):
            return info.context.services.tasks.get_download_task(info.context.user_id, parse_id(task_id))
        return None

    @field("Your tasks, page by page.", Connection[DownloadTask])
    def tasks(
        self,
        info: Info,
        *,
        first: First = UNSET,
        after: After = UNSET,
        last: Last = UNSET,
        before: Before = UNSET,
        narrowed: Annotated[
            TaskFilter | None, strawberry.argument(name="filter", description="Which tasks; all without it.")
        ] = UNSET,
        order_by: Annotated[
            TaskOrder | None, strawberry.argument(description="In which order; the newest first without it.")
        ] = UNSET,
    ) -> Connection[models.DownloadTask]:
        operation, sort = info.context, sort_of(order_by)
        where = narrowed.to_domain() if narrowed else queries.TaskFilter()
        request = page_request(sort, first, after, last, before)
        tasks, user_id = operation.services.tasks, operation.user_id
        page = tasks.list_download_tasks(user_id, where, sort, request)
        operation.siblings.introduce(page.items)
        return operation.show(page, sort, lambda: tasks.count_download_tasks(user_id, where))

    @field("One failure; null when there is none with this id.", DownloadFailure | None)
    def failure(self, info: Info, failure_id: FailureId) -> models.DownloadFailure | None:
        with suppress(NotFoundError):
            return info.context.services.failures.get_failure_details(info.context.user_id, parse_id(failure_id))
        return None

    @field("The failures of all your tasks, page by page, the newest first.", Connection[DownloadFailure])
    def failures(
        self,
        info: Info,
        *,
        first: First = UNSET,
        after: After = UNSET,
        last: Last = UNSET,
        before: Before = UNSET,
        narrowed: FailureFilterArgument = UNSET,
    ) -> Connection[models.DownloadFailure]:
        operation, where = info.context, narrowed_failures(narrowed)
        request = page_request(NEWEST_FIRST, first, after, last, before)
        failures, user_id = operation.services.failures, operation.user_id
        page = failures.list_failures(user_id, where, NEWEST_FIRST, request)
        operation.siblings.introduce(page.items)
        return operation.show(page, NEWEST_FIRST, lambda: failures.count_failures(user_id, where))

    @field("A finished download by the video id of its task; null when there is none.", DownloadedVideo | None)
    def video(
        self,
        info: Info,
        video_id: Annotated[ID, strawberry.argument(description="The video id of the task.")],
    ) -> models.DownloadedVideo | None:
        with suppress(NotFoundError):
            return info.context.services.videos.get_downloaded_video(info.context.user_id, parse_id(video_id))
        return None

    @field("Your finished downloads, page by page, the newest first.", Connection[DownloadedVideo])
    def videos(
        self,
        info: Info,
        *,
        first: First = UNSET,
        after: After = UNSET,
        last: Last = UNSET,
        before: Before = UNSET,
        narrowed: Annotated[
            VideoFilter | None, strawberry.argument(name="filter", description="Which videos; all without it.")
        ] = UNSET,
    ) -> Connection[models.DownloadedVideo]:
        operation = info.context
        where = narrowed.to_domain() if narrowed else queries.VideoFilter()
        request = page_request(NEWEST_FIRST, first, after, last, before)
        videos, user_id = operation.services.videos, operation.user_id
        page = videos.list_downloaded_videos(user_id, where, NEWEST_FIRST, request)
        operation.siblings.introduce(page.items)
        return operation.show(page, NEWEST_FIRST, lambda: videos.count_downloaded_videos(user_id, where))
