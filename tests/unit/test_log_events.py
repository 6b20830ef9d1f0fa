"""Who tells what: use cases, jobs, and the process itself."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from uuid import UUID

import pytest

from domain.errors import DatabaseError, TaskNotFoundError
from domain.paging import Page
from domain.ports import FetchOutcome, PieceFailure, PieceResult, Progress, Sink, Source
from domain.values import FailedResourceType, FailureType, ResourceType
from settings import Settings, SettingsError
from storage.keys import Names
from telemetry.jobs import LoggedDownloader, logged_job
from telemetry.lifetime import lifetime
from telemetry.use_cases import log_use_cases
from tests.builders import NOW
from tests.log_lines import SECRET, Lines, kept_lines

USER, TASK = UUID(int=1), UUID(int=2)

ours = logging.getLogger("web.test")


@pytest.fixture
def log() -> Iterator[Lines]:
    with kept_lines() as lines:
        yield lines


class Shelf:
    """A service like those of the domain."""

    def get(self, user_id: UUID, task_id: UUID, secret: str = "") -> Page[UUID]:
        self.check(user_id)
        if secret:
            raise TaskNotFoundError
        return Page([task_id, user_id])

    def check(self, user_id: UUID) -> None:
        if not user_id.int:
            raise ZeroDivisionError("in the check")

    def _private(self) -> None: ...

    for _function in (get, check):
        _function.__module__ = "domain.shelf"


def test_use_cases_tell_entry_and_result(log: Lines) -> None:
    log_use_cases(Shelf)
    log_use_cases(Shelf)

    Shelf.get(Shelf(), USER, task_id=TASK)
    with pytest.raises(TaskNotFoundError):
        Shelf().get(USER, TASK, "not to be seen")
    with pytest.raises(ZeroDivisionError):
        Shelf().check(UUID(int=0))
    Shelf()._private()

    events = log.events()
    assert [event["message"] for event in events] == [
        "get: begins",
        "get: succeeded",
        "get: begins",
        "get: TaskNotFoundError",
        "check: begins",
        "check: ZeroDivisionError",
    ]
    entry, result, _, refusal, _, fault = events
    assert (entry["log.level"], result["log.level"], refusal["log.level"]) == ("debug", "info", "info")
    assert entry["labels"] == refusal["labels"] == {"task_id": str(TASK)}
    assert result["labels"] == {"task_id": str(TASK), "rows": 2}
    assert result["event"]["duration"] > 0
    assert (result["event"]["outcome"], refusal["event"]["outcome"]) == ("success", "failure")
    assert refusal["error"] == {"type": "TaskNotFoundError", "message": "There is no such task."}
    assert fault["error"] == {"type": "ZeroDivisionError"}  # its message may be anything
    assert {event["log"]["origin"]["function"] for event in events} == {"get", "check"}
    assert {event["user"]["id"] for event in events} == {str(USER), str(UUID(int=0))}
    assert "not to be seen" not in "".join(log.lines())


class ThreePieces:
    """A ``Downloader`` that gets two of three."""

    def fetch(self, source: Source, sink: Sink) -> FetchOutcome:
        failure = PieceFailure(FailureType.TIMEOUT, "timeout: no byte for 30 s")
        sink.report(Progress(), [PieceResult("v/ts/2.ts", source.url, FailedResourceType.TS, 2, failure)])
        return FetchOutcome(pieces=3, stored=2, bytes_stored=10)


class Sunk:
    """A ``Sink`` that takes everything."""

    draining = finishing = False
    asked_again = ()

    def __init__(self) -> None:
        self.results: list[PieceResult] = []

    def report(self, _: Progress, results: Sequence[PieceResult]) -> None:
        self.results += results

    ended = report

    def left(self, _: Progress) -> None: ...


def test_a_job_tells_its_run_and_what_was_lost(log: Lines) -> None:
    sink = Sunk()
    source = Source("https://h.example/?token=secret", ResourceType.HLS, Names(TASK, NOW), run_number=7)

    def run(_: UUID, __: Callable[[], bool]) -> None:
        LoggedDownloader(ThreePieces()).fetch(source, sink)
        raise ZeroDivisionError

    job = logged_job(run)
    with pytest.raises(ZeroDivisionError):
        job(TASK, lambda: False)

    told = [(event["message"], event["event"].get("outcome"), event["labels"]) for event in log.events()]
    task, of_run = {"task_id": str(TASK)}, {"task_id": str(TASK), "run_number": "7"}
    assert told == [
        ("A job begins", None, task),
        ("A fetch begins", None, of_run),
        (
            "A piece is lost: timeout: no byte for 30 s",
            None,
            of_run | {"piece": "v/ts/2.ts", "failure_type": "timeout"},
        ),
        ("2 of 3 pieces are stored, 10 bytes", "failure", of_run),
        ("A job has ended", "failure", of_run),
    ]
    assert [result.key for result in sink.results] == ["v/ts/2.ts"]


def test_a_life_has_a_start_and_a_stop(log: Lines) -> None:
    settings = Settings(jwt_secret_key=SECRET)
    with pytest.raises(DatabaseError), lifetime("serve", settings):
        raise DatabaseError
    with pytest.raises(SettingsError), lifetime("api", settings):
        raise SettingsError("PORT is in use")
    with lifetime("api", settings):
        ours.info("At work")
    told = [event["message"].partition(" JWT")[0] for event in log.events()]
    start, stop = ["The service starts: api", "Settings:"], "The service has stopped"
    failed = ["The service starts: serve", "Settings:", "The service fails", stop]
    assert told == [*failed, *start, stop, *start, "At work", stop]
    outcomes = [event["event"].get("outcome") for event in log.events() if event["message"] == stop]
    assert outcomes == ["failure", "failure", "success"]
