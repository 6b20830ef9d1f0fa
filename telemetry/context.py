"""What every event of one request or one job carries: its ids, by their names in the Elastic Common Schema."""

from __future__ import annotations

from collections.abc import Mapping
from contextvars import ContextVar

# One dict a request or job. Threads and asyncio tasks that work for it have a copy of the context, thus the same
# dict: what one of them learns, such as the user, the others' events have too.
_fields: ContextVar[dict[str, str] | None] = ContextVar("log_fields", default=None)


def begin(fields: Mapping[str, str]) -> None:
    """From here on, events of this context carry ``fields``, and nothing of what they carried before.

    There is no end to call: a server's request and a worker's job have an asyncio task or a thread of their own. What
    the server itself has to say about a request that crashed still carries the ids.
    """
    _fields.set(dict(fields))


def bind(fields: Mapping[str, str]) -> None:
    """Add to what was begun; outside of any request or job there is nothing to add to."""
    begun = _fields.get()
    if begun is not None:
        begun.update(fields)


def bound() -> dict[str, str]:
    """What events carry here and now."""
    return dict(_fields.get() or {})
