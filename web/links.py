"""Signed links: who holds one may fetch what it names, without a header, until it expires.

A link is ``{public URL}/media/{token}/{key}``. The token holds the expiry, the user and an HMAC over scope, user and
expiry. The scope of a stream's files is their folder, so that the relative lines of a playlist carry the token along
by themselves; of any other file it is that file. The key of the HMAC is derived (HKDF, RFC 5869) from the secret.
"""

from __future__ import annotations

import binascii
import hmac
import math
import re
import time
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable
from urllib.parse import quote
from uuid import UUID

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

PURPOSE = b"media download service: playback links"
KEY_BYTES = 32
EXPIRY_BYTES = 5  # seconds since 1970
USER_BYTES = 16
LONGEST = 24 * 3600  # seconds

_STREAM = re.compile(r"video_[0-9a-f-]{36}/hls/")


class Links:
    """Makes links and checks them. ``seconds`` is what a link lasts beyond the media's own duration."""

    def __init__(
        self,
        secret: str,
        *,
        public_url: str,
        seconds: int,
        previous_secret: str | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._keys = [_derived(one) for one in (secret, previous_secret) if one]
        self._public_url = public_url
        self._seconds = seconds
        self._clock = clock

    def url(self, key: str, user_id: UUID, duration: float | None = None) -> str:
        """A link to the file ``key``; it must not die in mid-film, so it lasts ``duration`` seconds longer."""
        lasts = min(LONGEST, self._seconds + (duration or 0))
        head = int(self._clock() + lasts).to_bytes(EXPIRY_BYTES) + user_id.bytes
        token = urlsafe_b64encode(head + _mac(self._keys[0], key, head)).rstrip(b"=").decode()
        return f"{self._public_url}/media/{token}/{quote(key)}"

    def opens(self, token: str, key: str) -> int:
        """For how many seconds ``token`` still opens the file ``key``; 0 when it does not."""
        try:
            content = urlsafe_b64decode(token + "=" * (-len(token) % 4))
        except (binascii.Error, ValueError):
            return 0
        head, mac = content[: EXPIRY_BYTES + USER_BYTES], content[EXPIRY_BYTES + USER_BYTES :]
        signed = [hmac.compare_digest(mac, _mac(one, key, head)) for one in self._keys]
        return max(0, math.ceil(int.from_bytes(head[:EXPIRY_BYTES]) - self._clock())) if any(signed) else 0


def _mac(signing_key: bytes, key: str, head: bytes) -> bytes:
    scope = _STREAM.match(key)
    return hmac.digest(signing_key, (scope[0] if scope else key).encode() + b"\n" + head, "sha256")


def _derived(secret: str) -> bytes:
    return HKDF(SHA256(), KEY_BYTES, salt=None, info=PURPOSE).derive(secret.encode())
