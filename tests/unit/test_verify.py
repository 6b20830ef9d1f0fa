"""Media passes untouched; whatever else a server may send is noticed, however it is cut on its way."""

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from xxhash import xxh3_128_hexdigest

from domain.errors import TransferError
from domain.values import FailureType
from downloader.images import image_extension, verify_image
from downloader.verify import Container, Expected, SegmentVerifier, Verified, verify_mp4
from tests.media import gif, hls_vod, jpeg, mp4, png, webp

TS = hls_vod(2, 0.5).segments[0]
FMP4 = hls_vod(2, 0.5, fmp4=True)
INIT, FRAGMENT = FMP4.init or b"", FMP4.segments[0]
ADTS = b"\xff\xf1\x50\x80\x02\x1f\xfc" + bytes(80)
MP3 = b"\xff\xfb\x90\x64" + bytes(80)
AC3 = b"\x0b\x77" + bytes(80)
VTT = b"WEBVTT\n\n00:00.000 --> 00:01.000\n" + b"Hello " * 20
PATHOLOGICAL = b"\x47" * 1_000  # looks like packets at every offset


def box(kind: bytes, payload: bytes = b"") -> bytes:
    return (8 + len(payload)).to_bytes(4) + kind + payload


def long_box(kind: bytes, payload: bytes = b"") -> bytes:
    return b"\0\0\0\1" + kind + (16 + len(payload)).to_bytes(8) + payload


def id3(size: int) -> bytes:
    digits = bytes(size >> shift & 0x7F for shift in (21, 14, 7, 0))
    return b"ID3\4\0\0" + digits + bytes(size)


def verify(body: bytes, expected: Expected = Expected.SEGMENT, *, step: int = 16_384) -> tuple[Verified, bytes]:
    """What is said of a body that comes in portions of ``step`` bytes, and what was let through."""
    written, verifier = bytearray(), SegmentVerifier(expected)
    for start in range(0, len(body), step):
        verifier.update(memoryview(body)[start : start + step], written.extend)
    return verifier.finish(written.extend), bytes(written)


def refused(body: bytes, expected: Expected = Expected.SEGMENT, *, step: int = 16_384) -> str:
    with pytest.raises(TransferError) as error:
        verify(body, expected, step=step)
    assert error.value.failure_type is FailureType.INVALID_CONTENT
    return str(error.value)


# --- segments -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("step", [1, 7, 188, 1_000, 16_384])
@pytest.mark.parametrize(
    ("body", "expected", "container", "extension"),
    [
        (TS, Expected.SEGMENT, Container.TS, ".ts"),
        (TS[:188], Expected.SEGMENT, Container.TS, ".ts"),
        (INIT, Expected.INITIALIZATION, Container.FMP4, ".m4s"),
        (FRAGMENT, Expected.FRAGMENT, Container.FMP4, ".m4s"),
        (INIT + FRAGMENT, Expected.SEGMENT, Container.FMP4, ".m4s"),
        (ADTS, Expected.SEGMENT, Container.AUDIO, ".aac"),
        (MP3, Expected.SEGMENT, Container.AUDIO, ".aac"),
        (AC3, Expected.SEGMENT, Container.AUDIO, ".aac"),
        (id3(63) + ADTS, Expected.SEGMENT, Container.AUDIO, ".aac"),
        (id3(20_000) + MP3, Expected.SEGMENT, Container.AUDIO, ".aac"),
        (VTT, Expected.SUBTITLE, Container.VTT, ".vtt"),
        (b"WEBVTT", Expected.SUBTITLE, Container.VTT, ".vtt"),
        (b"\xef\xbb\xbf" + VTT, Expected.SEGMENT, Container.VTT, ".vtt"),
    ],
)
def test_media_passes_as_it_is(
    body: bytes, expected: Expected, container: Container, extension: str, step: int
) -> None:
    verified, written = verify(body, expected, step=step)
    assert written == body
    assert verified == Verified(container, len(body), xxh3_128_hexdigest(body))
    assert verified.container.extension == extension


@pytest.mark.parametrize("step", [1, 188, 16_384])
@pytest.mark.parametrize(
    ("body", "expected", "message"),
    [
        (b"", Expected.SEGMENT, "empty: the answer had no bytes"),
        (b" \n<html>Sign in", Expected.SEGMENT, "HTML: the server sent a page instead of media"),
        (b"<?xml version='1.0'?>" * 9, Expected.FRAGMENT, "HTML: the server sent a page instead of media"),
        (b'{"error": "expired"}', Expected.SEGMENT, "JSON: the server sent a message instead of media"),
        (b"Too many requests", Expected.SEGMENT, "signature: this is no media of a known kind"),
        (b"\xff\xfe<\0h\0t\0m\0l\0", Expected.SEGMENT, "signature: this is no media of a known kind"),
        (bytes(400), Expected.SEGMENT, "signature: this is no media of a known kind"),
        (TS[:-1], Expected.SEGMENT, "truncated: the transport stream ends inside a packet"),
        (
            TS[:188] + b"x" + TS[189:],
            Expected.SEGMENT,
            "sync: a packet of the transport stream does not begin with 0x47",
        ),
        (TS + b"<html>" * 100, Expected.SEGMENT, "sync: a packet of the transport stream does not begin with 0x47"),
        (TS[:-188] + bytes(188), Expected.SEGMENT, "sync: a packet of the transport stream does not begin with 0x47"),
        (FRAGMENT[:-1], Expected.FRAGMENT, "truncated: the file ends inside a box"),
        (FRAGMENT + b"\0\0", Expected.FRAGMENT, "truncated: the file ends inside a box"),
        (FRAGMENT + b"<html>" * 9, Expected.FRAGMENT, "truncated: the file ends inside a box"),
        (
            FRAGMENT + bytes([0, 0, 0, 9, 255, 0, 0, 0]),
            Expected.FRAGMENT,
            "box: something else stands where a box should begin",
        ),
        (FRAGMENT + b"\0\0\0\7free", Expected.FRAGMENT, "box: a box is shorter than its own header"),
        (FRAGMENT, Expected.INITIALIZATION, "box: the file has no moov"),
        (FRAGMENT, Expected.SEGMENT, "box: the file has no moov"),
        (INIT, Expected.FRAGMENT, "box: the file has no mdat, moof"),
        (TS, Expected.FRAGMENT, "wrong container: an MPEG transport stream does not belong here"),
        (TS, Expected.INITIALIZATION, "wrong container: an MPEG transport stream does not belong here"),
        (ADTS, Expected.SUBTITLE, "wrong container: packed audio does not belong here"),
        (id3(63) + TS, Expected.SEGMENT, "signature: no audio follows the ID3 tag"),
        (id3(63), Expected.SEGMENT, "signature: this is no media of a known kind"),
        (id3(300_000) + ADTS, Expected.SEGMENT, "signature: no audio follows the ID3 tag"),
        (png(), Expected.SEGMENT, "image: a picture came instead of media"),
    ],
)
def test_anything_else_is_refused_by_name(body: bytes, expected: Expected, message: str, step: int) -> None:
    if len(body) < 20_000 or step > 1:
        assert refused(body, expected, step=step) == message


@pytest.mark.parametrize("picture", [png(), jpeg(), gif()], ids=["png", "jpeg", "gif"])
@pytest.mark.parametrize("filler", [0, 1, 187, 5_000])
@pytest.mark.parametrize("step", [1_000, 16_384])
def test_a_transport_stream_behind_a_picture_is_unwrapped(picture: bytes, filler: int, step: int) -> None:
    verified, written = verify(picture + b"\xff" * filler + TS, step=step)
    assert written == TS
    assert verified == Verified(Container.TS, len(TS), xxh3_128_hexdigest(TS))


@pytest.mark.parametrize(
    ("body", "cause"),
    [
        (png() + TS[: 4 * 188], "image"),
        (png() + TS[:-1], "truncated"),
        (png() + TS + b"x" * 188, "sync"),
        (png() + bytes(300_000) + TS, "image"),
        (png() + FRAGMENT, "image"),
        (webp() + TS, "signature"),
    ],
)
def test_a_disguise_is_believed_only_when_packets_follow_to_the_end(body: bytes, cause: str) -> None:
    assert refused(body).partition(":")[0] == cause


def test_a_disguise_made_of_sync_bytes_is_no_trap() -> None:
    assert refused(png() + PATHOLOGICAL * 250 + b"x").startswith(("sync", "truncated"))


def test_what_does_not_fit_is_not_written() -> None:
    written = bytearray()
    verifier = SegmentVerifier()
    verifier.update(TS, written.extend)
    with pytest.raises(TransferError):
        verifier.update(b"<html>" * 100, written.extend)
    assert written == TS


@settings(max_examples=200, deadline=None)
@given(
    body=st.binary(max_size=400),
    head=st.sampled_from([b"", b"\x47", b"ID3", b"\0\0\0\x20ftyp", b"GIF89a"]),
    step=st.integers(1, 500),
)
def test_any_bytes_are_passed_or_refused(body: bytes, head: bytes, step: int) -> None:
    whole = head + body
    try:
        verified, written = verify(whole, step=step)
    except TransferError:
        return
    assert (written, verified.size) == (whole, len(whole))


# --- MP4 files ----------------------------------------------------------------------------------------------


def stored(tmp_path: Path, body: bytes) -> Path:
    path = tmp_path / "stored"
    path.write_bytes(body)
    return path


@pytest.mark.parametrize(
    "body",
    [
        mp4(),
        mp4(min_bytes=100_000),
        INIT + b"".join(FMP4.segments),
        box(b"ftyp") + box(b"moov") + long_box(b"mdat", b"media"),
        box(b"ftyp") + box(b"moov") + b"\0\0\0\0mdat" + b"to the end",
        box(b"wide") + box(b"ftyp") + box(b"mdat", b"media") + box(b"moov"),
    ],
)
def test_whole_mp4_files_pass(body: bytes, tmp_path: Path) -> None:
    verify_mp4(stored(tmp_path, body))


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "empty: the answer had no bytes"),
        (b"<html>", "HTML: the server sent a page instead of media"),
        (b'[{"code": 404}]', "JSON: the server sent a message instead of media"),
        (TS, "signature: this is no MP4 file"),
        (png(), "signature: this is no MP4 file"),
        (mp4()[:-1], "truncated: the file ends inside a box"),
        (mp4()[:40], "truncated: the file ends inside a box"),
        (mp4() + b"\0", "truncated: the file ends inside a box"),
        (mp4() + bytes(8), "box: something else stands where a box should begin"),
        (INIT, "box: the file has no mdat"),
        (box(b"mdat") + box(b"moov"), "box: the file has no ftyp"),
        (box(b"ftyp") + box(b"mdat"), "box: the file has no moov"),
        (box(b"ftyp") + b"\0\0\0\1moov\0\0\0\0\0\0\0\x0f", "box: a box is shorter than its own header"),
        (box(b"ftyp") + b"\0\0\0\1moov\xff\xff\xff\xff\xff\xff\xff\xf0", "truncated: the file ends inside a box"),
    ],
)
def test_broken_mp4_files_are_refused_by_name(body: bytes, message: str, tmp_path: Path) -> None:
    with pytest.raises(TransferError) as error:
        verify_mp4(stored(tmp_path, body))
    assert (str(error.value), error.value.failure_type) == (message, FailureType.INVALID_CONTENT)


def test_endless_boxes_are_refused(tmp_path: Path) -> None:
    with pytest.raises(TransferError, match="box: there are too many of them"):
        verify_mp4(stored(tmp_path, box(b"ftyp") + box(b"free") * 1_000_001))


# --- images -------------------------------------------------------------------------------------------------

AVIF = box(b"ftyp", b"avif\0\0\0\0mif1miaf") + box(b"meta", b"x" * 9) + box(b"mdat", b"y" * 9)
HEIC = box(b"ftyp", b"mif1\0\0\0\0mif1heic") + box(b"meta", b"x" * 9) + box(b"mdat", b"y" * 9)
BMP = (
    b"BM" + (66).to_bytes(4, "little") + bytes(4) + (54).to_bytes(4, "little") + (40).to_bytes(4, "little") + bytes(48)
)
THUMBNAIL = b"\xff\xd8\xff\xe1\0\x0a" + b"\xff\xd9" * 4  # an APP1 segment that holds the end of another image
WITH_THUMBNAIL = THUMBNAIL + jpeg()[2:]
IMAGES = [
    (png(), ".png"),
    (jpeg(), ".jpg"),
    (WITH_THUMBNAIL, ".jpg"),
    (gif(), ".gif"),
    (webp(), ".webp"),
    (AVIF, ".avif"),
    (box(b"ftyp", b"mif1\0\0\0\0miafavif") + AVIF[24:], ".avif"),
    (HEIC, ".heic"),
    (BMP, ".bmp"),
]


@pytest.mark.parametrize(("body", "extension"), IMAGES)
def test_whole_images_are_told_by_their_signature(body: bytes, extension: str, tmp_path: Path) -> None:
    assert image_extension(body[:64]) == extension
    assert verify_image(stored(tmp_path, body)) == extension


@pytest.mark.parametrize("body", [body for body, _ in IMAGES])
def test_an_image_that_ends_early_is_refused(body: bytes, tmp_path: Path) -> None:
    for end in (len(body) - 1, len(body) // 2):
        with pytest.raises(TransferError, match=r"^truncated: "):
            verify_image(stored(tmp_path, body[:end]))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: b"", "empty: the answer had no bytes"),
        (lambda: b'<svg xmlns="http://www.w3.org/2000/svg"/>', "HTML: the server sent a page instead of media"),
        (lambda: b'{"error": 1}', "JSON: the server sent a message instead of media"),
        (lambda: b"BM is how this text begins", "signature: this is no image of a known kind"),
        (mp4, "signature: this is no image of a known kind"),
        (lambda: TS, "signature: this is no image of a known kind"),
    ],
)
def test_what_is_no_image_is_refused_by_name(make: Callable[[], bytes], message: str, tmp_path: Path) -> None:
    with pytest.raises(TransferError) as error:
        verify_image(stored(tmp_path, make()))
    assert (str(error.value), error.value.failure_type) == (message, FailureType.INVALID_CONTENT)


@settings(max_examples=200, deadline=None)
@given(body=st.binary(max_size=200), head=st.sampled_from([body[:20] for body, _ in IMAGES]))
def test_any_image_is_told_or_refused(body: bytes, head: bytes, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.getbasetemp() / "any_image"
    path.write_bytes(head + body)
    try:
        assert verify_image(path).startswith(".")
    except TransferError as error:
        assert error.failure_type is FailureType.INVALID_CONTENT  # noqa: PT017 -- both ends are right
