"""A database of the documented service becomes one of ours, with its rows."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime
from uuid import uuid4

import pytest
from sqlalchemy import inspect, text

from domain.errors import DatabaseError
from domain.models import DownloadedVideo, DownloadFailure, DownloadTask
from domain.values import FailureStatus, FailureType, ResourceType, TaskStatus, VideoStatus
from persistence import adoption
from persistence.migrate import migrate
from persistence.unit_of_work import uow_factory
from tests.builders import schema_differences
from tests.documented import Documented

USER = uuid4()
LONG = "https://media.example/" + "a" * 1_900


@pytest.fixture(params=[False, True], ids=["ids", "text-ids"])
def documented(request: pytest.FixtureRequest, empty_database_url: str) -> Iterator[Documented]:
    with Documented(empty_database_url, ids_are_text=request.param) as documented:
        yield documented


def at(hour: int, minute: int = 0, second: int = 0, microsecond: int = 0) -> datetime:
    return datetime(2025, 6, 14, hour, minute, second, microsecond, UTC)


def test_rows_are_carried_over_and_their_times_are_utc(documented: Documented) -> None:
    old = documented.task(USER, liveroom_title="直播间", completed_at="2025-06-14 11:00:00")
    old_failure = documented.failure(old, next_retry_time="2025-06-14 12:00:00")
    old_video = documented.video(old)
    migrate(documented.engine)
    with uow_factory(documented.engine)() as uow, uow.reading():
        task = uow.tasks.get(USER, old["id"])
        failure = uow.failures.get(USER, old_failure["id"])
        video = uow.videos.get(USER, old["video_id"])
    assert vars_of(task) == vars_of(
        DownloadTask(
            id=old["id"],
            user_id=USER,
            video_id=old["video_id"],
            liveroom_id="room-10001",
            liveroom_title="直播间",
            resource_url="https://media.example/live/index.m3u8?token=secret",
            resource_type=ResourceType.HLS,
            status=TaskStatus.COMPLETED,
            progress=1.0,
            retry_count=1,
            max_retries=5,
            priority=70,
            created_at=at(10, microsecond=123456),
            updated_at=at(11),
            completed_at=at(11),
        )
    )
    assert failure is not None
    assert (failure.failure_type, failure.status) == (FailureType.NETWORK_ERROR, FailureStatus.PENDING)
    assert (failure.retry_count, failure.segment_index, failure.piece_key) == (2, 7, failure.expected_path)
    assert (failure.next_retry_time, failure.created_at) == (at(12), at(10, 30))
    assert video is not None
    assert (video.id, video.status, video.file_size) == (old_video["id"], VideoStatus.COMPLETED, 3_000_000_000)
    assert (video.duration, video.download_start_time, video.download_end_time) == (12.345, None, at(10, 59, 59))


def vars_of(row: DownloadTask | DownloadFailure | DownloadedVideo | None) -> dict[str, object]:
    return {name: value for name, value in vars(row).items() if not name.startswith("_")}


def test_the_tables_are_those_of_a_new_database(documented: Documented) -> None:
    """Long URLs fit, and nothing of the former tables is left."""
    old = documented.task(USER)
    migrate(documented.engine)
    assert schema_differences(documented.engine) == []
    with documented.engine.begin() as connection:
        assert {"download_tasks", "alembic_version"} <= set(inspect(connection).get_table_names())
        assert not [name for name in inspect(connection).get_table_names() if name.startswith("former_")]
        connection.execute(text("UPDATE download_tasks SET resource_url = :url"), {"url": LONG})
    with uow_factory(documented.engine)() as uow, uow.reading():
        task = uow.tasks.get(USER, old["id"])
    assert task is not None
    assert task.resource_url == LONG


def test_migrating_again_changes_nothing(documented: Documented) -> None:
    documented.task(USER)
    migrate(documented.engine)
    before = documented.dump()
    migrate(documented.engine)
    assert documented.dump() == before


@pytest.mark.parametrize(("nobodys", "told"), [(1, "1 row"), (3, "3 rows")])
def test_tasks_without_a_user_are_refused_untouched(documented: Documented, nobodys: int, told: str) -> None:
    documented.video(documented.task(USER))
    for _ in range(nobodys):
        documented.failure(documented.task(None))
    before = documented.dump()
    with pytest.raises(DatabaseError) as caught:
        migrate(documented.engine)
    message = f"download_tasks has {told} without a user_id: every task needs the id (a UUID) of its user."
    assert str(caught.value) == f"{message} Nothing was changed."
    assert documented.dump() == before


def test_a_database_without_rows(documented: Documented) -> None:
    migrate(documented.engine)
    assert documented.dump()["download_tasks"] == []


def test_a_running_task_waits_for_a_run(documented: Documented) -> None:
    running = documented.task(USER, status="processing", progress=0.5)
    at_rest = documented.task(USER, status="failed")
    asked = documented.failure(running, status="retrying")
    forgotten = documented.failure(at_rest, status="retrying")
    migrate(documented.engine)
    with uow_factory(documented.engine)() as uow, uow.reading():
        task = uow.tasks.get(USER, running["id"])
        failures = [uow.failures.get(USER, failure["id"]) for failure in (asked, forgotten)]
    assert task is not None
    assert (task.status, task.queued_at, task.admitted_at, task.started_at) == (
        TaskStatus.PROCESSING,
        at(11),
        None,
        None,
    )
    assert [failure and failure.status for failure in failures] == [FailureStatus.RETRYING, FailureStatus.PENDING]


def test_a_folder_belongs_to_the_oldest_of_its_tasks(documented: Documented) -> None:
    """Deleting the other one must not take its files."""
    shared = uuid4()
    first = documented.task(USER, video_id=shared, created_at="2025-06-13 10:00:00")
    second = documented.task(USER, video_id=shared)
    documented.video(second)
    lost = documented.failure(second)
    migrate(documented.engine)
    with uow_factory(documented.engine)() as uow, uow.reading():
        tasks = uow.tasks.get_many(USER, [first["id"], second["id"]])
        video = uow.videos.of_task(second["id"])
        failure = uow.failures.get(USER, lost["id"])
    assert tasks[first["id"]].video_id == shared
    assert tasks[second["id"]].video_id != shared
    assert video is not None
    assert video.video_id == tasks[second["id"]].video_id
    assert failure is not None
    assert failure.piece_key is None


def test_a_folder_is_parted_however_its_name_is_spelled(documented: Documented) -> None:
    """Two users would find each other's files in it, and remove them."""
    shared = uuid4()
    documented.task(USER, video_id=shared, created_at="2025-06-13 10:00:00")
    second = documented.task(uuid4(), video_id=uuid4())
    with documented.engine.begin() as connection:
        spelled = {"other": str(shared).upper(), "former": str(second["video_id"])}
        changed = connection.execute(
            text("UPDATE download_tasks SET video_id = :other WHERE CAST(video_id AS TEXT) = :former"), spelled
        )
    if not changed.rowcount:
        pytest.skip("its ids are no text with dashes")
    migrate(documented.engine)
    with uow_factory(documented.engine)() as uow, uow.reading():
        tasks = uow.tasks.get_many(second["user_id"], [second["id"]])
    assert tasks[second["id"]].video_id != shared


def test_a_cover_is_carried_over_where_it_is_its_own_tasks(documented: Documented) -> None:
    """It becomes a link: one to a folder that was shared would show another user's picture."""
    shared, stranger = uuid4(), uuid4()
    cover = f"video_{shared}/image/cover_{shared}_fetch_20250613T100000.jpg"
    first = documented.task(USER, video_id=shared, created_at="2025-06-13 10:00:00")
    second = documented.task(stranger, video_id=shared)
    third = documented.task(stranger)
    documented.video(first, cover_path=cover)
    documented.video(second, cover_path=cover)
    documented.video(third, video_id=shared, cover_path=cover)
    migrate(documented.engine)
    with uow_factory(documented.engine)() as uow, uow.reading():
        tasks = uow.tasks.get_many(stranger, [second["id"], third["id"]])
        videos = [uow.videos.of_task(task["id"]) for task in (first, second, third)]
    assert [video and video.cover_path for video in videos] == [cover, None, None]
    folders = [shared, tasks[second["id"]].video_id, third["video_id"]]
    assert [video and video.video_id for video in videos] == folders


def test_a_failure_of_no_task_is_refused_untouched(documented: Documented) -> None:
    if documented.engine.dialect.name == "postgresql":
        pytest.skip("its foreign keys cannot be turned off")
    documented.failure(documented.task(USER))
    with sqlite3.connect(str(documented.engine.url.database)) as connection:  # it does not check them
        connection.execute("UPDATE download_failures SET task_id = ?", (uuid4().hex,))
    connection.close()
    before = documented.dump()
    with pytest.raises(DatabaseError, match="A row of download_failures cannot be taken over: FOREIGN KEY"):
        migrate(documented.engine)
    assert documented.dump() == before


def test_a_value_that_breaks_a_rule_is_refused_untouched(documented: Documented) -> None:
    documented.video(documented.task(USER), status="lost")
    before = documented.dump()
    with pytest.raises(DatabaseError, match=r"A row of downloaded_videos cannot be taken over: .*check_video_status"):
        migrate(documented.engine)
    assert documented.dump() == before


def test_a_value_beyond_all_measure_is_refused_untouched(documented: Documented) -> None:
    documented.task(USER)
    if documented.engine.dialect.name == "postgresql":
        pytest.skip("its column takes no such value")
    with documented.engine.begin() as connection:
        connection.execute(text("UPDATE download_tasks SET priority = 9e999"))
    before = documented.dump()
    with pytest.raises(DatabaseError, match=r"A value of download_tasks\.priority cannot be taken over"):
        migrate(documented.engine)
    assert documented.dump() == before


def test_a_user_id_that_is_no_uuid_is_none(documented: Documented) -> None:
    if documented.engine.dialect.name == "postgresql":
        with documented.engine.begin() as connection:
            connection.execute(text("ALTER TABLE download_tasks ALTER user_id TYPE text"))
    documented.task(USER)
    with documented.engine.begin() as connection:
        connection.execute(text("UPDATE download_tasks SET user_id = '42'"))
    with pytest.raises(DatabaseError, match="1 row without a user_id"):
        migrate(documented.engine)


def test_former_tables_with_further_columns_stay(documented: Documented) -> None:
    """Their rows are carried over; what we do not know is not ours to drop."""
    with documented.engine.begin() as connection:
        connection.execute(text("ALTER TABLE download_tasks ADD COLUMN operator_note TEXT"))
    documented.task(USER, operator_note="call back")
    migrate(documented.engine)
    after = documented.dump()
    assert len(after["download_tasks"]) == 1
    assert [row.operator_note for row in after["former_download_tasks"]] == ["call back"]


def test_its_own_alembic_does_not_stand_in_the_way(documented: Documented) -> None:
    documented.task(USER)
    with documented.engine.begin() as connection:
        connection.execute(text("CREATE TABLE alembic_version (version_num VARCHAR(32) PRIMARY KEY)"))
        connection.execute(text("INSERT INTO alembic_version VALUES ('a1b2c3d4e5f6')"))
    migrate(documented.engine)
    assert len(documented.dump()["download_tasks"]) == 1


def test_more_rows_than_are_read_at_once(documented: Documented, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(adoption, "ROWS_AT_ONCE", 100)
    documented.task(USER)
    ids = "hex(randomblob(16))" if documented.engine.dialect.name == "sqlite" else "gen_random_uuid()"
    columns = "user_id, liveroom_id, resource_url, resource_type, status, created_at"
    doubled = f"INSERT INTO download_tasks (id, video_id, {columns}) SELECT {ids}, {ids}, {columns}"
    with documented.engine.begin() as connection:
        for _ in range(8):
            connection.execute(text(f"{doubled} FROM download_tasks"))
    migrate(documented.engine)
    with uow_factory(documented.engine)() as uow, uow.reading():
        assert uow.tasks.counts_by_status(USER) == {TaskStatus.COMPLETED: 2**8}
