"""What billing can say of a subscription, and what one fact more makes of it (S2, DOMAIN §10.12).

`subscription_order` puts the facts in their order. Nothing here depends on the order of their arrival, nor on the
present instant.
"""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar, Literal

import msgspec
from msgspec.structs import replace

from trunkline.clock import rfc3339
from trunkline.errors import Refused
from trunkline.limits import PAST_KEPT
from trunkline_licensing.domain.subscription.errors import (
    AlreadyExpired,
    AlreadyStarted,
    AlreadyTerminated,
    NotExpired,
    NotStarted,
    OrganizationMismatch,
    SubscriptionIsExpired,
    SubscriptionIsTerminated,
    WrongProduct,
)

Product = Literal["number", "license", "did_reservation"]
Status = Literal["active", "expired", "terminated"]
Name = tuple[str, str]

# -- facts ------------------------------------------------------------------------------------------------------------


class Fact(msgspec.Struct, frozen=True, kw_only=True, gc=False, omit_defaults=True, tag_field="kind"):
    """What billing said once. `source` and `id` name it, `at` is the instant it counts from.

    `sequence` is its place among the subscription's facts, if billing numbers them. `RANK` settles the order of
    facts of the same instant (DOMAIN §10.12).
    """

    RANK: ClassVar[int]
    KIND: ClassVar[str]
    ENDS: ClassVar[bool] = False
    """Whether the fact ends the subscription, for the time being or for good."""
    CONTINUES: ClassVar[bool] = False
    """Whether the fact says that the subscription goes on, so that it can overtake an end that lies ahead (D10.14)."""

    source: str
    id: str
    at: datetime
    organization_id: str
    sequence: int | None = None

    @property
    def name(self) -> Name:
        """What names the fact: its source and its id there (S3)."""
        return self.source, self.id


class Started(Fact, frozen=True, kw_only=True, gc=False, omit_defaults=True, tag="started"):
    """The organization bought it: one number, a quantity of a license, or of numbers to keep reserved."""

    RANK: ClassVar[int] = 0
    KIND: ClassVar[str] = "started"

    product: Product
    reference: str | None = None
    number: str | None = None
    sku: str | None = None
    license_code: str | None = None
    quantity: int | None = None
    plan_days: int | None = None


class QuantityChanged(Fact, frozen=True, kw_only=True, gc=False, omit_defaults=True, tag="quantity_changed"):
    """It covers another quantity."""

    RANK: ClassVar[int] = 1
    KIND: ClassVar[str] = "quantity_changed"

    quantity: int


class Renewed(Fact, frozen=True, kw_only=True, gc=False, omit_defaults=True, tag="renewed"):
    """It is paid for until a later instant."""

    RANK: ClassVar[int] = 2
    KIND: ClassVar[str] = "renewed"
    CONTINUES: ClassVar[bool] = True

    renewed_until: datetime


class NumberSwapped(Fact, frozen=True, kw_only=True, gc=False, omit_defaults=True, tag="number_swapped"):
    """It has another number in place of one it had."""

    RANK: ClassVar[int] = 3
    KIND: ClassVar[str] = "number_swapped"

    old_number: str
    new_number: str


class Reactivated(Fact, frozen=True, kw_only=True, gc=False, omit_defaults=True, tag="reactivated"):
    """It was renewed after it had expired."""

    RANK: ClassVar[int] = 4
    KIND: ClassVar[str] = "reactivated"
    CONTINUES: ClassVar[bool] = True


class Expired(Fact, frozen=True, kw_only=True, gc=False, omit_defaults=True, tag="expired"):
    """It was not renewed in time."""

    RANK: ClassVar[int] = 5
    KIND: ClassVar[str] = "expired"
    ENDS: ClassVar[bool] = True


class Terminated(Fact, frozen=True, kw_only=True, gc=False, omit_defaults=True, tag="terminated"):
    """It is over for good."""

    RANK: ClassVar[int] = 6
    KIND: ClassVar[str] = "terminated"
    ENDS: ClassVar[bool] = True


AnyFact = Started | QuantityChanged | Renewed | NumberSwapped | Reactivated | Expired | Terminated


def number_named(fact: AnyFact) -> str | None:
    """The number that the fact gives to the subscription, if it gives one."""
    match fact:
        case Started():
            return fact.number
        case NumberSwapped():
            return fact.new_number
        case _:
            return None


# -- what they come to ------------------------------------------------------------------------------------------------


class SwappedOut(msgspec.Struct, frozen=True, gc=False):
    """A number that was given up for another, and when. It stays here even if it comes back later."""

    number: str
    at: datetime


class Gap(msgspec.Struct, frozen=True, gc=False):
    """A time in which the subscription was expired, until it was reactivated."""

    expired_at: datetime
    reactivated_at: datetime


class CoversFrom(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """From an instant on, a DID reservation subscription covers so many numbers; a renewal says until when (N4)."""

    at: datetime
    units: int
    renewed_until: datetime | None = None


class After(msgspec.Struct, frozen=True, kw_only=True, gc=False, omit_defaults=True):
    """The subscription after all facts that count so far. `quantity` of a number is None.

    `swapped_out`, `covers` and `gaps` keep the newest `PAST_KEPT` entries: each event carries them, and without a
    bound the size of a subscription's events would grow with the square of its facts.
    """

    organization_id: str
    product: Product
    started_at: datetime
    status: Status = "active"
    reference: str | None = None
    expired_at: datetime | None = None
    terminated_at: datetime | None = None
    number: str | None = None
    sku: str | None = None
    swapped_out: tuple[SwappedOut, ...] = ()
    license_code: str | None = None
    quantity: int | None = None
    plan_days: int | None = None
    renewed_until: datetime | None = None
    covers: tuple[CoversFrom, ...] = ()
    gaps: tuple[Gap, ...] = ()


def apply(after: After | None, fact: AnyFact) -> After | Refused:
    """The subscription after one more fact in its order, or why the fact does not count."""
    outcome = _applied(after, fact)
    if isinstance(outcome, After) and outcome.product == "did_reservation":
        return _covering(outcome, fact)
    return outcome


def _covering(after: After, fact: AnyFact) -> After:
    """What numbers must know of the past of DID reservations to cover the right ones in any order (N4, X4)."""
    units = (after.quantity or 0) if after.status == "active" else 0
    renewed_until = fact.renewed_until if isinstance(fact, Renewed) else None
    if renewed_until is None and after.covers and after.covers[-1].units == units:
        return after
    return replace(after, covers=(*after.covers, CoversFrom(fact.at, units, renewed_until))[-PAST_KEPT:])


def _applied(after: After | None, fact: AnyFact) -> After | Refused:
    if after is None:
        return _begun(fact) if isinstance(fact, Started) else NotStarted(kind=fact.KIND, at=rfc3339(fact.at))
    if isinstance(fact, Started):
        return AlreadyStarted(since=rfc3339(after.started_at))
    if fact.organization_id != after.organization_id:
        return OrganizationMismatch(kind=fact.KIND, at=rfc3339(fact.at))
    if isinstance(fact, NumberSwapped if after.product != "number" else QuantityChanged):
        return WrongProduct(kind=fact.KIND, product=after.product)
    if after.status == "terminated":
        return _after_the_end(after, fact)
    match fact:
        case Renewed():
            return replace(after, renewed_until=fact.renewed_until)
        case QuantityChanged():
            return replace(after, quantity=fact.quantity)
        case NumberSwapped():
            if after.expired_at is not None:
                return SubscriptionIsExpired(since=rfc3339(after.expired_at), kind=fact.KIND)
            return _swapped(after, fact)
        case Expired():
            if after.expired_at is not None:
                return AlreadyExpired(since=rfc3339(after.expired_at))
            return replace(after, status="expired", expired_at=fact.at)
        case Reactivated():
            if after.expired_at is None:
                return NotExpired(at=rfc3339(fact.at))
            gap = Gap(after.expired_at, fact.at)
            return replace(after, status="active", expired_at=None, gaps=(*after.gaps, gap)[-PAST_KEPT:])
        case Terminated():
            return replace(after, status="terminated", terminated_at=fact.at)


def _swapped(after: After, fact: NumberSwapped) -> After:
    """It gives up the number that it has by its own facts, whichever one billing names as the old one (N9).

    A swap that brings the number it has already changes nothing: the old one is not its own any more.
    """
    if fact.new_number == after.number:
        return after
    gone = () if after.number is None else (SwappedOut(after.number, fact.at),)
    return replace(after, number=fact.new_number, swapped_out=(*after.swapped_out, *gone)[-PAST_KEPT:])


def _begun(fact: Started) -> After:
    return After(
        organization_id=fact.organization_id,
        product=fact.product,
        started_at=fact.at,
        reference=fact.reference,
        number=fact.number,
        sku=fact.sku,
        license_code=fact.license_code,
        quantity=fact.quantity,
        plan_days=fact.plan_days,
    )


def _after_the_end(after: After, fact: AnyFact) -> Refused:
    assert after.terminated_at is not None
    since = rfc3339(after.terminated_at)
    if isinstance(fact, Terminated):
        return AlreadyTerminated(since=since)
    return SubscriptionIsTerminated(since=since, kind=fact.KIND, at=rfc3339(fact.at))
