"""A disk that is nearly full: nothing new is fetched, the service answers, and it goes on when space returns."""

from __future__ import annotations

from pathlib import Path

from tests import media
from tests.e2e.service import Service
from tests.origin import Origin

MORE_THAN_THERE_IS = "900000 TiB"


def test_it_waits_for_space_and_says_nothing_wrong(tmp_path: Path, origin: Origin) -> None:
    origin.put("/film.mp4", media.mp4())
    tmp_path.joinpath("media").mkdir()
    with Service(tmp_path, EGRESS_ALLOW=origin.host_port, MIN_FREE_BYTES=MORE_THAN_THERE_IS) as service:
        user = service.user()
        task = user.create(origin.url("/film.mp4"), "MP4")
        assert user.execute("{ viewer { waiting } }") == {"viewer": {"waiting": 1}}
        assert service.http.get("/ready").status_code == 200
        service.terminate()
        assert origin.log == []

    with Service(tmp_path, EGRESS_ALLOW=origin.host_port) as service:
        assert service.user(user.id).wait(task["id"])["status"] == "COMPLETED"
