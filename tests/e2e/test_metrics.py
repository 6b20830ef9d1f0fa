"""What Prometheus learns of a running service, and who may ask."""

from __future__ import annotations

import re
from pathlib import Path

import httpx

from tests import media
from tests.e2e.service import Service, wait_until
from tests.origin import Origin
from tests.origin_faults import status

TOKEN = "a-token-of-the-tests"


def numbers(answer: httpx.Response) -> dict[str, float]:
    """Every sample by its name and labels."""
    assert answer.status_code == 200, answer.text
    lines = [line for line in answer.text.splitlines() if line and not line.startswith("#")]
    return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines)}


def read(service: Service) -> dict[str, float]:
    return numbers(service.http.get("/metrics"))


def test_a_download_is_counted(service: Service, origin: Origin) -> None:
    stream = media.hls_vod(4, 1.0)
    origin.put_all(stream.files, under="/s/")
    (first, *_) = [path for path in stream.files if path.endswith(".ts")]
    origin.fail(f"/s/{first}", status(404))
    user = service.user()
    task = user.create(origin.url(f"/s/{stream.media}"))
    assert user.wait(task["id"])["status"] == "PARTIAL_COMPLETED"

    wait_until(lambda: read(service)["media_running_tasks"] == 0, "the job to end")
    found = read(service)

    assert found['media_pieces_total{result="network_error"}'] == 1
    assert found['media_pieces_total{result="stored"}'] == 4  # a playlist and three segments
    assert found['media_origin_answers_total{status="2xx"}'] == 4
    assert found['media_origin_answers_total{status="4xx"}'] == 2
    assert found["media_origin_retries_total"] == 1
    sent = len(stream.files[stream.media]) + sum(map(len, stream.segments[1:]))
    assert found['media_origin_received_bytes_total{result="whole"}'] == sent
    assert (found["media_queued_tasks"], found["media_queue_wait_seconds"]) == (0, 0)
    assert found['media_job_duration_seconds_count{result="success"}'] == 1
    assert found['media_request_duration_seconds_count{part="graphql",status="2xx"}'] >= 2
    text = service.http.get("/metrics").text
    assert origin.host_port not in text
    assert task["id"] not in text


def test_the_queue_is_told(tmp_path: Path, origin: Origin) -> None:
    origin.put("/film.mp4", media.mp4())
    gate = origin.hold("/film.mp4")
    with Service(tmp_path, EGRESS_ALLOW=origin.host_port, MAX_CONCURRENT_TASKS="1") as service:
        user = service.user()
        tasks = [user.create(origin.url("/film.mp4"), "MP4") for _ in range(3)]
        origin.wait_for_hits("/film.mp4")
        found = read(service)
        assert (found["media_running_tasks"], found["media_queued_tasks"]) == (1, 2)
        assert found["media_queue_wait_seconds"] > 0
        gate.release()
        assert [user.wait(task["id"])["status"] for task in tasks] == ["COMPLETED"] * 3


def test_without_a_token_this_machine_alone_may_ask(service: Service) -> None:
    assert service.http.get("/metrics").headers["content-type"].startswith("text/plain; version=0.0.4")
    for header in ("Forwarded", "X-Forwarded-For", "X-Real-IP", "Via"):  # a proxy here speaks for someone elsewhere
        answer = service.http.get("/metrics", headers={header: "192.0.2.7"})
        assert answer.status_code == 403, header
        assert "media_" not in answer.text


def test_with_a_token_whoever_has_it_may_ask(tmp_path: Path) -> None:
    with Service(tmp_path, METRICS_TOKEN=TOKEN) as service:
        for given in (None, "Bearer", "Bearer wrong", f"Bearer {TOKEN}x", f"Basic {TOKEN}", TOKEN, "Bearer ü"):
            headers = [] if given is None else [(b"Authorization", given.encode())]
            answer = service.http.get("/metrics", headers=headers)
            assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer"), given
            assert "media_" not in answer.text
        for asker in ({}, {"X-Forwarded-For": "192.0.2.7"}):
            answer = service.http.get("/metrics", headers={"Authorization": f"Bearer {TOKEN}", **asker})
            assert "media_running_tasks" in str(numbers(answer))
        for path in ("/metrics/", "/metrics?x=1", "//metrics"):
            assert service.http.get(service.url + path, follow_redirects=True).status_code in (401, 404), path
        assert TOKEN not in service.log.read_text()


def test_paths_that_callers_make_up_are_one_number(service: Service) -> None:
    for number in range(5):
        service.http.get(f"/made-up-{number}/x")
    found = read(service)
    parts = {match[1] for name in found if (match := re.search(r'_count\{part="(\w+)"', name))}
    assert parts <= {"graphql", "rest", "playback", "health", "metrics", "other"}
    assert sum(value for name, value in found.items() if '_count{part="other"' in name) == 5
