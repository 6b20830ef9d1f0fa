from __future__ import annotations

import posixpath
from datetime import UTC, datetime, timedelta, timezone
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.errors import OutsideTaskFolderError
from domain.paths import check_under, folder_of
from storage.keys import Names, names_for
from tests.builders import a_task

VIDEO = UUID("0b1c2d3e-4f50-4617-8899-aabbccddeeff")
ID = str(VIDEO)
NAMES = Names(VIDEO, datetime(2025, 6, 14, 10, 5, 9, 999999, tzinfo=UTC))
FOLDER = f"video_{ID}/"


def test_names_are_the_documented_ones() -> None:
    stamp = "20250614T100509"
    assert NAMES.folder == FOLDER
    assert NAMES.hls_folder == f"video_{ID}/hls"
    assert NAMES.playlist == f"video_{ID}/hls/playlist.m3u8"
    assert NAMES.master_playlist == f"video_{ID}/hls/master.m3u8"
    assert NAMES.local_playlist == f"video_{ID}/hls/video_{ID}_local_{stamp}.m3u8"
    assert NAMES.mapping == f"video_{ID}/hls/ts_mapping.json"
    assert NAMES.digests == f"video_{ID}/digests.xxh128"
    assert NAMES.mp4 == f"video_{ID}/mp4/video_{ID}_fetch_{stamp}.mp4"
    assert NAMES.segment(0, ".ts") == f"video_{ID}/hls/ts/segment_000000_{ID}_fetch_{stamp}.ts"
    assert NAMES.segment(199_999, ".m4s") == f"video_{ID}/hls/ts/segment_199999_{ID}_fetch_{stamp}.m4s"
    assert NAMES.segment(7, ".aac", "audio_1") == f"video_{ID}/hls/audio_1/segment_000007_{ID}_fetch_{stamp}.aac"
    assert NAMES.segment(7, ".vtt", "subtitles_0").startswith(f"video_{ID}/hls/subtitles_0/segment_000007_")
    assert NAMES.initialization(3) == f"video_{ID}/hls/init_003_{ID}_fetch_{stamp}.mp4"
    assert NAMES.initialization(0, "audio_1") == f"video_{ID}/hls/audio_1/init_000_{ID}_fetch_{stamp}.mp4"
    assert NAMES.image(".jpg") == f"video_{ID}/image/cover_{ID}_fetch_{stamp}.jpg"
    assert NAMES.image(".jpg").startswith(NAMES.image(""))


def test_the_stamp_is_utc_whatever_the_clock() -> None:
    shanghai = datetime(2025, 6, 14, 18, 5, 9, tzinfo=timezone(timedelta(hours=8)))
    assert Names(VIDEO, shanghai).mp4 == NAMES.mp4


def test_names_come_from_the_row() -> None:
    task = a_task(video_id=VIDEO, created_at=NAMES.created_at)
    assert names_for(task) == NAMES


def test_every_name_lies_under_the_tasks_folder() -> None:
    for key in (NAMES.playlist, NAMES.digests, NAMES.mp4, NAMES.segment(1, ".ts"), NAMES.image(".png")):
        check_under(key, NAMES.folder, "path")
        assert max(map(len, key.split("/"))) <= 255


# --- paths that callers give ---


@pytest.mark.parametrize(
    "path", ["hls", "hls/ts/a.ts", "a b/Ünïcode 直播.ts", "...", "..a", "a..", "x" * 255, "%2e%2e/a", "~"]
)
def test_paths_under_the_folder_pass(path: str) -> None:
    check_under(FOLDER + path, FOLDER, "expected_path")


@pytest.mark.parametrize(
    "path",
    [
        "",
        "/",
        FOLDER,
        FOLDER[:-1],
        "hls/a.ts",
        "/" + FOLDER + "a",
        "./" + FOLDER + "a",
        FOLDER + "../a",
        FOLDER + "hls/../../a",
        FOLDER + "hls/..",
        FOLDER + "./a",
        FOLDER + "hls/.",
        FOLDER + "/a",
        FOLDER + "hls//a",
        FOLDER + "hls/",
        FOLDER + "hls\\..\\..\\a",
        FOLDER + "a\0b",
        FOLDER + "a\nb",
        FOLDER + "a\udc80b",
        FOLDER + "x" * 256,
        FOLDER.upper() + "a",
        f"video_{UUID(int=1)}/a",
        FOLDER[:-1] + "0/a",
        "C:\\" + FOLDER + "a",
        "file:///" + FOLDER + "a",
    ],
)
def test_other_paths_are_refused(path: str) -> None:
    with pytest.raises(OutsideTaskFolderError) as caught:
        check_under(path, FOLDER, "expected_path")
    assert caught.value.field == ("expected_path",)
    assert caught.value.message == f"The path must lie under {FOLDER}."


@given(st.lists(st.sampled_from(["..", ".", "", "a", "\\", "/", "\0", FOLDER[:-1]]), max_size=6).map("/".join))
def test_what_passes_stays_inside_however_it_is_read(rest: str) -> None:
    path = FOLDER + rest
    try:
        check_under(path, FOLDER, "path")
    except OutsideTaskFolderError:
        return
    assert posixpath.normpath(path) == path
    assert path.startswith(FOLDER)
    assert folder_of(VIDEO) == FOLDER
