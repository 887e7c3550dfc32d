"""What the claims of a token mean (P1): whether it is valid now and here, for how long, and who sends it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, ClassVar, Final
from uuid import UUID

from joserfc.errors import ExpiredTokenError, InvalidClaimError, MissingClaimError
from joserfc.jwt import JWTClaimsRegistry

from trunkline.errors import Refused
from trunkline.roles import PLATFORM, ROLES, Role
from trunkline.security.principal import Principal
from trunkline.settings import ClaimNames, Issuer

_LEEWAY_SECONDS: Final = 30
"""By how much the clock of an issuer may differ from this machine's."""
_PARTY_ROLES: Final = ("partner-admin", "org-admin", "member")


class TokenRefused(Refused):
    """The bearer token is refused: {why}."""

    status: ClassVar[int] = 401


@dataclass(frozen=True)
class Lifetimes:
    """How long a token may hold from its issue on."""

    people: timedelta = timedelta(hours=24)
    machines: timedelta = timedelta(days=90)

    def of(self, role: str) -> timedelta:
        """The longest for a role."""
        return self.machines if role == "machine" else self.people

    def check(self, claims: Mapping[str, Any], role: str, now: datetime) -> float:
        """When a token was issued; one without `iat` counts as issued now.

        Raises:
            TokenRefused: it is valid for longer than a token of its role may be.
        """
        expires, given = _instant(claims, "exp") or 0.0, _instant(claims, "iat")
        issued = now.timestamp() if given is None else given
        longest = self.of(role)
        if expires - issued > longest.total_seconds() + _LEEWAY_SECONDS:
            raise TokenRefused(why=f"it holds longer than a {role} token may, which is {_hours(longest)}")
        return issued


def check_claims(claims: Mapping[str, Any], audience: str, now: datetime) -> None:
    """Hold the times and the audience of a token against this instant and this installation.

    Args:
        claims: all that the token has.
        audience: for which it must be made.
        now: the machine's clock.

    Raises:
        TokenRefused: it has no end, has ended, has not begun, or is made for another audience.
    """
    times = {name: _instant(claims, name) for name in ("exp", "nbf", "iat")}
    checked = {name: value for name, value in (*times.items(), ("aud", claims.get("aud"))) if value is not None}
    registry = JWTClaimsRegistry(
        int(now.timestamp()), _LEEWAY_SECONDS, exp={"essential": True}, aud={"essential": True, "value": audience}
    )
    try:
        registry.validate(checked)
    except ExpiredTokenError:
        raise TokenRefused(why="it has expired") from None
    except (InvalidClaimError, MissingClaimError) as error:
        claim = "exp" if "exp" not in checked else error.claim
        raise TokenRefused(why=_WRONG.get(claim, f"its audience (`aud`) is not {audience!r}")) from None


_WRONG: Final = {
    "exp": "it has no end (`exp`)",
    "nbf": "it is not valid yet",
    "iat": "it was issued in the future (`iat`)",
}


def principal_of(claims: Mapping[str, Any], names: ClaimNames, roles: Mapping[str, str], *, own: bool) -> Principal:
    """Who sends a token.

    Args:
        claims: all that it has.
        names: which of them mean what.
        roles: the issuer's names for roles.
        own: issued by this home.

    Raises:
        TokenRefused: a claim is missing or has no such value.
    """
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


def check_terms(principal: Principal, terms: Issuer) -> None:
    """Hold a principal against the terms of its issuer.

    Raises:
        TokenRefused: the issuer is not trusted with this role, party or source.
    """
    if terms.roles and principal.role not in terms.roles:
        raise TokenRefused(why=f"its issuer gives nobody the role {principal.role}")
    if terms.parties and (principal.party_id or PLATFORM) not in terms.parties:
        raise TokenRefused(why="its issuer speaks for no such `party`")
    if terms.sources and not principal.sources <= set(terms.sources):
        raise TokenRefused(why="its issuer gives nobody such `sources`")


def _instant(claims: Mapping[str, Any], name: str) -> float | None:
    value = claims.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < 2**53:
        raise TokenRefused(why=f"`{name}` is not a time")
    return float(value)


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
