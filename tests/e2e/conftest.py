"""A running service and an origin that it may fetch from."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.service import Service
from tests.origin import Origin


@pytest.fixture
def origin() -> Iterator[Origin]:
    with Origin() as running:
        yield running


@pytest.fixture
def service(tmp_path: Path, origin: Origin) -> Iterator[Service]:
    """Without automatic retries, so that a loss stays as it is until its user acts."""
    with Service(tmp_path, EGRESS_ALLOW=origin.host_port, AUTO_RETRY="false") as running:
        yield running
