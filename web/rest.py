"""The documented REST paths: which there are, what each can answer, and the router that serves them.

A shim: an endpoint parses, calls a use case and renders. No rule of the service lives here.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, NamedTuple

from fastapi import APIRouter
from starlette.routing import Route

from web import batch_import as imports
from web import rest_failures as failures
from web import rest_tasks as tasks
from web import rest_videos as videos
from web.rest_models import Envelope, Failure, Page, Refusal, Task, Video
from web.rest_openapi import REFUSALS, Answers
from web.rest_route import BUSINESS_STATUSES, PREFIX, EnvelopeOnlyRoute, EnvelopeRoute, Unknown


class Operation(NamedTuple):
    """A documented path: the data of its successes by status, and its refusals beside 401, 422 and 500.

    The endpoint's docstring is its summary and description.
    """

    method: str
    path: str
    endpoint: Callable[..., Any]
    data: dict[int, Any]
    refusals: tuple[int, ...]

    def add_to(self, router: APIRouter, *, envelope_only: bool) -> None:
        """As FastAPI serves and describes it."""
        summary, _, description = inspect.cleandoc(self.endpoint.__doc__ or "").partition(".\n")
        answers = self._answers_in_one() if envelope_only else self._answers()
        router.add_api_route(
            self.path,
            self.endpoint,
            methods=[self.method],
            status_code=200 if envelope_only else min(self.data),
            summary=summary.removesuffix("."),
            description=description.strip(),
            response_model=None,
            responses=answers,
        )

    def _answers(self) -> Answers:
        done: Answers = {status: _answer(_envelope(data), "Done · 成功") for status, data in self.data.items()}
        return done | {status: REFUSALS[status] for status in (*self.refusals, 401, 422, 500)}

    def _answers_in_one(self) -> Answers:
        outcome = _envelope(self.data[min(self.data)]) | Refusal
        real = {status: answer for status, answer in self._answers().items() if status not in BUSINESS_STATUSES}
        return real | {200: _answer(outcome, "`code` tells the outcome · 结果见code")}


def _envelope(data: Any) -> Any:  # noqa: ANN401 - types, made at run time
    return Envelope[data]


def _answer(model: object, description: str) -> dict[str, Any]:
    return {"model": model, "description": description}


_TASK, _FAILURE, _ITS_FAILURE = "/tasks/{task_id}", "/failures/{failure_id}", "/tasks/{task_id}/failures/{failure_id}"
_READ, _MOVE, _WRITE = (404,), (400, 404, 409), (400, 404, 409, 413)

OPERATIONS = (
    Operation("POST", "/tasks", tasks.create_task, {201: Task}, (400, 409, 413)),
    Operation("GET", "/tasks", tasks.list_tasks, {200: Page[Task]}, (400,)),
    Operation("GET", _TASK, tasks.get_task, {200: Task}, _READ),
    Operation("PUT", _TASK, tasks.update_task, {200: Task}, _WRITE),
    Operation("PATCH", _TASK, tasks.update_task, {200: Task}, _WRITE),
    Operation("DELETE", _TASK, tasks.delete_task, {200: None}, _MOVE),
    Operation("POST", f"{_TASK}/start", tasks.start_task, {200: Task}, _MOVE),
    Operation("POST", f"{_TASK}/retry", tasks.retry_task, {200: Task}, _MOVE),
    Operation("POST", f"{_TASK}/failures", failures.create_failure, {201: Failure}, _WRITE),
    Operation("GET", f"{_TASK}/failures", failures.list_task_failures, {200: Page[Failure]}, (400, 404)),
    Operation("POST", f"{_TASK}/videos", videos.create_video, {201: Video}, _WRITE),
    Operation("GET", f"{_TASK}/videos", videos.list_task_videos, {200: Page[Video]}, (400, 404)),
    Operation("POST", f"{_ITS_FAILURE}/retry", failures.retry_task_failure, {200: Failure}, _MOVE),
    Operation("POST", f"{_ITS_FAILURE}/abandon", failures.abandon_task_failure, {200: Failure}, _MOVE),
    Operation("POST", f"{_FAILURE}/retry", failures.retry_failure, {200: Failure}, _MOVE),
    Operation("POST", f"{_FAILURE}/abandon", failures.abandon_failure, {200: Failure}, _MOVE),
    Operation("GET", "/videos/{video_id}", videos.get_video, {200: Video}, _READ),
    Operation("GET", "/failures", failures.list_failures, {200: Page[Failure]}, (400,)),
    Operation("GET", _FAILURE, failures.get_failure, {200: Failure}, _READ),
    Operation("GET", "/videos", videos.list_videos, {200: Page[Video]}, (400,)),
    Operation("POST", imports.PATH, imports.import_tasks, dict.fromkeys((201, 207), imports.ImportReport), (400, 413)),
)


def make_rest_router(*, envelope_only: bool) -> APIRouter:
    """Everything under ``/api/v1/download``.

    With ``envelope_only`` HTTP says 200 to every business outcome, as the deployed clients know it.
    """
    route_class = EnvelopeOnlyRoute if envelope_only else EnvelopeRoute
    # Deployed clients may leave the content type out; FastAPI's reason to insist, forged requests of a browser that
    # is signed in, does not hold where a header signs in.
    router = APIRouter(prefix=PREFIX, tags=["download"], route_class=route_class, strict_content_type=False)
    for operation in OPERATIONS:
        operation.add_to(router, envelope_only=envelope_only)
    unknown = Unknown(router.routes)
    router.routes += [Route(path, unknown, include_in_schema=False) for path in (PREFIX, f"{PREFIX}/{{rest:path}}")]
    return router
