"""No image takes long to look through."""

from __future__ import annotations

from pathlib import Path

import pytest

from domain.errors import TransferError
from downloader.image_size import image_facts
from downloader.images import MAX_BOXES, MAX_CHUNKS, MAX_SEGMENTS, verify_image
from tests import media

SEGMENT, CHUNK, BOX = b"\xff\xe0\0\2", b"\0\0\0\0teXt\0\0\0\0", b"\0\0\0\x08free"
PNG, JPEG = media.png(), media.jpeg()
AVIF = b"\0\0\0\x10ftypavif\0\0\0\0\0\0\0\x08meta"


@pytest.mark.parametrize(
    ("extension", "ends", "part", "most"),
    [
        (".jpg", (JPEG[:2], JPEG[2:]), SEGMENT, MAX_SEGMENTS),
        (".png", (PNG[:8], PNG[8:]), CHUNK, MAX_CHUNKS),
        (".avif", (AVIF, b""), BOX, MAX_BOXES),
    ],
)
def test_parts_have_a_bound(tmp_path: Path, extension: str, ends: tuple[bytes, bytes], part: bytes, most: int) -> None:
    image = tmp_path / f"image{extension}"
    image.write_bytes(ends[0] + part * (most - 20) + ends[1])
    assert verify_image(image) == extension
    image.write_bytes(ends[0] + part * most + ends[1])
    with pytest.raises(TransferError, match="there are too many of them") as caught:
        verify_image(image)
    assert not caught.value.retry


def test_a_size_behind_too_many_segments_is_not_looked_for(tmp_path: Path) -> None:
    image = tmp_path / "image.jpg"
    image.write_bytes(JPEG[:2] + SEGMENT * (MAX_SEGMENTS - 20) + JPEG[2:])
    assert image_facts(image, image.name) is not None
    image.write_bytes(JPEG[:2] + SEGMENT * MAX_SEGMENTS + JPEG[2:])
    assert image_facts(image, image.name) is None
