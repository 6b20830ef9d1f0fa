"""The domain over a real database file and a real folder: everything but the network, and a clock that is wound."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import Engine, select

from domain.admission import Admission
from domain.download_job import AutoRetry, DownloadJob
from domain.errors import ServiceError
from domain.models import DownloadedVideo, DownloadFailure, DownloadTask
from domain.policy import Policy
from domain.ports import (
    AdmissionLimits,
    FetchOutcome,
    MediaFacts,
    PieceFailure,
    PieceNames,
    PieceResult,
    Progress,
    Purge,
    Sink,
    Source,
    UnitOfWork,
)
from domain.reports import Reports
from domain.services import ServiceBuilder, Services
from domain.values import FailedResourceType, FailureType
from jobs.local import LocalJobs
from persistence.sealing import AesGcmSealer
from persistence.tables import metadata
from persistence.unit_of_work import uow_factory
from storage.keys import names_for
from storage.local import LocalStorage
from tests.builders import NOW, keep

LIMITS = AdmissionLimits(total=100, per_user=10)
FACTS = MediaFacts(duration=12.34567, width=1280, height=720, format="hls")
NOT_FOUND = PieceFailure(FailureType.NETWORK_ERROR, "HTTP 404")


@dataclass
class StandingClock:
    """A ``Clock`` that moves when told to."""

    now: datetime = NOW

    def __call__(self) -> datetime:
        return self.now

    def forward(self, **by: float) -> datetime:
        """Move on by a ``timedelta`` of these parts."""
        self.now += timedelta(**by)
        return self.now


@dataclass
class Rooms:
    """One deployment. Its jobs begin only if a test starts the worker; ``admitted_at`` shows who was handed over."""

    engine: Engine
    root: Path
    clock: StandingClock = field(default_factory=StandingClock)
    jobs: LocalJobs = field(default_factory=LocalJobs)
    sealer: AesGcmSealer = field(default_factory=lambda: AesGcmSealer("a secret of 32 bytes, for tests only"))
    limits: AdmissionLimits = LIMITS
    min_free_bytes: int = 0

    @property
    def storage(self) -> LocalStorage:
        return LocalStorage(self.root, self.min_free_bytes)

    @property
    def admission(self) -> Admission:
        return Admission(self.limits, self.jobs, self.clock, self.storage.has_room)

    def open_uow(self) -> AbstractContextManager[UnitOfWork]:
        return uow_factory(self.engine)()

    def open_services(self, policy: Policy | None = None) -> AbstractContextManager[Services]:
        """The use cases, as an operation gets them."""
        policy = policy or Policy()
        return ServiceBuilder(self.open_uow, self.admission, self.sealer, names_for, policy, self.clock)()

    def job(self, *steps: Step, auto_retry: bool = False) -> tuple[DownloadJob, ScriptedDownloader]:
        """The job whose fetches are ``steps``, and what was asked of its downloader."""
        downloader = ScriptedDownloader(steps)
        job = DownloadJob(
            open_uow=self.open_uow,
            downloader=downloader,
            storage=self.storage,
            admission=self.admission,
            sealer=self.sealer,
            names_for=names_for,
            auto_retry=AutoRetry(auto_retry, self.clock),
            clock=self.clock,
            reports=Reports(self.open_uow),
        )
        return job, downloader

    def keep(self, *rows: DownloadTask | DownloadFailure | DownloadedVideo) -> None:
        with self.open_uow() as uow:
            keep(uow, *rows)

    def names(self, task: DownloadTask) -> PieceNames:
        return names_for(task)

    @contextmanager
    def refusal(self, error: type[ServiceError]) -> Iterator[pytest.ExceptionInfo[ServiceError]]:
        """What is done here raises exactly ``error`` and changes no row."""
        before = self.rows()
        with pytest.raises(error) as caught:
            yield caught
        assert type(caught.value) is error
        assert self.rows() == before

    # --- what is there now ---

    def find(self, task_id: UUID) -> DownloadTask | None:
        with self.open_uow() as uow, uow.reading():
            return uow.tasks.find(task_id)

    def task(self, task_id: UUID) -> DownloadTask:
        task = self.find(task_id)
        assert task is not None
        return task

    def failures(self, task_id: UUID) -> list[DownloadFailure]:
        with self.open_uow() as uow, uow.reading():
            return uow.failures.of_task(task_id)

    def failure(self, task_id: UUID) -> DownloadFailure:
        """The only one."""
        (failure,) = self.failures(task_id)
        return failure

    def video(self, task_id: UUID) -> DownloadedVideo | None:
        with self.open_uow() as uow, uow.reading():
            return uow.videos.of_task(task_id)

    def purges(self) -> list[Purge]:
        with self.open_uow() as uow, uow.reading():
            return uow.purges.all()

    def rows(self) -> dict[str, list[Any]]:
        """Every row of every table: equal before and after when nothing changed."""
        with self.engine.connect() as connection:
            return {
                name: sorted(connection.execute(select(table)), key=repr) for name, table in metadata.tables.items()
            }


Step = Callable[[Source, Sink], FetchOutcome]
"""What a fetch does: tell the sink, and say how it ended."""


@dataclass
class ScriptedDownloader:
    """A ``Downloader`` whose every fetch is the script's next step."""

    steps: tuple[Step, ...]
    sources: list[Source] = field(default_factory=list)

    def fetch(self, source: Source, sink: Sink) -> FetchOutcome:
        step = self.steps[len(self.sources)]
        self.sources.append(source)
        return step(source, sink)


def losing(*lost: int, of: int, failure: PieceFailure = NOT_FOUND) -> Step:
    """Segments of 100 bytes, all stored but ``lost``; nothing plays without a first one."""

    def step(source: Source, sink: Sink) -> FetchOutcome:
        stored = of - len(lost)
        pieces = [a_piece(source.names, index, failure if index in lost else None) for index in range(of)]
        sink.ended(Progress(100 * stored, None, stored, of), pieces)
        return FetchOutcome(of, stored, 100 * stored, source.names.hls_folder, None if 0 in lost else FACTS)

    return step


def a_piece(names: PieceNames, index: int, failure: PieceFailure | None = None) -> PieceResult:
    """What became of a segment."""
    url = f"https://media.example/{index}.ts?token=secret"
    return PieceResult(names.segment(index, ".ts"), url, FailedResourceType.TS, index, failure)
