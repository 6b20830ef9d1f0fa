"""What was measured, as JSON and as a part of the page on performance."""

from __future__ import annotations

import json
import os
import platform
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from statistics import median

from bench.graphql.lines import Line
from bench.graphql.load import Sample
from bench.report import PAGE, RESULTS

TARGETS = {"Strawberry's router": 2.0, "FastAPI endpoint": 1.0, "PostGraphile": 0.5}
OURS = "ours"
_MARKED = re.compile(r"(?s)(?<=<!-- written by bench.graphql -->\n).*(?=<!-- end of bench.graphql -->)")


@dataclass(frozen=True)
class Report:
    """Label → samples in the order of the rounds; and the service's own lines."""

    tasks: int
    rounds: int
    samples: Mapping[str, Sequence[Sample]]
    lines: Sequence[Line]
    left_out: Sequence[str]
    load: tuple[float, float]  # average of a minute, before and after
    measured_at: datetime = field(default_factory=lambda: datetime.now(UTC))

    def write(self) -> None:
        """One file of results more, and the page's part anew."""
        results = json.dumps(self._as_dict(), indent=1)
        RESULTS.joinpath(f"graphql-{self.measured_at:%Y-%m-%dT%H%M}Z.json").write_text(f"{results}\n")
        PAGE.write_text(_MARKED.sub(lambda _: self.as_markdown(), PAGE.read_text()))

    def _as_dict(self) -> dict[str, object]:
        return {
            "measured_at": self.measured_at.isoformat(timespec="seconds"),
            "cores": os.cpu_count(),
            "load": self.load,
            "tasks": self.tasks,
            "rounds": self.rounds,
            "left_out": self.left_out,
            "ratios": {label: self._ratio(label) for label in TARGETS},
            "samples": {label: [asdict(each) for each in taken] for label, taken in self.samples.items()},
            "lines": [asdict(line) for line in self.lines],
        }

    def _ratio(self, label: str) -> float | None:
        """Our rate by theirs, of the same rounds."""
        own, other = self.samples.get(OURS), self.samples.get(label)
        if not own or not other:
            return None
        return median(a.rate / b.rate for a, b in zip(own, other, strict=True))

    def as_markdown(self) -> str:
        return "\n".join(self._rows())

    def _rows(self) -> Iterator[str]:
        yield f"\nMeasured on {self.measured_at:%d %B %Y}, {os.cpu_count()} cores, Python {platform.python_version()},"
        yield f"{self.tasks} tasks, {self.rounds} rounds in turn. The load average was {self.load[0]:.1f} before and"
        yield f"{self.load[1]:.1f} after."
        yield from (f"Left out: {text}." for text in self.left_out)
        yield from ("", "| target | measured | |", "|---|---|---|")
        for label, least in TARGETS.items():
            yield f"| requests/s ≥ {least:g} x {label} | {_verdict(self._ratio(label), least, at_most=False)} |"
        for line in self.lines:
            verdict = _verdict(line.figure, line.at_most, at_most=True)
            yield f"| {line.name} ≤ {line.at_most:g} {line.unit} | {verdict} |"
        yield from ("", "| server | requests/s | CPU, ms a request | p50, s | p99, s | peak RSS, MiB |")
        yield "|---|---|---|---|---|---|"
        for label, taken in self.samples.items():
            figures = (median(getattr(each, name) for each in taken) for name in ("rate", "cpu", "p50", "p99", "rss"))
            yield f"| {label} | {' | '.join(f'{figure:.3g}' for figure in figures)} |"
        yield ""


def _verdict(figure: float | None, target: float, *, at_most: bool) -> str:
    if figure is None:
        return "- | not measured"
    met = figure <= target if at_most else figure >= target
    return f"{figure:.3g} | {'met' if met else '**missed**'}"
