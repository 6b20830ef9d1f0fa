"""What stored files are, by their extension."""

from __future__ import annotations

from pathlib import PurePosixPath

UNKNOWN = "application/octet-stream"
MEDIA_TYPES = {
    ".m3u8": "application/vnd.apple.mpegurl",
    ".ts": "video/mp2t",
    ".m4s": "video/iso.segment",
    ".mp4": "video/mp4",
    ".aac": "audio/aac",
    ".vtt": "text/vtt",
    ".jpg": "image/jpeg",
    ".png": "image/png",
    ".gif": "image/gif",
    ".webp": "image/webp",
    ".avif": "image/avif",
    ".heic": "image/heic",
    ".bmp": "image/bmp",
}
_PIECES = frozenset({".m3u8", ".ts", ".m4s", ".aac", ".vtt"})


def media_type(key: str) -> str:
    """The value of Content-Type."""
    return MEDIA_TYPES.get(PurePosixPath(key).suffix, UNKNOWN)


def is_whole(key: str) -> bool:
    """Whether it is something to keep by itself: neither a piece of a stream nor what describes one."""
    path = PurePosixPath(key)
    return path.suffix not in _PIECES and not path.name.startswith("init_")
