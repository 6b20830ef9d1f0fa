"""Start and stop of the process, and with what settings it runs."""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import fields
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from domain.errors import ServiceError
from telemetry.redaction import MASK

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

logger = logging.getLogger(__name__)


@contextmanager
def lifetime(role: str, settings: DataclassInstance) -> Iterator[None]:
    """An event when the process starts, with its effective settings, and when it stops."""
    logger.info("The service starts: %s", role, extra={"event.action": "service-start"})
    shown = " ".join(f"{name}={value}" for name, value in effective(settings).items())
    logger.info("Settings: %s", shown, extra={"event.action": "settings"})
    began, outcome = time.perf_counter_ns(), "failure"
    try:
        yield
        outcome = "success"
    except ServiceError:  # its one line at the terminal does not say why; others are logged when nobody catches them
        logger.exception("The service fails")
        raise
    finally:
        lasted = time.perf_counter_ns() - began
        extra = {"event.action": "service-stop", "event.outcome": outcome, "event.duration": lasted}
        logger.info("The service has stopped", extra=extra)


def effective(settings: DataclassInstance) -> dict[str, str]:
    """Every setting by its variable's name. A field that is not in the ``repr`` is secret: ``***`` if it is set."""
    values = {field: getattr(settings, field.name) for field in fields(settings)}
    return {field.name.upper(): str(value) if field.repr or not value else MASK for field, value in values.items()}


def secrets(settings: DataclassInstance) -> set[str]:
    """The secret values themselves, and the passwords in those that are URLs."""
    hidden: list[Any] = [getattr(settings, field.name) for field in fields(settings) if not field.repr]
    known = {text for value in hidden for text in _texts(value)}
    return known | {unquote(password) for text in known if (password := _password(text))}


def _texts(value: object) -> list[str]:
    """Of a mapping, such as the object store's variables, those values whose names say that they are secret."""
    if isinstance(value, Mapping):
        named = [text for name, text in value.items() if any(word in name for word in ("SECRET", "TOKEN", "KEY"))]
        return named + [one for name, text in value.items() if "HEADERS" in name for one in _header_values(text)]
    return [value] if isinstance(value, str) else []


def _header_values(text: str) -> Iterator[str]:
    """Of ``name=value,…`` as OpenTelemetry has it, which logs those that are spelled wrong."""
    for header in text.split(","):
        value = re.split("[=:]", header, maxsplit=1)[-1].strip()
        yield from {value, unquote(value)}


def _password(text: str) -> str | None:
    try:
        return urlsplit(text).password
    except ValueError:
        return None
