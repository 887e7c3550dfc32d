"""What people do with a number (DOMAIN §3): each decision settles first, then acts or refuses with the reason."""

from __future__ import annotations

from datetime import datetime

from msgspec.structs import replace

from trunkline.clock import DAY, rfc3339
from trunkline.errors import Refused
from trunkline.eventstore.decider import Event
from trunkline_numbers.domain.number.errors import (
    NumberHasBinding,
    NumberNotAvailable,
    NumberNotDeleted,
    NumberNotLocked,
    NumberNotReserved,
    NumberNotYoursToDelete,
    NumberPresent,
    NumberUnknown,
    SubscriptionNotActive,
)
from trunkline_numbers.domain.number.events import (
    DeleteReason,
    Listing,
    NumberAdded,
    NumberDeleted,
    NumberLocked,
    NumberRecovered,
    NumberReserved,
    NumberUnlocked,
    PartyKind,
)
from trunkline_numbers.domain.number.number import check_offered, decided, notice_before, released
from trunkline_numbers.domain.number.remarks import may_remark, must_remark
from trunkline_numbers.domain.number.state import Absent, Available, Deleted, Locked, Number, Party, Reserved
from trunkline_numbers.domain.number.subscription_sync import Hold, hold
from trunkline_numbers.domain.policy import Policy


def add(
    n: Number,
    listing: Listing,
    uploader_id: str | None,
    holder: Party | None,
    policy: Policy,
    now: datetime,
    *,
    uploader_kind: PartyKind | None = None,
    legacy_lock: bool = False,
    remark: str | None = None,
) -> list[Event]:
    """Bring a number into the inventory: Available, or Locked without end where it was locked before (N7, N12).

    `uploader_kind` decides who may delete it (R7).
    """
    if not isinstance(n.life, Absent):
        raise NumberPresent(number=n.number)
    listing = replace(
        listing,
        voice_carrier=listing.voice_carrier or (policy.voice_carrier if listing.voice else None),
        sms_carrier=listing.sms_carrier or (policy.sms_carrier if listing.sms else None),
    )
    holder_id, holder_kind = (holder.id, holder.kind) if holder else (None, None)
    added = NumberAdded(
        at=now,
        legacy=legacy_lock,
        listing=listing,
        uploader_id=uploader_id,
        uploader_kind=uploader_kind,
        holder_id=holder_id,
        holder_kind=holder_kind,
        remark=may_remark(n.number, remark),
    )
    return [added]


def reserve(n: Number, party: Party, remark: str, policy: Policy, now: datetime) -> list[Event]:
    """Keep an Available number for a party, 28 days by default, for free (N2)."""
    remark = must_remark(n.number, remark, "reserved")

    def fact(m: Number) -> list[Event]:
        life = _available(m, "reserved")
        if any(b.organization_id != party.id for b in m.bindings):
            raise NumberHasBinding(number=m.number, kinds=kinds(m), wanted="reserved for another")
        check_offered(m, life, party, now)
        end = now + policy.period("manual", golden=m.listing.golden, ported_in=m.listing.ported_in)
        return [
            NumberReserved(
                at=now,
                reserver_id=party.id,
                reserver_kind=party.kind,
                cause="manual",
                ends_at=end,
                free_ends_at=end,
                notice_at=notice_before(now, end, policy),
                remark=remark,
            )
        ]

    return decided(n, now, now, policy, fact)


def assign(
    n: Number,
    party: Party,
    subscription_id: str,
    status: str,
    remark: str | None,
    policy: Policy,
    now: datetime,
) -> list[Event]:
    """Give a number to an active subscription by hand; a second time says nothing (§10.8)."""
    if status != "active":
        raise SubscriptionNotActive(number=n.number, subscription_id=subscription_id, status=status)
    remark = may_remark(n.number, remark)

    def fact(m: Number) -> list[Event]:
        held = hold(m, party, subscription_id, Hold(now), policy, now)
        return [replace(e, remark=remark) for e in held]

    return decided(n, now, now, policy, fact)


def release(n: Number, remark: str, policy: Policy, now: datetime) -> list[Event]:
    """End a reservation by hand."""
    remark = must_remark(n.number, remark, "released")
    return decided(
        n,
        now,
        now,
        policy,
        lambda m: released(m, reserved(m, "released"), now, "by_hand", policy, remark),
    )


def lock(n: Number, remark: str, policy: Policy, now: datetime, *, legacy: bool = False) -> list[Event]:
    """Take an Available number out of sale for nobody in particular (N6), without end where it is a legacy lock (N7).

    Who may bring in legacy locks is for the door to see.
    """
    remark = must_remark(n.number, remark, "locked")

    def fact(m: Number) -> list[Event]:
        _available(m, "locked")
        _check_unbound(m, "locked")
        if legacy:
            return [NumberLocked(at=now, legacy=True, remark=remark)]
        end = now + policy.lock_days * DAY
        return [NumberLocked(at=now, ends_at=end, notice_at=notice_before(now, end, policy), remark=remark)]

    return decided(n, now, now, policy, fact)


def unlock(n: Number, remark: str, policy: Policy, now: datetime) -> list[Event]:
    """End a lock by hand, a legacy one too (N7)."""
    remark = must_remark(n.number, remark, "unlocked")

    def fact(m: Number) -> list[Event]:
        if not isinstance(m.life, Locked):
            raise unless_unknown(m, NumberNotLocked)
        return [NumberUnlocked(at=now, remark=remark)]

    return decided(n, now, now, policy, fact)


def delete(
    n: Number, reason: DeleteReason, remark: str, policy: Policy, now: datetime, by: Party | None = None
) -> list[Event]:
    """Take an Available or Locked number out of the inventory (N8, R7). `by` None: the platform."""
    remark = must_remark(n.number, remark, "deleted")

    def fact(m: Number) -> list[Event]:
        if not isinstance(m.life, Locked):
            _available(m, "deleted", "an available or locked")
        _check_unbound(m, "deleted")
        _check_uploader(m, by)
        return [NumberDeleted(at=now, reason=reason, remark=remark)]

    return decided(n, now, now, policy, fact)


def recover(n: Number, remark: str, now: datetime) -> list[Event]:
    """Bring a deleted number back (§10.7)."""
    remark = must_remark(n.number, remark, "recovered")
    if not isinstance(n.life, Deleted):
        raise unless_unknown(n, NumberNotDeleted)
    return [NumberRecovered(at=now, remark=remark)]


def unless_unknown(n: Number, refusal: type[Refused], **facts: str) -> Refused:
    """The refusal, with the state the number is in and since when; or that there is no such number."""
    if isinstance(n.life, Absent):
        return NumberUnknown(number=n.number)
    return refusal(number=n.number, state=n.state, since=rfc3339(n.life.since), **facts)


def _available(n: Number, wanted: str, needed: str = "an available") -> Available:
    if not isinstance(n.life, Available):
        raise unless_unknown(n, NumberNotAvailable, wanted=wanted, needed=needed)
    return n.life


def reserved(n: Number, wanted: str) -> Reserved:
    if not isinstance(n.life, Reserved):
        raise unless_unknown(n, NumberNotReserved, wanted=wanted)
    return n.life


def kinds(n: Number) -> str:
    """The kinds of user that the number serves, as a refusal tells them."""
    return ", ".join(b.kind for b in n.bindings)


def _check_unbound(n: Number, wanted: str) -> None:
    if n.bindings:
        raise NumberHasBinding(number=n.number, kinds=kinds(n), wanted=wanted)


def _check_uploader(n: Number, by: Party | None) -> None:
    """R7; that the uploader is in the asker's branch at all is for the door to see (P2)."""
    if by is None:
        allowed = n.uploader_kind != "partner"
    elif by.kind == "partner":
        allowed = n.uploader_id is not None
    else:
        allowed = n.uploader_id == by.id
    if not allowed:
        raise NumberNotYoursToDelete(number=n.number)
