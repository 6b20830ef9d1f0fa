from __future__ import annotations

import math
from collections.abc import Iterable
from uuid import UUID

import pytest

from domain.errors import InvalidInputError, OutsideTaskFolderError, ParameterError
from domain.inputs import (
    UNSET,
    NewFailure,
    NewTask,
    NewVideo,
    TaskChanges,
    blank_to_none,
    change_errors,
    failure_errors,
    given,
    header_errors,
    refuse,
    task_errors,
    video_errors,
)
from domain.paths import check_under, folder_of
from domain.ports import Headers
from domain.values import FailedResourceType, FailureType, ResourceType, VideoStatus

Told = list[tuple[tuple[str, ...], str]]


def told(errors: Iterable[ParameterError]) -> Told:
    return [(error.field, error.message) for error in errors]


def a_new_task(**overrides: object) -> NewTask:
    values = {"resource_url": "https://media.example/a", "resource_type": ResourceType.HLS, "liveroom_id": "room-1"}
    return NewTask(**values | overrides)  # type: ignore[arg-type]  # wrong values are what is tested


def a_new_failure(**overrides: object) -> NewFailure:
    values = {
        "resource_url": "https://media.example/0.ts",
        "resource_type": FailedResourceType.TS,
        "failure_type": FailureType.TIMEOUT,
        "error_message": "stalled",
        "expected_path": "video_1/hls/ts/0.ts",
    }
    return NewFailure(**values | overrides)  # type: ignore[arg-type]  # as above


def a_new_video(**overrides: object) -> NewVideo:
    values = {
        "video_type": ResourceType.HLS,
        "video_url": "https://media.example/a",
        "storage_path": "video_1/hls",
        "status": VideoStatus.COMPLETED,
    }
    return NewVideo(**values | overrides)  # type: ignore[arg-type]  # as above


# --- texts, numbers, links ---

TASK_FAULTS: list[tuple[str, object, str]] = [
    ("liveroom_id", "room", "liveroomId must have 5 to 20 characters."),
    ("liveroom_id", "r" * 21, "liveroomId must have 5 to 20 characters."),
    ("liveroom_id", "", "liveroomId must have 5 to 20 characters."),
    ("liveroom_id", "room\n1", "liveroomId must not contain control characters."),
    ("liveroom_id", "room\x001", "liveroomId must not contain control characters."),
    ("liveroom_id", "room-\ud800", "liveroomId must not contain control characters."),
    ("liveroom_title", "t" * 256, "liveroomTitle must have at most 255 characters."),
    ("liveroom_title", "a\x7f", "liveroomTitle must not contain control characters."),
    ("liveroom_url", "ftp://live.example/", "liveroomUrl must be an http or https URL."),
    ("liveroom_url", "javascript:alert(1)", "liveroomUrl must be an http or https URL."),
    ("liveroom_url", "https://", "liveroomUrl must be an http or https URL."),
    ("liveroom_url", "https://[::1", "liveroomUrl must be an http or https URL."),
    ("liveroom_url", "https://live.example/\r\n", "liveroomUrl must not contain control characters."),
    ("liveroom_url", "https://live.example/".ljust(2_001, "a"), "liveroomUrl must have 1 to 2000 characters."),
    ("priority", -1, "priority must be from 0 to 100."),
    ("priority", 101, "priority must be from 0 to 100."),
    ("max_retries", 0, "maxRetries must be from 1 to 10."),
    ("max_retries", 11, "maxRetries must be from 1 to 10."),
    ("max_height", 0, "maxHeight must be from 1 to 2147483647."),
    ("max_height", 2**31, "maxHeight must be from 1 to 2147483647."),
    ("idempotency_key", "", "idempotencyKey must have 1 to 255 characters."),
    ("idempotency_key", "k" * 256, "idempotencyKey must have 1 to 255 characters."),
]


@pytest.mark.parametrize(("name", "value", "message"), TASK_FAULTS)
def test_a_fault_of_a_new_task_names_its_field(name: str, value: object, message: str) -> None:
    assert told(task_errors(a_new_task(**{name: value}))) == [((name,), message)]


CHANGEABLE = {"liveroom_title", "liveroom_url", "priority", "max_retries"}


@pytest.mark.parametrize(("name", "value", "message"), [fault for fault in TASK_FAULTS if fault[0] in CHANGEABLE])
def test_changes_keep_the_same_rules(name: str, value: object, message: str) -> None:
    changes = TaskChanges(**{name: value})  # type: ignore[arg-type]  # wrong values are what is tested
    assert told(change_errors(changes)) == [((name,), message)]


@pytest.mark.parametrize(
    "values",
    [
        {"liveroom_id": "房間號碼一"},
        {"liveroom_id": "r" * 20, "liveroom_title": "t" * 255, "liveroom_url": "https://a.example/".ljust(2_000, "a")},
        {"liveroom_title": "", "liveroom_url": ""},
        {"priority": 0, "max_retries": 1, "max_height": 1, "idempotency_key": "k"},
        {"priority": 100, "max_retries": 10, "max_height": 2**31 - 1, "idempotency_key": "k" * 255},
    ],
)
def test_the_bounds_belong_to_the_range(values: dict[str, object]) -> None:
    assert told(task_errors(a_new_task(**values))) == []


def test_no_change_has_no_fault() -> None:
    assert told(change_errors(TaskChanges())) == []
    assert told(change_errors(TaskChanges(liveroom_title=None, liveroom_url=None, request_headers=()))) == []


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("resource_url", "", "resourceUrl must have 1 to 2000 characters."),
        ("resource_url", "u" * 2_001, "resourceUrl must have 1 to 2000 characters."),
        ("error_message", "", "errorMessage must have 1 to 4000 characters."),
        ("error_message", "e" * 4_001, "errorMessage must have 1 to 4000 characters."),
        ("error_message", "e\x1b[31m", "errorMessage must not contain control characters."),
        ("standard_name", "n" * 256, "standardName must have at most 255 characters."),
        ("standard_name", "a\nb", "standardName must not contain control characters."),
        ("segment_index", -1, "segmentIndex must be from 0 to 2147483647."),
        ("segment_index", 2**31, "segmentIndex must be from 0 to 2147483647."),
        ("retry_count", 4, "retryCount must be from 0 to 3."),
        ("retry_count", -1, "retryCount must be from 0 to 3."),
    ],
)
def test_a_fault_of_a_recorded_failure_names_its_field(name: str, value: object, message: str) -> None:
    assert told(failure_errors(a_new_failure(**{name: value}))) == [((name,), message)]


def test_a_message_may_have_lines() -> None:
    assert told(failure_errors(a_new_failure(error_message="line 1\r\n\tline 2", retry_count=3))) == []


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("video_url", "", "videoUrl must have 1 to 2000 characters."),
        ("video_url", "file:///etc/passwd", "videoUrl must be an http or https URL."),
        ("file_size", -1, "fileSize must be from 0 to 9223372036854775807."),
        ("file_size", 2**63, "fileSize must be from 0 to 9223372036854775807."),
        ("duration", -0.1, "duration must be from 0 to 1000000000."),
        ("duration", math.nan, "duration must be from 0 to 1000000000."),
        ("duration", math.inf, "duration must be from 0 to 1000000000."),
        ("resolution", "1" * 51, "resolution must have at most 50 characters."),
        ("format", "f" * 51, "format must have at most 50 characters."),
        ("liveroom_title", "t" * 256, "liveroomTitle must have at most 255 characters."),
        ("liveroom_url", "room", "liveroomUrl must be an http or https URL."),
    ],
)
def test_a_fault_of_a_recorded_video_names_its_field(name: str, value: object, message: str) -> None:
    assert told(video_errors(a_new_video(**{name: value}))) == [((name,), message)]


def test_a_recorded_video_may_leave_out_what_it_does_not_know() -> None:
    assert told(video_errors(a_new_video(liveroom_title="", liveroom_url=""))) == []


# --- request headers ---


@pytest.mark.parametrize(
    "headers",
    [
        (("Referer", "https://live.example/"), ("Cookie", "a=b; c=d"), ("X-Latin", "caf\xe9"), ("X-Empty", "")),
        tuple((f"X-{number}", "v") for number in range(20)),
        (("n" * 64, "v" * 4_096), ("m", "v" * 4_031)),
    ],
    ids=["usual", "20", "8 KiB"],
)
def test_headers_that_may_be_sent(headers: Headers) -> None:
    assert told(header_errors(headers)) == []


NAME, VALUE = ("request_headers", "0", "name"), ("request_headers", "0", "value")


@pytest.mark.parametrize("name", ["", "n" * 65, "X Y", "X:Y", "X\r\nY", "Überschrift"])
def test_a_headers_name_is_a_token(name: str) -> None:
    assert told(header_errors(((name, "v"),))) == [(NAME, "A header name has 1 to 64 letters, digits or hyphens.")]


@pytest.mark.parametrize(
    "name",
    "Host Range If-Range ACCEPT-ENCODING Content-Length content-type Connection Keep-Alive TE Trailer Upgrade Expect"
    " Transfer-Encoding Proxy-Connection Proxy-Authenticate Proxy-Authorization HTTP2-Settings".split(),
)
def test_headers_that_the_service_sets(name: str) -> None:
    message = f"The header {name} is set by the service and cannot be given."
    assert told(header_errors(((name, "v"),))) == [(NAME, message)]


@pytest.mark.parametrize("value", ["v" * 4_097, "a\r\nX-Injected: b", "a\0", "a\x7f", "€"])
def test_a_headers_value_cannot_break_out(value: str) -> None:
    message = "A header value has at most 4 KiB and no control characters."
    assert told(header_errors((("Cookie", value),))) == [(VALUE, message)]


def test_headers_have_a_number_and_a_size() -> None:
    many = (("X-Header", "v"),) * 21
    large = (("X", "v" * 4_096),) * 2
    where = ("request_headers",)
    assert told(header_errors(many)) == [(where, "At most 20 request headers are allowed.")]
    assert told(header_errors(large)) == [(where, "The request headers together exceed 8 KiB.")]


def test_each_header_is_named_by_its_position() -> None:
    headers = (("Cookie", "ok"), ("Host", "a"), ("Referer", "\n"))
    assert [error.field for error in task_errors(a_new_task(request_headers=headers))] == [
        ("request_headers", "1", "name"),
        ("request_headers", "2", "value"),
    ]


# --- all faults at once ---


def test_the_first_fault_is_raised_with_the_others() -> None:
    with pytest.raises(InvalidInputError) as caught:
        refuse(task_errors(a_new_task(liveroom_id="x", priority=101, max_retries=0)))
    assert caught.value.field == ("liveroom_id",)
    assert [error.field for error in caught.value.also] == [("priority",), ("max_retries",)]


def test_without_a_fault_nothing_is_refused() -> None:
    refuse(task_errors(a_new_task()))


def test_none_is_a_value_and_unset_is_not() -> None:
    assert (given(None), given(0), given(UNSET)) == (None, 0, None)
    assert (blank_to_none(None), blank_to_none(""), blank_to_none(" ")) == (None, None, " ")


def test_no_repr_tells_a_secret() -> None:
    url, headers = "https://media.example/a?token=secret", (("Cookie", "secret"),)
    task = a_new_task(resource_url=url, request_headers=headers)
    changes = TaskChanges(resource_url=url, request_headers=headers)
    assert "secret" not in f"{task} {changes} {a_new_failure(resource_url=url)} {a_new_video(video_url=url)}"


# --- paths: kept to be read, and under the task's folder all the same ---

FOLDER = folder_of(UUID(int=1))


def test_a_task_has_a_folder_of_its_own() -> None:
    assert FOLDER == "video_00000000-0000-0000-0000-000000000001/"


@pytest.mark.parametrize("rest", ["hls", "hls/ts/segment_000000.ts", "mp4/影片.mp4", "a" * 255, ".hidden", "a..b/c"])
def test_paths_under_the_folder(rest: str) -> None:
    check_under(FOLDER + rest, FOLDER, "expected_path")


@pytest.mark.parametrize(
    "path",
    [
        "",
        FOLDER,
        FOLDER.removesuffix("/"),
        f"/{FOLDER}hls",
        f"./{FOLDER}hls",
        f"{folder_of(UUID(int=2))}hls",
        f"{FOLDER.removesuffix('/')}0/hls",
        f"{FOLDER}../{folder_of(UUID(int=2))}hls",
        f"{FOLDER}hls/../../etc/passwd",
        f"{FOLDER}hls/./a",
        f"{FOLDER}hls//a",
        f"{FOLDER}hls/",
        f"{FOLDER}/etc/passwd",
        f"{FOLDER}..\\a",
        f"{FOLDER}a\0b",
        f"{FOLDER}a\nb",
        f"{FOLDER}\ud800",
        f"{FOLDER}{'a' * 256}",
    ],
)
def test_paths_that_lead_elsewhere(path: str) -> None:
    with pytest.raises(OutsideTaskFolderError) as caught:
        check_under(path, FOLDER, "storage_path")
    assert told([caught.value]) == [(("storage_path",), f"The path must lie under {FOLDER}.")]
