"""Large films through the service: killed, paused, replaced at the origin, and never mixed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from xxhash import xxh3_128

from tests import media
from tests.e2e.service import Service, User, wait_until
from tests.origin import Hit, Origin
from tests.origin_faults import status

MIB = 1024 * 1024
RATE = MIB // 2  # bytes a second, a connection: one alone takes 48 s
FILM = media.mp4(min_bytes=24 * MIB)
SECOND = 16 * RATE  # bytes: what a killed process has fetched since it last wrote down how far it was
SLACK = 2 * MIB  # bytes that were on their way when a connection was closed


@pytest.fixture
def origin() -> Iterator[Origin]:
    with Origin(rate=RATE) as running:
        running.put("/film.mp4", FILM, etag='"one"')
        yield running


def create(user: User, origin: Origin) -> Any:
    return user.create(origin.url("/film.mp4"), "MP4")


def arrived(user: User, task_id: str, film: bytes = FILM) -> None:
    """The task is complete, byte by byte, and nothing temporary is left."""
    task = user.wait(task_id)
    assert (task["status"], task["progress"], task["failures"]["totalCount"]) == ("COMPLETED", 1.0, 0)
    assert (task["bytesDownloaded"], task["bytesTotal"]) == (len(film), len(film))
    files = user.service.files()
    path = task["video"]["storagePath"]
    assert files[path] == film
    folder = path.partition("/")[0]
    assert files[f"{folder}/digests.xxh128"].decode().split() == [xxh3_128(film).hexdigest(), path.partition("/")[2]]
    assert user.service.temporary_files() == []


def past(share: float) -> Callable[[Any], bool]:
    """Whether a task has more than this share of its bytes."""
    return lambda task: bool(task["bytesDownloaded"] > share * len(FILM))


def sent(hits: list[Hit]) -> int:
    return sum(hit.bytes_sent for hit in hits)


def test_a_film_from_a_slow_host_comes_over_many_connections(service: Service, origin: Origin) -> None:
    user = service.user()
    task = create(user, origin)
    seen: list[int] = []

    def rising(task: Any) -> bool:
        seen.append(task["bytesDownloaded"])
        return bool(task["status"] == "COMPLETED")

    user.watch(task["id"], rising, timeout=20)

    arrived(user, task["id"])
    assert seen == sorted(seen)
    assert origin.max_concurrent == 16
    assert sent(origin.log) < len(FILM) + SLACK


@pytest.mark.parametrize("share", [0.1, 0.4, 0.8])
def test_after_a_kill_only_what_is_missing_is_fetched(service: Service, origin: Origin, share: float) -> None:
    user = service.user()
    task = create(user, origin)
    present = user.watch(task["id"], past(share))["bytesDownloaded"]

    service.kill()
    wait_until(lambda: all(hit.ended for hit in origin.log), "the connections to close")
    before = len(origin.log)
    service.start()

    arrived(user, task["id"])
    assert sent(origin.log[before:]) < len(FILM) - present + SECOND + SLACK


def test_a_pause_loses_nothing(service: Service, origin: Origin) -> None:
    user = service.user()
    task = create(user, origin)
    for share in (0.2, 0.5):
        user.watch(task["id"], past(share))
        user.move("pauseTask", task["id"])
        user.move("resumeTask", task["id"])

    arrived(user, task["id"])
    assert sent(origin.log) < len(FILM) + 2 * SLACK


def test_a_film_that_is_replaced_while_paused_starts_anew(service: Service, origin: Origin) -> None:
    other = FILM[:-MIB] + bytes(MIB)
    user = service.user()
    task = create(user, origin)
    user.watch(task["id"], past(0.5))
    user.move("pauseTask", task["id"])
    origin.put("/film.mp4", other, etag='"two"')
    user.move("resumeTask", task["id"])

    arrived(user, task["id"], other)


def test_a_range_that_is_refused_is_a_failure_and_the_retry_fetches_the_rest(service: Service, origin: Origin) -> None:
    user = service.user()
    task = create(user, origin)
    user.watch(task["id"], past(0.5))
    user.move("pauseTask", task["id"])
    origin.fail("/film.mp4", status(403))
    user.move("resumeTask", task["id"])
    task = user.wait(task["id"])
    assert (task["status"], task["lastError"]) == ("FAILED", "expired: HTTP 403")
    assert [(f["failureType"], f["errorMessage"]) for f in task["failures"]["nodes"]] == [
        ("PERMISSION_ERROR", "expired: HTTP 403")
    ]

    origin.heal()
    before = len(origin.log)
    user.move("retryTask", task["id"])

    arrived(user, task["id"])
    assert sent(origin.log[before:]) < len(FILM) / 2 + SLACK
