"""Events of numbers about every telephone number's life (DOMAIN §3), and its newest state (X1).

Every event whose subject is a number carries `state`: the number's state after it.
"""

from typing import Any, Final, Literal

import msgspec

from trunkline.contracts.contract import Contract, registry
from trunkline.contracts.values import (
    E164,
    Code,
    Country,
    Domains,
    Generation,
    Id,
    Instant,
    Label,
    Sentence,
    Sequence,
)

SOURCE: Final = "/trunkline/numbers"

State = Literal["available", "reserved", "locked", "assigned", "deleted"]
PartyKind = Literal["organization", "partner"]
ReservationCause = Literal["manual", "expired", "terminated", "swapped"]
ReleaseCause = Literal["ended", "by_hand", "cover_ended"]
DeleteReason = Literal["ported_out", "returned_to_vendor", "faulty", "other"]
BindingKind = Literal["pbx", "trunk", "sms"]
UnbindingCause = Literal["by_hand", "asked", "terminated", "swapped", "released"]


class _Of(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    number: E164
    state: State


class _Attributes(_Of, frozen=True, kw_only=True, gc=False):
    country: Country
    sku: Label | None
    vendor: Label | None
    voice: bool
    sms: bool
    fax: bool
    voice_carrier: Label | None
    sms_carrier: Label | None
    routing: Label | None
    golden: bool
    ported_in: bool
    domains: Domains


class NumberAdded(_Attributes, frozen=True, kw_only=True, gc=False):
    """A number is in the inventory; without an uploader it is the platform's."""

    holder_id: Id | None
    uploader_id: Id | None
    added_at: Instant
    legacy: bool


class NumberChanged(_Attributes, frozen=True, kw_only=True, gc=False):
    """Attributes of a number changed: their names, and all attributes as they are now; so with a trunk's form (R9)."""

    changed: tuple[Code, ...]
    changed_at: Instant
    trunk_form: E164 | None = None


class NumberAllocated(_Of, frozen=True, kw_only=True, gc=False):
    """A number has a holder, or (null) was taken back; its state stays."""

    holder_id: Id | None
    holder_kind: PartyKind | None
    allocated_at: Instant


class NumberAssigned(_Of, frozen=True, kw_only=True, gc=False):
    """A number belongs to a subscription; `restored`: it did before, and was kept for it."""

    subscription_id: Id
    organization_id: Id
    assigned_at: Instant
    restored: bool


class NumberAssignmentRefused(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A subscription does not get the number it names, for now (S6)."""

    number: E164
    subscription_id: Id
    code: Code
    reason: Sentence


class _Kept(_Of, frozen=True, kw_only=True, gc=False):
    reserver_id: Id
    reserver_kind: PartyKind


class NumberReserved(_Kept, frozen=True, kw_only=True, gc=False):
    """A number is kept for an organization or a partner until `ends_at`."""

    cause: ReservationCause
    subscription_id: Id | None
    reserved_at: Instant
    free_ends_at: Instant
    ends_at: Instant
    charged: bool


class ReservationExtended(_Kept, frozen=True, kw_only=True, gc=False):
    """A reservation lasts longer, charged to a DID reservation subscription (N4)."""

    subscription_id: Id
    free_ends_at: Instant
    ends_at: Instant
    extended_at: Instant
    charged: bool = True


class ReservationEnding(_Kept, frozen=True, kw_only=True, gc=False):
    """A reservation is about to end (N5)."""

    ends_at: Instant


class ReservationExpired(_Kept, frozen=True, kw_only=True, gc=False):
    """A reservation's period is over; NumberReleased follows."""

    subscription_id: Id | None
    ended_at: Instant


class NumberReleased(_Of, frozen=True, kw_only=True, gc=False):
    """A number is kept for nobody any more; under quarantine it may not be for all (N15)."""

    cause: ReleaseCause
    released_at: Instant
    quarantined_until: Instant | None
    subscription_id: Id | None
    reserver_id: Id | None


class NumberLocked(_Of, frozen=True, kw_only=True, gc=False):
    """A number is out of trade until `ends_at`; a legacy lock has no end (N6, N7)."""

    locked_at: Instant
    ends_at: Instant | None
    legacy: bool


class LockEnding(_Of, frozen=True, kw_only=True, gc=False):
    """A lock is about to end (N6)."""

    ends_at: Instant


class LockExpired(_Of, frozen=True, kw_only=True, gc=False):
    """A lock's period is over: the number is available again."""

    ended_at: Instant


class NumberUnlocked(_Of, frozen=True, kw_only=True, gc=False):
    """Somebody ended a lock."""

    unlocked_at: Instant


class NumberDeleted(_Of, frozen=True, kw_only=True, gc=False):
    """A number is out of the inventory; its history stays (N8)."""

    reason: DeleteReason
    deleted_at: Instant


class NumberRecovered(_Of, frozen=True, kw_only=True, gc=False):
    """A deleted number is available again."""

    recovered_at: Instant


class Binding(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Who a number rings at: the user of an extension, a trunk user (by a legacy form, or the number), an SMS user."""

    kind: BindingKind
    user_id: Id | None
    extension_id: Id | None
    generation: Generation | None
    trunk_form: E164 | None = None


class _Bound(_Of, frozen=True, kw_only=True, gc=False):
    kind: BindingKind
    user_id: Id | None
    extension_id: Id | None
    generation: Generation | None
    organization_id: Id


class NumberBound(_Bound, frozen=True, kw_only=True, gc=False):
    """A number is bound to a user or an extension (R5); for an extension, the answer to that generation (X5)."""

    bound_at: Instant
    trunk_form: E164 | None = None


class NumberUnbound(_Bound, frozen=True, kw_only=True, gc=False):
    """A number is bound no more, and why (X5); `asked`: licensing asked for it."""

    cause: UnbindingCause
    unbound_at: Instant


class NumberBindingRefused(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """An extension does not get the number that licensing asked for (X5)."""

    number: E164
    extension_id: Id
    organization_id: Id
    user_id: Id | None
    generation: Generation
    code: Code
    reason: Sentence
    refused_at: Instant


class NumberState(_Attributes, frozen=True, kw_only=True, gc=False):
    """All that is so of a number now: the document of the compacted topic."""

    since: Instant
    holder_id: Id | None
    subscription_id: Id | None
    organization_id: Id | None
    reserver_id: Id | None
    reserver_kind: PartyKind | None
    cause: ReservationCause | None
    ends_at: Instant | None
    charged: bool
    available_since: Instant | None
    quarantined_until: Instant | None
    sequence: Sequence
    bindings: tuple[Binding, ...]


_KEYS: Final = {NumberAssignmentRefused: "subscription_id", NumberBindingRefused: "extension_id"}


def _contract(data: Any, *, compacted: bool = False) -> Contract:
    key = _KEYS.get(data, "number")
    return Contract(data.__name__, data, key=key, source=SOURCE, description=data.__doc__ or "", compacted=compacted)


_EVENTS = (
    NumberAdded, NumberChanged, NumberAllocated, NumberAssigned, NumberAssignmentRefused,
    NumberReserved, ReservationExtended, ReservationEnding, ReservationExpired, NumberReleased,
    NumberLocked, LockEnding, LockExpired, NumberUnlocked, NumberDeleted, NumberRecovered,
    NumberBound, NumberUnbound, NumberBindingRefused,
)  # fmt: skip

CONTRACTS: Final = registry(map(_contract, _EVENTS))

# The compacted topic is a document by number, beside the events: the newest one is the number.
STATE: Final = _contract(NumberState, compacted=True)
