"""What is shipped for containers fits the service. No engine runs here: what only Docker could tell is not told."""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import fields
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from main import parser
from settings import Settings
from tests.e2e.service import free_port, wait_until

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
OURS = {"migrate", "api", "worker"}


@pytest.fixture(scope="module")
def compose() -> Any:
    return yaml.safe_load((DEPLOY / "compose.yaml").read_text())


def example(**values: str) -> dict[str, str]:
    """deploy/example.env, filled in."""
    lines = (line.removeprefix("#") for line in (DEPLOY / "example.env").read_text().splitlines())
    found = dict(line.split("=", 1) for line in lines if re.fullmatch("[A-Z0-9_]+=.*", line))
    return {name: value or values.get(name, "") for name, value in found.items()}


SECRETS = {
    "JWT_SECRET_KEY": "j" * 40,
    "METRICS_TOKEN": "m" * 40,
    "POSTGRES_PASSWORD": "p" * 40,
    "S3_PASSWORD": "s" * 40,
}


def filled_in(text: str) -> str:
    """As Compose does it, for the two forms that are used."""

    def value(match: re.Match[str]) -> str:
        given = example(**SECRETS).get(match[1], "")
        assert given or not match[2].startswith(":?"), match[1]
        return given or match[2].removeprefix(":-")

    return re.sub(r"\$\{([A-Z0-9_]+)(:\?|:-[^}]*)\}", value, text)


def test_the_service_understands_every_variable(compose: Any) -> None:
    known = {field.name.upper() for field in fields(Settings)}
    for name in OURS:
        environment = compose["services"][name]["environment"]
        assert {variable for variable in environment if not variable.startswith("AWS_")} <= known
        settings = Settings.load(env={key: filled_in(text) for key, text in environment.items()}, dotenv=None)
        assert settings.storage_url == "s3://media/videos"
        assert settings.database_url == f"postgresql+psycopg2://media:{SECRETS['POSTGRES_PASSWORD']}@postgres/media"
        assert settings.object_store["AWS_SECRET_ACCESS_KEY"] == SECRETS["S3_PASSWORD"]
        assert settings.metrics_token == SECRETS["METRICS_TOKEN"]


def test_every_variable_of_the_example_is_used_and_the_other_way_round() -> None:
    used = set(re.findall(r"\$\{([A-Z0-9_]+):", (DEPLOY / "compose.yaml").read_text()))
    assert used == set(example())


def test_what_is_started_is_there(compose: Any) -> None:
    services = compose["services"]
    assert {name for name, service in services.items() if service["image"] == "media-download"} == OURS
    for name in OURS:
        (command,) = services[name]["command"]
        assert parser().parse_args([command]).run is not None
    assert (services["api"]["deploy"], services["worker"]["deploy"]) == ({"replicas": 2}, {"replicas": 2})
    for name, service in services.items():
        waits = service.get("depends_on", {})
        assert set(waits) <= set(services), name
        for other, how in waits.items():
            if how["condition"] == "service_healthy" and other not in OURS:  # the image has a check of its own
                assert "healthcheck" in services[other], other
        for volume in service.get("volumes", []):
            source = volume.split(":")[0]
            assert source in compose["volumes"] or (DEPLOY / source).is_file(), volume
        assert ":" in service["image"] or name in OURS, "pinned"


def test_prometheus_asks_every_process(compose: Any) -> None:
    (job,) = yaml.safe_load((DEPLOY / "prometheus.yml").read_text())["scrape_configs"]
    (where,) = job["dns_sd_configs"]
    assert set(where["names"]) == OURS - {"migrate"}
    assert job["authorization"]["credentials_file"] == "/run/secrets/metrics_token"
    assert compose["services"]["prometheus"]["secrets"] == list(compose["secrets"]) == ["metrics_token"]


def test_the_image_has_all_rooms_and_no_secret() -> None:
    shipped = (ROOT / ".dockerignore").read_text().splitlines()
    assert shipped[1] == "*"
    taken = {line[1:] for line in shipped if line.startswith("!")}
    assert all((ROOT / name).exists() for name in taken)
    rooms = {path.parent.name for path in ROOT.glob("*/__init__.py")} - {"tests", "bench"}
    assert rooms <= taken
    assert not {".env", ".git", "tests", "data"} & taken
    lines = (ROOT / "Dockerfile").read_text().splitlines()
    sources = [part for line in lines if re.match("COPY (?!--from)", line) for part in line.split()[1:-1]]
    assert all((ROOT / source).exists() for source in sources)
    assert "USER media" in lines


@pytest.mark.skipif(shutil.which("nginx") is None, reason="there is no nginx on this machine")
def test_nginx_takes_its_configuration(tmp_path: Path) -> None:
    text = (DEPLOY / "nginx.conf").read_text()
    whole = tmp_path / "nginx.conf"
    whole.write_text(f"events {{}} pid {tmp_path}/pid; http {{ access_log off; {text} }}")
    command = ["nginx", "-t", "-c", str(whole), "-e", str(tmp_path / "errors")]
    checked = subprocess.run(command, capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stderr


@pytest.mark.skipif(shutil.which("nginx") is None, reason="there is no nginx on this machine")
def test_nginx_writes_no_signed_link_down(tmp_path: Path) -> None:
    """Not even when the service behind it is away. Around it the logs are on, as in nginx's image."""
    port, errors = free_port(), tmp_path / "errors"
    text = (DEPLOY / "nginx.conf").read_text().replace("listen 8000", f"listen 127.0.0.1:{port}")
    text = text.replace("http://api:8000", f"http://127.0.0.1:{free_port()}")
    logs = f"error_log {errors}; http {{ access_log {tmp_path}/access;"
    whole = tmp_path / "nginx.conf"
    whole.write_text(f"daemon off; master_process off; events {{}} pid {tmp_path}/pid; {logs} {text} }}")
    command = ["nginx", "-c", str(whole), "-e", str(errors)]
    running = subprocess.Popen(command)
    try:
        wait_until((tmp_path / "pid").exists, "nginx to start")
        for path in ("media/a-signed-token/video_1/mp4/film.mp4?download", "health"):
            assert httpx.get(f"http://127.0.0.1:{port}/{path}").status_code == 502
    finally:
        running.terminate()
        running.wait()
    written = "".join(path.read_text() for path in (errors, tmp_path / "access") if path.exists())
    assert "GET /health" in written, "of the rest, errors are told"
    assert "a-signed-token" not in written
