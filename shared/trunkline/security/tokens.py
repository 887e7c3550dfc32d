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
from uuid import UUID

from joserfc import jws, jwt
from joserfc.errors import JoseError, SecurityWarning
from joserfc.jwk import OKPKey

from trunkline.errors import Refused
from trunkline.roles import PLATFORM, ROLES, Role
from trunkline.security.jwks import Key, RemoteKeys
from trunkline.security.own_token import own_claims, signed
from trunkline.security.principal import OWN_ISSUER, Principal
from trunkline.security.signing_keys import OwnKeys, signing_key
from trunkline.settings import ClaimNames, Issuer, Settings

__all__ = ["Lifetimes", "TokenMissing", "TokenRefused", "Tokens", "TrustedIssuer", "Verified", "signing_key"]

# RFC 9864 renames EdDSA to Ed25519; issuers go on writing the name of RFC 8037, and it means the same signature.
warnings.filterwarnings("ignore", "EdDSA is deprecated", SecurityWarning)

_OWN_ALGORITHMS: Final = ("Ed25519",)
_FOREIGN_ALGORITHMS: Final = (
    *("Ed25519", "EdDSA", "ES256", "ES384", "ES512"),
    *("PS256", "PS384", "PS512", "RS256", "RS384", "RS512"),
)
_LEEWAY: Final = timedelta(seconds=30)
_PARTY_ROLES: Final = ("partner-admin", "org-admin", "member")
_OWN_CLAIMS: Final = ClaimNames(identity="identity")


class TokenRefused(Refused):
    """The bearer token is refused: {why}."""

    status: ClassVar[int] = 401


class TokenMissing(Refused):
    """A bearer token is needed: send the header `Authorization: Bearer …`; `trunkline token issue` makes one."""

    status: ClassVar[int] = 401


@dataclass(frozen=True)
class Lifetimes:
    """How long a token may hold from its issue on."""

    people: timedelta = timedelta(hours=24)
    machines: timedelta = timedelta(days=90)

    def of(self, role: str) -> timedelta:
        """The longest for a role."""
        return self.machines if role == "machine" else self.people


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
        _principal(claims, _OWN_CLAIMS, {}, own=True)
        self._check_lifetime(claims, role)
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
        self._check_times(claims)
        wanted, audience = (terms and terms.audience) or self._audience, claims.get("aud")
        if wanted not in (audience if isinstance(audience, list) else [audience]):
            raise TokenRefused(why=f"its audience (`aud`) is not {wanted!r}")
        names, roles = (_OWN_CLAIMS, {}) if terms is None else (terms.claims, terms.role_names)
        principal = _principal(claims, names, roles, own=own)
        issued = self._check_lifetime(claims, principal.role)
        if terms is not None:
            _check_terms(principal, terms)
        return Verified(principal, issued, claims)

    def _own_keys(self, kid: object) -> list[OKPKey]:
        return self._own.find(kid) if isinstance(self._own, OwnKeys) else [self._own]

    def _check_lifetime(self, claims: Mapping[str, Any], role: str) -> float:
        """When a token was issued; one that says nothing of it counts as issued now."""
        now, expires = self._now().timestamp(), _instant(claims, "exp") or 0.0
        given = _instant(claims, "iat")
        issued = now if given is None else given
        if issued - _LEEWAY.total_seconds() > now:
            raise TokenRefused(why="it was issued in the future (`iat`)")
        longest = self._lifetimes.of(role)
        if expires - issued > longest.total_seconds() + _LEEWAY.total_seconds():
            raise TokenRefused(why=f"it holds longer than a {role} token may, which is {_hours(longest)}")
        return issued

    def _check_times(self, claims: dict[str, Any]) -> None:
        expires, begins = _instant(claims, "exp"), _instant(claims, "nbf")
        now = self._now()
        if expires is None:
            raise TokenRefused(why="it has no end (`exp`)")
        if expires + _LEEWAY.total_seconds() <= now.timestamp():
            raise TokenRefused(why="it has expired")
        if begins is not None and begins - _LEEWAY.total_seconds() > now.timestamp():
            raise TokenRefused(why="it is not valid yet")


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


def _instant(claims: Mapping[str, Any], name: str) -> float | None:
    value = claims.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < 2**53:
        raise TokenRefused(why=f"`{name}` is not a time")
    return float(value)


def _principal(claims: Mapping[str, Any], names: ClaimNames, roles: Mapping[str, str], *, own: bool) -> Principal:
    role, subject = _role(_claim(claims, names.role), roles), claims.get("sub")
    if not isinstance(subject, str) or not 0 < len(subject) <= 200 or not subject.isprintable():
        raise TokenRefused(why="`sub` is not a text of 1 to 200 printable characters")
    identity = _claim(claims, names.identity) if names.identity is not None else None
    if identity is None and own and role in ("org-admin", "member"):
        identity = _uuid_or_none(subject)
    if not own:  # one subject is one person, whoever issued the token
        subject = f"{claims['iss']}#{subject}"
    token_id = claims.get("jti")
    return Principal(
        subject,
        role,
        _party(role, _claim(claims, names.party), names.party),
        frozenset(_words(claims, names.scope)),
        claims["iss"],
        frozenset(_words(claims, names.sources)),
        None if identity is None else _uuid(identity, str(names.identity)),
        token_id if isinstance(token_id, str) else None,
    )


def _claim(claims: Mapping[str, Any], name: str) -> Any:
    """A claim by its name, which may have dots itself; else by the path that the dots make."""
    if name in claims:
        return claims[name]
    found: Any = claims
    for step in name.split("."):
        found = found.get(step) if isinstance(found, Mapping) else None
    return found


def _role(value: object, names: Mapping[str, str]) -> Role:
    """The role that a claim names; of several the first that there is."""
    named = [names.get(v, v) for v in (value if isinstance(value, list) else [value]) if isinstance(v, str)]
    for role in ROLES:
        if role in named:
            return role
    raise TokenRefused(why=f"`role` is {str(value)[:40]!r}, none of {', '.join(ROLES)}")


def _check_terms(principal: Principal, terms: Issuer) -> None:
    """Hold a principal against what its issuer may say."""
    if terms.roles and principal.role not in terms.roles:
        raise TokenRefused(why=f"its issuer gives nobody the role {principal.role}")
    if terms.parties and (principal.party_id or PLATFORM) not in terms.parties:
        raise TokenRefused(why="its issuer speaks for no such `party`")
    if terms.sources and not principal.sources <= set(terms.sources):
        raise TokenRefused(why="its issuer gives nobody such `sources`")


def _hours(length: timedelta) -> str:
    days, rest = divmod(length, timedelta(days=1))
    return f"{days} days" if not rest and days > 1 else f"{length / timedelta(hours=1):g} hours"


def _words(claims: Mapping[str, Any], name: str) -> list[str]:
    value = _claim(claims, name)
    words = value.split() if isinstance(value, str) else value or []
    if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
        raise TokenRefused(why=f"`{name}` is neither a text with spaces between the words nor a list of texts")
    return words


def _party(role: str, party: object, name: str) -> str | None:
    if role in _PARTY_ROLES and party is None:
        raise TokenRefused(why=f"the role {role} needs the UUID of its `party`")
    if role.startswith("platform-") and party is not None:
        raise TokenRefused(why=f"the role {role} has no `party`")
    return None if party is None else _uuid(party, name)


def _uuid(value: object, name: str) -> str:
    found = _uuid_or_none(value)
    if found is None:
        raise TokenRefused(why=f"`{name}` is not a UUID")
    return found


def _uuid_or_none(value: object) -> str | None:
    try:
        return str(UUID(value if isinstance(value, str) else ""))
    except ValueError:
        return None
