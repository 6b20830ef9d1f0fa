"""Many tasks of many users at once, over one SQLite file."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests import media
from tests.e2e.service import Service, User
from tests.origin import Hit, Origin

LONG = os.environ.get("TEST_LONG") == "1"
LIST = (
    "{ tasks(first: 100) { totalCount nodes { id status failures { totalCount } video { id } } } viewer { waiting } }"
)


@contextmanager
def a_service(folder: Path, origin: Origin, **settings: str) -> Iterator[Service]:
    with Service(folder, EGRESS_ALLOW=origin.host_port, AUTO_RETRY="false", **settings) as running:
        yield running


def check_the_log(service: Service) -> None:
    """No fault, and nothing about a lock that could not be had."""
    text = service.log.read_text()
    assert "locked" not in text
    assert [line for line in map(json.loads, text.splitlines()) if line["log.level"] not in ("info", "warning")] == []


@pytest.mark.parametrize(("users", "each"), [(5, 10), *([(20, 25)] if LONG else [])])
def test_tasks_of_many_users_all_complete(tmp_path: Path, origin: Origin, users: int, each: int) -> None:
    """All create at once, and look at what there is after each; no answer but 200 passes ``execute``."""
    stream, film, picture = media.many_segments(12), media.mp4(), media.png()
    origin.put_all(stream.files, under="/stream/")
    origin.put("/film.mp4", film)
    origin.put("/picture.png", picture)
    kinds = {f"/stream/{stream.media}": "HLS", "/film.mp4": "MP4", "/picture.png": "IMAGE"}

    def work(user: User) -> list[str]:
        ids = []
        for number in range(each):
            path, kind = list(kinds.items())[number % 3]
            ids.append(str(user.create(origin.url(path), kind)["id"]))
            user.execute(LIST)
        return ids

    with a_service(tmp_path, origin) as service, ThreadPoolExecutor(users) as pool:
        everyone = [service.user() for _ in range(users)]
        created = list(zip(everyone, pool.map(work, everyone), strict=True))
        tasks = [user.wait(task_id, timeout=2 * users * each) for user, ids in created for task_id in ids]
        assert Counter(task["status"] for task in tasks) == {"COMPLETED": users * each}
        sizes = {"hls": sum(map(len, stream.segments)), "mp4": len(film), "image": len(picture)}
        stored = {task["video"]["storagePath"]: task["video"]["fileSize"] for task in tasks}
        assert stored == {path: sizes[path.split("/")[1]] for path in stored}
        assert len(stored) == users * each
        assert all(service.media(path).exists() for path in stored)
        assert service.temporary_files() == []
        check_the_log(service)


@dataclass(frozen=True)
class Slots:
    """The limits; and how many other users have taken them all while five users' tasks come in."""

    total: int
    per_user: int
    busy: int

    @property
    def settings(self) -> dict[str, str]:
        return {"MAX_CONCURRENT_TASKS": str(self.total), "MAX_CONCURRENT_TASKS_PER_USER": str(self.per_user)}


@pytest.mark.parametrize(
    ("slots", "shares"),
    [(Slots(12, 3, 4), [2, 2, 2, 3, 3]), (Slots(3, 10, 1), [0, 0, 1, 1, 1]), (Slots(99, 4, 0), [4] * 5)],
    ids=str,
)
def test_the_limits_hold_while_everything_waits(
    tmp_path: Path, origin: Origin, slots: Slots, shares: list[int]
) -> None:
    """A task is one request here: as many are held as tasks run. What they get in the end is no picture."""
    origin.put("/busy.png", b"noise")
    busy_gate, gates = origin.hold("/busy.png"), {}
    taken = min(slots.total, slots.per_user)
    with a_service(tmp_path, origin, **slots.settings) as service:
        for user in [service.user() for _ in range(slots.busy)] * taken:
            user.create(origin.url("/busy.png"), "IMAGE")
        busy_gate.wait_until_held(slots.busy * taken)
        users = [service.user() for _ in shares]
        for user in users:
            origin.put(f"/{user.id}.png", b"noise")
            gates[user] = origin.hold(f"/{user.id}.png")
        with ThreadPoolExecutor(10) as pool:
            tasks = list(pool.map(lambda user: (user, user.create(origin.url(f"/{user.id}.png"), "IMAGE")), users * 10))

        busy_gate.release()

        running = sum(shares)
        origin.wait_for_hits(lambda hit: hit.path != "/busy.png", running)
        assert sorted(origin.hits(f"/{user.id}.png") for user in users) == shares
        waiting = sum(user.execute("{ viewer { waiting } }")["viewer"]["waiting"] for user in users)
        assert waiting == len(tasks) - running
        for gate in gates.values():
            gate.release()
        assert {user.wait(task["id"])["status"] for user, task in tasks} == {"FAILED"}
        assert _most_at_once(origin.log) == running
        of_users = [[hit for hit in origin.log if str(user.id) in hit.path] for user in users]
        assert max(map(_most_at_once, of_users)) <= slots.per_user
        check_the_log(service)


def _most_at_once(hits: list[Hit]) -> int:
    """A request that ends as another begins is not beside it."""
    moments = sorted(
        [(hit.started, 1) for hit in hits] + [(hit.ended, -1) for hit in hits if hit.ended is not None],
    )
    now = most = 0
    for _, step in moments:
        now += step
        most = max(most, now)
    return most


def test_users_take_turns_and_the_most_urgent_goes_first(tmp_path: Path, origin: Origin) -> None:
    """With one slot, what runs is a sequence: the one with many waiting delays nobody with one."""
    origin.put("/held.png", media.png())
    gate = origin.hold("/held.png")
    with a_service(tmp_path, origin, MAX_CONCURRENT_TASKS="1") as service:
        busy, many, few, one = (service.user() for _ in range(4))
        busy.create(origin.url("/held.png"), "IMAGE")
        gate.wait_until_held()
        started = [
            *((many, f"/many/{number}/{priority}.png", priority) for number, priority in enumerate([10, 50, 90, 50])),
            (few, "/few/0/50.png", 50),
            (few, "/few/1/51.png", 51),
            (one, "/one/0/0.png", 0),
        ]
        tasks = []
        for user, path, priority in started:
            origin.put(path, media.png())
            tasks.append((user, user.create(origin.url(path), "IMAGE", priority=priority)["id"]))

        gate.release()

        assert [user.wait(task_id)["status"] for user, task_id in tasks] == ["COMPLETED"] * len(tasks)
        assert [hit.path for hit in origin.log][1:] == [
            "/many/2/90.png",
            "/few/1/51.png",
            "/one/0/0.png",
            "/many/1/50.png",
            "/few/0/50.png",
            "/many/3/50.png",
            "/many/0/10.png",
        ]


def test_a_changed_priority_counts_while_a_task_waits(tmp_path: Path, origin: Origin) -> None:
    paths = [f"/{number}.png" for number in range(4)]
    for path in paths:
        origin.put(path, media.png())
    gate = origin.hold(paths[0])
    with a_service(tmp_path, origin, MAX_CONCURRENT_TASKS_PER_USER="1") as service:
        user = service.user()
        ids = [user.create(origin.url(path), "IMAGE")["id"] for path in paths]
        gate.wait_until_held()
        assert user.errors("updateTask", id=ids[3], input={"priority": 51}) == []
        assert user.errors("updateTask", id=ids[1], input={"priority": 0}) == []
        gate.release()
        assert [user.wait(task_id)["status"] for task_id in ids] == ["COMPLETED"] * 4
        assert [hit.path for hit in origin.log] == [paths[0], paths[3], paths[2], paths[1]]
