"""A stream as one file is never in memory as a whole, nor is a piece of it."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import anyio
import pytest
from starlette.responses import Response, StreamingResponse

from domain.errors import StorageError
from storage.keys import Names
from storage.local import BLOCK, LocalStorage
from web.joined import joined

NAMES = Names(UUID(int=1), datetime(2025, 6, 14, tzinfo=UTC))
PIECES = [NAMES.segment(index, ".ts") for index in range(2)]


@pytest.fixture
def storage(tmp_path: Path) -> LocalStorage:
    storage = LocalStorage(tmp_path)
    lines = (key.removeprefix(f"{NAMES.hls_folder}/") for key in PIECES)
    storage.write(NAMES.local_playlist, "\n".join(["#EXTM3U", *lines]).encode())
    storage.write(PIECES[0], bytes(2 * BLOCK + 5))
    return storage


def saved(storage: LocalStorage) -> list[int]:
    """The sizes of what is sent, one after the other."""

    async def sizes() -> list[int]:
        answer: Response | None = joined(storage, NAMES.local_playlist, {}, anyio.CapacityLimiter(1))
        assert isinstance(answer, StreamingResponse)
        return [len(block) async for block in answer.body_iterator]

    return anyio.run(sizes)


def test_a_piece_of_any_size_comes_block_by_block(storage: LocalStorage) -> None:
    storage.write(PIECES[1], b"end")
    assert saved(storage) == [BLOCK, BLOCK, 5, 3]


def test_a_piece_that_is_gone_breaks_the_file_off(storage: LocalStorage) -> None:
    with pytest.raises(StorageError, match="a piece is gone"):
        saved(storage)
