"""Runs seeds of the fault matrix side by side, each over an origin of its own and all through one service."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from tests.e2e.fault_media import Piece
from tests.e2e.fault_plan import Plan
from tests.e2e.service import AT_REST, Service, User, wait_until
from tests.origin import Origin
from tests.origin_faults import Exchange, Fault

SETTINGS = {
    "AUTO_RETRY": "false",
    "MAX_CONCURRENT_TASKS": "200",
    "MAX_CONCURRENT_TASKS_PER_USER": "200",
    "MAX_FILE_BYTES": str(16 * 1024 * 1024),  # what is endless ends soon
    "MAX_PLAYLIST_BYTES": str(256 * 1024),
    "REQUEST_TIMEOUT_SECONDS": "2",
}

LONGEST = 500  # seconds for all, on a machine that is busy with other things too


@dataclass
class Answer:
    """What the origin did with one request for a piece; times of `time.monotonic()`, ``ended`` None while it runs."""

    fault: Fault | None
    began: float
    range: str | None
    ended: float | None = None
    sent: int = 0


@dataclass
class FaultyOrigin:
    """Serves one plan. Faults are those of a piece, not of a path: byte ranges of one file fail apart."""

    plan: Plan
    origin: Origin
    answers: dict[Piece, list[Answer]] = field(default_factory=dict)

    def serve(self) -> str:
        """The URL of the task."""
        media = self.plan.media
        self.origin.put_all(media.files)
        self._turns = {piece: trouble.turns for piece, trouble in self.plan.troubles.items()}
        by_path = {piece.path: [each for each in media.pieces if each.path == piece.path] for piece in media.pieces}
        for path, pieces in by_path.items():
            self.origin.fail(path, Fault(partial(self._answer, pieces), path))
        return self.origin.url(media.url)

    def heal(self) -> None:
        """What the plan says heals."""
        for piece, trouble in self.plan.troubles.items():
            if trouble.heals and trouble.cause:
                del self._turns[piece]

    async def _answer(self, pieces: list[Piece], exchange: Exchange) -> None:
        asked = exchange.request.headers.get("range")
        piece = next((piece for piece in pieces if piece.span in (None, asked)), pieces[0])
        answers = self.answers.setdefault(piece, [])
        # A redirect that leads back here is the same request still.
        fault = answers[-1].fault if "hop=" in exchange.request.query else next(self._turns.get(piece, iter(())), None)
        answer = Answer(fault, time.monotonic(), asked)
        answers.append(answer)
        try:
            await (fault.answer(exchange) if fault else exchange.send(exchange.reply()))
            answer.ended = time.monotonic()
        finally:
            answer.sent = exchange.sent


@dataclass(frozen=True)
class Outcome:
    """A task at rest, as its user and its operator see it."""

    task: Any = field(repr=False)
    files: Mapping[str, bytes] = field(repr=False)  # without the folder of the task
    answers: Mapping[Piece, tuple[Answer, ...]] = field(repr=False)


@dataclass
class Story:
    """One seed: its run, and the one after its origin has healed, if there was something to retry."""

    plan: Plan
    served: FaultyOrigin
    task_id: str
    first: Outcome | None = None
    second: Outcome | None = None


def run(plans: Iterable[Plan], folder: Path) -> Iterator[Story]:
    """Every plan, at rest for good."""
    with ExitStack() as stack:
        origins = [FaultyOrigin(plan, stack.enter_context(Origin(rate=plan.media.rate))) for plan in plans]
        allowed = ",".join(each.origin.host_port for each in origins)
        service = stack.enter_context(Service(folder, EGRESS_ALLOW=allowed, **SETTINGS))
        user = service.user()
        stories = [_begin(user, origin) for origin in origins]
        _wait(user, stories)
        for story in stories:
            story.first = _outcome(user, story)
            story.served.heal()
            _retry(user, story)
        _wait(user, stories)
        for story in stories:
            story.second = _outcome(user, story)
            yield story
        assert service.terminate() == 0
        assert '"log.level":"error"' not in service.log.read_text()


def _begin(user: User, origin: FaultyOrigin) -> Story:
    task = user.create(origin.serve(), origin.plan.media.kind)
    return Story(origin.plan, origin, task["id"])


def _retry(user: User, story: Story) -> None:
    assert story.first is not None
    if story.plan.piece_by_piece:
        for failure in story.first.task["failures"]["nodes"]:
            assert user.errors("retryFailure", id=failure["id"]) == []
    elif story.first.task["status"] != "COMPLETED":
        assert user.move("retryTask", story.task_id)["userErrors"] == []


def _wait(user: User, stories: list[Story]) -> None:
    """One query for all."""
    left: Any = None

    def at_rest() -> bool:
        nonlocal left
        nodes = user.execute("{ tasks(first: 100) { nodes { id status } } }")["tasks"]["nodes"]
        assert len(nodes) == len(stories)
        left = [node["id"] for node in nodes if node["status"] not in AT_REST]
        time.sleep(0.1)
        return not left

    wait_until(at_rest, lambda: f"{[story.plan for story in stories if story.task_id in left]}", timeout=LONGEST)


def _outcome(user: User, story: Story) -> Outcome:
    task = user.task(story.task_id)
    folder = f"video_{task['videoId']}"
    files = {name.removeprefix(f"{folder}/"): body for name, body in user.service.files(folder).items()}
    answers = {piece: tuple(answers) for piece, answers in story.served.answers.items()}
    return Outcome(task, files, answers)
