"""The log of a service at work: every line an event, and nobody's secret in any of them."""

from __future__ import annotations

import base64
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import httpx
import jwt
import pytest

from tests import media
from tests.e2e.service import SECRET, Service, User, wait_until
from tests.log_lines import event_of
from tests.origin import Origin
from tests.origin_faults import redirect, status

# Whatever is secret has this in it; so a part of it, or a coded form, is found too.
MARK = "Zq7sEcReT"
REST = "/api/v1/download/tasks"
CREATE = "mutation($i: CreateTaskInput!) { createTask(input: $i) { task { id } userErrors { message } } }"


class Log:
    """What a service has written: to standard error, and to its files."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self.folder = service.folder / "logs"

    def texts(self) -> list[str]:
        return [self.service.log.read_text(), "".join(path.read_text() for path in self.folder.iterdir())]

    def events(self) -> list[dict[str, Any]]:
        """The same in both places; threads that log at once may come in another order."""
        at_stderr, in_files = (text.splitlines() for text in self.texts())
        assert sorted(at_stderr) == sorted(in_files)
        return [event_of(line) for line in at_stderr]

    def of_action(self, action: str) -> list[dict[str, Any]]:
        return [event for event in self.events() if event["event"].get("action") == action]


@pytest.fixture
def service(tmp_path: Path, origin: Origin) -> Iterator[Service]:
    settings = {"EGRESS_ALLOW": origin.host_port, "AUTO_RETRY": "false", "LOG_LEVEL": "DEBUG"}
    with Service(tmp_path, **settings, LOG_DIR=str(tmp_path / "logs"), METRICS_TOKEN=f"{MARK}-metrics") as running:
        yield running


def _secret(what: str) -> str:
    return f"{MARK}-{what}"


def _execute(service: Service, statement: str, *values: str) -> None:
    with closing(sqlite3.connect(service.folder / "media.db", timeout=10)) as database, database:
        database.execute("PRAGMA ignore_check_constraints=ON")
        database.execute(statement, values)


def _bad_tokens(user: User) -> list[str]:
    good = user.headers["Authorization"]
    key = f"{MARK} is not the key of this service"
    claims = {"user_id": str(user.id), "exp": 10**9, "note": MARK}
    return [
        f"{good[:-4]}AAAA",
        f"Bearer {jwt.encode(claims, key)}",
        f"Bearer {jwt.encode({**claims, 'user_id': MARK, 'exp': int(time.time()) + 600}, SECRET)}",
        f"Bearer {jwt.encode(claims, SECRET)}",
        f"Bearer {_secret('no-token')}",
        f"Basic {base64.b64encode(MARK.encode()).decode()}",
        f"Bearer {MARK * 1000}",
    ]


def _downloads(user: User, origin: Origin) -> list[str]:
    """One that arrives, one with losses, one that fails: with queries, cookies and headers that are secret."""
    headers = [{"name": name, "value": _secret(name)} for name in ("Cookie", "Authorization", "X-Api-Key")]
    stream = media.many_segments(4)
    for folder in ("/whole/", "/partly/"):
        origin.put_all(stream.files, under=folder)
        playlist = stream.files[stream.media].decode()
        tokens = "".join(
            f"{line}?sig={MARK}\n" if line.endswith(".ts") else f"{line}\n" for line in playlist.splitlines()
        )
        origin.put(folder + stream.media, tokens.encode(), headers={"Set-Cookie": f"sid={MARK}"})
    lost = next(name for name in stream.files if name.endswith(".ts"))
    origin.fail(f"/partly/{lost}", redirect(f"/gone.ts?{MARK}={MARK}#{MARK}"))
    origin.fail("/film.mp4", status(403, {"X-Reason": MARK}, MARK.encode()))
    urls = [f"/whole/{stream.media}?token={MARK}", f"/partly/{stream.media}?{MARK}", f"/film.mp4?token={MARK}"]
    kinds = ["HLS", "HLS", "MP4"]
    title = _secret("title")
    return [
        user.create(origin.url(url), kind, requestHeaders=headers, liveroomTitle=title)["id"]
        for url, kind in zip(urls, kinds, strict=True)
    ]


def _mistakes(service: Service, user: User) -> None:
    """What clients get wrong, with what is secret in every place that could be repeated."""
    wrong = {"resourceUrl": f"ftp://u:{MARK}@h/?{MARK}", "resourceType": "HLS", "liveroomId": "room-1"}
    user.post(CREATE, {"i": wrong})
    user.post(CREATE, {"i": {**wrong, "resourceUrl": f"https://127.0.0.1/?t={MARK}"}})
    user.post(CREATE, {"i": {**wrong, "requestHeaders": [{"name": "Host", "value": MARK}]}})
    user.post(CREATE, {"i": {"requestHeaders": [{"Cookie": MARK}], "nope": f"https://h/?{MARK}"}})
    user.post(f'{{ task(id: "{MARK}") {{ id }} tasks(after: "{MARK}") {{ totalCount }} nope(token: "{MARK}") }}')
    user.post(f'{{ task(id: "{MARK}") {{ id }} }}')
    user.post(f"{{ {MARK * 3} ")
    service.http.post("/graphql", content=f'{{"query": "{MARK}', headers=user.headers)
    body = {"resource_url": f"https://h.example/?t={MARK}", "resource_type": MARK, "liveroom_id": MARK * 3}
    assert service.http.post(REST, json=body, headers=user.headers).status_code == 422
    assert service.http.get(REST, params={"sort": MARK, "search": MARK}, headers=user.headers).status_code == 400
    rows = f"liveroom_id,resource_url,resource_type\nroom-1,https://h.example/?{MARK},{MARK}\n"
    service.http.post(f"{REST}/batch-import", files={"file": ("a.csv", rows.encode())}, headers=user.headers)
    service.http.get(f"/graphql?query={{a}}&access_token={MARK}", headers={"Cookie": MARK, "X-Request-ID": f"{MARK}/"})
    service.http.get(f"/nowhere%0a%1b[31m%3Ftoken={MARK}", params={"q": MARK}, headers={"User-Agent": MARK})
    service.http.get(f"/media/{MARK * 8}/video_1/hls/a.m3u8")


def _crashes(service: Service, user: User, origin: Origin, task_id: str) -> list[httpx.Response]:
    """Faults of the service itself: the database refuses rows, to a job and to a request; a row cannot be read."""
    task = {"resourceUrl": f"https://h.example/?t={MARK}", "resourceType": "HLS", "liveroomId": "room-1"}
    headers = [{"name": "Cookie", "value": MARK}]
    refusal = "SELECT RAISE(ABORT, 'refused for a test')"
    _execute(service, f"CREATE TRIGGER refuse_losses BEFORE INSERT ON download_failures BEGIN {refusal}; END")
    user.create(origin.url(f"/film.mp4?t={MARK}"), "MP4", requestHeaders=headers)
    wait_until(lambda: "A job ended with an error" in service.log.read_text(), "a job to crash")
    _execute(service, f"CREATE TRIGGER refuse_tasks BEFORE INSERT ON download_tasks BEGIN {refusal}; END")
    refused = user.post(CREATE, {"i": {**task, "requestHeaders": headers, "liveroomUrl": f"https://h/?{MARK}"}})
    body = {"resource_url": f"https://h.example/?t={MARK}", "resource_type": "hls", "liveroom_id": "room-1"}
    refused_too = service.http.post(REST, json=body, headers=user.headers)
    assert refused_too.status_code == 500
    _execute(service, "UPDATE download_tasks SET resource_type = ? WHERE id = ?", MARK, UUID(task_id).hex)
    unreadable = user.post(f'{{ task(id: "{task_id}") {{ id resourceType }} }}')
    for answer in (refused, unreadable):
        assert answer.json()["errors"][0]["extensions"]["code"] == "INTERNAL_SERVER_ERROR"
    return [refused, refused_too, unreadable]


def test_a_day_of_the_service_leaves_no_secret_behind(service: Service, origin: Origin) -> None:
    user = service.user()
    ids = _downloads(user, origin)
    assert [user.wait(task_id)["status"] for task_id in ids] == ["COMPLETED", "PARTIAL_COMPLETED", "FAILED"]
    for authorization in _bad_tokens(user):
        answer = service.http.post(
            "/graphql", json={"query": "{ __typename }"}, headers={"Authorization": authorization}
        )
        assert answer.status_code == 401
    _mistakes(service, user)
    crashed = _crashes(service, user, origin, ids[2])
    assert service.terminate() == 0

    log = Log(service)
    tokens = [user.headers["Authorization"].partition(" ")[2], *(part.split()[1] for part in _bad_tokens(user))]
    encoded = [base64.b64encode(MARK.encode()).decode()[:10], jwt.encode({"note": MARK}, MARK * 4).split(".")[1][:10]]
    for text in log.texts():
        assert [secret for secret in (MARK, SECRET, *tokens, *encoded) if secret in text] == []
        assert [part for part in user.headers["Authorization"].split(".") if part in text] == []
    _tells_the_whole_story(log, user, ids, crashed)


def _tells_the_whole_story(log: Log, user: User, ids: list[str], crashed: list[httpx.Response]) -> None:
    events = log.events()
    assert [event["event"].get("action") for event in (*events[:2], events[-1])] == [
        "service-start",
        "settings",
        "service-stop",
    ]
    assert "JWT_SECRET_KEY=*** " in events[1]["message"]
    assert "METRICS_TOKEN=*** " in events[1]["message"]
    assert f"PORT={log.service.port} " in events[1]["message"]
    reasons = [event["event"]["reason"] for event in log.of_action("authentication") if "reason" in event["event"]]
    assert reasons == [
        "InvalidSignatureError",
        "InvalidSignatureError",
        "neither user_id nor sub is a UUID",
        "exp has passed",
        "DecodeError",
        "no bearer token",
        "not ASCII, or too long",
    ]
    _requests_are_whole(log, user)
    _downloads_are_told(log, user, ids)
    _crashes_have_a_stack(log, user, crashed)


def _requests_are_whole(log: Log, user: User) -> None:
    requests = log.of_action("request")
    assert {request["user"]["id"] for request in requests if "user" in request} == {str(user.id)}
    assert {request["url"]["path"] for request in requests} >= {"/graphql", "/ready", "/nowhere\n\x1b[31m?***"}
    assert all(request["event"]["duration"] > 0 for request in requests)
    assert all(request["http"]["request"].keys() == {"id", "method"} for request in requests)
    assert {request["http"]["response"]["status_code"] for request in requests} >= {200, 400, 401, 404, 422, 500}
    ids = [request["trace"]["id"] for request in requests]
    assert len(set(ids)) == len(ids)
    # Resolvers run in threads: what they log knows its request, too.
    used = [event for event in log.of_action("get_download_task") if event["event"].get("outcome") == "success"]
    assert {event["trace"]["id"] for event in used} <= set(ids)
    assert {event["user"]["id"] for event in used} == {str(user.id)}


def _downloads_are_told(log: Log, user: User, ids: list[str]) -> None:
    created = [event for event in log.of_action("create_download_task") if event["event"].get("outcome") == "success"]
    *ended, crashed = [event["labels"]["task_id"] for event in created]
    assert ended == ids
    assert {event["user"]["id"] for event in created} == {str(user.id)}
    ends = {event["labels"]["task_id"]: event for event in log.of_action("fetch-end")}
    assert [ends[one]["message"].split(" pieces")[0] for one in ids] == ["4 of 4", "3 of 4", "0 of 1"]
    assert {event["labels"]["run_number"] for event in ends.values()} == {"1"}
    lost = [event for event in log.events() if event["message"].startswith("A piece is lost: ")]
    assert {event["labels"]["task_id"] for event in lost} == {*ids[1:], crashed}
    assert {event["message"].rpartition(": ")[2] for event in lost} == {"HTTP 404", "HTTP 403"}
    outcomes = {event["labels"]["task_id"]: event["event"]["outcome"] for event in log.of_action("job-end")}
    assert outcomes == {**dict.fromkeys(ids, "success"), crashed: "failure"}


def _crashes_have_a_stack(log: Log, user: User, crashed: list[httpx.Response]) -> None:
    with_stack = [event for event in log.events() if "stack_trace" in event.get("error", {})]
    of_jobs = [event for event in with_stack if event["message"] == "A job ended with an error"]
    of_requests = {event["trace"]["id"]: event for event in with_stack if event not in of_jobs}
    told = [of_requests.pop(answer.headers["x-request-id"]) for answer in crashed]
    assert of_requests == {}  # a client's mistake has none
    assert [event["error"]["type"] for event in told] == ["DatabaseError", "DatabaseError", "LookupError"]
    assert {event["error"]["type"] for event in of_jobs} == {"DatabaseError"}
    for event in (*told[:2], *of_jobs):
        assert "(sqlite3.IntegrityError) refused for a test\n" in event["error"]["stack_trace"]
    assert {event["user"]["id"] for event in told} == {str(user.id)}
    assert of_jobs[0]["labels"].keys() == {"task_id", "run_number"}


def test_a_log_folder_that_fails_costs_one_warning(tmp_path: Path, origin: Origin) -> None:
    (tmp_path / "file").write_text("")
    settings = {"EGRESS_ALLOW": origin.host_port, "LOG_LEVEL": "INFO", "LOG_DIR": str(tmp_path / "file" / "logs")}
    with Service(tmp_path, **settings) as service:
        assert service.user().task(str(uuid4())) is None
        assert service.terminate() == 0
        events = [event_of(line) for line in service.log.read_text().splitlines()]
    assert [event["message"] for event in events if event["log.level"] not in ("info", "debug")] == [
        "LOG_DIR cannot be written, and is left out for now: Not a directory"
    ]
    assert events[-1]["event"]["action"] == "service-stop"
