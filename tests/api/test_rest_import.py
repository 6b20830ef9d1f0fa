"""Many tasks from one CSV: what becomes of each row, and of files that are none."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from typing import Any

import httpx
import pytest

from tests.rest import Rest, User, running_rest

HEADER = ("liveroom_id", "resource_url", "resource_type", "liveroom_title", "liveroom_url")
PARTLY, ALL, NONE = "批量导入部分成功", "批量导入任务成功", "批量导入失败，所有行都处理失败"
MIB = 1024 * 1024


@pytest.fixture(scope="module")
def rest(tmp_path_factory: pytest.TempPathFactory, shared_database_url: str) -> Iterator[Rest]:
    with running_rest(tmp_path_factory.mktemp("rest"), database_url=shared_database_url) as running:
        yield running


@pytest.fixture
def user(rest: Rest) -> User:
    return rest.user()


def a_csv(rows: Sequence[Sequence[str]], header: Sequence[str] = HEADER, *, encoding: str = "utf-8") -> bytes:
    text = io.StringIO()
    csv.writer(text).writerows([header, *rows])
    return text.getvalue().encode(encoding)


def good(number: int) -> tuple[str, ...]:
    return "room-1", f"https://media.example/{number}.mp4", "mp4", f"title {number}", "https://live.example/1"


def send(user: User, content: bytes, name: str = "tasks.csv", **form: str) -> httpx.Response:
    return user.send("POST", "/tasks/batch-import", files={"file": (name, content, "text/csv")}, data=form)


def tasks_of(user: User) -> list[Any]:
    items: list[Any] = user.data("GET", "/tasks?size=100&sort=resource_url:asc")["items"]
    return items


# --- rows ---------------------------------------------------------------------------------------------------

BAD = [
    (("", "https://media.example/x", "mp4"), "缺少必填字段"),
    (("room", "https://media.example/x", "mp4"), "直播间ID长度必须在5-20之间"),
    (("room-1", "https://media.example/x", "flv"), "无效的resource_type: flv，必须是hls/mp4/image之一"),
    (("room-1", "http://127.0.0.1/x", "mp4"), "资源地址不允许访问"),
    (("room-1", "https://media.example/x", "mp4", "t" * 256), "直播间标题长度不能超过255"),
]


@pytest.mark.parametrize("skip", [False, True])
def test_good_bad_and_duplicate_rows(rest: Rest, user: User, skip: bool) -> None:
    rows = [*map(good, range(95)), *(row for row, _ in BAD), *map(good, range(3))]
    answer = send(user, a_csv(rows), skip_duplicates=str(skip).lower())
    report = rest.check(answer, 207, 207, PARTLY)
    seconds = report.pop("processing_time")
    assert 0 < seconds < 30
    stored = {task["id"] for page in (1, 2) for task in user.data("GET", f"/tasks?size=50&page={page}")["items"]}
    assert len(stored) == len(report["created_task_ids"]) == 95
    assert set(report.pop("created_task_ids")) == stored
    errors = [(row[0], row[1], error) for row, error in BAD]
    twice = [(row[0], row[1], "任务组合已存在") for row in map(good, range(3))]
    failed, skipped = (errors, twice) if skip else (errors + twice, [])
    assert report == {
        "total": 103,
        "success": 95,
        "failed": len(failed),
        "skipped": len(skipped),
        "failed_rows": [
            {"row": row, "liveroom_id": room, "resource_url": url, "error": error}
            for row, (room, url, error) in enumerate(failed, 97)
        ],
        "skipped_rows": [
            {"row": row, "liveroom_id": room, "resource_url": url, "reason": reason}
            for row, (room, url, reason) in enumerate(skipped, 102)
        ],
    }


def test_duplicates_of_what_is_there(rest: Rest, user: User) -> None:
    """Same user, URL, live room and title; no title is a title."""
    url = "https://media.example/film.mp4"
    rows = [("room-1", url, "mp4", ""), ("room-2", url, "mp4", ""), ("room-1", url, "mp4", "Film")]
    assert rest.check(send(user, a_csv(rows)), 201, 201, ALL)["success"] == 3
    before = rest.rows()
    report = rest.check(send(user, a_csv(rows)), 400, 400, NONE)
    assert (report["total"], report["failed"]) == (3, 3)
    report = rest.check(send(user, a_csv(rows), skip_duplicates="true"), 207, 207, PARTLY)
    assert (report["success"], report["failed"], report["skipped"]) == (0, 0, 3)
    assert rest.rows() == before
    assert rest.check(send(rest.user(), a_csv(rows)), 201, 201, ALL)["success"] == 3
    assert rest.check(send(user, a_csv([(*rows[0][:3], "Another")])), 201, 201, ALL)["success"] == 1


def test_all_rows_bad(rest: Rest, user: User) -> None:
    before = rest.rows()
    report = rest.check(send(user, a_csv([row for row, _ in BAD])), 400, 400, NONE)
    assert [row["error"] for row in report["failed_rows"]] == [error for _, error in BAD]
    assert rest.rows() == before


def test_a_thousand_rows(rest: Rest, user: User) -> None:
    """The first hundred ids are shown."""
    report = rest.check(send(user, a_csv([good(number) for number in range(1_000)])), 201, 201, ALL)
    assert (report["total"], report["success"], len(report["created_task_ids"])) == (1_000, 1_000, 100)
    assert user.data("GET", "/tasks")["total"] == 1_000
    first = user.data("GET", f"/tasks/{report['created_task_ids'][0]}")
    assert first["resource_url"] == good(0)[1]


def test_what_the_rows_become(rest: Rest, user: User) -> None:
    content = a_csv([good(1), ("room-2", "https://media.example/2.m3u8", "hls", "", "")])
    rest.check(send(user, content), 201, 201, ALL)
    one, two = tasks_of(user)
    assert one.items() >= dict(zip(HEADER, good(1), strict=True)).items()
    assert (two["liveroom_title"], two["liveroom_url"]) == (None, None)
    assert {(task["status"], task["priority"], task["max_retries"]) for task in (one, two)} == {("pending", 50, 3)}


def test_started_at_once(rest: Rest, user: User) -> None:
    rest.check(send(user, a_csv([good(1), good(2)]), auto_start="true"), 201, 201, ALL)
    assert [task["status"] for task in tasks_of(user)] == ["processing", "processing"]


@pytest.mark.parametrize("title", ["=1+1", "@SUM(A1:A9)", "+cmd|' /C calc'!A0", "-2+3", '=HYPERLINK("http://x","y")'])
def test_a_formula_is_a_text(rest: Rest, user: User, title: str) -> None:
    rest.check(send(user, a_csv([("room-1", "https://media.example/a", "mp4", title)])), 201, 201, ALL)
    assert tasks_of(user)[0]["liveroom_title"] == title


@pytest.mark.parametrize(
    ("written", "title"),
    [
        ('"one, two"', "one, two"),
        ('"say ""hello"""', 'say "hello"'),
        ("  around  ", "around"),
        ("直播间", "直播间"),
        ("", None),
        ('""', None),
    ],
)
def test_quotes(rest: Rest, user: User, written: str, title: str | None) -> None:
    content = f"{','.join(HEADER)}\r\nroom-1,https://media.example/a,mp4,{written},\r\n".encode()
    rest.check(send(user, content), 201, 201, ALL)
    assert tasks_of(user)[0]["liveroom_title"] == title


@pytest.mark.parametrize(
    "content",
    {
        "with BOM": a_csv([good(1)], encoding="utf-8-sig"),
        "line feeds": a_csv([good(1)]).replace(b"\r\n", b"\n"),
        "carriage returns": a_csv([good(1)]).replace(b"\r\n", b"\r"),
        "no last line end": a_csv([good(1)]).rstrip(),
        "blank lines": b"\r\n" + a_csv([good(1)]).replace(b"\r\n", b"\r\n\r\n"),
        "another order": a_csv([good(1)[::-1]], HEADER[::-1]),
        "more columns": a_csv([(*good(1), "9", "x")], (*HEADER, "rank", "")),
        "longer rows": a_csv([(*good(1), "", "", "")]),
        "spaces in the header": a_csv([good(1)], [f" {name} " for name in HEADER]),
        "quoted header": b'"' + b'","'.join(name.encode() for name in HEADER) + b'"\r\n' + a_csv([], good(1)),
    }.items(),
    ids=lambda item: item[0],
)
def test_spellings(rest: Rest, user: User, content: tuple[str, bytes]) -> None:
    rest.check(send(user, content[1]), 201, 201, ALL)
    (task,) = tasks_of(user)
    assert task.items() >= dict(zip(HEADER, good(1), strict=True)).items()


def test_only_the_required_columns(rest: Rest, user: User) -> None:
    content = a_csv([good(1)[:3], ("room-1", "https://media.example/2.mp4")], HEADER[:3])
    report = rest.check(send(user, content, name="TASKS.CSV"), 207, 207, PARTLY)
    assert [row["error"] for row in report["failed_rows"]] == ["缺少必填字段"]


# --- files that are none --------------------------------------------------------------------------------------

ENCODING, FORMAT, EMPTY = "文件编码错误，请使用UTF-8编码", "CSV文件格式错误", "文件不能为空"
FILES = {
    "an .exe": (b"MZ\x90\x00", "tasks.exe", "文件类型错误，必须是CSV文件"),
    "an .xlsx": (a_csv([good(1)]), "tasks.csv.xlsx", "文件类型错误，必须是CSV文件"),
    "no name's end": (a_csv([good(1)]), "csv", "文件类型错误，必须是CSV文件"),
    "nothing": (b"", "tasks.csv", EMPTY),
    "a BOM": (b"\xef\xbb\xbf", "tasks.csv", EMPTY),
    "blank lines": (b"\r\n \r\n", "tasks.csv", EMPTY),
    "a header alone": (a_csv([]), "tasks.csv", EMPTY),
    "UTF-16": (a_csv([good(1)], encoding="utf-16"), "tasks.csv", ENCODING),
    "UTF-16 without BOM": (a_csv([good(1)], encoding="utf-16-le"), "tasks.csv", ENCODING),
    "GBK": (a_csv([(*good(1)[:3], "直播间")], encoding="gbk"), "tasks.csv", ENCODING),
    "a lone surrogate": (a_csv([good(1)]).replace(b"title", b"\xed\xa0\x80"), "tasks.csv", ENCODING),
    "a program": (b"MZ\x90\x00\x03\xff\xfe", "tasks.csv", ENCODING),
    "NUL": (a_csv([good(1)]).replace(b"title", b"ti\x00le"), "tasks.csv", ENCODING),
    "1,001 rows": (a_csv([good(at) for at in range(1_001)]), "tasks.csv", "CSV文件超过最大行数限制（1000行）"),
    "an open quote": (a_csv([good(1)]) + b'room-1,"https://media.example/2,mp4\r\n', "tasks.csv", FORMAT),
    "text after a quote": (a_csv([good(1)]) + b'room-1,"https://media.example/2"x,mp4\r\n', "tasks.csv", FORMAT),
    "a cell of 200 kB": (a_csv([(*good(1)[:3], "t" * 200_000)]), "tasks.csv", FORMAT),
}


@pytest.mark.parametrize(("content", "name", "message"), FILES.values(), ids=FILES)
def test_a_file_that_cannot_be_imported(rest: Rest, user: User, content: bytes, name: str, message: str) -> None:
    before = rest.rows()
    assert rest.check(send(user, content, name), 400, 1001, message) is None
    assert rest.rows() == before


@pytest.mark.parametrize(
    ("header", "missing"),
    [
        (good(1), ["liveroom_id", "resource_url", "resource_type"]),
        (HEADER[:2], ["resource_type"]),
        (("resource_type", "liveroom_title"), ["liveroom_id", "resource_url"]),
        (("LIVEROOM_ID", *HEADER[1:]), ["liveroom_id"]),
        ((";".join(HEADER),), ["liveroom_id", "resource_url", "resource_type"]),
    ],
)
def test_missing_columns(rest: Rest, user: User, header: Sequence[str], missing: list[str]) -> None:
    before = rest.rows()
    answer = send(user, a_csv([good(1)], header))
    assert rest.check(answer, 400, 1001, f"CSV文件格式错误: 缺少必需列 {', '.join(missing)}") == {
        "required_columns": ["liveroom_id", "resource_url", "resource_type"],
        "missing_columns": missing,
    }
    assert rest.rows() == before


def test_a_file_that_is_too_large(rest: Rest, user: User) -> None:
    before = rest.rows()
    line = b"room-1,https://media.example/a.mp4,mp4\n"
    content = b"liveroom_id,resource_url,resource_type\n" + line * (11 * MIB // len(line))
    sizes = rest.check(send(user, content), 413, 413, "文件大小超过限制，最大允许10MB")
    assert sizes == {"file_size": len(content), "max_size": 10 * MIB}
    largest = content[: 10 * MIB]
    assert rest.check(send(user, largest), 400, 1001, "CSV文件超过最大行数限制（1000行）") is None
    sizes = rest.check(send(user, largest + b"\n"), 413, 413, "文件大小超过限制，最大允许10MB")
    assert sizes == {"file_size": 10 * MIB + 1, "max_size": 10 * MIB}
    assert rest.rows() == before


def test_a_file_that_has_no_end(rest: Rest, user: User) -> None:
    """Nobody knows its size; it is not read to its end."""
    sent = 0

    def endless() -> Iterator[bytes]:
        nonlocal sent
        yield b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.csv"\r\n\r\n'
        while sent < 1000 * MIB:
            sent += MIB
            yield b"a" * MIB

    form = {"Content-Type": "multipart/form-data; boundary=x", "Connection": "close"}
    answer = user.send("POST", "/tasks/batch-import", content=endless(), headers=form)
    sizes = rest.check(answer, 413, 413, "文件大小超过限制，最大允许10MB")
    assert 16 * MIB < sizes["file_size"] < 17 * MIB


@pytest.mark.parametrize(
    "options",
    [
        {"data": {"file": "tasks.csv"}},
        {"files": {"other": ("tasks.csv", b"x")}},
        {"json": {}},
        {"content": b"x", "headers": {"Content-Type": "multipart/form-data"}},
        {"content": b"--x\r\nbroken", "headers": {"Content-Type": "multipart/form-data; boundary=x"}},
        {"files": {"file": ("tasks.csv", b"x")}, "data": {"auto_start": "maybe"}},
    ],
)
def test_a_form_that_is_none(rest: Rest, user: User, options: dict[str, Any]) -> None:
    before = rest.rows()
    answer = user.send("POST", "/tasks/batch-import", **options)
    assert (answer.status_code, answer.json()["code"]) == (422, 422)
    assert rest.rows() == before


def test_a_quota_counts_rows(tmp_path_factory: pytest.TempPathFactory) -> None:
    with running_rest(tmp_path_factory.mktemp("quota"), max_tasks_per_user=2) as rest:
        user = rest.user()
        report = rest.check(send(user, a_csv([good(1), good(2), good(3)])), 207, 207, PARTLY)
        assert (report["success"], [row["error"] for row in report["failed_rows"]]) == (2, ["配额已用完"])
        assert (
            rest.check(
                user.send(
                    "POST",
                    "/tasks",
                    json={"resource_url": "https://media.example/4", "resource_type": "mp4", "liveroom_id": "room-1"},
                ),
                400,
                1001,
                "配额已用完",
            )
            is None
        )
