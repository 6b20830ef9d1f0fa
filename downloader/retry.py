"""Trying again within a run: what is worth it, how often, and how long to wait."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import TypeVar

from domain.errors import TransferError
from downloader.response import HTTPStatusError

NOT_FOUND = 404
TRIES = 4
TRIES_NOT_FOUND = 2  # a 404 may be a segment that an edge server does not have yet; rarely more
BASE = 0.25  # seconds
CAP = 8.0
LONGEST_WISH = 60.0  # a Retry-After beyond this is left to the failure's own retry

Result = TypeVar("Result")


async def with_retries(attempt: Callable[[], Awaitable[Result]], *, tries: int = TRIES) -> Result:
    """Run ``attempt`` until it succeeds. Raises the last TransferError.

    Between tries there is an exponential back-off with full jitter, or what the origin asked for by Retry-After.
    """
    for number in range(1, tries + 1):
        try:
            return await attempt()
        except TransferError as error:
            most = (
                min(tries, TRIES_NOT_FOUND)
                if isinstance(error, HTTPStatusError) and error.status == NOT_FOUND
                else tries
            )
            if not error.retry or number >= most or (error.retry_after or 0) > LONGEST_WISH:
                raise
            await asyncio.sleep(_pause(number, error.retry_after))
    raise AssertionError("tries must be at least 1")


def _pause(number: int, wish: float | None) -> float:
    jitter = random.uniform(0, min(CAP, BASE * 2**number))  # noqa: S311 - spreads load, keeps no secret
    return wish + jitter if wish is not None else jitter
