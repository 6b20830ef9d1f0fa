"""What was recorded is read again as it was: a run goes on where another ended, and retries find every URL."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from downloader.playlist import parse
from downloader.playlist_model import ByteRange, Key, Map, MediaPlaylist, Segment
from downloader.recording import PART, Recording
from downloader.timeline import Timeline
from storage.local import LocalStorage
from tests.unit.test_timeline import NOW, URL, names, window

LIMIT = 100_000


class Parts(dict[str, bytes]):
    """A storage of nothing but these."""

    def read(self, key: str) -> bytes | None:
        return self.get(key)

    def write(self, key: str, data: bytes) -> None:
        self[key] = data


def recording(storage: LocalStorage) -> Recording:
    return Recording(storage, lambda number: f"video/hls/recording_{number}.m3u8")


@pytest.fixture
def storage(tmp_path: Path) -> LocalStorage:
    return LocalStorage(tmp_path)


# --- any segment ---

urls = st.builds(
    "https://{}.example/{}?{}".format,
    st.sampled_from("ab"),
    st.text("abc/ ,=:;@%&\u00e9", max_size=8).map(lambda text: f"x{text}x"),
    st.text("abc,=&", max_size=5).map(lambda text: f"t{text}"),
)
ranges = st.none() | st.builds(ByteRange, st.integers(0, 2**40), st.integers(1, 2**30))
keys = st.none() | st.builds(Key, urls, st.binary(min_size=16, max_size=16))
maps = st.builds(Map, urls, ranges, keys)
dates = st.none() | st.datetimes(datetime(1990, 1, 1), datetime(2090, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - see timezones
titles = st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Zl", "Zp")), max_size=9).map(str.strip)


@st.composite
def timelines(draw: st.DrawFn) -> Timeline:
    """Several numberings, with and without maps, as merging leaves them."""
    timeline = Timeline(limit=LIMIT, discontinuity_sequence=draw(st.integers(0, 9)))
    for section in draw(st.lists(st.none() | maps, min_size=1, max_size=4)):
        first = draw(
            st.integers(0, 2**40).filter(lambda n: not timeline.segments or n != timeline.segments[-1].sequence + 1)
        )
        for number in range(draw(st.integers(1, 5))):
            timeline.segments.append(
                Segment(
                    index=len(timeline.segments),
                    sequence=first + number,
                    url=draw(urls),
                    duration=draw(st.floats(0, 1e6)),
                    title=draw(titles),
                    byte_range=draw(ranges),
                    key=draw(keys),
                    map=section,
                    discontinuity=draw(st.booleans()),
                    gap=draw(st.booleans()),
                    program_date_time=draw(dates),
                )
            )
    timeline.target_duration = 1_000_000
    timeline.ended = draw(st.booleans())
    timeline.loaded_at = draw(st.integers(0, 2**33)) / 8
    return timeline


@settings(max_examples=80, deadline=None)
@given(timelines())
def test_any_timeline_is_read_as_it_was_saved(timeline: Timeline) -> None:
    parts = Parts()
    Recording(parts, str).save(timeline)  # type: ignore[arg-type]  # all of a storage that a recording uses
    again = Recording(parts, str).load(LIMIT)  # type: ignore[arg-type]  # the same
    assert again is not None
    assert again.segments == timeline.segments
    for name in ("target_duration", "discontinuity_sequence", "ended", "loaded_at"):
        assert getattr(again, name) == getattr(timeline, name)


@settings(max_examples=20, deadline=None)
@given(timelines())
def test_every_part_is_a_playlist_of_its_own(timeline: Timeline) -> None:
    parts = Parts()
    Recording(parts, str).save(timeline)  # type: ignore[arg-type]  # all of a storage that a recording uses
    read = [parse(text, "", max_segments=PART) for text in parts.values()]
    assert all(isinstance(part, MediaPlaylist) for part in read)
    assert [part.is_whole for part in read if isinstance(part, MediaPlaylist)][-1] == timeline.ended


# --- going on ---


def loads() -> Iterator[MediaPlaylist]:
    yield window(0, 3)
    yield window(5, 2)
    yield window(100_000, 2)
    yield window(100_001, 4)
    yield window(0, 3, name="b{}.ts", tags={0: '#EXT-X-MAP:URI="init.mp4"'})
    yield window(1, 3, name="b{}.ts", tags={1: '#EXT-X-MAP:URI="init.mp4"'}, ended=True)


@pytest.mark.parametrize("interrupted", range(6))
def test_a_recording_goes_on_as_if_it_had_not_stopped(storage: LocalStorage, interrupted: int) -> None:
    timeline, saved = Timeline(limit=LIMIT), recording(storage)
    for number, load in enumerate(loads()):
        timeline.merge(load, URL, NOW + 2 * number)
        saved.save(timeline)
        if number == interrupted:
            saved = recording(storage)
            again = saved.load(LIMIT)
            assert again is not None
            timeline = again
    assert names(timeline) == "0 1 2 - - 5 6 /100000 100001 100002 100003 100004 /b0 b1 b2 b3"
    assert timeline.ended


def test_nothing_saved_is_nothing_recorded(storage: LocalStorage) -> None:
    assert recording(storage).load(LIMIT) is None
    recording(storage).save(Timeline(limit=LIMIT))
    assert recording(storage).load(LIMIT) is None


def test_a_save_writes_what_is_new_and_no_more(storage: LocalStorage, tmp_path: Path) -> None:
    timeline, saved = Timeline(limit=LIMIT), recording(storage)
    folder = tmp_path / "video/hls"
    for number in range(3 * PART // 100 + 1):
        timeline.merge(window(100 * number, 100), URL, NOW)
        saved.save(timeline)
    assert sorted(path.name for path in folder.iterdir()) == [f"recording_{number}.m3u8" for number in range(4)]
    stamps = {path.name: path.stat().st_ino for path in folder.iterdir()}
    timeline.ended = True
    saved.save(timeline)
    changed = {path.name for path in folder.iterdir() if path.stat().st_ino != stamps[path.name]}
    assert changed == {"recording_3.m3u8"}
    again = recording(storage).load(LIMIT)
    assert again is not None
    assert (again.segments, again.ended) == (timeline.segments, True)


@pytest.mark.parametrize("spoil", [b"", b"\0" * 99, None], ids=["empty", "zeros", "torn"])
def test_a_part_that_a_power_cut_has_spoiled_ends_it_there(
    storage: LocalStorage, tmp_path: Path, spoil: bytes | None
) -> None:
    timeline = Timeline(limit=LIMIT)
    for number in range(4):
        timeline.merge(window(100 * number, 100), URL, NOW + 200 * number)
    recording(storage).save(timeline)
    path = tmp_path / "video/hls/recording_1.m3u8"
    path.write_bytes(path.read_bytes()[:-30].rpartition(b"\n")[0] if spoil is None else spoil)
    saved = recording(storage)
    again = saved.load(LIMIT)
    assert again is not None
    assert again.segments == timeline.segments[:PART]
    again.merge(window(400, 2), URL, NOW + timedelta(hours=1).total_seconds())
    saved.save(again)
    assert (loaded := recording(storage).load(LIMIT)) is not None
    assert loaded.segments == again.segments
