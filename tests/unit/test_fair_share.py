"""Fast endless answers leave the loop its turns: another user's small picture is not held up beside them."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from hashlib import sha256
from itertools import pairwise

import pytest

from downloader.client import Client
from downloader.request import Request
from tests.fetching import get, local, run

FAST = 4
LEAST_TURN = 1024 * 1024  # bytes that a transfer may take before the others are seen to, at most
SLACK = 512 * 1024  # what libcurl has read by then
BLOCK = bytes(range(256)) * 4096  # 1 MiB
LONG = 48  # blocks


class Torrent:
    """An origin that sends as fast as it can, for ever (``/endless``) or 48 MiB (``/long``), each in a thread."""

    def __init__(self) -> None:
        self._socket = socket.create_server(("127.0.0.1", 0), backlog=100)
        self.port = int(self._socket.getsockname()[1])
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    def close(self) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        for thread in self._threads:
            thread.join(10)

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client = self._socket.accept()[0]
                self._threads.append(threading.Thread(target=self._serve, args=(client,), daemon=True))
                self._threads[-1].start()

    def _serve(self, client: socket.socket) -> None:
        with suppress(OSError), client:
            asked = client.recv(65536)
            client.sendall(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")
            blocks = 0
            while blocks < LONG or b"/endless" in asked:
                client.sendall(BLOCK)
                blocks += 1


@pytest.fixture
def torrent() -> Iterator[Torrent]:
    running = Torrent()
    yield running
    running.close()


def test_a_transfer_takes_a_share_of_each_turn(torrent: Torrent) -> None:
    taken, turns = 0, list[int]()

    def sink(data: memoryview) -> None:
        nonlocal taken
        taken += len(data)
        time.sleep(0.0005)  # meanwhile more comes than can be taken

    async def watch() -> None:
        while True:
            turns.append(taken)
            await asyncio.sleep(0)

    async def scenario(client: Client) -> None:
        endless = Request(f"http://127.0.0.1:{torrent.port}/endless", max_bytes=1 << 40)
        fast = [asyncio.create_task(client.fetch(endless, sink)) for _ in range(FAST)]
        watching = asyncio.create_task(watch())
        while taken < 64 * LEAST_TURN:  # noqa: ASYNC110 - the sink has no event to tell
            await asyncio.sleep(0.01)
        for task in (*fast, watching):
            task.cancel()
        await asyncio.gather(*fast, watching, return_exceptions=True)

    run(local(torrent.port), scenario)

    longest = max(after - before for before, after in pairwise(turns))
    assert longest <= FAST * (LEAST_TURN + SLACK)


def test_what_was_held_back_is_whole(torrent: Torrent) -> None:
    async def scenario(client: Client) -> list[str]:
        bodies = (get(client, f"http://127.0.0.1:{torrent.port}/long?{n}") for n in range(FAST))
        return [sha256(body).hexdigest() for body in await asyncio.gather(*bodies)]

    assert run(local(torrent.port), scenario) == [sha256(BLOCK * LONG).hexdigest()] * FAST
