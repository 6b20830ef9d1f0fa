"""How the runs of a process write what they measure: together."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from domain.ports import Hold, Measurement, UnitOfWorkFactory


@dataclass
class Report:
    """A measurement on its way, and what came of it."""

    measurement: Measurement
    arrived: Sequence[str]
    done: bool = False
    hold: Hold | None = None
    error: Exception | None = None


@dataclass
class Reports:
    """One transaction for all who report while another is under way, not one a run.

    The engine lets all runs report at the same moments: of a hundred, the first writes its own, then one writes the
    other ninety-nine. Alone, nobody waits for anybody.
    """

    open_uow: UnitOfWorkFactory
    _changed: threading.Condition = field(default_factory=threading.Condition)
    _waiting: list[Report] = field(default_factory=list)
    _writing: bool = False

    def write(self, measurement: Measurement, arrived: Sequence[str] = ()) -> Hold | None:
        """Returns when it is committed; None when the run no longer owns its task. Raises DatabaseError.

        ``arrived`` are the keys of pieces whose failures go.
        """
        mine = Report(measurement, arrived)
        with self._changed:
            self._waiting.append(mine)
            self._changed.wait_for(lambda: mine.done or not self._writing)
            together = [] if mine.done else self._take_all()
        if together:
            self._write(together)
        if mine.error is not None:
            raise mine.error
        return mine.hold

    def _take_all(self) -> Sequence[Report]:
        self._writing = True
        together, self._waiting = self._waiting, []
        return together

    def _write(self, together: Sequence[Report]) -> None:
        try:
            with self.open_uow() as uow, uow:
                holds = uow.tasks.record_progress([report.measurement for report in together])
                uow.failures.forget(_arrived(together, holds))
                uow.commit()
            for report, hold in zip(together, holds, strict=True):
                report.hold = hold
        except Exception as error:  # noqa: BLE001 - it is raised by everyone whose report this was
            for report in together:
                report.error = error
        with self._changed:
            for report in together:
                report.done = True
            self._writing = False
            self._changed.notify_all()


def _arrived(reports: Iterable[Report], holds: Iterable[Hold | None]) -> list[tuple[UUID, str]]:
    held = (report for report, hold in zip(reports, holds, strict=True) if hold is not None)
    return [(report.measurement.task_id, key) for report in held for key in report.arrived]
