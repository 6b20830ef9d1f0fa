"""The generated client creates, starts and follows a download of the running service."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType
from typing import Any

import httpx
import pytest

from tests import media
from tests.e2e.service import ROOT, Service, User
from tests.origin import Origin

HERE = Path(__file__).parent
SETTINGS = f"""
[tool.ariadne-codegen]
schema_path = "{ROOT}/schema.graphql"
queries_path = "{HERE}/operations.graphql"
target_package_name = "generated_client"
scalars.DateTime.type = "datetime.datetime"
"""


@pytest.fixture(scope="module")
def generator(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where ariadne-codegen lies; skips where no registry is reached."""
    folder = tmp_path_factory.mktemp("generator")
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet", "install"]
    packages = ["--no-deps", "--target", str(folder), "--requirement", str(HERE / "requirements.txt")]
    installed = subprocess.run([*pip, *packages], capture_output=True, text=True, check=False)
    if installed.returncode:
        pytest.skip(f"ariadne-codegen cannot be installed: {installed.stderr}")
    return folder


@pytest.fixture
def client_package(generator: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """Generated anew, and imported."""
    (tmp_path / "pyproject.toml").write_text(SETTINGS)
    made = subprocess.run(
        [sys.executable, "-m", "ariadne_codegen"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(generator)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert made.returncode == 0, made.stderr
    monkeypatch.syspath_prepend(tmp_path)
    return importlib.import_module("generated_client")


@pytest.fixture
def client(client_package: ModuleType, service: Service, user: User) -> Any:
    socket = f"ws{service.url.removeprefix('http')}/graphql"
    return client_package.Client(
        f"{service.url}/graphql",
        http_client=httpx.AsyncClient(headers=user.headers, timeout=20),
        ws_url=socket,
        ws_connection_init_payload=user.headers,
    )


@pytest.fixture
def user(service: Service) -> User:
    return service.user()


async def test_it_creates_starts_and_follows_a_download(
    client_package: Any, client: Any, origin: Origin, user: User
) -> None:
    stream = media.hls_vod(5, 0.5)
    origin.put_all(stream.files, under="/s/")
    wanted = client_package.CreateTaskInput(
        resource_url=origin.url("/s/" + stream.media),
        resource_type=client_package.ResourceType.HLS,
        liveroom_id="room-1",
    )
    async with client:
        created = (await client.create(wanted)).create_task
        assert (created.task.status, created.task.progress, created.user_errors) == ("PENDING", 0.0, [])

        states = []
        async for changed in client.follow(created.task.id):
            states.append(changed.task_changed)
            if len(states) == 1:
                started = (await client.start(created.task.id)).start_task
                assert (started.task.status, started.user_errors) == ("PROCESSING", [])
        assert (states[0].status, states[-1].status) == ("PENDING", "COMPLETED")
        assert (states[-1].progress, states[-1].segments_downloaded) == (1.0, 5)

        task = (await client.result(created.task.id)).task
    assert task.id == created.task.id
    assert abs((datetime.now(UTC) - task.created_at).total_seconds()) < 120
    assert task.playback_url.startswith(f"{user.service.url}/media/")
    assert task.video.duration == pytest.approx(stream.duration, abs=0.2)
    assert (task.failures.total_count, task.failures.nodes) == (0, [])

    async with client_package.Client(f"{user.service.url}/graphql", headers=user.headers) as another:
        again = (await another.start(task.id)).start_task
    assert [error.code for error in again.user_errors] == [client_package.UserErrorCode.CONFLICT]
