"""Whatever goes wrong on the way: the one right end, every stored byte right, every loss told, nothing fetched twice.

Each seed chooses a kind of media, the pieces that are hit, their faults, and whether these end: by themselves, before
the user retries, or never. ``-k 'seed[17]'`` repeats one; ``make test-long`` runs three hundred.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import Any

import pytest
from xxhash import xxh3_128

from tests.e2e.fault_media import Piece
from tests.e2e.fault_plan import Ending, Plan, plan_of
from tests.e2e.fault_world import Outcome, Story, run

SEEDS = range(300 if os.environ.get("TEST_LONG") else 40)
AT_A_TIME = 40
AGAIN = (
    1.75  # of a film's size: less was fetched than if it had begun anew; what is on its way is lost with a connection
)


pytestmark = pytest.mark.timeout(max(1_200, 30 * len(SEEDS)))  # for all at once


@pytest.fixture(scope="module")
def stories(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> dict[int, Story]:
    """Of the seeds that were asked for."""
    here = (
        item for item in request.session.items if isinstance(item, pytest.Function) and item.module is request.module
    )
    plans = [plan_of(int(str(item.callspec.params["seed"]))) for item in here]
    return {
        story.plan.seed: story for batch in _batches(plans) for story in run(batch, tmp_path_factory.mktemp("service"))
    }


def _batches(plans: list[Plan]) -> list[list[Plan]]:
    return [plans[start : start + AT_A_TIME] for start in range(0, len(plans), AT_A_TIME)]


@pytest.mark.parametrize("seed", SEEDS)
def test_seed(stories: Mapping[int, Story], seed: int) -> None:
    story = stories[seed]
    print(story.plan)  # noqa: T201 - shown when the seed fails
    check(story.plan, story.first, story.plan.first)
    check(story.plan, story.second, story.plan.after_healing)
    check_that_nothing_came_twice(story.plan, story.second)


def check(plan: Plan, outcome: Outcome | None, ending: Ending) -> None:
    """The state, the rows and the files are those that the plan leads to."""
    assert outcome is not None
    task = outcome.task
    assert (task["status"], task["progress"]) == (ending.status, pytest.approx(ending.progress))
    rows = {_row(failure): (failure["failureType"], failure["errorMessage"]) for failure in task["failures"]["nodes"]}
    assert rows.keys() == ending.rows.keys()
    assert len(rows) == task["failures"]["totalCount"]
    assert {row: told for row, told in rows.items() if told[0] not in ending.rows[row]} == {}
    assert {f["status"] for f in task["failures"]["nodes"]} <= {"PENDING"}
    assert (task["completedAt"] is None) == (task["status"] == "FAILED")
    check_files(plan, outcome, ending)


def _row(failure: Any) -> tuple[str, str, int | None]:
    path = "/" + failure["resourceUrl"].split("/", 3)[3]
    return path, failure["resourceType"], failure["segmentIndex"]


def check_files(plan: Plan, outcome: Outcome, ending: Ending) -> None:
    """All that is stored is what the origin has, and nothing is there that should not be."""
    files = {name: body for name, body in outcome.files.items() if plan.media.kind == "IMAGE" or "/cover_" not in name}
    stored = dict(_stored(files))
    wanted = {_place(piece): piece.plain for piece in plan.media.segments if piece not in ending.lost}
    assert [place for place, body in stored.items() if wanted.get(place) != body] == []
    assert stored.keys() == wanted.keys()
    sections = {piece.plain for piece in plan.media.pieces if piece.place == "map"}
    assert {body for name, body in outcome.files.items() if "/init_" in name} <= sections
    left = {name for name in outcome.files if name.startswith(".") or "/." in name}
    assert {name.rpartition(".mp4")[2] for name in left} <= ({".partial", ".partial.json"} if ending.lost else set())
    if outcome.task["video"] is not None:
        assert outcome.task["video"]["status"] == ending.status
        assert outcome.task["video"]["fileSize"] == _size(files)
        check_digests(files)
        check_playlists(files)


_MEDIA = re.compile(r"(?:hls/(\w+)/segment_(\d+)_.*|(mp4)/video_.*|(image)/cover_.*)")


def _stored(files: Mapping[str, bytes]) -> Any:
    for name, body in files.items():
        found = _MEDIA.fullmatch(name)
        if found:
            yield (found[3] or found[4] or found[1], int(found[2] or 0)), body


def _place(piece: Piece) -> tuple[str, int]:
    folder = {"film": "mp4", "picture": "image"}.get(piece.place) or piece.track or ""
    return folder, piece.index or 0


def _size(files: Mapping[str, bytes]) -> int:
    return sum(len(body) for name, body in files.items() if _MEDIA.fullmatch(name) or "/init_" in name)


def check_digests(files: Mapping[str, bytes]) -> None:
    told = {path: value for value, path in (line.split("  ") for line in files["digests.xxh128"].decode().splitlines())}
    there = {name: xxh3_128(body).hexdigest() for name, body in files.items() if _MEDIA.fullmatch(name)}
    there |= {name: xxh3_128(body).hexdigest() for name, body in files.items() if "/init_" in name}
    assert told == there


def check_playlists(files: Mapping[str, bytes]) -> None:
    """What the local playlists name is there, and what is not there is a gap."""
    for name, text in files.items():
        if re.fullmatch(r"hls/(\w+_local_\w+|ts|audio_\d|subtitles_\d)\.m3u8", name):
            for tags, uri in re.findall(r"^((?:#.*\n)*)([^#\n].*)\n", text.decode(), re.MULTILINE):
                assert ("#EXT-X-GAP\n" in tags) == (f"hls/{uri}" not in files), (name, uri)


def check_that_nothing_came_twice(plan: Plan, outcome: Outcome | None) -> None:
    """What has arrived is asked for no more. Playlists and keys are read again in each round of a run.

    Playlists are so once more where a piece is refused.
    """
    assert outcome is not None
    rounds = 2 + (len(plan.first.rows) if plan.piece_by_piece else 0)
    for piece, answers in outcome.answers.items():
        good = [answer.ended for answer in answers if answer.ended is not None and answer.fault is None]
        if piece.place in ("segment", "map", "picture"):
            assert [answer for answer in answers if good and answer.began > good[0]] == [], piece
        elif piece.place == "film":
            sent = sum(answer.sent for answer in answers if answer.fault is None)
            assert sent < AGAIN * piece.size
        else:
            assert len(good) <= rounds * (1 + (piece.place == "playlist")), piece
