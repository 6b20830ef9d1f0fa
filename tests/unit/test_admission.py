from __future__ import annotations

import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from uuid import UUID, uuid4

import pytest

from domain.models import DownloadTask
from domain.ports import AdmissionLimits, UnitOfWork, UnitOfWorkFactory
from domain.values import TaskStatus
from persistence.admission import Queue, in_turn
from tests.builders import NOW, a_task, keep

A, B, C = (UUID(int=number) for number in (1, 2, 3))


def at(second: float) -> datetime:
    return NOW + timedelta(seconds=second)


def waiting(user: UUID, second: float = 0, priority: int = 50) -> DownloadTask:
    return a_task(user_id=user, status=TaskStatus.PROCESSING, queued_at=at(second), priority=priority)


def admit(uow: UnitOfWork, total: int, per_user: int, second: float = 0) -> list[UUID]:
    with uow:
        admitted = uow.tasks.admit(AdmissionLimits(total, per_user), at(second))
        uow.commit()
    return admitted


def end(uow: UnitOfWork, task_id: UUID) -> None:
    with uow:
        task = uow.tasks.find(task_id)
        assert task is not None
        task.settle(TaskStatus.COMPLETED, 1.0, None, NOW)
        uow.commit()


def ids(*tasks: DownloadTask) -> list[UUID]:
    return [task.id for task in tasks]


# --- whose turn it is ---


def queue(user: UUID, running: int, waiting: int, oldest: float = 0, served: float | None = None) -> Queue:
    return Queue(user, running, waiting, at(oldest), None if served is None else at(served))


@pytest.mark.parametrize(
    ("queues", "free", "per_user", "turns"),
    [
        ([], 3, 10, ""),
        ([queue(A, 0, 2)], 3, 10, "AA"),
        ([queue(A, 0, 9)], 3, 2, "AA"),
        ([queue(A, 2, 9)], 3, 2, ""),
        ([queue(A, 3, 9)], 3, 2, ""),  # the limit was lowered
        ([queue(A, 0, 9000, oldest=-9), queue(B, 0, 1)], 4, 10, "ABAA"),
        ([queue(A, 1, 9), queue(B, 0, 9, oldest=5)], 4, 10, "BABA"),
        ([queue(A, 0, 2, served=5), queue(B, 0, 2, served=4), queue(C, 0, 2, oldest=9)], 5, 10, "CBACB"),
        ([queue(A, 0, 1, oldest=2), queue(B, 0, 1, oldest=1), queue(C, 0, 1, oldest=3)], 3, 10, "BAC"),
    ],
)
def test_users_take_turns(queues: list[Queue], free: int, per_user: int, turns: str) -> None:
    names = {A: "A", B: "B", C: "C"}
    assert "".join(names[user] for user in in_turn(queues, free, per_user)) == turns


# --- in the database ---


def test_higher_priority_goes_first_then_the_longer_wait(uow: UnitOfWork) -> None:
    late, early, urgent, idle = waiting(A, 2), waiting(A, 1), waiting(A, 3, priority=100), waiting(A, 0, priority=0)
    keep(uow, late, early, urgent, idle)
    assert admit(uow, 10, 3) == ids(urgent, early, late)
    assert admit(uow, 10, 4) == ids(idle)


def test_only_started_tasks_that_wait_are_admitted(uow: UnitOfWork) -> None:
    task = waiting(A)
    keep(uow, task, *(a_task(user_id=A, status=status) for status in TaskStatus if status != "processing"))
    assert admit(uow, 10, 10, second=5) == ids(task)
    assert admit(uow, 10, 10) == []
    with uow.reading():
        assert uow.tasks.admitted() == ids(task)
        row = uow.tasks.find(task.id)
    assert row is not None
    assert (row.admitted_at, row.started_at, row.queued_at, row.version) == (at(5), None, at(0), 1)


def test_limits_hold_for_all_and_for_each(uow: UnitOfWork) -> None:
    keep(uow, *(waiting(user, second) for second in range(6) for user in (A, B, C)))
    assert len(admit(uow, 5, 2)) == 5
    assert admit(uow, 5, 2) == []
    assert len(admit(uow, 9, 2)) == 1
    assert admit(uow, 9, 2) == []
    assert admit(uow, 4, 3) == []
    with uow.reading():
        admitted = uow.tasks.admitted()
        assert Counter(uow.tasks.find(task_id).user_id for task_id in admitted) == {A: 2, B: 2, C: 2}  # type: ignore[union-attr]  # each was admitted just now


def test_one_with_many_delays_nobody(uow: UnitOfWork) -> None:
    """One slot: a user with 50 waiting, and one who comes later with a single task."""
    keep(uow, *(waiting(A, second) for second in range(50)))
    [running] = admit(uow, 1, 10, second=60)
    keep(uow, single := waiting(B, 61))
    end(uow, running)
    assert admit(uow, 1, 10, second=62) == ids(single)


def test_users_with_many_are_served_by_turns(uow: UnitOfWork) -> None:
    keep(uow, *(waiting(user, second) for second in range(5) for user in (A, B, C)))
    served = []
    for second in range(9):
        [task_id] = admit(uow, 1, 10, second=10 + second)
        with uow.reading():
            served.append(uow.tasks.find(task_id).user_id)  # type: ignore[union-attr]  # it was admitted just now
        end(uow, task_id)
    assert Counter(served[:3]) == Counter(served[3:6]) == Counter(served[6:]) == {A: 1, B: 1, C: 1}
    assert served[:3] == served[3:6] == served[6:]


def test_a_task_started_in_the_same_transaction_is_admitted_at_once(uow: UnitOfWork) -> None:
    task = a_task()
    keep(uow, task)
    with uow:
        mine = uow.tasks.get(task.user_id, task.id, for_update=True)
        assert mine is not None
        mine.start(at(1))
        uow.flush()
        assert uow.tasks.admit(AdmissionLimits(1, 1), at(2)) == [task.id]
        uow.commit()
    assert (mine.queued_at, mine.admitted_at) == (at(1), at(2))


def test_what_rolls_back_was_never_admitted(uow: UnitOfWork) -> None:
    keep(uow, task := waiting(A))
    with uow:
        assert uow.tasks.admit(AdmissionLimits(1, 1), NOW) == ids(task)
    assert admit(uow, 1, 1) == ids(task)


def test_a_task_that_goes_back_keeps_its_place(uow: UnitOfWork) -> None:
    first, second = waiting(A, 1), waiting(A, 2)
    keep(uow, first, second)
    assert admit(uow, 1, 1) == ids(first)
    with uow:
        uow.tasks.return_to_queue(ids(first), NOW)
        uow.commit()
    assert admit(uow, 1, 1) == ids(first)


def test_admissions_at_the_same_time_never_exceed_a_limit(open_uow: UnitOfWorkFactory, uow: UnitOfWork) -> None:
    users = [uuid4() for _ in range(5)]
    keep(uow, *(waiting(user, second) for second in range(20) for user in users))
    together = threading.Barrier(6)

    def admit_some() -> list[UUID]:
        with open_uow() as mine:
            together.wait()
            return [task_id for _ in range(5) for task_id in admit(mine, 17, 4)]

    with ThreadPoolExecutor(6) as threads:
        admitted = [task_id for future in [threads.submit(admit_some) for _ in range(6)] for task_id in future.result()]
    assert len(admitted) == len(set(admitted)) == 17
    with uow.reading():
        rows = [uow.tasks.find(task_id) for task_id in admitted]
    assert max(Counter(row.user_id for row in rows if row is not None).values()) == 4


def test_a_long_queue_of_one_leaves_the_others_their_share(uow: UnitOfWork) -> None:
    """2,000 waiting, 1,800 of one user."""
    users = [uuid4() for _ in range(20)]
    crowd, others = users[0], users[1:]
    keep(uow, *(waiting(crowd if n < 1800 else others[n % 19], n) for n in range(2000)))
    admitted = admit(uow, 100, 10)
    with uow.reading():
        rows = [uow.tasks.find(task_id) for task_id in admitted]
    counts = Counter(row.user_id for row in rows if row is not None)
    assert counts[crowd] in (5, 6)
    assert {counts[user] for user in others} == {5}
