"""Where the pieces of a task go: from its row and the position in the playlist, so that a fresh URL loses nothing."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING
from uuid import UUID

from domain.paths import folder_of

if TYPE_CHECKING:
    from domain.models import DownloadTask

MAIN = "ts"


@dataclass(frozen=True)  # without slots: what every piece asks for is kept
class Names:
    """The documented names on disk; see ``domain.ports.PieceNames``. Extensions begin with their dot."""

    video_id: UUID
    created_at: datetime

    @cached_property
    def folder(self) -> str:
        return folder_of(self.video_id)

    @cached_property
    def hls_folder(self) -> str:
        return f"{self.folder}hls"

    @property
    def playlist(self) -> str:
        return self.fetched_playlist(MAIN)

    @property
    def master_playlist(self) -> str:
        return f"{self.hls_folder}/master.m3u8"

    @property
    def local_playlist(self) -> str:
        """Rewritten to refer only to files beside it."""
        return f"{self.hls_folder}/video_{self.video_id}_local_{self._stamp}.m3u8"

    @property
    def mapping(self) -> str:
        """Original name → stored name, as JSON."""
        return f"{self.hls_folder}/ts_mapping.json"

    @property
    def digests(self) -> str:
        """xxh3-128 of every stored piece."""
        return f"{self.folder}digests.xxh128"

    @property
    def mp4(self) -> str:
        return f"{self.folder}mp4/video_{self._of_this_task}.mp4"

    def fetched_playlist(self, track: str) -> str:
        return f"{self.hls_folder}/playlist{'' if track == MAIN else f'_{track}'}.m3u8"

    def local_track(self, track: str) -> str:
        return f"{self.hls_folder}/{track}.m3u8"

    def recording(self, part: int, track: str) -> str:
        return f"{self.hls_folder}/recording_{track}_{part:03d}.m3u8"

    def segment(self, index: int, extension: str, track: str = MAIN) -> str:
        """``track``: ``ts`` for the main playlist, ``audio_{n}`` or ``subtitles_{n}`` for a rendition."""
        return f"{self.hls_folder}/{track}/segment_{index:06d}_{self._of_this_task}{extension}"

    def initialization(self, number: int, track: str = MAIN) -> str:
        """Of the main playlist it lies beside the folder of the segments, as documented."""
        folder = self.hls_folder if track == MAIN else f"{self.hls_folder}/{track}"
        return f"{folder}/init_{number:03d}_{self._of_this_task}.mp4"

    def image(self, extension: str) -> str:
        return f"{self.folder}image/cover_{self._of_this_task}{extension}"

    @cached_property
    def _of_this_task(self) -> str:
        return f"{self.video_id}_fetch_{self._stamp}"

    @property
    def _stamp(self) -> str:
        """The task's creation, which neither resume nor retry changes."""
        return self.created_at.astimezone(UTC).strftime("%Y%m%dT%H%M%S")


def names_for(task: DownloadTask) -> Names:
    return Names(task.video_id, task.created_at)
