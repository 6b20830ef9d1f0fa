"""The local playlist names what is stored, keeps the place of what is not, and plays."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from time import process_time

import av
import pytest

from downloader.local_playlist import LocalPlaylist, render_master
from downloader.playlist import (
    ByteRange,
    Key,
    Map,
    MasterPlaylist,
    MediaPlaylist,
    Rendition,
    Segment,
    Variant,
    parse,
)
from downloader.timeline import Timeline
from tests.media import HlsStream, hls_vod

KEY = Key("https://cdn.example/k", bytes(16))
INITS = [Map(f"https://cdn.example/init{n}.mp4?s3cret", ByteRange(0, 9), KEY) for n in range(2)]


def playlist(*segments: Segment) -> MediaPlaylist:
    return MediaPlaylist(
        target_duration=10,
        media_sequence=41,
        discontinuity_sequence=2,
        version=3,
        ended=True,
        playlist_type=None,
        segments=segments,
    )


def segment(index: int, section: Map | None = None) -> Segment:
    url = f"https://cdn.example/{index}.ts?s3cret"
    return Segment(index, 41 + index, url, 9.5, "", ByteRange(0, 5), KEY, section)


def listing(media: MediaPlaylist, extension: str = "ts") -> LocalPlaylist:
    """Nothing of it is listed yet."""
    return LocalPlaylist(
        Timeline.of(media),
        segment_name=lambda segment: f"ts/segment_{segment.index:06d}.{extension}",
        map_name=lambda section: f"init_{media.maps.index(section):03d}.mp4",
    )


def local(media: MediaPlaylist, *lost: int, extension: str = "ts") -> str:
    """All of it, at the end."""
    playlist = listing(media, extension)
    playlist.advance(len(media.segments), lambda segment: segment.index not in lost)
    return playlist.render(ended=True).decode()


def test_the_end_result_is_a_vod_playlist_of_local_names() -> None:
    dated = replace(segment(0), title="Début", program_date_time=datetime(2025, 6, 14, 10, tzinfo=UTC))
    assert local(playlist(dated, replace(segment(1), discontinuity=True, duration=1.25))) == (
        "#EXTM3U\n"
        "#EXT-X-VERSION:3\n"
        "#EXT-X-TARGETDURATION:10\n"
        "#EXT-X-MEDIA-SEQUENCE:0\n"
        "#EXT-X-DISCONTINUITY-SEQUENCE:2\n"
        "#EXT-X-PLAYLIST-TYPE:VOD\n"
        "#EXT-X-PROGRAM-DATE-TIME:2025-06-14T10:00:00+00:00\n"
        "#EXTINF:9.500000,Début\n"
        "ts/segment_000000.ts\n"
        "#EXT-X-DISCONTINUITY\n"
        "#EXTINF:1.250000,\n"
        "ts/segment_000001.ts\n"
        "#EXT-X-ENDLIST\n"
    )


def test_while_it_runs_it_is_an_event_playlist_that_only_grows() -> None:
    media = playlist(*map(segment, range(5)))
    states: dict[int, bool | None] = {0: True, 1: None, 2: True, 3: False, 4: True}
    growing = listing(media)

    assert growing.advance(5, lambda segment: states[segment.index])
    begun = growing.render(ended=False).decode()
    assert not growing.advance(5, lambda segment: states[segment.index])
    assert growing.render(ended=False).decode() == begun

    assert "#EXT-X-PLAYLIST-TYPE:EVENT\n" in begun
    assert begun.endswith("EVENT\n#EXTINF:9.500000,\nts/segment_000000.ts\n")
    states[1] = True
    assert growing.advance(4, lambda segment: states[segment.index])
    assert growing.render(ended=False).decode() == begun.replace("VERSION:3", "VERSION:8") + (
        "#EXTINF:9.500000,\nts/segment_000001.ts\n"
        "#EXTINF:9.500000,\nts/segment_000002.ts\n"
        "#EXT-X-GAP\n#EXTINF:9.500000,\nts/segment_000003.ts\n"
    )
    assert growing.count == 4


def test_growing_costs_what_is_new() -> None:
    growing, began = listing(playlist(*map(segment, range(20_000)))), process_time()
    for stop in range(100, 20_001, 100):
        growing.advance(stop, lambda _: True)
        growing.render(ended=False)
    assert process_time() - began < 1.5


def test_what_is_missing_keeps_its_place_as_a_gap() -> None:
    lines = local(playlist(*map(segment, range(3))), 1).splitlines()
    assert lines[1] == "#EXT-X-VERSION:8"
    assert lines[6:-1] == [
        *("#EXTINF:9.500000,", "ts/segment_000000.ts"),
        *("#EXT-X-GAP", "#EXTINF:9.500000,", "ts/segment_000001.ts"),
        *("#EXTINF:9.500000,", "ts/segment_000002.ts"),
    ]


def test_an_initialization_section_is_named_where_stored_segments_need_it() -> None:
    media = playlist(*(segment(index, INITS[index // 3]) for index in range(5)))
    lines = local(media, 0, 3, 4).splitlines()
    assert [line for line in lines if "INF" not in line][6:-1] == [
        *("#EXT-X-GAP", "ts/segment_000000.ts"),
        *('#EXT-X-MAP:URI="init_000.mp4"', "ts/segment_000001.ts", "ts/segment_000002.ts"),
        *("#EXT-X-GAP", "ts/segment_000003.ts", "#EXT-X-GAP", "ts/segment_000004.ts"),
    ]
    whole = local(media).splitlines()
    assert whole[1] == "#EXT-X-VERSION:6"
    assert [line for line in whole if "MAP" in line] == [
        '#EXT-X-MAP:URI="init_000.mp4"',
        '#EXT-X-MAP:URI="init_001.mp4"',
    ]


def test_nothing_of_the_source_is_left() -> None:
    text = local(playlist(segment(0, INITS[0]), segment(1, INITS[1])), 1)
    assert not any(word in text for word in ("s3cret", "cdn.example", "KEY", "BYTERANGE"))


def test_the_local_playlist_can_be_read_again() -> None:
    media = playlist(segment(0, INITS[0]), segment(1, INITS[1]), replace(segment(2, INITS[1]), discontinuity=True))
    again = parse(local(media, 1).encode(), "file:///local.m3u8", max_segments=9)
    assert isinstance(again, MediaPlaylist)
    assert [each.gap for each in again.segments] == [False, True, False]
    assert [each.discontinuity for each in again.segments] == [False, False, True]
    assert [each.duration for each in again.segments] == [9.5, 9.5, 9.5]
    assert (again.target_duration, again.discontinuity_sequence, again.ended) == (10, 2, True)


def test_a_master_playlist_names_the_stored_renditions() -> None:
    german = Rendition("AUDIO", "a", 'Deutsch "neu"', "de", "https://cdn.example/de", default=True, channels="2")
    english = Rendition("AUDIO", "a", "English", "en", "https://cdn.example/en", autoselect=True)
    lost = Rendition("SUBTITLES", "s", "English", "en", "https://cdn.example/sub")
    carried = Rendition("AUDIO", "a", "Original", forced=True)
    variant = Variant("https://cdn.example/v", 900, 640, 360, "avc1.4d401f,mp4a.40.2", "a", "s")
    master = MasterPlaylist((variant,), (german, english, lost, carried), {})
    names = {german: "audio_0.m3u8", english: "audio_1.m3u8"}
    assert render_master(master, variant, "video.m3u8", names) == (
        "#EXTM3U\n"
        "#EXT-X-VERSION:6\n"
        '#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="a",NAME="Deutsch \'neu\'",LANGUAGE="de",DEFAULT=YES,AUTOSELECT=YES,'
        'CHANNELS="2",URI="audio_0.m3u8"\n'
        '#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="a",NAME="English",LANGUAGE="en",DEFAULT=NO,AUTOSELECT=YES,'
        'URI="audio_1.m3u8"\n'
        '#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="a",NAME="Original",DEFAULT=NO,AUTOSELECT=NO,FORCED=YES\n'
        '#EXT-X-STREAM-INF:BANDWIDTH=900,RESOLUTION=640x360,CODECS="avc1.4d401f,mp4a.40.2",AUDIO="a"\n'
        "video.m3u8\n"
    )


def _store(stream: HlsStream, folder: Path, lost: set[int]) -> Path:
    """Store the plain pieces as a download would, and the playlist beside them."""
    media = parse(stream.files[stream.media], f"http://origin.test/{stream.media}", max_segments=9)
    assert isinstance(media, MediaPlaylist)
    extension = "m4s" if stream.init else "ts"
    (folder / "ts").mkdir()
    if stream.init:
        (folder / "init_000.mp4").write_bytes(stream.init)
    for index, body in enumerate(stream.segments):
        if index not in lost:
            (folder / f"ts/segment_{index:06d}.{extension}").write_bytes(body)
    target = folder / "local.m3u8"
    target.write_text(local(media, *lost, extension=extension), "utf-8")
    return target


def _play(target: Path) -> tuple[float, list[float]]:
    """The duration, and the times of all pictures, in seconds, with FFmpeg's own settings."""
    with av.open(str(target)) as container:
        assert container.duration
        return container.duration / av.time_base, [frame.time for frame in container.decode(video=0)]


@pytest.mark.parametrize("lost", [{0}, {1, 2}, {5}, {0, 1, 3, 4}], ids=str)
@pytest.mark.parametrize("fmp4", [False, True], ids=["ts", "fmp4"])
def test_it_plays_what_is_there_at_its_own_time(fmp4: bool, lost: set[int], tmp_path: Path) -> None:
    stream = hls_vod(6, 0.5, fmp4=fmp4, encryption="sequence", byte_ranges="implied")
    (tmp_path / "whole").mkdir()
    duration, whole = _play(_store(stream, tmp_path / "whole", set()))
    assert duration == pytest.approx(stream.duration)
    assert [time - whole[0] for time in whole] == pytest.approx([number / 10 for number in range(30)], abs=1e-3)
    (tmp_path / "gaps").mkdir()
    duration, stored = _play(_store(stream, tmp_path / "gaps", lost))
    assert duration == pytest.approx(stream.duration)
    assert stored == [time for number, time in enumerate(whole) if number // 5 not in lost]
