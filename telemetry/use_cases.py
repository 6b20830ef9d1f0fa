"""Entry and result of every use case, told in one place."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from contextvars import ContextVar
from functools import wraps
from inspect import isfunction, signature
from itertools import chain
from typing import Any, ParamSpec, TypeVar
from uuid import UUID

from domain.errors import ServiceError
from domain.models import DownloadedVideo, DownloadFailure, DownloadTask
from domain.paging import Page

_within: ContextVar[bool] = ContextVar("within_use_case", default=False)

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")


def log_use_cases(*services: type) -> None:
    """Have every public function of these classes and their bases log: its entry at DEBUG, its result at INFO.

    In the classes themselves, since the edges also name the functions there (``TaskService.retry_download_task``).
    Doing it twice changes nothing; of use cases within one another the outermost logs. Ids are logged, other arguments
    never: they hold URLs, headers and titles.
    """
    for service in chain.from_iterable(service.__mro__[:-1] for service in services):
        for name, function in list(vars(service).items()):
            if isfunction(function) and not name.startswith("_") and not hasattr(function, "__wrapped__"):
                setattr(service, name, _logged(function))


def _logged(function: Callable[Parameters, Result]) -> Callable[Parameters, Result]:
    tell = _UseCase(function)

    @wraps(function)
    def logged(*args: Parameters.args, **kwargs: Parameters.kwargs) -> Result:
        if _within.get():
            return function(*args, **kwargs)
        given = tell.ids({**dict(zip(tell.names, args, strict=False)), **kwargs})
        tell.event(logging.DEBUG, "begins", given)
        began, token = time.perf_counter_ns(), _within.set(True)
        try:
            result = function(*args, **kwargs)
        except Exception as error:
            tell.event(logging.INFO, type(error).__name__, given | _failure(error) | _lasted(began))
            raise  # what is a fault of ours is logged with its stack where it is answered
        finally:
            _within.reset(token)
        tell.event(logging.INFO, "succeeded", given | _shown(result) | _lasted(began) | {"event.outcome": "success"})
        return result

    return logged


class _UseCase:
    """Events that name the use case as where they come from."""

    def __init__(self, function: Callable[..., object]) -> None:
        self.names = list(signature(function).parameters)
        self._function = function
        self._logger = logging.getLogger(function.__module__)

    def event(self, level: int, what: str, fields: dict[str, Any]) -> None:
        if self._logger.isEnabledFor(level):
            name, code = self._function.__name__, self._function.__code__
            place = (self._logger.name, level, code.co_filename, code.co_firstlineno)
            extra = {"event.action": name, **fields}
            self._logger.handle(self._logger.makeRecord(*place, "%s: %s", (name, what), None, name, extra))

    def ids(self, arguments: dict[str, object]) -> dict[str, Any]:
        ids = {name: str(value) for name, value in arguments.items() if isinstance(value, UUID)}
        user = {"user.id": ids.pop("user_id")} if "user_id" in ids else {}
        return user | {f"labels.{name}": value for name, value in ids.items()}


def _shown(result: object) -> dict[str, Any]:
    """Which row it is, or how many there are."""
    match result:
        case DownloadTask():
            return {"labels.task_id": str(result.id), "labels.status": result.status.value}
        case DownloadFailure():
            return {"labels.task_id": str(result.task_id), "labels.failure_id": str(result.id)}
        case DownloadedVideo():
            return {"labels.task_id": str(result.task_id), "labels.video_id": str(result.video_id)}
        case Page(items=rows) | (list() as rows):
            return {"labels.rows": len(rows)}
        case _:
            return {}


def _failure(error: Exception) -> dict[str, Any]:
    """The messages of the domain's own errors hold no secret."""
    message = {"error.message": error.message} if isinstance(error, ServiceError) else {}
    return {"event.outcome": "failure", "error.type": type(error).__name__, **message}


def _lasted(began: int) -> dict[str, int]:
    return {"event.duration": time.perf_counter_ns() - began}
