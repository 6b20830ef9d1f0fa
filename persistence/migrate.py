"""Brings a database to the tables of this version."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.util import CommandError
from sqlalchemy import Connection, Engine, text

from domain.errors import DatabaseError
from persistence.errors import our_errors

MIGRATION_LOCK = 0x6D696772617465  # "migrate"


def migrate(engine: Engine) -> None:
    """Run what is missing, in one transaction; processes that start together take turns.

    Raises DatabaseError, also for a database that a newer version has migrated.
    """
    config = Config()
    folder = Path(__file__).parent / "migrations"
    config.set_main_option("script_location", str(folder).replace("%", "%%"))
    with our_errors(), engine.begin() as connection:
        _stand_alone(connection)
        config.attributes["connection"] = connection
        try:
            command.upgrade(config, "head")
        except CommandError as error:
            raise DatabaseError("The database belongs to a newer version of this service.") from error


def _stand_alone(connection: Connection) -> None:
    """SQLite's transaction holds the write lock from its beginning."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("SET LOCAL statement_timeout = 0"))  # a large table takes its time
        connection.execute(text(f"SELECT pg_advisory_xact_lock({MIGRATION_LOCK})"))
