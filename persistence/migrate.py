"""Brings a database to the tables of this version."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.util import CommandError
from sqlalchemy import Connection, Engine, inspect, text

from domain.errors import DatabaseError
from persistence.adoption import adopting, is_documented
from persistence.errors import our_errors
from persistence.postgresql import LOCK_TIMEOUT
from persistence.standstill import let_wait

MIGRATION_LOCK = 0x6D696772617465  # "migrate"


def migrate(engine: Engine) -> None:
    """Run what is missing, in one transaction; processes that start together take turns.

    The tables of the documented service are taken over. Raises DatabaseError, also for a database that a newer version
    has migrated.
    """
    config = Config()
    folder = Path(__file__).parent / "migrations"
    config.set_main_option("script_location", str(folder).replace("%", "%%"))
    with our_errors(), engine.begin() as connection:
        _stand_alone(connection)
        config.attributes["connection"] = connection
        if is_documented(connection):
            _adopt(connection, config)
        try:
            command.upgrade(config, "head")
        except CommandError as error:
            raise DatabaseError("The database belongs to a newer version of this service.") from error


def _adopt(connection: Connection, config: Config) -> None:
    if inspect(connection).has_table("alembic_version"):  # the documented service's own
        connection.execute(text("DELETE FROM alembic_version"))
    with adopting(connection):
        command.upgrade(config, "0001")


def _stand_alone(connection: Connection) -> None:
    """SQLite's transaction holds the write lock from its beginning."""
    if connection.dialect.name == "postgresql":
        let_wait(connection)
        for limit in ("statement", "lock", "idle_in_transaction_session"):  # a large table takes its time
            connection.execute(text(f"SET LOCAL {limit}_timeout = 0"))
        connection.execute(text(f"SELECT pg_advisory_xact_lock({MIGRATION_LOCK})"))
        # Whoever waits for a lock of a whole table makes all others wait behind it.
        connection.execute(text(f"SET LOCAL lock_timeout = '{LOCK_TIMEOUT}s'"))
