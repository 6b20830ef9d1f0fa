from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine

from domain.ports import UnitOfWorkFactory
from domain.services import Services
from persistence.engine import open_engine
from persistence.unit_of_work import SqlUnitOfWork, uow_factory
from tests.rooms import Rooms


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    engine = open_engine(database_url, pool_size=8)
    yield engine
    engine.dispose()


@pytest.fixture
def open_uow(engine: Engine) -> UnitOfWorkFactory:
    return uow_factory(engine)


@pytest.fixture
def uow(open_uow: UnitOfWorkFactory) -> Iterator[SqlUnitOfWork]:
    with open_uow() as uow:
        assert isinstance(uow, SqlUnitOfWork)
        yield uow


@pytest.fixture
def rooms(engine: Engine, tmp_path: Path) -> Rooms:
    return Rooms(engine, tmp_path / "media")


@pytest.fixture
def services(rooms: Rooms) -> Iterator[Services]:
    with rooms.open_services() as services:
        yield services
