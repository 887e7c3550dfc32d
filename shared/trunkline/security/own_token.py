"""Tokens of the home's own key: what they say, and their signature, with nothing imported that only verifying needs.

A command signs a token each time it runs; the library that reads everybody's tokens takes longer to import than
most commands take.
"""

from __future__ import annotations

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import uuid4

ISSUER: Final = "trunkline"
"""The issuer of the tokens that the home's own key signs."""


def own_claims(
    role: str,
    audience: str,
    now: datetime,
    ttl: timedelta,
    *,
    subject: str | None = None,
    party_id: str | None = None,
    scopes: Iterable[str] = (),
    sources: Iterable[str] = (),
    token_id: str | None = None,
    command: bool = False,
) -> dict[str, Any]:
    """The claims of a token (RFC 7519).

    Args:
        role: whom it speaks for.
        audience: what it is made for.
        now: the machine's instant.
        ttl: how long it holds.
        subject: whom histories name; None: a name of its own.
        party_id: the party it belongs to; None: the platform.
        scopes: what it is good for beside the role.
        sources: those that its billing events may have.
        token_id: its `jti`; None: a new one.
        command: it is for one command, which is on record itself.
    """
    claims: dict[str, Any] = {
        "iss": ISSUER,
        "aud": audience,
        "sub": subject or f"{role}-{uuid4()}",
        "role": role,
        "scope": " ".join(sorted(scopes)),
        "iat": int(now.timestamp()),
        "exp": int((now + ttl).timestamp()),
        "jti": token_id or str(uuid4()),
    }
    if command:
        claims["command"] = True
    if party_id is not None:
        claims["party"] = party_id
    if bound := sorted(sources):
        claims["sources"] = bound
    return claims


def signed(claims: Mapping[str, Any], key: Mapping[str, Any]) -> str:
    """A token in the compact serialization (RFC 7515), signed with Ed25519 (RFC 8037).

    Args:
        claims: what it says.
        key: a private JWK (`kty` OKP, `crv` Ed25519) with its `kid`.

    Raises:
        KeyError, ValueError: the key is none of that kind.
    """
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    if key["crv"] != "Ed25519":
        raise ValueError(key["crv"])
    private = Ed25519PrivateKey.from_private_bytes(urlsafe_b64decode(key["d"] + "=="))
    header = {"alg": "Ed25519", "typ": "JWT", "kid": key["kid"]}
    text = b".".join(_encoded(json.dumps(part, separators=(",", ":")).encode()) for part in (header, claims))
    return (text + b"." + _encoded(private.sign(text))).decode()


def _encoded(data: bytes) -> bytes:
    return urlsafe_b64encode(data).rstrip(b"=")
