"""Who is asking: from the Authorization header to a user id."""

from __future__ import annotations

import logging
import re
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import jwt
import orjson
from starlette.requests import HTTPConnection

from domain.errors import AuthenticationError, ExpiredCredentials, InvalidCredentials, MissingCredentials
from telemetry.context import bind

logger = logging.getLogger(__name__)

MAX_TOKEN_BYTES = 4096
MAX_SECONDS_TO_EXPIRY = 10 * 365.25 * 24 * 3600
LEEWAY_SECONDS = 30  # by which the user service's clock may be ahead; none is given to exp

_UUID = re.compile(r"[0-9a-f]{8}(-?)[0-9a-f]{4}(\1[0-9a-f]{4}){2}\1[0-9a-f]{12}", re.IGNORECASE)

# Which secrets are too short is checked once, when the settings are read.
warnings.filterwarnings("ignore", category=jwt.InsecureKeyLengthWarning)


@dataclass(frozen=True)
class Identity:
    """A user who has proved who they are, and until when that holds."""

    user_id: UUID
    expires_at: datetime


class JWTAuth:
    """Verifies and makes access tokens: RFC 7519, signed with the secret shared with the user service."""

    def __init__(
        self,
        secret: str,
        *,
        previous_secret: str | None = None,
        algorithm: str = "HS256",
        issuer: str | None = None,
        audience: str | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        if not secret:
            raise ValueError("with an empty secret anyone could sign")
        self._secret = secret
        self._previous_secret = previous_secret
        self._algorithm = algorithm
        self._issuer = issuer
        self._audience = audience
        self._clock = clock
        self._signatures = jwt.PyJWS(algorithms=[algorithm])

    def verify_token(self, token: str) -> Identity:
        """The user whose token this is.

        Raises InvalidCredentials or ExpiredCredentials; the reason, for the log, holds nothing of the token.
        """
        # PyJWT itself would take a token without exp, a float or a string for it, and any user id.
        claims = self._signed_claims(token)
        now = self._clock()
        expires_at = _expiry(claims.get("exp"), now)
        broken_rules = {
            "nbf is not a time in the past": not _has_come(claims.get("nbf", now), now),
            "iat is not a time in the past": not _has_come(claims.get("iat", now), now),
            "type is not access": claims.get("type", "access") != "access",
            "iss is not the issuer": self._issuer is not None and claims.get("iss") != self._issuer,
            "aud is not this service": not self._is_meant_for_us(claims),
        }
        for reason, broken in broken_rules.items():
            if broken:
                raise InvalidCredentials(reason=reason)
        return Identity(_user_id(claims), expires_at)

    def make_development_token(self, user_id: UUID, minutes: int) -> str:
        """A token that ``verify_token`` accepts for so long. In production the user service makes them."""
        now = int(self._clock())
        claims = {
            "user_id": str(user_id),
            "type": "access",
            "iat": now,
            "exp": now + minutes * 60,
            **({"iss": self._issuer} if self._issuer else {}),
            **({"aud": self._audience} if self._audience else {}),
        }
        return self._signatures.encode(orjson.dumps(claims), self._secret, self._algorithm)

    def _signed_claims(self, token: str) -> dict[str, Any]:
        if not token.isascii() or len(token) > MAX_TOKEN_BYTES:
            raise InvalidCredentials(reason="not ASCII, or too long")
        try:
            claims = orjson.loads(self._signed_payload(token))
        except jwt.PyJWTError as error:
            raise InvalidCredentials(reason=type(error).__name__) from None
        except orjson.JSONDecodeError:
            raise InvalidCredentials(reason="the payload is not JSON") from None
        if not isinstance(claims, dict):
            raise InvalidCredentials(reason="the payload is not an object")
        return claims

    def _signed_payload(self, token: str) -> bytes:
        try:
            return self._payload(token, self._secret)
        except jwt.InvalidSignatureError:
            if not self._previous_secret:
                raise
            return self._payload(token, self._previous_secret)

    def _payload(self, token: str, secret: str) -> bytes:
        payload: bytes = self._signatures.decode(token, secret, [self._algorithm])
        return payload

    def _is_meant_for_us(self, claims: dict[str, Any]) -> bool:
        if self._audience is None:
            return "aud" not in claims
        audience = claims.get("aud")
        return self._audience in (audience if isinstance(audience, list) else [audience])


def _expiry(exp: object, now: float) -> datetime:
    if not isinstance(exp, int) or isinstance(exp, bool):
        raise InvalidCredentials(reason="exp is not an integer")
    if exp <= now:
        raise ExpiredCredentials(reason="exp has passed")
    if exp > now + MAX_SECONDS_TO_EXPIRY:
        raise InvalidCredentials(reason="exp is more than 10 years away")
    return datetime.fromtimestamp(exp, UTC)


def _has_come(moment: object, now: float) -> bool:
    """RFC 7519, 2: a NumericDate may have a fraction."""
    return isinstance(moment, int | float) and not isinstance(moment, bool) and moment <= now + LEEWAY_SECONDS


def _user_id(claims: dict[str, Any]) -> UUID:
    value = claims.get("user_id")
    if value is None:
        value = claims.get("sub")
    if not isinstance(value, str) or not _UUID.fullmatch(value):
        raise InvalidCredentials(reason="neither user_id nor sub is a UUID")
    return UUID(value)


def bearer_token(authorization: str | None) -> str:
    """The token in an Authorization header, RFC 6750, 2.1. Raises MissingCredentials where there is none."""
    scheme, _, token = (authorization or "").strip().partition(" ")
    if scheme.lower() != "bearer" or not token:
        raise MissingCredentials(reason="no bearer token")
    return token.lstrip()


async def get_current_user(connection: HTTPConnection) -> Identity:
    """FastAPI dependency: whose request this is. Raises AuthenticationError."""
    return authenticate(connection.app.state.auth, connection.headers.get("authorization"))


def authenticate(auth: JWTAuth, authorization: str | None) -> Identity:
    """Whose Authorization header this is, for the log too. Raises AuthenticationError."""
    action = {"event.action": "authentication", "event.category": ["authentication"]}
    try:
        identity = auth.verify_token(bearer_token(authorization))
    except AuthenticationError as error:
        failure = {**action, "event.outcome": "failure", "event.reason": error.reason}
        logger.info("Authentication failed: %s", error.reason, extra=failure)
        raise
    bind({"user.id": str(identity.user_id)})
    logger.info("Authentication succeeded", extra={**action, "event.outcome": "success"})
    return identity
