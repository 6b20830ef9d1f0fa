"""AES-128-CBC comes out as it went in, in whatever portions it arrives."""

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.padding import PKCS7
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.errors import TransferError
from domain.values import FailureType
from downloader.decrypt import Decryptor
from downloader.playlist import MediaPlaylist, parse
from tests.media import Encryption, hls_vod

KEY, IV = b"sixteen bytes it", bytes(range(16))


def encrypt(body: bytes, *, padded: bool = True) -> bytes:
    padder = PKCS7(128).padder()
    encryptor = Cipher(algorithms.AES128(KEY), modes.CBC(IV)).encryptor()
    return encryptor.update(padder.update(body) + padder.finalize() if padded else body) + encryptor.finalize()


def decrypt(body: bytes, *cuts: int, key: bytes = KEY, iv: bytes = IV) -> bytes:
    """Decrypt ``body`` as it arrives in portions that end at ``cuts``."""
    plain, decryptor, start = bytearray(), Decryptor(key, iv), 0
    for end in [*sorted(cuts), len(body)]:
        decryptor.update(body[start:end], plain.extend)
        start = end
    decryptor.finish(plain.extend)
    return bytes(plain)


@settings(max_examples=60, deadline=None)
@given(body=st.binary(max_size=100), cuts=st.lists(st.integers(0, 112), max_size=8))
def test_portions_of_any_size_make_the_same_piece(body: bytes, cuts: list[int]) -> None:
    sealed = encrypt(body)
    assert decrypt(sealed, *(min(cut, len(sealed)) for cut in cuts)) == body


@pytest.mark.parametrize("size", [0, 1, 15, 16, 17, 16_383, 16_384, 16_385, 100_000])
def test_a_piece_larger_than_the_buffer_is_taken_at_once(size: int) -> None:
    body = bytes(number % 251 for number in range(size))
    assert decrypt(encrypt(body)) == body


def test_memoryviews_are_taken() -> None:
    plain, decryptor = bytearray(), Decryptor(KEY, IV)
    decryptor.update(memoryview(encrypt(b"a segment")), plain.extend)
    decryptor.finish(plain.extend)
    assert plain == b"a segment"


@pytest.mark.parametrize("size", [0, 15, 17])
def test_a_key_of_another_size_is_refused(size: int) -> None:
    with pytest.raises(TransferError) as error:
        Decryptor(bytes(size), IV)
    assert str(error.value) == f"key: the key has {size} bytes instead of 16"
    assert error.value.failure_type is FailureType.INVALID_CONTENT


@pytest.mark.parametrize(
    ("sealed", "message"),
    [
        (b"", "padding: the piece is cut, or this is not its key"),
        (encrypt(b"x" * 40)[:-16], "padding: the piece is cut, or this is not its key"),
        (encrypt(b"x" * 40)[:-1], "padding: the encrypted length is no multiple of 16 bytes"),
        (encrypt(bytes(16), padded=False), "padding: the piece is cut, or this is not its key"),
        (encrypt(b"\x11" * 32, padded=False), "padding: the piece is cut, or this is not its key"),
        (encrypt(b"x" * 14 + b"\x01\x02", padded=False), "padding: the piece is cut, or this is not its key"),
    ],
    ids=["empty", "block missing", "byte missing", "zero", "over 16", "uneven"],
)
def test_bad_padding_is_refused(sealed: bytes, message: str) -> None:
    with pytest.raises(TransferError) as error:
        decrypt(sealed)
    assert (str(error.value), error.value.failure_type) == (message, FailureType.INVALID_CONTENT)


def test_a_wrong_key_is_noticed() -> None:
    with pytest.raises(TransferError, match="this is not its key"):
        decrypt(encrypt(b"a segment"), key=b"another key here")


@pytest.mark.parametrize("encryption", ["sequence", "explicit", "rotation"])
def test_encrypted_streams_are_decrypted_by_their_playlist(encryption: Encryption) -> None:
    stream = hls_vod(4, 0.5, encryption=encryption, media_sequence=70_000, fmp4=encryption == "explicit")
    media = parse(stream.files[stream.media], f"http://origin.test/{stream.media}", max_segments=9)
    assert isinstance(media, MediaPlaylist)

    def served(url: str) -> bytes:
        return stream.files[url.removeprefix("http://origin.test/")]

    for segment, plain in zip(media.segments, stream.segments, strict=True):
        assert segment.key
        assert decrypt(served(segment.url), key=served(segment.key.url), iv=segment.key.iv) == plain
    for section in media.maps:
        assert section.key
        assert decrypt(served(section.url), key=served(section.key.url), iv=section.key.iv) == stream.init
