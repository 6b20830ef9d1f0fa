"""Seeds of the fault matrix: what goes wrong for whom, and how the task must end by that. It knows none of our code."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import chain, repeat
from random import Random
from typing import TypeAlias

from tests import origin_faults as faults
from tests.e2e.fault_media import KINDS, Media, Piece, media_of
from tests.origin_faults import Fault

NETWORK, TIMEOUT, CONTENT, PERMISSION = "NETWORK_ERROR", "TIMEOUT", "INVALID_CONTENT", "PERMISSION_ERROR"
TRIES_AFTER_WHICH_NOTHING_IS_LOST = 2  # of the four that a piece has; the other two are for a machine that is busy

Make: TypeAlias = Callable[[Random, int], Fault]  # the second: bytes of the piece


def _cut(rng: Random, size: int) -> int:
    return rng.choice([0, 1, 100, size // 2, max(0, size - 1)])


def _rest(rng: Random, _: int) -> Fault:
    now = datetime.now(UTC)
    waits: tuple[int | datetime, ...] = (0, 1, now + timedelta(seconds=1), now - timedelta(days=1))
    return faults.retry_after(rng.choice(waits), code=rng.choice([429, 503]))


# Answers as they should be, if late or under another name.
HARMLESS: Mapping[str, Make] = {
    "latency": lambda rng, _: faults.latency(rng.choice([0.05, 0.2, 0.5])),
    "drip": lambda rng, size: faults.drip(max(size, 1000) / rng.uniform(0.5, 2)),
    "changed ETag": lambda rng, _: faults.changed_etag(etag=f'"{rng.randrange(99)}"'),
}
# What may pass, and what is told when it does not.
PASSING: Mapping[str, tuple[Make, str]] = {
    "reset": (lambda rng, size: faults.reset(rng.choice([None, _cut(rng, size)])), NETWORK),
    "truncation": (lambda rng, size: faults.truncated(_cut(rng, size)), CONTENT),
    "chunked truncation": (lambda rng, size: faults.chunked_truncated(_cut(rng, size)), CONTENT),
    "5xx": (lambda rng, _: faults.status(rng.choice([500, 502, 504])), NETWORK),
    "408": (lambda _, __: faults.status(408), NETWORK),
    "stall": (lambda rng, size: faults.stall(rng.choice([None, _cut(rng, size)])), TIMEOUT),
    "HTML": (lambda _, __: faults.html(), CONTENT),
}
# What is not tried again; but 404 is, once.
LASTING: Mapping[str, tuple[Make, str]] = {
    "expiry": (lambda rng, _: faults.expiry("fresh", rng.choice([401, 403])), PERMISSION),
    "redirect loop": (lambda rng, _: faults.redirect_loop(rng.choice([301, 302, 307])), NETWORK),
    "gzip bomb": (lambda _, __: faults.gzip_bomb(8_000_000), CONTENT),
    "endless": (lambda _, __: faults.endless(), CONTENT),
    "404": (lambda _, __: faults.status(404), NETWORK),
    "410": (lambda _, __: faults.status(410), NETWORK),
}
OF_RANGES: Mapping[str, tuple[Make, str]] = {
    "range ignored": (lambda _, __: faults.range_ignored(), CONTENT),
    "wrong range": (lambda rng, _: faults.wrong_range(rng.choice([1, 188, 1000])), CONTENT),
}


@dataclass(frozen=True)
class Trouble:
    """Faults of a piece, in order; ``cause`` is the failure type if they never end, ``heals`` if they do later."""

    faults: tuple[Fault, ...]
    cause: str | None = None
    heals: bool = True

    @property
    def turns(self) -> Iterator[Fault | None]:
        """What each request for the piece meets; None is the right answer."""
        return chain(self.faults, repeat(self.faults[-1] if self.cause else None))


@dataclass(frozen=True)
class Ending:
    """How a run must end. ``rows`` are (URL path, type, index) of the failures, and their possible causes."""

    status: str
    progress: float
    rows: Mapping[tuple[str, str, int | None], frozenset[str]]
    lost: frozenset[Piece]


@dataclass(frozen=True)
class Plan:
    """What one seed means."""

    seed: int
    kind: str
    troubles: Mapping[Piece, Trouble]
    piece_by_piece: bool  # how its user retries

    @property
    def media(self) -> Media:
        return media_of(self.kind)

    @property
    def first(self) -> Ending:
        return _ending(self.media, {piece: trouble.cause for piece, trouble in self.troubles.items() if trouble.cause})

    @property
    def after_healing(self) -> Ending:
        """The end of a second run."""
        lasting = {p: trouble.cause for p, trouble in self.troubles.items() if trouble.cause and not trouble.heals}
        return _ending(self.media, lasting)


def plan_of(seed: int) -> Plan:
    """The kinds take turns, so that forty seeds have them all."""
    rng, kinds = Random(seed), list(KINDS)  # noqa: S311 - to be repeated
    kind = kinds[seed % len(kinds)]
    pieces = media_of(kind).pieces
    hit = rng.sample(pieces, min(len(pieces), rng.choice([1, 1, 2, 3, 5, 8])))
    if media_of(kind).kind == "HLS" and rng.random() < 0.75:  # a lost playlist hides all other faults
        hit = [piece for piece in hit if piece.place != "playlist"]
    return Plan(seed, kind, {piece: _trouble(rng, piece, kind) for piece in hit}, rng.random() < 0.5)


def _trouble(rng: Random, piece: Piece, kind: str) -> Trouble:
    choice = rng.random()
    if kind == "film in ranges":
        return _trouble_of_ranges(rng, piece)
    if choice < 0.15:
        return Trouble((HARMLESS[rng.choice([*HARMLESS])](rng, piece.size),))
    if choice < 0.5:
        return Trouble(_passing(rng, piece))
    ways = {**PASSING, **LASTING, **(OF_RANGES if piece.span else {})}
    make, cause = ways[rng.choice([*ways])]
    before = _passing(rng, piece)[:1] if rng.random() < 0.3 else ()
    return Trouble((*before, make(rng, piece.size)), cause, heals=rng.random() < 0.7)


def _passing(rng: Random, piece: Piece) -> tuple[Fault, ...]:
    if rng.random() < 0.15:  # those that have two tries in all; a segment's need not be the same URL
        refusals = (401, 403, 410) if piece.place in ("playlist", "film", "picture") else ()
        return (faults.status(rng.choice((404, *refusals))),)
    times = rng.randint(1, TRIES_AFTER_WHICH_NOTHING_IS_LOST)
    makers = [make for make, _ in PASSING.values()] + [_rest]
    return tuple(rng.choice(makers)(rng, piece.size) for _ in range(times))


def _trouble_of_ranges(rng: Random, film: Piece) -> Trouble:
    """A film that is fetched in ranges may be gone on with in one stream, so what concerns ranges alone is no loss."""
    choice = rng.random()
    if choice < 0.1:  # of the right length; it has no place beside a byte of the one that is served from then on
        other = film.plain[:-1000] + bytes(1000)
        return Trouble((Fault(faults.changed_etag(other).answer, "another version"),) * rng.randint(1, 3))
    if choice < 0.3:
        return Trouble((OF_RANGES[rng.choice([*OF_RANGES])][0](rng, film.size),) * 99)
    if choice < 0.7:
        return Trouble(_passing(rng, film))
    ways = {**PASSING, **LASTING}
    make, cause = ways[rng.choice([*ways])]
    return Trouble((make(rng, film.size),), cause, heals=rng.random() < 0.7)


def _ending(media: Media, lost: Mapping[Piece, str]) -> Ending:
    """By the documented rules: what is lost, why, and the share of it."""
    playlists = [piece for piece in lost if piece.place == "playlist"]
    for piece in sorted(playlists, key=lambda piece: piece.path != media.url):
        if piece.is_main:  # what it would have listed is not known
            return Ending(
                "FAILED", 0.0, {(piece.path, "M3U8", None): frozenset({lost[piece]})}, frozenset(media.segments)
            )
    hidden = {piece.track for piece in playlists}
    listed = [piece for piece in media.segments if piece.track not in hidden]
    missing = frozenset(piece for piece in listed if not piece.all_needed.isdisjoint(lost))
    rows = {(piece.path, "M3U8", None): frozenset({lost[piece]}) for piece in playlists} | {
        (piece.path, _TYPES.get(piece.place, "TS"), piece.index): frozenset(
            lost[each] for each in piece.all_needed if each in lost
        )
        for piece in missing
    }
    count, of = len(missing) + len(hidden), len(listed) + len(hidden)
    status = "COMPLETED" if not count else "PARTIAL_COMPLETED" if count <= 0.3 * of else "FAILED"
    unlisted = (piece for piece in media.segments if piece.track in hidden)
    return Ending(status, (of - count) / of, rows, missing.union(unlisted))


_TYPES = {"film": "MP4", "picture": "IMAGE"}
