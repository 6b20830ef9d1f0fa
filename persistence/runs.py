"""The statements of every run, with parameters: to build them takes longer than to execute them."""

from __future__ import annotations

from functools import cache
from typing import Any
from uuid import UUID

from sqlalchemy import BindParameter, Select, and_, bindparam, case, exists, func, select, update
from sqlalchemy.sql.dml import ReturningUpdate

from domain.models import DownloadTask
from domain.ports import Measurement
from domain.values import FailureStatus
from persistence.shown import SHOWN_TASKS
from persistence.tables import UtcDateTime, failures, is_processing, tasks

_FENCE = and_(
    tasks.c.id == bindparam("of_task"),
    tasks.c.run_number == bindparam("of_run"),
    is_processing,
    tasks.c.started_at.is_not(None),
)
"""A task that was paused and resumed meanwhile waits, not started, for its next run."""


@cache
def claim() -> ReturningUpdate[Any]:
    """Gives what ``SHOWN_TASKS`` makes a task of, and whether it has failures."""
    at = bindparam("at", type_=UtcDateTime)
    has_failures = exists().where(failures.c.task_id == bindparam("of_task"))
    claimed = update(tasks).where(tasks.c.id == bindparam("of_task"), is_processing)
    return claimed.values(
        run_number=tasks.c.run_number + 1,
        admitted_at=func.coalesce(tasks.c.admitted_at, at),
        started_at=at,
        updated_at=at,
        version=tasks.c.version + 1,
    ).returning(*SHOWN_TASKS.columns(tasks), has_failures)


@cache
def owned() -> Select[DownloadTask]:
    """Locks it. What another transaction wrote while we waited for the lock must be seen."""
    return select(DownloadTask).where(_FENCE).with_for_update().execution_options(populate_existing=True)


@cache
def wishes() -> Select[UUID, int, bool, bool]:
    """Of those of ``ids`` that run, by which run, and what their users have asked for meanwhile."""
    asked = exists().where(failures.c.task_id == tasks.c.id, failures.c.status == FailureStatus.RETRYING)
    columns = tasks.c.id, tasks.c.run_number, tasks.c.finish_requested, asked
    among = tasks.c.id.in_(bindparam("ids", expanding=True))
    return select(*columns).where(among, is_processing, tasks.c.started_at.is_not(None))


def _new(name: str) -> BindParameter[Any]:
    return bindparam(f"new_{name}", type_=tasks.c[name].type)


_MEASURED = (
    "bytes_downloaded bytes_total bytes_per_second segments_downloaded segments_total is_live updated_at".split()
)
MEASURE = (
    update(tasks)
    .where(_FENCE)
    .values(
        progress=case((tasks.c.progress < _new("progress"), _new("progress")), else_=tasks.c.progress),
        pieces=func.coalesce(_new("pieces"), tasks.c.pieces),
        **{name: _new(name) for name in _MEASURED},
    )
)


def new_values(measurement: Measurement) -> dict[str, Any]:
    """What ``MEASURE`` takes."""
    progress = measurement.progress
    return {
        "of_task": measurement.task_id,
        "of_run": measurement.run_number,
        "new_progress": progress.fraction,
        "new_pieces": progress.pieces,
        "new_bytes_downloaded": progress.bytes_downloaded,
        "new_bytes_total": progress.bytes_total,
        "new_bytes_per_second": measurement.bytes_per_second,
        "new_segments_downloaded": progress.segments_downloaded,
        "new_segments_total": progress.segments_total,
        "new_is_live": progress.is_live,
        "new_updated_at": measurement.measured_at,
    }
