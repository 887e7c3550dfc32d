"""Parties as they are sent and shown over HTTP."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

import msgspec
from pydantic import BaseModel, Field

from trunkline.http.schemas import Body, Domain, Email, Name, Uuid
from trunkline_licensing.domain.party.directory import Party
from trunkline_licensing.domain.party.facts import (
    Change,
    Details,
    Identity,
    Organization,
    Partner,
    PartyFact,
    Platform,
    Registration,
    Removal,
)

Domains = Annotated[tuple[Domain, ...], Field(max_length=100, description="Portal domains.")]
Role = Literal["owner", "admin", "member"]


class NewPlatform(Body):
    """The platform's own facts, all of them."""

    name: Name
    owner_email: Email
    support_email: Email
    domains: Domains = ()


class NewPartner(Body):
    """A reseller to register."""

    partner_id: Uuid | None = Field(default=None, description="By default a new one.")
    name: Name
    owner_email: Email
    support_email: Email
    domains: Domains = ()


# Defaults of changes are never read (`said` leaves them out); made by a factory, they are in no schema either.


class PartnerChange(Body):
    """The facts of a partner that are to be others."""

    name: Name = Field(default_factory=str)
    owner_email: Email = Field(default_factory=str)
    support_email: Email = Field(default_factory=str)
    domains: Domains = Field(default_factory=tuple)


class NewOrganization(Body):
    """A customer to register."""

    organization_id: Uuid | None = Field(default=None, description="By default a new one.")
    partner_id: Uuid | None = Field(default=None, description="By default the asker's own; null: the platform's own.")
    name: Name
    billing_email: Email
    allow_external_numbers: bool = False


class OrganizationChange(Body):
    """The facts of an organization that are to be others."""

    partner_id: Uuid | None = Field(default_factory=lambda: None, description="Null: the platform's own.")
    name: Name = Field(default_factory=str)
    billing_email: Email = Field(default_factory=str)
    allow_external_numbers: bool = Field(default_factory=bool)


class NewIdentity(Body):
    """A person to register."""

    identity_id: Uuid | None = Field(default=None, description="By default a new one.")
    name: Name
    email: Email
    role: Role


class IdentityChange(Body):
    """The facts of a person that are to be others."""

    name: Name = Field(default_factory=str)
    email: Email = Field(default_factory=str)
    role: Role = Field(default_factory=lambda: "member")


class ScheduledChange(BaseModel):
    """A message about a party that is dated ahead: it counts from `at` on (D10.14)."""

    at: datetime
    change: Literal["registered", "changed", "removed"]
    fields: list[str]


class PlatformShown(BaseModel):
    """The operator of the whole system."""

    name: str
    owner_email: str
    support_email: str
    domains: list[str]


class PartnerShown(BaseModel):
    """A reseller."""

    partner_id: str
    name: str
    owner_email: str
    support_email: str
    domains: list[str]
    scheduled: list[ScheduledChange] = []


class OrganizationShown(BaseModel):
    """A customer; without a partner it is the platform's own."""

    organization_id: str
    partner_id: str | None
    name: str
    billing_email: str
    allow_external_numbers: bool
    scheduled: list[ScheduledChange] = []


class IdentityShown(BaseModel):
    """A person in an organization."""

    identity_id: str
    organization_id: str
    name: str
    email: str
    role: Role
    scheduled: list[ScheduledChange] = []


Shown = PlatformShown | PartnerShown | OrganizationShown | IdentityShown
_SHOWN: dict[type[Details], tuple[str, type[Any]]] = {
    Platform: ("", PlatformShown),
    Partner: ("partner_id", PartnerShown),
    Organization: ("organization_id", OrganizationShown),
    Identity: ("identity_id", IdentityShown),
}


def shown_party(party: Party) -> Shown:
    """A party that is known, as it is shown."""
    details = party.details
    assert details is not None
    own_id, kind = _SHOWN[type(details)]
    own: dict[str, Any] = {}
    if own_id:
        own = {own_id: party.key, "scheduled": [_scheduled(fact) for fact in party.scheduled]}
    found: Shown = kind(**own, **msgspec.structs.asdict(details))
    return found


def _scheduled(fact: PartyFact) -> ScheduledChange:
    """Names of fields only: the values may be another branch's (P2)."""
    match fact:
        case Registration():
            return ScheduledChange(at=fact.at, change="registered", fields=list(fact.details.__struct_fields__))
        case Change():
            named = msgspec.structs.asdict(fact.changes).items()
            fields = [name for name, value in named if value is not msgspec.UNSET]
            return ScheduledChange(at=fact.at, change="changed", fields=fields)
        case Removal():
            return ScheduledChange(at=fact.at, change="removed", fields=[])


def said(body: Body) -> dict[str, Any]:
    """The fields that a change names, and only those."""
    return {name: getattr(body, name) for name in body.model_fields_set}
