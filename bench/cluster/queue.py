"""10,000 waiting tasks, and what can be asked of them while they are worked off."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from uuid import UUID, uuid4

from sqlalchemy import Engine, text

from domain.models import DownloadTask, utc_now
from domain.values import ResourceType, TaskStatus
from persistence.unit_of_work import uow_factory

TOTAL, PER_USER = 100, 10  # the limits as they are by default
USERS = 20
LOOK_EVERY = 0.1  # seconds

_RUNNING = text(
    "SELECT coalesce(sum(n), 0), coalesce(max(n), 0) FROM (SELECT count(*) AS n FROM download_tasks"
    " WHERE status = 'processing' AND admitted_at IS NOT NULL GROUP BY user_id) AS users"
)
_COMPLETED = text("SELECT count(*) FROM download_tasks WHERE status = 'completed'")


def fill(engine: Engine, number: int, url: str, crowd: int) -> None:
    """Started tasks that wait: the first ``crowd`` are one user's, the others those of the rest in turn."""
    users = [uuid4() for _ in range(USERS)]
    with uow_factory(engine)() as uow, uow:
        for index in range(number):
            user = users[0] if index < crowd else users[1 + index % (USERS - 1)]
            uow.tasks.add(an_image(user, url, index))
        uow.commit()
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("VACUUM ANALYZE download_tasks"))


def an_image(user_id: UUID, url: str, index: int = 0) -> DownloadTask:
    """It waits since ``index`` milliseconds after the others."""
    now = utc_now() + timedelta(milliseconds=index)
    return DownloadTask(
        user_id=user_id,
        resource_url=url,
        resource_type=ResourceType.IMAGE,
        liveroom_id="bench",
        status=TaskStatus.PROCESSING,
        queued_at=now,
        created_at=now,
        updated_at=now,
    )


@dataclass
class Watch:
    """The most tasks that ran at once, in all and of one user; looked at ten times a second."""

    engine: Engine
    most: int = 0
    most_of_a_user: int = 0
    _done: threading.Event = field(default_factory=threading.Event)

    def look(self) -> None:
        with self.engine.connect() as connection:
            running, of_a_user = connection.execute(_RUNNING).one()
        self.most, self.most_of_a_user = max(self.most, int(running)), max(self.most_of_a_user, int(of_a_user))

    def run(self) -> None:
        while not self._done.wait(LOOK_EVERY):
            self.look()

    @contextmanager
    def watching(self) -> Iterator[None]:
        thread = threading.Thread(target=self.run)
        thread.start()
        try:
            yield
        finally:
            self._done.set()
            thread.join()


def completed(engine: Engine) -> int:
    with engine.connect() as connection:
        return int(connection.execute(_COMPLETED).scalar_one())


def wait_until_completed(engine: Engine, number: int, seconds: float) -> float:
    """Tasks a second until so many are complete, or the time is up."""
    began, first = time.perf_counter(), completed(engine)
    while (now := completed(engine)) < number and time.perf_counter() - began < seconds:
        time.sleep(0.2)
    return (now - first) / (time.perf_counter() - began)
