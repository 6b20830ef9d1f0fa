"""How often a piece is tried within a run."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from domain.errors import TransferError
from domain.values import FailureType
from downloader import retry
from downloader.response import HTTPStatusError
from downloader.retry import with_retries

RESET = TransferError(FailureType.NETWORK_ERROR, "connection reset", retry=True)
NOT_MEDIA = TransferError(FailureType.INVALID_CONTENT, "signature: this is no media of a known kind")


def status(code: int, **headers: str) -> HTTPStatusError:
    return HTTPStatusError(code, headers)


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retry, "BASE", 0.0)


async def tries(errors: Iterable[TransferError]) -> int:
    """How many it takes; negative when they are in vain."""
    left, count = iter(errors), 0

    async def attempt() -> None:
        nonlocal count
        count += 1
        if error := next(left, None):
            raise error

    try:
        await with_retries(attempt)
    except TransferError:
        return -count
    return count


@pytest.mark.parametrize(
    ("errors", "count"),
    [
        ([], 1),
        ([RESET] * 3, 4),
        ([RESET] * 4, -4),
        ([status(500), RESET, status(408)], 4),
        ([NOT_MEDIA], -1),
        ([status(403)], -1),
        ([status(404)], 2),
        ([status(404)] * 2, -2),
        ([status(429)] * 7, 8),
        ([status(503)] * 8, -8),
        ([status(429, **{"retry-after": "61"})], -1),
    ],
)
async def test_tries(errors: list[TransferError], count: int) -> None:
    assert await tries(errors) == count


@pytest.mark.parametrize(
    ("errors", "count"),
    [
        ([RESET, status(404)], 3),
        ([RESET, RESET, RESET, status(404)], 5),
        ([status(404), RESET, status(404)], -3),
        ([*[status(429)] * 7, status(500)], 9),
        ([status(429), *[status(500)] * 4], -5),
    ],
)
async def test_failures_with_other_numbers_of_tries_are_counted_apart(errors: list[TransferError], count: int) -> None:
    assert await tries(errors) == count
