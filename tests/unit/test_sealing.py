from __future__ import annotations

import pytest

from domain.errors import InvalidInputError
from persistence.sealing import AesGcmSealer

SECRET, NEXT = "s" * 32, "n" * 32
HEADERS = (("Cookie", "session=topsecret; a=1"), ("X-Name", "é\xff"), ("Cookie", "session=topsecret; a=1"))


@pytest.mark.parametrize("headers", [HEADERS, (), (("A", ""),), (("N" * 64, "v" * 8000),)])
def test_headers_come_back_as_they_were(headers: tuple[tuple[str, str], ...]) -> None:
    sealer = AesGcmSealer(SECRET)
    assert sealer.open(sealer.seal(headers)) == headers


def test_nothing_of_them_can_be_read() -> None:
    sealer = AesGcmSealer(SECRET)
    sealed = sealer.seal(HEADERS)
    assert b"topsecret" not in sealed
    assert b"Cookie" not in sealed
    assert "topsecret" not in repr(sealer)
    assert SECRET not in repr(vars(sealer))


def test_the_same_headers_are_sealed_differently_each_time() -> None:
    sealer = AesGcmSealer(SECRET)
    assert len({sealer.seal(HEADERS) for _ in range(50)}) == 50


def test_the_previous_secret_still_opens() -> None:
    old = AesGcmSealer(SECRET).seal(HEADERS)
    rotated = AesGcmSealer(NEXT, SECRET)
    assert rotated.open(old) == HEADERS
    assert AesGcmSealer(NEXT).open(rotated.seal(HEADERS)) == HEADERS


@pytest.mark.parametrize("previous", [None, "x" * 32])
def test_another_key_asks_for_the_headers_again(previous: str | None) -> None:
    sealed = AesGcmSealer(SECRET).seal(HEADERS)
    with pytest.raises(InvalidInputError, match="Give them again") as caught:
        AesGcmSealer(NEXT, previous).open(sealed)
    assert caught.value.field == ("request_headers",)


def test_what_was_changed_is_not_opened() -> None:
    sealer = AesGcmSealer(SECRET)
    sealed = sealer.seal(HEADERS)
    changed = [sealed[:at] + bytes([sealed[at] ^ 1]) + sealed[at + 1 :] for at in range(len(sealed))]
    for broken in (*changed, b"", sealed[:1], sealed[:8], sealed[:13], sealed[:-1], sealed + b"\0"):
        with pytest.raises(InvalidInputError):
            sealer.open(broken)
