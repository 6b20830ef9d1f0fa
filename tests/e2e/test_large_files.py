"""Large films through the service: killed, paused, replaced at the origin, and never mixed."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

import pytest
from xxhash import xxh3_128

from tests import media
from tests.e2e.service import Service, User, wait_until
from tests.origin import Hit, Origin
from tests.origin_faults import changed_etag, reset

MIB = 1024 * 1024
RATE = MIB  # bytes a second, a connection
FILM = media.mp4(min_bytes=24 * MIB)
LONGEST = 16  # connections
SECOND = LONGEST * RATE  # bytes: what a killed process may have fetched since it last wrote down how far it was
SLACK = 2 * MIB  # bytes on their way that nobody took


@pytest.fixture
def slow() -> Iterator[Origin]:
    with Origin(rate=RATE) as running:
        running.put("/film.mp4", FILM)
        yield running


@pytest.fixture
def service(tmp_path: Any, slow: Origin) -> Iterator[Service]:
    with Service(tmp_path, EGRESS_ALLOW=slow.host_port) as running:
        yield running
