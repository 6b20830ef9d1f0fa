from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from domain.services import Services
from tests.rooms import Rooms, open_rooms


@pytest.fixture
def rooms(tmp_path: Path) -> Iterator[Rooms]:
    with open_rooms(tmp_path) as rooms:
        yield rooms


@pytest.fixture
def services(rooms: Rooms) -> Iterator[Services]:
    with rooms.open_services() as services:
        yield services
