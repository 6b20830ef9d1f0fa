"""Requests that obstore cannot make, signed by us: AWS Signature Version 4 in the query, from Amazon's documentation.

obstore signs no parameters of a query, and knows nothing of uploads in parts that another process has begun.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from urllib.parse import quote, urlsplit

ALGORITHM = "AWS4-HMAC-SHA256"
REGION = "us-east-1"  # obstore's, when none is given


@dataclass(frozen=True, slots=True)
class Signer:
    """Who signs. Only with a key of the settings: what a machine's role gives is for obstore alone to know."""

    key_id: str
    secret: str = field(repr=False)
    region: str
    session: str | None = field(repr=False, default=None)

    @classmethod
    def of(cls, options: Mapping[str, str]) -> Signer | None:
        """None without a key."""
        key_id, secret = options.get("AWS_ACCESS_KEY_ID"), options.get("AWS_SECRET_ACCESS_KEY")
        region = options.get("AWS_REGION") or options.get("AWS_DEFAULT_REGION") or REGION
        return cls(key_id, secret, region, options.get("AWS_SESSION_TOKEN")) if key_id and secret else None

    def signed(self, method: str, url: str, parameters: Mapping[str, str], seconds: int) -> str:
        """``url``, which has a path in escaped form and no query, with the signed ``parameters``."""
        now = datetime.now(UTC)
        stamp, scope = f"{now:%Y%m%dT%H%M%SZ}", f"{now:%Y%m%d}/{self.region}/s3/aws4_request"
        signing = {
            "X-Amz-Algorithm": ALGORITHM,
            "X-Amz-Credential": f"{self.key_id}/{scope}",
            "X-Amz-Date": stamp,
            "X-Amz-Expires": str(seconds),
            "X-Amz-SignedHeaders": "host",
            **({"X-Amz-Security-Token": self.session} if self.session else {}),
        }
        query = "&".join(
            f"{_escaped(name)}={_escaped(value)}" for name, value in sorted({**parameters, **signing}.items())
        )
        parts = urlsplit(url)
        path = parts.path or "/"
        request = f"{method}\n{path}\n{query}\nhost:{parts.netloc}\n\nhost\nUNSIGNED-PAYLOAD"
        text = f"{ALGORITHM}\n{stamp}\n{scope}\n{hashlib.sha256(request.encode()).hexdigest()}"
        key = f"AWS4{self.secret}".encode()
        for part in scope.split("/"):
            key = hmac.digest(key, part.encode(), "sha256")
        return f"{url}?{query}&X-Amz-Signature={hmac.digest(key, text.encode(), 'sha256').hex()}"


def _escaped(text: str) -> str:
    return quote(text, safe="-_.~")
