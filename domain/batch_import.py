"""Many downloads in one call: a bad one stops no other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from domain.errors import BlockedUrlError, DuplicateError, InvalidInputError, QuotaExceededError, ServiceError
from domain.inputs import NewTask, blank_to_none
from domain.models import DownloadTask
from domain.task_service import TaskService

Combination = tuple[str, str, str | None]
"""URL, live room and title: a user's second task with the same is a duplicate."""


@dataclass(frozen=True, slots=True)
class BatchImport:
    """Downloads by the hundred."""

    tasks: TaskService

    def create_download_tasks(self, user_id: UUID, wanted: Sequence[NewTask]) -> list[DownloadTask | ServiceError]:
        """Keep those that are right and new, in one transaction; for each, in order, its task or why there is none.

        Why: BlockedUrlError, InvalidInputError, QuotaExceededError, and DuplicateError, also of one before it.
        """
        with self.tasks.uow as uow:
            known = uow.tasks.combinations(user_id, {new.resource_url for new in wanted})
            answers = [self._answer(user_id, new, known) for new in wanted]
            self.tasks.admission.admit(uow)
            uow.commit()
            return answers

    def _answer(self, user_id: UUID, new: NewTask, known: set[Combination]) -> DownloadTask | ServiceError:
        combination = new.resource_url, new.liveroom_id, blank_to_none(new.liveroom_title)
        if combination in known:
            return DuplicateError()
        try:
            self.tasks.check(new)
            task = self.tasks.add(user_id, new)
        except (BlockedUrlError, InvalidInputError, QuotaExceededError) as error:
            return error
        known.add(combination)
        return task
