"""The public events of numbers, made from its stored ones (X1, X2). Only this module publishes as the service.

Each stored event is either published, by the function under its class, or listed in PRIVATE; a test holds the two lists
against all there are.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from trunkline.contracts import numbers as public
from trunkline.contracts.contract import Contract
from trunkline.eventstore.decider import Event
from trunkline.eventstore.recorded_event import RecordedEvent
from trunkline_numbers.domain import extension as x
from trunkline_numbers.domain import upload as u
from trunkline_numbers.domain.number import events as e
from trunkline_numbers.domain.number.state import Absent, Available, Deleted, Number, Reserved
from trunkline_numbers.domain.party_replica import PartyReceived
from trunkline_numbers.domain.person_replica import PersonUpdated
from trunkline_numbers.domain.policy import PolicyApplied
from trunkline_numbers.domain.subscription import events as s

_read_number = msgspec.msgpack.Decoder(Number).decode

PRIVATE: frozenset[type[Event]] = frozenset(
    {
        PartyReceived,
        PersonUpdated,
        PolicyApplied,
        e.QuarantineEnded,
        x.BindingReceived,
        x.BindingWithdrawn,
        s.SubscriptionReceived,
        s.SubscriptionAhead,
        s.SubscriptionNumberSet,
        s.SubscriptionServed,
        s.ServiceUndone,
        s.NumberForgone,
        s.AssignmentRefusalEnded,
        s.ReservationCovered,
        s.ReservationUncovered,
        *u.EVENTS,
    }
)


def _attributes(listing: e.Listing) -> dict[str, Any]:
    fields = {field: getattr(listing, field) for field in listing.__struct_fields__}
    return fields | {"sku": listing.sku or None, "vendor": listing.vendor or None}  # an upload may name none (R1)


def _added(key: str, v: e.NumberAdded) -> Any:
    return public.NumberAdded(
        number=key,
        state="locked" if v.legacy else "available",
        holder_id=v.holder_id,
        uploader_id=v.uploader_id,
        added_at=v.at,
        legacy=v.legacy,
        **_attributes(v.listing),
    )


def _assigned(key: str, v: e.NumberAssigned) -> Any:
    return public.NumberAssigned(
        number=key,
        state="assigned",
        subscription_id=v.subscription_id,
        organization_id=v.organization_id,
        assigned_at=v.at,
        restored=v.restored,
    )


def _undone(key: str, v: e.AssignmentUndone) -> Any:
    """Said as what the number is again: reserved as before, or released."""
    if v.reserver_id is None or v.reserver_kind is None or v.cause is None or v.ends_at is None:
        return public.NumberReleased(
            number=key,
            state="available",
            cause="ended",
            released_at=v.at,
            quarantined_until=v.quarantined_until,
            subscription_id=v.subscription_id,
            reserver_id=v.organization_id,
        )
    return public.NumberReserved(
        number=key,
        state="reserved",
        reserver_id=v.reserver_id,
        reserver_kind=v.reserver_kind,
        cause=v.cause,
        subscription_id=v.reserved_for,
        reserved_at=v.since,
        free_ends_at=v.free_ends_at or v.ends_at,
        ends_at=v.ends_at,
        charged=v.cover_id is not None,
    )


def _reserved(key: str, v: e.NumberReserved) -> Any:
    return public.NumberReserved(
        number=key,
        state="reserved",
        reserver_id=v.reserver_id,
        reserver_kind=v.reserver_kind,
        cause=v.cause,
        subscription_id=v.subscription_id,
        reserved_at=v.at,
        free_ends_at=v.free_ends_at,
        ends_at=v.ends_at,
        charged=v.cover_id is not None,
    )


def _extended(key: str, v: e.ReservationExtended) -> Any:
    return public.ReservationExtended(
        number=key,
        state="reserved",
        reserver_id=v.reserver_id,
        reserver_kind=v.reserver_kind,
        subscription_id=v.cover_id,
        free_ends_at=v.free_ends_at,
        ends_at=v.ends_at,
        extended_at=v.at,
    )


def _ending(key: str, v: e.ReservationEnding) -> Any:
    return public.ReservationEnding(
        number=key, state="reserved", reserver_id=v.reserver_id, reserver_kind=v.reserver_kind, ends_at=v.ends_at
    )


def _expired(key: str, v: e.ReservationExpired) -> Any:
    return public.ReservationExpired(
        number=key,
        state="reserved",
        reserver_id=v.reserver_id,
        reserver_kind=v.reserver_kind,
        subscription_id=v.subscription_id,
        ended_at=v.at,
    )


def _released(key: str, v: e.NumberReleased) -> Any:
    return public.NumberReleased(
        number=key,
        state="available",
        cause=v.cause,
        released_at=v.at,
        quarantined_until=v.quarantined_until,
        subscription_id=v.subscription_id,
        reserver_id=v.reserver_id,
    )


def _changed(key: str, v: e.NumberChanged) -> Any:
    return public.NumberChanged(
        number=key,
        state=v.state,
        changed=v.changed,
        changed_at=v.at,
        trunk_form=v.trunk_form,
        **_attributes(v.listing),
    )


def _bound(key: str, v: e.NumberBound) -> Any:
    return public.NumberBound(
        number=key,
        state=v.state,
        kind=v.kind,
        user_id=v.user_id,
        extension_id=v.extension_id,
        generation=v.generation,
        organization_id=v.organization_id,
        bound_at=v.at,
        trunk_form=v.trunk_form,
    )


def _unbound(key: str, v: e.NumberUnbound) -> Any:
    return public.NumberUnbound(
        number=key,
        state=v.state,
        kind=v.kind,
        user_id=v.user_id,
        extension_id=v.extension_id,
        generation=v.generation,
        organization_id=v.organization_id,
        cause=v.cause,
        unbound_at=v.at,
    )


def _allocated(key: str, v: e.NumberAllocated) -> Any:
    return public.NumberAllocated(
        number=key,
        state=v.state,
        holder_id=v.holder_id,
        holder_kind=v.holder_kind,
        allocated_at=v.at,
    )


def _locked(key: str, v: e.NumberLocked) -> Any:
    return public.NumberLocked(number=key, state="locked", locked_at=v.at, ends_at=v.ends_at, legacy=v.legacy)


def _deleted(key: str, v: e.NumberDeleted) -> Any:
    return public.NumberDeleted(number=key, state="deleted", reason=v.reason, deleted_at=v.at)


def _refused(key: str, v: s.NumberAssignmentRefused) -> Any:
    return public.NumberAssignmentRefused(number=v.number, subscription_id=key, code=v.code, reason=v.reason)


def _binding_refused(key: str, v: x.NumberBindingRefused) -> Any:
    return public.NumberBindingRefused(
        number=v.number,
        extension_id=key,
        organization_id=v.organization_id,
        user_id=v.user_id,
        generation=v.generation,
        code=v.code,
        reason=v.reason,
        refused_at=v.at,
    )


PUBLISHED: dict[type, Callable[[str, Any], Any]] = {
    e.NumberReserved: _reserved,
    e.NumberAssigned: _assigned,
    e.AssignmentUndone: _undone,
    e.NumberAdded: _added,
    e.ReservationExtended: _extended,
    e.ReservationEnding: _ending,
    e.ReservationExpired: _expired,
    e.NumberReleased: _released,
    e.NumberLocked: _locked,
    e.LockEnding: lambda key, v: public.LockEnding(number=key, state="locked", ends_at=v.ends_at),
    e.LockExpired: lambda key, v: public.LockExpired(number=key, state="available", ended_at=v.at),
    e.NumberUnlocked: lambda key, v: public.NumberUnlocked(number=key, state="available", unlocked_at=v.at),
    e.NumberDeleted: _deleted,
    e.NumberRecovered: lambda key, v: public.NumberRecovered(number=key, state="available", recovered_at=v.at),
    e.NumberAllocated: _allocated,
    e.NumberChanged: _changed,
    e.NumberBound: _bound,
    e.NumberUnbound: _unbound,
    s.NumberAssignmentRefused: _refused,
    x.NumberBindingRefused: _binding_refused,
}


def published(recorded: RecordedEvent) -> tuple[Contract, Any] | None:
    """The public event of a stored one: its contract and data; None for a private one."""
    kind = type(recorded.event)
    convert = PUBLISHED.get(kind)
    if convert is None:
        return None
    data = convert(recorded.key, recorded.event)
    return public.CONTRACTS[type(data).__name__], data


def number_state(folded: bytes, version: int) -> public.NumberState | None:
    """The document of the compacted topic `NumberState`; None, a tombstone, for a number that was deleted.

    Args:
        folded: the number's state as the number view keeps it.
        version: of its stream.
    """
    n = _read_number(folded)
    life = n.life
    if isinstance(life, Absent | Deleted):
        return None
    reserved = life if isinstance(life, Reserved) else None
    return public.NumberState(
        number=n.number,
        state=n.state,  # type: ignore[arg-type]
        since=life.since,
        holder_id=n.holder_id,
        subscription_id=getattr(life, "subscription_id", None),
        organization_id=getattr(life, "organization_id", None),
        reserver_id=reserved.reserver_id if reserved else None,
        reserver_kind=reserved.reserver_kind if reserved else None,
        cause=reserved.cause if reserved else None,
        ends_at=getattr(life, "ends_at", None),
        charged=reserved is not None and reserved.cover_id is not None,
        available_since=life.since if isinstance(life, Available) else None,
        quarantined_until=getattr(life, "quarantined_until", None),
        sequence=version,
        bindings=tuple(
            public.Binding(
                kind=b.kind,
                user_id=b.user_id,
                extension_id=b.extension_id,
                generation=b.generation,
                trunk_form=b.trunk_form,
            )
            for b in n.bindings
        ),
        **_attributes(n.listing),
    )
