"""``python -m bench.cluster``: one API process, two workers, one PostgreSQL, all of them on this machine."""

from __future__ import annotations

import argparse
import os

from bench.cluster.lines import lines
from bench.cluster.report import Report
from tests.postgres import PostgresServer

TASKS, QUICK = 10_000, 1_000


def main() -> None:
    """About four minutes."""
    parser = argparse.ArgumentParser(prog="bench.cluster", description="Measure a cluster with a long queue.")
    parser.add_argument("--quick", action="store_true", help="a tenth of the tasks, to try the bench itself")
    options = parser.parse_args()
    before = os.getloadavg()[0]
    with PostgresServer() as postgres:
        measured = list(lines(postgres, QUICK if options.quick else TASKS))
    report = Report(measured, (before, os.getloadavg()[0]))
    print(report.as_markdown())
    if not options.quick:
        report.write()


if __name__ == "__main__":
    main()
