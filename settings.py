"""The environment, and ``.env`` beside this file, as one frozen and checked ``Settings``.

A field's name in capitals is its variable. The real environment wins over ``.env``; an empty value is none.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import Field, dataclass, field, fields
from ipaddress import IPv6Address
from pathlib import Path
from typing import Any, Literal, TypeVar, get_args

Group = Literal["tokens", "http", "database", "storage", "tasks", "downloads", "log"]
GROUPS: tuple[Group, ...] = get_args(Group)
DOTENV = Path(__file__).with_name(".env")
MIN_SECRET_BYTES = 32  # RFC 7518, 3.2: a key for HS256 has at least the size of its hash

KIB, MIB, GIB, TIB = (2**power for power in (10, 20, 30, 40))
_UNITS = {"": 1, "b": 1, "kib": KIB, "mib": MIB, "gib": GIB, "tib": TIB}
_MAKE_ONE = "make one with: python3 -c 'import secrets; print(secrets.token_urlsafe(48))'"
# Amazon's rules for names of buckets; of a prefix what needs no escaping anywhere.
_BUCKET_URL = r"s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](/[\w!.*'()-]*[\w!*'()-])*/?"
_HOST = r"(?:\[[0-9a-f:.]+\]|[^\s\[\]:/?#@,*]+)"

T = TypeVar("T")


class SettingsError(Exception):
    """A variable is missing or wrong. The message is one line that names it and never holds its value."""


# What each variable may hold. A ValueError's text goes on where the variable's name stops.


def _text(value: str) -> str:
    if not value.isprintable():
        raise ValueError("must not hold control characters")
    return value


def _choice(*choices: str) -> Callable[[str], str]:
    def parse(value: str) -> str:
        for choice in choices:
            if value.lower() == choice.lower():
                return choice
        raise ValueError(f"must be one of {', '.join(choices)}")

    return parse


def _boolean(value: str) -> bool:
    if value.lower() in {"true", "1", "yes"}:
        return True
    if value.lower() in {"false", "0", "no"}:
        return False
    raise ValueError("must be true or false")


def _integer(least: int, most: int = 1_000_000_000) -> Callable[[str], int]:
    def parse(value: str) -> int:
        if not re.fullmatch("[0-9]{1,10}", value) or not least <= int(value) <= most:
            raise ValueError(f"must be an integer from {least} to {most}")
        return int(value)

    return parse


_port = _integer(1, 65535)


def _size(least: int) -> Callable[[str], int]:
    def parse(value: str) -> int:
        match = re.fullmatch("([0-9]{1,18}) ?([a-z]*)", value.lower())
        size = int(match[1]) * _UNITS.get(match[2], -1) if match else -1
        if size < least:
            raise ValueError(f"must be a size of at least {least} bytes, such as 1048576, 8 MiB or 50GiB")
        return size

    return parse


def _public_url(value: str) -> str:
    if not re.fullmatch(rf"https?://{_HOST}(:[0-9]{{1,5}})?(/[^\s?#]*)?", value, re.IGNORECASE):
        raise ValueError("must be an http or https URL without user name, query and fragment")
    return value.rstrip("/")


def _database_url(value: str) -> str:
    if not re.fullmatch(r"(sqlite:///(?!:memory:)|postgresql\+psycopg2://)\S.*", value):
        raise ValueError("must be sqlite:///FILE or postgresql+psycopg2://USER:PASSWORD@HOST/NAME")
    return value


def _storage_url(value: str) -> str:
    if (value.startswith("s3:") or "://" in value) and not re.fullmatch(_BUCKET_URL, value, re.ASCII):
        raise ValueError("must be a folder or s3://BUCKET/PREFIX")
    return _text(value)


def _items(value: str) -> list[str]:
    return [item.strip().lower() for item in value.split(",") if item.strip()]


def _origins(value: str) -> tuple[str, ...]:
    origins = tuple(item.rstrip("/") for item in _items(value))
    for origin in origins:
        if not re.fullmatch(rf"\*|[a-z][a-z0-9+.-]*://{_HOST}(:[0-9]{{1,5}})?", origin):
            raise ValueError("must be a comma list of origins, such as https://app.example.com")
    return origins


def _endpoints(value: str) -> frozenset[tuple[str, int]]:
    try:
        return frozenset(_endpoint(item) for item in _items(value))
    except ValueError:
        raise ValueError("must be a comma list of host:port, such as media.lan:8080 or [::1]:80") from None


def _endpoint(item: str) -> tuple[str, int]:
    host, _, port = item.rpartition(":")
    if not re.fullmatch(_HOST, host):
        raise ValueError(item)
    return str(IPv6Address(host[1:-1])) if host.startswith("[") else host.rstrip("."), _port(port)


def _setting(group: Group, default: T, parse: Callable[[str], T], *, secret: bool = False) -> T:
    return field(default=default, repr=not secret, metadata={"group": group, "parse": parse})


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Every setting of the service; sizes are in bytes. ``.env.example`` says what each one means."""

    jwt_secret_key: str = _setting("tokens", "", str, secret=True)
    jwt_secret_key_previous: str | None = _setting("tokens", None, str, secret=True)
    jwt_allow_weak_secret: bool = _setting("tokens", False, _boolean)
    jwt_algorithm: str = _setting("tokens", "HS256", _choice("HS256", "HS384", "HS512"))
    jwt_access_token_expire_minutes: int = _setting("tokens", 30, _integer(1, 10 * 365 * 24 * 60))
    users_service_issuer: str | None = _setting("tokens", None, str)
    jwt_audience: str | None = _setting("tokens", None, str)

    host: str = _setting("http", "127.0.0.1", _text)
    port: int = _setting("http", 8000, _port)
    public_url: str = _setting("http", "", _public_url)
    playback_url_seconds: int = _setting("http", 3600, _integer(1, 24 * 3600))
    graphiql: bool = _setting("http", True, _boolean)
    rest_envelope_only: bool = _setting("http", False, _boolean)
    cors_origins: tuple[str, ...] = _setting("http", (), _origins)
    metrics_token: str | None = _setting("http", None, str, secret=True)

    database_url: str = _setting("database", "sqlite:///data/media.db", _database_url, secret=True)
    storage_url: str = _setting("storage", "data/media", _storage_url)
    object_store: Mapping[str, str] = field(default_factory=dict, repr=False)
    """The ``AWS_…`` variables. Beyond being plain text, what they may hold is for the object store's client to say."""
    storage_public_url: str | None = _setting("storage", None, _public_url)
    scratch_dir: Path = _setting("storage", Path("data/scratch"), Path)  # noqa: RUF009 - makes a dataclass field
    scratch_max_bytes: int = _setting("storage", 64 * GIB, _size(16 * MIB))

    max_concurrent_tasks: int = _setting("tasks", 100, _integer(1))
    max_concurrent_tasks_per_user: int = _setting("tasks", 10, _integer(1))
    auto_retry: bool = _setting("tasks", True, _boolean)
    worker_silence_seconds: int = _setting("tasks", 20, _integer(4, 3600))
    retention_days: int = _setting("tasks", 0, _integer(0, 36_500))
    max_tasks_per_user: int = _setting("tasks", 0, _integer(0))
    max_bytes_per_user: int = _setting("tasks", 0, _size(0))

    egress_allow: frozenset[tuple[str, int]] = _setting("downloads", frozenset(), _endpoints)
    """Host in lower case, an IPv6 address in its shortest form and without brackets; and port."""
    segment_concurrency: int = _setting("downloads", 20, _integer(1))
    max_connections: int = _setting("downloads", 256, _integer(1))
    max_connections_per_host: int = _setting("downloads", 32, _integer(1))
    min_free_bytes: int = _setting("downloads", GIB, _size(0))
    request_timeout_seconds: int = _setting("downloads", 30, _integer(1, 3600))
    max_segments: int = _setting("downloads", 20_000, _integer(1))
    max_live_segments: int = _setting("downloads", 200_000, _integer(1))
    live_outage_seconds: int = _setting("downloads", 120, _integer(1))
    max_file_bytes: int = _setting("downloads", 50 * GIB, _size(1))
    max_playlist_bytes: int = _setting("downloads", 8 * MIB, _size(1))

    log_format: str = _setting("log", "json", _choice("json", "text"))
    log_level: str = _setting("log", "INFO", _choice("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"))
    log_dir: Path | None = _setting("log", None, Path)  # noqa: RUF009 - makes a dataclass field

    open_telemetry: Mapping[str, str] = field(default_factory=dict, repr=False)
    """The ``OTEL_…`` variables as they are: OpenTelemetry's SDK defines them."""

    def __post_init__(self) -> None:
        if not self.public_url:
            host = f"[{self.host}]" if ":" in self.host else self.host
            object.__setattr__(self, "public_url", f"http://{host}:{self.port}")

    @classmethod
    def load(
        cls,
        groups: Collection[Group] = GROUPS,
        *,
        env: Mapping[str, str] | None = None,
        dotenv: Path | None = DOTENV,
    ) -> Settings:
        """Reads the variables of ``groups``; all others keep their defaults, unread.

        Raises SettingsError for the first variable that is missing or wrong.
        """
        variables = _variables(os.environ if env is None else env, dotenv)
        values: dict[str, Any] = {
            setting.name: _parsed(setting, variables[setting.name.upper()])
            for setting in fields(cls)
            if setting.metadata.get("group") in groups and setting.name.upper() in variables
        }
        if "storage" in groups:
            values["object_store"] = _object_store(variables)
        if "log" in groups:
            values["open_telemetry"] = {name: value for name, value in variables.items() if name.startswith("OTEL_")}
        settings = cls(**values)
        if "tokens" in groups:
            settings._check_secrets()
        return settings

    @property
    def traces_are_collected(self) -> bool:
        """By OpenTelemetry's own rules: somebody is named, and neither the SDK nor its traces are turned off."""
        given = {name: value.lower() for name, value in self.open_telemetry.items()}
        off = given.get("OTEL_SDK_DISABLED") == "true" or given.get("OTEL_TRACES_EXPORTER") == "none"
        return not off and any(f"OTEL_EXPORTER_OTLP_{name}ENDPOINT" in given for name in ("", "TRACES_"))

    @property
    def weak_secrets(self) -> tuple[str, ...]:
        """The variables whose secret is shorter than 32 bytes."""
        secrets = {
            "JWT_SECRET_KEY": self.jwt_secret_key,
            "JWT_SECRET_KEY_PREVIOUS": self.jwt_secret_key_previous,
        }
        return tuple(name for name, secret in secrets.items() if secret and len(secret.encode()) < MIN_SECRET_BYTES)

    def _check_secrets(self) -> None:
        if not self.jwt_secret_key:
            raise SettingsError(f"JWT_SECRET_KEY is missing: set it in .env or the environment; {_MAKE_ONE}")
        if self.weak_secrets and not self.jwt_allow_weak_secret:
            problem = f"is shorter than {MIN_SECRET_BYTES} bytes: {_MAKE_ONE}; or set JWT_ALLOW_WEAK_SECRET=true"
            raise SettingsError(f"{self.weak_secrets[0]} {problem}")


def _variables(env: Mapping[str, str], dotenv: Path | None) -> dict[str, str]:
    """What is set, and not empty."""
    try:
        in_file = _dotenv(dotenv) if dotenv and dotenv.exists() else {}
    except (OSError, UnicodeDecodeError):
        raise SettingsError(f"{dotenv} cannot be read: it must be a text file in UTF-8") from None
    return {name: value for name, value in {**in_file, **env}.items() if value}


def _dotenv(file: Path) -> Mapping[str, str | None]:
    from dotenv import dotenv_values  # noqa: PLC0415 - takes 4 ms, for nothing where there is no such file

    return dotenv_values(file, encoding="utf-8-sig")


def _object_store(variables: Mapping[str, str]) -> dict[str, str]:
    """What is not one plain word makes obstore panic, or is no address."""
    found = {name: value for name, value in variables.items() if name.startswith("AWS_")}
    for name, value in found.items():
        if not re.fullmatch("[!-~]+", value):
            raise SettingsError(f"{name} must be one word of printable ASCII")
        if name.startswith("AWS_ENDPOINT"):
            try:
                _public_url(value)
            except ValueError as error:
                raise SettingsError(f"{name} {error}") from None
    if not re.fullmatch("[A-Za-z0-9-]+", found.get("AWS_REGION", "us-east-1")):
        raise SettingsError("AWS_REGION must be the name of a region, such as eu-central-1")
    return found


def _parsed(setting: Field[Any], value: str) -> Any:  # noqa: ANN401 - each field has a type of its own
    name = setting.name.upper()
    try:
        value.encode()  # a byte that is not UTF-8 arrives as a lone surrogate
        return setting.metadata["parse"](value)
    except UnicodeEncodeError:
        raise SettingsError(f"{name} must be UTF-8") from None
    except ValueError as error:
        raise SettingsError(f"{name} {error}") from None
