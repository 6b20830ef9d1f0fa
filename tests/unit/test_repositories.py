from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from dataclasses import fields
from datetime import UTC, datetime, timedelta, timezone
from typing import Any, NamedTuple
from uuid import UUID, uuid4

import pytest
from sqlalchemy import Table, func, make_url, select
from sqlalchemy.exc import StatementError

from domain.errors import DatabaseError, DuplicateError
from domain.models import DownloadedVideo, DownloadFailure, DownloadTask
from domain.paging import PageRequest
from domain.ports import Hold, Measurement, Progress, Purge
from domain.queries import NEWEST_FIRST, FailureFilter, TaskFilter, VideoFilter
from domain.values import FailureStatus, FailureType, ResourceType, TaskStatus, VideoStatus
from persistence.engine import open_engine
from persistence.failure_repository import SqlFailureRepository
from persistence.tables import failures, purges, tasks, videos
from persistence.task_repository import SqlTaskRepository
from persistence.unit_of_work import SqlUnitOfWork, uow_factory
from persistence.video_repository import SqlVideoRepository
from tests.builders import NOW, a_failure, a_task, a_video, keep

ANY, ANYWHERE, ANYTHING = TaskFilter(), FailureFilter(), VideoFilter()
FIRST_PAGE = PageRequest()
SECOND = timedelta(seconds=1)


def rows(uow: SqlUnitOfWork, table: Table) -> int:
    with uow.reading():
        return uow._session.scalar(select(func.count()).select_from(table)) or 0


def found(uow: SqlUnitOfWork, task: DownloadTask) -> DownloadTask:
    with uow.reading():
        task_again = uow.tasks.find(task.id)
    assert task_again is not None
    return task_again


def state(entity: object) -> dict[str, Any]:
    return {name: value for name, value in vars(entity).items() if name != "_sa_instance_state"}


# --- rows and entities ---


@pytest.mark.parametrize(
    ("entity", "table"), [(DownloadTask, tasks), (DownloadFailure, failures), (DownloadedVideo, videos)]
)
def test_the_entity_is_the_row(entity: Any, table: Table) -> None:
    """But for the piece map, which only its own query reads."""
    assert {field.name for field in fields(entity)} == set(table.c.keys()) - {"pieces"}


def test_every_value_comes_back_as_it_was(uow: SqlUnitOfWork) -> None:
    task = a_task(
        liveroom_title="第一場",
        liveroom_url="https://live.example/1",
        resource_url="https://media.example/" + "x" * 1978,
        status=TaskStatus.PARTIAL_COMPLETED,
        paused=True,
        priority=0,
        max_retries=10,
        retry_count=9,
        max_height=720,
        sealed_headers=b"\x01\x00\xff",
        idempotency_key="key",
        idempotency_digest="digest",
        progress=0.7,
        bytes_downloaded=2**62,
        bytes_total=2**63 - 1,
        bytes_per_second=1.5e9,
        segments_downloaded=7,
        segments_total=10,
        is_live=True,
        finish_requested=True,
        last_error="3 of 10 pieces are missing: HTTP 404",
        run_number=4,
        queued_at=NOW,
        admitted_at=NOW + SECOND,
        started_at=NOW + 2 * SECOND,
        completed_at=NOW + 3 * SECOND,
    )
    failure = a_failure(task, retry_count=3, next_retry_time=NOW, status=FailureStatus.RETRYING)
    video = a_video(task, cover_path="c.jpg", download_start_time=NOW, download_end_time=NOW + SECOND)
    before = [state(row) for row in (task, failure, video)]
    keep(uow, task, failure, video)
    with uow.reading():
        again = (uow.tasks.find(task.id), *uow.failures.of_task(task.id), uow.videos.of_task(task.id))
    assert [state(row) for row in again] == before


def test_times_are_instants(uow: SqlUnitOfWork) -> None:
    shanghai = timezone(timedelta(hours=8))
    task = a_task(created_at=datetime(2025, 6, 14, 18, tzinfo=shanghai))
    keep(uow, task)
    assert found(uow, task).created_at == datetime(2025, 6, 14, 10, tzinfo=UTC)
    assert found(uow, task).created_at.tzinfo is UTC


@pytest.mark.parametrize(
    ("options", "environment"),
    [
        ("-c timezone=Asia/Shanghai", {}),
        ("--timezone=Asia/Shanghai", {"PGOPTIONS": "-c timezone=Asia/Tokyo"}),
        ("", {"PGTZ": "Asia/Shanghai"}),
    ],
)
def test_times_are_in_utc_whatever_the_url_and_the_environment_say(
    postgres_url: str, options: str, environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    url = make_url(postgres_url).update_query_dict({"options": options})
    engine = open_engine(url.render_as_string(hide_password=False), pool_size=1)
    task = a_task(created_at=NOW)
    with uow_factory(engine)() as uow:
        with uow:
            uow.tasks.add(task)
            uow.commit()
        with uow.reading():
            (again,) = uow.tasks.page(task.user_id, ANY, NEWEST_FIRST, FIRST_PAGE).items
    assert again.created_at == NOW
    assert again.created_at.tzinfo is UTC
    engine.dispose()


def test_a_naive_time_is_a_bug(uow: SqlUnitOfWork) -> None:
    with pytest.raises(DatabaseError) as caught:
        keep(uow, a_task(created_at=datetime(2025, 6, 14)))  # noqa: DTZ001 - that is the point
    assert isinstance(caught.value.__cause__, StatementError)
    assert rows(uow, tasks) == 0


@pytest.mark.parametrize(
    "wrong",
    [
        lambda task: a_task(user_id=task.user_id, status="done"),
        lambda task: a_task(user_id=task.user_id, resource_type="dash"),
        lambda task: a_task(user_id=task.user_id, progress=1.01),
        lambda task: a_task(user_id=task.user_id, progress=-0.01),
        lambda task: a_failure(task, retry_count=4),
        lambda task: a_failure(task, retry_count=-1),
        lambda task: a_failure(task, resource_type="hls"),
        lambda task: a_failure(task, failure_type="bug"),
        lambda task: a_failure(task, status="failed"),
        lambda task: a_failure(task, task_id=uuid4()),
        lambda task: a_video(task, video_type="ts"),
        lambda task: a_video(task, status="processing"),
    ],
)
def test_the_database_refuses_what_makes_no_sense(uow: SqlUnitOfWork, wrong: Callable[..., Any]) -> None:
    task = a_task()
    keep(uow, task)
    with pytest.raises(DatabaseError):
        keep(uow, wrong(task))
    assert (rows(uow, tasks), rows(uow, failures), rows(uow, videos)) == (1, 0, 0)


def test_failures_and_video_go_with_their_task(uow: SqlUnitOfWork) -> None:
    task, other = a_task(), a_task()
    keep(uow, task, a_failure(task), a_video(task), other, a_failure(other), a_video(other))
    with uow:
        mine = uow.tasks.get(task.user_id, task.id, for_update=True)
        assert mine is not None
        uow.tasks.delete(mine)
        uow.commit()
    assert mine.id == task.id
    assert (rows(uow, tasks), rows(uow, failures), rows(uow, videos)) == (1, 1, 1)


def test_a_task_has_one_video(uow: SqlUnitOfWork) -> None:
    task = a_task()
    keep(uow, task, a_video(task))
    with pytest.raises(DuplicateError):
        keep(uow, a_video(task))
    assert rows(uow, videos) == 1


def test_an_idempotency_key_is_the_users_own(uow: SqlUnitOfWork) -> None:
    user = uuid4()
    keep(uow, first := a_task(user_id=user, idempotency_key="k"), a_task(idempotency_key="k"))
    keep(uow, a_task(user_id=user), a_task(user_id=user))
    with pytest.raises(DuplicateError):
        keep(uow, a_task(user_id=user, idempotency_key="k"))
    assert rows(uow, tasks) == 4
    with uow.reading():
        mine = uow.tasks.find_idempotent(user, "k")
    assert mine is not None
    assert mine.id == first.id


def test_idempotency_keys_are_forgotten_by_age(uow: SqlUnitOfWork) -> None:
    old, new = a_task(idempotency_key="old", idempotency_digest="d"), a_task(idempotency_key="new")
    new.created_at = NOW + SECOND
    keep(uow, old, new)
    with uow:
        uow.tasks.forget_idempotency_keys(NOW + SECOND)
        uow.commit()
    assert (found(uow, old).idempotency_key, found(uow, old).idempotency_digest) == (None, None)
    assert found(uow, new).idempotency_key == "new"


# --- a user's rows ---

STRANGER = UUID(int=7)


class Mine(NamedTuple):
    """What a stranger must not see."""

    uow: SqlUnitOfWork
    task: DownloadTask
    failure: DownloadFailure


READS: dict[str, Callable[[Mine], object]] = {
    "tasks.get": lambda my: my.uow.tasks.get(STRANGER, my.task.id),
    "tasks.get, locked": lambda my: my.uow.tasks.get(STRANGER, my.task.id, for_update=True),
    "tasks.get_many": lambda my: my.uow.tasks.get_many(STRANGER, [my.task.id]),
    "tasks.find_idempotent": lambda my: my.uow.tasks.find_idempotent(STRANGER, "k"),
    "tasks.combinations": lambda my: my.uow.tasks.combinations(STRANGER, [my.task.resource_url]),
    "tasks.page": lambda my: my.uow.tasks.page(STRANGER, ANY, NEWEST_FIRST, FIRST_PAGE).items,
    "tasks.count": lambda my: my.uow.tasks.count(STRANGER, ANY),
    "tasks.counts_by_status": lambda my: my.uow.tasks.counts_by_status(STRANGER),
    "tasks.count_waiting": lambda my: my.uow.tasks.count_waiting(STRANGER),
    "tasks.bytes_stored": lambda my: my.uow.tasks.bytes_stored(STRANGER),
    "tasks.pieces": lambda my: my.uow.tasks.pieces(STRANGER, [my.task.id]),
    "failures.losses": lambda my: my.uow.failures.losses(STRANGER, [my.task.id])[my.task.id],
    "failures.get": lambda my: my.uow.failures.get(STRANGER, my.failure.id),
    "failures.get, locked": lambda my: my.uow.failures.get(STRANGER, my.failure.id, for_update=True),
    "failures.page": lambda my: my.uow.failures.page(STRANGER, ANYWHERE, NEWEST_FIRST, FIRST_PAGE).items,
    "failures.page of a task": lambda my: (
        my.uow.failures.page(STRANGER, ANYWHERE, NEWEST_FIRST, FIRST_PAGE, task_id=my.task.id).items
    ),
    "failures.count": lambda my: my.uow.failures.count(STRANGER, ANYWHERE),
    "failures.count of a task": lambda my: my.uow.failures.count(STRANGER, ANYWHERE, task_id=my.task.id),
    "failures.first_of_tasks": lambda my: my.uow.failures.first_of_tasks(
        STRANGER, [my.task.id], ANYWHERE, NEWEST_FIRST, 5
    )[my.task.id],
    "videos.get": lambda my: my.uow.videos.get(STRANGER, my.task.video_id),
    "videos.of_tasks": lambda my: my.uow.videos.of_tasks(STRANGER, [my.task.id]),
    "videos.page": lambda my: my.uow.videos.page(STRANGER, ANYTHING, NEWEST_FIRST, FIRST_PAGE).items,
    "videos.page of a task": lambda my: (
        my.uow.videos.page(STRANGER, ANYTHING, NEWEST_FIRST, FIRST_PAGE, task_id=my.task.id).items
    ),
    "videos.count": lambda my: my.uow.videos.count(STRANGER, ANYTHING),
    "videos.count of a task": lambda my: my.uow.videos.count(STRANGER, ANYTHING, task_id=my.task.id),
}


def test_every_read_of_a_user_is_known() -> None:
    repositories = {"tasks": SqlTaskRepository, "failures": SqlFailureRepository, "videos": SqlVideoRepository}
    of_users = {
        f"{room}.{name}"
        for room, repository in repositories.items()
        for name, method in vars(repository).items()
        if not name.startswith("_") and "user_id" in inspect.signature(method).parameters
    }
    assert of_users == {re.split(r",? ", name)[0] for name in READS}


@pytest.mark.parametrize("read", READS.values(), ids=READS)
def test_another_users_rows_never_appear(uow: SqlUnitOfWork, read: Callable[[Mine], object]) -> None:
    task = a_task(idempotency_key="k", status=TaskStatus.PROCESSING, bytes_downloaded=5)
    failure = a_failure(task)
    keep(uow, task, failure, a_video(task))
    with uow:  # not a read: some of them lock
        assert not read(Mine(uow, task, failure))


def test_the_users_own_rows_do(uow: SqlUnitOfWork) -> None:
    user = uuid4()
    one = a_task(user_id=user, bytes_downloaded=5, status=TaskStatus.PROCESSING)
    two = a_task(user_id=user, bytes_downloaded=7, created_at=NOW + SECOND)
    failure, video = a_failure(one), a_video(two)
    keep(uow, one, two, failure, video)
    with uow.reading():
        assert uow.tasks.get_many(user, [one.id, two.id, uuid4()]).keys() == {one.id, two.id}
        assert [task.id for task in uow.tasks.page(user, ANY, NEWEST_FIRST, FIRST_PAGE).items] == [two.id, one.id]
        assert uow.tasks.counts_by_status(user) == {TaskStatus.PROCESSING: 1, TaskStatus.PENDING: 1}
        assert uow.tasks.count_waiting(user) == 1
        assert uow.tasks.bytes_stored(user) == 12
        mine = uow.failures.get(user, failure.id)
        assert mine is not None
        assert (mine.id, uow.failures.count(user, ANYWHERE)) == (failure.id, 1)
        assert uow.failures.count(user, ANYWHERE, task_id=two.id) == 0
        mine_too = uow.videos.get(user, two.video_id)
        assert mine_too is not None
        assert (mine_too.id, uow.videos.count(user, ANYTHING)) == (video.id, 1)
        assert uow.videos.of_tasks(user, [one.id, two.id]).keys() == {two.id}


@pytest.mark.parametrize(
    ("where", "titles"),
    [
        (TaskFilter(), "abc"),
        (TaskFilter(status=(TaskStatus.FAILED,)), "b"),
        (TaskFilter(status=(TaskStatus.FAILED, TaskStatus.PENDING)), "abc"),
        (TaskFilter(status=()), ""),
        (TaskFilter(resource_type=(ResourceType.MP4, ResourceType.IMAGE)), "b"),
        (TaskFilter(liveroom_id="room-3"), "c"),
        (TaskFilter(created_after=NOW), "bc"),
        (TaskFilter(created_before=NOW + SECOND), "a"),
        (TaskFilter(created_after=NOW, created_before=NOW + 2 * SECOND), "b"),
        (TaskFilter(status=(TaskStatus.PENDING,), liveroom_id="room-1"), "a"),
    ],
)
def test_lists_of_tasks_are_narrowed(uow: SqlUnitOfWork, where: TaskFilter, titles: str) -> None:
    user = uuid4()
    keep(
        uow,
        a_task(user_id=user, liveroom_title="a"),
        a_task(
            user_id=user,
            liveroom_title="b",
            status=TaskStatus.FAILED,
            resource_type=ResourceType.MP4,
            liveroom_id="room-2",
            created_at=NOW + SECOND,
        ),
        a_task(user_id=user, liveroom_title="c", liveroom_id="room-3", created_at=NOW + 2 * SECOND),
    )
    with uow.reading():
        page = uow.tasks.page(user, where, NEWEST_FIRST, FIRST_PAGE)
        assert uow.tasks.count(user, where) == len(titles)
    assert "".join(sorted(str(task.liveroom_title) for task in page.items)) == titles


@pytest.mark.parametrize(
    ("search", "hits"),
    [
        ("GOLD", ["title"]),
        ("ÉTÉ", ["title"]),
        ("直播", ["title"]),
        ("room-9", ["room"]),
        ("cdn.example", ["url"]),
        ("100%", ["title"]),
        ("%", ["title"]),
        ("_", ["url"]),
        ("\\", []),
        ("/", ["room", "title", "url"]),
        ("", ["room", "title", "url"]),
        ("' OR 1=1 --", []),
        ("x" * 60_000, []),
    ],
)
def test_search_takes_every_character_as_itself(uow: SqlUnitOfWork, search: str, hits: list[str]) -> None:
    user = uuid4()
    tasks_by_name = {
        "title": a_task(user_id=user, liveroom_title="100% Gold été 直播"),
        "room": a_task(user_id=user, liveroom_id="Room-9"),
        "url": a_task(user_id=user, resource_url="https://CDN.example/a_b.m3u8"),
    }
    keep(uow, *tasks_by_name.values())
    with uow.reading():
        page = uow.tasks.page(user, TaskFilter(search=search), NEWEST_FIRST, FIRST_PAGE)
    ids = {task.id for task in page.items}
    assert sorted(name for name, task in tasks_by_name.items() if task.id in ids) == hits


def test_lists_of_failures_and_videos_are_narrowed(uow: SqlUnitOfWork) -> None:
    user = uuid4()
    one, two = a_task(user_id=user), a_task(user_id=user, resource_type=ResourceType.MP4, liveroom_id="room-2")
    lost = a_failure(one, failure_type=FailureType.TIMEOUT), a_failure(two, status=FailureStatus.ABANDONED)
    keep(uow, one, two, *lost, a_video(one, status=VideoStatus.FAILED), a_video(two))
    with uow.reading():
        failures_of, videos_of = uow.failures, uow.videos
        assert failures_of.count(user, FailureFilter(failure_type=(FailureType.TIMEOUT,))) == 1
        assert failures_of.count(user, FailureFilter(status=(FailureStatus.PENDING,)), task_id=two.id) == 0
        abandoned = FailureFilter(status=(FailureStatus.ABANDONED,))
        page = failures_of.page(user, abandoned, NEWEST_FIRST, FIRST_PAGE)
        assert [failure.id for failure in page.items] == [lost[1].id]
        assert videos_of.count(user, VideoFilter(video_type=(ResourceType.MP4,))) == 1
        assert videos_of.count(user, VideoFilter(status=(VideoStatus.FAILED,), liveroom_id="room-2")) == 0
        of_room = videos_of.page(user, VideoFilter(liveroom_id="room-2"), NEWEST_FIRST, FIRST_PAGE, task_id=two.id)
        assert [video.task_id for video in of_room.items] == [two.id]


# --- the fence ---


def a_running_task(**overrides: Any) -> DownloadTask:
    return a_task(**{"status": TaskStatus.PROCESSING, "admitted_at": NOW, "started_at": NOW} | overrides)


def test_a_claim_takes_up_a_run(uow: SqlUnitOfWork) -> None:
    task = a_task()
    task.start(NOW)
    keep(uow, task)
    with uow:
        claim = uow.tasks.claim(task.id, NOW + SECOND)
        uow.commit()
    assert claim is not None
    assert (claim.run_number, claim.task.run_number, claim.task.started_at) == (1, 1, NOW + SECOND)
    assert state(found(uow, task)) == state(claim.task)
    assert state(claim.task) == state(task) | {
        "run_number": 1,
        "started_at": NOW + SECOND,
        "admitted_at": NOW + SECOND,
        "updated_at": NOW + SECOND,
        "version": 2,
    }


def test_a_claim_tells_whether_its_task_has_failures(uow: SqlUnitOfWork) -> None:
    plain, losing = a_task(status=TaskStatus.PROCESSING), a_task(status=TaskStatus.PROCESSING)
    keep(uow, plain, losing, a_failure(losing))
    with uow:
        claims = [uow.tasks.claim(task.id, NOW) for task in (plain, losing)]
    assert [claim.has_failures for claim in claims if claim is not None] == [False, True]


@pytest.mark.parametrize("status", [status for status in TaskStatus if status is not TaskStatus.PROCESSING])
def test_only_a_started_task_is_claimed(uow: SqlUnitOfWork, status: TaskStatus) -> None:
    task = a_task(status=status)
    keep(uow, task)
    before = state(found(uow, task))
    with uow:
        assert uow.tasks.claim(task.id, NOW) is None
        assert uow.tasks.claim(uuid4(), NOW) is None
        uow.commit()
    assert state(found(uow, task)) == before


def test_progress_is_measured_and_never_falls(uow: SqlUnitOfWork) -> None:
    task = a_running_task(run_number=2)
    keep(uow, task)
    for progress in (Progress(500, 1000, 5, 10, is_live=True), Progress(400, None, 4, 10)):
        with uow:
            assert uow.tasks.record_progress([Measurement(task.id, 2, progress, 12.5, NOW + SECOND)]) == [Hold(False)]
            uow.commit()
    again = found(uow, task)
    assert again.progress == 0.5
    assert (again.bytes_downloaded, again.bytes_total, again.bytes_per_second) == (400, None, 12.5)
    assert (again.segments_downloaded, again.segments_total, again.is_live) == (4, 10, False)
    assert (again.updated_at, again.version) == (NOW + SECOND, 1)


@pytest.mark.parametrize(
    "lost",
    [
        {"run_number": 1},
        {"run_number": 3},
        {"status": TaskStatus.PENDING},
        {"status": TaskStatus.CANCELLED},
        {"started_at": None},
    ],
)
def test_a_run_that_lost_its_task_writes_nothing(uow: SqlUnitOfWork, lost: dict[str, Any]) -> None:
    task = a_running_task(**{"run_number": 2} | lost)
    keep(uow, task)
    before = state(found(uow, task))
    with uow:
        assert uow.tasks.record_progress([Measurement(task.id, 2, Progress(1, 2, 3, 4), 1.0, NOW + SECOND)]) == [None]
        assert uow.tasks.owned(task.id, 2) is None
        uow.commit()
    assert state(found(uow, task)) == before


def test_a_decision_that_a_claim_overtook_is_refused(uow: SqlUnitOfWork) -> None:
    task = a_task(status=TaskStatus.PROCESSING)
    keep(uow, task)
    decided = found(uow, task)
    decided.pause(NOW)
    with uow:
        uow.tasks.claim(task.id, NOW)
        uow.commit()
    with uow:
        uow._session.add(decided)
        with pytest.raises(DuplicateError, match="changed by someone else"):
            uow.commit()
    assert found(uow, task).status is TaskStatus.PROCESSING


def test_a_lock_shows_what_others_wrote(uow: SqlUnitOfWork) -> None:
    task = a_running_task(run_number=1)
    keep(uow, task)
    with uow:
        loaded = uow.tasks.find(task.id)
        uow.tasks.record_progress([Measurement(task.id, 1, Progress(9, 10), None, NOW)])
        assert loaded is not None
        assert loaded.bytes_downloaded == 0
        assert uow.tasks.owned(task.id, 1) is loaded
        assert loaded.bytes_downloaded == 9


def test_a_task_whose_job_is_gone_waits_again_at_its_place(uow: SqlUnitOfWork) -> None:
    task, at_rest = a_task(), a_task(status=TaskStatus.FAILED, admitted_at=NOW)
    task.start(NOW)
    keep(uow, task, at_rest)
    with uow:
        uow.tasks.claim(task.id, NOW + SECOND)
        assert uow.tasks.admitted() == [task.id]
        uow.tasks.return_to_queue([task.id, at_rest.id], NOW + SECOND)
        assert uow.tasks.admitted() == []
        uow.commit()
    again = found(uow, task)
    assert (again.status, again.queued_at, again.run_number) == (TaskStatus.PROCESSING, NOW, 1)
    assert (again.admitted_at, again.started_at, again.updated_at) == (None, None, NOW + SECOND)
    assert found(uow, at_rest).admitted_at == NOW


# --- news ---


def test_news_are_what_changed_since_and_what_is_named_of_one_moment(uow: SqlUnitOfWork) -> None:
    user_id = uuid4()
    old, new, newer = (a_task(user_id=user_id, updated_at=NOW + at * SECOND) for at in (-1, 0, 1))
    named, theirs = a_task(updated_at=NOW - 2 * SECOND), a_task(updated_at=NOW + SECOND)
    keep(uow, old, new, newer, named, theirs)
    with uow.reading():
        changed = uow.tasks.changed([user_id], NOW, [named.id, uuid4()], [old.id, theirs.id, uuid4()])
    assert {task.id for task in changed.tasks} == {new.id, newer.id, named.id}
    assert changed.versions == 2


@pytest.mark.parametrize("many", [0, 10_000])
def test_no_news_are_no_tasks(uow: SqlUnitOfWork, many: int) -> None:
    keep(uow, a_task())
    anybody = [uuid4() for _ in range(many)]
    with uow.reading():
        changed = uow.tasks.changed(anybody, NOW, (), anybody)
    assert (changed.tasks, changed.versions) == ([], 0)


# --- purges ---


def test_purges_last_until_they_are_removed(uow: SqlUnitOfWork) -> None:
    first, later, other = Purge("video_a/", NOW), Purge("video_a/", NOW + SECOND), Purge("video_b/", NOW)
    with uow:
        for purge in (first, later, other):
            uow.purges.add(purge)
        uow.commit()
    with uow:
        uow.purges.remove(first)  # it was asked for again meanwhile
        uow.purges.remove(other)
        uow.commit()
    with uow.reading():
        assert uow.purges.all() == [later]
    assert rows(uow, purges) == 1


# --- entities that are only shown ---


def test_what_lists_show_is_what_is_loaded(uow: SqlUnitOfWork) -> None:
    task = a_task(liveroom_title="第一場", status=TaskStatus.COMPLETED, started_at=NOW, completed_at=NOW)
    failure, video = a_failure(task), a_video(task)
    keep(uow, task, failure, video)
    mine = task.user_id
    with uow.reading():
        shown = [
            *uow.tasks.page(mine, ANY, NEWEST_FIRST, FIRST_PAGE).items,
            *uow.tasks.get_many(mine, [task.id]).values(),
            *uow.failures.page(mine, ANYWHERE, NEWEST_FIRST, FIRST_PAGE).items,
            *uow.failures.first_of_tasks(mine, [task.id], ANYWHERE, NEWEST_FIRST, 5)[task.id],
            *uow.videos.page(mine, ANYTHING, NEWEST_FIRST, FIRST_PAGE).items,
            *uow.videos.of_tasks(mine, [task.id]).values(),
        ]
        loaded = [uow.tasks.find(task.id), uow.failures.get(mine, failure.id), uow.videos.of_task(task.id)]
    assert [type(each) for each in shown] == [type(each) for each in loaded for _ in range(2)]
    assert [state(each) for each in shown] == [state(each) for each in loaded for _ in range(2)]


def test_what_lists_show_cannot_be_changed(uow: SqlUnitOfWork) -> None:
    task = a_task()
    keep(uow, task)
    with uow.reading():
        [shown] = uow.tasks.page(task.user_id, ANY, NEWEST_FIRST, FIRST_PAGE).items
    with pytest.raises(AttributeError):
        shown.paused = True
    assert state(shown) == state(found(uow, task))
