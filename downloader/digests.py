"""The digest of every stored piece, in a file that ``xxhsum --check`` reads."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import PurePosixPath

from domain.ports import PieceNames, Storage
from downloader.verify import digest


def digest_lines(storage: Storage, names: PieceNames, keys: Iterable[str], known: Mapping[str, str]) -> str:
    """A line for each of ``keys`` that is a piece: xxh3-128 and the path beside this file.

    ``known`` are the digests taken while the bytes passed; then those of the file as it is; a piece that a killed
    run left without one is read again. Raises StorageError, OSError.
    """
    folder = PurePosixPath(names.digests).parent
    companions = {names.playlist, names.master_playlist, names.local_playlist, names.mapping, names.digests}
    written = {str(folder / path): value for path, value in _entries(storage.read(names.digests))}
    lines = []
    for key in sorted(set(keys) - companions):
        value = known.get(key) or written.get(key) or _from_file(storage, key)
        lines.append(f"{value}  {PurePosixPath(key).relative_to(folder)}\n")
    return "".join(lines)


def _entries(text: bytes | None) -> Iterable[tuple[str, str]]:
    for line in (text or b"").decode().splitlines():
        value, _, path = line.partition("  ")
        yield path, value


def _from_file(storage: Storage, key: str) -> str:
    path = storage.path(key)
    return digest(path) if path is not None else ""
