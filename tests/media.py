"""Real media for tests, made with PyAV once per process: a moving grey ramp and a tone, small and quick."""

import hashlib
import io
import math
import struct
import tempfile
from array import array
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache, partial
from pathlib import Path
from types import MappingProxyType
from typing import Literal

import av
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.padding import PKCS7

Size = tuple[int, int]
Encryption = Literal["none", "sequence", "explicit", "rotation"]
ByteRanges = Literal["none", "explicit", "implied"]

FRAME_RATE = 10
SAMPLE_RATE = 44_100
AAC_FRAME = 1_024
SEGMENTS_PER_KEY = 3
EXPLICIT_IV = bytes(range(16))
VARIANT_SIZES: tuple[Size, ...] = ((160, 90), (320, 180), (640, 360))

# Without scene cuts every segment begins at a key frame and is as long as asked; one thread, cores are few.
_X264 = {"preset": "ultrafast", "tune": "zerolatency", "sc_threshold": "0", "crf": "40", "threads": "1"}
_RAMP = bytes(level for level in range(256) for _ in range(16)) * 128
_TONE = array("f", (0.1 * math.sin(math.tau * 10 * n / AAC_FRAME) for n in range(AAC_FRAME))).tobytes()


@dataclass(frozen=True)
class HlsStream:
    """An HLS presentation: what the origin serves and what a download must end up with.

    Names are relative to the presentation's root. `plain` holds every served media file decrypted, under the
    same name. `media`, `segments` (decrypted, in playlist order), `init`, `duration` (seconds, the sum of
    EXTINF) and `size` (width and height in pixels) are those of the best variant.
    """

    files: Mapping[str, bytes] = field(repr=False)
    plain: Mapping[str, bytes] = field(repr=False)
    master: str | None
    media: str
    segments: tuple[bytes, ...] = field(repr=False)
    init: bytes | None = field(repr=False)
    duration: float
    size: Size


@cache
def hls_vod(
    segments: int = 3,
    segment_seconds: float = 1.0,
    *,
    variants: int = 1,
    fmp4: bool = False,
    encryption: Encryption = "none",
    byte_ranges: ByteRanges = "none",
    media_sequence: int = 0,
) -> HlsStream:
    """Return H.264 and AAC in MPEG-TS, or in fMP4 with EXT-X-MAP, as a VOD presentation (RFC 8216).

    `segment_seconds` is a multiple of 0.1. Two or three `variants` have a master playlist, lowest last: of
    three, the best is in the middle. `rotation` changes the key every 3 segments; it and `sequence` take the
    IV from the media sequence and leave the initialization section unencrypted, as section 4.3.2.5 demands of
    keys without an IV. `byte_ranges` puts a variant's pieces into one file, offsets written out or implied.
    """
    clips = {size: _encode(segments, segment_seconds, size, fmp4) for size in VARIANT_SIZES[:variants]}
    return _present(clips, encryption, byte_ranges, media_sequence)


@cache
def many_segments(count: int) -> HlsStream:
    """Return `count` small MPEG-TS segments of half a second, each with its own bytes, at the price of four.

    The four are repeated, each time after an EXT-X-DISCONTINUITY; a null packet (PID 0x1FFF, which decoders
    skip) with the segment's index makes each segment distinct.
    """
    loop = _encode(4, 0.5, VARIANT_SIZES[0], fmp4=False)
    null_packet = b"\x47\x1f\xff\x10" + bytes(176)
    clip = _Clip(
        init=None,
        segments=tuple(loop.segments[index % 4] + null_packet + index.to_bytes(8) for index in range(count)),
        durations=tuple(loop.durations[index % 4] for index in range(count)),
        loop=4,
    )
    return _present({VARIANT_SIZES[0]: clip}, "none", "none", 0)


@cache
def mp4(seconds: float = 2, size: Size = (320, 180), min_bytes: int = 0) -> bytes:
    """Return a faststart MP4 (moov before mdat), H.264 and AAC; a `free` box fills it up to `min_bytes`.

    The padding differs at every offset, so that a range written to the wrong place is noticed.
    """
    if min_bytes:
        whole = mp4(seconds, size)
        padding = max(min_bytes - len(whole), 8)
        noise = hashlib.shake_128(b"padding").digest(padding - 8)
        return whole + struct.pack(">I4s", padding, b"free") + noise
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder, "video.mp4")
        _mux(target, {"movflags": "faststart"}, size, seconds, FRAME_RATE)
        return target.read_bytes()


@cache
def _image(container: str, codec: str, pixels: str, width: int = 64, height: int = 48) -> bytes:
    target = io.BytesIO()
    with av.open(target, "w", format=container) as output:
        stream = output.add_stream(codec, rate=1)
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height, stream.pix_fmt = width, height, pixels
        output.mux(stream.encode(_picture((width, height), 0).reformat(format=pixels)))
        output.mux(stream.encode())
    return target.getvalue()


# Valid images, each called with a width and a height in pixels (64 and 48 unless told).
png = partial(_image, "image2pipe", "png", "rgb24")
jpeg = partial(_image, "image2pipe", "mjpeg", "yuvj420p")
webp = partial(_image, "webp", "libwebp", "yuv420p")
gif = partial(_image, "gif", "gif", "rgb8")


@dataclass(frozen=True)
class _Clip:
    """What the muxer made, before there is a playlist; durations in seconds, `loop` segments a repetition."""

    init: bytes | None
    segments: tuple[bytes, ...]
    durations: tuple[float, ...]
    loop: int | None = None


@dataclass
class _VariantWriter:
    """Writes one variant's playlist, keys and media into `files`, and the decrypted media into `plain`."""

    folder: str
    clip: _Clip
    encryption: Encryption
    byte_ranges: ByteRanges
    media_sequence: int
    files: dict[str, bytes] = field(default_factory=dict)
    plain: dict[str, bytes] = field(default_factory=dict)

    def write(self) -> None:
        lines = [
            "#EXTM3U",
            f"#EXT-X-VERSION:{3 if self.clip.init is None and self.byte_ranges == 'none' else 7}",
            f"#EXT-X-TARGETDURATION:{max(1, *map(round, self.clip.durations))}",
            f"#EXT-X-MEDIA-SEQUENCE:{self.media_sequence}",
            "#EXT-X-PLAYLIST-TYPE:VOD",
            *self._map_and_first_key(),
        ]
        for index in range(len(self.clip.segments)):
            lines += self._segment(index)
        self.files[f"{self.folder}/index.m3u8"] = "\n".join([*lines, "#EXT-X-ENDLIST", ""]).encode()

    def _map_and_first_key(self) -> list[str]:
        key = self._key(0)
        if self.clip.init is None:
            return key
        # RFC 8216, 4.3.2.4: a KEY line covers what follows it, the initialization section included.
        sealed = self.encryption == "explicit"
        served = _encrypt(self.clip.init, _key_bytes(0), EXPLICIT_IV) if sealed else self.clip.init
        name, length, offset = self._store("init.mp4", self.clip.init, served)
        span = "" if self.byte_ranges == "none" else f',BYTERANGE="{length}@{offset}"'
        line = f'#EXT-X-MAP:URI="{name}"{span}'
        return [*key, line] if sealed else [line, *key]

    def _key(self, number: int) -> list[str]:
        if self.encryption == "none":
            return []
        self.files[f"{self.folder}/key_{number}.key"] = _key_bytes(number)
        iv = f",IV=0x{EXPLICIT_IV.hex()}" if self.encryption == "explicit" else ""
        return [f'#EXT-X-KEY:METHOD=AES-128,URI="key_{number}.key"{iv}']

    def _segment(self, index: int) -> list[str]:
        clip, lines = self.clip, list[str]()
        if clip.loop and index and index % clip.loop == 0:
            lines.append("#EXT-X-DISCONTINUITY")
        if self.encryption == "rotation" and index and index % SEGMENTS_PER_KEY == 0:
            lines += self._key(index // SEGMENTS_PER_KEY)
        lines.append(f"#EXTINF:{clip.durations[index]:.6f},")
        body = clip.segments[index]
        name = f"segment_{index}.{'ts' if clip.init is None else 'm4s'}"
        name, length, offset = self._store(name, body, self._sealed(index, body))
        if self.byte_ranges != "none":
            # Section 4.3.2.2: an offset is implied only by a previous *segment* of the same file.
            implied = self.byte_ranges == "implied" and index > 0
            lines.append(f"#EXT-X-BYTERANGE:{length}" + ("" if implied else f"@{offset}"))
        return [*lines, name]

    def _sealed(self, index: int, body: bytes) -> bytes:
        if self.encryption == "none":
            return body
        number = index // SEGMENTS_PER_KEY if self.encryption == "rotation" else 0
        iv = EXPLICIT_IV if self.encryption == "explicit" else (self.media_sequence + index).to_bytes(16)
        return _encrypt(body, _key_bytes(number), iv)

    def _store(self, name: str, plain: bytes, served: bytes) -> tuple[str, int, int]:
        """Return the name, length and offset under which the piece is served."""
        if self.byte_ranges != "none":
            name = "media.ts" if self.clip.init is None else "media.mp4"
        path = f"{self.folder}/{name}"
        before = self.files.get(path, b"")
        self.files[path] = before + served
        self.plain[path] = self.plain.get(path, b"") + plain
        return name, len(served), len(before)


def _present(
    clips: dict[Size, _Clip], encryption: Encryption, byte_ranges: ByteRanges, media_sequence: int
) -> HlsStream:
    files, plain = dict[str, bytes](), dict[str, bytes]()
    for (_, height), clip in clips.items():
        _VariantWriter(f"{height}p", clip, encryption, byte_ranges, media_sequence, files, plain).write()
    if len(clips) > 1:
        files["master.m3u8"] = _master_playlist(clips).encode()
    best = max(clips)
    return HlsStream(
        files=MappingProxyType(files),
        plain=MappingProxyType(plain),
        master="master.m3u8" if len(clips) > 1 else None,
        media=f"{best[1]}p/index.m3u8",
        segments=clips[best].segments,
        init=clips[best].init,
        duration=sum(clips[best].durations),
        size=best,
    )


def _master_playlist(clips: dict[Size, _Clip]) -> str:
    lines = ["#EXTM3U", "#EXT-X-VERSION:3"]
    lowest, *higher = clips
    for width, height in [*higher, lowest]:
        clip = clips[width, height]
        peak = max(len(body) * 8 / time for body, time in zip(clip.segments, clip.durations, strict=True))
        lines.append(f"#EXT-X-STREAM-INF:BANDWIDTH={math.ceil(peak)},RESOLUTION={width}x{height}")
        lines.append(f"{height}p/index.m3u8")
    return "\n".join([*lines, ""])


@cache
def _encode(segments: int, segment_seconds: float, size: Size, fmp4: bool) -> _Clip:
    kind = "fmp4" if fmp4 else "mpegts"
    options = {"hls_time": str(segment_seconds), "hls_list_size": "0", "hls_segment_type": kind}
    with tempfile.TemporaryDirectory() as folder:
        playlist = Path(folder, "index.m3u8")
        _mux(playlist, options, size, segments * segment_seconds, round(segment_seconds * FRAME_RATE))
        lines = playlist.read_text().splitlines()
        return _Clip(
            init=Path(folder, "init.mp4").read_bytes() if fmp4 else None,
            segments=tuple(Path(folder, line).read_bytes() for line in lines if not line.startswith("#")),
            durations=tuple(float(line[8:].rstrip(",")) for line in lines if line.startswith("#EXTINF:")),
        )


def _mux(target: Path, options: dict[str, str], size: Size, seconds: float, gop: int) -> None:
    with av.open(str(target), "w", options=options) as output:
        video = output.add_stream("libx264", rate=FRAME_RATE, options=_X264)
        video.width, video.height, video.pix_fmt, video.gop_size = *size, "yuv420p", gop
        audio = output.add_stream("aac", rate=SAMPLE_RATE, layout="mono", bit_rate=32_000)
        sound = av.AudioFrame("fltp", "mono", AAC_FRAME)
        sound.planes[0].update(_TONE)
        sound.sample_rate, sound.pts = SAMPLE_RATE, 0
        for number in range(round(seconds * FRAME_RATE)):
            output.mux(video.encode(_picture(size, number)))
            while sound.pts * FRAME_RATE < (number + 1) * SAMPLE_RATE:
                output.mux(audio.encode(sound))
                sound.pts += AAC_FRAME
        output.mux(video.encode())
        output.mux(audio.encode())


def _picture(size: Size, number: int) -> av.VideoFrame:
    frame = av.VideoFrame(*size, "yuv420p")
    for plane in frame.planes:
        start = number * 128 % 4_096
        plane.update(_RAMP[start : start + plane.buffer_size])
    frame.pts = number
    return frame


def _key_bytes(number: int) -> bytes:
    return b"key number %05d" % number


def _encrypt(body: bytes, key: bytes, iv: bytes) -> bytes:
    padder = PKCS7(128).padder()
    encryptor = Cipher(algorithms.AES(key), modes.CBC(iv)).encryptor()
    return encryptor.update(padder.update(body) + padder.finalize()) + encryptor.finalize()
