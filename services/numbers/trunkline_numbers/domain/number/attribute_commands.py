"""What people change of a number without changing its state: whose it is to use (R4), and what it is (R8, R9).

A number goes down the tree, from the platform to a partner or an organization, from a partner to its organizations,
and back up to whoever handed it on. It never goes above whoever brought it in.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

import msgspec
from msgspec.structs import replace

from trunkline.clock import rfc3339
from trunkline.eventstore.decider import Event
from trunkline_numbers.domain.number.errors import (
    NumberHasBinding,
    NumberHeldElsewhere,
    NumberNotInInventory,
    NumberNotYoursToAllocate,
    NumberNotYoursToTakeBack,
    NumberUnknown,
    NumberUsedOutside,
    TrunkFormNotKept,
)
from trunkline_numbers.domain.number.events import Listing, NumberAllocated, NumberChanged, PartyKind
from trunkline_numbers.domain.number.number import decided
from trunkline_numbers.domain.number.operator_commands import kinds
from trunkline_numbers.domain.number.remarks import may_remark
from trunkline_numbers.domain.number.state import Absent, Assigned, Deleted, Number, Party, Reserved
from trunkline_numbers.domain.policy import Policy

PartnerOf = Callable[[str], str | None]
"""The partner above an organization; None for the platform's own, and for a partner."""


class Changes(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be other than it is; what is UNSET stays."""

    sku: str | msgspec.UnsetType = msgspec.UNSET
    vendor: str | msgspec.UnsetType = msgspec.UNSET
    voice: bool | msgspec.UnsetType = msgspec.UNSET
    sms: bool | msgspec.UnsetType = msgspec.UNSET
    fax: bool | msgspec.UnsetType = msgspec.UNSET
    voice_carrier: str | msgspec.UnsetType | None = msgspec.UNSET
    sms_carrier: str | msgspec.UnsetType | None = msgspec.UNSET
    routing: str | msgspec.UnsetType | None = msgspec.UNSET
    golden: bool | msgspec.UnsetType = msgspec.UNSET
    ported_in: bool | msgspec.UnsetType = msgspec.UNSET
    domains: tuple[str, ...] | msgspec.UnsetType = msgspec.UNSET
    trunk_form: str | msgspec.UnsetType | None = msgspec.UNSET


_CARRIERS = ("voice_carrier", "sms_carrier")


def allocate(
    n: Number,
    holder: Party,
    by: Party | None,
    partner_of: PartnerOf,
    remark: str | None,
    policy: Policy,
    now: datetime,
) -> list[Event]:
    """Give the number to a party to use or resell (R4); the one that holds it already, nothing happens.

    Args:
        n: the number.
        holder: whose it is to be.
        by: the partner that hands it on; None: the platform.
        partner_of: reads the tree of parties.
        remark: welcome.
        policy: the periods in force.
        now: the service's instant.

    Raises:
        NumberUnknown, NumberNotInInventory, NumberHeldElsewhere, NumberNotYoursToAllocate, NumberUsedOutside.
    """
    remark = may_remark(n.number, remark)

    def fact(m: Number) -> list[Event]:
        _check_there(m, "allocated")
        if m.holder_id == holder.id:
            return []
        if by is not None and m.holder_id != by.id:
            raise NumberNotYoursToAllocate(number=m.number)
        if m.holder_id is not None and m.holder_id != holder.partner_id:
            raise NumberHeldElsewhere(number=m.number)
        _check_used_inside(m, holder, partner_of)
        return [_allocated(m, holder.id, holder.kind, remark, now)]

    return decided(n, now, now, policy, fact)


def take_back(n: Number, by: Party | None, remark: str | None, policy: Policy, now: datetime) -> list[Event]:
    """Take the number back to the level of whoever does it (R4); what is there already stays there.

    What a partner brought in comes back to the partner, also where the platform takes it back; what an organization
    brought in stays its own. A reservation or assignment goes on: its party is in the branch above.

    Args:
        n: the number.
        by: the partner that takes it back; None: the platform.
        remark: welcome.
        policy: the periods in force.
        now: the service's instant.

    Raises:
        NumberUnknown, NumberNotInInventory, NumberNotYoursToTakeBack, NumberHasBinding.
    """
    remark = may_remark(n.number, remark)

    def fact(m: Number) -> list[Event]:
        _check_there(m, "taken back")
        to = by.id if by is not None else (m.uploader_id if m.uploader_kind == "partner" else None)
        if m.holder_id == to:
            return []
        handed_on = by is None or to in (m.handed_on_by, m.uploader_id)
        if m.holder_id is None or m.holder_id == m.uploader_id or not handed_on:
            raise NumberNotYoursToTakeBack(number=m.number)
        if m.bindings:
            raise NumberHasBinding(number=m.number, kinds=kinds(m), wanted="taken back")
        return [_allocated(m, to, None if to is None else "partner", remark, now)]

    return decided(n, now, now, policy, fact)


def change(n: Number, changes: Changes, remark: str | None, policy: Policy, now: datetime) -> list[Event]:
    """Make attributes what is named (R8, R10); what is so already is no change, and nothing named is nothing done.

    A capability that comes without a carrier gets the policy's (R2). The legacy form of a trunk's number may become
    another, or the number itself; it cannot come anew (R9).

    Raises:
        NumberUnknown, NumberNotInInventory: there is nothing to change.
        NumberHasBinding: a carrier, or a capability that a user needs.
        TrunkFormNotKept: as it says.
    """
    remark = may_remark(n.number, remark)
    wanted = {k: v for k, v in msgspec.structs.asdict(changes).items() if v is not msgspec.UNSET}

    def fact(m: Number) -> list[Event]:
        _check_there(m, "changed")
        listing, form = _changed_listing(m, wanted, policy), _changed_form(m, wanted)
        changed = tuple(f for f in Listing.__struct_fields__ if getattr(listing, f) != getattr(m.listing, f))
        if form != _form(m):
            changed = (*changed, "trunk_form")
        if not changed:
            return []
        state: Any = m.state
        return [NumberChanged(at=now, listing=listing, changed=changed, state=state, trunk_form=form, remark=remark)]

    return decided(n, now, now, policy, fact)


def _changed_listing(n: Number, wanted: dict[str, Any], policy: Policy) -> Listing:
    old = n.listing
    listing = replace(old, **{k: v for k, v in wanted.items() if k != "trunk_form"})
    if n.bindings and any(k in wanted and wanted[k] != getattr(old, k) for k in _CARRIERS):
        raise NumberHasBinding(number=n.number, kinds=kinds(n), wanted="given another carrier")
    for b in n.bindings:
        capability = "sms" if b.kind == "sms" else "voice"
        if getattr(old, capability) and not getattr(listing, capability):
            raise NumberHasBinding(number=n.number, kinds=b.kind, wanted=f"without {capability}")
    if listing.voice and listing.voice_carrier is None:
        listing = replace(listing, voice_carrier=policy.voice_carrier)
    if listing.sms and listing.sms_carrier is None:
        listing = replace(listing, sms_carrier=policy.sms_carrier)
    return listing


def _changed_form(n: Number, wanted: dict[str, Any]) -> str | None:
    has = _form(n)
    form: str | None = wanted.get("trunk_form", has)
    form = None if form == n.number else form
    if form != has and has is None:
        raise TrunkFormNotKept(number=n.number)
    return form


def _form(n: Number) -> str | None:
    return next((b.trunk_form for b in n.bindings if b.kind == "trunk"), None)


def _check_there(n: Number, wanted: str) -> None:
    match n.life:
        case Absent():
            raise NumberUnknown(number=n.number)
        case Deleted() as gone:
            raise NumberNotInInventory(number=n.number, state=n.state, since=rfc3339(gone.since), wanted=wanted)
        case _:
            pass


def _check_used_inside(n: Number, holder: Party, partner_of: PartnerOf) -> None:
    """Refuse where a reservation or an assignment is outside the branch of the new holder."""
    match n.life:
        case Reserved() as r:
            user = r.reserver_id
        case Assigned() as a:
            user = a.organization_id
        case _:
            return
    if holder.id not in (user, partner_of(user)):
        raise NumberUsedOutside(number=n.number, state=n.state, since=rfc3339(n.life.since))


def _allocated(n: Number, holder_id: str | None, kind: PartyKind | None, remark: str | None, at: datetime) -> Event:
    state: Any = n.state
    return NumberAllocated(at=at, holder_id=holder_id, holder_kind=kind, state=state, remark=remark)
