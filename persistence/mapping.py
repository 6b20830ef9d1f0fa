"""The entities are the rows: no copies, no lazy relationships, no statement by accident."""

from __future__ import annotations

from functools import cache

from sqlalchemy.orm import registry

from domain.models import DownloadedVideo, DownloadFailure, DownloadTask
from persistence.tables import failures, metadata, tasks, videos


@cache
def start_mappers() -> None:
    """Map the entities onto their tables, once a process.

    A decision made on a task that another transaction has decided on meanwhile is refused by its version;
    measurements leave the version alone.
    """
    mappers = registry(metadata=metadata)
    mappers.map_imperatively(DownloadTask, tasks, version_id_col=tasks.c.version, exclude_properties=[tasks.c.pieces])
    mappers.map_imperatively(DownloadFailure, failures)
    mappers.map_imperatively(DownloadedVideo, videos)
    mappers.configure()  # at once: SQLAlchemy would wait for the first entity that a Session loads
