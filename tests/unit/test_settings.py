"""What each variable may hold, and the one line that says so when it holds something else."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from settings import GIB, MIB, Settings, SettingsError

ROOT = Path(__file__).parents[2]
SECRET = "0123456789abcdef0123456789abcdef"
EXAMPLE = dict(re.findall(r"^#([A-Z_]+)=(.*)$", (ROOT / ".env.example").read_text(), re.MULTILINE))


def load(env: Mapping[str, str], dotenv: Path | None = None) -> Settings:
    return Settings.load(env={"JWT_SECRET_KEY": SECRET, **env}, dotenv=dotenv)


def refusal(env: Mapping[str, str]) -> str:
    with pytest.raises(SettingsError) as refused:
        load(env)
    return str(refused.value)


def test_the_example_names_every_variable_with_its_default() -> None:
    assert set(EXAMPLE) == {setting.name.upper() for setting in fields(Settings)} - {"OBJECT_STORE", "OPEN_TELEMETRY"}
    assert load({**EXAMPLE, "JWT_SECRET_KEY": SECRET}) == load({}) == Settings(jwt_secret_key=SECRET)


def test_the_readme_tells_every_variable_with_its_default() -> None:
    rows = re.findall(r"^\| (`[A-Z_`, ]+`) \| (.*?) \| ", (ROOT / "README.md").read_text(), re.MULTILINE)
    told = {
        name: default.strip("`")
        for names, defaults in rows
        for name, default in zip(re.findall("[A-Z_]+", names), [*defaults.split(", ")] * 2, strict=False)
    }
    assert {name for name in EXAMPLE if name not in told} == set()
    plain = {name: default for name, default in EXAMPLE.items() if default and "://" not in default}
    assert {name: told[name] for name in plain} == plain


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("JWT_ALGORITHM", "hs512", "HS512"),
        ("PORT", "65535", 65535),
        ("GRAPHIQL", "False", False),
        ("GRAPHIQL", "0", False),
        ("REST_ENVELOPE_ONLY", "YES", True),
        ("MAX_FILE_BYTES", "1048576", MIB),
        ("MAX_FILE_BYTES", "8 MiB", 8 * MIB),
        ("MIN_FREE_BYTES", "50gib", 50 * GIB),
        ("MIN_FREE_BYTES", "0", 0),
        ("PUBLIC_URL", "https://media.example.com/", "https://media.example.com"),
        ("PUBLIC_URL", "http://[::1]:8000/media", "http://[::1]:8000/media"),
        ("DATABASE_URL", "sqlite:////var/media.db", "sqlite:////var/media.db"),
        ("DATABASE_URL", "postgresql+psycopg2:///media?host=/run", "postgresql+psycopg2:///media?host=/run"),
        ("STORAGE_URL", "/srv/media files", "/srv/media files"),
        ("STORAGE_URL", "s3://bucket/prefix", "s3://bucket/prefix"),
        ("EGRESS_ALLOW", "", frozenset()),
        ("EGRESS_ALLOW", "127.0.0.1:80, [::1]:8080,", frozenset({("127.0.0.1", 80), ("::1", 8080)})),
        ("EGRESS_ALLOW", "Media.LAN.:1,[0:0::01]:2", frozenset({("media.lan", 1), ("::1", 2)})),
        (
            "CORS_ORIGINS",
            "https://A.example/, http://b.example:81",
            ("https://a.example", "http://b.example:81"),
        ),
        ("CORS_ORIGINS", "*", ("*",)),
        ("LOG_LEVEL", "debug", "DEBUG"),
        ("LOG_DIR", "logs", Path("logs")),
        ("METRICS_TOKEN", "", None),
    ],
)
def test_accepted(name: str, value: str, expected: object) -> None:
    assert getattr(load({name: value}), name.lower()) == expected


@pytest.mark.parametrize(
    ("name", "values", "line"),
    [
        ("JWT_ALGORITHM", ["none", "RS256", "ES256"], "must be one of HS256, HS384, HS512"),
        (
            "PORT",
            ["0", "65536", "-1", "80.0", "8_0", "٨٠", "web", "9" * 5000],
            "must be an integer from 1 to 65535",
        ),
        ("MAX_CONCURRENT_TASKS", ["0", "1e3"], "must be an integer from 1 to 1000000000"),
        ("AUTO_RETRY", ["on", "2", "truee"], "must be true or false"),
        (
            "MAX_PLAYLIST_BYTES",
            ["0", "-1", "8 MB", "8M", "1.5GiB", "MiB", "8  MiB", "8MiB "],
            "must be a size of at least 1 bytes, such as 1048576, 8 MiB or 50GiB",
        ),
        (
            "PUBLIC_URL",
            [
                "media.example.com",
                "ftp://a",
                "http://",
                "http://u:p@a",
                "http://a?b",
                "http://a#b",
                "http://a b",
            ],
            "must be an http or https URL without user name, query and fragment",
        ),
        (
            "DATABASE_URL",
            ["media.db", "sqlite://", "sqlite:///", "sqlite:///:memory:", "mysql://a/b", "postgresql://a/b"],
            "must be sqlite:///FILE or postgresql+psycopg2://USER:PASSWORD@HOST/NAME",
        ),
        (
            "STORAGE_URL",
            ["file:///srv", "s3://", "s3:///a", "s3:a", "gs://b"],
            "must be a folder or s3://BUCKET/PREFIX",
        ),
        ("HOST", ["a\nb"], "must not hold control characters"),
        (
            "EGRESS_ALLOW",
            [
                "a",
                "a:",
                ":80",
                "a:0",
                "a:65536",
                "::1:80",
                "[::g]:80",
                "u@a:80",
                "http://a:80",
                "a:80/b",
                "*:80",
            ],
            "must be a comma list of host:port, such as media.lan:8080 or [::1]:80",
        ),
        (
            "CORS_ORIGINS",
            ["app.example.com", "https://a/b", "https://u@a", "https://a,b", "https://*.a"],
            "must be a comma list of origins, such as https://app.example.com",
        ),
        ("LOG_FORMAT", ["xml"], "must be one of json, text"),
        ("LOG_LEVEL", ["LOUD"], "must be one of DEBUG, INFO, WARNING, ERROR, CRITICAL"),
        ("PLAYBACK_URL_SECONDS", ["0", "86401"], "must be an integer from 1 to 86400"),
        ("JWT_AUDIENCE", ["\udcff"], "must be UTF-8"),
    ],
)
def test_refused_in_one_line_that_names_the_variable(name: str, values: list[str], line: str) -> None:
    assert {refusal({name: value}) for value in values} == {f"{name} {line}"}


@pytest.mark.parametrize(
    ("env", "public_url"),
    [
        ({}, "http://127.0.0.1:8000"),
        ({"HOST": "10.0.0.7", "PORT": "81"}, "http://10.0.0.7:81"),
        ({"HOST": "::1"}, "http://[::1]:8000"),
    ],
)
def test_the_public_url_follows_host_and_port(env: dict[str, str], public_url: str) -> None:
    assert load(env).public_url == public_url


def test_a_missing_secret_is_refused_with_the_way_to_make_one() -> None:
    for env in ({"JWT_SECRET_KEY": ""}, {"JWT_SECRET_KEY": "", "JWT_ALLOW_WEAK_SECRET": "true"}):
        line = refusal(env)
        assert line.startswith("JWT_SECRET_KEY is missing: ")
        made = line.partition("make one with: python3 -c '")[2].rstrip("'")
        printed = subprocess.run([sys.executable, "-c", made], capture_output=True, check=True, text=True).stdout
        assert len(load({"JWT_SECRET_KEY": printed.strip()}).jwt_secret_key) == 64


@pytest.mark.parametrize("name", ["JWT_SECRET_KEY", "JWT_SECRET_KEY_PREVIOUS"])
def test_a_short_secret_is_refused_unless_allowed(name: str) -> None:
    line = refusal({name: "é" * 15 + "x"})
    assert line.startswith(f"{name} is shorter than 32 bytes: make one with: ")
    assert "é" not in line
    assert "\n" not in line
    assert load({name: "é" * 16}).weak_secrets == ()
    assert load({name: "short", "JWT_ALLOW_WEAK_SECRET": "true"}).weak_secrets == (name,)


def test_only_the_groups_asked_for_are_read() -> None:
    wrong = dict.fromkeys(("PORT", "DATABASE_URL", "LOG_LEVEL"), "?")
    settings = Settings.load({"downloads"}, env={**wrong, "MAX_SEGMENTS": "7"}, dotenv=None)
    assert settings == Settings(max_segments=7)


def test_the_real_environment_wins_over_the_file(tmp_path: Path) -> None:
    dotenv = tmp_path / ".env"
    dotenv.write_text("\ufeff# mine\nPORT=1\r\nexport HOST='::1'\nLOG_LEVEL\n", encoding="utf-8")
    settings = load({"PORT": "2"}, dotenv)
    assert (settings.host, settings.port, settings.log_level) == ("::1", 2, "INFO")


def test_a_file_that_is_not_text_is_named(tmp_path: Path) -> None:
    dotenv = tmp_path / ".env"
    dotenv.write_bytes(b"PORT=\xff\n")
    with pytest.raises(SettingsError, match="cannot be read: it must be a text file in UTF-8"):
        load({}, dotenv)


def test_no_secret_is_in_the_repr() -> None:
    secrets: dict[str, Any] = {
        "JWT_SECRET_KEY": SECRET,
        "JWT_SECRET_KEY_PREVIOUS": SECRET[::-1],
        "METRICS_TOKEN": "metrics-token",
        "DATABASE_URL": "postgresql+psycopg2://u:database-password@h/n",
        "AWS_SECRET_ACCESS_KEY": "object-store-key",
    }
    settings = load(secrets)
    assert settings.object_store == {"AWS_SECRET_ACCESS_KEY": "object-store-key"}
    assert [value for value in secrets.values() if value in repr(settings)] == []


@pytest.mark.parametrize(
    ("variables", "collected"),
    [
        ({}, False),
        ({"OTEL_SERVICE_NAME": "media"}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318"}, True),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://c:4318/v1/traces"}, True),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318", "OTEL_SDK_DISABLED": "TRUE"}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318", "OTEL_TRACES_EXPORTER": "none"}, False),
    ],
)
def test_traces_go_where_the_standard_variables_say(variables: dict[str, str], collected: bool) -> None:
    assert Settings.load(["log"], env=variables, dotenv=None).traces_are_collected is collected


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("STORAGE_URL", "s3://b"),
        ("STORAGE_URL", "s3://Media/x"),
        ("STORAGE_URL", "s3://media/../x"),
        ("STORAGE_URL", "s3://media/a b"),
        ("STORAGE_URL", "gs://media/x"),
        ("AWS_ENDPOINT_URL", "s3.example.com"),
        ("AWS_ENDPOINT_URL", "http://user:secret@s3.example.com"),
        ("AWS_ENDPOINT_URL", "http://s3.exa mple.com"),
        ("AWS_REGION", "eu central"),
        ("AWS_SECRET_ACCESS_KEY", "two words"),
        ("AWS_ACCESS_KEY_ID", "schlüssel"),
        ("STORAGE_PUBLIC_URL", "media.example.com"),
        ("SCRATCH_MAX_BYTES", "1MiB"),
    ],
)
def test_an_object_store_that_cannot_be_is_refused_by_name(variable: str, value: str) -> None:
    with pytest.raises(SettingsError) as caught:
        Settings.load(["storage"], env={variable: value}, dotenv=None)
    assert str(caught.value).startswith(f"{variable} ")
    assert value not in str(caught.value)
