"""The server that the tests start, before anything is tested with it."""

from __future__ import annotations

import signal

import psycopg2
import pytest
from sqlalchemy import make_url

from tests.postgres import PostgresServer


def test_what_was_committed_outlives_a_killed_server(postgres: PostgresServer) -> None:
    with postgres.database(migrated=False) as url:
        name = str(make_url(url).database)
        postgres.execute("CREATE TABLE kept (number int)", name)
        postgres.execute("INSERT INTO kept VALUES (7)", name)
        postgres.restart(signal.SIGQUIT)
        assert postgres.execute("SELECT number FROM kept", name) == [(7,)]


def test_databases_are_apart(postgres: PostgresServer) -> None:
    with postgres.database() as one, postgres.database() as other:
        first, second = (str(make_url(url).database) for url in (one, other))
        postgres.execute("INSERT INTO purges VALUES ('x', now())", first)
        assert postgres.execute("SELECT prefix FROM purges", second) == []


def test_nobody_connects_while_it_is_down(postgres: PostgresServer) -> None:
    with postgres.down(), pytest.raises(psycopg2.OperationalError, match="No such file"):
        postgres.execute("SELECT 1")
    assert postgres.execute("SELECT 1") == [(1,)]


def test_it_asks_for_the_password(postgres: PostgresServer) -> None:
    address = make_url(postgres.url(password="wrong"))
    with pytest.raises(psycopg2.OperationalError, match="password authentication failed"):
        psycopg2.connect(
            host=address.query["host"], user=address.username, password=address.password, dbname="postgres"
        )
