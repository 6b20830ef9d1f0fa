from __future__ import annotations

import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.ports import MediaFacts
from downloader.image_size import image_facts
from downloader.probe import probe
from tests import media

LOSSLESS = b"RIFF\x26\0\0\0WEBPVP8L\x19\0\0\0" + struct.pack("<BI", 0x2F, (640 - 1) | (480 - 1) << 14) + bytes(20)
EXTENDED = b"RIFF\x26\0\0\0WEBPVP8X\x0a\0\0\0\0\0\0\0" + struct.pack("<I", 639)[:3] + struct.pack("<I", 479)[:3]
OLDEST_BMP = b"BM" + bytes(12) + struct.pack("<IHHHH", 12, 640, 480, 1, 24) + bytes(30)


def bmp(height: int) -> bytes:
    return b"BM" + bytes(12) + struct.pack("<Iii", 40, 640, height) + bytes(30)


@pytest.mark.parametrize(
    ("name", "body"),
    [("a.png", media.png()), ("a.jpg", media.jpeg()), ("a.webp", media.webp()), ("a.gif", media.gif())],
)
def test_a_header_says_what_a_decoder_finds(name: str, body: bytes, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_bytes(body)
    facts = image_facts(path, path.name)
    assert facts is not None
    assert facts == probe(path)


@pytest.mark.parametrize(
    ("name", "body"),
    [
        ("a.png", media.png(640, 480)),
        ("a.jpg", media.jpeg(640, 480)),
        ("a.webp", media.webp(640, 480)),
        ("a.gif", media.gif(640, 480)),
        ("a.webp", LOSSLESS),
        ("a.webp", EXTENDED),
        ("a.bmp", bmp(480)),
        ("a.bmp", bmp(-480)),
        ("a.bmp", OLDEST_BMP),
        ("a.jpg", b"\xff\xd8\xff\xe0\0\4\0\0\xff\xc4\0\2\xff\xc2\0\x0b\x08" + struct.pack(">HH", 480, 640) + bytes(20)),
    ],
)
def test_every_kind_of_header_is_read(name: str, body: bytes, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_bytes(body)
    assert image_facts(path, path.name) == MediaFacts(None, 640, 480, path.suffix[1:].replace("jpg", "jpeg"))


@pytest.mark.parametrize("name", ["a.avif", "a.heic", "a.mp4", "a"])
def test_other_files_are_left_to_the_probe(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_bytes(media.png())
    assert image_facts(path, path.name) is None


def test_no_size_is_no_fact(tmp_path: Path) -> None:
    path = tmp_path / "a.bmp"
    path.write_bytes(bmp(0))
    assert image_facts(path, path.name) is None
    assert image_facts(tmp_path / "gone.png", "gone.png") is None


@given(kind=st.sampled_from(["png", "jpg", "gif", "webp", "bmp"]), body=st.binary(min_size=1, max_size=64))
def test_no_header_breaks_it(tmp_path_factory: pytest.TempPathFactory, kind: str, body: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / f"any.{kind}"
    path.write_bytes(body)
    facts = image_facts(path, path.name)
    assert facts is None or (facts.width and facts.height)


def test_a_scratch_file_is_what_its_key_says(tmp_path: Path) -> None:
    """It is measured before it is published, and has no extension yet."""
    path = tmp_path / "cover"
    path.write_bytes(media.png())
    assert image_facts(path, "video_1/image/cover.png") == MediaFacts(None, 64, 48, "png")
