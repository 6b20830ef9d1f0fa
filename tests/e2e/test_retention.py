"""What was finished long ago goes by itself, rows and files; nothing else does."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from tests import media
from tests.e2e.service import Service, wait_until
from tests.origin import Origin

AGE = "UPDATE download_tasks SET completed_at = '2025-06-14 10:00:00.000000' WHERE id = ?"


def test_an_old_result_goes_and_a_new_one_stays(tmp_path: Path, origin: Origin) -> None:
    origin.put("/cover.png", media.png())
    with Service(tmp_path, EGRESS_ALLOW=origin.host_port, RETENTION_DAYS="1") as service:
        user = service.user()
        old, new = (user.create(origin.url("/cover.png"), "IMAGE") for _ in range(2))
        for task in (old, new):
            assert user.wait(task["id"])["status"] == "COMPLETED"
        with closing(sqlite3.connect(service.folder / "media.db", timeout=10)) as database, database:
            database.execute(AGE, (old["id"].replace("-", ""),))
        wait_until(lambda: not service.media(f"video_{old['videoId']}").exists(), "the old task's files to go")
        assert user.task(old["id"]) is None
        assert user.task(new["id"])["video"] is not None
        assert service.media(f"video_{new['videoId']}").is_dir()
