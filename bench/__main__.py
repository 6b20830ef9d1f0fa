"""``python -m bench``: every row, its tools in turn."""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.media import Media
from bench.origin import NGINX, ROOT, origin
from bench.process import Failed, Sample
from bench.report import Report
from bench.rows import Entry, Row, rows
from bench.tools import Job

MEMORY = Path("/dev/shm")  # noqa: S108 -- a folder of our own in it: no disk has a part in the figures
QUICK = 10


def main() -> None:
    names = [row.name for row in rows(1)]
    arguments = argparse.ArgumentParser(prog="bench", description="Measure main.py fetch beside other tools.")
    arguments.add_argument(
        "--rows", type=lambda text: text.split(","), default=names, help=f"some of {','.join(names)}"
    )
    arguments.add_argument("--runs", type=int, default=5)
    arguments.add_argument("--quick", action="store_true", help="a tenth of the amounts, to try the bench itself")
    options = arguments.parse_args()
    chosen = [row for row in rows(QUICK if options.quick else 1) if row.name in options.rows]

    skipped = [] if NGINX else ["nginx: a server in Python stood in for it"]
    with TemporaryDirectory(dir=MEMORY, prefix="bench-") as folder:
        samples = {row: measure(row, options.runs, Path(folder), skipped) for row in chosen}
    report = Report(options.runs, samples, skipped)
    print(report.as_markdown())
    if not options.quick and options.rows == names:
        report.write()


def measure(row: Row, runs: int, folder: Path, skipped: list[str]) -> dict[str, list[Sample]]:
    """Label → its samples. Every other run goes backwards, so that none always follows the same one."""
    entries = [entry for entry in row.entries if present(entry, skipped)]
    samples: dict[str, list[Sample]] = {entry.label: [] for entry in entries}
    served = folder / row.name
    served.mkdir()
    for media in {entry.media for entry in entries}:
        make(media, served)
    with origin(served, row.shape, folder) as address:
        for run in range(runs):
            for entry in entries[:: -1 if run % 2 else 1]:
                print(f"{row.title}: {entry.label}, run {run + 1}", file=sys.stderr)
                try:
                    samples[entry.label].append(once(entry, address, folder))
                except Failed as error:
                    skipped.append(f"{row.title}: {entry.label}: {error}")
                    entries.remove(entry)
                    del samples[entry.label]
    shutil.rmtree(served)
    return samples


def present(entry: Entry, skipped: list[str]) -> bool:
    missing = entry.tool.missing
    if missing and missing not in skipped:
        skipped.append(missing)
    return missing is None


def make(media: Media, root: Path) -> None:
    """In a process of its own: Linux lets children start from their parent's peak RSS."""
    described = map(str, (root, media.count, media.size, media.encrypted))
    subprocess.run([sys.executable, "-m", "bench.media", *described], cwd=ROOT, check=True)  # noqa: S603 -- our own


def once(entry: Entry, address: str, folder: Path) -> Sample:
    """Raises Failed."""
    with TemporaryDirectory(dir=folder) as out:
        return entry.tool.run(Job(entry.media, address, Path(out)))


if __name__ == "__main__":
    main()
