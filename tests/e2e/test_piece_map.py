"""What the piece map shows of a real download, from the first piece to the last repair."""

from __future__ import annotations

from typing import Any

from tests import media
from tests.e2e.service import Service, User
from tests.origin import Origin
from tests.origin_faults import status
from tests.renditions import with_renditions

MAP = "query($id: ID!) { task(id: $id) { status pieceMap { name total duration runs } } }"
FAILED = """query($id: ID!, $pieces: PieceRange!) { task(id: $id) { failuresWithin(pieces: $pieces) {
  nodes { segmentIndex track status } } } }"""
STRETCH = """mutation($id: ID!, $pieces: PieceRange!) {{
  {0}(taskId: $id, pieces: $pieces) {{ {1} userErrors {{ code }} }} }}"""


def piece_map(user: User, task_id: str) -> dict[str, str]:
    """The runs of each track."""
    task = user.execute(MAP, id=task_id)["task"]
    return {track["name"]: track["runs"] for track in task["pieceMap"]}


def watch(user: User, task_id: str, runs: dict[str, str]) -> None:
    """Return when the map is so."""
    user.watch(task_id, lambda _: piece_map(user, task_id) == runs)


def stretch(user: User, mutation: str, answer: str, task_id: str, **pieces: object) -> Any:
    return user.execute(STRETCH.format(mutation, answer), id=task_id, pieces=pieces)[mutation]


def test_a_stream_from_its_first_piece_to_its_last_repair(service: Service, origin: Origin) -> None:
    stream = media.many_segments(100)
    origin.put_all(stream.files, under="/s/")
    names = [name for name in stream.files if name.endswith(".ts")]
    for index in (10, 11, 12, 50, 51, 70):
        origin.fail(f"/s/{names[index]}", status(404))
    gates = [origin.hold(f"/s/{names[index]}") for index in (98, 99)]
    user, other = service.user(), service.user()
    task_id = user.create(origin.url(f"/s/{stream.media}"), autoStart=False)["id"]
    assert piece_map(user, task_id) == {}

    user.move("startTask", task_id)
    for gate in gates:
        gate.wait_until_held()
    watch(user, task_id, {"ts": "s10f3s37f2s18f1s27i2"})
    assert other.execute(MAP, id=task_id)["task"] is None

    user.move("pauseTask", task_id)
    watch(user, task_id, {"ts": "s10f3s37f2s18f1s27w2"})
    service.kill()
    service.start()
    assert piece_map(user, task_id) == {"ts": "s10f3s37f2s18f1s27w2"}

    for gate in gates:
        gate.release()
    user.move("resumeTask", task_id)
    assert user.wait(task_id)["status"] == "PARTIAL_COMPLETED"
    (track,) = user.execute(MAP, id=task_id)["task"]["pieceMap"]
    duration = track.pop("duration")
    assert track == {"name": "ts", "total": 100, "runs": "s10f3s37f2s18f1s29"}
    assert abs(duration - stream.duration) < 0.01

    found = user.execute(FAILED, id=task_id, pieces={"first": 11, "last": 50})["task"]["failuresWithin"]["nodes"]
    assert sorted((each["segmentIndex"], each["track"], each["status"]) for each in found) == [
        (11, "ts", "PENDING"),
        (12, "ts", "PENDING"),
        (50, "ts", "PENDING"),
    ]
    given_up = stretch(user, "abandonPieces", "abandonedCount", task_id, first=50, last=51)
    assert given_up == {"abandonedCount": 2, "userErrors": []}
    assert piece_map(user, task_id) == {"ts": "s10f3s37a2s18f1s29"}

    origin.heal()
    refused = stretch(other, "retryPieces", "retriedCount", task_id, first=0, last=99)
    assert refused == {"retriedCount": 0, "userErrors": [{"code": "NOT_FOUND"}]}
    retried = stretch(user, "retryPieces", "retriedCount", task_id, first=0, last=60)
    assert retried == {"retriedCount": 3, "userErrors": []}
    assert user.wait(task_id)["status"] == "PARTIAL_COMPLETED"
    assert piece_map(user, task_id) == {"ts": "s50a2s18f1s29"}


def test_every_track_a_film_and_a_picture(service: Service, origin: Origin) -> None:
    stream, user = with_renditions(), service.user()
    origin.put_all(stream.files)
    origin.put("/film.mp4", media.mp4())
    for path in ("/sound/1.aac", "/text/3.vtt", "/cover.png"):
        origin.fail(path, status(404))
    urls = {"HLS": stream.master, "MP4": "film.mp4", "IMAGE": "cover.png"}
    tasks = {kind: user.create(origin.url(f"/{name}"), kind)["id"] for kind, name in urls.items()}
    for task_id in tasks.values():
        user.wait(task_id)

    assert piece_map(user, tasks["HLS"]) == {"ts": "s4", "audio_0": "s1f1s2", "subtitles_0": "s3f1"}
    assert piece_map(user, tasks["MP4"]) == {"mp4": "s1"}
    assert piece_map(user, tasks["IMAGE"]) == {"image": "f1"}

    origin.heal("/sound/1.aac")
    retried = stretch(user, "retryPieces", "retriedCount", tasks["HLS"], track="audio_0", first=0, last=3)
    assert retried == {"retriedCount": 1, "userErrors": []}
    user.wait(tasks["HLS"])
    assert piece_map(user, tasks["HLS"]) == {"ts": "s4", "audio_0": "s4", "subtitles_0": "s3f1"}
    given_up = stretch(user, "abandonPieces", "abandonedCount", tasks["IMAGE"], track="image", first=0, last=0)
    assert given_up == {"abandonedCount": 1, "userErrors": []}
    assert piece_map(user, tasks["IMAGE"]) == {"image": "a1"}


def test_maps_of_many_tasks_cost_no_statement_each(service: Service) -> None:
    """They are read for a whole page at once; and a track that is none is no track."""
    user = service.user()
    for _ in range(3):
        user.create("https://media.example/film.mp4", "MP4", autoStart=False)
    nodes = user.execute("{ tasks { nodes { pieceMap { name runs } } } }")["tasks"]["nodes"]
    assert nodes == [{"pieceMap": [{"name": "mp4", "runs": "w1"}]}] * 3
    within = 'failuresWithin(pieces: {track: "../ts", first: 0, last: 1}) { totalCount }'
    error, *_ = user.post(f"{{ tasks {{ nodes {{ {within} }} }} }}").json()["errors"]
    assert error["extensions"]["code"] == "BAD_USER_INPUT"
