"""Why a number may refuse: each docstring is the sentence the asker reads, each class name the code."""

from __future__ import annotations

from typing import ClassVar

from trunkline.errors import Refused


class NumberUnknown(Refused):
    """{number} is not in the inventory."""

    status: ClassVar[int] = 404


class NumberPresent(Refused):
    """{number} is in the inventory already."""


class NumberTaken(Refused):
    """{number} is assigned to another subscription."""


class NumberHeldForAnother(Refused):
    """{number} is reserved for another party."""


class NumberIsLocked(Refused):
    """{number} is locked."""


class NumberIsDeleted(Refused):
    """{number} has been deleted."""


class NumberNotVisible(Refused):
    """{number} is not offered to this organization: it is allocated elsewhere or shown to other portal domains."""


class NumberInQuarantine(Refused):
    """{number} is in quarantine: until {until} only the organization it was last assigned to can have it."""


class GoldenNeedsReservation(Refused):
    """{number} is a golden number: it must be reserved before it can be assigned."""


class NumberNotAvailable(Refused):
    """{number} is {state} since {since}, and only {needed} number can be {wanted}."""


class NumberNotReserved(Refused):
    """{number} is {state} since {since}, and only a reserved number can be {wanted}."""


class NumberNotLocked(Refused):
    """{number} is {state} since {since}, and only a locked number can be unlocked."""


class NumberNotDeleted(Refused):
    """{number} is {state} since {since}, and only a deleted number can be recovered."""


class NumberHasBinding(Refused):
    """{number} serves a user ({kinds}) and cannot be {wanted} before it is unbound."""


class NumberNotYoursToDelete(Refused):
    """{number} was brought in by another party, and is not yours to delete."""


class RemarkMissing(Refused):
    """A remark is needed: say in a few words why {number} is {wanted}."""

    status: ClassVar[int] = 422


class RemarkUnreadable(Refused):
    """The remark on {number} has {problem}; a remark is at most 1,000 printable characters."""

    status: ClassVar[int] = 422


class SubscriptionNotActive(Refused):
    """Subscription {subscription_id} is {status}, so it cannot take {number}."""


class SubscriptionHasNumber(Refused):
    """Subscription {subscription_id} has a number, {has}: swap it for {number}."""


class SubscriptionOfAnotherKind(Refused):
    """Subscription {subscription_id} is one for {product}; for {number} it takes one for {needed}."""


class SubscriptionsPartyUnknown(Refused):
    """The organization of subscription {subscription_id}, or its partner, is not known here yet; try again."""


class NumberNotOfSubscription(Refused):
    """{number} does not serve subscription {subscription_id}."""


class SwapForItself(Refused):
    """{number} cannot be swapped for itself."""

    status: ClassVar[int] = 422


class NothingToDismiss(Refused):
    """Subscription {subscription_id} waits for no number."""


class ReservationOfAnother(Refused):
    """{number} is reserved for another party than the one whose subscription would extend it."""


class CoveredAlready(Refused):
    """Subscription {subscription_id} pays for {number} until {ends_at} already; its renewals move that."""


class NothingSpare(Refused):
    """Subscription {subscription_id} covers as many numbers as it was bought for, so it cannot extend {number}."""


class BindingNotAllowed(Refused):
    """{number} cannot be bound as {kind}: {why}."""


class NumberNotBound(Refused):
    """{number} has no {kind} binding."""


class NumberUnavailable(Refused):
    """{number} is not available to this organization."""


class NumberNotInInventory(Refused):
    """{number} is {state} since {since}, and only a number in the inventory can be {wanted}."""


class NumberUsedOutside(Refused):
    """{number} is {state} since {since} for a party outside the branch that it would be allocated to."""


class NumberHeldElsewhere(Refused):
    """{number} is held by another party and must be taken back before it can be allocated anew."""


class NumberNotYoursToAllocate(Refused):
    """{number} is not held by the partner that would allocate it."""


class NumberNotYoursToTakeBack(Refused):
    """{number} was not handed on by whoever would take it back."""


class TrunkFormNotKept(Refused):
    """{number} has no trunk binding with a legacy form, and a new one takes the exact number."""
