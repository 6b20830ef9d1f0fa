"""Watching downloads: the service as a process, its poller over the database that its worker writes."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.asyncio.client import connect
from websockets.typing import Subprotocol

from tests import media
from tests.e2e.service import Service, User, wait_until
from tests.origin import Origin
from tests.origin_faults import drip
from tests.subscriber import event_stream, subscriber

FOLLOW = """
    subscription ($id: ID!) {
        taskChanged(id: $id) {
            id status progress bytesDownloaded bytesTotal bytesPerSecond etaSeconds startedAt updatedAt
            video { fileSize }
        }
    }
"""
RATE = 1024 * 1024  # bytes a second


def test_a_download_is_watched_to_its_end(service: Service, origin: Origin) -> None:
    body = media.mp4(min_bytes=3 * RATE)
    origin.put("/film.mp4", body)
    origin.fail("/film.mp4", drip(RATE))
    user = service.user()
    task_id = user.create(origin.url("/film.mp4"), "MP4", autoStart=False)["id"]
    with subscriber(service.url) as socket:
        socket.sign_in(user.token).subscribe(FOLLOW, id=task_id)
        told = [socket.next()["taskChanged"]]
        user.move("startTask", task_id)
        told += [data["taskChanged"] for data in socket.until_complete()]
    first, *under_way, last = told
    assert (first["status"], first["progress"], first["video"]) == ("PENDING", 0, None)
    assert {task["status"] for task in under_way} == {"PROCESSING"}
    assert (last["status"], last["progress"], last["video"]) == ("COMPLETED", 1, {"fileSize": len(body)})
    assert all(earlier["progress"] <= later["progress"] for earlier, later in pairwise(told))
    assert [(task["bytesPerSecond"], task["etaSeconds"]) for task in (first, last)] == [(None, None)] * 2
    _check_speeds([task for task in under_way if task["bytesPerSecond"]], len(body))


def _check_speeds(measured: list[dict[str, Any]], size: int) -> None:
    assert len(measured) >= 3
    for task in measured:
        assert task["etaSeconds"] == pytest.approx((size - task["bytesDownloaded"]) / task["bytesPerSecond"])
    begin, end = measured[0], measured[-1]
    seconds = (datetime.fromisoformat(end["updatedAt"]) - datetime.fromisoformat(begin["updatedAt"])).total_seconds()
    real = (end["bytesDownloaded"] - begin["bytesDownloaded"]) / seconds
    assert end["bytesPerSecond"] == pytest.approx(real, rel=0.3)


def test_a_stop_tells_subscribers_to_come_back(service: Service, origin: Origin) -> None:
    """1012 is "service restart"; a stream that breaks off without its ``complete`` is taken up again by its client."""
    user = service.user()
    task_id = user.create(origin.url("/film.mp4"), "MP4", autoStart=False)["id"]
    with (
        subscriber(service.url) as socket,
        httpx.Client(base_url=service.url) as client,
        event_stream(client, user.token, FOLLOW, id=task_id) as events,
    ):
        socket.sign_in(user.token).subscribe(FOLLOW, id=task_id)
        assert socket.next() == next(events)[1]["data"]
        assert service.terminate() == 0
        assert socket.closed()[0] == 1012
        assert list(events) == []
    assert service.log.read_text() == ""
    service.start()
    with subscriber(service.url) as socket:
        socket.sign_in(user.token).subscribe(FOLLOW, id=task_id)
        assert socket.next()["taskChanged"]["id"] == task_id


def test_the_log_knows_no_secret_of_a_socket(tmp_path: Path) -> None:
    with Service(tmp_path, LOG_LEVEL="DEBUG") as service, subscriber(service.url, "/graphql?q=in-the-query") as socket:
        user = service.user()
        socket.sign_in(user.token).ask("{ viewer { userId } }")
        socket.send("connection_init", payload={"Authorization": "Bearer wrong-one"})
        assert socket.closed()[0] == 4429
        wait_until(lambda: '"WEBSOCKET /graphql 101"' in service.log.read_text(), "the line of the request")
        log = service.log.read_text()
        assert str(user.id) in log
        assert [secret for secret in ("in-the-query", user.token, "wrong-one") if secret in log] == []


CROWD = 1_000
PERIOD = 20  # seconds


@pytest.mark.long
async def test_a_crowd_costs_next_to_nothing_while_nothing_changes(tmp_path: Path) -> None:
    """Everybody follows a task of their own: no two share a row."""
    with Service(tmp_path) as service:
        async with AsyncExitStack() as sockets:
            joining = asyncio.Semaphore(50)

            async def join() -> None:
                user = service.user()
                url = "https://example.com/a.mp4"
                task_id = (await asyncio.to_thread(user.create, url, "MP4", autoStart=False))["id"]
                async with joining:
                    await sockets.enter_async_context(_following(service, user, task_id))

            await asyncio.gather(*(join() for _ in range(CROWD)))
            await asyncio.sleep(2)  # what joining left to do
            began = _cpu_seconds(service)
            await asyncio.sleep(PERIOD)
            assert _cpu_seconds(service) - began < 0.10 * PERIOD


@asynccontextmanager
async def _following(service: Service, user: User, task_id: str) -> AsyncIterator[None]:
    protocol = Subprotocol("graphql-transport-ws")
    async with connect(f"ws://127.0.0.1:{service.port}/graphql", subprotocols=[protocol], proxy=None) as socket:
        init = {"type": "connection_init", "payload": user.headers}
        request = {"query": FOLLOW, "variables": {"id": task_id}}
        for message in (init, {"type": "subscribe", "id": "1", "payload": request}):
            await socket.send(json.dumps(message))
            await socket.recv()
        yield


def _cpu_seconds(service: Service) -> float:
    """Of the process, user and system: proc(5), fields 14 and 15."""
    assert service._process is not None
    fields = Path(f"/proc/{service._process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
