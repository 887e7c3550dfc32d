"""Bearer tokens (P1): issued with this home's own key, verified with its keys or with those of trusted issuers.

Only signatures with a public key count (Ed25519, ECDSA, RSA): `none` and the shared-secret algorithms are refused
before any key is looked at. Times in tokens are the machine's, never the test clock's: moving the test clock by
49 days does not lock anybody out. No token holds longer than the settings allow for its role, whoever issued it.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar, Final

from joserfc import jws, jwt
from joserfc.errors import JoseError, SecurityWarning
from joserfc.jwk import OKPKey

from trunkline.errors import Refused
from trunkline.roles import Role
from trunkline.security.jwks import Key, RemoteKeys
from trunkline.security.own_token import own_claims, signed
from trunkline.security.principal import OWN_ISSUER, Principal
from trunkline.security.signing_keys import OwnKeys, signing_key
from trunkline.security.token_claims import Lifetimes, TokenRefused, check_claims, check_terms, principal_of
from trunkline.settings import ClaimNames, Issuer, Settings

__all__ = ["Lifetimes", "TokenMissing", "TokenRefused", "Tokens", "TrustedIssuer", "Verified", "signing_key"]

# RFC 9864 renames EdDSA to Ed25519; issuers go on writing the name of RFC 8037, and it means the same signature.
warnings.filterwarnings("ignore", "EdDSA is deprecated", SecurityWarning)

_OWN_ALGORITHMS: Final = ("Ed25519",)
_FOREIGN_ALGORITHMS: Final = (
    *("Ed25519", "EdDSA", "ES256", "ES384", "ES512"),
    *("PS256", "PS384", "PS512", "RS256", "RS384", "RS512"),
)
_OWN_CLAIMS: Final = ClaimNames(identity="identity")


class TokenMissing(Refused):
    """A bearer token is needed: send the header `Authorization: Bearer …`; `trunkline token issue` makes one."""

    status: ClassVar[int] = 401


@dataclass(frozen=True)
class TrustedIssuer:
    """Another issuer, with its keys and what its tokens may say."""

    keys: RemoteKeys
    terms: Issuer


@dataclass(frozen=True)
class Verified:
    """A token that is believed: who sends it, and when it was issued."""

    principal: Principal
    issued_at: float
    claims: Mapping[str, Any] = field(default_factory=dict)


class Tokens:
    """Issues and verifies. Thread-safe; no request but the first of an issuer waits for an issuer's keys."""

    def __init__(
        self,
        key: OKPKey | OwnKeys,
        issuers: Iterable[tuple[str, RemoteKeys | TrustedIssuer]] = (),
        *,
        audience: str = "trunkline",
        lifetimes: Lifetimes | None = None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """Trust the home's own keys, and others by what their tokens say in `iss`."""
        self._own = key
        self._issuers = {
            name: TrustedIssuer(found, Issuer(issuer=name, jwks_url="")) if isinstance(found, RemoteKeys) else found
            for name, found in issuers
        }
        self._audience = audience
        self._lifetimes = lifetimes or Lifetimes()
        self._now = now

    @classmethod
    def of(cls, settings: Settings) -> Tokens:
        """The tokens of a home, whose signing key is made if there is none yet."""
        issuers = [(i.issuer, TrustedIssuer(RemoteKeys(i.jwks_url), i)) for i in settings.token_issuers]
        lifetimes = Lifetimes(timedelta(hours=settings.token_hours), timedelta(days=settings.machine_token_days))
        return cls(OwnKeys(settings.keys), issuers, audience=settings.token_audience, lifetimes=lifetimes)

    def prefetch(self) -> None:
        """Begin to fetch the keys of every trusted issuer, so that no request has to."""
        for issuer in self._issuers.values():
            issuer.keys.prefetch()

    def issue(
        self,
        role: Role,
        *,
        subject: str | None = None,
        party_id: str | None = None,
        scopes: Iterable[str] = (),
        sources: Iterable[str] = (),
        ttl: timedelta = timedelta(hours=12),
        token_id: str | None = None,
        command: bool = False,
    ) -> str:
        """A signed token; `command`: for one command, which is on record itself.

        Raises:
            TokenRefused: the role and the party do not go together, or it is to hold longer than the role's may.
            NoSigningKey: this home only verifies.
        """
        claims = own_claims(
            role,
            self._audience,
            self._now(),
            ttl,
            subject=subject,
            party_id=party_id,
            scopes=scopes,
            sources=sources,
            token_id=token_id,
            command=command,
        )
        principal_of(claims, _OWN_CLAIMS, {}, own=True)
        self._lifetimes.check(claims, role, self._now())
        key = self._own.signing() if isinstance(self._own, OwnKeys) else self._own
        return signed(claims, {**key.as_dict(private=True), "kid": key.kid})

    def verify(self, token: str) -> Principal:
        """Who sends a token.

        Raises:
            TokenRefused: with the reason, which never repeats the token.
            IssuerUnreachable: its issuer's keys cannot be fetched now.
        """
        return self.verified(token).principal

    def verified(self, token: str) -> Verified:
        """Who sends a token, and since when it holds. Raises as `verify`."""
        header, issuer = _unverified(token)
        own = issuer == OWN_ISSUER
        if not own and issuer not in self._issuers:
            raise TokenRefused(why=f"its issuer {issuer[:200]!r} is not trusted here")
        algorithms = _OWN_ALGORITHMS if own else _FOREIGN_ALGORITHMS
        if header.get("alg") not in algorithms:
            raise TokenRefused(why=f"its algorithm {str(header.get('alg'))[:20]!r} is none of {', '.join(algorithms)}")
        terms = None if own else self._issuers[issuer].terms
        keys = self._own_keys(header.get("kid")) if own else self._issuers[issuer].keys.find(header.get("kid"))
        claims = _verified(token, keys, algorithms)
        audience = (terms and terms.audience) or self._audience
        check_claims(claims, audience, self._now())
        names, roles = (_OWN_CLAIMS, {}) if terms is None else (terms.claims, terms.role_names)
        principal = principal_of(claims, names, roles, own=own)
        issued = self._lifetimes.check(claims, principal.role, self._now())
        if terms is not None:
            check_terms(principal, terms)
        return Verified(principal, issued, claims)

    def _own_keys(self, kid: object) -> list[OKPKey]:
        return self._own.find(kid) if isinstance(self._own, OwnKeys) else [self._own]


def claimed_subject(token: str) -> str | None:
    """Whom a token says it is, for the log; nothing of it is believed."""
    try:
        subject = json.loads(jws.extract_compact(token.encode()).payload)["sub"]
    except (JoseError, ValueError, KeyError, TypeError, RecursionError):
        return None
    return subject if isinstance(subject, str) and len(subject) <= 200 and subject.isprintable() else None


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
