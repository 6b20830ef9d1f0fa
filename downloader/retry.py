"""Trying again within a run: what is worth it, how often, and how long to wait."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from itertools import count
from typing import TypeVar

from domain.errors import TransferError
from downloader.lanes import LONGEST_REST
from downloader.response import HTTPStatusError
from downloader.tally import TALLY

NOT_FOUND = 404
TRIES = 4
TRIES_WITH_REST = 8  # a 429 or 503: the host's lane keeps us from pressing on
TRIES_NOT_FOUND = 2  # a 404 may be a segment that an edge server does not have yet; rarely more
BASE = 0.25  # seconds
CAP = 8.0
TRIES_REFUSED = 2  # the second from the task's own URL, where a redirect had led on from it

Result = TypeVar("Result")


async def with_retries(attempt: Callable[[], Awaitable[Result]]) -> Result:
    """Run ``attempt`` until it succeeds, or trying again is of no use. Raises the last TransferError.

    Failures with other numbers of tries are counted apart: a 404 after a reset is the first 404.
    Between tries there is an exponential back-off with full jitter. What an origin asks for by Retry-After is
    waited for in its host's lane, by every request to it.
    """
    failed: dict[int, int] = {}
    for number in count(1):
        try:
            return await attempt()
        except TransferError as error:
            tries = _tries(error)
            failed[tries] = failed.get(tries, 0) + 1
            if not error.retry or failed[tries] >= tries or (error.retry_after or 0) > LONGEST_REST:
                raise
        TALLY.retries += 1
        await asyncio.sleep(random.uniform(0, min(CAP, BASE * 2**number)))  # noqa: S311 - spreads load
    raise AssertionError("unreachable")


async def read_again(read: Callable[[], Awaitable[Result]]) -> Result:
    """Run ``read``, once more where the origin refuses: what the URL led to may have been short-lived.

    Raises TransferError; one that is refused again has expired.
    """
    try:
        return await read()
    except TransferError as error:
        if not error.refused:
            raise
    try:
        return await read()
    except TransferError as error:
        raise expired(error) from error


def expired(error: TransferError) -> TransferError:
    """The failure of what is refused for good."""
    return error.reworded(f"expired: {error.message}") if error.refused else error


def _tries(error: TransferError) -> int:
    if error.refused:
        return TRIES_REFUSED
    if not isinstance(error, HTTPStatusError):
        return TRIES
    if error.asks_for_rest:
        return TRIES_WITH_REST
    return TRIES_NOT_FOUND if error.status == NOT_FOUND else TRIES
