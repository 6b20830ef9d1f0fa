"""Origins that send something else: every loss is a row that says why, and no task claims to be complete."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

import pytest

from tests import media
from tests.e2e.bad_origins import (
    ANSWERS,
    FILES,
    PLACES,
    PLAYLISTS,
    REFUSED,
    RESTS,
    STREAMS,
    Case,
    Loss,
    Name,
    all_cases,
    path_of,
)
from tests.e2e.service import Service, User
from tests.origin import Origin
from tests.origin_faults import retry_after


@dataclass(frozen=True)
class World:
    """A service, the origins it may fetch from, and what has become of every case."""

    service: Service
    origins: Mapping[str, Origin]
    cases: Mapping[Name, Case]
    outcomes: Mapping[Name, Any]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """All cases are fetched side by side: most of them wait most of the time."""
    with ExitStack() as stack:
        origins = {name: stack.enter_context(Origin()) for name in ("main", "busy", *RESTS)}
        closed = stack.enter_context(socket.socket())
        closed.bind(("127.0.0.1", 0))  # and never listens
        port: int = closed.getsockname()[1]
        settings = {
            "EGRESS_ALLOW": ",".join([*(origin.host_port for origin in origins.values()), f"127.0.0.1:{port}"]),
            "AUTO_RETRY": "false",
            "MAX_CONCURRENT_TASKS": "200",
            "MAX_CONCURRENT_TASKS_PER_USER": "200",
            "MAX_SEGMENTS": "100",
            "REQUEST_TIMEOUT_SECONDS": "2",
        }
        service = stack.enter_context(Service(tmp_path_factory.mktemp("service"), **settings))
        cases = dict(all_cases(origins, port))
        yield World(service, origins, cases, _outcomes(service.user(), cases))


def _outcomes(user: User, cases: Mapping[Name, Case]) -> dict[Name, Any]:
    """Every task, at rest."""
    new = [
        {"resourceUrl": case.url, "resourceType": case.kind, "liveroomId": "room-1", "autoStart": True}
        for case in cases.values()
    ]
    ids = []
    for batch in (new[:100], new[100:]):
        payloads = user.call("createTasks", "task { id }", inputs=batch).json()["data"]["createTasks"]
        ids += [payload["task"]["id"] for payload in payloads]
    return {name: user.wait(task_id) for name, task_id in zip(cases, ids, strict=True)}


def check(world: World, *name: str) -> None:
    """The task has failed, and says why in its rows and in a line of its own."""
    case, task = world.cases[name], world.outcomes[name]
    nodes = task["failures"]["nodes"]
    told = [Loss(f["resourceUrl"], f["resourceType"], f["failureType"], f["errorMessage"]) for f in nodes]
    assert set(told) == case.losses
    assert len(told) == len(case.losses)
    assert {(f["status"], f["retryCount"], f["nextRetryTime"]) for f in nodes} == {("PENDING", 0, None)}
    assert (task["status"], task["progress"], task["lastError"]) == ("FAILED", 0.0, case.last_error)
    assert (task["video"], task["completedAt"]) == (None, None)


@pytest.mark.parametrize("answer", ANSWERS)
@pytest.mark.parametrize("place", PLACES)
def test_an_answer_that_brings_no_media(world: World, place: str, answer: str) -> None:
    check(world, place, answer)


@pytest.mark.parametrize("name", PLAYLISTS)
def test_a_playlist_that_leads_to_no_media(world: World, name: str) -> None:
    check(world, name)


@pytest.mark.parametrize("name", [*FILES, *STREAMS])
def test_media_that_is_not_what_it_should_be(world: World, name: str) -> None:
    check(world, name)


@pytest.mark.parametrize("name", [*RESTS, *REFUSED])
def test_an_origin_that_does_not_want_us(world: World, name: str) -> None:
    check(world, name)


@pytest.mark.parametrize(
    ("answer", "tries"), [("401", 2), ("403", 2), ("404", 2), ("410", 2), ("500", 4), ("a page", 4), ("noise", 1)]
)
def test_what_may_pass_is_tried_again(world: World, answer: str, tries: int) -> None:
    assert world.origins["main"].hits(f"{path_of('picture', answer)}picture") == tries


def test_a_rest_of_a_second_is_waited_for_and_one_of_an_hour_is_not(world: World) -> None:
    busy = world.origins["busy"]
    busy.put("/busy.png", media.png())
    busy.fail("/busy.png", retry_after(1), times=2)
    user = world.service.user()
    assert user.wait(user.create(busy.url("/busy.png"), "IMAGE")["id"])["status"] == "COMPLETED"
    first, second, third = (hit.started for hit in busy.log)
    assert min(second - first, third - second) >= 1
    assert [len(world.origins[name].log) for name in RESTS] == [1, 1]


def test_nothing_is_stored_and_nothing_temporary_is_left(world: World) -> None:
    """But for the films that go on where they stopped: surely where bytes and their number have come."""
    surely, perhaps = ("less than promised", "silence on the way"), ("no last chunk", "a reset on the way")
    left = world.service.temporary_files()
    folders = {str(PurePosixPath(name).parent) for name in left}
    with_films = {name: f"video_{world.outcomes['film', name]['videoId']}/mp4" for name in (*surely, *perhaps)}
    assert {with_films[name] for name in surely} <= folders <= set(with_films.values())
    assert {name.rpartition(".mp4")[2] for name in left} == {".partial", ".partial.json"}
    for task in world.outcomes.values():
        kept = set(world.service.files(f"video_{task['videoId']}")).difference(left)
        assert {PurePosixPath(name).suffix for name in kept} <= {".m3u8", ".json", ".xxh128"}


def test_none_of_this_was_a_fault_of_the_service(world: World) -> None:
    lines = [json.loads(line) for line in world.service.log.read_text().splitlines()]
    assert [line for line in lines if line["log.level"] not in ("info", "warning")] == []
