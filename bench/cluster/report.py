"""What was measured, as JSON and as a part of the page on performance."""

from __future__ import annotations

import json
import os
import platform
import re
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime

from bench.cluster.lines import Line
from bench.report import PAGE, RESULTS

_MARKED = re.compile(r"(?s)(?<=<!-- written by bench.cluster -->\n).*(?=<!-- end of bench.cluster -->)")


@dataclass(frozen=True)
class Report:
    """The lines, and what else the cores had to do: the load average of a minute, before and after."""

    lines: Sequence[Line]
    load: tuple[float, float]
    measured_at: datetime = field(default_factory=lambda: datetime.now(UTC))

    def write(self) -> None:
        """One file of results more, and the page's part anew."""
        results = {
            "measured_at": self.measured_at.isoformat(timespec="seconds"),
            "cores": os.cpu_count(),
            "load": self.load,
            "lines": [asdict(line) for line in self.lines],
        }
        path = RESULTS / f"cluster-{self.measured_at:%Y-%m-%dT%H%M}Z.json"
        path.write_text(f"{json.dumps(results, indent=1)}\n")
        PAGE.write_text(_MARKED.sub(lambda _: self.as_markdown(), PAGE.read_text()))

    def as_markdown(self) -> str:
        return "\n".join(self._rows())

    def _rows(self) -> Iterator[str]:
        yield f"\nMeasured on {self.measured_at:%d %B %Y}, {os.cpu_count()} cores, Python {platform.python_version()}."
        yield f"The load average was {self.load[0]:.1f} before and {self.load[1]:.1f} after."
        yield from ("", "| figure | target | measured | |", "|---|---|---|---|")
        for line in self.lines:
            yield f"| {line.name} | {_target(line)} | {line.figure:.3g} {line.unit} | {_verdict(line)} |"
        yield ""


def _target(line: Line) -> str:
    if line.at_most is not None:
        return f"≤ {line.at_most:g}"
    return f"≥ {line.at_least:g}" if line.at_least is not None else ""


def _verdict(line: Line) -> str:
    return {True: "met", False: "**missed**", None: ""}[line.is_met]
