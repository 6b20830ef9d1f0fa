"""Paths that callers record are words for people: none of them reaches a file."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests import media
from tests.e2e.service import Service, User
from tests.e2e.watch import Watch
from tests.origin import Origin

A_FAILURE = {
    "resourceUrl": "https://media.example/0.ts",
    "resourceType": "MP4",
    "failureType": "TIMEOUT",
    "errorMessage": "lost",
}
A_VIDEO = {"videoType": "MP4", "videoUrl": "https://media.example/film.mp4", "status": "COMPLETED"}
RECORDS = {"recordFailure": ("expectedPath", A_FAILURE), "recordVideo": ("storagePath", A_VIDEO)}


@pytest.fixture(scope="module")
def origin() -> Iterator[Origin]:
    with Origin() as running:
        running.put("/film.mp4", media.mp4())
        yield running


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory, origin: Origin) -> Iterator[Service]:
    folder = tmp_path_factory.mktemp("service")
    with Service(folder, EGRESS_ALLOW=origin.host_port, AUTO_RETRY="false") as running:
        yield running


@pytest.fixture(scope="module")
def user(service: Service) -> User:
    return service.user()


@pytest.fixture(scope="module")
def task(user: User, origin: Origin) -> Any:
    return user.create(origin.url("/film.mp4"), "MP4", autoStart=False)


@pytest.fixture(scope="module")
def others(user: User, origin: Origin) -> str:
    """The folder of another task of the same user, which is complete."""
    task = user.wait(user.create(origin.url("/film.mp4"), "MP4")["id"])
    return f"video_{task['videoId']}/"


def _canary(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    canary = folder / "canary"
    canary.write_bytes(b"alive")
    return canary


@pytest.mark.parametrize("mutation", RECORDS)
@pytest.mark.parametrize(
    "path",
    [
        "",
        "/",
        ".",
        "..",
        "canary",
        "../aside/canary",
        "../../aside/canary",
        "{root}/../aside/canary",
        "{root}/{own}canary",
        "/{own}canary",
        "./{own}canary",
        "{own}",
        "{own}/canary",
        "{own}.",
        "{own}./canary",
        "{own}sub//canary",
        "{own}canary/",
        "{own}..",
        "{own}../../aside/canary",
        "{own}../{others}canary",
        "{own}sub/../canary",
        "{own}..\\..\\aside\\canary",
        "{own}\\..\\canary",
        "{others}canary",
        "{others}mp4/canary",
        "{shouted}canary",
        "{shortened}x/canary",
        "{shortened}\\canary",
        "file://{root}/{own}canary",
        "{own}can\0ary",
        "{others}canary\0{own}a",
        "{own}canary\n",
        "{own}\x7fcanary",
        "{own}" + "x" * 256,
        pytest.param("{own}" + "x/" * 100_000 + "../canary", id="long"),
    ],
)
def test_a_path_outside_the_tasks_own_folder(user: User, task: Any, others: str, mutation: str, path: str) -> None:
    service, own = user.service, f"video_{task['videoId']}/"
    names = {"own": own, "others": others, "shouted": own.upper(), "shortened": own.removesuffix("/")}
    spelled = path.format(root=service.media(), **names)
    where = service.folder / "aside" if "aside" in path else service.media(others if "others" in path else own)
    canary = _canary(where / "mp4" if "mp4" in path else where)
    field, record = RECORDS[mutation]
    with service.unchanged(), Watch(canary) as watch:
        errors = user.errors(mutation, taskId=task["id"], input=record | {field: spelled})
        assert watch.untouched
    assert errors == [("INVALID", ["input", field])]
    assert canary.read_bytes() == b"alive"


def test_a_path_inside_it_is_kept_as_given_and_reaches_no_file(service: Service, user: User, origin: Origin) -> None:
    """The run that fetches the recorded piece again goes by the row: what lies at the path stays as it is."""
    origin.put("/other.mp4", media.mp4(3))
    task = user.create(origin.url("/other.mp4"), "MP4", autoStart=False)
    canary = _canary(service.media(f"video_{task['videoId']}", "aside"))
    path = f"video_{task['videoId']}/aside/canary"
    with Watch(canary) as watch:
        for mutation, (field, record) in RECORDS.items():
            assert user.errors(mutation, taskId=task["id"], input=record | {field: path}) == []
        kept = user.execute(
            "query($id: ID!) { task(id: $id) { failures { nodes { expectedPath } } video { storagePath } } }",
            id=task["id"],
        )["task"]
        assert kept == {"failures": {"nodes": [{"expectedPath": path}]}, "video": {"storagePath": path}}
        user.move("startTask", task["id"])
        done = user.wait(task["id"])
        assert (done["status"], done["video"]["status"]) == ("COMPLETED", "COMPLETED")
        assert service.media(done["video"]["storagePath"]).read_bytes() == media.mp4(3)
        assert watch.untouched
    assert canary.read_bytes() == b"alive"


def test_a_link_in_a_tasks_folder_is_not_followed(service: Service, user: User, origin: Origin) -> None:
    """Neither by a download that would write through it, nor by the removal of the folder."""
    task = user.create(origin.url("/film.mp4"), "MP4", autoStart=False)
    canary = _canary(service.folder / "behind-a-link")
    folder = service.media(f"video_{task['videoId']}")
    folder.mkdir(parents=True, exist_ok=True)
    folder.joinpath("mp4").symlink_to(canary.parent)
    with Watch(canary) as watch:
        user.move("startTask", task["id"])
        failed = user.wait(task["id"])
        assert (failed["status"], failed["failures"]["nodes"][0]["failureType"]) == ("FAILED", "STORAGE_ERROR")
        assert user.errors("deleteTask", id=task["id"]) == []
        user.watch(task["id"], lambda _: not folder.exists())
        assert watch.untouched
    assert canary.read_bytes() == b"alive"
