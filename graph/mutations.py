"""The mutations: parse, call a service, answer with its row or with userErrors."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Annotated, TypeAlias, TypeVar
from uuid import UUID

import strawberry
from strawberry import ID

from domain import queries
from domain.failure_service import FailureService
from domain.models import DownloadFailure, DownloadTask
from domain.services import Services
from domain.task_service import TaskService
from graph.context import Info, Operation
from graph.errors import Path, Payload, attempt, limit_exceeded
from graph.fields import field
from graph.inputs import (
    CreateTaskInput,
    FailureId,
    OwnerTaskId,
    PieceRange,
    RecordFailureInput,
    RecordVideoInput,
    TaskId,
    UpdateTaskInput,
    parse_id,
)
from graph.payloads import (
    AbandonFailurePayload,
    AbandonFailuresPayload,
    CancelTaskPayload,
    CreateTaskPayload,
    DeleteTaskPayload,
    FailureOutcome,
    FinishTaskPayload,
    PauseTaskPayload,
    RecordFailurePayload,
    RecordVideoPayload,
    ResumeTaskPayload,
    RetryFailurePayload,
    RetryPiecesPayload,
    RetryTaskPayload,
    StartTaskPayload,
    TaskOutcome,
    UpdateTaskPayload,
)

MAX_BATCH = 100

Answer = TypeVar("Answer", bound=Payload)
TaskAnswer = TypeVar("TaskAnswer", bound=TaskOutcome)
FailureAnswer = TypeVar("FailureAnswer", bound=FailureOutcome)

IncludeCompleted: TypeAlias = Annotated[
    bool, strawberry.argument(description="Whether a completed task may go; without it that is a CONFLICT.")
]

Stretch: TypeAlias = Annotated[PieceRange, strawberry.argument(description="The stretch.")]


@strawberry.type(
    description="What can be changed. Everything is the viewer's own: other users' rows do not exist here."
)
class Mutation:
    """Each is one transaction of a service."""

    @field("Create a download, and start it if asked to.")
    def create_task(
        self,
        info: Info,
        new: Annotated[CreateTaskInput, strawberry.argument(name="input", description="The download.")],
    ) -> CreateTaskPayload:
        return _create(info.context, new)

    @field("Create up to 100 downloads: one result an item, in order. A bad item stops no other.")
    def create_tasks(
        self,
        info: Info,
        inputs: Annotated[list[CreateTaskInput], strawberry.argument(description="The downloads.")],
    ) -> list[CreateTaskPayload]:
        _refuse_large_batch(inputs)
        answers = [_create(info.context, new, ("inputs", str(at))) for at, new in enumerate(inputs)]
        info.context.siblings.introduce(answer.task for answer in answers if answer.task)
        return answers

    @field("Change what is given of a task; it takes effect at once.")
    def update_task(
        self,
        info: Info,
        task_id: TaskId,
        changes: Annotated[UpdateTaskInput, strawberry.argument(name="input", description="The changes.")],
    ) -> UpdateTaskPayload:
        return _task(
            UpdateTaskPayload,
            info,
            task_id,
            lambda tasks, user_id, wanted: tasks.update_download_task(user_id, wanted, changes.to_domain()),
        )

    @field(
        "Remove a task, its failures, its video and its files; a running download stops. A completed task "
        "goes only with includeCompleted."
    )
    def delete_task(
        self, info: Info, task_id: TaskId, include_completed: IncludeCompleted = False
    ) -> DeleteTaskPayload:
        return _delete(info.context, parse_id(task_id), include_completed, ("id",))

    @field("Remove up to 100 tasks: one result an id, in order. A bad one stops no other.")
    def delete_tasks(
        self,
        info: Info,
        ids: Annotated[list[ID], strawberry.argument(description="The ids of the tasks.")],
        include_completed: IncludeCompleted = False,
    ) -> list[DeleteTaskPayload]:
        _refuse_large_batch(ids)
        wanted = [parse_id(each) for each in ids]
        return [_delete(info.context, each, include_completed, ("ids", str(at))) for at, each in enumerate(wanted)]

    @field("Start a task: it runs as soon as it has a slot.")
    def start_task(self, info: Info, task_id: TaskId) -> StartTaskPayload:
        return _task(StartTaskPayload, info, task_id, TaskService.start_download_task)

    @field("Stop a task and keep what has arrived; it is PENDING and paused.")
    def pause_task(self, info: Info, task_id: TaskId) -> PauseTaskPayload:
        return _task(PauseTaskPayload, info, task_id, TaskService.pause_download_task)

    @field("Go on with a paused task: only what is missing is fetched.")
    def resume_task(self, info: Info, task_id: TaskId) -> ResumeTaskPayload:
        return _task(ResumeTaskPayload, info, task_id, TaskService.resume_download_task)

    @field("Give a task up for good; what has arrived stays until it is deleted.")
    def cancel_task(self, info: Info, task_id: TaskId) -> CancelTaskPayload:
        return _task(CancelTaskPayload, info, task_id, TaskService.cancel_download_task)

    @field("End a live recording now; what has arrived becomes the video.")
    def finish_task(self, info: Info, task_id: TaskId) -> FinishTaskPayload:
        return _task(FinishTaskPayload, info, task_id, TaskService.finish_download_task)

    @field("Fetch what a failed or partly completed task has lost.")
    def retry_task(self, info: Info, task_id: TaskId) -> RetryTaskPayload:
        return _task(RetryTaskPayload, info, task_id, TaskService.retry_download_task)

    @field("Record a loss that the caller saw; nothing else of the task changes.")
    def record_failure(
        self,
        info: Info,
        task_id: OwnerTaskId,
        new: Annotated[RecordFailureInput, strawberry.argument(name="input", description="The loss.")],
    ) -> RecordFailurePayload:
        wanted = parse_id(task_id)
        return _answer(
            info.context,
            RecordFailurePayload,
            lambda services, user_id: RecordFailurePayload(
                failure=services.failures.create_download_failure(user_id, wanted, new.to_domain())
            ),
            row=("taskId",),
        )

    @field("Fetch one piece again, by a run of its own or by the one that the task has.")
    def retry_failure(self, info: Info, failure_id: FailureId) -> RetryFailurePayload:
        return _failure(RetryFailurePayload, info, failure_id, FailureService.retry_download_failure)

    @field("Never try this piece again; it still counts as lost.")
    def abandon_failure(self, info: Info, failure_id: FailureId) -> AbandonFailurePayload:
        return _failure(AbandonFailurePayload, info, failure_id, FailureService.abandon_download_failure)

    @field("Give up every failure of a task.")
    def abandon_failures(self, info: Info, task_id: OwnerTaskId) -> AbandonFailuresPayload:
        return _abandon(info.context, task_id)

    @field("Fetch the lost pieces of a stretch again, those of them that may be. Pieces under way stay so.")
    def retry_pieces(self, info: Info, task_id: OwnerTaskId, pieces: Stretch) -> RetryPiecesPayload:
        wanted, stretch = parse_id(task_id), pieces.to_domain()
        return _answer(
            info.context,
            RetryPiecesPayload,
            lambda services, user_id: RetryPiecesPayload(
                retried_count=services.failures.retry_download_failures(user_id, wanted, stretch)
            ),
            row=("taskId",),
        )

    @field("Give up the failures of a stretch.")
    def abandon_pieces(self, info: Info, task_id: OwnerTaskId, pieces: Stretch) -> AbandonFailuresPayload:
        return _abandon(info.context, task_id, pieces.to_domain())

    @field("Record a result that the caller vouches for; a task has at most one.")
    def record_video(
        self,
        info: Info,
        task_id: OwnerTaskId,
        new: Annotated[RecordVideoInput, strawberry.argument(name="input", description="The result.")],
    ) -> RecordVideoPayload:
        wanted = parse_id(task_id)
        return _answer(
            info.context,
            RecordVideoPayload,
            lambda services, user_id: RecordVideoPayload(
                video=services.videos.create_downloaded_video(user_id, wanted, new.to_domain())
            ),
            row=("taskId",),
        )


def _create(operation: Operation, new: CreateTaskInput, item: Path = ()) -> CreateTaskPayload:
    return _answer(
        operation,
        CreateTaskPayload,
        lambda services, user_id: CreateTaskPayload(task=services.tasks.create_download_task(user_id, new.to_domain())),
        row=item,
        values=item or ("input",),
    )


def _delete(operation: Operation, task_id: UUID, include_completed: bool, row: Path) -> DeleteTaskPayload:
    return _answer(
        operation,
        DeleteTaskPayload,
        lambda services, user_id: DeleteTaskPayload(
            deleted_task_id=ID(str(services.tasks.delete_download_task(user_id, task_id, include_completed)))
        ),
        row=row,
    )


def _task(
    payload: type[TaskAnswer], info: Info, task_id: str, move: Callable[[TaskService, UUID, UUID], DownloadTask]
) -> TaskAnswer:
    wanted = parse_id(task_id)
    return _answer(
        info.context,
        payload,
        lambda services, user_id: payload(task=move(services.tasks, user_id, wanted)),
        row=("id",),
    )


def _failure(
    payload: type[FailureAnswer],
    info: Info,
    failure_id: str,
    move: Callable[[FailureService, UUID, UUID], DownloadFailure],
) -> FailureAnswer:
    wanted = parse_id(failure_id)
    return _answer(
        info.context,
        payload,
        lambda services, user_id: payload(failure=move(services.failures, user_id, wanted)),
        row=("id",),
    )


def _abandon(operation: Operation, task_id: str, stretch: queries.PieceRange | None = None) -> AbandonFailuresPayload:
    wanted = parse_id(task_id)
    return _answer(
        operation,
        AbandonFailuresPayload,
        lambda services, user_id: AbandonFailuresPayload(
            abandoned_count=services.failures.abandon_download_failures(user_id, wanted, stretch)
        ),
        row=("taskId",),
    )


def _answer(
    operation: Operation,
    payload: type[Answer],
    action: Callable[[Services, UUID], Answer],
    *,
    row: Path,
    values: Path = ("input",),
) -> Answer:
    operation.siblings.forget()  # what an earlier mutation of this operation has read may change now
    return attempt(payload, lambda: action(operation.services, operation.user_id), row=row, values=values)


def _refuse_large_batch(items: Sequence[object]) -> None:
    if len(items) > MAX_BATCH:
        raise limit_exceeded(f"At most {MAX_BATCH} items are taken at once.")
