"""Takes over a database of the documented service: three tables, naive UTC times, short URL columns.

Its rows are copied into new tables: its databases differ in their types (ids as UUID or text, words as enumerations
or text), and SQLite alters few of them. What is written here means revision 0001, for ever; what came after that is
run on the copies like on any other rows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

import sqlalchemy as sa
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from domain.errors import DatabaseError
from persistence.adopted_rows import FAILURES, READERS, SHOWN_TWICE, TASKS, VIDEOS, Adopted, Row, Values, to_uuid

TABLES = (TASKS, FAILURES, VIDEOS)
OURS = "run_number"  # in every database of this service, in none of the documented one
ROWS_AT_ONCE = 5_000

UUIDS = frozenset("id user_id video_id task_id".split())
TIMES = frozenset(
    "created_at updated_at completed_at queued_at next_retry_time download_start_time download_end_time".split()
)

ROWS = {
    TASKS: "SELECT * FROM former_download_tasks",
    FAILURES: "SELECT f.*, t.video_id AS task_video_id, t.status AS task_status"
    " FROM former_download_failures f LEFT JOIN former_download_tasks t ON t.id = f.task_id",
    VIDEOS: "SELECT v.*, t.video_id AS task_video_id"
    " FROM former_downloaded_videos v LEFT JOIN former_download_tasks t ON t.id = v.task_id",
}


def is_documented(connection: Connection) -> bool:
    """Whether these are tables of the documented service."""
    return sa.inspect(connection).has_table(TASKS) and OURS not in _columns(connection, TASKS)


@contextmanager
def adopting(connection: Connection) -> Iterator[None]:
    """Set the documented tables aside, and fill those that revision 0001 makes within the context.

    Raises DatabaseError, as when a task has no user; rolling back then leaves everything as it was.
    """
    present = [table for table in TABLES if sa.inspect(connection).has_table(table)]
    _refuse_tasks_of_nobody(connection)
    unknown = any(_columns(connection, table) - READERS[table].keys() - SHOWN_TWICE[table].keys() for table in present)
    for table in present:
        _set_aside(connection, table)
    yield
    adopted = Adopted(datetime.now(UTC))
    readers = {TASKS: adopted.task, FAILURES: adopted.failure, VIDEOS: adopted.video}
    for table in present:
        _copy(connection, table, readers[table])
        if table == TASKS:
            _part_folders(connection, adopted)
    if not unknown:  # else they stay: what we cannot carry over is not ours to drop
        for table in reversed(present):
            connection.exec_driver_sql(f"DROP TABLE former_{table}")


def _columns(connection: Connection, table: str) -> set[str]:
    return {column["name"] for column in sa.inspect(connection).get_columns(table)}


def _refuse_tasks_of_nobody(connection: Connection) -> None:
    user_id = "user_id" if "user_id" in _columns(connection, TASKS) else "NULL"
    users = connection.exec_driver_sql(f"SELECT {user_id} FROM {TASKS}").scalars()  # noqa: S608 - constants
    without = sum(not _is_uuid(user) for user in users)
    if without:
        rows = "1 row" if without == 1 else f"{without} rows"
        raise DatabaseError(
            f"{TASKS} has {rows} without a user_id: every task needs the id (a UUID) of its user. Nothing was changed."
        )


def _is_uuid(value: object) -> bool:
    try:
        to_uuid(value)
    except ValueError:
        return False
    return True


def _set_aside(connection: Connection, table: str) -> None:
    """Out of the way with its indexes, whose names are of the whole database."""
    quote = connection.dialect.identifier_preparer.quote
    if connection.dialect.name == "sqlite":
        listed = "SELECT name FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL AND tbl_name = ?"
        change = "DROP INDEX {index}"
    else:
        listed = "SELECT relname FROM pg_class JOIN pg_index ON oid = indexrelid WHERE indrelid = CAST(%s AS regclass)"
        change = "ALTER INDEX {index} RENAME TO former_{table}_{number}"
    indexes = connection.exec_driver_sql(listed, (table,)).scalars().all()
    connection.exec_driver_sql(f"ALTER TABLE {table} RENAME TO former_{table}")
    for number, index in enumerate(indexes):
        connection.exec_driver_sql(change.format(index=quote(index), table=table, number=number))


def _copy(connection: Connection, table: str, read: Callable[[Row], Values]) -> None:
    former = sa.text(ROWS[table]).execution_options(stream_results=True)  # else the client fetches them all first
    try:
        for rows in connection.execute(former).mappings().partitions(ROWS_AT_ONCE):
            values = [read(dict(row)) for row in rows]
            connection.execute(sa.insert(_target(table, values[0])), values)
    except DBAPIError as error:
        raise DatabaseError(f"A row of {table} cannot be taken over: {_rule(error)}. Nothing was changed.") from error


def _part_folders(connection: Connection, adopted: Adopted) -> None:
    """A folder belongs to one task, the oldest. By what was copied: one UUID may have been spelled in many ways."""
    tasks = sa.table(TASKS, sa.column("id", sa.Uuid()), sa.column("video_id", sa.Uuid()), sa.column("created_at"))
    place = sa.func.row_number().over(partition_by=tasks.c.video_id, order_by=(tasks.c.created_at, tasks.c.id))
    placed = sa.select(tasks.c.id, place.label("place")).subquery()
    for task_id in connection.scalars(sa.select(placed.c.id).where(placed.c.place > 1)).all():
        folder = adopted.rename(task_id)
        connection.execute(sa.update(tasks).where(tasks.c.id == task_id).values(video_id=folder))


def _target(table: str, columns: Values) -> sa.TableClause:
    types = {
        name: sa.Uuid() if name in UUIDS else sa.DateTime(timezone=True) if name in TIMES else None for name in columns
    }
    return sa.table(table, *(sa.column(name, kind) for name, kind in types.items()))


def _rule(error: DBAPIError) -> str:
    """Which one was broken; never a value."""
    diagnosis = getattr(error.orig, "diag", None)
    if diagnosis is None:
        return str(error.orig)  # SQLite names the constraint or the column, and nothing else
    return str(diagnosis.constraint_name or diagnosis.column_name or "a value does not fit its column")
