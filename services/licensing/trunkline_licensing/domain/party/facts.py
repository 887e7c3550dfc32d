"""What a party is, and what can be said of one: registered, changed, removed (P0).

A party is the platform, a partner, an organization or an identity. What is said may come late and in any order: each
field keeps the newest value, by sequence where both have one, else by time.
"""

from __future__ import annotations

from datetime import datetime
from typing import Literal

import msgspec
from msgspec import UNSET, UnsetType

Role = Literal["owner", "admin", "member"]
Kind = Literal["platform", "partner", "organization", "identity"]

# -- what a party is --------------------------------------------------------------------------------------------------


class Platform(msgspec.Struct, frozen=True, kw_only=True, gc=False, tag_field="party", tag="platform"):
    """The operator of the whole system; there is one, with the key `platform`."""

    name: str
    support_email: str
    owner_email: str
    domains: tuple[str, ...] = ()


class Partner(msgspec.Struct, frozen=True, kw_only=True, gc=False, tag_field="party", tag="partner"):
    """A reseller."""

    name: str
    owner_email: str
    support_email: str
    domains: tuple[str, ...] = ()


class Organization(msgspec.Struct, frozen=True, kw_only=True, gc=False, tag_field="party", tag="organization"):
    """A customer of a partner; `partner_id` None: the platform's own."""

    partner_id: str | None
    name: str
    billing_email: str
    allow_external_numbers: bool = False


class Identity(msgspec.Struct, frozen=True, kw_only=True, gc=False, tag_field="party", tag="identity"):
    """A person in an organization."""

    organization_id: str
    name: str
    email: str
    role: Role


Details = Platform | Partner | Organization | Identity

# -- what changes: an absent field is UNSET, which is not null --------------------------------------------------------


class PlatformChanges(msgspec.Struct, frozen=True, kw_only=True, gc=False, tag_field="party", tag="platform"):
    """Some facts of the platform."""

    name: str | UnsetType = UNSET
    support_email: str | UnsetType = UNSET
    owner_email: str | UnsetType = UNSET
    domains: tuple[str, ...] | UnsetType = UNSET


class PartnerChanges(msgspec.Struct, frozen=True, kw_only=True, gc=False, tag_field="party", tag="partner"):
    """Some facts of a partner."""

    name: str | UnsetType = UNSET
    owner_email: str | UnsetType = UNSET
    support_email: str | UnsetType = UNSET
    domains: tuple[str, ...] | UnsetType = UNSET


class OrganizationChanges(msgspec.Struct, frozen=True, kw_only=True, gc=False, tag_field="party", tag="organization"):
    """Some facts of an organization; a null partner is the platform."""

    partner_id: str | UnsetType | None = UNSET
    name: str | UnsetType = UNSET
    billing_email: str | UnsetType = UNSET
    allow_external_numbers: bool | UnsetType = UNSET


class IdentityChanges(msgspec.Struct, frozen=True, kw_only=True, gc=False, tag_field="party", tag="identity"):
    """Some facts of a person."""

    organization_id: str | UnsetType = UNSET
    name: str | UnsetType = UNSET
    email: str | UnsetType = UNSET
    role: Role | UnsetType = UNSET


Changes = PlatformChanges | PartnerChanges | OrganizationChanges | IdentityChanges

# -- what is said -----------------------------------------------------------------------------------------------------


class Told(msgspec.Struct, frozen=True, kw_only=True, gc=False, omit_defaults=True, tag_field="told"):
    """Something said of a party. `source` and `id` name the message; without them a person says it, here and now."""

    at: datetime
    sequence: int | None = None
    source: str | None = None
    id: str | None = None

    @property
    def by_hand(self) -> bool:
        """Whether it is a command rather than a message: its answer is given at once, so it never waits."""
        return self.id is None


class Registration(Told, frozen=True, kw_only=True, gc=False, omit_defaults=True, tag="registered"):
    """The party is new, with all its facts."""

    details: Details


class Change(Told, frozen=True, kw_only=True, gc=False, omit_defaults=True, tag="changed"):
    """Some of the party's facts are others."""

    changes: Changes


class Removal(Told, frozen=True, kw_only=True, gc=False, omit_defaults=True, tag="removed"):
    """The person has left; final."""


PartyFact = Registration | Change | Removal


def newer(fact: Told, than: Told) -> bool:
    """Whether a field takes its value from `fact` rather than from `than`; at the same instant a registration is older.

    Source and id only make it certain.
    """
    if fact.by_hand:
        return True
    if fact.sequence is not None and than.sequence is not None and fact.sequence != than.sequence:
        return fact.sequence > than.sequence
    return _place(fact) > _place(than)


def _place(fact: Told) -> tuple[datetime, bool, str, str]:
    return fact.at, not isinstance(fact, Registration), fact.source or "", fact.id or ""


def kind_of(details: Details | Changes) -> Kind:
    """The kind of party that details or changes are about."""
    match details:
        case Platform() | PlatformChanges():
            return "platform"
        case Partner() | PartnerChanges():
            return "partner"
        case Organization() | OrganizationChanges():
            return "organization"
        case Identity() | IdentityChanges():
            return "identity"


def belongs_to(details: Details) -> tuple[Kind, str] | None:
    """The party directly above, which must be known first: an organization's partner, an identity's organization."""
    match details:
        case Organization(partner_id=str() as partner_id):
            return "partner", partner_id
        case Identity():
            return "organization", details.organization_id
        case _:
            return None


def claims_of(details: Details | None) -> frozenset[str]:
    """What only one party can have: each portal domain, and the ownership of an organization."""
    match details:
        case Platform() | Partner():
            return frozenset(f"domain:{domain}" for domain in details.domains)
        case Identity(role="owner"):
            return frozenset((f"owner:{details.organization_id}",))
        case _:
            return frozenset()
