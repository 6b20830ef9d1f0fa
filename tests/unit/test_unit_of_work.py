from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from select import select
from uuid import uuid4

import pytest
from sqlalchemy import Connection, Engine, create_engine
from sqlalchemy.exc import InvalidRequestError, SQLAlchemyError

from domain.errors import DatabaseError, DuplicateError
from domain.models import DownloadTask
from domain.ports import Measurement, Progress, UnitOfWork, UnitOfWorkFactory
from domain.queries import TaskFilter
from domain.values import TaskStatus
from persistence import postgresql
from persistence.engine import open_engine
from persistence.unit_of_work import uow_factory
from tests.builders import NOW, a_database, a_failure, a_task, keep, on_sqlite_alone
from tests.postgres import PostgresServer


def found(uow: UnitOfWork, task: DownloadTask) -> DownloadTask | None:
    with uow.reading():
        return uow.tasks.find(task.id)


# --- transactions ---


def test_nothing_lasts_without_a_commit(uow: UnitOfWork) -> None:
    task = a_task()
    with uow:
        uow.tasks.add(task)
        uow.flush()
        assert uow.tasks.find(task.id) is task
    assert found(uow, task) is None


def test_an_error_rolls_back_and_goes_on_its_way(uow: UnitOfWork) -> None:
    task = a_task()

    def add_and_fail() -> None:
        with uow:
            uow.tasks.add(task)
            uow.flush()
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        add_and_fail()
    assert found(uow, task) is None


def test_one_session_serves_one_transaction_after_the_other(uow: UnitOfWork) -> None:
    first, second = a_task(), a_task()
    keep(uow, first)
    with uow.reading():
        assert uow.tasks.find(first.id) is not None
        assert uow.tasks.find(second.id) is None
    keep(uow, second)
    assert found(uow, second) is not None


def test_rows_stay_readable_after_their_transaction(uow: UnitOfWork) -> None:
    task = a_task()
    with uow:
        uow.tasks.add(task)
        task.start(NOW)
        uow.commit()
        assert (task.status, task.version) == (TaskStatus.PROCESSING, 1)
    assert task.queued_at == NOW
    read = found(uow, task)
    assert read is not None
    assert (read.id, read.liveroom_id, read.queued_at) == (task.id, "room-1", NOW)
    with uow:
        rolled_back = uow.tasks.find(task.id)
        assert rolled_back is not None
        rolled_back.pause(NOW)
        uow.flush()
    assert (rolled_back.status, rolled_back.liveroom_id) == (TaskStatus.PENDING, "room-1")
    read = found(uow, task)
    assert read is not None
    assert read.status is TaskStatus.PROCESSING


def test_the_next_transaction_reads_afresh(open_uow: UnitOfWorkFactory, uow: UnitOfWork) -> None:
    task = a_task(status=TaskStatus.PROCESSING, run_number=1, started_at=NOW)
    keep(uow, task)
    before = found(uow, task)
    with open_uow() as other, other:
        assert other.tasks.record_progress([Measurement(task.id, 1, Progress(5, 10), None, NOW)])
        other.commit()
    with uow:
        again = uow.tasks.find(task.id)
    assert before is not None
    assert again is not None
    assert (task.bytes_downloaded, before.bytes_downloaded, again.bytes_downloaded) == (0, 0, 5)


def test_a_change_counts_in_its_own_transaction_alone(uow: UnitOfWork) -> None:
    task = a_task()
    keep(uow, task)
    task.liveroom_title = "too late"
    with uow.reading():
        read = uow.tasks.find(task.id)
        assert read is not None
        read.liveroom_title = "only read"
        assert uow.tasks.count(task.user_id, TaskFilter(search="only read")) == 0
    with uow:
        uow.commit()
    again = found(uow, task)
    assert again is not None
    assert again.liveroom_title is None


def test_transactions_do_not_nest(uow: UnitOfWork) -> None:
    with uow, pytest.raises(InvalidRequestError), uow.reading():
        pass
    with uow.reading(), pytest.raises(InvalidRequestError):
        uow.__enter__()


def test_no_statement_runs_outside_of_a_transaction(uow: UnitOfWork) -> None:
    with pytest.raises(InvalidRequestError):
        uow.tasks.find(uuid4())
    with uow:
        uow.commit()
        with pytest.raises(InvalidRequestError):
            uow.tasks.find(uuid4())


def test_a_read_sees_one_moment_and_waits_for_no_writer(open_uow: UnitOfWorkFactory) -> None:
    user = uuid4()
    with open_uow() as reader, open_uow() as writer, reader.reading():
        assert reader.tasks.count(user, TaskFilter()) == 0
        with writer:
            writer.tasks.add(a_task(user_id=user))
            writer.flush()
            assert reader.tasks.count(user, TaskFilter()) == 0
            writer.commit()
        assert reader.tasks.count(user, TaskFilter()) == 0


def test_reading_within_reading_is_of_the_same_moment(open_uow: UnitOfWorkFactory) -> None:
    user = uuid4()
    with open_uow() as reader, open_uow() as writer, reader.reading():
        with reader.reading():
            assert reader.tasks.count(user, TaskFilter()) == 0
        keep(writer, a_task(user_id=user))
        with reader.reading():
            assert reader.tasks.count(user, TaskFilter()) == 0
        with pytest.raises(InvalidRequestError):
            reader.__enter__()


# --- after the commit ---


def test_actions_run_once_after_the_commit(uow: UnitOfWork) -> None:
    task = a_task()
    seen: list[bool] = []
    with uow:
        uow.tasks.add(task)
        uow.after_commit(lambda: seen.append(found(uow, task) is not None))
        uow.flush()
        assert seen == []
        uow.commit()
        assert seen == [True]
    with uow:
        uow.commit()
    assert seen == [True]


def test_actions_of_a_rollback_are_forgotten(uow: UnitOfWork) -> None:
    seen: list[str] = []
    with uow:
        uow.after_commit(lambda: seen.append("rolled back"))
    task = a_task()
    keep(uow, task)
    with uow:
        uow.tasks.add(a_task(id=task.id))
        uow.after_commit(lambda: seen.append("refused"))
        with pytest.raises(DuplicateError):
            uow.commit()
    with uow:
        uow.commit()
    assert seen == []


# --- errors ---


def test_a_duplicate_is_told_when_it_is_sent(uow: UnitOfWork) -> None:
    first, second = a_task(idempotency_key="k"), a_task()
    second.user_id, second.idempotency_key = first.user_id, "k"
    keep(uow, first)
    with uow:
        uow.tasks.add(second)
        with pytest.raises(DuplicateError) as caught:
            uow.flush()
        with pytest.raises(DatabaseError):  # this transaction is over
            uow.commit()
    assert isinstance(caught.value.__cause__, Exception)
    assert "download_tasks" not in str(caught.value)
    assert found(uow, second) is None
    keep(uow, third := a_task())
    assert found(uow, third) is not None


def test_a_broken_reference_is_no_duplicate(uow: UnitOfWork) -> None:
    with pytest.raises(DatabaseError) as caught:
        keep(uow, a_failure(a_task()))
    assert not isinstance(caught.value, DuplicateError)


def test_what_another_has_deleted_is_a_conflict(uow: UnitOfWork) -> None:
    task = a_task()
    keep(uow, task)
    with uow:
        uow.tasks.delete(task)
        uow.commit()
    with uow:
        uow.tasks.delete(task)
        with pytest.raises(DuplicateError):
            uow.commit()


def test_a_database_that_is_gone_is_told_as_one(engine: Engine, uow: UnitOfWork) -> None:
    with engine.begin() as connection:
        connection.exec_driver_sql("DROP TABLE purges")
    with pytest.raises(DatabaseError) as caught, uow.reading():
        uow.purges.all()
    assert isinstance(caught.value.__cause__, SQLAlchemyError)
    assert str(caught.value) == "The database did not answer."
    assert found(uow, a_task()) is None


# --- the engine ---


def test_many_writers_wait_their_turn(open_uow: UnitOfWorkFactory, uow: UnitOfWork) -> None:
    """960 read-then-write transactions of 8 threads; plain BEGIN loses nine of ten."""
    task = a_task(bytes_downloaded=0)
    keep(uow, task)
    together = threading.Barrier(8)

    def count_up() -> None:
        with open_uow() as mine:
            together.wait()
            for _ in range(120):
                with mine:
                    row = mine.tasks.find(task.id, for_update=True)
                    assert row is not None
                    row.bytes_downloaded += 1
                    mine.commit()

    with ThreadPoolExecutor(8) as threads:
        for future in [threads.submit(count_up) for _ in range(8)]:
            future.result()
    again = found(uow, task)
    assert again is not None
    assert (again.bytes_downloaded, again.version) == (960, 961)


def test_a_connection_is_held_only_while_a_transaction_runs(tmp_path: Path) -> None:
    with a_database(tmp_path, pool_size=1) as engine:
        factory = uow_factory(engine)
        with factory() as one, factory() as two, factory() as three:
            for uow in (one, two, three, one):
                keep(uow, a_task())
                with uow.reading():
                    assert uow.purges.all() == []
                with pytest.raises(RuntimeError), uow.reading():
                    raise RuntimeError


@on_sqlite_alone
def test_sqlite_is_set_up_for_many_threads(engine: Engine, tmp_path: Path) -> None:
    with engine.connect() as connection:
        pragmas = {
            name: connection.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        }
    assert pragmas == {"journal_mode": "wal", "synchronous": 1, "foreign_keys": 1, "busy_timeout": 10_000}
    assert sqlite3.connect(tmp_path / "media.db").execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_the_folder_of_a_new_database_is_made(tmp_path: Path) -> None:
    engine = open_engine(f"sqlite:///{tmp_path}/new/folder/media.db", pool_size=1)
    assert list(tmp_path.iterdir()) == [tmp_path / "new"]
    with engine.connect():
        pass
    engine.dispose()
    assert (tmp_path / "new" / "folder" / "media.db").exists()


def test_a_relative_database_lies_under_the_working_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    engine = open_engine("sqlite:///data/media.db", pool_size=1)
    with engine.connect():
        pass
    engine.dispose()
    assert (tmp_path / "data" / "media.db").exists()


@pytest.mark.parametrize(
    "url", ["", "data/media.db", "sqlite://", "sqlite:///:memory:", "mysql://user:hunter2@host/db", "nosql://x"]
)
def test_only_files_and_postgresql_are_databases(url: str) -> None:
    with pytest.raises(DatabaseError) as caught:
        open_engine(url, pool_size=1)
    assert "hunter2" not in repr(caught.value)


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(DatabaseError, match="folder of the database") as caught:
        open_engine(f"sqlite:///{tmp_path}/file/media.db", pool_size=1)
    assert str(tmp_path) not in str(caught.value)


# --- PostgreSQL ---


def test_no_statement_and_no_lock_is_waited_for_for_ever(postgres_url: str) -> None:
    """What the URL asks for besides is kept."""
    engine = open_engine(f"{postgres_url}&options=-c%20work_mem%3D8MB%20-c%20statement_timeout%3D0", pool_size=1)
    names = "statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout", "timezone", "work_mem"
    with engine.connect() as connection:
        assert [connection.exec_driver_sql(f"SHOW {name}").scalar() for name in names] == [
            *("30s", "10s", "10s", "UTC", "8MB")
        ]
    engine.dispose()


def test_a_row_that_another_transaction_keeps_is_an_error_in_time(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(postgresql._SESSION, "lock_timeout", "50ms")
    engine = open_engine(postgres_url, pool_size=2)
    task = a_task()
    with uow_factory(engine)() as one, uow_factory(engine)() as other:
        keep(one, task)
        with one:
            assert one.tasks.find(task.id, for_update=True) is not None
            with pytest.raises(DatabaseError), other:
                other.tasks.find(task.id, for_update=True)
        assert found(other, task) is not None
    engine.dispose()


def test_connections_of_before_a_restart_are_replaced(postgres: PostgresServer, postgres_url: str) -> None:
    """All of them, and nobody notices."""
    engine = open_engine(postgres_url, pool_size=3)
    factory = uow_factory(engine)
    with factory() as one, factory() as two, factory() as three, one.reading(), two.reading(), three.reading():
        assert [uow.purges.all() for uow in (one, two, three)] == [[], [], []]
    postgres.restart()
    for _ in range(4):
        with factory() as uow:
            keep(uow, a_task())
    engine.dispose()


def test_a_connection_on_which_the_server_said_something_is_kept(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is asked whether it still serves, and only then."""
    engine, asked, sockets = open_engine(postgres_url, pool_size=1), [], list[int]()
    monkeypatch.setattr(engine.dialect, "do_ping", lambda it, ping=engine.dialect.do_ping: asked.append(ping(it)))

    def process(statement: str = "SELECT 1") -> int:
        with engine.begin() as connection:
            sockets.append(connection.connection.fileno())
            connection.exec_driver_sql(statement)
            return int(connection.exec_driver_sql("SELECT pg_backend_pid()").scalar_one())

    listener = process("LISTEN news")
    assert (process(), asked) == (listener, [])
    with a_server_connection(postgres_url) as other:
        other.exec_driver_sql("NOTIFY news")
    assert select(set(sockets), (), (), 10)[0] == sockets[:1]  # the server has said it by now
    assert (process(), asked) == (listener, [True])
    assert (process(), asked) == (listener, [True])
    engine.dispose()


def test_one_connection_that_was_ended_takes_the_others_along(postgres_url: str) -> None:
    engine = open_engine(postgres_url, pool_size=2)
    with engine.connect() as one, engine.connect() as two:
        before = {each.exec_driver_sql("SELECT pg_backend_pid()").scalar_one() for each in (one, two)}
    with a_server_connection(postgres_url) as other:
        for pid in before:
            assert other.exec_driver_sql(f"SELECT pg_terminate_backend({pid}, 5000)").scalar_one()
    with engine.connect() as one, engine.connect() as two:
        after = {each.exec_driver_sql("SELECT pg_backend_pid()").scalar_one() for each in (one, two)}
    assert len(after - before) == 2
    engine.dispose()


@contextmanager
def a_server_connection(url: str) -> Iterator[Connection]:
    engine = create_engine(url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        yield connection
    engine.dispose()
