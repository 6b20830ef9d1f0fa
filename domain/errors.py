"""Every error the service raises on purpose, in one tree.

    ServiceError
    ├── SystemFault                      something of ours is broken
    │   ├── DatabaseError
    │   ├── StorageError
    │   ├── TransferError                one piece did not arrive; becomes a failure row
    │   └── RunStopped                   this run no longer owns its task
    ├── BusinessError                    a rule says no
    │   ├── NotFoundError
    │   │   ├── TaskNotFoundError
    │   │   ├── FailureRecordNotFoundError
    │   │   └── VideoNotFoundError
    │   ├── ConflictError
    │   │   ├── IllegalMoveError
    │   │   │   ├── CompletedTaskError
    │   │   │   └── AbandonedFailureError
    │   │   └── DuplicateError
    │   ├── RetryLimitReachedError
    │   └── QuotaExceededError
    ├── ParameterError                   the caller sent something unusable
    │   ├── InvalidInputError
    │   │   ├── ControlCharacterError
    │   │   ├── OutsideTaskFolderError
    │   │   └── TaskMismatchError
    │   └── BadArgumentError
    │       └── SortFieldError
    └── PermissionFault                  the caller, or an address, is not allowed
        ├── BlockedUrlError
        └── AuthenticationError
            ├── MissingCredentials
            ├── InvalidCredentials
            └── ExpiredCredentials

The docstring of an exception is its default message. Each edge renders the tree in one place:
GraphQL in ``graph/errors.py``, HTTP in ``web/``. No message holds SQL, a path on disk, or a secret.
"""

from __future__ import annotations

import inspect

from domain.values import FailureType


class ServiceError(Exception):
    """The service could not do this."""

    def __init__(self, message: str | None = None, *, field: tuple[str, ...] = ()) -> None:
        self.message = message or inspect.cleandoc(type(self).__doc__ or "").partition("\n")[0]
        self.field = field
        self.also: tuple[ServiceError, ...] = ()  # further faults of the same input
        super().__init__(self.message)


class SystemFault(ServiceError):
    """Something inside the service is broken."""


class DatabaseError(SystemFault):
    """The database did not answer."""


class StorageError(SystemFault):
    """The storage did not take or give a file."""


class TransferError(SystemFault):
    """A piece did not arrive.

    ``message`` begins with the cause, as in ``HTTP 404`` or ``truncated``; it never holds a URL.
    ``retry`` tells whether trying again at once can help; ``retry_after`` is what the origin asked for, in seconds;
    ``refused`` that the origin gives this URL to nobody, or to us no more: a fresh one may help.
    """

    def __init__(
        self,
        failure_type: FailureType,
        message: str,
        *,
        retry: bool = False,
        retry_after: float | None = None,
        refused: bool = False,
    ) -> None:
        super().__init__(message)
        self.failure_type = failure_type
        self.retry = retry
        self.retry_after = retry_after
        self.refused = refused

    def reworded(self, message: str) -> TransferError:
        """The same failure, told in other words."""
        return TransferError(
            self.failure_type, message, retry=self.retry, retry_after=self.retry_after, refused=self.refused
        )


class RunStopped(SystemFault):
    """The run was paused, cancelled, deleted or superseded, or its worker is stopping."""


class BusinessError(ServiceError):
    """A rule of the service forbids this."""


class NotFoundError(BusinessError):
    """There is no such row."""


class TaskNotFoundError(NotFoundError):
    """There is no such task."""


class FailureRecordNotFoundError(NotFoundError):
    """There is no such failure."""


class VideoNotFoundError(NotFoundError):
    """There is no such video."""


class ConflictError(BusinessError):
    """This conflicts with what is already there."""


class IllegalMoveError(ConflictError):
    """The task's state does not allow this."""


class CompletedTaskError(IllegalMoveError):
    """A completed task is deleted only with includeCompleted."""


class AbandonedFailureError(IllegalMoveError):
    """This failure was abandoned."""


class DuplicateError(ConflictError):
    """This exists already."""


class RetryLimitReachedError(BusinessError):
    """All retries are used up."""


class QuotaExceededError(BusinessError):
    """Your quota is used up. Delete something first."""


class ParameterError(ServiceError):
    """A value cannot be used."""


class InvalidInputError(ParameterError):
    """A value of the input is out of range."""


class ControlCharacterError(InvalidInputError):
    """A text must not contain control characters."""


class OutsideTaskFolderError(InvalidInputError):
    """The path must lie under the task's own folder."""


class TaskMismatchError(InvalidInputError):
    """This belongs to another task."""


class BadArgumentError(ParameterError):
    """An argument cannot be understood."""


class SortFieldError(BadArgumentError):
    """There is no such column to sort by."""


class PermissionFault(ServiceError):
    """This is not allowed."""


class BlockedUrlError(PermissionFault):
    """This address must not be fetched. Give a public http or https URL without user name and password."""


class AuthenticationError(PermissionFault):
    """Sign in first: send the header Authorization: Bearer <token>.

    ``reason`` is for the log alone: the caller never learns why a token was refused.
    """

    def __init__(self, *, reason: str = "") -> None:
        super().__init__()
        self.reason = reason


class MissingCredentials(AuthenticationError):
    """The token is missing: send the header Authorization: Bearer <token>."""


class InvalidCredentials(AuthenticationError):
    """The token is not valid."""


class ExpiredCredentials(AuthenticationError):
    """The token has expired: sign in again."""
