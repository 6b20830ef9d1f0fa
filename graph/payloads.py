"""What mutations answer: what they did, or userErrors that say why not."""

from __future__ import annotations

import strawberry
from strawberry import ID

from domain import models
from graph.errors import UserError
from graph.types import DownloadedVideo, DownloadFailure, DownloadTask


def _why_not() -> list[UserError]:
    entries: list[UserError] = strawberry.field(
        default_factory=list, description="Why nothing was done; empty when it was."
    )
    return entries


@strawberry.type
class TaskOutcome:
    """What a mutation of one task answers."""

    task: models.DownloadTask | None = strawberry.field(
        default=None, graphql_type=DownloadTask | None, description="The task as it now is; null when nothing was done."
    )
    user_errors: list[UserError] = _why_not()


@strawberry.type
class FailureOutcome:
    """What a mutation of one failure answers."""

    failure: models.DownloadFailure | None = strawberry.field(
        default=None,
        graphql_type=DownloadFailure | None,
        description="The failure as it now is; null when nothing was done.",
    )
    user_errors: list[UserError] = _why_not()


@strawberry.type(description="The outcome of createTask.")
class CreateTaskPayload(TaskOutcome):
    """See Mutation.create_task."""


@strawberry.type(description="The outcome of updateTask.")
class UpdateTaskPayload(TaskOutcome):
    """See Mutation.update_task."""


@strawberry.type(description="The outcome of startTask.")
class StartTaskPayload(TaskOutcome):
    """See Mutation.start_task."""


@strawberry.type(description="The outcome of pauseTask.")
class PauseTaskPayload(TaskOutcome):
    """See Mutation.pause_task."""


@strawberry.type(description="The outcome of resumeTask.")
class ResumeTaskPayload(TaskOutcome):
    """See Mutation.resume_task."""


@strawberry.type(description="The outcome of cancelTask.")
class CancelTaskPayload(TaskOutcome):
    """See Mutation.cancel_task."""


@strawberry.type(description="The outcome of finishTask.")
class FinishTaskPayload(TaskOutcome):
    """See Mutation.finish_task."""


@strawberry.type(description="The outcome of retryTask.")
class RetryTaskPayload(TaskOutcome):
    """See Mutation.retry_task."""


@strawberry.type(description="The outcome of deleteTask.")
class DeleteTaskPayload:
    """Nothing but the id is left."""

    deleted_task_id: ID | None = strawberry.field(
        default=None, description="The id of the task that is gone; null when nothing was done."
    )
    user_errors: list[UserError] = _why_not()


@strawberry.type(description="The outcome of recordFailure.")
class RecordFailurePayload(FailureOutcome):
    """See Mutation.record_failure."""


@strawberry.type(description="The outcome of retryFailure.")
class RetryFailurePayload(FailureOutcome):
    """See Mutation.retry_failure."""


@strawberry.type(description="The outcome of abandonFailure.")
class AbandonFailurePayload(FailureOutcome):
    """See Mutation.abandon_failure."""


@strawberry.type(description="The outcome of retryPieces.")
class RetryPiecesPayload:
    """0 is a success too: nothing was lost there."""

    retried_count: int = strawberry.field(default=0, description="How many failures are fetched again by this call.")
    user_errors: list[UserError] = _why_not()


@strawberry.type(description="The outcome of abandonFailures and abandonPieces.")
class AbandonFailuresPayload:
    """0 is a success too."""

    abandoned_count: int = strawberry.field(default=0, description="How many failures were given up by this call.")
    user_errors: list[UserError] = _why_not()


@strawberry.type(description="The outcome of recordVideo.")
class RecordVideoPayload:
    """A task has at most one video."""

    video: models.DownloadedVideo | None = strawberry.field(
        default=None,
        graphql_type=DownloadedVideo | None,
        description="The video that is now recorded; null when nothing was done.",
    )
    user_errors: list[UserError] = _why_not()
