"""A live stream that a test moves on by hand: it says what the playlist lists, and when that changes."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path

from domain.errors import RunStopped
from domain.ports import FetchOutcome, PieceResult, Progress, Source, Storage
from domain.values import FailedResourceType, ResourceType
from downloader.client import Client
from downloader.engine import Engine
from downloader.limits import Limits
from storage.keys import Names
from storage.local import LocalStorage
from tests import media
from tests.builders import a_task
from tests.fetching import local
from tests.origin import Origin

SECONDS = 0.5  # of one segment


class LiveStream:
    """Segments under ``/live/``, and a playlist that lists some of them."""

    def __init__(self, origin: Origin, segments: int = 12, name: str = "live") -> None:
        self._origin, self._name = origin, name
        self.segments = media.hls_vod(segments, SECONDS).segments
        self.path = f"/{name}/index.m3u8"
        self.url = origin.url(self.path)
        for index, body in enumerate(self.segments):
            origin.put(self.segment_path(index), body)

    def segment_path(self, index: int) -> str:
        return f"/{self._name}/segment_{index}.ts"

    def show(self, *indexes: int, sequence: int | None = None, ended: bool = False, kind: str = "") -> None:
        """List these segments; the first has the media sequence number ``sequence``, its own index unless told."""
        lines = [
            "#EXTM3U",
            "#EXT-X-VERSION:3",
            "#EXT-X-TARGETDURATION:1",
            f"#EXT-X-MEDIA-SEQUENCE:{indexes[0] if sequence is None else sequence}",
            *([f"#EXT-X-PLAYLIST-TYPE:{kind}"] if kind else []),
            *(line for index in indexes for line in (f"#EXTINF:{SECONDS},", f"segment_{index}.ts")),
            *(["#EXT-X-ENDLIST"] if ended else []),
            "",
        ]
        self._origin.put(self.path, "\n".join(lines).encode())

    def wait_for_loads(self, n: int = 1) -> None:
        """Return when the playlist has been asked for ``n`` more times."""
        self._origin.wait_for_hits(self.path, self._origin.hits(self.path) + n)

    def wait_for(self, *indexes: int) -> None:
        """Return when these segments have been asked for."""
        for index in indexes:
            self._origin.wait_for_hits(self.segment_path(index))
