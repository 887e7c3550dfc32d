"""What numbers records of a subscription: what licensing says of it, and what became of its numbers (S6, N4)."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar, Literal

import msgspec

from trunkline.eventstore.decider import Event

Status = Literal["active", "expired", "terminated"]


class SwappedOut(msgspec.Struct, frozen=True, gc=False):
    """A number that the subscription gave away, and when."""

    number: str
    at: datetime


class Gap(msgspec.Struct, frozen=True, gc=False):
    """A time in which the subscription was expired, until it was reactivated."""

    expired_at: datetime
    reactivated_at: datetime


class CoversFrom(msgspec.Struct, frozen=True, gc=False):
    """From an instant on, a DID reservation subscription covers that many numbers, paid until then (N4)."""

    at: datetime
    units: int
    renewed_until: datetime | None = None


class SubscriptionReceived(Event, frozen=True, kw_only=True):
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
    covers: tuple[CoversFrom, ...] = ()
    gaps: tuple[Gap, ...] | None = None


class SubscriptionAhead(Event, frozen=True, kw_only=True):
    """What licensing published lies ahead of this service's clock: it is taken once its instant comes (D10.14).

    `at` is when it arrived; `counts_from`: the latest instant among its facts.
    """

    TYPE: ClassVar[str] = "numbers.SubscriptionAhead"
    published: SubscriptionReceived = msgspec.field(name="said")
    counts_from: datetime


class SubscriptionNumberSet(Event, frozen=True, kw_only=True):
    """A person gave the subscription this number, whatever it named until then: from now on it names this one."""

    TYPE: ClassVar[str] = "numbers.SubscriptionNumberSet"
    number: str
    remark: str | None = None


class SubscriptionServed(Event, frozen=True, kw_only=True):
    """A number was assigned to the subscription: for the first time, or again after it had gone elsewhere.

    `found`: only on this record, as another subscription has got the number since.
    """

    TYPE: ClassVar[str] = "numbers.SubscriptionServed"
    number: str
    found: bool = False


class ServiceUndone(Event, frozen=True, kw_only=True):
    """The newest assignment of the number to the subscription did not count."""

    TYPE: ClassVar[str] = "numbers.ServiceUndone"
    number: str


class NumberAssignmentRefused(Event, frozen=True, kw_only=True):
    """The number that the subscription wants cannot be had; it waits for it (S6)."""

    TYPE: ClassVar[str] = "numbers.NumberAssignmentRefused"
    number: str
    code: str
    reason: str


class NumberForgone(Event, frozen=True, kw_only=True):
    """A number that was the subscription's for a time could not be had then; it is not taken later for that time."""

    TYPE: ClassVar[str] = "numbers.NumberForgone"
    number: str


class AssignmentRefusalEnded(Event, frozen=True, kw_only=True):
    """The subscription waits no more: it got the number, wants another one, is not active, or was told not to.

    `named_at`, of a dismissal: when it came to name the number; named anew, it wants it again.
    """

    TYPE: ClassVar[str] = "numbers.AssignmentRefusalEnded"
    number: str
    cause: Literal["assigned", "superseded", "not_active", "dismissed"]
    named_at: datetime | None = None
    remark: str | None = None


class ReservationCovered(Event, frozen=True, kw_only=True):
    """A DID reservation subscription came to pay for a number's reservation, until `ends_at` unless renewed (N4)."""

    TYPE: ClassVar[str] = "numbers.ReservationCovered"
    number: str
    ends_at: datetime


class ReservationUncovered(Event, frozen=True, kw_only=True):
    """It pays for it no more: it has `lost` the unit for it, or the number is `freed` of the reservation (N4)."""

    TYPE: ClassVar[str] = "numbers.ReservationUncovered"
    number: str
    cause: Literal["lost", "freed"]


EVENTS: tuple[type[Event], ...] = (
    SubscriptionReceived,
    SubscriptionAhead,
    SubscriptionNumberSet,
    SubscriptionServed,
    ServiceUndone,
    NumberAssignmentRefused,
    NumberForgone,
    AssignmentRefusalEnded,
    ReservationCovered,
    ReservationUncovered,
)
