"""Runs that report at the same time are written in one transaction."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import pytest
from sqlalchemy import event

from domain.errors import DatabaseError
from domain.models import DownloadTask
from domain.ports import Hold, Measurement, Progress
from domain.reports import Reports
from domain.values import TaskStatus
from tests.builders import NOW, a_failure, a_task
from tests.rooms import Rooms

SOON = 10


def running(**overrides: Any) -> DownloadTask:
    return a_task(**{"status": TaskStatus.PROCESSING, "run_number": 1, "started_at": NOW} | overrides)


def measured(task: DownloadTask, downloaded: int, run_number: int = 1) -> Measurement:
    return Measurement(task.id, run_number, Progress(downloaded, 100), 1.5, NOW)


@dataclass
class Gate:
    """Lets the first transaction begin, and none end, until it is opened."""

    rooms: Rooms
    entered: threading.Event = field(default_factory=threading.Event)
    opened: threading.Event = field(default_factory=threading.Event)
    passed: int = 0

    def open_uow(self) -> Any:
        self.passed += 1
        self.entered.set()
        assert self.opened.wait(SOON)
        return self.rooms.open_uow()


def until_waiting(reports: Reports, number: int) -> None:
    """A thread that waits has no event that we could await."""
    pause = threading.Event()
    while len(reports._waiting) < number:
        assert not pause.wait(0.001)


def test_who_comes_while_another_writes_is_written_with_all_the_others(rooms: Rooms) -> None:
    tasks = [running() for _ in range(20)]
    paused, superseded = running(status=TaskStatus.PENDING, paused=True), running(run_number=2)
    rooms.keep(*tasks, paused, superseded)
    gate = Gate(rooms)
    reports = Reports(gate.open_uow)
    with ThreadPoolExecutor(22) as threads:
        first = threads.submit(reports.write, measured(tasks[0], 10))
        assert gate.entered.wait(SOON)
        others = [threads.submit(reports.write, measured(task, 20)) for task in [*tasks[1:], paused, superseded]]
        until_waiting(reports, 21)
        gate.opened.set()
        holds = [future.result(SOON) for future in [first, *others]]
    assert gate.passed == 2
    assert holds == [Hold(False)] * 20 + [None] * 2
    assert [rooms.task(task.id).bytes_downloaded for task in tasks] == [10] + [20] * 19
    assert [rooms.task(task.id).bytes_downloaded for task in (paused, superseded)] == [0, 0]


def test_so_many_measurements_are_three_statements(rooms: Rooms) -> None:
    """On PostgreSQL the first is one round trip for every hundred."""
    tasks = [running() for _ in range(50)]
    rooms.keep(*tasks)
    sent: list[str] = []
    event.listen(rooms.engine, "before_cursor_execute", lambda *call: sent.append(call[2].split()[0]))
    with rooms.open_uow() as uow, uow:
        holds = uow.tasks.record_progress([measured(task, 10) for task in tasks])
        uow.failures.forget([(task.id, "segment") for task in tasks])
        uow.commit()
    assert holds == [Hold(False)] * 50
    assert [word for word in sent if word != "BEGIN"] == ["UPDATE", "SELECT", "DELETE"]


def test_failures_of_what_arrived_go_with_it_and_no_others(rooms: Rooms) -> None:
    """Nor do those of a run that has lost its task."""
    task, other = running(), running(run_number=2)
    gone, left, foreign = (
        a_failure(task, piece_key="a"),
        a_failure(task, piece_key="b"),
        a_failure(other, piece_key="a"),
    )
    rooms.keep(task, other, gone, left, foreign)
    reports = Reports(rooms.open_uow)
    assert reports.write(measured(task, 1), ["a", "c"]) == Hold(False)
    assert reports.write(measured(other, 1), ["a"]) is None
    assert [failure.id for failure in rooms.failures(task.id)] == [left.id]
    assert [failure.id for failure in rooms.failures(other.id)] == [foreign.id]


def test_what_the_user_asks_for_is_told_to_each(rooms: Rooms) -> None:
    plain, finishing = running(), running(finish_requested=True)
    rooms.keep(plain, finishing)
    with rooms.open_uow() as uow, uow:
        assert uow.tasks.record_progress([measured(finishing, 1), measured(plain, 1)]) == [Hold(True), Hold(False)]


def test_an_error_is_everyones_and_the_next_report_is_written(rooms: Rooms) -> None:
    task = running()
    rooms.keep(task)
    down = [True]

    def open_uow() -> Any:
        if down:
            raise DatabaseError
        return rooms.open_uow()

    reports = Reports(open_uow)
    with pytest.raises(DatabaseError):
        reports.write(measured(task, 10))
    assert rooms.task(task.id).bytes_downloaded == 0
    down.clear()
    assert reports.write(measured(task, 10)) == Hold(False)
    assert rooms.task(task.id).bytes_downloaded == 10
