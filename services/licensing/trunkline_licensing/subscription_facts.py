"""What billing can say of a subscription, and what all of it together comes to (S2, DOMAIN §10.12).

The state of a subscription is the fold of its facts in the order of their sequence, or of their time where any of
them lacks a sequence. Nothing here depends on the order in which they were heard, nor on the present instant.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any, ClassVar, Literal

import msgspec
from msgspec.structs import replace

from trunkline.clock import rfc3339
from trunkline.refusal import Refused
from trunkline_licensing.subscription_refusals import (
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

# -- facts ------------------------------------------------------------------------------------------------------------


class Fact(msgspec.Struct, frozen=True, kw_only=True, gc=False, omit_defaults=True, tag_field="kind"):
    """What billing said once. `source` and `id` name it, `at` is the instant it counts from.

    `sequence` is its place among the subscription's facts, if billing numbers them. `RANK` settles the order of
    facts of the same instant (DOMAIN §10.12).
    """

    RANK: ClassVar[int]
    KIND: ClassVar[str]

    source: str
    id: str
    at: datetime
    organization_id: str
    sequence: int | None = None


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


class Expired(Fact, frozen=True, kw_only=True, gc=False, omit_defaults=True, tag="expired"):
    """It was not renewed in time."""

    RANK: ClassVar[int] = 5
    KIND: ClassVar[str] = "expired"


class Terminated(Fact, frozen=True, kw_only=True, gc=False, omit_defaults=True, tag="terminated"):
    """It is over for good."""

    RANK: ClassVar[int] = 6
    KIND: ClassVar[str] = "terminated"


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
    """The subscription after all facts heard so far. `quantity` of a number is None."""

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
    return replace(after, covers=(*after.covers, CoversFrom(fact.at, units, renewed_until)))


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
            return replace(after, status="active", expired_at=None, gaps=(*after.gaps, gap))
        case Terminated():
            return replace(after, status="terminated", terminated_at=fact.at)


def _swapped(after: After, fact: NumberSwapped) -> After:
    """It gives up the number that it has by its own facts, whichever one billing names as the old one (N9).

    A swap that brings the number it has already changes nothing: the old one is not its own any more.
    """
    if fact.new_number == after.number:
        return after
    gone = () if after.number is None else (SwappedOut(after.number, fact.at),)
    return replace(after, number=fact.new_number, swapped_out=(*after.swapped_out, *gone))


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


# -- their order ------------------------------------------------------------------------------------------------------

Order = Callable[[AnyFact], tuple[Any, ...]]


def by_time(fact: AnyFact) -> tuple[Any, ...]:
    """The place of a fact where not all have a sequence; source and id only make it certain."""
    return (fact.at, fact.RANK, fact.source, fact.id)


def by_sequence(fact: AnyFact) -> tuple[Any, ...]:
    """The place of a fact where all have a sequence."""
    return (fact.sequence, fact.at, fact.RANK, fact.source, fact.id)


def order_open(one: AnyFact, other: AnyFact, order: Order) -> bool:
    """Whether their places do not say which of two swaps came first: then their numbers do."""
    swaps = isinstance(one, NumberSwapped) and isinstance(other, NumberSwapped)
    return swaps and order(one)[:-2] == order(other)[:-2]


def _next(after: After | None, ordered: list[AnyFact], order: Order) -> AnyFact:
    """Take the fact that comes next out of `ordered`.

    Of swaps whose order is open, the one that gives up the number held now; else one whose old number no other of
    them brings; else the least id.
    """
    end = 1
    while end < len(ordered) and order_open(ordered[0], ordered[end], order):
        end += 1
    if end == 1:
        return ordered.pop(0)
    swaps = [swap for swap in ordered[:end] if isinstance(swap, NumberSwapped)]
    held = after.number if after is not None else None
    brought = {swap.new_number for swap in swaps}
    places = range(len(swaps))
    return ordered.pop(min(places, key=lambda p: (swaps[p].old_number != held, swaps[p].old_number in brought, p)))


Verdict = tuple[AnyFact, Refused | None]


def fold(facts: Iterable[AnyFact]) -> tuple[After | None, list[Verdict]]:
    """What facts come to, whatever the order they are given in (X4, DOMAIN §10.12).

    Returns:
        The subscription after them (None without a start), and each fact in its order with its refusal, if any.
    """
    found = list(facts)
    order: Order = by_sequence if all(fact.sequence is not None for fact in found) else by_time
    after: After | None = None
    verdicts: list[Verdict] = []
    ordered = sorted(found, key=order)
    while ordered:
        fact = _next(after, ordered, order)
        outcome = apply(after, fact)
        if isinstance(outcome, Refused):
            verdicts.append((fact, outcome))
        else:
            after = outcome
            verdicts.append((fact, None))
    return after, verdicts
