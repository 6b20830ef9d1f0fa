from __future__ import annotations

import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from alembic.migration import MigrationContext
from sqlalchemy import Engine, text

from domain.errors import DatabaseError
from persistence.engine import open_engine
from persistence.migrate import migrate
from persistence.tables import metadata
from tests.builders import schema_differences


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    engine = open_engine(f"sqlite:///{tmp_path}/100%.db", pool_size=4)
    yield engine
    engine.dispose()


def definitions(engine: Engine) -> dict[str, str]:
    """Every table and index, as SQLite keeps its SQL: columns, types, defaults, constraints and conditions."""
    with engine.connect() as connection:
        rows = connection.execute(text("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL")).all()
    return {
        name: in_order(sql) if sql.startswith("CREATE TABLE") else sql
        for name, sql in rows
        if name != "alembic_version"
    }


def in_order(sql: str) -> str:
    """The parts of a table in an order of their own: a column that was added stands behind the constraints."""
    if not sql.startswith("CREATE TABLE"):
        return sql
    head, _, parts = sql.partition("(")
    split = re.split(r",(?![^()]*\))", parts.strip()[:-1])
    return f"{head}({', '.join(sorted(' '.join(part.split()) for part in split))})"


def revision(engine: Engine) -> str | None:
    with engine.connect() as connection:
        return MigrationContext.configure(connection).get_current_revision()


def test_migrations_make_exactly_the_tables_of_the_code(engine: Engine, tmp_path: Path) -> None:
    migrate(engine)
    fresh = open_engine(f"sqlite:///{tmp_path}/fresh.db", pool_size=1)
    metadata.create_all(fresh)
    assert definitions(engine) == definitions(fresh)
    fresh.dispose()
    assert schema_differences(engine) == []


def test_so_they_do_on_postgresql(postgres_url: str) -> None:
    engine = open_engine(postgres_url, pool_size=1)
    assert schema_differences(engine) == []
    engine.dispose()


def test_migrating_again_changes_nothing(engine: Engine) -> None:
    migrate(engine)
    before = definitions(engine), revision(engine)
    migrate(engine)
    assert (definitions(engine), revision(engine)) == before
    assert before[1] == "0008"


def test_processes_that_start_together_take_turns(engine: Engine) -> None:
    with ThreadPoolExecutor(4) as threads:
        for future in [threads.submit(migrate, engine) for _ in range(4)]:
            future.result()
    assert "download_tasks" in definitions(engine)


def test_a_newer_database_is_refused_untouched(engine: Engine) -> None:
    migrate(engine)
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    before = definitions(engine)
    with pytest.raises(DatabaseError, match="newer version"):
        migrate(engine)
    assert definitions(engine) == before


def test_a_migration_that_fails_leaves_nothing_behind(engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE purges (prefix TEXT)"))  # the last but one that is made
    with pytest.raises(DatabaseError):
        migrate(engine)
    assert definitions(engine) == {"purges": "CREATE TABLE purges (prefix TEXT)"}
