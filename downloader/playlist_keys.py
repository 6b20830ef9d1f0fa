"""EXT-X-KEY (RFC 8216, 4.3.2.4): which key applies, and what cannot be decrypted."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Self

from downloader.invalid import invalid
from downloader.playlist_model import Key

if TYPE_CHECKING:
    from collections.abc import Callable

    from downloader.playlist_lines import Attributes

MAX_FORMATS = 16  # of keys that apply at once; in practice there are three

_DRM = {
    "com.apple.streamingkeydelivery": "FairPlay",
    "com.microsoft.playready": "PlayReady",
    "com.widevine": "Widevine",
    "urn:uuid:94ce86fb-07ff-4f43-adb8-93d2fa968ca2": "FairPlay",
    "urn:uuid:9a04f079-9840-4286-ab92-e65be0885f95": "PlayReady",
    "urn:uuid:edef8ba9-79d6-4ace-a3c8-27dcd51d21ed": "Widevine",
}


class KeysInForce:
    """The keys that apply at one place of a playlist: one of each KEYFORMAT, all leading to the same key."""

    def __init__(self, by_format: dict[str, Attributes] | None = None) -> None:
        self._by_format = by_format or {}

    def followed_by(self, tag: Attributes) -> Self:
        """The keys in force after another EXT-X-KEY tag. Raises TransferError."""
        if tag.get("METHOD") == "NONE":
            return type(self)()
        if len(self._by_format) >= MAX_FORMATS:
            raise invalid("over a limit", "too many keys apply at once")
        return type(self)({**self._by_format, tag.get("KEYFORMAT", "identity"): tag})

    def key(self, sequence: int, resolve: Callable[[str], str]) -> Key | None:
        """The key of the segment with this media sequence number; None when it is not encrypted.

        Raises TransferError when it is encrypted in a way that only licensed players can undo, or none can.
        """
        if not self._by_format:
            return None
        tag = self._by_format.get("identity")
        if tag is None:
            raise invalid("DRM", f"the stream is protected by {self._systems()} and cannot be stored")
        return Key(resolve(_uri(tag)), _iv(tag.get("IV"), sequence))

    def _systems(self) -> str:
        """By name. An unknown format can be any text, even a secret, and is not repeated."""
        names = {_DRM.get(key_format.lower(), "an unknown system") for key_format in self._by_format}
        return " and ".join(sorted(names))


def _uri(tag: Attributes) -> str:
    method = tag.get("METHOD", "")
    if method in {"SAMPLE-AES", "SAMPLE-AES-CTR"}:
        raise invalid(method, "a stream whose samples are encrypted one by one cannot be stored")
    if method != "AES-128":
        name = re.sub(r"[^A-Za-z0-9-]", "?", method[:32])
        raise invalid("unknown key method", name or "the playlist names none")
    if not tag.get("URI"):
        raise invalid("key", "the playlist has a key without a URI")
    return tag["URI"]


def _iv(text: str | None, sequence: int) -> bytes:
    if text is None:
        return sequence.to_bytes(16)
    if not re.fullmatch(r"0[xX][0-9A-Fa-f]{1,32}", text):
        raise invalid("IV", "the initialization vector is not a number of 128 bits")
    return int(text, 16).to_bytes(16)
