"""The origins: nginx where it is installed, and a server of our own where delay and rate are to be exact."""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
NGINX = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")

_CONFIGURATION = """
daemon off; master_process off; pid {folder}/pid; error_log {folder}/error.log;
events {{ worker_connections 1024; }}
http {{
    access_log off; sendfile on; tcp_nopush on; keepalive_requests 1000000; default_type application/octet-stream;
    client_body_temp_path {folder}; proxy_temp_path {folder}; fastcgi_temp_path {folder};
    uwsgi_temp_path {folder}; scgi_temp_path {folder};
    server {{ listen 127.0.0.1:{port}; root {root}; }}
}}
"""


@dataclass(frozen=True, slots=True)
class Shape:
    """``delay`` seconds before each response; ``rate`` bytes per second on each connection, 0 for no limit."""

    delay: float = 0.0
    rate: int = 0


UNSHAPED = Shape()


@contextmanager
def origin(root: Path, shape: Shape, folder: Path) -> Iterator[str]:
    """Serve ``root`` on loopback for the length of the context; ``host:port``. ``folder`` is for its own files."""
    port = free_port()
    process = subprocess.Popen(_command(root, port, shape, folder), cwd=ROOT)  # noqa: S603 -- nginx, or our own
    try:
        _await(port, process)
        yield f"127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait()


def free_port() -> int:
    """One on loopback that nobody listens at."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def _command(root: Path, port: int, shape: Shape, folder: Path) -> list[str]:
    if NGINX is None or shape != UNSHAPED:
        return [sys.executable, "-m", "bench.shaped_origin", *map(str, (root, port, shape.delay, shape.rate))]
    configuration = folder / "nginx.conf"
    configuration.write_text(_CONFIGURATION.format(folder=folder, port=port, root=root))
    return [NGINX, "-p", str(folder), "-c", str(configuration), "-e", str(folder / "error.log")]


def _await(port: int, process: subprocess.Popen[bytes]) -> None:
    while process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except ConnectionRefusedError:
            time.sleep(0.02)
        else:
            return
    raise RuntimeError("the origin did not start")
