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
from typing import Any, Literal, assert_never

import msgspec
from msgspec.structs import replace

from trunkline.clock import rfc3339
from trunkline.stream import Decider, Event
from trunkline_numbers.number_events import (
    EVENTS,
    BindingKind,
    DeleteReason,
    Listing,
    LockEnding,
    LockExpired,
    NumberAdded,
    NumberAllocated,
    NumberAssigned,
    NumberBound,
    NumberChanged,
    NumberDeleted,
    NumberLocked,
    NumberRecovered,
    NumberReleased,
    NumberReserved,
    NumberUnbound,
    NumberUnlocked,
    PartyKind,
    QuarantineEnded,
    ReservationEnding,
    ReservationExpired,
    ReservationExtended,
    State,
)
from trunkline_numbers.number_refusals import (
    GoldenNeedsReservation,
    NumberHeldForAnother,
    NumberInQuarantine,
    NumberIsDeleted,
    NumberIsLocked,
    NumberNotVisible,
    NumberTaken,
    NumberUnknown,
)
from trunkline_numbers.policy import Policy, ReservationCause

# -- state ------------------------------------------------------------------------------------------------------------


class Absent(msgspec.Struct, frozen=True, tag=True):
    """Never added."""


Resolved = tuple[ReservationCause, datetime, datetime]
"""A fact (cause, instant) and the free end that it gave when it was written: a later policy leaves it (N15)."""


class Lapsed(msgspec.Struct, frozen=True, gc=False):
    """Whose reservation ran out last, nobody having acted on the number since, and the ends it had."""

    subscription_id: str
    resolved: tuple[Resolved, ...]


class Available(msgspec.Struct, frozen=True, tag=True):
    """Free since `since`; until `quarantined_until` only for `last_organization_id`.

    `covered`: the charged reservation that was over last, nobody having acted on the number since: the subscription
    that paid for it may be heard to have been renewed in time (N4, §10.10).
    """

    since: datetime
    lapsed: Lapsed | None = None
    quarantined_until: datetime | None = None
    covered: Reserved | None = None


class Reserved(msgspec.Struct, frozen=True, gc=False, tag=True):
    """Kept for `reserver_id`. `notice_at` is None once told, and where no notice is due."""

    since: datetime
    reserver_id: str
    reserver_kind: PartyKind
    cause: ReservationCause
    subscription_id: str | None
    ends_at: datetime
    free_ends_at: datetime
    notice_at: datetime | None
    cover_id: str | None
    resolved: tuple[Resolved, ...] = ()


class Assigned(msgspec.Struct, frozen=True, gc=False, tag=True):
    """Serving `subscription_id` of `organization_id`."""

    since: datetime
    subscription_id: str
    organization_id: str


class Locked(msgspec.Struct, frozen=True, gc=False, tag=True):
    """Nobody's; without end where `ends_at` is None. A quarantine goes on."""

    since: datetime
    ends_at: datetime | None
    notice_at: datetime | None
    quarantined_until: datetime | None = None


class Deleted(msgspec.Struct, frozen=True, gc=False, tag=True):
    """Out of the inventory. A quarantine goes on."""

    since: datetime
    reason: DeleteReason
    quarantined_until: datetime | None = None


Life = Absent | Available | Reserved | Assigned | Locked | Deleted


class Binding(msgspec.Struct, frozen=True, gc=False):
    """One user that the number serves; `trunk_form`: the legacy form the trunk knows it by (R9), else the number."""

    kind: BindingKind
    user_id: str | None
    organization_id: str
    extension_id: str | None
    generation: int | None = None
    trunk_form: str | None = None


class Number(msgspec.Struct, frozen=True):
    """All that decisions need to know of a number. `handed_on_by`: the partner its holder has it from (R4)."""

    number: str
    life: Life = Absent()
    listing: Listing = Listing(country="", sku="", vendor="")
    uploader_id: str | None = None
    uploader_kind: PartyKind | None = None
    holder_id: str | None = None
    holder_kind: PartyKind | None = None
    handed_on_by: str | None = None
    last_organization_id: str | None = None
    bindings: tuple[Binding, ...] = ()

    @property
    def state(self) -> str:
        """`absent`, `available`, `reserved`, `assigned`, `locked` or `deleted`."""
        return type(self.life).__name__.lower()


def evolve(n: Number, event: Any) -> Number:
    """The number after one more event. Assigns only; never guards."""
    at = event.at
    match event:
        case NumberReserved():
            e = event
            life: Life = Reserved(
                at,
                e.reserver_id,
                e.reserver_kind,
                e.cause,
                e.subscription_id,
                e.ends_at,
                e.free_ends_at,
                e.notice_at,
                e.cover_id,
                _resolved(n.life, e),
            )
            return replace(n, life=life)
        case NumberAssigned():
            life = Assigned(at, event.subscription_id, event.organization_id)
            return replace(n, life=life, last_organization_id=event.organization_id)
        case NumberAdded():
            return replace(
                n,
                life=Locked(at, None, None) if event.legacy else Available(at),
                listing=event.listing,
                uploader_id=event.uploader_id,
                uploader_kind=event.uploader_kind,
                holder_id=event.holder_id,
                holder_kind=event.holder_kind,
            )
        case NumberReleased():
            return replace(n, life=_free(n.life, event))
        case ReservationEnding() | LockEnding():
            return replace(n, life=replace(n.life, notice_at=None))
        case ReservationExtended():
            life = replace(
                n.life,
                ends_at=event.ends_at,
                free_ends_at=event.free_ends_at,
                notice_at=event.notice_at,
                cover_id=event.cover_id,
            )
            return replace(n, life=life)
        case QuarantineEnded():
            return replace(n, life=replace(n.life, quarantined_until=None))
        case NumberLocked():
            return replace(n, life=Locked(at, event.ends_at, event.notice_at, _quarantine(n.life, at)))
        case LockExpired() | NumberUnlocked() | NumberRecovered():
            return replace(n, life=Available(at, None, _quarantine(n.life, at)))
        case NumberDeleted():
            return replace(n, life=Deleted(at, event.reason, _quarantine(n.life, at)))
        case NumberAllocated():
            return replace(
                n,
                life=_acted_on(n.life),
                holder_id=event.holder_id,
                holder_kind=event.holder_kind,
                handed_on_by=n.holder_id if (n.holder_kind, event.holder_kind) == ("partner", "organization") else None,
            )
        case NumberChanged():
            return replace(n, life=_acted_on(n.life), listing=event.listing, bindings=_with_form(n.bindings, event))
        case NumberBound():
            bound = Binding(
                event.kind,
                event.user_id,
                event.organization_id,
                event.extension_id,
                event.generation,
                event.trunk_form,
            )
            others = tuple(b for b in n.bindings if b.kind != event.kind)
            return replace(n, life=_acted_on(n.life), bindings=(*others, bound))
        case NumberUnbound():
            return replace(n, bindings=tuple(b for b in n.bindings if b.kind != event.kind))
        case _:
            return n


def _free(life: Life, event: NumberReleased) -> Available:
    covered = None
    if isinstance(life, Reserved) and life.cover_id is not None and event.cause != "by_hand":
        covered = replace(life, notice_at=None)
    return Available(event.at, _lapsed(life, event), event.quarantined_until, covered)


def _lapsed(life: Life, event: NumberReleased) -> Lapsed | None:
    """Only a subscription's reservation that ran out by itself can still be claimed back by it (§10.10)."""
    if event.cause == "by_hand" or not isinstance(life, Reserved) or life.subscription_id is None:
        return None
    return Lapsed(life.subscription_id, life.resolved)


def _acted_on(life: Life) -> Life:
    """Somebody has acted on the number: whoever had it last cannot claim it back (§10.10)."""
    if isinstance(life, Available) and (life.lapsed or life.covered):
        return replace(life, lapsed=None, covered=None)
    return life


def _with_form(bindings: tuple[Binding, ...], e: NumberChanged) -> tuple[Binding, ...]:
    """The trunk's binding in its new form (R9)."""
    if "trunk_form" not in e.changed:
        return bindings
    return tuple(replace(b, trunk_form=e.trunk_form) if b.kind == "trunk" else b for b in bindings)


def _quarantine(life: Life, at: datetime) -> datetime | None:
    """The end of a quarantine that locking, deleting and their undoing leave as it is (N15)."""
    until: datetime | None = getattr(life, "quarantined_until", None)
    return until if until is not None and until > at else None


def _resolved(life: Life, e: NumberReserved) -> tuple[Resolved, ...]:
    """The ends that this subscription's facts have given so far in this episode, with the newest one."""
    if e.subscription_id is None:
        return ()
    before: tuple[Resolved, ...] = ()
    if isinstance(life, Reserved) and life.subscription_id == e.subscription_id:
        before = life.resolved
    elif isinstance(life, Available) and life.lapsed and life.lapsed.subscription_id == e.subscription_id:
        before = life.lapsed.resolved
    return (*(r for r in before if r[:2] != (e.cause, e.at)), (e.cause, e.at, e.free_ends_at))


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


class Party(msgspec.Struct, frozen=True, gc=False):
    """The organization or partner a number is wanted for, with what decides what it can see (N1, R4)."""

    id: str
    kind: PartyKind
    partner_id: str | None
    domains: tuple[str, ...] = ()


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
