"""What cannot be used is refused by name, and changes nothing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest

from tests.e2e.service import Service, User

GOOD_URL = "https://media.example/film.mp4"
A_TASK = {"resourceUrl": GOOD_URL, "resourceType": "MP4", "liveroomId": "room-1"}
A_FAILURE = {
    "resourceUrl": "https://media.example/0.ts",
    "resourceType": "TS",
    "failureType": "TIMEOUT",
    "errorMessage": "lost",
}
A_VIDEO = {"videoType": "MP4", "videoUrl": GOOD_URL, "status": "FAILED"}


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """127.0.0.1:9 may be fetched, spelled like that."""
    with Service(tmp_path_factory.mktemp("service"), EGRESS_ALLOW="127.0.0.1:9") as running:
        yield running


@pytest.fixture(scope="module")
def user(service: Service) -> User:
    return service.user()


@pytest.fixture(scope="module")
def task(user: User) -> Any:
    return user.create(GOOD_URL, "MP4", autoStart=False)


# --- addresses ----------------------------------------------------------------------------------------------

NOT_FETCHABLE = """
    media.example/a  //media.example/a  ftp://media.example/a  file:///etc/passwd  gopher://media.example/a
    data:video/mp4,x  javascript:alert(1)  ws://media.example/a  http:  http://  http:///a  https://?a  http://:80/a
    http:media.example/a  http://#media.example  http://./a  http://-/a  http://[]/a  http://[media.example]/a
    http://media.example:0/a  http://media.example:65536/a  http://media.example:x/a  http://media.example:-1/a
    http://user@media.example/a  http://user:secret@media.example/a  http://@media.example/a
    http://media.example@127.0.0.1/a  http://127.0.0.1@media.example/a  http://media.example%40127.0.0.1/a
    http://127.0.0.1%2f.media.example/a  http://%6c%6f%63%61%6c%68%6f%73%74/a
""".split()
HOSTS_INSIDE = """
    127.0.0.1  127.255.255.254  127.0.0.1.  127.1  127.0.1  2130706433  0x7f000001  0x7f.0.0.1  0x7F.1  017700000001
    0177.0.0.1  00000177.0.0.1  0177.1  127.000.000.001  0x7f.0.1  １２７.０.０.１  127。0。0。1  ①②⑦.⓪.⓪.①
    0.0.0.0  0  0x0  10.0.0.1  10.255.255.255  167772161  172.16.0.1  172.31.255.255  192.168.0.1  0300.0250.1
    100.64.0.1  169.254.1.1  169.254.169.254  2852039166  0xa9fea9fe  0251.0376.0251.0376  169.254.43518
    168.63.129.16  192.0.0.192  192.0.2.1  198.18.0.1  198.51.100.1  203.0.113.1  224.0.0.1  240.0.0.1
    255.255.255.255  4294967295  0xffffffff
    1.2.3.4.5  256.1.1.1  0x100000000  4294967296  08.8.8.8  1.2.3.0x
    localhost  LOCALHOST  localhost.  ｌｏｃａｌｈｏｓｔ  any.localhost  localhost.localdomain  printer.local
    metadata.google.internal  router.home.arpa  ip6-localhost  ip6-loopback
    [::1]  [0:0:0:0:0:0:0:1]  [::]  [::127.0.0.1]  [::ffff:127.0.0.1]  [::ffff:7f00:1]  [::FFFF:169.254.169.254]
    [0:0:0:0:0:ffff:0a00:0001]  [64:ff9b::127.0.0.1]  [64:ff9b::a9fe:a9fe]  [64:ff9b:1::7f00:1]  [2002:7f00:1::]
    [2001:0:7f00:1::]  [2001:db8::1]  [fe80::1]  [fe80::1%25eth0]  [fe80::1%eth0]  [fc00::1]  [fd00:ec2::254]
    [fec0::1]  [ff02::1]  [3fff::1]
    ::1
""".split()
ALLOWED_BUT_SPELLED_OTHERWISE = """
    2130706433:9  0x7f.1:9  127.1:9  127.0.0.1.:9  localhost:9  [::ffff:127.0.0.1]:9  [::1]:9  127.0.0.1:10
    127.0.0.1:09x  127.0.0.2:9
""".split()
WITH_STRANGE_CHARACTERS = {
    "nothing": "",
    "a space": " ",
    "a space before": f" {GOOD_URL}",
    "a space behind": f"{GOOD_URL} ",
    "a space in the host": "http://media .example/a",
    "a line feed": f"{GOOD_URL}\nb",
    "a header": f"{GOOD_URL} HTTP/1.1\r\nHost: localhost",
    "a tab in the scheme": "ht\ttp://media.example/a",
    "NUL": f"{GOOD_URL}\0",
    "NUL in the host": "http://media.example\0.localhost/a",
    "DEL": f"{GOOD_URL}\x7f",
    "C1": f"{GOOD_URL}\x85",
    "a line separator": f"{GOOD_URL}\u2028",
    "a backslash": "http://media.example\\@127.0.0.1/a",
    "a soft hyphen": "http://local\xadhost/a",
    "2,001 characters": f"{GOOD_URL}?".ljust(2001, "a"),
}
BLOCKED = [
    *NOT_FETCHABLE,
    *(f"http://{host}/a" for host in (*HOSTS_INSIDE, *ALLOWED_BUT_SPELLED_OTHERWISE)),
    *(pytest.param(url, id=name) for name, url in WITH_STRANGE_CHARACTERS.items()),
]


@pytest.mark.parametrize("url", BLOCKED)
def test_an_address_that_must_not_be_fetched(service: Service, user: User, task: Any, url: str) -> None:
    new = A_TASK | {"resourceUrl": url, "autoStart": True}
    with service.unchanged():
        assert user.errors("createTask", input=new) == [("BLOCKED_URL", ["input", "resourceUrl"])]
        assert user.errors("createTasks", inputs=[new]) == [("BLOCKED_URL", ["inputs", "0", "resourceUrl"])]
        changed = user.errors("updateTask", id=task["id"], input={"resourceUrl": url})
        assert changed == [("BLOCKED_URL", ["input", "resourceUrl"])]


PUBLIC = [
    "http://8.8.8.8/a",
    "http://[2606:4700::1111]/a",
    "HTTPS://Media.Example:8443/ä b?token=%2F#part",
    "http://medien.example./a",
    "http://münchen.example/a",
    "http://127.0.0.1:9/a",
    pytest.param(f"{GOOD_URL}?".ljust(2000, "a"), id="2,000 characters"),
]


@pytest.mark.parametrize("url", PUBLIC)
def test_an_address_that_may_be_fetched_is_kept_as_it_is(user: User, url: str) -> None:
    task = user.create(url, "MP4", autoStart=False)
    kept = user.execute("query($id: ID!) { task(id: $id) { resourceUrl } }", id=task["id"])
    assert kept["task"]["resourceUrl"] == url


# --- values -------------------------------------------------------------------------------------------------


def header(name: str = "X-Token", value: str = "x") -> dict[str, str]:
    return {"name": name, "value": value}


RESERVED = (
    "Host RANGE If-Range accept-encoding Content-Length content-type CONTENT-ANYTHING Connection Keep-Alive TE Trailer"
    " Proxy-Connection Proxy-Authorization Proxy-Authenticate Transfer-Encoding Upgrade Expect HTTP2-Settings"
).split()
NO_NAMES = ["", "x" * 65, "X Token", "X-Token:", "X\r\nHost", "X\0", "Ünicode", "(x)"]
NO_VALUES = ["x" * 4097, "a\r\nHost: localhost", "a\nb", "a\rb", "a\0b", "\x7f", "€"]
HEADERS_AT_FAULT: list[tuple[list[dict[str, str]], list[str]]] = [
    *(([header(), header(name)], ["requestHeaders", "1", "name"]) for name in (*RESERVED, *NO_NAMES)),
    *(([header(), header(value=value)], ["requestHeaders", "1", "value"]) for value in NO_VALUES),
    ([header(f"X-{number}") for number in range(21)], ["requestHeaders"]),
    ([header("A", "x" * 4000), header("B", "x" * 4000), header("C", "x" * 190)], ["requestHeaders"]),
]
CHANGES_AT_FAULT: list[tuple[dict[str, object], list[str]]] = [
    ({"liveroomTitle": "x" * 256}, ["liveroomTitle"]),
    ({"liveroomTitle": "a\nb"}, ["liveroomTitle"]),
    ({"liveroomTitle": "a\0b"}, ["liveroomTitle"]),
    ({"liveroomUrl": "ftp://media.example/a"}, ["liveroomUrl"]),
    ({"liveroomUrl": "javascript:alert(1)"}, ["liveroomUrl"]),
    ({"liveroomUrl": "https://"}, ["liveroomUrl"]),
    ({"liveroomUrl": "https://media.example/".ljust(2001, "a")}, ["liveroomUrl"]),
    ({"priority": -1}, ["priority"]),
    ({"priority": 101}, ["priority"]),
    ({"maxRetries": 0}, ["maxRetries"]),
    ({"maxRetries": 11}, ["maxRetries"]),
    *((dict[str, object](requestHeaders=headers), field) for headers, field in HEADERS_AT_FAULT),
]
NEW_TASKS_AT_FAULT: list[tuple[dict[str, object], list[str]]] = [
    ({"liveroomId": "r" * 4}, ["liveroomId"]),
    ({"liveroomId": "r" * 21}, ["liveroomId"]),
    ({"liveroomId": ""}, ["liveroomId"]),
    ({"liveroomId": "room\0"}, ["liveroomId"]),
    ({"maxHeight": 0}, ["maxHeight"]),
    ({"idempotencyKey": ""}, ["idempotencyKey"]),
    ({"idempotencyKey": "k" * 256}, ["idempotencyKey"]),
    *CHANGES_AT_FAULT,
]
UPDATES_AT_FAULT: list[tuple[dict[str, object], list[str]]] = [
    ({"resourceUrl": None}, ["resourceUrl"]),
    ({"priority": None}, ["priority"]),
    ({"maxRetries": None}, ["maxRetries"]),
    *CHANGES_AT_FAULT,
]
FAILURES_AT_FAULT: list[tuple[dict[str, object], list[str]]] = [
    ({"resourceUrl": ""}, ["resourceUrl"]),
    ({"resourceUrl": "a" * 2001}, ["resourceUrl"]),
    ({"resourceUrl": "a\0b"}, ["resourceUrl"]),
    ({"errorMessage": ""}, ["errorMessage"]),
    ({"errorMessage": "x" * 4001}, ["errorMessage"]),
    ({"errorMessage": "a\0b"}, ["errorMessage"]),
    ({"standardName": "x" * 256}, ["standardName"]),
    ({"segmentIndex": -1}, ["segmentIndex"]),
]
VIDEOS_AT_FAULT: list[tuple[dict[str, object], list[str]]] = [
    ({"videoUrl": "ftp://media.example/a"}, ["videoUrl"]),
    ({"videoUrl": ""}, ["videoUrl"]),
    ({"fileSize": -1}, ["fileSize"]),
    ({"duration": -0.1}, ["duration"]),
    ({"resolution": "x" * 51}, ["resolution"]),
    ({"format": "a\0b"}, ["format"]),
]


def _shown(value: object) -> str | None:
    return ascii(value)[:60] if isinstance(value, dict) else ""


@pytest.mark.parametrize(("values", "field"), NEW_TASKS_AT_FAULT, ids=_shown)
def test_a_new_task_with_a_bad_value(service: Service, user: User, values: Any, field: list[str]) -> None:
    with service.unchanged():
        assert user.errors("createTask", input=A_TASK | values) == [("INVALID", ["input", *field])]


@pytest.mark.parametrize(("values", "field"), UPDATES_AT_FAULT, ids=_shown)
def test_a_change_to_a_bad_value(service: Service, user: User, task: Any, values: Any, field: list[str]) -> None:
    with service.unchanged():
        assert user.errors("updateTask", id=task["id"], input=values) == [("INVALID", ["input", *field])]


@pytest.mark.parametrize(("values", "field"), FAILURES_AT_FAULT, ids=_shown)
def test_a_recorded_failure_with_a_bad_value(
    service: Service, user: User, task: Any, values: Any, field: list[str]
) -> None:
    failure = A_FAILURE | {"expectedPath": f"video_{task['videoId']}/a.ts"} | values
    with service.unchanged():
        assert user.errors("recordFailure", taskId=task["id"], input=failure) == [("INVALID", ["input", *field])]


@pytest.mark.parametrize(("values", "field"), VIDEOS_AT_FAULT, ids=_shown)
def test_a_recorded_video_with_a_bad_value(
    service: Service, user: User, task: Any, values: Any, field: list[str]
) -> None:
    video = A_VIDEO | {"storagePath": f"video_{task['videoId']}/a.mp4"} | values
    with service.unchanged():
        assert user.errors("recordVideo", taskId=task["id"], input=video) == [("INVALID", ["input", *field])]


def test_every_bad_value_is_named_at_once(service: Service, user: User) -> None:
    bad = {"liveroomId": "r", "priority": 101, "maxRetries": 0, "requestHeaders": [header("Host", "a\nb")]}
    with service.unchanged():
        found = user.errors("createTask", input=A_TASK | bad)
    fields = [
        ["liveroomId"],
        ["priority"],
        ["maxRetries"],
        ["requestHeaders", "0", "name"],
        ["requestHeaders", "0", "value"],
    ]
    assert found == [("INVALID", ["input", *field]) for field in fields]


def test_the_last_good_values_are_taken(user: User) -> None:
    together = 8 * 1024
    headers = [header("X" * 64, "v" * 4096), header("Y", "v" * (together - 64 - 4096 - 1 - 18 * 3))]
    headers += [header(f"{number:02}") for number in range(18)]
    largest = {"liveroomId": "r" * 20, "liveroomTitle": "ü" * 255, "priority": 100, "maxRetries": 10}
    assert user.errors("createTask", input=A_TASK | largest | {"requestHeaders": headers}) == []
    assert user.errors("createTask", input=A_TASK | {"liveroomId": "r" * 5, "priority": 0, "maxRetries": 1}) == []


def test_a_bad_item_stops_no_other(user: User) -> None:
    room = f"room-{uuid4().hex[:10]}"
    good, bad = A_TASK | {"liveroomId": room}, A_TASK | {"liveroomId": "r"}
    assert user.errors("createTasks", inputs=[good, bad, good]) == [("INVALID", ["inputs", "1", "liveroomId"])]
    made = user.execute("query($room: String) { tasks(filter: { liveroomId: $room }) { nodes { id } } }", room=room)
    ids = [task["id"] for task in made["tasks"]["nodes"]]
    assert len(ids) == 2
    unknown = str(uuid4())
    assert user.errors("deleteTasks", ids=[ids[0], unknown, ids[1]]) == [("NOT_FOUND", ["ids", "1"])]
    assert [user.task(each) for each in ids] == [None, None]
