"""Copies of what a probe looks at, where the stored media is not on this machine."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath

from domain.ports import Storage

_MAP = re.compile(r'#EXT-X-MAP:URI="([^"]+)"')
_RENDITION = re.compile(r'#EXT-X-MEDIA:.*URI="([^"]+)"')
_PLAYLIST = ".m3u8"

COVER_AT = 0.1  # of the pieces; as in probe_child.py, which shares no code with us


def files_to_probe(storage: Storage, key: str) -> dict[str, int]:
    """Keys and bytes: of a stream its local playlists and a few pieces of each, of anything else all there is.

    Blocks. Raises StorageError.
    """
    found = {name: storage.size(name) for name in ([*_of_stream(storage, key)] if _is_playlist(key) else [key])}
    return {name: size for name, size in found.items() if size is not None}


def copy(storage: Storage, files: Mapping[str, int], run_number: int) -> None:
    """Put them into scratch, beside one another as they are stored. Blocks. Raises StorageError, OSError."""
    for key in files:
        with storage.scratch(key, run_number).open("wb") as file:
            for block in storage.blocks(key):
                file.write(block)


def remove(storage: Storage, files: Mapping[str, int], run_number: int) -> None:
    """Remove the copies. Blocks. Raises StorageError, OSError."""
    for key in files:
        storage.scratch(key, run_number).unlink(missing_ok=True)


def _of_stream(storage: Storage, playlist: str) -> Iterator[str]:
    yield playlist
    text = (storage.read(playlist) or b"").decode()
    for name in _named(text):
        key = str(PurePosixPath(playlist).parent / name)
        if _is_playlist(key):
            yield from _of_stream(storage, key)
        else:
            yield key


def _named(text: str) -> list[str]:
    """The first two pieces tell what there is, the one for the cover shows it; and their initialization section."""
    lines = text.splitlines()
    pieces = [line for before, line in zip(["", *_kept(lines)], _kept(lines), strict=False) if _is_piece(before, line)]
    wanted = {*pieces[:2], *pieces[int(len(pieces) * COVER_AT) :][:1]}
    return [*_RENDITION.findall(text), *_MAP.findall(text)[:1], *(piece for piece in pieces if piece in wanted)]


def _kept(lines: list[str]) -> list[str]:
    return [line for line in lines if line and not line.startswith("#EXTINF")]


def _is_piece(before: str, line: str) -> bool:
    return not line.startswith("#") and before != "#EXT-X-GAP"


def _is_playlist(key: str) -> bool:
    return key.endswith(_PLAYLIST)
