"""What can happen to a number. Names and fields are stored for ever: change one only by a new version."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar, Literal

import msgspec

from trunkline.eventstore.decider import Event
from trunkline_numbers.domain.policy import ReservationCause

PartyKind = Literal["organization", "partner"]
DeleteReason = Literal["ported_out", "returned_to_vendor", "faulty", "other"]
BindingKind = Literal["pbx", "trunk", "sms"]
State = Literal["available", "reserved", "locked", "assigned", "deleted"]


class Listing(msgspec.Struct, frozen=True, kw_only=True, gc=False, omit_defaults=True):
    """What a number is, apart from what happens to it: the attributes of R8 and R10."""

    country: str
    sku: str
    vendor: str
    voice: bool = True
    sms: bool = False
    fax: bool = False
    voice_carrier: str | None = None
    sms_carrier: str | None = None
    routing: str | None = None
    golden: bool = False
    ported_in: bool = False
    domains: tuple[str, ...] = ()


class NumberAdded(Event, frozen=True, kw_only=True):
    """The number came into the inventory, locked without end where it was locked before (`legacy`, N7).

    `uploader_id` None: the platform; `holder_id` None: nobody's yet.
    """

    TYPE: ClassVar[str] = "numbers.NumberAdded"
    listing: Listing
    uploader_id: str | None = None
    uploader_kind: PartyKind | None = None
    holder_id: str | None = None
    holder_kind: PartyKind | None = None
    legacy: bool = False
    remark: str | None = None


class NumberAssigned(Event, frozen=True, kw_only=True):
    """The number serves a subscription. `restored`: it came back to the one it had been reserved for."""

    TYPE: ClassVar[str] = "numbers.NumberAssigned"
    subscription_id: str
    organization_id: str
    restored: bool = False
    remark: str | None = None


class AssignmentUndone(Event, frozen=True, kw_only=True):
    """An assignment did not count, as facts heard later show: the number is again as it was before it (D10.12).

    `state` and what follows describe the number after it: the reservation, or since when it has been Available.
    """

    TYPE: ClassVar[str] = "numbers.AssignmentUndone"
    subscription_id: str
    organization_id: str
    state: Literal["available", "reserved"]
    since: datetime
    quarantined_until: datetime | None = None
    reserver_id: str | None = None
    reserver_kind: PartyKind | None = None
    cause: ReservationCause | None = None
    reserved_for: str | None = None
    ends_at: datetime | None = None
    free_ends_at: datetime | None = None
    cover_id: str | None = None


class NumberReserved(Event, frozen=True, kw_only=True):
    """The number is kept for a party until `ends_at`; at `notice_at`, if there is one, the party is told."""

    TYPE: ClassVar[str] = "numbers.NumberReserved"
    reserver_id: str
    reserver_kind: PartyKind
    cause: ReservationCause
    ends_at: datetime
    free_ends_at: datetime
    notice_at: datetime | None = None
    subscription_id: str | None = None
    cover_id: str | None = None
    remark: str | None = None


class ReservationExtended(Event, frozen=True, kw_only=True):
    """A DID reservation subscription (`cover_id`) pays for the time after `free_ends_at` (N4)."""

    TYPE: ClassVar[str] = "numbers.ReservationExtended"
    reserver_id: str
    reserver_kind: PartyKind
    cover_id: str
    free_ends_at: datetime
    ends_at: datetime
    notice_at: datetime | None = None
    remark: str | None = None


class ReservationEnding(Event, frozen=True, kw_only=True):
    """The notice before the end (N5)."""

    TYPE: ClassVar[str] = "numbers.ReservationEnding"
    reserver_id: str
    reserver_kind: PartyKind
    ends_at: datetime


class ReservationExpired(Event, frozen=True, kw_only=True):
    """The period is over."""

    TYPE: ClassVar[str] = "numbers.ReservationExpired"
    reserver_id: str
    reserver_kind: PartyKind
    subscription_id: str | None = None


class NumberReleased(Event, frozen=True, kw_only=True):
    """The number is back in the inventory; until `quarantined_until` only for the one who had it last (N15)."""

    TYPE: ClassVar[str] = "numbers.NumberReleased"
    cause: Literal["ended", "by_hand", "cover_ended"]
    reserver_id: str
    subscription_id: str | None = None
    quarantined_until: datetime | None = None
    remark: str | None = None


class QuarantineEnded(Event, frozen=True, kw_only=True):
    """An Available number is for everybody again (N15)."""

    TYPE: ClassVar[str] = "numbers.QuarantineEnded"


class NumberLocked(Event, frozen=True, kw_only=True):
    """Nobody's reservation; `ends_at` None: a legacy lock without end (N7)."""

    TYPE: ClassVar[str] = "numbers.NumberLocked"
    ends_at: datetime | None = None
    notice_at: datetime | None = None
    legacy: bool = False
    remark: str | None = None


class LockEnding(Event, frozen=True, kw_only=True):
    """The notice before a lock's end (N6)."""

    TYPE: ClassVar[str] = "numbers.LockEnding"
    ends_at: datetime


class LockExpired(Event, frozen=True, kw_only=True):
    """A lock has ended by itself."""

    TYPE: ClassVar[str] = "numbers.LockExpired"


class NumberUnlocked(Event, frozen=True, kw_only=True):
    """A person ended the lock."""

    TYPE: ClassVar[str] = "numbers.NumberUnlocked"
    remark: str


class NumberDeleted(Event, frozen=True, kw_only=True):
    """The number left the inventory (N8)."""

    TYPE: ClassVar[str] = "numbers.NumberDeleted"
    reason: DeleteReason
    remark: str


class NumberRecovered(Event, frozen=True, kw_only=True):
    """A deleted number is back and Available (DOMAIN §10.7)."""

    TYPE: ClassVar[str] = "numbers.NumberRecovered"
    remark: str


class NumberAllocated(Event, frozen=True, kw_only=True):
    """The number is for this partner or organization to use or resell; None: taken back (R4)."""

    TYPE: ClassVar[str] = "numbers.NumberAllocated"
    holder_id: str | None
    holder_kind: PartyKind | None
    state: State
    remark: str | None = None


class NumberChanged(Event, frozen=True, kw_only=True):
    """Attributes after a change, and the names of those that changed (R8); the trunk's form too, if it did (R9)."""

    TYPE: ClassVar[str] = "numbers.NumberChanged"
    listing: Listing
    changed: tuple[str, ...]
    state: State
    trunk_form: str | None = None
    remark: str | None = None


class NumberBound(Event, frozen=True, kw_only=True):
    """The number serves a user (R5); that of an extension in the `generation` licensing asked for (X5).

    `trunk_form`: the legacy form the trunk knows it by, from an import (R9); None: the number itself. `restored`: facts
    that did not count had ended it; it serves the user since `at` (D10.17).
    """

    TYPE: ClassVar[str] = "numbers.NumberBound"
    kind: BindingKind
    user_id: str | None
    organization_id: str
    state: State
    extension_id: str | None = None
    generation: int | None = None
    trunk_form: str | None = None
    remark: str | None = None
    restored: bool = False


class NumberUnbound(Event, frozen=True, kw_only=True):
    """The number serves that user no more. `asked`: licensing asked for it, of an extension."""

    TYPE: ClassVar[str] = "numbers.NumberUnbound"
    kind: BindingKind
    user_id: str | None
    organization_id: str
    cause: Literal["by_hand", "asked", "terminated", "swapped", "released"]
    state: State
    extension_id: str | None = None
    generation: int | None = None
    remark: str | None = None


EVENTS: tuple[type[Event], ...] = (
    NumberAdded,
    NumberAssigned,
    AssignmentUndone,
    NumberReserved,
    ReservationExtended,
    ReservationEnding,
    ReservationExpired,
    NumberReleased,
    QuarantineEnded,
    NumberLocked,
    LockEnding,
    LockExpired,
    NumberUnlocked,
    NumberDeleted,
    NumberRecovered,
    NumberAllocated,
    NumberChanged,
    NumberBound,
    NumberUnbound,
)
