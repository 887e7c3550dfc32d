"""One telephone number: its life from the day it is added, keyed by its E.164 form (DOMAIN §3).

                add                          assign
    (absent) ---------> Available --------------------------> Assigned
                        ^  |  ^ ^ \\                          |  ^  ^
          release, end  |  |  | |  \\ lock                     |  |  | restored
                        |  |  | |   v                expired  |  |  |
             reserve    |  |  | |  Locked         terminated  |  |  |
       Available ----> Reserved | unlock, end        swapped  v  |  |
                           ^----|------------------------- Reserved(subscription)
                                | recover
             delete (from Available, Locked) ----> Deleted

Every decision is: settle what fell due before the fact, the fact, settle what falls due up to now. A timer is a bare
settle, so it may come late, early or twice. What a subscription implies (`follow`) is the same function whatever
order its events were heard in (X4). A number obeys a subscription as long as its present episode is that
subscription's: assigned to it, reserved by it, or Available since such a reservation ran out with nobody acting since.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Literal, assert_never

from trunkline.clock import rfc3339
from trunkline.eventstore.decider import Decider, Event
from trunkline_numbers.domain.number.errors import (
    GoldenNeedsReservation,
    NumberHeldForAnother,
    NumberInQuarantine,
    NumberIsDeleted,
    NumberIsLocked,
    NumberNotVisible,
    NumberTaken,
    NumberUnknown,
)
from trunkline_numbers.domain.number.events import (
    EVENTS,
    LockEnding,
    LockExpired,
    NumberReleased,
    NumberUnbound,
    QuarantineEnded,
    ReservationEnding,
    ReservationExpired,
    State,
)
from trunkline_numbers.domain.number.evolution import evolve
from trunkline_numbers.domain.number.state import (
    Absent,
    Assigned,
    Available,
    Deleted,
    Locked,
    Number,
    Party,
    Reserved,
)
from trunkline_numbers.domain.policy import Policy

# -- the aggregate ----------------------------------------------------------------------------------------------------


def due(n: Number) -> datetime | None:
    """When the number must be settled next (N10)."""
    match n.life:
        case Reserved() | Locked():
            return n.life.notice_at or n.life.ends_at
        case Available():
            return n.life.quarantined_until
        case _:
            return None


NUMBER: Decider[Number] = Decider("number", Number, evolve, EVENTS, due=due)


# -- decisions: what time does ----------------------------------------------------------------------------------------


def settle(n: Number, to: datetime, now: datetime, policy: Policy) -> list[Event]:
    """What has fallen due up to `to`, each stamped with its due instant (N5, N6, N10).

    An early notice whose end has passed by `now` is not sent; that a lock has ended always is.
    """
    events: list[Event] = []
    while due_next := _step(n, to, now, policy):
        events += due_next
        for event in due_next:
            n = evolve(n, event)
    return events


def _step(n: Number, to: datetime, now: datetime, policy: Policy) -> list[Event]:
    match n.life:
        case Reserved() as r:
            if r.ends_at <= to:
                expired = ReservationExpired(
                    at=r.ends_at,
                    reserver_id=r.reserver_id,
                    reserver_kind=r.reserver_kind,
                    subscription_id=r.subscription_id,
                )
                return [expired, *released(n, r, r.ends_at, "ended", policy)]
            if r.notice_at is not None and r.notice_at <= to and r.ends_at > now:
                return [
                    ReservationEnding(
                        at=r.notice_at,
                        reserver_id=r.reserver_id,
                        reserver_kind=r.reserver_kind,
                        ends_at=r.ends_at,
                    )
                ]
        case Locked() as lock if lock.ends_at is not None:
            if lock.ends_at <= to:
                return [LockExpired(at=lock.ends_at)]
            if lock.notice_at is not None and lock.notice_at <= to and lock.ends_at > now:
                return [LockEnding(at=lock.notice_at, ends_at=lock.ends_at)]
        case Available() as free if free.quarantined_until is not None and free.quarantined_until <= to:
            return [QuarantineEnded(at=free.quarantined_until)]
        case _:
            pass
    return []


def decided(
    n: Number, at: datetime, now: datetime, policy: Policy, fact: Callable[[Number], list[Event]]
) -> list[Event]:
    """Settle to the fact's instant, the fact, settle to now: the order in which things really fell."""
    before = settle(n, min(at, now), now, policy)
    for event in before:
        n = evolve(n, event)
    facts = fact(n)
    for event in facts:
        n = evolve(n, event)
    return [*before, *facts, *settle(n, now, now, policy)]


def released(
    n: Number,
    r: Reserved,
    at: datetime,
    cause: Literal["ended", "by_hand", "cover_ended"],
    policy: Policy,
    remark: str | None = None,
) -> list[Event]:
    days = policy.quarantine(n.listing.country)
    quarantined = at + days if days and n.last_organization_id is not None else None
    released = NumberReleased(
        at=at,
        cause=cause,
        reserver_id=r.reserver_id,
        subscription_id=r.subscription_id,
        quarantined_until=quarantined,
        remark=remark,
    )
    return [released, *unbound(n, at, "released", "available")]


def unbound(n: Number, at: datetime, cause: Literal["terminated", "swapped", "released"], state: State) -> list[Event]:
    return [
        NumberUnbound(
            at=at,
            kind=b.kind,
            user_id=b.user_id,
            organization_id=b.organization_id,
            extension_id=b.extension_id,
            generation=b.generation,
            cause=cause,
            state=state,
        )
        for b in n.bindings
    ]


# -- guards that more than one door needs -----------------------------------------------------------------------------


def notice_before(since: datetime, end: datetime, policy: Policy) -> datetime | None:
    """When the end is announced; never, where the whole period is shorter than the notice (N5)."""
    return end - policy.notice if end - since >= policy.notice else None


def visible(n: Number, party: Party) -> bool:
    """Whether a party may be offered the number: held in its branch, or by nobody and shown to its domains (R4)."""
    if n.holder_id is not None:
        return n.holder_id in (party.id, party.partner_id)
    return not n.listing.domains or not set(n.listing.domains).isdisjoint(party.domains)


def check_offered(n: Number, life: Available, party: Party, now: datetime) -> None:
    """Refuse unless this party may have an Available number: it can see it, and no quarantine keeps it (N15)."""
    if not visible(n, party):
        raise NumberNotVisible(number=n.number)
    if life.quarantined_until is not None and life.quarantined_until > now and n.last_organization_id != party.id:
        raise NumberInQuarantine(number=n.number, until=rfc3339(life.quarantined_until))


def check_assignable(n: Number, party: Party, policy: Policy, now: datetime) -> None:
    """Refuse unless a subscription of this organization may have the number (S6)."""
    match n.life:
        case Absent():
            raise NumberUnknown(number=n.number)
        case Available() as life:
            check_offered(n, life, party, now)
            if n.listing.golden and policy.golden_only_from_reserved:
                raise GoldenNeedsReservation(number=n.number)
        case Reserved() as r:
            if r.reserver_id not in (party.id, party.partner_id):
                raise NumberHeldForAnother(number=n.number)
        case Assigned():
            raise NumberTaken(number=n.number)
        case Locked():
            raise NumberIsLocked(number=n.number)
        case Deleted():
            raise NumberIsDeleted(number=n.number)
        case _:
            assert_never(n.life)
