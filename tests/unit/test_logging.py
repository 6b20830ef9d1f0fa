"""One event, one line, and nothing secret in it."""

from __future__ import annotations

import logging
import math
import threading
import timeit
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

import pytest
from anyio import to_thread
from sqlalchemy import Engine, text

from domain.errors import DatabaseError, TaskNotFoundError
from domain.models import DownloadTask
from domain.ports import UnitOfWork
from persistence.unit_of_work import uow_factory
from settings import Settings
from telemetry.context import begin, bind, bound
from telemetry.formats import TextFormatter
from telemetry.lifetime import effective, secrets
from telemetry.redaction import MAX_TEXT, Redactor, message_of
from tests.builders import a_database, a_task
from tests.log_lines import SECRET, Lines, kept_lines

USER, TASK = UUID(int=1), UUID(int=2)

ours = logging.getLogger("web.test")
foreign = logging.getLogger("library.test")


@pytest.fixture
def log() -> Iterator[Lines]:
    with kept_lines() as lines:
        yield lines


# --- one event, one line ------------------------------------------------------------------------------------


def test_an_event_in_the_common_schema(log: Lines) -> None:
    begin({"http.request.id": "r-1", "user.id": "u-1", "labels.task_id": "of the context"})
    ours.info("hello %s", "world", extra={"event.duration": 5, "labels": {"task_id": "of the event"}})

    event = log.event()

    assert event.pop("@timestamp").endswith("Z")
    assert event.pop("process")["thread"] == {"name": threading.current_thread().name}
    assert event["log"]["origin"].pop("file")["name"] == "test_logging.py"
    assert event == {
        "log.level": "info",
        "message": "hello world",
        "ecs.version": "1.6.0",
        "event": {"dataset": "media-download-service.log", "duration": 5},
        "http": {"request": {"id": "r-1"}},
        "labels": {"task_id": "of the event"},
        "log": {"logger": "web.test", "origin": {"function": "test_an_event_in_the_common_schema"}},
        "service": {"name": "media-download-service"},
        "user": {"id": "u-1"},
    }


def test_control_characters_are_escaped_and_nothing_is_lost(log: Lines) -> None:
    hostile = 'a\r\n{"message":"forged"}\x00\x1b[31m\x7f\x85\u2028\ud800"\\'
    ours.info("%s", hostile, extra={"url.path": hostile})
    assert log.event()["message"] == hostile
    assert log.event()["url"] == {"path": hostile}
    assert len(log.lines()) == 1


def test_huge_and_strange_values_are_cut_and_spelled(log: Lines) -> None:
    values = {"not_a_number": math.nan, "many": list(range(1000)), "id": TASK, "none": None}
    ours.info("x" * 1_000_000, extra={"labels": values})
    event = log.event()
    assert len(event["message"]) < MAX_TEXT + 30
    assert event["message"].endswith("… (1000000 characters)")
    assert event["labels"] == {"not_a_number": "nan", "many": list(range(100)), "id": str(TASK)}


def test_a_stack_names_every_cause_and_of_their_messages_the_first_line(log: Lines) -> None:
    def fetch(url: str) -> None:
        raise KeyError(url)

    def store(row: str) -> None:
        try:
            fetch("https://u:p@h.example/p" + "?token=first")
        except KeyError as error:
            raise ValueError(row) from error

    try:
        store("bad\nDETAIL: Key (resource_url)=" + "second")
    except ValueError:
        ours.exception("It failed")

    error = log.event()["error"]

    assert (error["type"], error["message"]) == ("ValueError", "bad")
    cause, _, last = error["stack_trace"].partition("builtins.KeyError: '***'\n")
    assert "in fetch\n    raise KeyError(url)\n" in cause
    assert "in store\n    raise ValueError(row) from error\n" in last
    assert last.endswith("builtins.ValueError: bad\n")


def test_a_stack_holds_every_error_of_a_group(log: Lines) -> None:
    ours.error("It failed", exc_info=ExceptionGroup("two", [ValueError("one"), KeyError("other")]))
    trace = log.event()["error"]["stack_trace"]
    assert trace.splitlines() == [
        "builtins.ExceptionGroup: two (2 sub-exceptions)",
        "builtins.ValueError: one",
        "builtins.KeyError: 'other'",
    ]


def test_without_an_exception_there_is_no_stack(log: Lines) -> None:
    ours.error("It failed")
    assert "error" not in log.event()


def test_a_library_keeps_its_first_line_and_its_place(log: Lines) -> None:
    headers = {"authorization": "Bearer abc"}
    foreign.warning("\nLost\nfuture: <Task exception=Oops('t1')>", extra={"headers": headers})
    event = log.event()
    assert event["message"] == "Lost"
    assert "headers" not in event
    assert event["log"]["logger"] == "library.test"


def test_an_event_that_cannot_be_shown_says_so_and_harms_nobody(log: Lines) -> None:
    class Broken:
        def __str__(self) -> str:
            raise RuntimeError("the secret of this object")

    for message, value in (("%s", Broken()), ("%d", "no number")):  # pytest's handler raises where ours must not
        log.handler.handle(ours.makeRecord("web.test", logging.INFO, __file__, 1, message, (value,), None, "f"))
    assert [event["message"] for event in log.events()] == [
        "An event cannot be shown: RuntimeError",
        "An event cannot be shown: TypeError",
    ]
    assert {event["log"]["origin"]["file"]["name"] for event in log.events()} == {"test_logging.py"}


def test_text_for_a_terminal() -> None:
    with kept_lines(TextFormatter(Redactor())) as log:
        ours.warning("a\nb\x1b[31m https://h.example/?t=1")
        ours.error("It failed", exc_info=ValueError("why\x1b"))
    assert log.lines()[0].endswith("WARNING web.test: a\\nb\\x1b[31m https://h.example/")
    assert log.lines()[1].endswith("ERROR   web.test: It failed\nbuiltins.ValueError: why\\x1b")


# --- nothing secret -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("said", "logged"),
    [
        ("see https://h.example:81/a/b.m3u8?token=abc#x now", "see https://h.example:81/a/b.m3u8 now"),
        ("https://user:password@h.example/", "https://h.example/"),
        ("postgresql+psycopg2://user:hunter22@db/media", "postgresql+psycopg2://db/media"),
        ("GET /graphql?access_token=abc HTTP/1.1", "GET /graphql?*** HTTP/1.1"),
        (f"/media/{'A' * 71}/video_1/mp4/a.mp4", "/media/***/video_1/mp4/a.mp4"),
        (f"/srv/media/video_{USER}/hls", f"/srv/media/video_{USER}/hls"),
        ("Bearer abcdefgh.ijkl", "Bearer ***"),
        ("BASIC ABCDEFGHIJKL", "BASIC ***"),
        ("Ba\u017fic abcdefghijkl", "Ba\u017fic ***"),  # a long s is an s, too
        ("the token eyJhbGciOiJIUzI1NiJ9.e30.c2ln is bad", "the token *** is bad"),
        ("{'Cookie': 'sid=1; b=2', 'x': 1}", "{'Cookie': ***"),
        ("[(b'authorization', b'Digest x')]", "[(b'authorization', ***"),
        ('{"token": "abc", "n": 1}', '{"token": "***", "n": 1}'),
        ("password=abc&n=1", "password=***&n=1"),
        (f"key {SECRET}!", "key ***!"),
        ("no bearer token", "no bearer token"),
        ("JWT_ALLOW_WEAK_SECRET=False", "JWT_ALLOW_WEAK_SECRET=False"),
    ],
)
def test_secrets_in_texts_of_others(said: str, logged: str) -> None:
    assert Redactor([SECRET, "abc"])(said) == logged


@pytest.mark.parametrize(
    ("error", "logged"),
    [
        (KeyError("abcdefgh-1"), "'***'"),
        (KeyError("liveroom_id"), "'liveroom_id'"),
        (ValueError("Couldn't read 'q1', b'q2' or \"it's\""), "Couldn't read '***', b'***' or \"***\""),
        (
            ValueError("invalid literal for int() with base 10: 'cut off 7"),
            "invalid literal for int() with base 10: '***'",
        ),
        (AttributeError("'X1' object has no attribute 'y2'"), "'X1' object has no attribute 'y2'"),
        (OSError(28, "No space left on device", "/srv/M-1"), "[Errno 28] No space left on device: '/srv/M-1'"),
        (TaskNotFoundError("Not 'T1'.\nSQL"), "Not 'T1'."),
    ],
)
def test_values_in_the_messages_of_errors(error: Exception, logged: str) -> None:
    assert message_of(error) == logged


@pytest.mark.parametrize("unit", ["a", "a://", "eyJ", "/media/", "bearer ", "cookie:", "token", "?a", "http://a?"])
def test_no_text_takes_long_to_look_through(unit: str) -> None:
    def seconds(length: int) -> float:
        text = (unit * length)[:length]
        return min(timeit.repeat(lambda: Redactor()(text), number=1))

    assert seconds(32_000) < 30 * seconds(3_200) + 0.01  # a square would be a hundred times as much


def test_an_error_of_the_database_holds_no_row(tmp_path: Path, log: Lines) -> None:
    with a_database(tmp_path) as engine:
        _refuse_new_tasks(engine)
        with uow_factory(engine)() as uow, pytest.raises(DatabaseError) as caught:
            _add(uow, a_task(resource_url="https://h.example/" + "?token=secret"))
    ours.error("It failed", exc_info=caught.value)
    trace = log.events()[-1]["error"]["stack_trace"]
    assert "sqlalchemy.exc.IntegrityError: (sqlite3.IntegrityError) we refuse\n" in trace
    assert trace.endswith("domain.errors.DatabaseError: The database did not answer.\n")
    assert "secret" not in str(caught.value.__cause__)


def test_settings_are_shown_without_secrets() -> None:
    settings = Settings.load(
        env={
            "JWT_SECRET_KEY": SECRET,
            "DATABASE_URL": "postgresql+psycopg2://u:hunter%2122@h/n",
            "AWS_SECRET_ACCESS_KEY": "object-store-key",
            "AWS_REGION": "eu-west-1",
        },
        dotenv=None,
    )
    shown = effective(settings)
    assert {name for name, value in shown.items() if value == "***"} == {
        "JWT_SECRET_KEY",
        "DATABASE_URL",
        "OBJECT_STORE",
    }
    assert (shown["PORT"], shown["METRICS_TOKEN"]) == ("8000", "None")
    assert secrets(settings) == {SECRET, settings.database_url, "hunter!22", "object-store-key"}


def test_the_collectors_credentials_are_secret_however_they_are_spelled() -> None:
    """OpenTelemetry puts a header that it cannot read into a warning."""
    headers = "authorization=Basic%20dXNlcjpwYXNz,api-key: the-first-key,the-second-key"
    settings = Settings.load(["log"], env={"OTEL_EXPORTER_OTLP_HEADERS": headers}, dotenv=None)
    known = {"Basic%20dXNlcjpwYXNz", "Basic dXNlcjpwYXNz", "the-first-key", "the-second-key"}
    assert known < secrets(settings)
    warning = "Header format invalid! Header values must be URL encoded: api-key: the-first-key"
    assert Redactor(secrets(settings))(warning) == warning.replace("the-first-key", "***")


# --- context ------------------------------------------------------------------------------------------------


async def test_threads_share_what_their_request_has_learnt() -> None:
    begin({"http.request.id": "r-1"})
    await to_thread.run_sync(lambda: bind({"user.id": "u-1"}))
    assert bound() == {"http.request.id": "r-1", "user.id": "u-1"}
    begin({"http.request.id": "r-2"})
    assert bound() == {"http.request.id": "r-2"}


def test_a_thread_of_its_own_has_a_context_of_its_own() -> None:
    begin({"http.request.id": "r-1"})
    seen: list[dict[str, str]] = []

    def work() -> None:
        bind({"lost": "nothing was begun here"})
        seen.append(bound())
        begin({"labels.task_id": "t-1"})
        seen.append(bound())

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()

    assert seen == [{}, {"labels.task_id": "t-1"}]
    assert bound() == {"http.request.id": "r-1"}


# --- for these tests ----------------------------------------------------------------------------------------


def _refuse_new_tasks(engine: Engine) -> None:
    trigger = "CREATE TRIGGER refuse BEFORE INSERT ON download_tasks BEGIN SELECT RAISE(ABORT, 'we refuse'); END"
    with engine.begin() as connection:
        connection.execute(text(trigger))


def _add(uow: UnitOfWork, task: DownloadTask) -> None:
    with uow:
        uow.tasks.add(task)
        uow.flush()
