"""Bearer tokens (P1): issued with this home's own key, verified with it or with the keys of trusted issuers.

Only signatures with a public key count (Ed25519, ECDSA, RSA): `none` and the shared-secret algorithms are refused
before any key is looked at. Times in tokens are the machine's, never the test clock's: moving the test clock by
49 days does not lock anybody out.
"""

from __future__ import annotations

import json
import os
import secrets
import warnings
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar, Final
from uuid import UUID, uuid4

from joserfc import jws, jwt
from joserfc.errors import JoseError, SecurityWarning
from joserfc.jwk import OKPKey

from trunkline.jwks import Key, RemoteKeys
from trunkline.parties import OWN_ISSUER, ROLES, Principal, Role
from trunkline.refusal import Refused
from trunkline.settings import Settings

# RFC 9864 renames EdDSA to Ed25519; issuers go on writing the name of RFC 8037, and it means the same signature.
warnings.filterwarnings("ignore", "EdDSA is deprecated", SecurityWarning)

_OWN_ALGORITHMS: Final = ("Ed25519",)
_FOREIGN_ALGORITHMS: Final = (
    *("Ed25519", "EdDSA", "ES256", "ES384", "ES512"),
    *("PS256", "PS384", "PS512", "RS256", "RS384", "RS512"),
)
_LEEWAY: Final = timedelta(seconds=30)
_PARTY_ROLES: Final = ("partner-admin", "org-admin", "member")


class TokenRefused(Refused):
    """The bearer token is refused: {why}."""

    status: ClassVar[int] = 401


class TokenMissing(Refused):
    """A bearer token is needed: send the header `Authorization: Bearer …`; `trunkline token issue` makes one."""

    status: ClassVar[int] = 401


class Tokens:
    """Issues and verifies. Thread-safe; the first foreign token of an issuer fetches that issuer's keys."""

    def __init__(
        self,
        key: OKPKey,
        issuers: Iterable[tuple[str, RemoteKeys]] = (),
        *,
        audience: str = "trunkline",
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """Trust a key of our own, and others by what their tokens say in `iss`."""
        self._key = key
        self._issuers = dict(issuers)
        self._audience = audience
        self._now = now

    @classmethod
    def of(cls, settings: Settings) -> Tokens:
        """The tokens of a home, whose signing key is made if there is none yet."""
        issuers = [(i.issuer, RemoteKeys(i.jwks_url)) for i in settings.token_issuers]
        return cls(signing_key(settings.keys), issuers, audience=settings.token_audience)

    def issue(
        self,
        role: Role,
        *,
        subject: str | None = None,
        party_id: str | None = None,
        scopes: Iterable[str] = (),
        sources: Iterable[str] = (),
        ttl: timedelta = timedelta(hours=12),
    ) -> str:
        """A signed token.

        Raises:
            TokenRefused: the role and the party do not go together.
        """
        claims = {
            "iss": OWN_ISSUER,
            "aud": self._audience,
            "sub": subject or f"{role}-{uuid4()}",
            "role": role,
            "scope": " ".join(sorted(scopes)),
            "iat": int(self._now().timestamp()),
            "exp": int((self._now() + ttl).timestamp()),
            "jti": str(uuid4()),
        }
        if party_id is not None:
            claims["party"] = party_id
        if bound := sorted(sources):
            claims["sources"] = bound
        _principal(claims, own=True)
        header = {"alg": "Ed25519", "typ": "JWT", "kid": self._key.kid}
        return jwt.encode(header, claims, self._key, algorithms=list(_OWN_ALGORITHMS))

    def verify(self, token: str) -> Principal:
        """Who sends a token.

        Raises:
            TokenRefused: with the reason, which never repeats the token.
            IssuerUnreachable: its issuer's keys cannot be fetched now.
        """
        header, issuer = _unverified(token)
        own = issuer == OWN_ISSUER
        if not own and issuer not in self._issuers:
            raise TokenRefused(why=f"its issuer {issuer[:200]!r} is not trusted here")
        algorithms = _OWN_ALGORITHMS if own else _FOREIGN_ALGORITHMS
        if header.get("alg") not in algorithms:
            raise TokenRefused(why=f"its algorithm {str(header.get('alg'))[:20]!r} is none of {', '.join(algorithms)}")
        keys = [self._key] if own else self._issuers[issuer].find(header.get("kid"))
        claims = _verified(token, keys, algorithms)
        self._check_times(claims)
        audience = claims.get("aud")
        if self._audience not in (audience if isinstance(audience, list) else [audience]):
            raise TokenRefused(why=f"its audience (`aud`) is not {self._audience!r}")
        return _principal(claims, own=own)

    def _check_times(self, claims: dict[str, Any]) -> None:
        expires, begins = _instant(claims, "exp"), _instant(claims, "nbf")
        now = self._now()
        if expires is None:
            raise TokenRefused(why="it has no end (`exp`)")
        if expires + _LEEWAY.total_seconds() <= now.timestamp():
            raise TokenRefused(why="it has expired")
        if begins is not None and begins - _LEEWAY.total_seconds() > now.timestamp():
            raise TokenRefused(why="it is not valid yet")


def _unverified(token: str) -> tuple[dict[str, Any], str]:
    """The header and the issuer, to know which key to verify with. Nothing else is believed yet."""
    try:
        parts = jws.extract_compact(token.encode())
        claims = json.loads(parts.payload)
        issuer = claims["iss"]
    except (JoseError, ValueError, KeyError, TypeError, RecursionError):
        raise TokenRefused(why="it is not a signed JWT that names its issuer (`iss`)") from None
    if not isinstance(issuer, str):
        raise TokenRefused(why="its issuer (`iss`) is not a text")
    return dict(parts.headers()), issuer


def _verified(token: str, keys: Iterable[Key], algorithms: Iterable[str]) -> dict[str, Any]:
    for key in keys:
        try:
            return jwt.decode(token, key, algorithms=list(algorithms)).claims
        except (JoseError, ValueError):
            continue
    raise TokenRefused(why="its signature does not fit any key of its issuer")


def _instant(claims: dict[str, Any], name: str) -> float | None:
    value = claims.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < 2**53:
        raise TokenRefused(why=f"`{name}` is not a time")
    return float(value)


def _principal(claims: dict[str, Any], *, own: bool) -> Principal:
    role, party, subject = (claims.get(name) for name in ("role", "party", "sub"))
    if role not in ROLES:
        raise TokenRefused(why=f"`role` is {str(role)[:40]!r}, none of {', '.join(ROLES)}")
    if not isinstance(subject, str) or not 0 < len(subject) <= 200 or not subject.isprintable():
        raise TokenRefused(why="`sub` is not a text of 1 to 200 printable characters")
    scopes, sources = _words(claims, "scope"), _words(claims, "sources")
    if not own:  # one subject is one person, whoever issued the token
        subject = f"{claims['iss']}#{subject}"
    return Principal(subject, role, _party(role, party), frozenset(scopes), claims["iss"], frozenset(sources))


def _words(claims: dict[str, Any], name: str) -> list[str]:
    value = claims.get(name)
    words = value.split() if isinstance(value, str) else value or []
    if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
        raise TokenRefused(why=f"`{name}` is neither a text with spaces between the words nor a list of texts")
    return words


def _party(role: str, party: object) -> str | None:
    if role in _PARTY_ROLES and party is None:
        raise TokenRefused(why=f"the role {role} needs the UUID of its `party`")
    if role.startswith("platform-") and party is not None:
        raise TokenRefused(why=f"the role {role} has no `party`")
    if party is None:
        return None
    try:
        return str(UUID(party if isinstance(party, str) else ""))
    except ValueError:
        raise TokenRefused(why="`party` is not a UUID") from None


def signing_key(folder: Path) -> OKPKey:
    """The home's own Ed25519 key: read, or made and kept so that only its owner can read it (mode 0600)."""
    path = folder / "signing.json"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        key = OKPKey.generate_key("Ed25519", {"use": "sig", "alg": "Ed25519"}, auto_kid=True)
        draft = folder / f".signing-{secrets.token_hex(8)}"
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
            json.dump(key.as_dict(private=True), file)
            file.flush()
            os.fsync(file.fileno())
        try:
            path.hardlink_to(draft)  # whole or not at all, and never over one that another process has made meanwhile
        except FileExistsError:
            pass
        finally:
            draft.unlink()
    return OKPKey.import_key(json.loads(path.read_text(encoding="utf-8")))
