"""A stream as one file: the pieces of its local playlist, one after the other."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from pathlib import PurePosixPath

from anyio import CapacityLimiter, to_thread
from starlette.responses import Response, StreamingResponse

from domain.errors import StorageError
from domain.media_types import media_type
from domain.ports import Storage

_WHOLE = {".m4s": ".mp4"}
"""Fragments behind their initialization section are a fragmented MP4; transport streams and packed audio stay so."""


def joined(storage: Storage, key: str, headers: Mapping[str, str], threads: CapacityLimiter) -> Response | None:
    """The file to save of the media playlist ``key``; gaps are left out. None for a master playlist, or an empty one.

    Both MPEG-TS (RFC 8216, 3.2) and fMP4 (3.3) may be put together so: a player plays on from each to the next.
    Raises StorageError.
    """
    playlist = storage.read(key) or b""
    names = _pieces(playlist.decode())
    if b"\n#EXT-X-STREAM-INF:" in playlist or not names:
        return None
    folder, extension = PurePosixPath(key).parent, PurePosixPath(names[-1]).suffix
    name = PurePosixPath(key).with_suffix(_WHOLE.get(extension, extension)).name.replace("_local_", "_")

    async def content() -> AsyncIterator[bytes]:
        for each in names:
            blocks = storage.blocks(str(folder / each))  # a piece may be larger than the memory
            block = await to_thread.run_sync(next, blocks, b"", limiter=threads)
            if not block:
                raise StorageError("storage: a piece is gone")  # the file must not look whole
            while block:
                yield block
                block = await to_thread.run_sync(next, blocks, b"", limiter=threads)

    disposition = {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "private, no-store"}
    return StreamingResponse(content(), headers={**headers, **disposition}, media_type=media_type(name))


def _pieces(playlist: str) -> list[str]:
    """Initialization sections and segments, in order."""
    names, gap = [], False
    for line in playlist.splitlines():
        if line.startswith("#EXT-X-MAP:"):
            names.append(line.partition('URI="')[2].partition('"')[0])
        elif line == "#EXT-X-GAP":
            gap = True
        elif line and not line.startswith("#"):
            names += [] if gap else [line]
            gap = False
    return names
