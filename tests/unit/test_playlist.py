"""Playlists are read as RFC 8216 says, whatever servers make of it."""

from contextlib import suppress
from datetime import UTC, datetime
from time import perf_counter

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from domain.errors import TransferError
from domain.values import FailureType
from downloader.playlist import (
    ByteRange,
    Key,
    Map,
    MasterPlaylist,
    MediaPlaylist,
    Rendition,
    Segment,
    Variant,
    choose_variant,
    parse,
)
from tests.media import hls_vod

BASE = "https://cdn.example/live/stream/index.m3u8?token=s3cret"
IV = bytes(range(16))


def read(*lines: str, base_url: str = BASE, max_segments: int = 100, **imported: str) -> MediaPlaylist:
    """Parse a media playlist that has these lines after the first two."""
    text = "\n".join(["#EXTM3U", "#EXT-X-TARGETDURATION:10", *lines]).encode()
    playlist = parse(text, base_url, max_segments=max_segments, imported=imported)
    assert isinstance(playlist, MediaPlaylist)
    return playlist


def read_master(*lines: str) -> MasterPlaylist:
    playlist = parse("\n".join(["#EXTM3U", *lines]).encode(), BASE, max_segments=100)
    assert isinstance(playlist, MasterPlaylist)
    return playlist


def refused(text: bytes | str, *, max_segments: int = 100) -> str:
    """The message of the refusal."""
    content = text.encode() if isinstance(text, str) else text
    with pytest.raises(TransferError) as error:
        parse(content, BASE, max_segments=max_segments)
    assert error.value.failure_type is FailureType.INVALID_CONTENT
    assert "s3cret" not in str(error.value)
    return str(error.value)


def refused_lines(*lines: str) -> str:
    return refused("\n".join(["#EXTM3U", "#EXT-X-TARGETDURATION:10", *lines]))


# --- media playlists ----------------------------------------------------------------------------------------


def test_every_tag_of_a_segment_is_read() -> None:
    playlist = read(
        "#EXT-X-VERSION:7",
        "#EXT-X-MEDIA-SEQUENCE:41",
        "#EXT-X-DISCONTINUITY-SEQUENCE:3",
        "#EXT-X-PLAYLIST-TYPE:VOD",
        '#EXT-X-MAP:URI="init.mp4",BYTERANGE="720@0"',
        f'#EXT-X-KEY:METHOD=AES-128,URI="/keys/1?k=s3cret",IV=0x{IV.hex().upper()}',
        "#EXT-X-PROGRAM-DATE-TIME:2025-06-14T10:00:00.500Z",
        "#EXT-X-DISCONTINUITY",
        "#EXTINF:9.5,The first, and best",
        "#EXT-X-BYTERANGE:1000@720",
        "media.mp4?token=s3cret",
        "#EXTINF:3,",
        "#EXT-X-GAP",
        "https://other.example/2.mp4",
        "#EXT-X-ENDLIST",
    )
    key, init = Key("https://cdn.example/keys/1?k=s3cret", IV), _map(ByteRange(0, 720))
    assert playlist.segments == (
        Segment(
            index=0,
            sequence=41,
            url="https://cdn.example/live/stream/media.mp4?token=s3cret",
            duration=9.5,
            title="The first, and best",
            byte_range=ByteRange(720, 1000),
            key=key,
            map=init,
            discontinuity=True,
            program_date_time=datetime(2025, 6, 14, 10, 0, 0, 500_000, UTC),
        ),
        Segment(1, 42, "https://other.example/2.mp4", 3.0, key=key, map=init, gap=True),
    )
    assert (playlist.version, playlist.target_duration, playlist.media_sequence) == (7, 10, 41)
    assert (playlist.discontinuity_sequence, playlist.playlist_type, playlist.ended) == (3, "VOD", True)
    assert playlist.maps == (init,)


def _map(byte_range: ByteRange | None = None, key: Key | None = None) -> Map:
    return Map("https://cdn.example/live/stream/init.mp4", byte_range, key)


def test_byte_order_mark_crlf_and_blank_lines_change_nothing() -> None:
    lines = ["#EXTM3U", "#EXT-X-TARGETDURATION:4", "", "# a remark", "#EXTINF:4,", "a.ts", "#EXT-X-ENDLIST", ""]
    plain = parse("\n".join(lines).encode(), BASE, max_segments=9)
    dressed = parse(b"\xef\xbb\xbf" + "\r\n".join(lines).encode(), BASE, max_segments=9)
    assert isinstance(plain, MediaPlaylist)
    assert isinstance(dressed, MediaPlaylist)
    assert dressed.segments == plain.segments
    assert [segment.url for segment in dressed.segments] == ["https://cdn.example/live/stream/a.ts"]


def test_line_ends_of_unicode_do_not_split_a_line() -> None:
    assert read("#EXTINF:4,one\u2028two\x0bthree", "a.ts").segments[0].title == "one two three"


@pytest.mark.parametrize(
    ("uri", "url"),
    [
        ("a.ts", "https://cdn.example/live/stream/a.ts"),
        ("../a.ts?x=1&y=2", "https://cdn.example/live/a.ts?x=1&y=2"),
        ("/a.ts", "https://cdn.example/a.ts"),
        ("//other.example/a.ts", "https://other.example/a.ts"),
        ("http://other.example:8080/a.ts", "http://other.example:8080/a.ts"),
        ("?part=7", "https://cdn.example/live/stream/index.m3u8?part=7"),
        ("file:///etc/passwd", "file:///etc/passwd"),
        ("http://[bad", "http://[bad"),
    ],
)
def test_uris_are_relative_to_the_playlist(uri: str, url: str) -> None:
    assert read("#EXTINF:4,", uri).segments[0].url == url


def test_urls_stay_out_of_repr() -> None:
    playlist = read(
        '#EXT-X-KEY:METHOD=AES-128,URI="k?s3cret"', '#EXT-X-MAP:URI="i?s3cret"', "#EXTINF:4,", "a.ts?s3cret"
    )
    master = read_master(
        '#EXT-X-DEFINE:NAME="token",VALUE="s3cret"',
        '#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="a",NAME="n",URI="s3cret"',
        "#EXT-X-STREAM-INF:BANDWIDTH=1",
        "v?s3cret",
    )
    assert "s3cret" not in repr(playlist) + repr(playlist.segments[0]) + repr(master)


def test_the_target_duration_covers_every_segment() -> None:
    assert read("#EXTINF:12.5,", "a.ts").target_duration == 13
    assert read("#EXT-X-TARGETDURATION:9.2", "#EXTINF:2,", "a.ts").target_duration == 10


def test_a_live_playlist_may_have_no_segments_yet() -> None:
    playlist = read("#EXT-X-MEDIA-SEQUENCE:7")
    assert (playlist.segments, playlist.ended, playlist.media_sequence) == ((), False, 7)


def test_tags_of_low_latency_and_unknown_tags_are_passed_over() -> None:
    playlist = read(
        "#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,PART-HOLD-BACK=never",
        "#EXT-X-DATERANGE:ID=1,DURATION=long",
        "#EXT-X-BITRATE:much",
        "#EXTINF:4,",
        "a.ts",
        '#EXT-X-PART:DURATION=soon,URI="b.1.ts"',
        '#EXT-X-PRELOAD-HINT:TYPE=PART,URI="b.2.ts"',
        "#EXT-X-PROGRAM-DATE-TIME:yesterday",
        "#EXT-X-OURS",
    )
    assert [segment.url for segment in playlist.segments] == ["https://cdn.example/live/stream/a.ts"]


# --- byte ranges --------------------------------------------------------------------------------------------


def test_an_offset_is_implied_by_the_previous_segment_of_the_same_file() -> None:
    playlist = read(
        '#EXT-X-MAP:URI="all.mp4",BYTERANGE="50"',
        *("#EXTINF:4,", "#EXT-X-BYTERANGE:100@50", "all.mp4"),
        *("#EXTINF:4,", "#EXT-X-BYTERANGE:10", "all.mp4"),
        *("#EXTINF:4,", "#EXT-X-BYTERANGE:5@1000", "all.mp4"),
        *("#EXTINF:4,", "#EXT-X-BYTERANGE:7", "all.mp4"),
        *("#EXTINF:4,", "whole.mp4"),
    )
    ranges = [(50, 100), (150, 10), (1000, 5), (1005, 7)]
    expected = [*(ByteRange(offset, length) for offset, length in ranges), None]
    assert [segment.byte_range for segment in playlist.segments] == expected
    assert playlist.maps[0].byte_range == ByteRange(0, 50)


@pytest.mark.parametrize(
    "lines",
    [
        ("#EXTINF:4,", "#EXT-X-BYTERANGE:10", "a.ts"),
        ("#EXTINF:4,", "#EXT-X-BYTERANGE:10@0", "a.ts", "#EXTINF:4,", "#EXT-X-BYTERANGE:10", "b.ts"),
        ("#EXTINF:4,", "a.ts", "#EXTINF:4,", "#EXT-X-BYTERANGE:10", "a.ts"),
        ("#EXTINF:4,", "#EXT-X-BYTERANGE:0@0", "a.ts"),
        ("#EXTINF:4,", "#EXT-X-BYTERANGE:-5@0", "a.ts"),
        ("#EXTINF:4,", "#EXT-X-BYTERANGE:5@-1", "a.ts"),
        ("#EXTINF:4,", f"#EXT-X-BYTERANGE:5@1{'0' * 5000}", "a.ts"),
        ('#EXT-X-MAP:URI="i",BYTERANGE="x"', "#EXTINF:4,", "a.ts"),
    ],
)
def test_byte_ranges_without_a_sense_are_refused(lines: tuple[str, ...]) -> None:
    assert refused_lines(*lines).startswith("byte range: ")


# --- keys ---------------------------------------------------------------------------------------------------


def test_the_default_iv_is_the_media_sequence_number() -> None:
    playlist = read(
        "#EXT-X-MEDIA-SEQUENCE:70000",
        '#EXT-X-MAP:URI="init.mp4"',
        '#EXT-X-KEY:METHOD=AES-128,URI="k1"',
        *("#EXTINF:4,", "a.ts", '#EXT-X-MAP:URI="init2.mp4"', "#EXTINF:4,", "b.ts"),
        *('#EXT-X-KEY:METHOD=AES-128,URI="k2",KEYFORMAT="identity"', "#EXTINF:4,", "c.ts"),
        *("#EXT-X-KEY:METHOD=NONE", "#EXTINF:4,", "d.ts"),
    )
    folder = "https://cdn.example/live/stream/"
    assert [segment.key for segment in playlist.segments] == [
        Key(f"{folder}k1", (70000).to_bytes(16)),
        Key(f"{folder}k1", (70001).to_bytes(16)),
        Key(f"{folder}k2", (70002).to_bytes(16)),
        None,
    ]


def test_an_initialization_section_has_the_key_before_it() -> None:
    key_line = f'#EXT-X-KEY:METHOD=AES-128,URI="k",IV=0x{IV.hex()}'
    map_line, segment = '#EXT-X-MAP:URI="init.mp4"', ("#EXTINF:4,", "a.mp4")
    key = Key("https://cdn.example/live/stream/k", IV)
    assert read(key_line, map_line, *segment).maps == (_map(key=key),)
    assert read(map_line, key_line, *segment).maps == (_map(),)


def test_an_initialization_section_without_iv_takes_that_of_the_next_segment() -> None:
    first = ("#EXTINF:4,", "a.mp4")
    rest = ('#EXT-X-KEY:METHOD=AES-128,URI="k"', '#EXT-X-MAP:URI="init.mp4"', "#EXTINF:4,", "b.mp4")
    playlist = read("#EXT-X-MEDIA-SEQUENCE:8", *first, *rest)
    key = Key("https://cdn.example/live/stream/k", (9).to_bytes(16))
    assert [segment.map for segment in playlist.segments] == [None, _map(key=key)]


def test_one_of_several_keys_that_apply_is_enough() -> None:
    playlist = read(
        '#EXT-X-KEY:METHOD=AES-128,URI="k"',
        '#EXT-X-KEY:METHOD=AES-128,URI="skd://x",KEYFORMAT="com.apple.streamingkeydelivery"',
        *("#EXTINF:4,", "a.ts"),
    )
    assert playlist.segments[0].key == Key("https://cdn.example/live/stream/k", bytes(16))


@pytest.mark.parametrize(
    ("key", "message"),
    [
        (
            'METHOD=SAMPLE-AES,URI="k"',
            "SAMPLE-AES: a stream whose samples are encrypted one by one cannot be stored",
        ),
        (
            'METHOD=SAMPLE-AES-CTR,URI="data:x",KEYFORMAT="urn:uuid:EDEF8BA9-79D6-4ACE-A3C8-27DCD51D21ED"',
            "DRM: the stream is protected by Widevine and cannot be stored",
        ),
        (
            'METHOD=SAMPLE-AES,URI="skd://x",KEYFORMAT="com.apple.streamingkeydelivery"',
            "DRM: the stream is protected by FairPlay and cannot be stored",
        ),
        (
            'METHOD=AES-128,URI="k",KEYFORMAT="https://s3cret"',
            "DRM: the stream is protected by an unknown system and cannot be stored",
        ),
        ('METHOD=ROT-13,URI="k"', "unknown key method: ROT-13"),
        ('METHOD="a b?s=1",URI="k"', "unknown key method: a?b?s?1"),
        ('URI="k"', "unknown key method: the playlist names none"),
        ("METHOD=AES-128", "key: the playlist has a key without a URI"),
        ('METHOD=AES-128,URI="k",IV=0x123g', "IV: the initialization vector is not a number of 128 bits"),
        (
            f'METHOD=AES-128,URI="k",IV=0x{"1" * 33}',
            "IV: the initialization vector is not a number of 128 bits",
        ),
    ],
)
def test_what_cannot_be_decrypted_is_refused_by_name(key: str, message: str) -> None:
    assert refused_lines(f"#EXT-X-KEY:{key}", "#EXTINF:4,", "a.ts") == message


# --- variables ----------------------------------------------------------------------------------------------


def test_variables_are_replaced() -> None:
    playlist = read(
        '#EXT-X-DEFINE:NAME="host",VALUE="https://edge.example"',
        '#EXT-X-DEFINE:QUERYPARAM="token"',
        '#EXT-X-DEFINE:IMPORT="folder"',
        '#EXT-X-KEY:METHOD=AES-128,URI="{$host}/k"',
        "#EXTINF:4,",
        "{$host}/{$folder}/a.ts?t={$token}",
        base_url="https://cdn.example/x.m3u8?token=a%2Bb",
        folder="films",
    )
    assert playlist.segments[0].url == "https://edge.example/films/a.ts?t=a+b"
    assert playlist.segments[0].key == Key("https://edge.example/k", bytes(16))


def test_a_master_playlist_keeps_its_variables_for_import() -> None:
    master = read_master('#EXT-X-DEFINE:NAME="a",VALUE="1"', "#EXT-X-STREAM-INF:BANDWIDTH=1", "v{$a}.m3u8")
    assert master.variables == {"a": "1"}
    assert master.variants[0].url == "https://cdn.example/live/stream/v1.m3u8"


def test_without_definitions_nothing_is_replaced() -> None:
    assert read("#EXTINF:4,", "{$a}.ts").segments[0].url.endswith("/{$a}.ts")


@pytest.mark.parametrize(
    ("define", "message"),
    [
        ('NAME="b",VALUE="1"', "EXT-X-DEFINE: the variable 'a' is not defined"),
        ('NAME="a"', "EXT-X-DEFINE: the variable 'a' has no usable value"),
        ('IMPORT="a"', "EXT-X-DEFINE: the variable 'a' has no usable value"),
        ('QUERYPARAM="a"', "EXT-X-DEFINE: the variable 'a' has no usable value"),
        ("", "EXT-X-DEFINE: the variable '' has no usable value"),
        (f'NAME="a",VALUE="{"x" * 5_000_000}"', "over a limit: the variables of the playlist grow too long"),
    ],
)
def test_bad_variables_are_refused(define: str, message: str) -> None:
    assert refused_lines(f"#EXT-X-DEFINE:{define}", "#EXTINF:4,", "{$a}{$a}.ts") == message


def test_a_query_cannot_smuggle_lines_into_the_playlist() -> None:
    text = b'#EXTM3U\n#EXT-X-DEFINE:QUERYPARAM="a"\n#EXTINF:4,\n{$a}\n'
    with pytest.raises(TransferError, match="the variable 'a' has no usable value"):
        parse(text, "https://cdn.example/x?a=b.ts%0A%23EXT-X-ENDLIST", max_segments=9)


# --- master playlists ---------------------------------------------------------------------------------------


def test_every_tag_of_a_master_playlist_is_read() -> None:
    master = read_master(
        '#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="aud",NAME="Deutsch",LANGUAGE="de",DEFAULT=YES,AUTOSELECT=YES,'
        'CHANNELS="2",URI="de.m3u8"',
        '#EXT-X-MEDIA:TYPE=SUBTITLES,GROUP-ID="sub",NAME="English, forced",FORCED=YES,URI="en.m3u8"',
        '#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="other",NAME="None"',
        '#EXT-X-STREAM-INF:BANDWIDTH=2000000,AVERAGE-BANDWIDTH=low,RESOLUTION=1280x720,FRAME-RATE="29,97",'
        'CODECS="avc1.4d401f,mp4a.40.2",AUDIO="aud",SUBTITLES="sub"',
        "720.m3u8?token=s3cret",
        '#EXT-X-I-FRAME-STREAM-INF:BANDWIDTH=1,RESOLUTION=1920x1080,URI="iframes.m3u8"',
        "#EXT-X-STREAM-INF:PROGRAM-ID=1",
        "unknown.m3u8",
    )
    folder = "https://cdn.example/live/stream/"
    german = Rendition("AUDIO", "aud", "Deutsch", "de", f"{folder}de.m3u8", default=True, autoselect=True, channels="2")
    english = Rendition("SUBTITLES", "sub", "English, forced", None, f"{folder}en.m3u8", forced=True)
    best = Variant(
        url=f"{folder}720.m3u8?token=s3cret",
        bandwidth=2_000_000,
        width=1280,
        height=720,
        codecs="avc1.4d401f,mp4a.40.2",
        audio_group="aud",
        subtitles_group="sub",
    )
    assert master.variants == (best, Variant(f"{folder}unknown.m3u8", 0))
    assert master.renditions == (german, english, Rendition("AUDIO", "other", "None"))
    assert master.renditions_of(best) == (german, english)
    assert master.renditions_of(master.variants[1]) == ()


def _choose(max_height: int | None, *variants: tuple[int | None, int] | str) -> int:
    """The position of the variant chosen; a variant is a height and a bandwidth, or codecs."""
    made = tuple(
        Variant("u", 9_000, codecs=each) if isinstance(each, str) else Variant("u", each[1], height=each[0])
        for each in variants
    )
    chosen = choose_variant(MasterPlaylist(made, (), {}), max_height)
    return next(position for position, each in enumerate(made) if each is chosen)


def test_the_best_variant_that_fits_is_chosen() -> None:
    assert _choose(None, (360, 1), (1080, 2), (1080, 5), (720, 9)) == 2
    assert _choose(720, (360, 1), (1080, 5), (720, 3), (720, 4)) == 3
    assert _choose(240, (720, 9), (360, 3), (360, 4)) == 2
    assert _choose(None, (None, 1), (None, 2)) == 1
    assert _choose(480, (None, 1), (720, 9)) == 0
    assert _choose(None, (720, 5), (720, 5)) == 0


def test_audio_alone_is_chosen_only_where_there_is_nothing_else() -> None:
    assert _choose(240, "mp4a.40.2", (720, 9)) == 1
    assert _choose(None, "mp4a.40.2, ec-3") == 0
    assert _choose(None, "mp4a.40.2", "avc1.4d401f,mp4a.40.2") == 1


# --- refusals -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "empty: the playlist has no content"),
        (" \r\n", "empty: the playlist has no content"),
        ("<!doctype html><p>Sign in", "HTML: the server sent a page instead of media"),
        ('\ufeff {"error": "expired"}', "JSON: the server sent a message instead of media"),
        ("#EXTINF:4,\na.ts", "not a playlist: its first line is not #EXTM3U"),
        ("#EXTM3U8\n#EXTINF:4,\na.ts", "not a playlist: its first line is not #EXTM3U"),
        ("#EXTM3U", "empty playlist: it has no segments"),
        ("#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXT-X-ENDLIST", "empty playlist: it has no segments"),
        ("#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1", "empty playlist: it has no variants"),
        ("#EXTM3U\n#EXTINF:4,\na.ts\n#EXTINF:4,", "truncated: the playlist ends in the middle of a segment"),
        ("#EXTM3U\n#EXTINF:4,\n\n\n#EXTINF:x,\n", "syntax: the playlist cannot be read from line 5 on"),
        ("#EXTM3U\n#EXTINF:-1,\na.ts", "syntax: segment 0 has no possible duration"),
        ("#EXTM3U\n#EXTINF:nan,\na.ts", "syntax: segment 0 has no possible duration"),
        ("#EXTM3U\n#EXTINF:1e999,\na.ts", "syntax: segment 0 has no possible duration"),
        ("#EXTM3U\n#EXT-X-BYTERANGE:1@1\na.ts", "syntax: segment 0 has no possible duration"),
        ("#EXTM3U\n#EXT-X-MEDIA-SEQUENCE:-1", "syntax: the playlist cannot be read from line 2 on"),
        ("#EXTM3U\n#EXT-X-MEDIA-SEQUENCE:18446744073709551616", "syntax: the playlist cannot be read from line 2 on"),
        ("#EXTM3U\n#EXT-X-TARGETDURATION:inf", "syntax: the playlist cannot be read from line 2 on"),
        ("#EXTM3U\n#EXT-X-MAP:X=1\n#EXTINF:4,\na.ts", "syntax: an initialization section has no URI"),
        (
            "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\na.m3u8\n#EXTINF:4,\na.ts",
            "syntax: the playlist lists both variants and segments",
        ),
        ("#EXTM3U\n" + "#EXTINF:1,\na.ts\n" * 101, "over a limit: the playlist has 101 segments, more than 100"),
        ("#EXTM3U\n" + "#\n" * 10_000, "over a limit: the playlist has 10001 lines"),
        (
            "#EXTM3U\n" + "#EXT-X-STREAM-INF:BANDWIDTH=1\na.m3u8\n" * 1001,
            "over a limit: the master playlist has more than 1000 entries",
        ),
        (
            "#EXTM3U\n" + "".join(f'#EXT-X-KEY:METHOD=X,KEYFORMAT="{n}"\n' for n in range(17)),
            "over a limit: too many keys apply at once",
        ),
    ],
)
def test_what_is_no_usable_playlist_is_refused_by_name(text: str, message: str) -> None:
    assert refused(text) == message


@pytest.mark.parametrize(
    "body",
    [
        b"#EXTINF:1,\na.ts\n" * 1_000_000,
        b"#\n" * 1_000_000,
        b"a\n" * 400_000,
        b"#EXT-X-KEY:" + b"A" * 8_000_000,
        b"#EXT-X-KEY:" + b'A=",' * 2_000_000,
        b"#EXT-X-MEDIA:" + b", " * 4_000_000,
        b"".join(b'#EXT-X-KEY:METHOD=X,KEYFORMAT="%d"\n' % number for number in range(200_000)),
        b"\x0b" * 8_000_000,
    ],
    ids=["segments", "remarks", "addresses", "name", "quotes", "commas", "keys", "line ends"],
)
def test_hostile_sizes_are_refused_in_no_time(body: bytes) -> None:
    start = perf_counter()
    refused(b"#EXTM3U\n" + body, max_segments=20_000)
    assert perf_counter() - start < 5


def test_the_largest_playlist_allowed_is_read() -> None:
    lines = (line for number in range(20_000) for line in ("#EXTINF:2,", f"segment_{number}.ts?token=s3cret"))
    playlist = read('#EXT-X-KEY:METHOD=AES-128,URI="k"', *lines, "#EXT-X-ENDLIST", max_segments=20_000)
    assert len(playlist.segments) == 20_000
    assert playlist.segments[-1].key == Key("https://cdn.example/live/stream/k", (19_999).to_bytes(16))


GOOD = b"""#EXTM3U
#EXT-X-VERSION:8
#EXT-X-DEFINE:NAME="x",VALUE="1"
#EXT-X-TARGETDURATION:4
#EXT-X-MEDIA-SEQUENCE:5
#EXT-X-KEY:METHOD=AES-128,URI="k",IV=0x01
#EXT-X-MAP:URI="init.mp4",BYTERANGE="7@0"
#EXT-X-PROGRAM-DATE-TIME:2025-06-14T10:00:00Z
#EXTINF:4.0,title
#EXT-X-BYTERANGE:100@7
a{$x}.mp4
#EXT-X-DISCONTINUITY
#EXTINF:4.0,
#EXT-X-BYTERANGE:100
a{$x}.mp4
#EXT-X-ENDLIST
#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="a",NAME="n",URI="b.m3u8"
#EXT-X-STREAM-INF:BANDWIDTH=1,RESOLUTION=2x2
"""


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    """The playlist above with lines dropped, doubled and moved, and bytes written over."""
    lines = draw(st.lists(st.sampled_from(GOOD.splitlines()), max_size=25))
    text = bytearray(b"\n".join([b"#EXTM3U", *lines]))
    for _ in range(draw(st.integers(0, 6))):
        at = draw(st.integers(0, len(text)))
        text[at : at + draw(st.integers(0, 4))] = draw(st.binary(max_size=4) | st.sampled_from(_BITS))
    return bytes(text)


_BITS = [b"\n", b",", b'"', b"=", b":", b"-", b"9" * 25, b"nan", b"#EXT", b"\r", b"\xff", b"{$x}"]


@settings(max_examples=400, deadline=None)
@given(text=mutated() | st.binary(max_size=60) | st.text(max_size=60).map(str.encode))
@example(text=GOOD)
def test_any_text_is_read_or_refused(text: bytes) -> None:
    with suppress(TransferError):
        assert isinstance(parse(text, BASE, max_segments=20), MediaPlaylist | MasterPlaylist)


@pytest.mark.parametrize("fmp4", [False, True])
def test_playlists_of_ffmpeg_are_read(fmp4: bool) -> None:
    stream = hls_vod(3, fmp4=fmp4, variants=2, media_sequence=12)
    assert stream.master
    master = parse(stream.files[stream.master], "http://origin.test/master.m3u8", max_segments=9)
    assert isinstance(master, MasterPlaylist)
    best = choose_variant(master)
    assert best.url == f"http://origin.test/{stream.media}"
    assert (best.width, best.height) == stream.size
    media = parse(stream.files[stream.media], best.url, max_segments=9)
    assert isinstance(media, MediaPlaylist)
    assert sum(segment.duration for segment in media.segments) == pytest.approx(stream.duration)
    assert [segment.sequence for segment in media.segments] == [12, 13, 14]
    assert len(media.maps) == int(fmp4)
