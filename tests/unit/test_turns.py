"""Writers of one SQLite file, in the order in which they came."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import Engine, exc

from domain.errors import DatabaseError
from persistence import sqlite
from persistence.engine import open_engine
from persistence.turns import Turns
from persistence.unit_of_work import uow_factory
from tests.builders import a_task, keep

SOON = 10


@pytest.fixture
def engines(tmp_path: Path, migrated: Path) -> Iterator[tuple[Engine, Engine]]:
    """Two over the same file, as in a process that serves and works."""
    url = f"sqlite:///{tmp_path}/media.db"
    (tmp_path / "media.db").write_bytes(migrated.read_bytes())
    one, other = open_engine(url, pool_size=4), open_engine(url, pool_size=4)
    yield one, other
    one.dispose()
    other.dispose()


def until_waiting(turns: Turns, number: int) -> None:
    """A thread that waits has no event that we could await."""
    deadline = threading.Event()
    while turns.waiting < number:
        assert not deadline.wait(0.001)


def test_who_comes_first_is_served_first(engines: tuple[Engine, Engine], tmp_path: Path) -> None:
    """Six writers over two engines, while a seventh holds the file."""
    turns = sqlite._queues[(tmp_path / "media.db").resolve()]
    served: list[int] = []

    def write(number: int) -> None:
        with engines[number % 2].begin():
            served.append(number)

    with ThreadPoolExecutor(6) as threads:
        writers: list[Future[None]] = []
        with engines[0].begin():
            for number in range(6):
                writers.append(threads.submit(write, number))
                until_waiting(turns, number + 1)
            assert served == []
        for writer in writers:
            writer.result(SOON)
    assert served == list(range(6))


def test_readers_do_not_queue(engines: tuple[Engine, Engine]) -> None:
    with engines[0].begin(), uow_factory(engines[1])() as uow, uow.reading():
        assert uow.purges.all() == []


def test_who_waited_too_long_goes_and_the_others_stay(
    engines: tuple[Engine, Engine], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite, "TURN_TIMEOUT", 0.01)
    with engines[0].begin():
        with pytest.raises(exc.TimeoutError), engines[1].begin():
            pass
        with pytest.raises(DatabaseError), uow_factory(engines[1])() as uow:
            keep(uow, a_task())
    with uow_factory(engines[1])() as uow:
        keep(uow, a_task())


def test_a_writer_of_another_process_is_waited_for_no_longer_than_its_timeout(
    engines: tuple[Engine, Engine], tmp_path: Path
) -> None:
    """The turn is given back, so that the next may try."""
    with engines[0].connect() as connection:
        connection.exec_driver_sql("PRAGMA busy_timeout = 1")
    with closing(sqlite3.connect(tmp_path / "media.db", isolation_level=None)) as foreign:
        foreign.execute("BEGIN IMMEDIATE")
        with pytest.raises(exc.OperationalError, match="locked"), engines[0].begin():
            pass
        foreign.execute("ROLLBACK")
    with engines[1].begin() as connection:
        connection.exec_driver_sql("DELETE FROM purges")


def test_a_failed_transaction_gives_its_turn_back(engines: tuple[Engine, Engine]) -> None:
    with pytest.raises(exc.IntegrityError), engines[0].begin() as connection:
        connection.exec_driver_sql("INSERT INTO purges VALUES ('x', NULL)")
    with engines[1].begin() as connection:
        connection.exec_driver_sql("DELETE FROM purges")


def test_a_connection_that_is_kept_gives_its_turn_back_at_its_commit(engines: tuple[Engine, Engine]) -> None:
    with engines[0].connect() as connection:
        connection.exec_driver_sql("DELETE FROM purges")
        connection.commit()
        with engines[1].begin() as other:
            other.exec_driver_sql("DELETE FROM purges")
