"""An object store that goes away, that cannot be used, and that many machines share."""

from __future__ import annotations

import time
from pathlib import Path

import httpx
import pytest

from tests import media
from tests.e2e.bucket_service import (
    LINKS,
    pieces,
    serve,
    serving,
)
from tests.e2e.cluster import Cluster
from tests.e2e.service import wait_until
from tests.e2e.test_process import refusal
from tests.object_store import Bucket, ObjectStore
from tests.origin import Origin


def test_an_outage_is_told_and_passes(tmp_path: Path, origin: Origin, object_store: ObjectStore) -> None:
    stream = media.many_segments(60)
    start, paths = serve(origin, stream)
    gates = [origin.hold(path) for path in paths[20:]]
    with (
        object_store.gate() as gate,
        object_store.bucket(endpoint=gate.endpoint) as bucket,
        serving(tmp_path, origin, bucket) as service,
    ):
        user = service.user()
        task = user.create(start)
        wait_until(lambda: len(pieces(bucket)) == 20, "20 segments in the bucket")
        gate.shut()
        for held in gates:
            held.release()
        lost = user.wait(task["id"])

        assert (lost["status"], lost["segmentsDownloaded"]) == ("FAILED", 20)
        assert {(each["failureType"], each["errorMessage"]) for each in lost["failures"]["nodes"]} == {
            ("STORAGE_ERROR", "object storage: it does not answer")
        }
        assert service.http.get("/ready").json()["parts"] == {"database": "ok", "storage": "down"}
        url = user.execute(LINKS, id=task["id"])["task"]["playbackUrl"]
        assert httpx.get(url).status_code == 503
        user.move("retryTask", task["id"])
        waiting = user.task(task["id"])
        assert (waiting["status"], waiting["startedAt"]) == ("PROCESSING", None)

        gate.open()

        done = user.wait(task["id"])
        assert (done["status"], done["failures"]["totalCount"]) == ("COMPLETED", 0)
        assert service.http.get("/ready").status_code == 200
        assert [bucket.content(key) for key in pieces(bucket).values()] == list(stream.segments)


def test_a_store_that_cannot_be_used_ends_the_start(tmp_path: Path, bucket: Bucket, object_store: ObjectStore) -> None:
    began = time.monotonic()
    missing = refusal(tmp_path, **bucket.settings | {"STORAGE_URL": "s3://no-such-bucket/x"})
    with object_store.gate() as gate:
        gate.shut()
        away = refusal(tmp_path, **bucket.settings | {"AWS_ENDPOINT_URL": gate.endpoint})
    assert time.monotonic() - began < 20
    assert missing == "error: STORAGE_URL cannot be used: there is no bucket no-such-bucket"
    assert away == "error: STORAGE_URL cannot be used: it does not answer (AWS_ENDPOINT_URL, AWS_REGION)"


@pytest.mark.long
def test_machines_share_a_bucket_and_each_tells_its_numbers(
    tmp_path: Path, origin: Origin, bucket: Bucket, postgres_url: str
) -> None:
    """The worker that began is killed; another, with scratch of its own, goes on with what is in the bucket."""
    stream = media.many_segments(40)
    start, paths = serve(origin, stream)
    gates = [origin.hold(path) for path in paths[20:]]
    shared = bucket.settings | {"EGRESS_ALLOW": origin.host_port, "WORKER_SILENCE_SECONDS": "4"}
    with Cluster(tmp_path, postgres_url, **shared) as cluster:
        api = cluster.start("api", SCRATCH_DIR=str(tmp_path / "none"))
        first = cluster.start("worker", SCRATCH_DIR=str(tmp_path / "one"))
        user = api.user()
        task = user.create(start)
        wait_until(lambda: len(pieces(bucket)) == 20, "20 segments in the bucket")
        first.kill()
        asked = [origin.hits(path) for path in paths[:20]]
        for gate in gates:
            gate.release()
        second = cluster.start("worker", SCRATCH_DIR=str(tmp_path / "two"))

        done = user.wait(task["id"])

        assert (done["status"], done["segmentsDownloaded"]) == ("COMPLETED", 40)
        assert [origin.hits(path) for path in paths[:20]] == asked
        assert [bucket.content(key) for key in pieces(bucket).values()] == list(stream.segments)
        assert not (tmp_path / "none").exists()
        told = {name: httpx.get(f"{each.url}/metrics").text for name, each in (("api", api), ("worker", second))}
        assert 'media_pieces_total{result="stored"}' in told["worker"]
        assert 'media_pieces_total{result="stored"}' not in told["api"]
        assert all("media_queued_tasks 0.0" in text for text in told.values())
