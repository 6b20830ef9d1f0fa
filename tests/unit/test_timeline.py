"""A sliding window becomes one growing list, whatever the origin does to its numbers and names."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from downloader.playlist import MediaPlaylist, parse
from downloader.playlist_model import Map
from downloader.timeline import LEFT_THE_WINDOW, MAX_LAG, SLACK, Timeline

URL = "https://cdn.example/live/index.m3u8"
NOW = 1_750_000_000.0


def window(
    first: int,
    count: int,
    *,
    name: str = "{}.ts",
    tags: dict[int, str] | None = None,
    head: str = "",
    folder: str = "live",
    ended: bool = False,
) -> MediaPlaylist:
    """Segments of 2 seconds; ``tags`` stand before the segment with their number."""
    lines = ["#EXTM3U", "#EXT-X-TARGETDURATION:2", f"#EXT-X-MEDIA-SEQUENCE:{first}", head]
    for number in range(first, first + count):
        lines += [(tags or {}).get(number, ""), "#EXTINF:2,", name.format(number)]
    text = "\n".join([*lines, "#EXT-X-ENDLIST" if ended else ""]).encode()
    playlist = parse(text, f"https://cdn.example/{folder}/index.m3u8", max_segments=1000)
    assert isinstance(playlist, MediaPlaylist)
    return playlist


def merged(*windows: MediaPlaylist, limit: int = 1000, pause: float = 2.0) -> Timeline:
    """One load after the other."""
    timeline = Timeline(limit=limit)
    for number, each in enumerate(windows):
        timeline.merge(each, URL, NOW + number * pause)
    assert [segment.index for segment in timeline.segments] == list(range(len(timeline.segments)))
    return timeline


def names(timeline: Timeline) -> str:
    """Each segment's name, ``-`` for one never seen, ``/`` before a discontinuity."""
    shown = []
    for segment in timeline.segments:
        name = "-" if segment.title == LEFT_THE_WINDOW else segment.url.rpartition("/")[2].partition(".ts")[0]
        shown.append(f"/{name}" if segment.discontinuity else name)
    return " ".join(shown)


def test_a_window_that_slides_on_leaves_nothing_out() -> None:
    timeline = merged(window(7, 3), window(8, 3), window(8, 3), window(10, 3, ended=True))
    assert names(timeline) == "7 8 9 10 11 12"
    assert [segment.sequence for segment in timeline.segments] == [7, 8, 9, 10, 11, 12]
    assert timeline.ended
    assert timeline.window_start == 3


def test_merging_tells_whether_there_was_news() -> None:
    timeline = Timeline(limit=100)
    loads = [window(0, 2), window(0, 2), window(0, 3), window(0, 3, ended=True)]
    assert [timeline.merge(load, URL, NOW) for load in loads] == [True, False, True, True]


@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(1, 6)), min_size=1, max_size=12),
)
def test_every_number_is_there_once_and_in_order(steps: list[tuple[int, int]]) -> None:
    first, loads = 0, list[MediaPlaylist]()
    for step, count in steps:
        first += step
        loads.append(window(first, max(count, loads[-1].segments[-1].sequence - first + 1 if loads else 0)))
    timeline = merged(*loads)
    last = loads[-1].segments[-1].sequence
    start = loads[0].media_sequence
    assert [segment.sequence for segment in timeline.segments] == list(range(start, last + 1))
    seen = {segment.sequence for load in loads for segment in load.segments}
    assert {segment.sequence for segment in timeline.segments if not segment.gap} == seen
    assert not any(segment.discontinuity for segment in timeline.segments)


def test_numbers_that_no_load_has_shown_are_gaps() -> None:
    timeline = merged(window(0, 3), window(5, 2))
    assert names(timeline) == "0 1 2 - - 5 6"
    unseen = timeline.segments[3]
    assert (unseen.sequence, unseen.url, unseen.duration, unseen.gap) == (3, URL, 2.0, True)


def test_a_discontinuity_among_what_was_not_seen_is_not_lost() -> None:
    timeline = merged(window(0, 3), window(5, 2, head="#EXT-X-DISCONTINUITY-SEQUENCE:1"))
    assert names(timeline) == "0 1 2 - - /5 6"
    again = {1: "#EXT-X-DISCONTINUITY"}
    timeline = merged(window(0, 3, tags=again), window(5, 2, head="#EXT-X-DISCONTINUITY-SEQUENCE:1"))
    assert names(timeline) == "0 /1 2 - - 5 6"


def test_an_old_answer_of_a_cache_changes_nothing() -> None:
    assert names(merged(window(5, 4), window(3, 4), window(2, 4), window(6, 4))) == "5 6 7 8 9"


def test_a_stream_whose_numbers_went_back_goes_on_behind_a_discontinuity() -> None:
    assert names(merged(window(100, 3), window(0, 2), window(0, 3))) == "100 101 102 /0 1 2"
    assert names(merged(window(0, 4), window(0, 2, name="b{}.ts"), window(1, 3, name="b{}.ts"))) == (
        "0 1 2 3 /b0 b1 b2 b3"
    )
    assert names(merged(window(0, MAX_LAG + 3), window(0, 2))).endswith(" /0 1")


def test_a_stream_whose_names_changed_goes_on_behind_a_discontinuity() -> None:
    timeline = merged(window(4, 4), window(6, 3, name="b{}.ts"), window(7, 3, name="b{}.ts"))
    assert names(timeline) == "4 5 6 7 /b6 b7 b8 b9"
    assert names(merged(window(4, 4), window(0, 2, folder="second"))) == "4 5 6 7 /0 1"


def test_only_what_has_changed_is_taken_again() -> None:
    mixed = window(4, 4, tags={7: "#EXT-X-DISCONTINUITY"})
    changed = mixed.segments[3]
    renamed = type(changed)(changed.index, changed.sequence, "https://cdn.example/live/new.ts", 2.0)
    after = type(mixed)(2, 4, 0, 3, ended=False, playlist_type=None, segments=(*mixed.segments[:3], renamed))
    assert names(merged(window(4, 4), after)) == "4 5 6 7 /new"


def test_an_answer_from_before_a_restart_changes_nothing() -> None:
    old, new = window(100, 3), window(0, 2)
    assert names(merged(old, new, old, new, window(1, 2))) == "100 101 102 /0 1 2"


def test_a_jump_that_no_time_accounts_for_is_a_restart() -> None:
    assert names(merged(window(0, 2), window(1_000_000, 2))) == "0 1 /1000000 1000001"
    assert names(merged(window(0, 2), window(2 + SLACK, 1))).count("-") == SLACK
    hour = merged(window(0, 2), window(1802, 1), limit=5000, pause=3600)
    assert names(hour).count("-") == 1800


def test_tokens_in_queries_and_folders_do_not_make_another_stream() -> None:
    assert names(merged(window(0, 3, name="{}.ts?t=1"), window(1, 3, name="{}.ts?t=2"))) == "0 1 2 3"
    assert names(merged(window(0, 3, folder="t1"), window(1, 3, folder="t2"))) == "0 1 2 3"
    dated = {1: "#EXT-X-PROGRAM-DATE-TIME:2025-06-14T10:00:02Z"}
    ours = window(0, 2, name="a{}.ts", tags=dated)
    theirs = window(1, 2, name="b{}.ts", tags=dated)
    assert names(merged(ours, theirs)) == "a0 a1 b2"


def test_a_map_keeps_its_name_when_only_its_token_changes() -> None:
    one, two = ({first: f'#EXT-X-MAP:URI="init.mp4?t={first}"'} for first in (0, 1))
    timeline = merged(window(0, 2, tags=one), window(1, 2, tags=two))
    assert {segment.map for segment in timeline.segments} == {Map("https://cdn.example/live/init.mp4?t=0", None, None)}
    other = window(2, 2, tags={2: '#EXT-X-MAP:URI="other.mp4"'})
    assert merged(window(0, 2, tags=one), other).segments[-1].map != timeline.segments[0].map


def test_the_limit_is_never_exceeded() -> None:
    for second in (window(1, 9), window(90, 2), window(0, 9, name="b{}.ts")):
        timeline = merged(window(0, 3), second, limit=5)
        assert len(timeline.segments) == 5
        assert timeline.full


def test_a_playlist_may_begin_without_segments() -> None:
    timeline = merged(window(0, 0))
    assert (timeline.segments, timeline.ended, timeline.target_duration) == ([], False, 2)
    assert names(merged(window(0, 0), window(0, 2))) == "0 1"


def test_a_type_that_never_changes_is_an_end() -> None:
    assert merged(window(0, 2, head="#EXT-X-PLAYLIST-TYPE:VOD")).ended
    assert not merged(window(0, 2, head="#EXT-X-PLAYLIST-TYPE:EVENT")).ended
