"""Who asks, and what of the tree platform → partner → organization they see (P1, P2)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Protocol

import msgspec

from trunkline.roles import PLATFORM, Role
from trunkline.security.own_token import ISSUER

OWN_ISSUER: Final = ISSUER
"""The issuer of the tokens that the home's own key signs."""


@dataclass(frozen=True)
class Principal:
    """Who asks (P1).

    Attributes:
        subject: who it is, unique over all issuers; goes into every event's envelope as `user:<subject>`.
        role: an organization's owner is `org-admin` too.
        party_id: the partner or organization it belongs to; None: the platform.
        scopes: what a machine may do, and `operate` for people.
        issuer: who issued the token.
        sources: the CloudEvents sources that the token may use for its events; none: as its party may.
        identity_id: the person of the directory that it is; None: nobody of the directory.
        token_id: the token's `jti`.
    """

    subject: str
    role: Role
    party_id: str | None = None
    scopes: frozenset[str] = frozenset()
    issuer: str = OWN_ISSUER
    sources: frozenset[str] = frozenset()
    identity_id: str | None = None
    token_id: str | None = None

    @property
    def person(self) -> str:
        """Who it is to what serves a person (P4): the identity of the directory, or else the subject."""
        return self.identity_id or self.subject

    @property
    def actor(self) -> str:
        """How events name this principal."""
        return f"user:{self.subject}"

    @property
    def sees_all(self) -> bool:
        """Whether its branch is the whole tree."""
        return self.party_id is None


class Person(msgspec.Struct, frozen=True):
    """A person of the directory, as far as tokens are held against it."""

    organization_id: str
    role: str
    removed: bool = False


class Tree(Protocol):
    """The tree of parties, as a service knows it."""

    @property
    def knows_everybody(self) -> bool:
        """Whether a person that it does not know does not exist."""
        ...

    def kind_of(self, party_id: str) -> str | None:
        """`partner` or `organization`; None: unknown."""
        ...

    def person(self, identity_id: str) -> Person | None:
        """A person of the directory, also one who has left; None: unknown."""
        ...

    def partner_of(self, organization_id: str) -> str | None:
        """The partner above an organization; None for the platform's own, for a partner, and for the unknown."""
        ...

    def allows_external(self, organization_id: str) -> bool:
        """Whether an organization is allowed external numbers (R6)."""
        ...


class EmptyTree:
    """A tree without any party: for principals whose branch is the whole tree."""

    knows_everybody = False

    def kind_of(self, party_id: str) -> str | None:
        """None: no party is known."""
        return None

    def person(self, identity_id: str) -> Person | None:
        """None: nobody is known."""
        return None

    def partner_of(self, organization_id: str) -> str | None:
        """None: no party is known."""
        return None

    def allows_external(self, organization_id: str) -> bool:
        """False: no party is known."""
        return False


@dataclass(frozen=True)
class Branch:
    """What a principal sees: its party and all below it (P2)."""

    principal: Principal
    tree: Tree

    def holds(self, party_id: str | None) -> bool:
        """Whether a party is in it. None is the platform itself."""
        mine = self.principal.party_id
        if mine is None:
            return True
        if party_id is None or party_id == PLATFORM:
            return False
        return party_id == mine or self.tree.partner_of(party_id) == mine

    def holds_any(self, party_ids: Iterable[str | None]) -> bool:
        """Whether one of them is in it."""
        return self.principal.sees_all or any(party is not None and self.holds(party) for party in party_ids)

    def below(self, party_id: str | None) -> bool:
        """Whether a party is under the asker's own, not the asker's own itself."""
        return self.holds(party_id) and party_id != self.principal.party_id
