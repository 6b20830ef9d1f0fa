"""A stream whose sound and subtitles lie in playlists of their own."""

from __future__ import annotations

import io
import struct
import tempfile
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from types import MappingProxyType

import av
from av.container import OutputContainer

from tests import media

SIZE = (160, 90)
START = 126_000  # of FFmpeg's transport streams, in ticks of 90 kHz
FRAMES = 43  # of AAC: a second, nearly

MASTER = """#EXTM3U
#EXT-X-VERSION:6
#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="sound",NAME="Deutsch",LANGUAGE="de",DEFAULT=YES,URI="sound/index.m3u8"
#EXT-X-MEDIA:TYPE=SUBTITLES,GROUP-ID="text",NAME="English",LANGUAGE="en",URI="text/index.m3u8"
#EXT-X-MEDIA:TYPE=CLOSED-CAPTIONS,GROUP-ID="cc",NAME="CC",INSTREAM-ID="CC1"
#EXT-X-STREAM-INF:BANDWIDTH=100000,RESOLUTION=160x90,CODECS="avc1.42c00b,mp4a.40.2",AUDIO="sound",SUBTITLES="text"
picture/index.m3u8
"""


@dataclass(frozen=True)
class RenditionStream:
    """``files`` are what the origin serves, the others the segments of each track, in order."""

    files: Mapping[str, bytes] = field(repr=False)
    picture: tuple[bytes, ...] = field(repr=False)
    sound: tuple[bytes, ...] = field(repr=False)
    sound_init: bytes | None = field(repr=False)
    text: tuple[bytes, ...] = field(repr=False)

    master = "master.m3u8"


@cache
def with_renditions(seconds: int = 4, *, fmp4: bool = False) -> RenditionStream:
    """H.264 in transport streams, WebVTT, and AAC: packed, or in ``fmp4``; segments of a second."""
    picture, init = _muxed(seconds, _picture, fmp4=False)
    sound, init = _muxed(seconds, _sound, fmp4=True) if fmp4 else (_packed(_adts(seconds)), init)
    text = tuple(_cue(second) for second in range(seconds))
    files = {"master.m3u8": MASTER.encode()}
    for name, extension, pieces in (
        ("picture", "ts", picture),
        ("sound", "m4s" if fmp4 else "aac", sound),
        ("text", "vtt", text),
    ):
        names = [f"{index}.{extension}" for index in range(len(pieces))]
        files |= {f"{name}/{each}": piece for each, piece in zip(names, pieces, strict=True)}
        files[f"{name}/index.m3u8"] = playlist(names, *(['#EXT-X-MAP:URI="init.mp4"'] if extension == "m4s" else []))
    if init is not None:
        files["sound/init.mp4"] = init
    return RenditionStream(MappingProxyType(files), picture, sound, init, text)


def playlist(names: Iterable[str], *tags: str, ended: bool = True) -> bytes:
    """A media playlist of segments of a second."""
    lines = ["#EXTM3U", "#EXT-X-VERSION:7", "#EXT-X-TARGETDURATION:1", "#EXT-X-MEDIA-SEQUENCE:0", *tags]
    lines += [line for name in names for line in ("#EXTINF:1.0,", name)]
    return "\n".join([*lines, *(["#EXT-X-ENDLIST"] if ended else []), ""]).encode()


def _muxed(
    seconds: int, write: Callable[[OutputContainer, int], None], *, fmp4: bool
) -> tuple[tuple[bytes, ...], bytes | None]:
    """Segments, and the initialization section."""
    options = {"hls_time": "1", "hls_list_size": "0", "hls_segment_type": "fmp4" if fmp4 else "mpegts"}
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder, "index.m3u8")
        with av.open(str(target), "w", options=options) as output:
            write(output, seconds)
        names = [line for line in target.read_text().splitlines() if not line.startswith("#")]
        init = Path(folder, "init.mp4").read_bytes() if fmp4 else None
        return tuple(Path(folder, name).read_bytes() for name in names), init


def _picture(output: OutputContainer, seconds: int) -> None:
    stream = output.add_stream("libx264", rate=media.FRAME_RATE, options=media._X264)
    stream.width, stream.height, stream.pix_fmt, stream.gop_size = *SIZE, "yuv420p", media.FRAME_RATE
    for number in range(seconds * media.FRAME_RATE):
        output.mux(stream.encode(media._picture(SIZE, number)))
    output.mux(stream.encode())


def _sound(output: OutputContainer, seconds: int) -> None:
    stream = output.add_stream("aac", rate=media.SAMPLE_RATE, layout="mono", bit_rate=32_000)
    frame = av.AudioFrame("fltp", "mono", media.AAC_FRAME)
    frame.planes[0].update(media._TONE)
    frame.sample_rate = media.SAMPLE_RATE
    for number in range(seconds * FRAMES):
        frame.pts = number * media.AAC_FRAME
        output.mux(stream.encode(frame))
    output.mux(stream.encode())


def _adts(seconds: int) -> bytes:
    target = io.BytesIO()
    with av.open(target, "w", format="adts") as output:
        _sound(output, seconds)
    return target.getvalue()


def _packed(stream: bytes) -> tuple[bytes, ...]:
    """A second of ADTS frames each, behind an ID3 tag with their time (RFC 8216, 3.4)."""
    frames = []
    while stream:
        size = int.from_bytes(stream[3:6]) >> 5 & 0x1FFF  # ISO/IEC 13818-7, 6.2
        frames.append(stream[:size])
        stream = stream[size:]
    seconds = [frames[start : start + FRAMES] for start in range(0, len(frames) - FRAMES + 1, FRAMES)]
    ticks = FRAMES * media.AAC_FRAME * 90_000 // media.SAMPLE_RATE
    return tuple(_id3(START + number * ticks) + b"".join(second) for number, second in enumerate(seconds))


def _id3(time: int) -> bytes:
    content = b"com.apple.streaming.transportStreamTimestamp\0" + time.to_bytes(8)
    frame = struct.pack(">4sIH", b"PRIV", len(content), 0) + content
    return b"ID3\x04\0\0" + bytes((0, 0, 0, len(frame))) + frame


def _cue(second: int) -> bytes:
    head = f"WEBVTT\nX-TIMESTAMP-MAP=MPEGTS:{START},LOCAL:00:00:00.000\n\n"
    return f"{head}00:{second:02d}.000 --> 00:{second + 1:02d}.000\nSecond {second}\n".encode()
