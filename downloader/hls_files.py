"""The files of one track: which pieces are there, and what they are called."""

from __future__ import annotations

from array import array
from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from downloader.verify import Container

if TYPE_CHECKING:
    from domain.ports import PieceNames
    from downloader.piece import Stored
    from downloader.playlist_model import Map, Segment

AFTER_MAP = ".m4s"
SUBTITLES = Container.VTT.extension
PACKED_AUDIO = Container.AUDIO.extension
OTHERWISE = Container.TS.extension
DIGEST = 16  # bytes


class TrackFiles:
    """Names come from the position in the playlist; files that exist are the resume state.

    What is known of a segment is kept by its index, in bytes: 20,000 keys and digests as text would be 14 MiB.
    """

    def __init__(self, names: PieceNames, track: str, sizes: Mapping[str, int], skip: Collection[str]) -> None:
        """``sizes`` are those of all files of the stream."""
        self.count = 0  # stored segments
        self.size = 0  # bytes of the stored pieces: segments and initialization sections
        self._names, self._track, self._skip = names, track, skip
        self._found = sizes
        self._sizes, self._digests = array("q"), bytearray()
        self._map_numbers: dict[Map, int] = {}
        self._map_digests: dict[Map, str | None] = {}  # of those that are stored
        self._extension = SUBTITLES if track.startswith("subtitles") else self._extension_so_far()

    def _extension_so_far(self) -> str | None:
        folder = str(PurePosixPath(self._names.segment(0, "", self._track)).parent)
        known = {key.rpartition(".")[2] for key in (*self._found, *self._skip) if key.startswith(f"{folder}/")}
        return next((extension for extension in (PACKED_AUDIO, OTHERWISE) if extension[1:] in known), None)

    def extend(self, segments: Iterable[Segment]) -> None:
        """Take in what the playlist lists next, in order: initialization sections are numbered by first use."""
        for segment in segments:
            if segment.map is not None and segment.map not in self._map_numbers:
                self._map_numbers[segment.map] = len(self._map_numbers)
                if size := self._found.get(self.map_key(segment.map), 0):
                    self._map_digests[segment.map] = None
                    self.size += size
            size = self._found.get(self.key(segment), 0) if self._found else 0
            self._sizes.append(size)
            self._digests += bytes(DIGEST)
            self.count += size > 0
            self.size += size

    def forget_what_was_found(self) -> None:
        """Segments to come are none of the files that were there: a lost recording may have left some behind."""
        self._found = {}

    # --- names ---

    def key(self, segment: Segment) -> str:
        extension = AFTER_MAP if segment.map is not None else self._extension or OTHERWISE
        return self._names.segment(segment.index, extension, self._track)

    def map_key(self, section: Map) -> str:
        return self._names.initialization(self._map_numbers[section], self._track)

    def beside(self, key: str) -> str:
        """``key`` as a local playlist names it."""
        return key.removeprefix(f"{self._names.hls_folder}/")

    @property
    def extension_known(self) -> bool:
        """Whether a piece has shown what those without EXT-X-MAP are."""
        return self._extension is not None

    def settle_extension(self, container: Container) -> None:
        """A first piece shows what all of them are: packed audio, or not."""
        if self._extension is None:
            self._extension = PACKED_AUDIO if container is Container.AUDIO else OTHERWISE

    # --- what is there ---

    def has(self, segment: Segment) -> bool:
        return self._sizes[segment.index] > 0

    def has_map(self, section: Map) -> bool:
        return section in self._map_digests

    def skipped(self, segment: Segment) -> bool:
        return bool(self._skip) and self.key(segment) in self._skip

    def add(self, segment: Segment, stored: Stored) -> None:
        index = segment.index
        self.count += self._sizes[index] == 0
        self.size += stored.size - self._sizes[index]
        self._sizes[index] = stored.size
        self._digests[index * DIGEST : (index + 1) * DIGEST] = bytes.fromhex(stored.digest)

    def add_map(self, section: Map, stored: Stored) -> None:
        self._map_digests[section] = stored.digest
        self.size += stored.size

    def pieces(self, segments: Iterable[Segment]) -> Iterator[tuple[str, str | None]]:
        """Key and digest of every stored piece; None where the digest was not taken in this run."""
        for section, digest in self._map_digests.items():
            yield self.map_key(section), digest
        for segment in segments:
            if self.has(segment):
                taken = self._digests[segment.index * DIGEST : (segment.index + 1) * DIGEST]
                yield self.key(segment), taken.hex() if any(taken) else None
