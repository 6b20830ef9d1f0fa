"""Stored media is measured, and nothing a file contains can do harm by it."""

import os
import select
import signal
import subprocess
import sys
import threading
from pathlib import Path
from time import perf_counter

import pytest

from domain.ports import MediaFacts
from downloader import probe as probe_module
from downloader.probe import Reserve, probe
from tests.media import gif, hls_vod, jpeg, mp4, png, webp


def stored(folder: Path, name: str, body: bytes) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(body)
    return path


@pytest.mark.parametrize(
    ("name", "body", "facts"),
    [
        ("video.mp4", mp4(2, (320, 180)), MediaFacts(2.02, 320, 180, "mp4")),
        ("ein Film.mp4", mp4(2, (320, 180), 50_000), MediaFacts(2.02, 320, 180, "mp4")),
        ("cover.png", png(40, 30), MediaFacts(None, 40, 30, "png")),
        ("cover.jpg", jpeg(40, 30), MediaFacts(None, 40, 30, "jpeg")),
        ("cover.gif", gif(40, 30), MediaFacts(None, 40, 30, "gif")),
        ("cover.webp", webp(40, 30), MediaFacts(None, 40, 30, "webp")),
    ],
)
def test_files_are_measured(name: str, body: bytes, facts: MediaFacts, tmp_path: Path) -> None:
    assert probe(stored(tmp_path, name, body)) == facts


@pytest.mark.parametrize(("fmp4", "container"), [(False, "mpegts"), (True, "fmp4")])
def test_playlists_are_measured_with_their_pieces(fmp4: bool, container: str, tmp_path: Path) -> None:
    stream = hls_vod(3, fmp4=fmp4, variants=2)
    for name, body in stream.files.items():
        stored(tmp_path, name, body)
    facts = MediaFacts(stream.duration, *stream.size, container)
    assert probe(tmp_path / stream.media) == facts
    assert stream.master
    master = probe(tmp_path / stream.master)
    assert master
    assert (master.duration, master.format) == (facts.duration, container)


def test_a_playlist_with_gaps_has_the_whole_duration(tmp_path: Path) -> None:
    stream = hls_vod(3)
    for name, body in stream.files.items():
        if not name.endswith("segment_0.ts"):
            stored(tmp_path, name, body)
    assert probe(tmp_path / stream.media) == MediaFacts(stream.duration, *stream.size, "mpegts")


def test_a_relative_path_is_taken_from_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(stored(tmp_path, "cover.png", png()).parent)
    assert probe(Path("cover.png")) == MediaFacts(None, 64, 48, "png")


@pytest.mark.parametrize(
    ("name", "body"),
    [
        ("empty.mp4", b""),
        ("text.mp4", b"<html>"),
        ("torn.mp4", mp4()[:300]),
        ("drawing.svg", b'<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>'),
        ("list.mp4", b"ffconcat version 1.0\nfile 'real.mp4'\n"),
        ("playlist.mp4", b"#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\nreal.mp4\n#EXT-X-ENDLIST\n"),
        ("network.m3u8", b"#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\nhttp://127.0.0.1:9/a.ts\n#EXT-X-ENDLIST\n"),
    ],
)
def test_what_cannot_be_read_has_no_facts(name: str, body: bytes, tmp_path: Path) -> None:
    stored(tmp_path, "real.mp4", mp4())
    assert probe(stored(tmp_path, name, body)) is None


def test_a_missing_file_has_no_facts(tmp_path: Path) -> None:
    assert probe(tmp_path / "missing.mp4") is None


def test_time_is_limited(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "endless.mp4")  # opening it waits for a writer that never comes
    start = perf_counter()
    assert probe(tmp_path / "endless.mp4", timeout=0.5) is None
    assert perf_counter() - start < 2


def test_memory_is_limited(tmp_path: Path) -> None:
    assert probe(stored(tmp_path, "video.mp4", mp4()), memory=2**20) is None


@pytest.mark.parametrize(
    "child",
    [
        "print('{')",
        "print([])",
        "print('{\"duration\": 1}')",
        'print(\'{"duration": "x", "width": 1, "height": 1, "format": "mp4"}\')',
        "raise SystemExit(1)",
    ],
)
def test_a_subverted_child_is_not_believed(child: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probe_module, "_CHILD", stored(tmp_path, "child.py", child.encode()))
    assert probe(tmp_path / "video.mp4") is None


def test_the_child_inherits_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    report = (
        "import json, os, sys\n"
        "secrets = [name for name in os.environ if name != 'LC_CTYPE']\n"
        "own_group = int(os.getpgrp() == os.getpid())\n"
        "files = len(os.listdir('/proc/self/fd'))\n"
        "nothing = int(sys.stdin.read() == '')\n"
        "facts = dict(duration=files, width=own_group, height=nothing, format=os.getcwd() + ' '.join(secrets))\n"
        "print(json.dumps(facts))\n"
    )
    monkeypatch.setenv("JWT_SECRET_KEY", "s3cret")
    monkeypatch.setattr(probe_module, "_CHILD", stored(tmp_path, "child.py", report.encode()))
    assert probe(tmp_path / "video.mp4") == MediaFacts(4.0, 1, 1, "/")


def test_threads_may_probe_side_by_side(tmp_path: Path) -> None:
    path, answers = stored(tmp_path, "video.mp4", mp4()), list[MediaFacts | None]()
    threads = [threading.Thread(target=lambda: answers.append(probe(path))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == [MediaFacts(2.02, 320, 180, "mp4")] * 4


# --- a child in reserve ---

PID = """
import json, os, sys
job = sys.argv[1:] or sys.stdin.read().split("\\0")
told = int(len(job) == 4 and job[0].endswith("video.mp4"))
secrets = [name for name in os.environ if name != "LC_CTYPE"]
files = len(os.listdir("/proc/self/fd"))
print(json.dumps(dict(duration=os.getpid(), width=told, height=files, format=os.getcwd() + " ".join(secrets))))
"""


def waiting(reserve: Reserve) -> int:
    """The process that waits."""
    assert reserve._waiting is not None
    return reserve._waiting._process.pid


def is_gone(pid: int) -> bool:
    return not Path(f"/proc/{pid}").exists()


def test_a_child_in_reserve_measures_as_any_other(tmp_path: Path) -> None:
    path, cover, reserve = stored(tmp_path, "ein Film.mp4", mp4(2, (320, 180))), tmp_path / "cover.jpg", Reserve()
    with reserve.kept():
        assert reserve.probe(path, cover) == MediaFacts(2.02, 320, 180, "mp4")
        assert cover.read_bytes().startswith(b"\xff\xd8")
        assert reserve.probe(tmp_path / "missing.mp4") is None


def test_a_child_in_reserve_is_used_once_and_inherits_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JWT_SECRET_KEY", "s3cret")
    monkeypatch.setattr(probe_module, "_CHILD", stored(tmp_path, "child.py", PID.encode()))
    reserve = Reserve()
    with reserve.kept(), reserve.kept():
        first, one = waiting(reserve), reserve.probe(tmp_path / "video.mp4")
        second, other = waiting(reserve), reserve.probe(tmp_path / "video.mp4")
    assert (one, other) == (MediaFacts(first, 1, 4, "/"), MediaFacts(second, 1, 4, "/"))
    assert first != second
    assert is_gone(first)
    assert is_gone(second)


def test_no_child_waits_for_nobody() -> None:
    reserve = Reserve()
    with reserve.kept():
        with reserve.kept():
            pid = waiting(reserve)
        assert not is_gone(pid)
    assert is_gone(pid)
    assert reserve._waiting is None


def test_a_child_that_was_killed_in_reserve_is_replaced(tmp_path: Path) -> None:
    path, reserve = stored(tmp_path, "video.mp4", mp4(2, (320, 180))), Reserve()
    with reserve.kept():
        os.kill(waiting(reserve), signal.SIGKILL)
        os.waitid(os.P_PID, waiting(reserve), os.WEXITED | os.WNOWAIT)
        assert reserve.probe(path) == MediaFacts(2.02, 320, 180, "mp4")


def test_a_child_in_reserve_is_limited_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    reserve = Reserve()
    with reserve.kept():
        monkeypatch.setattr(probe_module, "MEMORY", 2**20)
        assert reserve.probe(stored(tmp_path, "video.mp4", mp4())) is None
    os.mkfifo(tmp_path / "endless.mp4")
    monkeypatch.setattr(probe_module, "TIMEOUT", 0.5)
    with reserve.kept():
        start = perf_counter()
        assert reserve.probe(tmp_path / "endless.mp4") is None
        assert perf_counter() - start < 2


def test_a_child_in_reserve_ends_with_its_parent() -> None:
    parent = (
        "from downloader.probe import Reserve\n"
        "reserve = Reserve()\n"
        "with reserve.kept():\n"
        "    print(reserve._waiting._process.pid, flush=True)\n"
        "    input()\n"
    )
    with subprocess.Popen([sys.executable, "-c", parent], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout
        child = os.pidfd_open(int(process.stdout.readline()))
        process.kill()
        ended, _, _ = select.select([child], [], [], 10)
        os.close(child)
    assert ended == [child]
