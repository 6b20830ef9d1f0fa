"""Alembic runs this once a migration; ``persistence.migrate`` hands in the connection and its transaction.

Before a revision copies a table on SQLite (batch mode), think of ``foreign_keys=ON``: dropping the old copy
deletes the rows of its children.
"""

from __future__ import annotations

from alembic import context

from persistence.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    transactional_ddl=True,  # on SQLite too: our engine begins its transactions itself
)
with context.begin_transaction():
    context.run_migrations()
