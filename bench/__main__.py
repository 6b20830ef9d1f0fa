"""``python -m bench``: every row, its tools in turn."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.media import MIB
from bench.origin import NGINX, ROOT, origin
from bench.process import Failed, Sample
from bench.report import Report
from bench.rows import Entry, Row, rows
from bench.tools import Job

MEMORY = Path("/dev/shm")  # noqa: S108 -- a folder of our own in it: no disk has a part in the figures
QUICK = 10


def main() -> None:
    names = [row.name for row in rows(1)]
    parser = argparse.ArgumentParser(prog="bench", description="Measure main.py fetch beside other tools.")
    parser.add_argument("--rows", type=lambda text: text.split(","), default=names, help=f"some of {','.join(names)}")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--quick", action="store_true", help="a tenth of the amounts, to try the bench itself")
    options = parser.parse_args()
    if unknown := set(options.rows) - set(names):
        parser.error(f"no such rows: {', '.join(sorted(unknown))}")

    load = os.getloadavg()[0]
    with TemporaryDirectory(dir=MEMORY, prefix="bench-") as folder:
        bench = Bench(options.runs, Path(folder))
        chosen = [row for row in rows(QUICK if options.quick else 1) if row.name in options.rows]
        samples = {row: bench.measure(row) for row in chosen}
    report = Report(options.runs, samples, bench.left_out, (load, os.getloadavg()[0]))
    print(report.as_markdown())
    if not options.quick and options.rows == names:  # what is kept is whole
        report.write()


@dataclass(frozen=True)
class Bench:
    """``left_out`` says, for people, who did not take part and why."""

    runs: int
    folder: Path
    left_out: list[str] = field(default_factory=lambda: [] if NGINX else ["nginx; a server in Python stood in for it"])

    def measure(self, row: Row) -> dict[str, list[Sample]]:
        """Label → its samples. Every other run goes backwards, so that none always follows the same one."""
        entries = [entry for entry in row.entries if self._is_here(entry)]
        samples: dict[str, list[Sample]] = {entry.label: [] for entry in entries}
        with self._served(entries) as served, origin(Path(served), row.shape, self.folder) as address:
            self._touch_memory(max(entry.media.total for entry in entries))
            for run in range(self.runs):
                for entry in entries[:: -1 if run % 2 else 1]:
                    print(f"{row.title}: {entry.label}, run {run + 1}", file=sys.stderr)
                    try:
                        samples[entry.label].append(self._once(entry, address))
                    except Failed as error:
                        print(error, file=sys.stderr)
                        self.left_out.append(f"{entry.label} for {row.title}, as it failed")
                        entries.remove(entry)
                        del samples[entry.label]
        return samples

    def _touch_memory(self, size: int) -> None:
        """In a virtual machine, memory that was never used costs whoever takes it first: 1 s for 600 MiB."""
        touched = self.folder / "touched"
        with touched.open("wb") as file:
            for _ in range(size // MIB):
                file.write(bytes(MIB))
        touched.unlink()

    def _is_here(self, entry: Entry) -> bool:
        program = entry.tool.missing
        if program and program not in self.left_out:
            self.left_out.append(program)
        return program is None

    def _served(self, entries: list[Entry]) -> TemporaryDirectory[str]:
        """The media, made in a process of its own: Linux lets children start from their parent's peak RSS."""
        served = TemporaryDirectory(dir=self.folder)
        for media in {entry.media for entry in entries}:
            described = map(str, (served.name, media.count, media.size, media.encrypted))
            subprocess.run([sys.executable, "-m", "bench.media", *described], cwd=ROOT, check=True)  # noqa: S603 -- ours
        return served

    def _once(self, entry: Entry, address: str) -> Sample:
        """Raises Failed."""
        with TemporaryDirectory(dir=self.folder) as out:
            return entry.tool.run(Job(entry.media, address, Path(out)))


if __name__ == "__main__":
    main()
