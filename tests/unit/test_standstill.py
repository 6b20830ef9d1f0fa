"""A server that stands still while its machine goes on: one of its processes is stopped."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import OperationalError

from persistence import postgresql
from persistence.engine import open_engine
from persistence.standstill import Watch, let_wait

SOON = 10
LIMIT = postgresql.STANDSTILL


@pytest.fixture
def watch(monkeypatch: pytest.MonkeyPatch) -> Watch:
    """Looks only when it is told to."""
    watch = Watch(LIMIT)
    monkeypatch.setattr(postgresql, "_WATCH", watch)
    monkeypatch.setattr(Watch, "_run", lambda _: None)
    return watch


@pytest.fixture
def server(watch: Watch, postgres_url: str) -> Iterator[Engine]:
    engine = open_engine(postgres_url, pool_size=2)
    assert postgresql._WATCH is watch
    yield engine
    engine.dispose()


def process_of(connection: Connection) -> int:
    return int(connection.exec_driver_sql("SELECT pg_backend_pid()").scalar_one())


@contextmanager
def stopped(process: int) -> Iterator[None]:
    os.kill(process, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(process, signal.SIGCONT)


def until_asked(connection: Connection) -> None:
    """A thread that waits for an answer has no event that we could await."""
    pause = threading.Event()
    while connection.connection.dbapi_connection.get_transaction_status() != 1:  # type: ignore[union-attr]  # it is open
        assert not pause.wait(0.001)


ASKING: dict[str, Callable[[Connection], object]] = {
    "a statement": lambda connection: connection.exec_driver_sql("SELECT 1"),
    "a commit": lambda connection: connection.commit(),
}


@pytest.mark.parametrize("asking", ASKING)
def test_who_waits_for_a_server_that_stands_still_has_an_error_in_time(
    server: Engine, watch: Watch, asking: str, caplog: pytest.LogCaptureFixture
) -> None:
    with server.connect() as connection, ThreadPoolExecutor(1) as thread:
        process = process_of(connection)
        with stopped(process):
            asked = time.monotonic()
            answer = thread.submit(ASKING[asking], connection)
            until_asked(connection)
            watch.look(asked + LIMIT - 1)
            assert not answer.done()
            assert caplog.messages == []
            watch.look(time.monotonic() + LIMIT)
            with pytest.raises(OperationalError):
                answer.result(SOON)
        assert caplog.messages == ["The database stands still: 1 connections are given up"]
    with server.connect() as connection:
        assert process_of(connection) != process
    watch.look(time.monotonic() + LIMIT)
    assert len(caplog.messages) == 1


def test_nobody_is_disturbed_who_waits_for_nothing(server: Engine, watch: Watch) -> None:
    """Neither a connection in the pool nor one in a transaction: they are asked on afterwards."""
    with server.connect() as idle:
        pooled = process_of(idle)
    with server.connect() as one, server.connect() as two:
        processes = {process_of(one), process_of(two)}
        watch.look(time.monotonic() + LIMIT)
        assert {process_of(one), process_of(two)} == processes
    watch.look(time.monotonic() + LIMIT)
    with server.connect() as again:
        assert process_of(again) in processes
    assert pooled in processes


def test_what_may_take_its_time_does(server: Engine, watch: Watch) -> None:
    """A migration, that is; whoever has the connection next waits no longer than others."""
    for patient in (True, False):
        with server.connect() as connection, ThreadPoolExecutor(1) as thread:
            process = process_of(connection)
            if patient:
                let_wait(connection)
            with stopped(process):
                answer = thread.submit(process_of, connection)
                until_asked(connection)
                watch.look(time.monotonic() + LIMIT)
                if not patient:
                    with pytest.raises(OperationalError):
                        answer.result(SOON)
            assert not patient or answer.result(SOON) == process


def open_files() -> int:
    return len(list(Path("/dev/fd").iterdir()))


def test_a_connection_leaves_nothing_behind(server: Engine, watch: Watch) -> None:
    before = open_files()
    with server.connect() as one, server.connect() as two:
        assert process_of(one) != process_of(two)
        assert len(watch._lines) == 2
    server.dispose()
    assert len(watch._lines) == 0
    assert open_files() <= before


def test_it_looks_by_itself(postgres_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("persistence.standstill.PAUSE", 0.01)
    monkeypatch.setattr(postgresql, "_WATCH", Watch(0.2))
    engine = open_engine(postgres_url, pool_size=1)
    with engine.connect() as connection:
        with stopped(process_of(connection)), pytest.raises(OperationalError):
            connection.exec_driver_sql("SELECT 1")
        connection.invalidate()
    engine.dispose()
