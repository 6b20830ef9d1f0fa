"""``python -m bench.graphql``: the servers in turn, then the service under loads of its own."""

from __future__ import annotations

import argparse
import os
import sys
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.graphql.data import TASKS, fill
from bench.graphql.lines import Line, lines
from bench.graphql.load import WRK, Sample, load
from bench.graphql.query import content
from bench.graphql.report import Report
from bench.graphql.servers import HANDWRITTEN, OURS, STOCK, Question, Running, postgraphile, running
from tests.postgres import PostgresServer

CONNECTIONS = 16


def main() -> None:
    """Needs wrk for the comparison, a Node for PostGraphile; what is absent is named."""
    parser = argparse.ArgumentParser(prog="bench.graphql", description="Measure the GraphQL service beside others.")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=6, help="of load, each time")
    parser.add_argument("--quick", action="store_true", help="fewer rows, one round: to try the bench itself")
    options = parser.parse_args()
    tasks, rounds, seconds = (1_000, 1, 5) if options.quick else (TASKS, options.rounds, options.seconds)

    before = os.getloadavg()[0]
    with (
        TemporaryDirectory(prefix="bench-") as folder,
        PostgresServer() as postgres,
        postgres.database(migrated=False) as url,
    ):
        fill(url, tasks)
        left_out, samples = compare(url, Path(folder), rounds, seconds)
        figures = measure(url, Path(folder))
    report = Report(tasks, rounds, samples, figures, left_out, (before, os.getloadavg()[0]))
    print(report.as_markdown())
    if not options.quick:
        report.write()


def compare(url: str, folder: Path, rounds: int, seconds: int) -> tuple[list[str], dict[str, list[Sample]]]:
    """Who did not take part, and label → samples. Every other round goes backwards."""
    if WRK is None:
        return ["the comparison, as there is no wrk"], {}
    servers, left_out = [OURS, STOCK, HANDWRITTEN], []
    try:
        servers.append(postgraphile(folder))
    except LookupError as error:
        left_out.append(str(error))
        print(error, file=sys.stderr)
    with ExitStack() as stack:
        asked = [
            (label, found, question)
            for server in servers
            for found in [stack.enter_context(running(server, url, folder))]
            for label, question in server.asked.items()
        ]
        check_answers(asked)
        samples: dict[str, list[Sample]] = {label: [] for label, _, _ in asked}
        for number in range(rounds):
            for label, server, question in asked[:: -1 if number % 2 else 1]:
                print(f"{label}, round {number + 1}", file=sys.stderr)
                samples[label].append(load(server, question, folder, connections=CONNECTIONS, seconds=seconds))
    return left_out, samples


def check_answers(asked: list[tuple[str, Running, Question]]) -> None:
    """All of them say the same, but for what only ours computes. Raises RuntimeError."""
    answers = {label: server.ask(question).json() for label, server, question in asked}
    for node in answers["ours, links too"]["data"]["tasks"]["nodes"]:
        del node["etaSeconds"], node["playbackUrl"]
    for label, answer in answers.items():
        if content(answer) != content(answers["ours"]):
            raise RuntimeError(f"{label} answers otherwise than we do")


def measure(url: str, folder: Path) -> list[Line]:
    """What one process of ours stands."""
    with running(OURS, url, folder) as server:
        return list(lines(server, url))


if __name__ == "__main__":
    main()
