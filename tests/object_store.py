"""A real object store of the tests' own: moto's server, as a process on a free port, behind a gate that can close."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import cached_property
from typing import Any
from uuid import uuid4

import boto3

USER, PASSWORD, REGION = "a-key-of-the-tests", "a-secret-of-the-tests", "eu-central-1"
START_SECONDS = 30
BLOCK = 65_536


class ObjectStore:
    """It speaks S3 to whoever has its key; buckets are empty and of the test's own. It keeps them in its memory."""

    def __init__(self, *, refuses: bool = False) -> None:
        """``refuses``: it lets nobody in."""
        self._environment = {"INITIAL_NO_AUTH_ACTION_COUNT": "0"} if refuses else {}
        self._port = _free_port()
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> ObjectStore:
        command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(self._port)]
        self._process = subprocess.Popen(
            command,
            env={**os.environ, **self._environment},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        deadline = time.monotonic() + START_SECONDS
        while not _answers(self._port):
            assert self._process.poll() is None, "the object store has ended"
            assert time.monotonic() < deadline, "the object store does not start"
            time.sleep(0.05)
        return self

    def __exit__(self, *_: object) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    @cached_property
    def client(self) -> Any:
        """Amazon's own: what it says of a bucket is what others see of it."""
        names = {"aws_access_key_id": USER, "aws_secret_access_key": PASSWORD, "region_name": REGION}
        return boto3.client("s3", endpoint_url=self.endpoint, **names)

    @contextmanager
    def bucket(self, *, endpoint: str | None = None) -> Iterator[Bucket]:
        """A new one."""
        name = f"media-{uuid4().hex}"
        self.client.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": REGION})
        yield Bucket(self, name, endpoint or self.endpoint)

    @contextmanager
    def gate(self) -> Iterator[Gate]:
        """A second way to the store, that can be shut."""
        gate = Gate(self._port)
        try:
            yield gate
        finally:
            gate.shut()


class Bucket:
    """What is in it, and how the service gets to it."""

    def __init__(self, store: ObjectStore, name: str, endpoint: str) -> None:
        self.name, self.url = name, f"s3://{name}/some/prefix"
        self._store, self._endpoint = store, endpoint

    @property
    def options(self) -> dict[str, str]:
        """The variables of the environment that lead to it."""
        return {
            "AWS_ENDPOINT_URL": self._endpoint,
            "AWS_ACCESS_KEY_ID": USER,
            "AWS_SECRET_ACCESS_KEY": PASSWORD,
            "AWS_REGION": REGION,
        }

    @property
    def settings(self) -> dict[str, str]:
        """Those of a service that keeps its files here."""
        return {"STORAGE_URL": self.url, **self.options}

    def objects(self) -> dict[str, int]:
        """Sizes by key; every key of the service begins with its prefix."""
        pages = self._store.client.get_paginator("list_objects_v2").paginate(Bucket=self.name)
        sizes = {each["Key"]: each["Size"] for page in pages for each in page.get("Contents", [])}
        assert all(key.startswith("some/prefix/") for key in sizes), sizes
        return {key.removeprefix("some/prefix/"): size for key, size in sizes.items()}

    def content(self, key: str) -> bytes:
        answer = self._store.client.get_object(Bucket=self.name, Key=f"some/prefix/{key}")
        body: bytes = answer["Body"].read()
        return body

    def about(self, key: str) -> Mapping[str, Any]:
        """The head of an answer."""
        head: Mapping[str, Any] = self._store.client.head_object(Bucket=self.name, Key=f"some/prefix/{key}")
        return head

    def uploads(self) -> list[str]:
        """Uploads in parts that have neither been completed nor given up."""
        listed = self._store.client.list_multipart_uploads(Bucket=self.name)
        return sorted(each["Key"].removeprefix("some/prefix/") for each in listed.get("Uploads", []))

    def begin_upload(self, key: str) -> None:
        """In parts, and never go on with it."""
        self._store.client.create_multipart_upload(Bucket=self.name, Key=f"some/prefix/{key}")

    def remove(self) -> None:
        """With all that is in it."""
        for key in self.objects():
            self._store.client.delete_object(Bucket=self.name, Key=f"some/prefix/{key}")
        self._store.client.delete_bucket(Bucket=self.name)


class Gate:
    """Passes bytes on to a port, until it is shut: then connections break, and new ones are refused."""

    def __init__(self, port: int) -> None:
        self._to = port
        self._port = _free_port()
        self._listener: socket.socket | None = None
        self._passing: set[socket.socket] = set()
        self._lock = threading.Lock()
        self.open()

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    def open(self) -> None:
        listener = socket.create_server(("127.0.0.1", self._port), backlog=256)
        self._listener = listener
        threading.Thread(target=self._accept, args=(listener,), daemon=True).start()

    def shut(self) -> None:
        if self._listener is not None:
            _close(self._listener)
            self._listener = None
        with self._lock:
            passing, self._passing = self._passing, set()
        for each in passing:
            _close(each)

    def _accept(self, listener: socket.socket) -> None:
        with suppress(OSError):
            while True:
                client, _ = listener.accept()
                server = socket.create_connection(("127.0.0.1", self._to))
                with self._lock:
                    self._passing |= {client, server}
                for one, other in ((client, server), (server, client)):
                    threading.Thread(target=_pass_on, args=(one, other), daemon=True).start()


def _pass_on(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(BLOCK):
            target.sendall(data)
    with suppress(OSError):
        target.shutdown(socket.SHUT_WR)


def _close(open_socket: socket.socket) -> None:
    with suppress(OSError):
        open_socket.shutdown(socket.SHUT_RDWR)
    open_socket.close()


def _answers(port: int) -> bool:
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
        return True
    return False


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
