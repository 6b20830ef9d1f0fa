"""The text of a playlist before it has a meaning: limits, variables, attribute lists (RFC 8216, 4.1, 4.2)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from itertools import islice
from types import MappingProxyType
from urllib.parse import parse_qs, urlsplit

from downloader.invalid import UTF8_BOM, invalid, unrecognised

LINES_PER_SEGMENT = 20  # all tags of the RFC before every single segment make 15
OTHER_LINES = 10_000  # of a master playlist, say; 400,000 took 110 MiB to read
MAX_SUBSTITUTED = 8 * 2**20  # characters that variables may add: values times references know no bound

Attributes = dict[str, str]
NO_VARIABLES: Mapping[str, str] = MappingProxyType({})

# Anchored at commas and bounded, so that no line takes more than linear time.
_ATTRIBUTE = re.compile(r'[:,]\s*([A-Za-z0-9-]{1,64})\s*=\s*("[^"]*"|[^,]*)')
_REFERENCE = re.compile(r"\{\$([A-Za-z0-9_-]{1,64})\}")
# str.splitlines(), which m3u8 uses, knows ends of lines that section 4.1 does not.
_NO_LINE_ENDS = dict.fromkeys(map(ord, "\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029"), " ")


def decode(text: bytes, max_segments: int, max_live_segments: int) -> str:
    """The playlist as text, its limits checked before anything is spent on it. Raises TransferError.

    A playlist without an end may be an EVENT that has been growing for a day: the second limit is its own.
    """
    if not text.strip():
        raise invalid("empty", "the playlist has no content", retry=True)
    head = text[:512].removeprefix(UTF8_BOM)
    if head.split(maxsplit=1)[:1] != [b"#EXTM3U"]:
        raise unrecognised(head, invalid("not a playlist", "its first line is not #EXTM3U"))
    segments, limit = text.count(b"#EXTINF"), max_segments if b"#EXT-X-ENDLIST" in text else max_live_segments
    if segments > limit:
        raise invalid("over a limit", f"the playlist has {segments} segments, more than {limit}")
    lines = text.count(b"\n") + text.count(b"\r") - text.count(b"\r\n")
    if lines > LINES_PER_SEGMENT * segments + OTHER_LINES:
        raise invalid("over a limit", f"the playlist has {lines} lines")
    return text.decode("utf-8-sig", "replace").translate(_NO_LINE_ENDS)


def attributes(line: str) -> Attributes:
    """The attribute list of a tag (4.2), quotes removed; what is beyond 256 attributes is not read."""
    pairs = islice(_ATTRIBUTE.finditer(line, line.find(":")), 256)
    return {pair[1].upper(): pair[2].strip().strip('"') for pair in pairs}


class Variables:
    """EXT-X-DEFINE (rfc8216bis, 4.4.2.3). Without any, ``{$`` stands for itself, as before version 8."""

    def __init__(self, base_url: str, imported: Mapping[str, str]) -> None:
        self.values: dict[str, str] = {}
        self._query = parse_qs(urlsplit(base_url).query, keep_blank_values=True)
        self._imported = imported
        self._room = MAX_SUBSTITUTED

    def replace_all(self, content: str) -> str:
        """The playlist with every reference replaced. Raises TransferError."""
        return "\n".join(self._replaced(content)) if "\n#EXT-X-DEFINE:" in content else content

    def _replaced(self, content: str) -> Iterator[str]:
        for line in content.splitlines():
            if line.startswith("#EXT-X-DEFINE:"):
                self._define(attributes(line))
            else:
                yield _REFERENCE.sub(self._value, line)

    def _define(self, definition: Attributes) -> None:
        name, value = self._definition(definition)
        # A line end or a quote from the query would become a part of the playlist's syntax.
        if value is None or '"' in value or not value.isprintable():
            raise invalid("EXT-X-DEFINE", f"the variable {name[:64]!r} has no usable value")
        self.values[name] = value

    def _definition(self, definition: Attributes) -> tuple[str, str | None]:
        if "NAME" in definition:
            return definition["NAME"], definition.get("VALUE")
        if "QUERYPARAM" in definition:
            name = definition["QUERYPARAM"]
            return name, next(iter(self._query.get(name, ())), None)
        name = definition.get("IMPORT", "")
        return name, self._imported.get(name)

    def _value(self, reference: re.Match[str]) -> str:
        value = self.values.get(reference[1])
        if value is None:
            raise invalid("EXT-X-DEFINE", f"the variable {reference[1]!r} is not defined")
        self._room -= len(value)
        if self._room < 0:
            raise invalid("over a limit", "the variables of the playlist grow too long")
        return value
