"""Measures one media file in a process of its own: files come from strangers, and FFmpeg is a large target.

Run as ``python -I probe_child.py PATH COVER CPU_SECONDS MEMORY_BYTES``; without these it waits until they come by
standard input, with NUL between them. Prints one JSON object, or fails and prints none; then writes a still of the
video to COVER, unless that is empty. It uses the standard library and PyAV alone: nothing of the service is in its
reach.
"""

from __future__ import annotations

import json
import os
import resource
import sys
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import av

if TYPE_CHECKING:
    from av.container import InputContainer

MAX_WRITTEN = 4 * 1024 * 1024  # bytes of a file: of the answer, and of the cover
COVER_WIDTH = 640  # pixels at most
COVER_AT = 0.1  # of the duration: the first frame of many films is black

_FORMATS = "mov,mpegts,aac,mp3,ac3,eac3,webvtt,png_pipe,jpeg_pipe,gif,webp_pipe,bmp_pipe"
_IMAGES = frozenset({"png", "jpeg", "gif", "webp", "bmp", "avif", "heic"})
_BRANDS = {"avif": "avif", "avis": "avif", "heic": "heic", "heix": "heic", "mif1": "heic", "msf1": "heic"}


def main() -> None:
    path, cover, cpu_seconds, memory = sys.argv[1:] or os.fsdecode(sys.stdin.buffer.read()).split("\0")
    for limit, value in {
        resource.RLIMIT_AS: int(memory),
        resource.RLIMIT_CPU: int(cpu_seconds),
        resource.RLIMIT_FSIZE: MAX_WRITTEN,
        resource.RLIMIT_NOFILE: 64,
        resource.RLIMIT_CORE: 0,
    }.items():
        resource.setrlimit(limit, (value, value))
    json.dump(measure(Path(path)), sys.stdout)
    sys.stdout.flush()
    if cover:
        Path(cover).write_bytes(still(Path(path)))


def measure(path: Path) -> dict[str, float | int | str | None]:
    """Duration in seconds, width and height in pixels, and the short name of the container."""
    with open_media(path) as container:
        name = hls_pieces(path) if container.format.name == "hls" else short_name(container)
        video = next(iter(container.streams.video), None)
        duration = None if name in _IMAGES else container.duration
        if video is None and duration is None:
            sys.exit("nothing to measure")
        return {
            "duration": None if duration is None else round(duration / av.time_base, 3),
            "width": video.width if video else None,
            "height": video.height if video else None,
            "format": name,
        }


def still(path: Path) -> bytes:
    """A frame of the video as JPEG."""
    piece = early_piece(path) if path.suffix == ".m3u8" else None
    with open_media(piece or path) as container:
        # Never into a playlist: where its timestamps start anew, FFmpeg reads to the end and finds nothing.
        if container.duration and path.suffix != ".m3u8":
            container.seek(int(container.duration * COVER_AT))
        frame = next(container.decode(video=0))
    width = min(COVER_WIDTH, frame.width) // 2 * 2
    height = max(2, frame.height * width // frame.width // 2 * 2)
    encoder = av.CodecContext.create("mjpeg", "w")
    encoder.width, encoder.height, encoder.pix_fmt = width, height, "yuvj420p"
    encoder.time_base = Fraction(1, 25)
    picture = frame.reformat(width, height, "yuvj420p")
    picture.pts = None
    return b"".join(map(bytes, [*encoder.encode(picture), *encoder.encode(None)]))


def early_piece(playlist: Path) -> Path | None:
    """A stored segment that can be shown by itself; None where each needs an initialization section."""
    lines = playlist.read_text("utf-8").splitlines()
    listed = [playlist.parent / line for line in lines if line and not line.startswith("#")]
    pieces = {index: piece for index, piece in enumerate(listed) if piece.exists()}
    if pieces and listed[0].suffix == ".m3u8":
        return early_piece(pieces[min(pieces)])
    if not pieces or any(line.startswith("#EXT-X-MAP:") for line in lines):
        return None
    return pieces[min(pieces, key=lambda index: abs(index - int(len(listed) * COVER_AT)))]


def open_media(path: Path) -> InputContainer:
    """Only what we store is read, and a playlist only where we have written one: it may name other files."""
    formats = f"hls,{_FORMATS}" if path.suffix == ".m3u8" else _FORMATS
    options = {
        "protocol_whitelist": "file,crypto",
        "format_whitelist": formats,
        "allowed_extensions": "ALL",
        "extension_picky": "0",
    }
    return av.open(str(path), options=options, metadata_errors="replace")


def short_name(container: InputContainer) -> str:
    name = container.format.name.partition(",")[0].removesuffix("_pipe")
    return _BRANDS.get(container.metadata.get("major_brand", ""), "mp4") if name == "mov" else name


def hls_pieces(playlist: Path) -> str:
    """The container of the pieces: FFmpeg says no more than that it is HLS."""
    lines = playlist.read_text("utf-8").splitlines()
    if any(line.startswith("#EXT-X-MAP:") for line in lines):
        return "fmp4"
    pieces = (playlist.parent / line for line in lines if line and not line.startswith("#"))
    piece = next(piece for piece in pieces if piece.exists())
    if piece.suffix == ".m3u8":
        return hls_pieces(piece)
    with open_media(piece) as container:
        return short_name(container)


if __name__ == "__main__":
    main()
