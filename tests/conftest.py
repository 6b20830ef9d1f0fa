"""What tests of any kind may ask for. Nothing of it starts before a test does."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest

from tests.builders import a_database
from tests.object_store import Bucket, ObjectStore
from tests.postgres import PostgresServer

NPM = Path(__file__).parents[1] / "web/ui/npm.sh"  # on a Node that is new enough, with the machine's authorities


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """What was logged goes to the process that reports, as UTF-8: hostile text has surrogates, too."""
    report = yield
    report.sections = [(name, text.encode("utf-8", "backslashreplace").decode()) for name, text in report.sections]
    return report


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """One server for all tests; who stops it starts it again."""
    with PostgresServer() as server:
        yield server


@pytest.fixture
def postgres_url(postgres: PostgresServer) -> Iterator[str]:
    """A database with all tables and no rows, of the test's own."""
    with postgres.database() as url:
        yield url


@pytest.fixture(scope="session")
def object_store() -> Iterator[ObjectStore]:
    """One store for all tests."""
    with ObjectStore() as store:
        yield store


@pytest.fixture
def bucket(object_store: ObjectStore) -> Iterator[Bucket]:
    """An empty bucket of the test's own."""
    with object_store.bucket() as bucket:
        yield bucket


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database file with all tables and no rows: copying it is ten times faster than migrating again."""
    folder = tmp_path_factory.mktemp("migrated")
    with a_database(folder):
        return folder / "media.db"


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A database with all tables and no rows, of the test's own; the test runs on both."""
    if request.param == "postgresql":
        return str(request.getfixturevalue("postgres_url"))
    copy = shutil.copy(request.getfixturevalue("migrated"), tmp_path / "media.db")
    return f"sqlite:///{copy}"


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def shared_database_url(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The same for all tests of a module, which are apart by their users."""
    if request.param == "postgresql":
        with request.getfixturevalue("postgres").database() as url:
            yield url
    else:
        copy = shutil.copy(request.getfixturevalue("migrated"), tmp_path_factory.mktemp("database") / "media.db")
        yield f"sqlite:///{copy}"


@pytest.fixture(scope="session")
def npm(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The scripts of ``tests/npm`` with their packages beside them; skips where no registry is reached."""
    folder = tmp_path_factory.mktemp("npm")
    shutil.copytree(Path(__file__).with_name("npm"), folder, dirs_exist_ok=True)
    npm = ["sh", str(NPM), sys.executable, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--fetch-retries=1"]
    installed = subprocess.run(npm, check=False, cwd=folder, capture_output=True, text=True)
    if installed.returncode:
        pytest.skip(f"npm packages cannot be installed: {installed.stderr}")
    return folder


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A database without tables, of the test's own."""
    if request.param == "postgresql":
        with request.getfixturevalue("postgres").database(migrated=False) as url:
            yield url
    else:
        yield f"sqlite:///{tmp_path}/media.db"
