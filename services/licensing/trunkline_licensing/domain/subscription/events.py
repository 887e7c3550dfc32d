"""What can happen to a subscription. Names and fields are stored for ever: change one only by a new version (S4).

`revised`: the fact was on record before; its verdict, or what all facts together come to, is another now.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Literal

from trunkline.eventstore.decider import Event
from trunkline_licensing.domain.subscription.facts import (
    After,
    AnyFact,
    Expired,
    NumberSwapped,
    QuantityChanged,
    Reactivated,
    Renewed,
    Started,
    Terminated,
)

Awaits = Literal["subscription", "organization"]


class SubscriptionActivated(Event, frozen=True, kw_only=True):
    """The start counts."""

    TYPE: ClassVar[str] = "licensing.SubscriptionActivated"
    fact: Started
    after: After
    revised: bool = False


class SubscriptionRenewed(Event, frozen=True, kw_only=True):
    """A renewal counts."""

    TYPE: ClassVar[str] = "licensing.SubscriptionRenewed"
    fact: Renewed
    after: After
    revised: bool = False


class SubscriptionQuantityChanged(Event, frozen=True, kw_only=True):
    """A change of quantity counts."""

    TYPE: ClassVar[str] = "licensing.SubscriptionQuantityChanged"
    fact: QuantityChanged
    after: After
    revised: bool = False


class SubscriptionExpired(Event, frozen=True, kw_only=True):
    """An expiry counts."""

    TYPE: ClassVar[str] = "licensing.SubscriptionExpired"
    fact: Expired
    after: After
    revised: bool = False


class SubscriptionReactivated(Event, frozen=True, kw_only=True):
    """A reactivation counts."""

    TYPE: ClassVar[str] = "licensing.SubscriptionReactivated"
    fact: Reactivated
    after: After
    revised: bool = False


class SubscriptionTerminated(Event, frozen=True, kw_only=True):
    """A termination counts."""

    TYPE: ClassVar[str] = "licensing.SubscriptionTerminated"
    fact: Terminated
    after: After
    revised: bool = False


class SubscriptionNumberSwapped(Event, frozen=True, kw_only=True):
    """A swap of numbers counts."""

    TYPE: ClassVar[str] = "licensing.SubscriptionNumberSwapped"
    fact: NumberSwapped
    after: After
    revised: bool = False


class SubscriptionFactWaiting(Event, frozen=True, kw_only=True):
    """A fact was heard before the start of its subscription, or before its organization was registered (S7)."""

    TYPE: ClassVar[str] = "licensing.SubscriptionFactWaiting"
    fact: AnyFact
    awaits: Awaits


class SubscriptionFactScheduled(Event, frozen=True, kw_only=True):
    """A fact is dated ahead of the clock: it counts once its instant comes; `at` is when it was received (D10.14)."""

    TYPE: ClassVar[str] = "licensing.SubscriptionFactScheduled"
    fact: AnyFact


class SubscriptionFactRefused(Event, frozen=True, kw_only=True):
    """A fact does not count, and why: a stable code and a sentence (X6)."""

    TYPE: ClassVar[str] = "licensing.SubscriptionFactRefused"
    fact: AnyFact
    code: str
    reason: str
    revised: bool = False


Accepted = (
    SubscriptionActivated
    | SubscriptionRenewed
    | SubscriptionQuantityChanged
    | SubscriptionExpired
    | SubscriptionReactivated
    | SubscriptionTerminated
    | SubscriptionNumberSwapped
)
AnyEvent = Accepted | SubscriptionFactWaiting | SubscriptionFactScheduled | SubscriptionFactRefused

ACCEPTED: Mapping[type[AnyFact], type[Accepted]] = {
    Started: SubscriptionActivated,
    Renewed: SubscriptionRenewed,
    QuantityChanged: SubscriptionQuantityChanged,
    Expired: SubscriptionExpired,
    Reactivated: SubscriptionReactivated,
    Terminated: SubscriptionTerminated,
    NumberSwapped: SubscriptionNumberSwapped,
}
EVENTS: tuple[type[Event], ...] = (
    *ACCEPTED.values(),
    SubscriptionFactWaiting,
    SubscriptionFactScheduled,
    SubscriptionFactRefused,
)
