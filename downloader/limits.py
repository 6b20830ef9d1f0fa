"""How much a fetch may take."""

from __future__ import annotations

from dataclasses import dataclass

MIB = 1024 * 1024
MAX_KEY_BYTES = 1024  # a key has 16; more tells that something else was sent
MAX_IMAGE_BYTES = 256 * MIB
MAX_SEGMENT_BYTES = 1024 * MIB


@dataclass(frozen=True, slots=True)
class Limits:
    """``concurrency`` counts the pieces of one task that are on their way at once; the rest is in bytes or pieces.

    ``live_outage_seconds``: how long a recording bears with a playlist that is out of reach or does not change.
    """

    concurrency: int = 20
    max_segments: int = 20_000
    max_live_segments: int = 200_000
    live_outage_seconds: float = 120
    max_file_bytes: int = 50 * 1024 * MIB
    max_playlist_bytes: int = 8 * MIB
    min_free_bytes: int = 0
    scratch_bytes: int = 64 * 1024 * MIB  # where storage is elsewhere
