"""The process: what it refuses to start with, and how it stops and goes on."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from main import listening
from settings import Settings
from tests import media
from tests.e2e.service import ROOT, SECRET, Service, free_port
from tests.origin import Origin
from tests.origin_faults import latency

SETTINGS = {"PATH": "/usr/bin:/bin", "JWT_SECRET_KEY": SECRET, "LOG_LEVEL": "ERROR"}


def refusal(folder: Path, command: str = "serve", **settings: str) -> str:
    """The one line with which the process refuses to start."""
    ended = subprocess.run(
        [sys.executable, ROOT / "main.py", command],
        cwd=folder,
        env=SETTINGS | {"HOME": str(folder)} | settings,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert (ended.returncode, ended.stdout, ended.stderr.count("\n")) == (1, "", 1), ended.stderr
    return ended.stderr.removesuffix("\n")


MAKE_ONE = "make one with: python3 -c 'import secrets; print(secrets.token_urlsafe(48))'"


@pytest.mark.parametrize("command", ["serve", "api"])
def test_a_missing_secret(tmp_path: Path, command: str) -> None:
    """An empty value is none: a file beside main.py may hold one."""
    line = refusal(tmp_path, command, JWT_SECRET_KEY="")
    assert line == f"error: JWT_SECRET_KEY is missing: set it in .env or the environment; {MAKE_ONE}"
    assert list(tmp_path.iterdir()) == []


def test_a_short_secret(tmp_path: Path) -> None:
    line = refusal(tmp_path, JWT_SECRET_KEY="x" * 31)
    assert line == f"error: JWT_SECRET_KEY is shorter than 32 bytes: {MAKE_ONE}; or set JWT_ALLOW_WEAK_SECRET=true"


def test_a_short_secret_that_is_allowed(tmp_path: Path) -> None:
    """Every start says so."""
    with Service(tmp_path, JWT_SECRET_KEY="x" * 31, JWT_ALLOW_WEAK_SECRET="true") as service:
        assert "JWT_SECRET_KEY is shorter than 32 bytes" in service.log.read_text()


@pytest.mark.parametrize(
    "setting",
    [
        "PORT=http",
        "HOST=192.0.2.1",
        "DATABASE_URL=mysql://localhost/media",
        "DATABASE_URL=sqlite:////proc/media/media.db",
        "STORAGE_URL=s3:",
        "EGRESS_ALLOW=media.example",
        "MAX_CONCURRENT_TASKS=0",
        "AUTO_RETRY=maybe",
        "LOG_LEVEL=LOUD",
        "JWT_ALGORITHM=none",
        "JWT_SECRET_KEY_PREVIOUS=short",
    ],
)
def test_a_wrong_setting(tmp_path: Path, setting: str) -> None:
    name, _, value = setting.partition("=")
    assert refusal(tmp_path, **{name: value}).startswith(f"error: {name} ")


def test_a_port_in_use(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        line = refusal(tmp_path, PORT=str(port))
    assert line.startswith("error: PORT cannot be used: Address already in use")
    assert list(tmp_path.iterdir()) == []


def test_answers_are_sent_at_once() -> None:
    """Without TCP_NODELAY the second packet of an answer waits 40 ms for the first one's acknowledgement."""
    with listening(Settings(port=free_port())) as listener, socket.create_connection(listener.getsockname()):
        connection, _ = listener.accept()
        with connection:
            assert connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) != 0


def test_a_second_worker_over_one_database(tmp_path: Path) -> None:
    """It would take the first one's runs for lost."""
    with Service(tmp_path) as service:
        line = refusal(tmp_path, DATABASE_URL=f"sqlite:///{service.folder}/media.db", PORT="1")
    assert line.startswith("error: DATABASE_URL ")


def test_a_worker_of_its_own_over_sqlite(tmp_path: Path) -> None:
    line = refusal(tmp_path, "worker")
    assert line.startswith("error: DATABASE_URL must be postgresql+psycopg2://")
    assert "serve" in line
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("command", ["serve", "api", "worker"])
def test_a_database_that_does_not_answer(tmp_path: Path, command: str) -> None:
    began = time.monotonic()
    url = f"postgresql+psycopg2://media:a-secret@127.0.0.1:{free_port()}/media"
    line = refusal(tmp_path, command, DATABASE_URL=url, PORT=str(free_port()))
    assert line.startswith("error: ")
    assert "a-secret" not in line
    assert time.monotonic() - began < 10


def test_a_stop_while_nothing_runs(tmp_path: Path) -> None:
    with Service(tmp_path) as service:
        began = time.monotonic()
        assert service.terminate() == 0
        assert time.monotonic() - began < 6  # 0.7 s when the machine has nothing else to do


def test_a_stop_lets_pieces_in_flight_end_and_the_next_start_fetches_the_others(tmp_path: Path, origin: Origin) -> None:
    stream = media.many_segments(60)
    origin.put_all(stream.files, under="/s/")
    segments = [f"/s/{name}" for name in stream.files if name.endswith(".ts")]
    for path in segments:
        origin.fail(path, latency(0.3))
    with Service(tmp_path, EGRESS_ALLOW=origin.host_port, SEGMENT_CONCURRENCY="4") as service:
        user = service.user()
        task = user.create(origin.url(f"/s/{stream.media}"))
        origin.wait_for_hits(lambda hit: hit.path in segments, 10)

        began = time.monotonic()
        assert service.terminate() == 0
        assert time.monotonic() - began < 5

        before = [hit.path for hit in origin.log if hit.path in segments]
        assert 10 <= len(before) <= 30
        assert not any(service.media(name).is_file() for name in service.temporary_files())
        origin.heal()
        service.start()
        assert user.wait(task["id"])["status"] == "COMPLETED"
        assert sorted(hit.path for hit in origin.log if hit.path in segments) == sorted(segments)
        assert service.temporary_files() == []


def test_a_stop_does_not_wait_for_pieces_that_do_not_end(tmp_path: Path, origin: Origin) -> None:
    stream, film = media.many_segments(30), media.mp4(min_bytes=3_000_000)
    origin.put_all(stream.files, under="/s/")
    origin.put("/film.mp4", film)
    segments = [f"/s/{name}" for name in stream.files if name.endswith(".ts")]
    gates = [origin.hold(segments[7]), origin.hold("/film.mp4", after=2_000_000)]
    with Service(tmp_path, EGRESS_ALLOW=origin.host_port) as service:
        user = service.user()
        hls = user.create(origin.url(f"/s/{stream.media}"))["id"]
        mp4 = user.create(origin.url("/film.mp4"), "MP4")["id"]
        user.watch(hls, lambda task: task["segmentsDownloaded"] == 29)
        user.watch(mp4, lambda task: task["bytesDownloaded"] >= 1_900_000)

        began = time.monotonic()
        assert service.terminate() == 0
        assert time.monotonic() - began < 10
        assert [row["started_at"] for row in service.rows("download_tasks")] == [None, None]
        assert service.log.read_text() == ""

        stuck = origin.hits(segments[7])
        assert stuck in (1, 2)  # the second is the hedge, if the machine took a second to get here
        for gate in gates:
            gate.release()
        service.start()
        done = {task: user.wait(task) for task in (hls, mp4)}
        assert [task["status"] for task in done.values()] == ["COMPLETED", "COMPLETED"]
        assert service.media(done[mp4]["video"]["storagePath"]).read_bytes() == film
        assert {path: origin.hits(path) for path in segments} == dict.fromkeys(segments, 1) | {segments[7]: stuck + 1}
        first, second = (hit for hit in origin.log if hit.path == "/film.mp4")
        assert second.status == 206
        assert first.bytes_sent + second.bytes_sent < len(film) + 1_000_000


def test_data_lies_under_the_working_directory_by_default(tmp_path: Path, origin: Origin) -> None:
    """Wherever the process is started from; an empty setting is none."""
    picture = media.png()
    origin.put("/picture.png", picture)
    with Service(tmp_path, EGRESS_ALLOW=origin.host_port, DATABASE_URL="", STORAGE_URL="") as service:
        user = service.user()
        task = user.wait(user.create(origin.url("/picture.png"), "IMAGE")["id"])
        assert task["status"] == "COMPLETED"
        assert tmp_path.joinpath("data", "media", task["video"]["storagePath"]).read_bytes() == picture
        assert tmp_path.joinpath("data", "media.db").is_file()


def test_a_worker_without_the_folder_of_the_others(tmp_path: Path, postgres_url: str) -> None:
    """It would store what nobody else finds."""
    database = {"DATABASE_URL": postgres_url, "MIN_FREE_BYTES": "0"}
    with Service(tmp_path, **database) as service:
        assert service.http.get("/ready").json()["parts"]["storage"] == "ok"
        line = refusal(tmp_path, "worker", PORT=str(free_port()), STORAGE_URL=str(tmp_path / "elsewhere"), **database)
    told = "it takes no file, or is not the folder that the other machines share: is it mounted?"
    assert line == f"error: STORAGE_URL cannot be used: {told}"
