"""What both comparators read: the statements that somebody who knows the ORM would write, one for each kind of row."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

import jwt
from sqlalchemy import Select, func, select
from sqlalchemy.orm import aliased

from domain.models import DownloadedVideo, DownloadFailure, DownloadTask
from persistence.tables import failures, tasks, videos


def user_of(authorization: str, secret: str) -> UUID:
    """Raises jwt.PyJWTError."""
    claims = jwt.decode(authorization.removeprefix("Bearer "), secret, algorithms=["HS256"])
    return UUID(claims["user_id"])


def newest_tasks(user_id: UUID, first: int) -> Select[DownloadTask]:
    """A page."""
    mine = select(DownloadTask).where(tasks.c.user_id == user_id)
    return mine.order_by(tasks.c.created_at.desc(), tasks.c.id.desc()).limit(first)


def newest_failures(task_ids: Sequence[UUID], first: int) -> Select[DownloadFailure]:
    """So many of each task."""
    place = func.row_number().over(
        partition_by=failures.c.task_id, order_by=(failures.c.created_at.desc(), failures.c.id.desc())
    )
    placed = select(DownloadFailure, place.label("place")).where(failures.c.task_id.in_(task_ids)).subquery()
    failure = aliased(DownloadFailure, placed)
    return select(failure).where(placed.c.place <= first).order_by(placed.c.place)


def videos_of(task_ids: Sequence[UUID]) -> Select[DownloadedVideo]:
    """One a task, if any."""
    return select(DownloadedVideo).where(videos.c.task_id.in_(task_ids))
