"""A query that waits for the database keeps its thread, and nobody else."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest
from sqlalchemy import Engine, text

from tests.api.conftest import THREADS, Api

TURNS = 2


@contextmanager
def asleep(database: Engine) -> Iterator[None]:
    """Every statement that reads tasks takes a second more."""
    statements = (
        "ALTER TABLE download_tasks RENAME TO tasks_awake",
        "CREATE VIEW download_tasks AS SELECT * FROM tasks_awake WHERE (SELECT pg_sleep(1)) IS NOT NULL",
        "DROP VIEW download_tasks",
        "ALTER TABLE tasks_awake RENAME TO download_tasks",
    )
    with database.begin() as connection:
        for statement in statements[:2]:
            connection.execute(text(statement))
    yield
    with database.begin() as connection:
        for statement in statements[2:]:
            connection.execute(text(statement))


@pytest.mark.parametrize("shared_database_url", ["postgresql"], indirect=True)  # SQLite has no sleep
def test_queries_that_wait_hold_nobody_up(api: Api, database: Engine) -> None:
    """``python -m bench.graphql`` measures how little: here, none waits for a query to end."""
    longest, began = 0.0, time.perf_counter()
    with asleep(database), ThreadPoolExecutor(THREADS * TURNS) as pool:
        queries = [pool.submit(api.data, "{ tasks { nodes { id } } }") for _ in range(THREADS * TURNS)]
        while not all(query.done() for query in queries):
            sent = time.perf_counter()
            assert api.client.get("/health").is_success
            longest = max(longest, time.perf_counter() - sent)
        assert [query.result() for query in queries] == [{"tasks": {"nodes": []}}] * len(queries)
    assert time.perf_counter() - began > TURNS
    assert longest < 0.8
