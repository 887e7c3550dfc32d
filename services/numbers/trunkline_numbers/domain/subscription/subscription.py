"""What numbers has heard of one subscription, and what of it concerns numbers (S4, S6, N9, X4).

Licensing settles the order of a subscription's facts (DOMAIN §10.12); everything it says carries the state after all
of them. So numbers keeps the newest state only, and `subscription_tenures` computes from it where each number belongs.
It never looks at which event brought the state.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Literal

import msgspec
from msgspec.structs import replace

from trunkline.eventstore.decider import Decider, Event
from trunkline_numbers.domain.subscription.events import (
    EVENTS,
    AssignmentRefusalEnded,
    CoversFrom,
    NumberAssignmentRefused,
    NumberForgone,
    ReservationCovered,
    ReservationUncovered,
    ServiceUndone,
    SubscriptionAhead,
    SubscriptionNumberSet,
    SubscriptionReceived,
    SubscriptionServed,
    SwappedOut,
)
from trunkline_numbers.domain.subscription.past import counts_from, is_full, settled_before, with_past


class Act(msgspec.Struct, frozen=True, gc=False):
    """A person gave the subscription this number then."""

    number: str
    at: datetime


class Cover(msgspec.Struct, frozen=True, gc=False):
    """Since when a DID reservation subscription has paid for a number, and until when unless it is renewed.

    `lost`: it had no unit for it any more; what is heard later may show that it had one after all (X4).
    """

    at: datetime
    ends_at: datetime
    lost: bool = False


class Subscription(msgspec.Struct, frozen=True):
    """What decisions need.

    Attributes:
        terms: the newest state, with what people decided laid over it.
        published: what licensing said, where people decided something; None: `heard` is that.
        acts: what people decided, in order.
        served: every number it had that later facts can still move, from when on first.
        settled: those it had before, in order; one that it had several times may be there as often.
        denied: every number it could not have at first.
        refused: what it waits on.
        dismissed: the number it was told not to wait for, and when it came to name it.
        covers: the numbers whose reservations it pays for, in the order in which they were extended (N4).
        grants: every assignment of a number to it that began anew, in the order of recording.
        found: those of the grants that are not on the number's record, as another subscription has got it since.
        ahead: the newest state, where one of its instants lies ahead of this service's clock (D10.14).
    """

    subscription_id: str
    terms: SubscriptionReceived | None = msgspec.field(default=None, name="heard")
    served: dict[str, datetime] = {}
    denied: tuple[str, ...] = ()
    refused: NumberAssignmentRefused | None = None
    published: SubscriptionReceived | None = msgspec.field(default=None, name="said")
    acts: tuple[Act, ...] = ()
    dismissed: tuple[str, datetime] | None = None
    covers: dict[str, Cover] = {}
    grants: tuple[tuple[str, datetime], ...] = ()
    found: tuple[tuple[str, datetime], ...] = ()
    settled: tuple[str, ...] = ()
    ahead: SubscriptionAhead | None = None

    @property
    def ever_served(self) -> list[str]:
        """Every number that was ever assigned to it."""
        return list(dict.fromkeys([*self.settled, *self.served]))

    @property
    def sequence(self) -> int:
        """The newest sequence heard, counting or not yet; 0 before the first."""
        if self.ahead is not None:
            return self.ahead.published.sequence
        return self.terms.sequence if self.terms else 0


def evolve(s: Subscription, event: Event) -> Subscription:
    """The subscription after one more event."""
    match event:
        case SubscriptionReceived():
            published = with_past(event, s.published or s.terms)
            acts = s.acts
            if acts and is_full(published.swapped_out):
                acts = tuple(act for act in acts if act.at >= published.swapped_out[0].at)
            terms = overlaid(published, acts)
            return _settled(replace(s, published=published if acts else None, acts=acts, terms=terms, ahead=None))
        case SubscriptionAhead():
            return replace(s, ahead=event)
        case SubscriptionServed():
            served = s.served if event.number in s.served else {**s.served, event.number: event.at}
            grant = (event.number, event.at)
            if event.found:
                return replace(s, served=served, grants=(*s.grants, grant), found=(*s.found, grant))
            if not s.found:
                return replace(s, served=served, grants=(*s.grants, grant))
            outdated = {found for found in s.found if found[0] == event.number and found[1] >= event.at}
            grants = tuple(each for each in s.grants if each not in outdated) if outdated else s.grants
            found = tuple(each for each in s.found if each not in outdated) if outdated else s.found
            return replace(s, served=served, grants=(*grants, grant), found=found)
        case ServiceUndone():
            return _not_served(s, event.number)
        case NumberAssignmentRefused():
            return replace(s, refused=event, denied=_with(s.denied, event.number))
        case NumberForgone():
            return replace(s, denied=_with(s.denied, event.number))
        case AssignmentRefusalEnded():
            dismissed = (event.number, event.named_at) if event.named_at is not None else s.dismissed
            return replace(s, refused=None, dismissed=dismissed)
        case SubscriptionNumberSet():
            published, acts = s.published or _heard(s), (*s.acts, Act(event.number, event.at))
            return replace(s, published=published, acts=acts, terms=overlaid(published, acts), dismissed=None)
        case ReservationCovered():
            before = s.covers.get(event.number)
            kept = s.covers if before is not None and before.at == event.at else _without(s.covers, event.number)
            return replace(s, covers={**kept, event.number: Cover(event.at, event.ends_at)})
        case ReservationUncovered(cause="lost"):
            return replace(s, covers={**s.covers, event.number: replace(s.covers[event.number], lost=True)})
        case ReservationUncovered():
            return replace(s, covers=_without(s.covers, event.number))
        case _:
            return s


def _settled(s: Subscription) -> Subscription:
    """Without what is on record of numbers that are settled for good."""
    assert s.terms is not None
    until = settled_before(s.terms)
    if until is None:
        return s
    names = {out.number for out in _open(s.terms)} | {s.terms.number}
    gone = tuple(number for number in s.served if number not in names)
    return replace(
        s,
        settled=(*s.settled, *gone) if gone else s.settled,
        served={number: at for number, at in s.served.items() if number in names},
        denied=tuple(number for number in s.denied if number in names),
        grants=tuple(grant for grant in s.grants if grant[0] in names and grant[1] >= until),
        found=tuple(grant for grant in s.found if grant[0] in names and grant[1] >= until),
    )


def _not_served(s: Subscription, number: str) -> Subscription:
    """Without the newest assignment of the number, which did not count."""
    newest = max(
        (index for index, each in enumerate(s.grants) if each[0] == number and each not in s.found), default=None
    )
    grants = s.grants if newest is None else (*s.grants[:newest], *s.grants[newest + 1 :])
    still = any(name == number for name, _ in grants)
    served = s.served if still else {name: at for name, at in s.served.items() if name != number}
    return replace(s, served=served, grants=grants)


def overlaid(published: SubscriptionReceived, acts: Sequence[Act]) -> SubscriptionReceived:
    """What licensing says, with what people decided in its place in time, whatever was heard first (X4).

    A person's act is to billing's facts what one more swap would be: it takes the place of the number named at its
    instant, and stands until billing names another number later.
    """
    if not acts:
        return published
    number, outs = published.number, list(published.swapped_out)
    for act in acts:
        index = next((p for p, out in enumerate(outs) if out.at > act.at), len(outs))
        named = outs[index].number if index < len(outs) else number
        if named == act.number:
            continue
        if index < len(outs):
            outs[index] = SwappedOut(act.number, outs[index].at)
        else:
            number = act.number
        if named is not None:
            outs.insert(index, SwappedOut(named, act.at))
    return replace(published, at=max(published.at, acts[-1].at), number=number, swapped_out=tuple(outs))


def _without(covers: dict[str, Cover], number: str) -> dict[str, Cover]:
    return {other: cover for other, cover in covers.items() if other != number}


def _with(numbers: tuple[str, ...], number: str) -> tuple[str, ...]:
    return numbers if number in numbers else (*numbers, number)


def due(s: Subscription) -> datetime | None:
    """When a state that lies ahead is to be taken (D10.14); None: there is none."""
    return s.ahead.counts_from if s.ahead is not None else None


SUBSCRIPTION: Decider[Subscription] = Decider("subscription", Subscription, evolve, EVENTS, due=due)


def receive(s: Subscription, published: SubscriptionReceived, now: datetime) -> list[Event]:
    """Take what licensing says, unless something newer has been heard (X3, X4).

    Clocks differ: a state with an instant ahead of this one's waits for it, so that nothing counts before it (D10.14).
    """
    if published.sequence <= s.sequence:
        return []
    if published.product == "did_reservation" and not published.covers:
        published = replace(published, covers=_covers(s, published))
    since = counts_from(published)
    return [published] if since <= now else [SubscriptionAhead(at=now, published=published, counts_from=since)]


def fall_due(s: Subscription, now: datetime) -> list[Event]:
    """Take the state that lay ahead, now that its instant has come; asked again, nothing (D10.14)."""
    return [s.ahead.published] if s.ahead is not None and s.ahead.counts_from <= now else []


def _covers(s: Subscription, published: SubscriptionReceived) -> tuple[CoversFrom, ...]:
    """The past of a DID reservation subscription as far as it was heard here, where it comes without."""
    before = s.terms.covers if s.terms is not None else ()
    units = (published.quantity or 0) if published.status == "active" else 0
    ended = published.terminated_at if published.status == "terminated" else published.expired_at
    renewed = published.renewed_until if s.terms is None or published.renewed_until != s.terms.renewed_until else None
    if not before:
        before = (CoversFrom(published.started_at, published.quantity or 0),)
    if renewed is None and before[-1].units == units:
        return before
    return (
        *before,
        CoversFrom(published.at if published.status == "active" else ended or published.at, units, renewed),
    )


def numbers_of(s: Subscription) -> list[str]:
    """Every number that a change can move: those it names or ever had, or whose reservations it pays for (N4)."""
    if s.terms is None or s.terms.product != "number":
        return list(s.covers)
    named = [] if s.terms.number is None else [s.terms.number]
    if not s.terms.swapped_out and (not s.served or [*s.served] == named):
        return named
    return list(dict.fromkeys([*named, *(out.number for out in _open(s.terms)), *s.served]))


def _open(terms: SubscriptionReceived) -> tuple[SwappedOut, ...]:
    """The numbers given up that later facts can still move; of a full past the oldest one is its bound."""
    return terms.swapped_out[1:] if is_full(terms.swapped_out) else terms.swapped_out


def named_since(s: Subscription, number: str) -> datetime:
    """When the subscription came to name a number for the last time."""
    terms = _heard(s)
    outs = terms.swapped_out
    index = len(outs)
    if number != terms.number:
        index = max((p for p, out in enumerate(outs) if out.number == number), default=index)
    return outs[index - 1].at if index else terms.started_at


def forgo(s: Subscription, number: str, at: datetime) -> list[Event]:
    """Put on record that a number could not be had in its time; known already, it says nothing."""
    return [] if number in s.denied or number in s.served else [NumberForgone(at=at, number=number)]


def refuse(s: Subscription, number: str, code: str, reason: str, at: datetime) -> list[Event]:
    """Put a refusal on record; the same one again says nothing."""
    if s.refused is not None and (s.refused.number, s.refused.code) == (number, code):
        return []
    return [NumberAssignmentRefused(at=at, number=number, code=code, reason=reason)]


def is_dismissed(s: Subscription, number: str) -> bool:
    """Whether a person said that the subscription is not to have the number it names; named anew, it may."""
    return s.dismissed is not None and s.dismissed == (number, named_since(s, number))


def dismiss(s: Subscription, remark: str | None, at: datetime) -> list[Event]:
    """Let the subscription wait no more for the number it names (S6); without a wait, nothing."""
    if s.refused is None:
        return []
    number = s.refused.number
    named_at = named_since(s, number)
    return [AssignmentRefusalEnded(at=at, number=number, cause="dismissed", named_at=named_at, remark=remark)]


def end_refusal(s: Subscription, at: datetime) -> list[Event]:
    """End a refusal that no longer holds; without one, nothing."""
    if s.refused is None:
        return []
    terms = _heard(s)
    if terms.status != "active":
        return [AssignmentRefusalEnded(at=at, number=s.refused.number, cause="not_active")]
    cause: Literal["assigned", "superseded"] = "assigned" if s.refused.number == terms.number else "superseded"
    return [AssignmentRefusalEnded(at=at, number=s.refused.number, cause=cause)]


def _heard(s: Subscription) -> SubscriptionReceived:
    assert s.terms is not None, f"nothing has been heard of subscription {s.subscription_id}"
    return s.terms
