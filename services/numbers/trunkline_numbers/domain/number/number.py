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
from trunkline.eventstore.decider import Decider, Event
from trunkline.limits import PAST_KEPT
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
    AssignmentUndone,
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
from trunkline_numbers.domain.policy import Policy, ReservationCause

# -- state ------------------------------------------------------------------------------------------------------------


class Absent(msgspec.Struct, frozen=True, tag=True):
    """Never added."""


Resolved = tuple[ReservationCause, datetime, datetime]
"""A fact (cause, instant) and the free end that it gave when it was written: a later policy leaves it (N15)."""


class Lapsed(msgspec.Struct, frozen=True, gc=False):
    """Whose reservation ran out last, nobody having acted on the number since, and the ends it had."""

    subscription_id: str
    resolved: tuple[Resolved, ...]


class Kept(msgspec.Struct, frozen=True, gc=False):
    """For whom a number was reserved until it ran out, from when on, and whether a subscription left it so."""

    reserver_id: str
    since: datetime
    by_subscription: bool


class Available(msgspec.Struct, frozen=True, tag=True, omit_defaults=True):
    """Free since `since`; until `quarantined_until`, or `open_since` once that is over, only for its last organization.

    `covered`: the charged reservation that was over last, nobody having acted on the number since: the subscription
    that paid for it may be heard to have been renewed in time (N4, §10.10). `kept`: the reservation that ran out last,
    nobody having acted on the number since: a subscription of its reserver could have had the number then (§10.8).
    """

    since: datetime
    lapsed: Lapsed | None = None
    quarantined_until: datetime | None = None
    covered: Reserved | None = None
    kept: Kept | None = None
    open_since: datetime | None = None


class Reserved(msgspec.Struct, frozen=True, gc=False, tag=True):
    """Kept for `reserver_id`. `notice_at` is None once told, and where no notice is due.

    `extended`: a subscription pays for it, or did until it had no unit for it any more (N4).
    """

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
    extended: bool = False


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
    """One user that the number serves, since `at`.

    `trunk_form`: the legacy form the trunk knows it by (R9), else the number.
    """

    kind: BindingKind
    user_id: str | None
    organization_id: str
    extension_id: str | None
    generation: int | None = None
    trunk_form: str | None = None
    at: datetime | None = None


class Episode(msgspec.Struct, frozen=True, omit_defaults=True):
    """The time in which a number is one subscription's: assigned, then reserved, perhaps assigned again.

    Attributes:
        subscription_id: whose it is.
        since: when it began.
        before: the life that its first assignment ended: it goes on should the assignment turn out not to count.
        last_organization_id: the organization the number was assigned to before.
        bindings: those from before.
        ended: bindings of trunk and SMS users that facts have ended since.
        survived: the instants of expiries after which it was restored without having been released.
        outer: the episode that this one came in, where that had not ended for good.
    """

    subscription_id: str
    since: datetime
    before: Available | Reserved
    last_organization_id: str | None
    bindings: tuple[Binding, ...] = ()
    survived: tuple[datetime, ...] = ()
    ended: tuple[Binding, ...] = ()
    outer: Episode | None = None


class FreeTime(msgspec.Struct, frozen=True, gc=False):
    """A time in which a number was Available, until a person reserved it for `reserver_id`, locked or deleted it."""

    life: Available
    until: datetime
    last_organization_id: str | None
    reserver_id: str | None = None


_MOST_ENDED = 4
_MOST_FREE_TIMES = 4
_MOST_UNCOVERED = 4
_MOST_OUTER = 3
"""Episodes around the present one that are remembered."""


class Number(msgspec.Struct, frozen=True, omit_defaults=True):
    """All that decisions need to know of a number.

    Attributes:
        handed_on_by: the partner its holder has it from (R4).
        added_at: when it came into the inventory.
        acted_at: when a person acted on it last (D10.10).
        episode: the one that was begun last; see `owned` for whether it goes on.
        uncovered: when reservations were over that had been extended, the newest ones (N4).
        free_times: those that a person's act has ended, the newest ones: a late fact may lie in them (X4).
    """

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
    added_at: datetime | None = None
    acted_at: datetime | None = None
    episode: Episode | None = None
    uncovered: tuple[datetime, ...] = ()
    free_times: tuple[FreeTime, ...] = ()

    @property
    def state(self) -> str:
        """`absent`, `available`, `reserved`, `assigned`, `locked` or `deleted`."""
        return type(self.life).__name__.lower()


def owned(life: Life, subscription_id: str) -> bool:
    """Whether the number's present episode is this subscription's."""
    match life:
        case Assigned() | Reserved():
            return life.subscription_id == subscription_id
        case Available(lapsed=Lapsed() as lapsed):
            return lapsed.subscription_id == subscription_id
        case _:
            return False


def evolve(n: Number, event: Any) -> Number:
    """The number after one more event. Assigns only; never guards."""
    after = _evolve(n, event)
    if after.life is n.life:
        return after
    was = _extended(n.life)
    if was is None:
        if isinstance(event, AssignmentUndone) and _extended(after.life) is not None:
            return replace(after, uncovered=n.uncovered[:-1])
        return after
    now = _extended(after.life)
    if now is None or _paid_by_another(was, now):
        over = n.life.since if isinstance(n.life, Available) else event.at
        return replace(after, uncovered=(*n.uncovered, over)[-_MOST_UNCOVERED:])
    return after


def _extended(life: Life) -> Reserved | None:
    """The reservation that was extended: it goes on, or ran out with nobody having acted on the number since."""
    reservation = life.covered if isinstance(life, Available) else life
    return reservation if isinstance(reservation, Reserved) and reservation.extended else None


def _paid_by_another(was: Reserved, now: Reserved) -> bool:
    return was.cover_id is not None and now.cover_id is not None and was.cover_id != now.cover_id


def _goes_on(life: Life, e: NumberReserved) -> bool:
    """Whether a reservation continues one that was extended."""
    before = _extended(life)
    return before is not None and (before.since == e.at or (e.cover_id is not None and e.cover_id == before.cover_id))


def _evolve(n: Number, event: Any) -> Number:
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
                _goes_on(n.life, e),
            )
            if e.cause != "manual":
                return replace(n, life=life)
            return replace(n, life=life, acted_at=at, free_times=_free_times(n, at, e.reserver_id))
        case NumberAssigned():
            life = Assigned(at, event.subscription_id, event.organization_id)
            return replace(
                n, life=life, last_organization_id=event.organization_id, episode=_episode(n, event.subscription_id, at)
            )
        case NumberAdded():
            return replace(
                n,
                life=Locked(at, None, None) if event.legacy else Available(at),
                listing=event.listing,
                uploader_id=event.uploader_id,
                uploader_kind=event.uploader_kind,
                holder_id=event.holder_id,
                holder_kind=event.holder_kind,
                added_at=at,
                acted_at=at,
            )
        case NumberReleased():
            return replace(n, life=_free(n.life, event), acted_at=at if event.cause == "by_hand" else n.acted_at)
        case AssignmentUndone():
            if (episode := n.episode) is None:
                return n
            return replace(
                n, life=episode.before, last_organization_id=episode.last_organization_id, episode=episode.outer
            )
        case ReservationEnding() | LockEnding():
            return replace(n, life=replace(n.life, notice_at=None))
        case ReservationExtended():
            life = replace(
                n.life,
                ends_at=event.ends_at,
                free_ends_at=event.free_ends_at,
                notice_at=event.notice_at,
                cover_id=event.cover_id,
                extended=True,
            )
            return replace(n, life=life, acted_at=at)
        case QuarantineEnded():
            return replace(n, life=replace(n.life, quarantined_until=None, open_since=at))
        case NumberLocked():
            locked = Locked(at, event.ends_at, event.notice_at, _quarantine(n.life, at))
            return replace(n, life=locked, acted_at=at, free_times=_free_times(n, at))
        case LockExpired():
            return replace(n, life=Available(at, None, _quarantine(n.life, at)))
        case NumberUnlocked() | NumberRecovered():
            return replace(n, life=Available(at, None, _quarantine(n.life, at)), acted_at=at)
        case NumberDeleted():
            deleted = Deleted(at, event.reason, _quarantine(n.life, at))
            return replace(n, life=deleted, acted_at=at, free_times=_free_times(n, at))
        case NumberAllocated():
            return replace(
                n,
                life=_acted_on(n.life),
                acted_at=at,
                holder_id=event.holder_id,
                holder_kind=event.holder_kind,
                handed_on_by=n.holder_id if (n.holder_kind, event.holder_kind) == ("partner", "organization") else None,
            )
        case NumberChanged():
            bindings = _with_form(n.bindings, event)
            return replace(n, life=_acted_on(n.life), acted_at=at, listing=event.listing, bindings=bindings)
        case NumberBound():
            bound = Binding(
                event.kind,
                event.user_id,
                event.organization_id,
                event.extension_id,
                event.generation,
                event.trunk_form,
                _bound_at(n, event),
            )
            others = tuple(b for b in n.bindings if b.kind != event.kind)
            if event.restored:
                return replace(n, bindings=(*others, bound), episode=_restored(n.episode, bound))
            return replace(n, life=_acted_on(n.life), acted_at=at, bindings=(*others, bound))
        case NumberUnbound():
            return replace(n, bindings=tuple(b for b in n.bindings if b.kind != event.kind), episode=_ended(n, event))
        case _:
            return n


def _free_times(n: Number, at: datetime, reserver_id: str | None = None) -> tuple[FreeTime, ...]:
    """With the time that a person's act ends now, if the number was free."""
    if not isinstance(n.life, Available):
        return n.free_times
    ended = FreeTime(n.life, at, n.last_organization_id, reserver_id)
    return (*n.free_times, ended)[-_MOST_FREE_TIMES:]


def _episode(n: Number, subscription_id: str, at: datetime) -> Episode | None:
    """The episode of the subscription that the number is assigned to now."""
    life, episode = n.life, n.episode
    if owned(life, subscription_id):
        if episode is not None and isinstance(life, Reserved) and life.cause == "expired":
            return replace(episode, survived=(*episode.survived, life.since)[-PAST_KEPT:])
        return episode
    if not isinstance(life, Available | Reserved):
        return None
    outer = episode if episode is not None and owned(life, episode.subscription_id) else None
    outer = _shortened(outer, _MOST_OUTER)
    return Episode(subscription_id, at, life, n.last_organization_id, n.bindings, outer=outer)


def _ended(n: Number, event: NumberUnbound) -> Episode | None:
    """The episode, with a binding that a fact has ended; an extension's is licensing's to make anew (X5)."""
    episode = n.episode
    if episode is None or event.kind == "pbx" or event.cause in ("by_hand", "asked"):
        return episode
    if event.cause == "released" and event.at == episode.since:
        return episode  # it rested with the reservation that this episode ended (X5)
    gone = tuple(b for b in n.bindings if b.kind == event.kind)
    return replace(episode, ended=(*(b for b in episode.ended if b not in gone), *gone)[-_MOST_ENDED:])


def _restored(episode: Episode | None, bound: Binding) -> Episode | None:
    return episode and replace(episode, ended=tuple(b for b in episode.ended if b.user_id != bound.user_id))


def _shortened(episode: Episode | None, most: int) -> Episode | None:
    if episode is None or most == 0:
        return None
    return replace(episode, outer=_shortened(episode.outer, most - 1))


def _bound_at(n: Number, event: NumberBound) -> datetime:
    """Since when the number serves the user: the same extension in a newer generation is the same binding."""
    same = (b for b in n.bindings if b.kind == event.kind and b.extension_id == event.extension_id)
    before = next(same, None) if event.extension_id is not None else None
    return event.at if before is None or before.at is None else before.at


def _free(life: Life, event: NumberReleased) -> Available:
    if event.cause == "by_hand" or not isinstance(life, Reserved):
        return Available(event.at, None, event.quarantined_until)
    covered = replace(life, notice_at=None) if life.cover_id is not None else None
    return Available(event.at, _lapsed(life), event.quarantined_until, covered, kept_by(life))


def kept_by(r: Reserved) -> Kept:
    """For whom a reservation is, since the first fact that left the number so."""
    since = min((at for _, at, _ in r.resolved), default=r.since)
    return Kept(r.reserver_id, min(since, r.since), r.subscription_id is not None)


def _lapsed(r: Reserved) -> Lapsed | None:
    """Only a subscription's reservation that ran out by itself can still be claimed back by it (§10.10)."""
    return None if r.subscription_id is None else Lapsed(r.subscription_id, r.resolved)


def _acted_on(life: Life) -> Life:
    """Somebody has acted on the number: whoever had it last cannot claim it back (§10.10)."""
    if isinstance(life, Available) and (life.lapsed or life.covered or life.kept):
        return replace(life, lapsed=None, covered=None, kept=None)
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
