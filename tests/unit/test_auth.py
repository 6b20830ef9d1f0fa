"""Which tokens are accepted, rule by rule. The clock stands at NOW."""

from __future__ import annotations

import base64
import hmac
import json
from datetime import UTC, datetime
from typing import Annotated, Any
from uuid import UUID

import httpx
import jwt
import pytest
from fastapi import Depends, FastAPI

from domain.errors import ExpiredCredentials, InvalidCredentials, MissingCredentials
from web.auth import Identity, JWTAuth, bearer_token, get_current_user

NOW = 1_750_000_000
TEN_YEARS = 315_576_000
SECRET = "0123456789abcdef" * 4  # long enough for HS512
OTHER = "fedcba9876543210" * 4
ALICE = UUID("3f2b8c1e-5d4a-4e6f-9a7b-0c1d2e3f4a5b")
BOB = UUID("b0b00000-0000-4000-8000-000000000001")
CLAIMS: dict[str, Any] = {"user_id": str(ALICE), "exp": NOW + 60}


def auth(**options: Any) -> JWTAuth:
    return JWTAuth(SECRET, clock=lambda: NOW, **options)


def signed(claims: object, secret: str = SECRET, algorithm: str = "HS256", **header: Any) -> str:
    return jwt.PyJWS().encode(json.dumps(claims).encode(), secret, algorithm, header)


def without(name: str) -> dict[str, Any]:
    return {key: value for key, value in CLAIMS.items() if key != name}


def hand_made(header: bytes, payload: bytes, secret: str = SECRET) -> str:
    """A token whose signature is right, whatever its two parts are."""
    parts = b".".join(base64.urlsafe_b64encode(part).rstrip(b"=") for part in (header, payload))
    signature = hmac.digest(secret.encode(), parts, "sha256")
    return (parts + b"." + base64.urlsafe_b64encode(signature).rstrip(b"=")).decode()


@pytest.mark.parametrize(
    ("claims", "user_id"),
    [
        (CLAIMS, ALICE),
        ({**CLAIMS, "sub": str(BOB)}, ALICE),
        ({**without("user_id"), "sub": str(BOB)}, BOB),
        ({**CLAIMS, "user_id": None, "sub": str(BOB)}, BOB),
        ({**CLAIMS, "user_id": str(ALICE).upper()}, ALICE),
        ({**CLAIMS, "user_id": ALICE.hex}, ALICE),
        ({**CLAIMS, "type": "access"}, ALICE),
        ({**CLAIMS, "exp": NOW + 1}, ALICE),
        ({**CLAIMS, "exp": NOW + TEN_YEARS}, ALICE),
        ({**CLAIMS, "nbf": NOW + 30, "iat": NOW + 30}, ALICE),
        ({**CLAIMS, "nbf": NOW - 0.5, "iat": NOW + 29.5}, ALICE),
        ({**CLAIMS, "iss": "anyone", "jti": 7, "role": "admin"}, ALICE),
    ],
)
def test_accepted(claims: dict[str, Any], user_id: UUID) -> None:
    expires_at = datetime.fromtimestamp(claims["exp"], UTC)
    assert auth().verify_token(signed(claims)) == Identity(user_id, expires_at)


@pytest.mark.parametrize("exp", [NOW, NOW - 1, 0, -1])
def test_expired(exp: int) -> None:
    with pytest.raises(ExpiredCredentials):
        auth().verify_token(signed({**CLAIMS, "exp": exp}))


@pytest.mark.parametrize(
    ("reason", "tokens"),
    [
        (
            "exp is not an integer",
            [
                signed(without("exp")),
                *(signed({**CLAIMS, "exp": exp}) for exp in (None, str(NOW + 60), NOW + 60.0, True, [NOW])),
                signed({**CLAIMS, "exp": 10**30}),
            ],
        ),
        ("exp is more than 10 years away", [signed({**CLAIMS, "exp": NOW + TEN_YEARS + 1})]),
        (
            "nbf is not a time in the past",
            [signed({**CLAIMS, "nbf": nbf}) for nbf in (NOW + 31, str(NOW), None, True, 1e300)],
        ),
        (
            "iat is not a time in the past",
            [signed({**CLAIMS, "iat": iat}) for iat in (NOW + 31, str(NOW), None, True)],
        ),
        (
            "type is not access",
            [signed({**CLAIMS, "type": kind}) for kind in ("refresh", "Access", "", None, ["access"])],
        ),
        (
            "aud is not this service",
            [signed({**CLAIMS, "aud": aud}) for aud in ("media", ["media"], [], "", None)],
        ),
        (
            "neither user_id nor sub is a UUID",
            [
                signed(without("user_id")),
                *(
                    signed({**CLAIMS, "sub": str(BOB), "user_id": user_id})
                    for user_id in (
                        42,
                        "",
                        "42",
                        f"{{{ALICE}}}",
                        f"urn:uuid:{ALICE}",
                        f"{ALICE}\n",
                        [str(ALICE)],
                    )
                ),
            ],
        ),
        ("the payload is not an object", [signed([CLAIMS]), signed(None)]),
        (
            "the payload is not JSON",
            [
                hand_made(b'{"alg":"HS256"}', payload)
                for payload in (b"", b"{", b'{"exp": NaN}', b'{"exp": Infinity}', b"\xff", b"[" * 2000)
            ],
        ),
    ],
)
def test_refused_for_its_claims(reason: str, tokens: list[str]) -> None:
    for token in tokens:
        with pytest.raises(InvalidCredentials) as refused:
            auth().verify_token(token)
        assert refused.value.reason == reason


GOOD = signed(CLAIMS)
HEADER, PAYLOAD, SIGNATURE = GOOD.split(".")
BOBS_PAYLOAD = signed({**CLAIMS, "user_id": str(BOB)}).split(".")[1]


@pytest.mark.parametrize(
    ("reason", "token"),
    [
        ("InvalidSignatureError", signed(CLAIMS, OTHER)),
        ("InvalidSignatureError", hand_made(b'{"alg":"HS256"}', json.dumps(CLAIMS).encode(), secret="")),
        ("InvalidSignatureError", f"{HEADER}.{BOBS_PAYLOAD}.{SIGNATURE}"),
        ("InvalidSignatureError", f"{HEADER}.{PAYLOAD}."),
        ("InvalidAlgorithmError", signed(CLAIMS, "", "none")),
        ("InvalidAlgorithmError", signed(CLAIMS, algorithm="HS512")),
        ("InvalidAlgorithmError", hand_made(b'{"alg":["HS256"]}', json.dumps(CLAIMS).encode())),
        ("InvalidAlgorithmError", hand_made(b"{}", json.dumps(CLAIMS).encode())),
        ("InvalidTokenError", signed(CLAIMS, crit=["exp"])),
        ("DecodeError", hand_made(b"[" * 2000, b"{}")),
        ("DecodeError", hand_made(b"[]", b"{}")),
        ("DecodeError", f"{HEADER}.{PAYLOAD}"),
        ("DecodeError", f"{GOOD}.{SIGNATURE}"),
        ("DecodeError", f"{GOOD} {GOOD}"),
        ("DecodeError", "..."),
        ("DecodeError", ""),
        ("not ASCII, or too long", f"{GOOD}\ud800"),
        ("not ASCII, or too long", "a" * 4097),
        ("not ASCII, or too long", signed({**CLAIMS, "padding": "a" * 4096})),
    ],
)
def test_refused_for_its_form_or_signature(reason: str, token: str) -> None:
    with pytest.raises(InvalidCredentials) as refused:
        auth().verify_token(token)
    assert refused.value.reason == reason
    assert str(refused.value) == "The token is not valid."


def test_the_largest_token_that_is_read() -> None:
    padding = next(n for n in range(4096) if len(signed({**CLAIMS, "padding": "a" * n})) == 4096)
    assert auth().verify_token(signed({**CLAIMS, "padding": "a" * padding})).user_id == ALICE


def test_the_configured_algorithm_is_the_only_one() -> None:
    hs512 = auth(algorithm="HS512")
    assert hs512.verify_token(signed(CLAIMS, algorithm="HS512")).user_id == ALICE
    with pytest.raises(InvalidCredentials):
        hs512.verify_token(GOOD)


def test_the_previous_secret_is_accepted_while_keys_rotate() -> None:
    rotating = auth(previous_secret=OTHER)
    assert rotating.verify_token(GOOD).user_id == ALICE
    assert rotating.verify_token(signed(CLAIMS, OTHER)).user_id == ALICE
    with pytest.raises(InvalidCredentials):
        rotating.verify_token(signed(CLAIMS, "a third secret of enough bytes to be taken"))
    with pytest.raises(ExpiredCredentials):
        rotating.verify_token(signed({**CLAIMS, "exp": NOW}, OTHER))


@pytest.mark.parametrize("claims", [{}, {"iss": "b"}, {"iss": None}, {"iss": ["a"]}])
def test_an_issuer_that_is_set_is_required(claims: dict[str, Any]) -> None:
    assert auth(issuer="a").verify_token(signed({**CLAIMS, "iss": "a"})).user_id == ALICE
    with pytest.raises(InvalidCredentials) as refused:
        auth(issuer="a").verify_token(signed({**CLAIMS, **claims}))
    assert refused.value.reason == "iss is not the issuer"


@pytest.mark.parametrize("claims", [{}, {"aud": "media2"}, {"aud": ["x"]}, {"aud": []}, {"aud": {"media": 1}}])
def test_an_audience_that_is_set_is_required(claims: dict[str, Any]) -> None:
    for aud in ("media", ["x", "media"]):
        assert auth(audience="media").verify_token(signed({**CLAIMS, "aud": aud})).user_id == ALICE
    with pytest.raises(InvalidCredentials) as refused:
        auth(audience="media").verify_token(signed({**CLAIMS, **claims}))
    assert refused.value.reason == "aud is not this service"


def test_a_development_token_passes_its_own_check() -> None:
    for options in ({}, {"issuer": "a", "audience": "media", "algorithm": "HS384", "previous_secret": OTHER}):
        one = auth(**options)
        expected = Identity(ALICE, datetime.fromtimestamp(NOW + 1800, UTC))
        assert one.verify_token(one.make_development_token(ALICE, minutes=30)) == expected


def test_without_a_secret_there_is_no_auth() -> None:
    with pytest.raises(ValueError, match="empty secret"):
        JWTAuth("")


@pytest.mark.parametrize("header", ["Bearer a.b.c", "bearer a.b.c", "BEARER   a.b.c "])
def test_bearer_token(header: str) -> None:
    assert bearer_token(header) == "a.b.c"


@pytest.mark.parametrize("header", [None, "", " ", "Bearer", "Bearer ", "Basic YTpi", "a.b.c", "Bearera.b.c"])
def test_no_bearer_token(header: str | None) -> None:
    with pytest.raises(MissingCredentials):
        bearer_token(header)


async def test_the_dependency_reads_the_header() -> None:
    app = FastAPI()
    app.state.auth = auth()

    @app.get("/")
    async def whoami(user: Annotated[Identity, Depends(get_current_user)]) -> UUID:
        return user.user_id

    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://media") as client:
        answer = await client.get("/", headers={"Authorization": f"Bearer {GOOD}"})
        assert answer.json() == str(ALICE)
        with pytest.raises(MissingCredentials):
            await client.get("/")
        with pytest.raises(InvalidCredentials):
            await client.get("/", headers={b"Authorization": b"Bearer \xff"})
