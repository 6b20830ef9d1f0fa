"""A database that cannot be used: one line that names DATABASE_URL and never holds the password, exit code 1, soon."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import make_url

from tests.e2e.test_process import refusal
from tests.postgres import PostgresServer

SECRET = "hunter2"
SOON = 10  # seconds


def told(folder: Path, url: str, command: str = "migrate") -> str:
    """What the line says after the variable's name."""
    began = time.monotonic()
    line = refusal(folder, command, DATABASE_URL=url)
    assert time.monotonic() - began < SOON
    assert SECRET not in line
    name, _, rest = line.partition(" DATABASE_URL ")
    assert name == "error:"
    return rest


def at_port(port: int, rest: str = "/media") -> str:
    return f"postgresql+psycopg2://media:{SECRET}@127.0.0.1:{port}{rest}"


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        (
            "mysql://media:hunter2@localhost/media",
            "must be sqlite:///FILE or postgresql+psycopg2://USER:PASSWORD@HOST/NAME",
        ),
        (at_port(1), "cannot be used: no server is at its address"),
        ("postgresql+psycopg2://media:hunter2@127.0.0.1:http/media", "cannot be used: This is not a database URL."),
        (at_port(1, "/media?colour=red"), "cannot be used: one of its options is not known"),
        ("postgresql+psycopg2://media:x@hunter2@nowhere.invalid/media", "cannot be used: its host has no address"),
    ],
)
def test_a_url_that_leads_nowhere(tmp_path: Path, url: str, reason: str) -> None:
    assert told(tmp_path, url) == reason


def test_a_server_that_says_nothing(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        assert told(tmp_path, at_port(silent.getsockname()[1])) == "cannot be used: nobody answers at its address"


def wrong_password(server: PostgresServer) -> str:
    return server.url(password=SECRET)


def unknown_user(server: PostgresServer) -> str:
    return make_url(wrong_password(server)).set(username="nobody").render_as_string(hide_password=False)


def missing_database(server: PostgresServer) -> str:
    return server.url("nothing")


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        (wrong_password, "cannot be used: it refuses this user or password"),
        (unknown_user, "cannot be used: it refuses this user or password"),
        (missing_database, "cannot be used: there is no database of this name"),
    ],
)
def test_a_server_that_refuses(
    postgres: PostgresServer, tmp_path: Path, url: Callable[[PostgresServer], str], reason: str
) -> None:
    assert told(tmp_path, url(postgres)) == reason


@pytest.mark.parametrize("command", ["serve", "api", "worker"])
def test_every_command_says_it(postgres: PostgresServer, tmp_path: Path, command: str) -> None:
    reason = told(tmp_path, wrong_password(postgres), command)
    assert reason == "cannot be used: it refuses this user or password"


def test_a_file_that_is_no_database(tmp_path: Path) -> None:
    (tmp_path / "media.db").write_bytes(b"not a database" * 1000)
    reason = told(tmp_path, f"sqlite:///{tmp_path}/media.db")
    assert reason == "cannot be used: the file is damaged, or no SQLite database"
    assert (tmp_path / "media.db").read_bytes() == b"not a database" * 1000


def test_a_damaged_database(tmp_path: Path, migrated: Path) -> None:
    content = migrated.read_bytes()
    (tmp_path / "media.db").write_bytes(content[:4096] + b"\x55" * (len(content) - 4096))
    reason = told(tmp_path, f"sqlite:///{tmp_path}/media.db")
    assert reason == "cannot be used: the file is damaged, or no SQLite database"


def test_a_folder_is_no_database(tmp_path: Path) -> None:
    (tmp_path / "media.db").mkdir()
    assert told(tmp_path, f"sqlite:///{tmp_path}/media.db") == "cannot be used: the file cannot be opened"
