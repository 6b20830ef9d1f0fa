"""Request headers hold cookies and tokens: nobody who reads the database can read them."""

from __future__ import annotations

import json
import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from domain.errors import InvalidInputError
from domain.ports import Headers

VERSION = b"\x01"
NONCE_BYTES = 12  # 96 bits, random: NIST SP 800-38D, 8.2.2, allows 2^32 under one key
KEY_BYTES = 32
PURPOSE = b"media download service: request headers"


class AesGcmSealer:
    """See ``domain.ports.HeaderSealer``. Sealed: version, nonce, AES-256-GCM of the headers as JSON.

    The key is derived (HKDF, RFC 5869) from a secret that has another job, and is of no use for that job.
    What ``previous`` has sealed is still opened, while secrets rotate.
    """

    def __init__(self, secret: str, previous: str | None = None) -> None:
        self._ciphers = [_cipher(one) for one in (secret, previous) if one]

    def seal(self, headers: Headers) -> bytes:
        nonce = os.urandom(NONCE_BYTES)
        return VERSION + nonce + self._ciphers[0].encrypt(nonce, json.dumps(headers).encode(), VERSION)

    def open(self, sealed: bytes) -> Headers:
        version, nonce, rest = sealed[:1], sealed[1 : 1 + NONCE_BYTES], sealed[1 + NONCE_BYTES :]
        for cipher in self._ciphers if version == VERSION else ():
            try:
                return tuple((name, value) for name, value in json.loads(cipher.decrypt(nonce, rest, VERSION)))
            except (InvalidTag, ValueError):  # ValueError: too short to have been sealed by us
                continue
        raise InvalidInputError(
            "The request headers can no longer be read: the service's key has changed. Give them again.",
            field=("request_headers",),
        )


def _cipher(secret: str) -> AESGCM:
    return AESGCM(HKDF(SHA256(), KEY_BYTES, salt=None, info=PURPOSE).derive(secret.encode()))
