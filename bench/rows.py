"""The workloads, who runs them, and what is claimed of the figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Literal

from bench.media import MIB, Media
from bench.origin import UNSHAPED, Shape
from bench.process import Sample
from bench.tools import ARIA2C, CONNECTIONS, CURL, FFMPEG, OURS, YT_DLP, FirstRequest, RunningService, Tool

FETCH = "main.py fetch"
START_UP = "start-up"  # the same with one segment: what a run costs whatever it fetches
SMALL, TINY = 64 * 1024, 1024
DELAY, RATE = 0.05, 8 * MIB
PEAK = 120  # MiB

Metric = Literal["wall", "cpu", "rss"]
UNITS: dict[Metric, str] = {"wall": "s", "cpu": "s", "rss": "MiB"}
Samples = Mapping[str, Sequence[Sample]]


@dataclass(frozen=True, slots=True)
class Entry:
    """Who fetches what."""

    label: str
    tool: Tool
    media: Media


@dataclass(frozen=True, slots=True)
class Claim:
    """A figure of ``label`` is at most this; or this many ``times`` another's, or this much ``above`` it."""

    metric: Metric
    label: str
    at_most: float
    times: str | None = None
    above: str | None = None

    def __str__(self) -> str:
        limit = f"{self.label}: {self.metric} ≤ {self.at_most:g}"
        if self.times:
            return f"{limit} x {self.times}"
        return f"{limit} {UNITS[self.metric]}" + (f" above {self.above}" if self.above else "")

    def figure(self, samples: Samples) -> float | None:
        """The median over the runs; None when somebody did not run."""
        own, other = self._values(samples, self.label), self._values(samples, self.times or self.above or self.label)
        if not own or not other:
            return None
        if self.times:
            return median(a / b for a, b in zip(own, other, strict=True))
        if self.above:
            return median(a - b for a, b in zip(own, other, strict=True))
        return median(own)

    def _values(self, samples: Samples, label: str) -> list[float]:
        return [value for each in samples.get(label, ()) if (value := getattr(each, self.metric)) is not None]


@dataclass(frozen=True, slots=True)
class Row:
    """One workload: its entries take turns at one origin."""

    name: str
    title: str
    entries: tuple[Entry, ...]
    claims: tuple[Claim, ...]
    shape: Shape = UNSHAPED


def rows(scale: int) -> list[Row]:
    """Every row, its amounts divided by ``scale``."""
    large, small = Media(600 // scale, MIB), Media(3000 // scale, SMALL)
    return [
        _large(large),
        _small(small),
        _slow(Media(600 // scale, SMALL)),
        _encrypted(large, Media(large.count, MIB, encrypted=True)),
        _file(Media(0, 1024 * MIB // scale)),
        _limited(Media(0, 256 * MIB // scale)),
        _memory(Media(100, TINY), Media(20_000 // scale, TINY)),
        Row(
            "first-request",
            "start-up to the first request",
            (Entry(FETCH, FirstRequest(), Media(1, SMALL)),),
            (Claim("wall", FETCH, 0.5),),
        ),
        Row(
            "service",
            f"{large.count} x 1 MiB by the running service",
            (Entry(FETCH, OURS, large), Entry("service", RunningService(), large)),
            (Claim("wall", "service", 1.2, times=FETCH),),
        ),
    ]


def _large(media: Media) -> Row:
    return Row(
        "1MiB",
        f"{media.count} x 1 MiB",
        tuple(Entry(*each, media) for each in ((FETCH, OURS), ("curl", CURL), ("aria2c", ARIA2C), ("yt-dlp", YT_DLP))),
        (
            Claim("wall", FETCH, 1.5, times="curl"),
            Claim("wall", FETCH, 1.0, times="aria2c"),
            Claim("wall", FETCH, 0.12, times="yt-dlp"),
            Claim("cpu", FETCH, 1.6, times="curl"),
            Claim("rss", FETCH, PEAK),
        ),
    )


def _small(media: Media) -> Row:
    return Row(
        "64KiB",
        f"{media.count} x 64 KiB",
        (
            *(Entry(*each, media) for each in ((FETCH, OURS), ("curl", CURL), ("aria2c", ARIA2C))),
            Entry(START_UP, OURS, Media(1, SMALL)),
        ),
        (
            Claim("wall", FETCH, 2.0, times="curl"),
            Claim("wall", FETCH, 1.0, times="aria2c"),
            Claim("cpu", FETCH, media.count * 0.001, above=START_UP),
        ),
    )


def _slow(media: Media) -> Row:
    return Row(
        "latency",
        f"{media.count} x 64 KiB, {DELAY * 1000:g} ms a response",
        (Entry(FETCH, OURS, media), Entry(START_UP, OURS, Media(1, SMALL))),
        (Claim("wall", FETCH, round(1.2 * DELAY * media.count / CONNECTIONS, 3), above=START_UP),),
        Shape(delay=DELAY),
    )


def _encrypted(plain: Media, encrypted: Media) -> Row:
    return Row(
        "AES",
        f"{encrypted.count} x 1 MiB, AES-128",
        (Entry(FETCH, OURS, encrypted), Entry("without AES", OURS, plain), Entry("ffmpeg", FFMPEG, encrypted)),
        (
            Claim("wall", FETCH, 0.35, times="ffmpeg"),
            Claim("cpu", FETCH, 1.3, times="without AES"),
        ),
    )


def _file(media: Media) -> Row:
    return Row(
        "MP4",
        f"MP4 of {media.size // MIB} MiB",
        (Entry(FETCH, OURS, media), Entry("curl", CURL, media)),
        (
            Claim("wall", FETCH, 1.15, times="curl"),
            Claim("cpu", FETCH, 1.2, times="curl"),
            Claim("rss", FETCH, PEAK),
        ),
    )


def _limited(media: Media) -> Row:
    return Row(
        "MP4-limited",
        f"MP4 of {media.size // MIB} MiB, {RATE // MIB} MiB/s a connection",
        (Entry(FETCH, OURS, media), Entry("aria2c", ARIA2C, media)),
        (Claim("wall", FETCH, 1.1, times="aria2c"),),
        Shape(rate=RATE),
    )


def _memory(few: Media, many: Media) -> Row:
    few_label = f"{few.count} segments"
    return Row(
        "memory",
        f"{many.count} segments of 1 KiB",
        (Entry(FETCH, OURS, many), Entry(few_label, OURS, few)),
        (
            Claim("rss", FETCH, PEAK),
            Claim("rss", FETCH, 30, above=few_label),
        ),
    )
