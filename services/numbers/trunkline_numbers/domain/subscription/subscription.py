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
    SubscriptionHeard,
    SubscriptionNumberSet,
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
        heard: the newest state, with what people decided laid over it.
        said: what licensing said, where people decided something; None: `heard` is that.
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
    heard: SubscriptionHeard | None = None
    served: dict[str, datetime] = {}
    denied: tuple[str, ...] = ()
    refused: NumberAssignmentRefused | None = None
    said: SubscriptionHeard | None = None
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
            return self.ahead.said.sequence
        return self.heard.sequence if self.heard else 0


def evolve(s: Subscription, event: Event) -> Subscription:
    """The subscription after one more event."""
    match event:
        case SubscriptionHeard():
            said = with_past(event, s.said or s.heard)
            acts = s.acts
            if acts and is_full(said.swapped_out):
                acts = tuple(act for act in acts if act.at >= said.swapped_out[0].at)
            heard = overlaid(said, acts)
            return _settled(replace(s, said=said if acts else None, acts=acts, heard=heard, ahead=None))
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
            said, acts = s.said or _heard(s), (*s.acts, Act(event.number, event.at))
            return replace(s, said=said, acts=acts, heard=overlaid(said, acts), dismissed=None)
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
    assert s.heard is not None
    until = settled_before(s.heard)
    if until is None:
        return s
    names = {out.number for out in _open(s.heard)} | {s.heard.number}
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
        (place for place, each in enumerate(s.grants) if each[0] == number and each not in s.found), default=None
    )
    grants = s.grants if newest is None else (*s.grants[:newest], *s.grants[newest + 1 :])
    still = any(name == number for name, _ in grants)
    served = s.served if still else {name: at for name, at in s.served.items() if name != number}
    return replace(s, served=served, grants=grants)


def overlaid(said: SubscriptionHeard, acts: Sequence[Act]) -> SubscriptionHeard:
    """What licensing says, with what people decided in its place in time, whatever was heard first (X4).

    A person's act is to billing's facts what one more swap would be: it takes the place of the number named at its
    instant, and stands until billing names another number later.
    """
    if not acts:
        return said
    number, outs = said.number, list(said.swapped_out)
    for act in acts:
        place = next((p for p, out in enumerate(outs) if out.at > act.at), len(outs))
        named = outs[place].number if place < len(outs) else number
        if named == act.number:
            continue
        if place < len(outs):
            outs[place] = SwappedOut(act.number, outs[place].at)
        else:
            number = act.number
        if named is not None:
            outs.insert(place, SwappedOut(named, act.at))
    return replace(said, at=max(said.at, acts[-1].at), number=number, swapped_out=tuple(outs))


def _without(covers: dict[str, Cover], number: str) -> dict[str, Cover]:
    return {other: cover for other, cover in covers.items() if other != number}


def _with(numbers: tuple[str, ...], number: str) -> tuple[str, ...]:
    return numbers if number in numbers else (*numbers, number)


def due(s: Subscription) -> datetime | None:
    """When a state that lies ahead is to be taken (D10.14); None: there is none."""
    return s.ahead.counts_from if s.ahead is not None else None


SUBSCRIPTION: Decider[Subscription] = Decider("subscription", Subscription, evolve, EVENTS, due=due)


def hear(s: Subscription, said: SubscriptionHeard, now: datetime) -> list[Event]:
    """Take what licensing says, unless something newer has been heard (X3, X4).

    Clocks differ: a state with an instant ahead of this one's waits for it, so that nothing counts before it (D10.14).
    """
    if said.sequence <= s.sequence:
        return []
    if said.product == "did_reservation" and not said.covers:
        said = replace(said, covers=_covers(s, said))
    since = counts_from(said)
    return [said] if since <= now else [SubscriptionAhead(at=now, said=said, counts_from=since)]


def fall_due(s: Subscription, now: datetime) -> list[Event]:
    """Take the state that lay ahead, now that its instant has come; asked again, nothing (D10.14)."""
    return [s.ahead.said] if s.ahead is not None and s.ahead.counts_from <= now else []


def _covers(s: Subscription, said: SubscriptionHeard) -> tuple[CoversFrom, ...]:
    """The past of a DID reservation subscription as far as it was heard here, where it comes without."""
    before = s.heard.covers if s.heard is not None else ()
    units = (said.quantity or 0) if said.status == "active" else 0
    ended = said.terminated_at if said.status == "terminated" else said.expired_at
    renewed = said.renewed_until if s.heard is None or said.renewed_until != s.heard.renewed_until else None
    if not before:
        before = (CoversFrom(said.started_at, said.quantity or 0),)
    if renewed is None and before[-1].units == units:
        return before
    return (*before, CoversFrom(said.at if said.status == "active" else ended or said.at, units, renewed))


def numbers_of(s: Subscription) -> list[str]:
    """Every number that a change can move: those it names or ever had, or whose reservations it pays for (N4)."""
    if s.heard is None or s.heard.product != "number":
        return list(s.covers)
    named = [] if s.heard.number is None else [s.heard.number]
    if not s.heard.swapped_out and (not s.served or [*s.served] == named):
        return named
    return list(dict.fromkeys([*named, *(out.number for out in _open(s.heard)), *s.served]))


def _open(heard: SubscriptionHeard) -> tuple[SwappedOut, ...]:
    """The numbers given up that later facts can still move; of a full past the oldest one is its bound."""
    return heard.swapped_out[1:] if is_full(heard.swapped_out) else heard.swapped_out


def named_since(s: Subscription, number: str) -> datetime:
    """When the subscription came to name a number for the last time."""
    heard = _heard(s)
    outs = heard.swapped_out
    place = len(outs)
    if number != heard.number:
        place = max((p for p, out in enumerate(outs) if out.number == number), default=place)
    return outs[place - 1].at if place else heard.started_at


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
    heard = _heard(s)
    if heard.status != "active":
        return [AssignmentRefusalEnded(at=at, number=s.refused.number, cause="not_active")]
    cause: Literal["assigned", "superseded"] = "assigned" if s.refused.number == heard.number else "superseded"
    return [AssignmentRefusalEnded(at=at, number=s.refused.number, cause=cause)]


def _heard(s: Subscription) -> SubscriptionHeard:
    assert s.heard is not None, f"nothing has been heard of subscription {s.subscription_id}"
    return s.heard
