"""All SQL of videos."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from functools import cache
from typing import Any, TypeVar
from uuid import UUID

from sqlalchemy import ColumnElement, Insert, Select, bindparam, func, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from domain.models import DownloadedVideo
from domain.paging import Page, PageRequest
from domain.queries import VIDEO_COLUMNS, Sort, VideoFilter
from persistence.keyset import Listing, fetch_page, order_of
from persistence.shown import SHOWN_VIDEOS
from persistence.tables import one_of, tasks, videos

Row = TypeVar("Row")


class SqlVideoRepository:
    """See ``domain.ports.VideoRepository``."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def add(self, video: DownloadedVideo) -> None:
        self._session.flush()  # its task may be new, and must be there first
        self._session.add(video)

    def get(self, user_id: UUID, video_id: UUID) -> DownloadedVideo | None:
        """By the video id of its task."""
        rows = _with_task(select(DownloadedVideo)).where(tasks.c.user_id == user_id, tasks.c.video_id == video_id)
        return self._session.scalars(rows).one_or_none()

    def of_task(self, task_id: UUID) -> DownloadedVideo | None:
        rows = select(DownloadedVideo).where(videos.c.task_id == task_id)
        return self._session.scalars(rows).one_or_none()

    def settle(self, video: DownloadedVideo) -> None:
        statement = _settle(self._session.get_bind().dialect.name, measured=video.format is not None)
        self._session.execute(statement, {column.name: getattr(video, column.name) for column in videos.c})

    def of_tasks(self, user_id: UUID, task_ids: Collection[UUID]) -> dict[UUID, DownloadedVideo]:
        wanted = {"user_id": user_id, "task_ids": list(task_ids)}
        statement = _of_tasks(self._session.get_bind().dialect.name)
        return {video.task_id: video for video in SHOWN_VIDEOS.read(self._session, statement, wanted)}

    def page(
        self,
        user_id: UUID,
        where: VideoFilter,
        sort: Sort,
        request: PageRequest,
        *,
        task_id: UUID | None = None,
    ) -> Page[DownloadedVideo]:
        rows = _mine(user_id).where(*_conditions(where, task_id))
        return fetch_page(self._session, Listing(SHOWN_VIDEOS, rows, order_of(videos, VIDEO_COLUMNS, sort)), request)

    def count(self, user_id: UUID, where: VideoFilter, *, task_id: UUID | None = None) -> int:
        rows = _mine(user_id).where(*_conditions(where, task_id))
        return self._session.scalar(rows.with_only_columns(func.count())) or 0


_SETTLED = ("status", "file_size", "storage_path", "download_end_time", "updated_at")
_MEASURED = ("duration", "resolution", "format", "cover_path")


@cache
def _settle(dialect: str, *, measured: bool) -> Insert:
    """One statement, also where there is a row: to look first is one more, past which a user may add theirs."""
    new = (postgresql.insert if dialect == "postgresql" else sqlite.insert)(videos)
    taken = _SETTLED + _MEASURED if measured else _SETTLED
    return new.on_conflict_do_update(
        index_elements=[videos.c.task_id], set_={name: new.excluded[name] for name in taken}
    )


@cache
def _of_tasks(dialect: str) -> Select[Any]:
    """With parameters: to build it takes longer than to execute it."""
    among = one_of(videos.c.task_id, "task_ids", dialect)
    return _with_task(SHOWN_VIDEOS.rows(videos)).where(tasks.c.user_id == bindparam("user_id"), among)


def _with_task(rows: Select[Row]) -> Select[Row]:
    return rows.select_from(tasks).join(videos, videos.c.task_id == tasks.c.id)


def _mine(user_id: UUID) -> Select[Any]:
    return _with_task(SHOWN_VIDEOS.rows(videos)).where(tasks.c.user_id == user_id)


def _conditions(where: VideoFilter, task_id: UUID | None) -> Iterator[ColumnElement[bool]]:
    if task_id is not None:
        yield videos.c.task_id == task_id
    if where.video_type is not None:
        yield videos.c.video_type.in_(where.video_type)
    if where.status is not None:
        yield videos.c.status.in_(where.status)
    if where.liveroom_id is not None:
        yield videos.c.liveroom_id == where.liveroom_id
