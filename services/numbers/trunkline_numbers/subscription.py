"""What numbers has heard of one subscription, and what of it concerns numbers (S4, S6, N9, X4).

Licensing settles the order of a subscription's facts (DOMAIN §10.12); everything it says carries the state after all
of them. So numbers keeps the newest state only, and `wanted` computes from it where each number belongs. It never
looks at which event brought the state.
"""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar, Literal

import msgspec
from msgspec.structs import replace

from trunkline.stream import Decider, Event
from trunkline_numbers.number_following import Hold, Keep, Target

Status = Literal["active", "expired", "terminated"]


class SwappedOut(msgspec.Struct, frozen=True, gc=False):
    """A number that the subscription gave away, and when."""

    number: str
    at: datetime


class SubscriptionHeard(Event, frozen=True, kw_only=True):
    """The subscription as licensing last said it is; `at` is the instant of the fact that brought it."""

    TYPE: ClassVar[str] = "numbers.SubscriptionHeard"
    sequence: int
    organization_id: str
    product: Literal["number", "license", "did_reservation"]
    status: Status
    started_at: datetime
    expired_at: datetime | None = None
    terminated_at: datetime | None = None
    number: str | None = None
    swapped_out: tuple[SwappedOut, ...] = ()
    quantity: int | None = None
    plan_days: int | None = None
    renewed_until: datetime | None = None


class SubscriptionServed(Event, frozen=True, kw_only=True):
    """A number was assigned to the subscription for the first time."""

    TYPE: ClassVar[str] = "numbers.SubscriptionServed"
    number: str


class NumberAssignmentRefused(Event, frozen=True, kw_only=True):
    """The number that the subscription wants cannot be had; it waits for it (S6)."""

    TYPE: ClassVar[str] = "numbers.NumberAssignmentRefused"
    number: str
    code: str
    reason: str


class AssignmentRefusalEnded(Event, frozen=True, kw_only=True):
    """The subscription waits no more: it got the number, wants another one, or is not active."""

    TYPE: ClassVar[str] = "numbers.AssignmentRefusalEnded"
    number: str
    cause: Literal["assigned", "superseded", "not_active"]


class Subscription(msgspec.Struct, frozen=True):
    """What decisions need: the newest state, every number it ever had or was refused, and the refusal it waits on."""

    subscription_id: str
    heard: SubscriptionHeard | None = None
    served: tuple[str, ...] = ()
    denied: tuple[str, ...] = ()
    refused: NumberAssignmentRefused | None = None

    @property
    def sequence(self) -> int:
        """The newest sequence heard; 0 before the first."""
        return self.heard.sequence if self.heard else 0


def evolve(s: Subscription, event: Event) -> Subscription:
    """The subscription after one more event."""
    match event:
        case SubscriptionHeard():
            return replace(s, heard=event)
        case SubscriptionServed():
            return replace(s, served=(*s.served, event.number))
        case NumberAssignmentRefused():
            denied = s.denied if event.number in s.denied else (*s.denied, event.number)
            return replace(s, refused=event, denied=denied)
        case AssignmentRefusalEnded():
            return replace(s, refused=None)
        case _:
            return s


EVENTS: tuple[type[Event], ...] = (
    SubscriptionHeard,
    SubscriptionServed,
    NumberAssignmentRefused,
    AssignmentRefusalEnded,
)
SUBSCRIPTION: Decider[Subscription] = Decider("subscription", Subscription, evolve, EVENTS)


def hear(s: Subscription, said: SubscriptionHeard) -> list[Event]:
    """Take what licensing says, unless something newer has been heard (X3, X4)."""
    return [said] if said.sequence > s.sequence else []


def numbers_of(s: Subscription) -> list[str]:
    """Every number that the state names or that the subscription ever had: all that a change can move."""
    if s.heard is None or s.heard.product != "number":
        return []
    named = [] if s.heard.number is None else [s.heard.number]
    return list(dict.fromkeys([*named, *(out.number for out in s.heard.swapped_out), *s.served]))


def wanted(s: Subscription, number: str, at: datetime, *, waited: bool = False) -> Target:
    """Where the subscription's state says that its own number belongs.

    Args:
        s: the subscription; something has been heard of it.
        number: the number it names, or the one it falls back on while a swap is refused (N9).
        at: the instant that an assignment counts from where it comes back, or where it had to be waited for.
        waited: it had to be; a first assignment else counts from the start or the swap that named the number.
    """
    heard = _heard(s)
    new = number not in s.served
    if heard.status == "active":
        return Hold(_since(heard, number) if new and not waited else at)
    facts: list[tuple[Literal["expired", "terminated"], datetime]] = []
    if heard.expired_at is not None:
        facts.append(("expired", heard.expired_at))
    if heard.terminated_at is not None:
        facts.append(("terminated", heard.terminated_at))
    return Keep(tuple(facts), _since(heard, number) if new else None)


def given_up(s: Subscription) -> dict[str, Keep]:
    """The numbers that the subscription gave away, each reserved from its newest swap (N3, N9).

    A number that it has but that the state names nowhere counts from the newest swap: a subscription has one number.
    One that it was refused and never had is not taken now, only to be given up.
    """
    heard = _heard(s)
    newest: dict[str, datetime] = {}
    for out in heard.swapped_out:
        newest[out.number] = max(out.at, newest.get(out.number, out.at))
    last = max(newest.values(), default=heard.started_at)
    for number in s.served:
        newest.setdefault(number, last)
    return {
        number: Keep((("swapped", at),), None if number in s.served or number in s.denied else _since(heard, number))
        for number, at in newest.items()
        if number != heard.number
    }


def fallbacks(s: Subscription) -> list[str]:
    """The numbers to stay with while the named one cannot be had, newest first; none once it has been had (N9)."""
    heard = _heard(s)
    if heard.number in s.served:
        return []
    outs = (out.number for out in sorted(heard.swapped_out, key=lambda o: o.at, reverse=True))
    return [number for number in dict.fromkeys(outs) if number != heard.number]


def refuse(s: Subscription, number: str, code: str, reason: str, at: datetime) -> list[Event]:
    """Put a refusal on record; the same one again says nothing."""
    if s.refused is not None and (s.refused.number, s.refused.code) == (number, code):
        return []
    return [NumberAssignmentRefused(at=at, number=number, code=code, reason=reason)]


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


def _since(heard: SubscriptionHeard, number: str) -> datetime:
    """When the subscription came to name a number: at its start, or at the swap that brought it."""
    outs = heard.swapped_out
    for place, out in enumerate(outs):
        if out.number == number:
            return outs[place - 1].at if place else heard.started_at
    return outs[-1].at if outs else heard.started_at
