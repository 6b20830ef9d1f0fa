"""The HTTP server."""

from __future__ import annotations

import socket
from collections.abc import Callable

import uvicorn
from typing_extensions import override


class Server(uvicorn.Server):
    """Says that it stops before it waits for what is under way: a stream without an end would keep it waiting."""

    def __init__(self, config: uvicorn.Config, on_stop: Callable[[], None]) -> None:
        super().__init__(config)
        self._on_stop = on_stop

    @override
    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """WebSockets are closed with 1012 in the same step, and hear of nothing else."""
        self._on_stop()
        await super().shutdown(sockets)
