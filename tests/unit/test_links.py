"""Signed links: what opens them, and what does not."""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from uuid import UUID

import pytest

from web.links import Links

SECRET = "a secret of the tests, longer than thirty-two bytes"
USER = UUID(int=7)
FILM = f"video_{UUID(int=1)}/mp4/film.mp4"
PLAYLIST = f"video_{UUID(int=1)}/hls/video_local.m3u8"
PIECE = f"video_{UUID(int=1)}/hls/ts/segment_000000.ts"


class Clock:
    """Seconds since 1970, as told."""

    now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


def links(secret: str = SECRET, previous: str | None = None, seconds: int = 60, clock: Clock | None = None) -> Links:
    """At https://media.example."""
    public_url = "https://media.example"
    return Links(secret, public_url=public_url, seconds=seconds, previous_secret=previous, clock=clock or Clock())


def token(url: str) -> str:
    """The signed part of a link."""
    return url.split("/")[4]


def test_a_link_names_the_file_and_opens_it() -> None:
    url = links().url(FILM, USER)

    assert url == f"https://media.example/media/{token(url)}/{FILM}"
    assert links().opens(token(url), FILM)


def test_a_file_s_link_opens_that_file_alone() -> None:
    one = token(links().url(FILM, USER))

    assert not links().opens(one, FILM.replace("film", "other"))
    assert not links().opens(one, PLAYLIST)


def test_a_playlist_s_link_opens_its_stream_and_no_other() -> None:
    one = token(links().url(PLAYLIST, USER))

    assert links().opens(one, PIECE)
    assert not links().opens(one, PIECE.replace("-000000000001/", "-000000000002/"))
    assert not links().opens(one, FILM)


@pytest.mark.parametrize(("duration", "lasts"), [(None, 60), (90.5, 150), (10**9, 24 * 3600)])
def test_it_lasts_its_seconds_and_the_film_s_but_no_longer_than_a_day(duration: float | None, lasts: int) -> None:
    clock = Clock()
    made = links(clock=clock)
    one = token(made.url(FILM, USER, duration))

    clock.now += lasts - 0.1
    assert made.opens(one, FILM)
    clock.now += 0.2
    assert not made.opens(one, FILM)


def test_another_secret_makes_no_link_but_the_previous_one_does() -> None:
    one = token(links().url(FILM, USER))

    assert not links("another secret").opens(one, FILM)
    assert links("another secret", previous=SECRET).opens(one, FILM)


def test_any_changed_bit_closes_it() -> None:
    one = token(links().url(FILM, USER))
    content = bytearray(urlsafe_b64decode(one + "=="))
    for at in range(len(content)):
        changed = bytearray(content)
        changed[at] ^= 1
        assert not links().opens(urlsafe_b64encode(changed).rstrip(b"=").decode(), FILM)


@pytest.mark.parametrize("one", ["", "a", "!", "ä", "A" * 10_000, "5f0c1f2e-7d0a-4b7e-9c55-2f4a6f0f3c11"])
def test_no_token_at_all(one: str) -> None:
    assert not links().opens(one, FILM)
