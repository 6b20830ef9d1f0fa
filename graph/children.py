"""What belongs to a task, a failure or a video: read for all the rows of a page at once (graph/siblings.py)."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from itertools import chain
from typing import Annotated
from uuid import UUID

import strawberry
from strawberry import UNSET

from domain.errors import TaskNotFoundError
from domain.models import DownloadedVideo, DownloadFailure, DownloadTask
from domain.paging import Page
from domain.piece_map import PieceTrack, place_of
from domain.queries import NEWEST_FIRST, FailureFilter
from graph.connection import After, Before, Connection, First, Last, page_request
from graph.context import Info, Operation
from graph.filters import FailureFilterArgument, narrowed_failures
from graph.inputs import PieceRange


def failures_of_task(
    parent: strawberry.Parent[DownloadTask],
    info: Info,
    *,
    first: First = UNSET,
    after: After = UNSET,
    last: Last = UNSET,
    before: Before = UNSET,
    narrowed: FailureFilterArgument = UNSET,
) -> Connection[DownloadFailure]:
    """A page of the task's failures; the first page is read for all tasks of the answer together."""
    operation, where = info.context, narrowed_failures(narrowed)
    request = page_request(NEWEST_FIRST, first, after, last, before)
    failures, user_id = operation.services.failures, operation.user_id

    def first_pages(task_ids: Collection[UUID]) -> Mapping[UUID, Page[DownloadFailure]]:
        pages = failures.first_failures_of_tasks(user_id, task_ids, where, NEWEST_FIRST, request.size)
        operation.siblings.introduce(chain.from_iterable(page.items for page in pages.values()))
        return pages

    if request.after or request.before or request.backward:
        operation.read_single()
        page = failures.list_download_failures(user_id, parent.id, where, NEWEST_FIRST, request)
        operation.siblings.introduce(page.items)
    else:
        what = ("failures", where, request.size)
        page = operation.siblings.read(what, parent, lambda task: task.id, first_pages) or Page([])
    return operation.show(page, NEWEST_FIRST, lambda: failures.count_download_failures(user_id, parent.id, where))


def failures_within(
    parent: strawberry.Parent[DownloadTask],
    info: Info,
    *,
    pieces: Annotated[PieceRange, strawberry.argument(description="The stretch.")],
    first: First = UNSET,
    after: After = UNSET,
    last: Last = UNSET,
    before: Before = UNSET,
) -> Connection[DownloadFailure]:
    """A page of the failures of a stretch."""
    operation, where = info.context, FailureFilter(pieces=pieces.to_domain())
    request = page_request(NEWEST_FIRST, first, after, last, before)
    failures, user_id = operation.services.failures, operation.user_id
    operation.read_single()
    page = failures.list_download_failures(user_id, parent.id, where, NEWEST_FIRST, request)
    operation.siblings.introduce(page.items)
    return operation.show(page, NEWEST_FIRST, lambda: failures.count_download_failures(user_id, parent.id, where))


def video_of_task(parent: strawberry.Parent[DownloadTask], info: Info) -> DownloadedVideo | None:
    """The task's video, if there is one yet."""
    operation = info.context

    def videos(task_ids: Collection[UUID]) -> Mapping[UUID, DownloadedVideo]:
        found = operation.services.videos.videos_of_tasks(operation.user_id, task_ids)
        operation.siblings.introduce(found.values())
        return found

    return operation.siblings.read("video", parent, lambda task: task.id, videos)


def pieces_of_task(parent: strawberry.Parent[DownloadTask], info: Info) -> list[PieceTrack]:
    """Where its pieces stand."""
    operation = info.context

    def maps(task_ids: Collection[UUID]) -> Mapping[UUID, list[PieceTrack]]:
        return operation.services.tasks.piece_maps_of_tasks(operation.user_id, task_ids)

    return operation.siblings.read("pieces", parent, lambda task: task.id, maps) or []


def track_of_failure(parent: strawberry.Parent[DownloadFailure]) -> str | None:
    """The track that its piece belongs to."""
    place = place_of(parent.piece_key)
    return None if place is None else place[0]


def task_of_failure(parent: strawberry.Parent[DownloadFailure], info: Info) -> DownloadTask:
    """Raises TaskNotFoundError when it is deleted in this very moment."""
    return _owner(info.context, parent)


def task_of_video(parent: strawberry.Parent[DownloadedVideo], info: Info) -> DownloadTask:
    """Raises TaskNotFoundError when it is deleted in this very moment."""
    return _owner(info.context, parent)


def playback_of_task(parent: strawberry.Parent[DownloadTask], info: Info) -> str | None:
    """The link lasts as long as the video does, so it is asked for too."""
    return info.context.playback_urls.of(parent, video_of_task(parent, info))


def playback_of_video(parent: strawberry.Parent[DownloadedVideo], info: Info) -> str | None:
    return info.context.playback_urls.of(_owner(info.context, parent), parent)


def cover_of_video(parent: strawberry.Parent[DownloadedVideo], info: Info) -> str | None:
    return info.context.playback_urls.cover(parent, info.context.user_id)


def _owner(operation: Operation, row: DownloadFailure | DownloadedVideo) -> DownloadTask:
    def owners(task_ids: Collection[UUID]) -> Mapping[UUID, DownloadTask]:
        found = operation.services.tasks.get_download_tasks(operation.user_id, task_ids)
        operation.siblings.introduce(found.values())
        return found

    task = operation.siblings.read("task", row, lambda each: each.task_id, owners)
    if task is None:
        raise TaskNotFoundError
    return task
