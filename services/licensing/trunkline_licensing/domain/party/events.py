"""What can happen to a party. Names and fields are stored for ever: change one only by a new version (P0)."""

from __future__ import annotations

from typing import ClassVar

from trunkline.eventstore.decider import Event
from trunkline_licensing.domain.party.facts import (
    Change,
    Identity,
    Organization,
    Partner,
    PartyFact,
    Platform,
    Registration,
    Removal,
)


class PlatformRegistered(Event, frozen=True, kw_only=True):
    """The platform's own facts are known."""

    TYPE: ClassVar[str] = "licensing.PlatformRegistered"
    fact: Registration
    after: Platform


class PlatformChanged(Event, frozen=True, kw_only=True):
    """Some of them are others: the fields in `applied`."""

    TYPE: ClassVar[str] = "licensing.PlatformChanged"
    fact: Change
    after: Platform
    applied: tuple[str, ...]


class PartnerRegistered(Event, frozen=True, kw_only=True):
    """A reseller is known."""

    TYPE: ClassVar[str] = "licensing.PartnerRegistered"
    fact: Registration
    after: Partner


class PartnerChanged(Event, frozen=True, kw_only=True):
    """Some of its facts are others: the fields in `applied`."""

    TYPE: ClassVar[str] = "licensing.PartnerChanged"
    fact: Change
    after: Partner
    applied: tuple[str, ...]


class OrganizationRegistered(Event, frozen=True, kw_only=True):
    """A customer is known."""

    TYPE: ClassVar[str] = "licensing.OrganizationRegistered"
    fact: Registration
    after: Organization


class OrganizationChanged(Event, frozen=True, kw_only=True):
    """Some of its facts are others: the fields in `applied`."""

    TYPE: ClassVar[str] = "licensing.OrganizationChanged"
    fact: Change
    after: Organization
    applied: tuple[str, ...]


class IdentityRegistered(Event, frozen=True, kw_only=True):
    """A person is known."""

    TYPE: ClassVar[str] = "licensing.IdentityRegistered"
    fact: Registration
    after: Identity


class IdentityChanged(Event, frozen=True, kw_only=True):
    """Some of a person's facts are others: the fields in `applied`."""

    TYPE: ClassVar[str] = "licensing.IdentityChanged"
    fact: Change
    after: Identity
    applied: tuple[str, ...]


class IdentityRemoved(Event, frozen=True, kw_only=True):
    """A person has left; `after` is how they were."""

    TYPE: ClassVar[str] = "licensing.IdentityRemoved"
    fact: Removal
    after: Identity


class PartyFactWaiting(Event, frozen=True, kw_only=True):
    """Something was said too early; `awaits` is the stream whose registration it waits for (S7)."""

    TYPE: ClassVar[str] = "licensing.PartyFactWaiting"
    fact: PartyFact
    awaits: str


class PartyFactScheduled(Event, frozen=True, kw_only=True):
    """A message is dated ahead of the clock: it counts once its instant comes; `at` is its arrival (D10.14)."""

    TYPE: ClassVar[str] = "licensing.PartyFactScheduled"
    fact: PartyFact


class PartyFactRefused(Event, frozen=True, kw_only=True):
    """Something that was said does not count, and why: a stable code and a sentence (X6)."""

    TYPE: ClassVar[str] = "licensing.PartyFactRefused"
    fact: PartyFact
    code: str
    reason: str


class IdentityFactWaiting(PartyFactWaiting, frozen=True, kw_only=True):
    """Something was said of a person too early (S7)."""

    TYPE: ClassVar[str] = "licensing.IdentityFactWaiting"


class IdentityFactScheduled(PartyFactScheduled, frozen=True, kw_only=True):
    """A message about a person is dated ahead of the clock (D10.14)."""

    TYPE: ClassVar[str] = "licensing.IdentityFactScheduled"


class IdentityFactRefused(PartyFactRefused, frozen=True, kw_only=True):
    """Something that was said of a person does not count (X6)."""

    TYPE: ClassVar[str] = "licensing.IdentityFactRefused"


Public = (
    PlatformRegistered
    | PlatformChanged
    | PartnerRegistered
    | PartnerChanged
    | OrganizationRegistered
    | OrganizationChanged
    | IdentityRegistered
    | IdentityChanged
    | IdentityRemoved
)
AnyEvent = (
    Public
    | PartyFactWaiting
    | PartyFactScheduled
    | PartyFactRefused
    | IdentityFactWaiting
    | IdentityFactScheduled
    | IdentityFactRefused
)

PARTY_EVENTS: tuple[type[Event], ...] = (
    PlatformRegistered,
    PlatformChanged,
    PartnerRegistered,
    PartnerChanged,
    OrganizationRegistered,
    OrganizationChanged,
    PartyFactWaiting,
    PartyFactScheduled,
    PartyFactRefused,
)
IDENTITY_EVENTS: tuple[type[Event], ...] = (
    IdentityRegistered,
    IdentityChanged,
    IdentityRemoved,
    IdentityFactWaiting,
    IdentityFactScheduled,
    IdentityFactRefused,
)
