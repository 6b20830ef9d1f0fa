"""A page costs the same however many tasks there are: in every order, from either end, and narrowed."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from functools import partial
from pathlib import Path
from random import Random
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import Engine, event, insert, text

from domain.models import DownloadTask
from domain.paging import Page, PageRequest
from domain.queries import NEWEST_FIRST, Sort, SortKey, TaskFilter
from domain.values import ResourceType, TaskStatus
from graph.enums import TaskOrderField
from persistence.engine import open_engine
from persistence.tables import tasks
from persistence.unit_of_work import SqlUnitOfWork, uow_factory
from tests.builders import NOW, a_task, on_sqlite_alone
from tests.postgres import PostgresServer

USER = UUID(int=1)
EVERYTHING = TaskFilter()
SORTS: list[Sort] = [(SortKey(field.value, down),) for field in TaskOrderField for down in (False, True)]
NARROWED = {
    "status": TaskFilter(status=(TaskStatus.FAILED,)),
    "several statuses": TaskFilter(status=(TaskStatus.FAILED, TaskStatus.COMPLETED)),
    "type": TaskFilter(resource_type=(ResourceType.IMAGE,)),
    "rare room": TaskFilter(liveroom_id="rare"),
    "since": TaskFilter(created_after=NOW + timedelta(seconds=500)),
    "until": TaskFilter(created_before=NOW + timedelta(seconds=500)),
    "search": TaskFilter(search="ROOM-1"),
}


def rows(count: int) -> Iterator[dict[str, Any]]:
    """With ties in every order but that of creation; one of a thousand in the room ``rare``."""
    chance = Random(count)  # noqa: S311 - the same rows every time
    names = [column.name for column in tasks.c if column.name != "pieces"]
    for number in range(count):
        task = a_task(
            user_id=USER,
            created_at=NOW + timedelta(seconds=number),
            updated_at=NOW + timedelta(seconds=chance.randrange(count)),
            priority=chance.randrange(101),
            progress=chance.randrange(1001) / 1000,
            status=chance.choice(list(TaskStatus)),
            resource_type=chance.choice(list(ResourceType)),
            liveroom_id=f"room-{chance.randrange(100)}" if number % 1000 else "rare",
        )
        yield {name: getattr(task, name) for name in names}


def fill(engine: Engine, count: int) -> None:
    """Statistics too, without which no planner knows how many there are."""
    made = rows(count)
    with engine.begin() as connection:
        for start in range(0, count, 10_000):
            connection.execute(insert(tasks), [next(made) for _ in range(min(10_000, count - start))])
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("ANALYZE"))


def page(uow: SqlUnitOfWork, where: TaskFilter, sort: Sort, request: PageRequest) -> Page[DownloadTask]:
    with uow.reading():
        return uow.tasks.page(USER, where, sort, request)


@on_sqlite_alone
@pytest.mark.parametrize("sort", SORTS, ids=lambda sort: f"{sort[0].field} {'down' if sort[0].descending else 'up'}")
def test_every_order_is_that_of_an_index(uow: SqlUnitOfWork, engine: Engine, sort: Sort) -> None:
    """Nothing is sorted, in either direction, on the first page or a later one."""
    fill(engine, 30)
    calls: list[tuple[str, Any]] = []

    def note(_: object, __: object, statement: str, parameters: object, *___: object) -> None:
        calls.append((statement, parameters))

    event.listen(engine, "before_cursor_execute", note)
    first = page(uow, EVERYTHING, sort, PageRequest(5)).items[-1]
    place = getattr(first, sort[0].field), first.id
    for request in (PageRequest(5, after=place), PageRequest(5, before=place, backward=True)):
        page(uow, EVERYTHING, sort, request)
    event.remove(engine, "before_cursor_execute", note)
    with engine.connect() as connection:
        plans = [
            row.detail
            for statement, parameters in calls
            if statement.startswith("SELECT")
            for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)
        ]
    assert plans
    assert not [line for line in plans if "TEMP B-TREE" in line or line.startswith("SCAN download_tasks")]


# --- a million ---


def fastest(uow: SqlUnitOfWork, where: TaskFilter, sort: Sort, request: PageRequest) -> float:
    def once() -> float:
        began = time.perf_counter()
        page(uow, where, sort, request)
        return time.perf_counter() - began

    return min(once() for _ in range(15))


def requests(uow: SqlUnitOfWork, where: TaskFilter, sort: Sort) -> Iterator[tuple[str, PageRequest]]:
    """The first page, the last one, and two in the middle."""
    yield "first", PageRequest()
    yield "last", PageRequest(backward=True)
    middle = page(uow, where, sort, PageRequest(1, offset=uow_count(uow, where) // 2)).items
    if middle:
        place = getattr(middle[0], sort[0].field), middle[0].id
        yield "after the middle", PageRequest(after=place)
        yield "before the middle", PageRequest(before=place, backward=True)


def uow_count(uow: SqlUnitOfWork, where: TaskFilter) -> int:
    with uow.reading():
        return uow.tasks.count(USER, where)


def is_as_fast(large: Callable[[], float], small: Callable[[], float]) -> bool:
    """At most twice; what is below half a millisecond is not told apart. What else the machine does may pass."""
    return any(large() <= 2 * max(small(), 0.0005) for _ in range(10))


@contextmanager
def filled(url: str, count: int) -> Iterator[SqlUnitOfWork]:
    """With so many tasks."""
    engine = open_engine(url, pool_size=1)
    try:
        fill(engine, count)
        with uow_factory(engine)() as uow:
            assert isinstance(uow, SqlUnitOfWork)
            yield uow
    finally:
        engine.dispose()


@pytest.mark.long
def test_a_page_of_a_million_costs_what_a_page_of_a_thousand_costs(
    database_url: str, postgres: PostgresServer, tmp_path: Path, migrated: Path
) -> None:
    """But for a search that finds next to nothing: it reads all that there is."""
    with ExitStack() as stack:
        if database_url.startswith("sqlite"):
            small_url = f"sqlite:///{shutil.copy(migrated, tmp_path / 'small.db')}"
        else:
            small_url = stack.enter_context(postgres.database())
        small = stack.enter_context(filled(small_url, 1_000))
        large = stack.enter_context(filled(database_url, 1_000_000))
        asked = [("everything", EVERYTHING, sort) for sort in SORTS]
        asked += [(name, where, NEWEST_FIRST) for name, where in NARROWED.items()]
        slower = [
            (name, sort, which)
            for name, where, sort in asked
            for (which, of_small), (_, of_large) in zip(
                requests(small, where, sort), requests(large, where, sort), strict=True
            )
            if not is_as_fast(
                partial(fastest, large, where, sort, of_large), partial(fastest, small, where, sort, of_small)
            )
        ]
    assert slower == []
