"""Start answers at once, or waits without holding a thread."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from domain.models import DownloadTask, utc_now
from domain.values import TaskStatus
from main import THREADS
from persistence.unit_of_work import uow_factory
from tests.builders import a_task
from tests.rest import Rest, User, running_rest


@pytest.fixture(scope="module")
def rest(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rest]:
    with running_rest(tmp_path_factory.mktemp("rest")) as running:
        yield running


@pytest.fixture
def user(rest: Rest) -> User:
    return rest.user()


def settle(rest: Rest, task: DownloadTask) -> None:
    """As its run would."""
    with uow_factory(rest.database)() as uow, uow:
        running = uow.tasks.find(task.id, for_update=True)
        assert running is not None
        running.settle(TaskStatus.COMPLETED, 1.0, None, utc_now())
        uow.commit()


@pytest.mark.parametrize("state", ["pending", "failed", "partial_completed"])
def test_at_once(rest: Rest, user: User, state: str) -> None:
    task = a_task(user_id=user.id, status=TaskStatus(state))
    rest.keep(task)
    began = time.monotonic()
    assert user.data("POST", f"/tasks/{task.id}/start")["status"] == "processing"
    assert time.monotonic() - began < 2


def test_a_paused_task_goes_on(rest: Rest, user: User) -> None:
    task = a_task(user_id=user.id, paused=True, progress=0.5)
    rest.keep(task)
    data = user.data("POST", f"/tasks/{task.id}/start")
    assert (data["status"], data["progress"]) == ("processing", 0.5)


def test_until_the_task_is_at_rest(rest: Rest, user: User) -> None:
    task = a_task(user_id=user.id)
    rest.keep(task)
    end = threading.Timer(0.6, settle, (rest, task))
    end.start()
    began = time.monotonic()
    data = user.data("POST", f"/tasks/{task.id}/start?wait=20")
    assert (data["status"], data["progress"]) == ("completed", 1.0)
    assert 0.5 < time.monotonic() - began < 5
    end.join()


def test_no_longer_than_asked(rest: Rest, user: User) -> None:
    task = a_task(user_id=user.id)
    rest.keep(task)
    began = time.monotonic()
    assert user.data("POST", f"/tasks/{task.id}/start?wait=0.7")["status"] == "processing"
    assert 0.6 < time.monotonic() - began < 3


@pytest.mark.parametrize("state", ["completed", "cancelled"])
def test_not_at_all_where_nothing_runs(rest: Rest, user: User, state: str) -> None:
    task = a_task(user_id=user.id, status=TaskStatus(state))
    rest.keep(task)
    began = time.monotonic()
    assert user.data("POST", f"/tasks/{task.id}/start?wait=20")["status"] == state
    assert time.monotonic() - began < 2


def test_a_task_that_is_deleted_meanwhile(rest: Rest, user: User) -> None:
    task = a_task(user_id=user.id)
    rest.keep(task)
    end = threading.Timer(0.4, user.data, ("DELETE", f"/tasks/{task.id}"))
    end.start()
    answer = user.send("POST", f"/tasks/{task.id}/start?wait=20")
    assert rest.check(answer, 404, 404, "任务不存在") is None
    end.join()


def test_waiting_holds_no_thread(rest: Rest, user: User) -> None:
    """More wait than there are threads, and others are answered meanwhile."""
    tasks = [a_task(user_id=user.id) for _ in range(THREADS + 4)]
    rest.keep(*tasks)
    with ThreadPoolExecutor(len(tasks)) as pool:
        waiting = [pool.submit(user.data, "POST", f"/tasks/{task.id}/start?wait=4") for task in tasks]
        while user.data("GET", "/tasks?status=processing")["total"] < len(tasks):
            assert not any(each.done() for each in waiting)
        began = time.monotonic()
        user.data("GET", "/tasks")
        assert time.monotonic() - began < 1
        assert not any(each.done() for each in waiting)
        assert {each.result()["status"] for each in waiting} == {"processing"}
