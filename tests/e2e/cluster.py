"""Processes that share a PostgreSQL database and a folder, as on machines of their own."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Self

from sqlalchemy import create_engine, text

from tests.e2e.service import Service, wait_until


class Cluster:
    """``main.py api`` and ``main.py worker``, any number of each; killed when the ``with`` block ends."""

    def __init__(self, folder: Path, database_url: str, **settings: str) -> None:
        self.folder = folder
        self._settings = {"DATABASE_URL": database_url, "STORAGE_URL": str(folder / "media"), **settings}
        self._engine = create_engine(database_url, isolation_level="AUTOCOMMIT", pool_pre_ping=True)
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        self._stack.callback(self._engine.dispose)
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def start(self, command: str, **settings: str) -> Service:
        """One process more: ``api``, ``worker`` or ``serve``."""
        return self._stack.enter_context(Service(self.folder, command, **{**self._settings, **settings}))

    def rows(self, statement: str, **values: object) -> list[Any]:
        """What the database says."""
        with self._engine.connect() as connection:
            return list(connection.execute(text(statement), values))

    def count(self, condition: str) -> int:
        """How many tasks are so."""
        return int(self.rows(f"SELECT count(*) FROM download_tasks WHERE {condition}")[0][0])  # noqa: S608 - ours

    def wait_for_tasks(self, number: int, condition: str, *, timeout: float = 60) -> None:
        """Until so many tasks are so."""
        wait_until(lambda: self.count(condition) >= number, lambda: f"{number} tasks: {condition}", timeout=timeout)

    def holders(self) -> dict[int, int]:
        """How many jobs each living worker has at work, by its number."""
        held = self.rows("SELECT worker_id, count(*) FROM procrastinate_jobs WHERE status = 'doing' GROUP BY worker_id")
        return {row[0]: row[1] for row in held}

    def errors(self) -> list[str]:
        """What the processes have logged that is worse than a warning."""
        lines = [line for path in self.folder.glob("*.log") for line in path.read_text().splitlines()]
        return [line for line in lines if json.loads(line)["log.level"] not in ("info", "warning")]


@contextmanager
def supervised(process: Service) -> Iterator[None]:
    """Started again whenever it ends, as a container's restart policy would."""
    done = threading.Event()

    def watch() -> None:
        while not done.wait(0.2):
            process.restart_if_ended()

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
