"""What was measured, as JSON and as a page."""

from __future__ import annotations

import json
import os
import platform
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from statistics import median

from bench.origin import NGINX, ROOT
from bench.process import Sample
from bench.rows import UNITS, Claim, Row, Samples

RESULTS = ROOT / "bench" / "results"
PAGE = ROOT / "docs" / "performance.md"
_MARKED = re.compile(r"(?s)(?<=<!-- written by make bench -->\n).*(?=<!-- end -->)")
_VERSION_ARGUMENT = {"nginx": "-v", "ffmpeg": "-version"}


def _versions() -> dict[str, str]:
    """The version of each program that takes part."""
    found = {"Python": platform.python_version()}
    for name in ("nginx", "curl", "aria2c", "yt-dlp", "ffmpeg"):
        program = NGINX if name == "nginx" else shutil.which(name)
        if program:
            found[name] = _version(program, _VERSION_ARGUMENT.get(name, "--version"))
    return found


def _version(program: str, argument: str) -> str:
    told = subprocess.run([program, argument], capture_output=True, text=True, check=True)  # noqa: S603 -- as above
    match = re.search(r"\d+(\.\d+)+", told.stdout or told.stderr)
    return match[0] if match else "?"


@dataclass(frozen=True)
class Report:
    """Row → entry → samples, in the order of the runs."""

    runs: int
    samples: Mapping[Row, Mapping[str, list[Sample]]]
    left_out: list[str]
    load: tuple[float, float]  # average of a minute, before and after: what else the cores had to do is in the first
    measured_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    cores: int | None = field(default_factory=os.cpu_count)
    versions: dict[str, str] = field(default_factory=_versions)

    def write(self) -> None:
        """One file of results more, and the page's tables anew."""
        RESULTS.mkdir(exist_ok=True)
        results = json.dumps(self.as_dict(), indent=1)
        RESULTS.joinpath(f"{self.measured_at:%Y-%m-%dT%H%M}Z.json").write_text(f"{results}\n")
        PAGE.write_text(_MARKED.sub(lambda _: self.as_markdown(), PAGE.read_text()))

    def as_dict(self) -> dict[str, object]:
        return {
            "measured_at": self.measured_at.isoformat(timespec="seconds"),
            "cores": self.cores,
            "load": self.load,
            "versions": self.versions,
            "runs": self.runs,
            "left_out": self.left_out,
            "rows": [
                {
                    "name": row.name,
                    "title": row.title,
                    "claims": [
                        {"claim": str(claim), "at_most": claim.at_most, "figure": claim.figure(samples)}
                        for claim in row.claims
                    ],
                    "samples": {label: [asdict(sample) for sample in taken] for label, taken in samples.items()},
                }
                for row, samples in self.samples.items()
            ],
        }

    def as_markdown(self) -> str:
        return "\n".join(self._lines())

    def _lines(self) -> Iterator[str]:
        named = ", ".join(f"{tool} {version}" for tool, version in self.versions.items())
        yield f"\nMeasured on {self.measured_at:%d %B %Y}, {self.cores} cores, {self.runs} runs in turn: {named}."
        yield f"The load average was {self.load[0]:.1f} before and {self.load[1]:.1f} after."
        yield from (f"Left out: {text}." for text in self.left_out)
        yield from ("", "| workload | target | measured | |", "|---|---|---|---|")
        for row, samples in self.samples.items():
            yield from (f"| {row.title} | {claim} | {_verdict(claim, samples)} |" for claim in row.claims)
        yield from ("", "| workload | who | wall, s | CPU, s | peak RSS, MiB | tail, s |", "|---|---|---|---|---|---|")
        for row, samples in self.samples.items():
            for label, taken in samples.items():
                yield f"| {row.title} | {label} | {' | '.join(_median(taken, each) for each in (*UNITS, 'tail'))} |"
        yield ""


def _verdict(claim: Claim, samples: Samples) -> str:
    figure = claim.figure(samples)
    if figure is None:
        return "- | not measured"
    return f"{figure:.3g} | {'met' if figure <= claim.at_most else '**missed**'}"


def _median(taken: list[Sample], metric: str) -> str:
    values = [value for each in taken if (value := getattr(each, metric)) is not None]
    return f"{median(values):.3g}" if values else ""
