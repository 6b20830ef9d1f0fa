"""An origin that waits before each response, and has a token bucket for each connection.

nginx's ``limit_rate`` will not do: it counts in whole seconds from each request on, so that short ones pass unbounded.
"""

from __future__ import annotations

import os
import re
import sys
import time
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import BinaryIO

BURST = 256 * 1024  # bytes: what a bucket holds


class Server(ThreadingHTTPServer):
    """A thread for each connection."""

    daemon_threads = True
    request_queue_size = 256
    root: Path
    delay: float  # seconds
    rate: int  # bytes per second


class Handler(BaseHTTPRequestHandler):
    """GET, with one range that has a first byte."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: Server

    def setup(self) -> None:
        super().setup()
        self._free_at = time.monotonic()  # when all that was sent has dripped out of the bucket

    def do_GET(self) -> None:
        time.sleep(self.server.delay)
        path = self.server.root / self.path.lstrip("/")
        if not path.is_file():
            self.send_error(HTTPStatus.NOT_FOUND)
            return
        try:
            with path.open("rb") as file:
                self._answer(file, os.fstat(file.fileno()).st_size)
        except ConnectionError:  # a client that has enough
            self.close_connection = True

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 -- the base class names it so
        """Say nothing."""

    def _answer(self, file: BinaryIO, size: int) -> None:
        asked = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        first, last = (int(asked[1]), min(int(asked[2] or size), size - 1)) if asked else (0, size - 1)
        self.send_response(HTTPStatus.PARTIAL_CONTENT if asked else HTTPStatus.OK)
        if asked:
            self.send_header("Content-Range", f"bytes {first}-{last}/{size}")
        self.send_header("Content-Length", str(last - first + 1))
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("ETag", f'"{size:x}"')
        self.end_headers()
        self._send(file, first, last + 1)

    def _send(self, file: BinaryIO, offset: int, end: int) -> None:
        while offset < end:
            sent = os.sendfile(self.connection.fileno(), file.fileno(), offset, min(BURST, end - offset))
            if not sent:
                break
            offset += sent
            self._drip(sent)

    def _drip(self, size: int) -> None:
        if not self.server.rate:
            return
        now, rate = time.monotonic(), self.server.rate
        self._free_at = max(self._free_at, now - BURST / rate) + size / rate
        time.sleep(max(0.0, self._free_at - now))


if __name__ == "__main__":
    root, port, delay, rate = sys.argv[1:]
    server = Server(("127.0.0.1", int(port)), Handler)
    server.root, server.delay, server.rate = Path(root), float(delay), int(rate)
    server.serve_forever()
