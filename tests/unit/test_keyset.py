from __future__ import annotations

from datetime import datetime, timedelta
from functools import partial
from random import Random
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import event

from domain.errors import BadArgumentError, SortFieldError
from domain.models import DownloadTask
from domain.paging import Page, PageRequest, Position
from domain.queries import NEWEST_FIRST, TASK_COLUMNS, FailureFilter, Sort, SortKey, TaskFilter
from domain.values import TaskStatus
from persistence.keyset import Listing, order_of
from persistence.shown import SHOWN_TASKS
from persistence.tables import tasks
from persistence.unit_of_work import SqlUnitOfWork
from tests.builders import NOW, a_failure, a_task, keep, on_sqlite_alone

AN_ID = UUID("5f0c1f2e-7d0a-4b7e-9c55-2f4a6f0f3c11")
USER = UUID(int=1)
EVERYTHING = TaskFilter()
OLDEST_FIRST: Sort = (SortKey("created_at"),)


def page(uow: SqlUnitOfWork, sort: Sort, request: PageRequest) -> Page[DownloadTask]:
    with uow.reading():
        return uow.tasks.page(USER, EVERYTHING, sort, request)


def position(task: DownloadTask, sort: Sort) -> Position:
    return (*(getattr(task, key.field) for key in sort), task.id)


def at(second: int) -> datetime:
    return NOW + timedelta(seconds=second)


def some_tasks(count: int) -> list[DownloadTask]:
    """With ties in every column, and nulls where there may be any."""
    chance = Random(5)  # noqa: S311 - the same rows every time
    return [
        a_task(
            user_id=USER,
            created_at=at(chance.randrange(4)),
            priority=chance.choice([0, 50, 100]),
            progress=chance.choice([0.0, 0.1 + 0.2, 1.0]),
            status=chance.choice(list(TaskStatus)),
            liveroom_title=chance.choice([None, "a", "b"]),
            completed_at=chance.choice([None, at(1), at(2)]),
        )
        for _ in range(count)
    ]


def in_order(tasks: list[DownloadTask], sort: Sort) -> list[UUID]:
    """Null is the greatest value."""
    for key in reversed((*sort, SortKey("id", sort[-1].descending))):
        tasks = sorted(tasks, key=partial(nulls_last, key.field), reverse=key.descending)
    return [task.id for task in tasks]


def nulls_last(field: str, task: DownloadTask) -> tuple[bool, Any]:
    value = getattr(task, field)
    return value is None, value


SORTS: list[Sort] = [
    NEWEST_FIRST,
    OLDEST_FIRST,
    (SortKey("priority", True), SortKey("created_at")),
    (SortKey("status"), SortKey("progress", True)),
    (SortKey("completed_at"),),
    (SortKey("completed_at", True), SortKey("liveroom_title")),
]


@pytest.mark.parametrize("sort", SORTS, ids=str)
def test_pages_forth_and_back_give_every_row_once(uow: SqlUnitOfWork, sort: Sort) -> None:
    tasks = some_tasks(23)
    keep(uow, *tasks, a_task())
    expected = in_order(tasks, sort)
    forth: list[UUID] = []
    back: list[UUID] = []
    cursor: Position | None = None
    for number in range(5):
        found = page(uow, sort, PageRequest(5, after=cursor))
        forth += [task.id for task in found.items]
        assert (found.has_previous, found.has_next) == (number > 0, number < 4)
        cursor = position(found.items[-1], sort)
    cursor = None
    for number in range(5):
        found = page(uow, sort, PageRequest(5, before=cursor, backward=True))
        back = [task.id for task in found.items] + back
        assert (found.has_previous, found.has_next) == (number < 4, number > 0)
        cursor = position(found.items[0], sort)
    assert forth == back == expected
    by_offset = [page(uow, sort, PageRequest(10, offset=offset)) for offset in (0, 10, 20)]
    assert [task.id for found in by_offset for task in found.items] == expected
    assert [(found.has_previous, found.has_next) for found in by_offset] == [
        (False, True),
        (True, True),
        (True, False),
    ]


def test_rows_that_come_and_go_neither_repeat_nor_hide_others(uow: SqlUnitOfWork) -> None:
    old = [a_task(user_id=USER, created_at=at(second)) for second in range(9)]
    keep(uow, *old)
    first = page(uow, NEWEST_FIRST, PageRequest(3))
    assert [task.created_at for task in first.items] == [at(8), at(7), at(6)]
    keep(uow, a_task(user_id=USER, created_at=at(20)))
    with uow:
        for second in (6, 5):  # the row the cursor stands on, and the next
            gone = uow.tasks.find(old[second].id)
            assert gone is not None
            uow.tasks.delete(gone)
        uow.commit()
    second_page = page(uow, NEWEST_FIRST, PageRequest(3, after=position(first.items[-1], NEWEST_FIRST)))
    assert [task.created_at for task in second_page.items] == [at(4), at(3), at(2)]
    assert second_page.has_previous
    before = PageRequest(5, before=position(second_page.items[0], NEWEST_FIRST), backward=True)
    back = page(uow, NEWEST_FIRST, before)
    assert [task.created_at for task in back.items] == [at(20), at(8), at(7)]
    assert (back.has_previous, back.has_next) == (False, True)


def test_a_page_between_two_positions(uow: SqlUnitOfWork) -> None:
    tasks = [a_task(user_id=USER, created_at=at(second)) for second in range(6)]
    keep(uow, *tasks)
    start, stop = position(tasks[0], OLDEST_FIRST), position(tasks[4], OLDEST_FIRST)
    first = page(uow, OLDEST_FIRST, PageRequest(2, after=start, before=stop))
    assert [task.created_at for task in first.items] == [at(1), at(2)]
    assert (first.has_previous, first.has_next) == (True, True)
    last = page(uow, OLDEST_FIRST, PageRequest(5, after=start, before=stop, backward=True))
    assert [task.created_at for task in last.items] == [at(1), at(2), at(3)]
    assert (last.has_previous, last.has_next) == (True, True)


def test_an_empty_page_knows_its_neighbours(uow: SqlUnitOfWork) -> None:
    assert page(uow, NEWEST_FIRST, PageRequest()) == Page([])
    task = a_task(user_id=USER)
    keep(uow, task)
    assert page(uow, NEWEST_FIRST, PageRequest(after=position(task, NEWEST_FIRST))) == Page([], has_previous=True)
    before = PageRequest(before=position(task, NEWEST_FIRST), backward=True)
    assert page(uow, NEWEST_FIRST, before) == Page([], has_next=True)


@pytest.mark.parametrize(
    "cursor",
    [(), (NOW,), (NOW, AN_ID, 1), ("2025-06-14", AN_ID), (NOW, "no id"), (None, AN_ID), (5, AN_ID)],
    ids=str,
)
def test_a_cursor_of_another_order_is_refused(uow: SqlUnitOfWork, cursor: Any) -> None:
    for request in (PageRequest(after=cursor), PageRequest(before=cursor, backward=True)):
        with pytest.raises(BadArgumentError):
            page(uow, NEWEST_FIRST, request)


@pytest.mark.parametrize("field", ["sealed_headers", "run_number", "version", "id; DROP TABLE purges", ""])
def test_only_listed_columns_sort(uow: SqlUnitOfWork, field: str) -> None:
    with pytest.raises(SortFieldError):
        page(uow, (SortKey(field),), PageRequest())


@on_sqlite_alone
def test_a_users_page_is_one_range_of_an_index(uow: SqlUnitOfWork) -> None:
    engine = uow._session.get_bind()
    statements: list[tuple[str, Any]] = []
    event.listen(engine, "before_cursor_execute", lambda *call: statements.append((call[2], call[3])))
    page(uow, NEWEST_FIRST, PageRequest(after=(NOW, uuid4())))
    with uow.reading():
        uow.tasks.page(USER, TaskFilter(status=(TaskStatus.FAILED,)), NEWEST_FIRST, PageRequest())
        uow.failures.page(USER, FailureFilter(), NEWEST_FIRST, PageRequest(), task_id=uuid4())
    selects = [call for call in statements if call[0].startswith("SELECT download")]
    plans = []
    with uow.reading():
        for statement, parameters in selects:
            plan = uow._session.connection().exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)
            plans.append([row.detail for row in plan])
    assert plans == [
        ["SEARCH download_tasks USING INDEX idx_download_tasks_newest (user_id=? AND (created_at,id)<(?,?))"],
        ["SEARCH download_tasks USING INDEX idx_download_tasks_newest_of_status (user_id=? AND status=?)"],
        [
            "SEARCH download_tasks USING INDEX sqlite_autoindex_download_tasks_1 (id=?)",
            "SEARCH download_failures USING INDEX idx_download_failures_newest (task_id=?)",
        ],
    ]


def test_failures_page_like_tasks(uow: SqlUnitOfWork) -> None:
    task = a_task(user_id=USER)
    lost = [a_failure(task, next_retry_time=at(n) if n % 2 else None, piece_key=str(n)) for n in range(6)]
    keep(uow, task, *lost)
    sort: Sort = (SortKey("next_retry_time", True),)
    with uow.reading():
        first = uow.failures.page(USER, FailureFilter(), sort, PageRequest(4))
        cursor = (first.items[-1].next_retry_time, first.items[-1].id)
        rest = uow.failures.page(USER, FailureFilter(), sort, PageRequest(4, after=cursor))
    assert [failure.next_retry_time for failure in first.items] == [None, None, None, at(5)]
    assert [failure.next_retry_time for failure in rest.items] == [at(3), at(1)]


@pytest.mark.parametrize("down", [False, True])
def test_a_filter_on_the_order_itself_holds_on_every_page(uow: SqlUnitOfWork, down: bool) -> None:
    """It is left out of the statement only where the position says more."""
    tasks = [a_task(user_id=USER, created_at=at(second)) for second in range(10)]
    keep(uow, *tasks)
    where = TaskFilter(created_after=at(1), created_before=at(8))
    sort: Sort = (SortKey("created_at", down),)
    within = sorted(tasks[2:8], key=lambda task: task.created_at, reverse=down)

    def look(request: PageRequest) -> tuple[list[UUID], bool, bool]:
        with uow.reading():
            page = uow.tasks.page(USER, where, sort, request)
        return [task.id for task in page.items], page.has_previous, page.has_next

    ids = [task.id for task in within]
    assert look(PageRequest(9, after=position(within[1], sort))) == (ids[2:], True, False)
    assert look(PageRequest(9, before=position(within[4], sort), backward=True)) == (ids[:4], False, True)
    outside = position(sorted(tasks, key=lambda task: task.created_at, reverse=down)[0], sort)
    assert look(PageRequest(9, after=outside)) == (ids, False, False)
    assert look(PageRequest(9, before=outside)) == ([], False, True)


def test_a_listing_keeps_one_statement_for_first_pages_of_every_size() -> None:
    listing = Listing(SHOWN_TASKS, SHOWN_TASKS.rows(tasks), order_of(tasks, TASK_COLUMNS, NEWEST_FIRST))
    kept = {id(listing.statement(PageRequest(size, backward=last))) for size in range(1, 101) for last in (True, False)}
    assert len(kept) == 2
