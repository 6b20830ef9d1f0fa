"""The digest of every stored piece, in a file that ``xxhsum --check`` reads."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cache

from xxhash import xxh3_128

from domain.ports import PieceNames, Storage


def digest_lines(storage: Storage, names: PieceNames, pieces: Iterable[tuple[str, str | None]]) -> Iterator[str]:
    """A line for each piece: xxh3-128 and the path beside this file.

    ``pieces`` are keys, and digests taken while the bytes passed. Where there is none, that of the file as it is
    counts; a piece that a killed run left without one is read again. Raises StorageError, OSError.
    """
    folder = f"{names.digests.rpartition('/')[0]}/"

    @cache
    def written() -> dict[str, str]:
        return dict(_entries(storage.read(names.digests)))

    for key, taken in pieces:
        path = key.removeprefix(folder)
        value = taken or written().get(path) or _from_file(storage, key)
        yield f"{value}  {path}\n"


def _entries(text: bytes | None) -> Iterator[tuple[str, str]]:
    for line in (text or b"").decode().splitlines():
        value, _, path = line.partition("  ")
        yield path, value


def _from_file(storage: Storage, key: str) -> str:
    taken = xxh3_128()
    for block in storage.blocks(key):
        taken.update(block)
    return taken.hexdigest()
