"""A share is proved by its mark: the database knows which one counts."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import Engine

from domain.errors import DatabaseError, StorageError
from persistence.storage_mark import storage_mark
from storage.shared_folder import SharedFolder


def folder(root: Path, engine: Engine) -> SharedFolder:
    return SharedFolder(root, 0, storage_mark(engine))


def test_the_first_machine_marks_the_folder_and_the_others_find_the_mark(tmp_path: Path, engine: Engine) -> None:
    share = tmp_path / "share"
    assert folder(share, engine).answers()
    (mark,) = share.iterdir()
    written = mark.read_text()
    for _ in range(2):
        folder(share, engine).require()
    assert [(path.name, path.read_text()) for path in share.iterdir()] == [(".mark", written)]
    assert folder(share, engine).sizes("video_1/") == {}


def test_another_folder_is_told(tmp_path: Path, engine: Engine, caplog: pytest.LogCaptureFixture) -> None:
    assert folder(tmp_path / "share", engine).answers()
    other = folder(tmp_path / "not mounted", engine)
    assert not other.answers()
    with pytest.raises(StorageError, match="not the folder that the other machines share"):
        other.require()
    assert list((tmp_path / "not mounted").iterdir()) == []
    assert "its mark is another, or none" in caplog.text


def test_a_share_that_is_unmounted_and_mounted_again_is_noticed(tmp_path: Path, engine: Engine) -> None:
    share, away = tmp_path / "share", tmp_path / "away"
    storage = folder(share, engine)
    assert storage.answers()
    share.rename(away)
    assert not storage.answers()
    share.rmdir()
    away.rename(share)
    assert storage.answers()


def test_a_folder_moves_with_its_mark(tmp_path: Path, engine: Engine) -> None:
    assert folder(tmp_path / "old", engine).answers()
    (tmp_path / "old").rename(tmp_path / "new")
    assert folder(tmp_path / "new", engine).answers()


def test_a_database_that_is_away_is_not_the_folder_s_fault(tmp_path: Path) -> None:
    def away(_: str) -> str:
        raise DatabaseError

    assert SharedFolder(tmp_path, 0, away).answers()
    assert list(tmp_path.iterdir()) == []
