"""What billing says of its subscriptions (S1-S4, S7): from a batch of messages to the subscriptions' streams."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

import phonenumbers

from trunkline.contracts import billing
from trunkline.contracts.envelope import Message
from trunkline.recorded import Cause
from trunkline.stream import Decider
from trunkline.work import Work
from trunkline_licensing.organization import PARTY
from trunkline_licensing.reactions.heard_once import heard_once
from trunkline_licensing.reactions.pool_supplied import SupplyChange, concerns_pools, feed
from trunkline_licensing.subscription import (
    SUBSCRIPTION,
    Subscription,
    awaited,
    dismiss,
    hear,
    organization_registered,
)
from trunkline_licensing.subscription_events import AnyEvent
from trunkline_licensing.subscription_facts import (
    AnyFact,
    Expired,
    NumberSwapped,
    QuantityChanged,
    Reactivated,
    Renewed,
    Started,
    Terminated,
    number_named,
)

PRODUCER = "billing"


def react(work: Work, messages: Sequence[Message]) -> None:
    """Hear a batch, each message once; one query reads what was heard before and all streams."""
    streams: list[tuple[Decider[Any], str]] = [(SUBSCRIPTION, message.subject) for message in messages]
    streams += [(PARTY, key) for key in {message.data.organization_id for message in messages}]
    supplies: list[SupplyChange] = []
    for message in heard_once(work, PRODUCER, messages, streams):
        fact = fact_of(message)
        subscription = work.state(SUBSCRIPTION, message.subject)
        events = hear(
            subscription,
            fact,
            organization_known=work.state(PARTY, fact.organization_id).kind == "organization",
            number_possible=_possible(number_named(fact)),
        )
        supplies += _record(work, subscription, events, cause_of(message))
    feed(work, supplies)


def organization_known(work: Work, subscription_id: str, organization_id: str, cause: Cause) -> None:
    """Go on with a subscription whose facts may have waited for an organization that is registered now (S7)."""
    subscription = work.state(SUBSCRIPTION, subscription_id)
    feed(work, _record(work, subscription, organization_registered(subscription, organization_id), cause))


def dismiss_waiting(work: Work, subscription_id: str, chosen: tuple[str, str] | None, remark: str, cause: Cause) -> int:
    """Refuse what waits in a subscription, because a person says so; how many facts that were (S7, O7).

    Args:
        work: where it is recorded.
        subscription_id: whose facts.
        chosen: (source, id) of one of them; None: all.
        remark: why.
        cause: who does it.
    """
    subscription = work.state(SUBSCRIPTION, subscription_id)
    events = dismiss(subscription, chosen, remark)
    feed(work, _record(work, subscription, events, cause))
    return len(events)


def cause_of(message: Message) -> Cause:
    """The cause of what follows from a message."""
    return Cause(message.source, message.correlation_id or message.id, message.id)


def _record(work: Work, before: Subscription, events: Sequence[AnyEvent], cause: Cause) -> list[SupplyChange]:
    """Record, with waits; what it means for pools: for a subscription for a number nothing, so nothing is read."""
    if not events:
        return []
    after = work.record(SUBSCRIPTION, before.id, events, cause)
    if before.waiting or after.waiting:
        _wait(work, before, after)
    if not concerns_pools(before.after, after.after):
        return []
    return [SupplyChange(before.id, before.after, after.after, events[-1].at, cause)]


def _wait(work: Work, before: Subscription, after: Subscription) -> None:
    stream = SUBSCRIPTION.stream(before.id)
    was, now = awaited(before), awaited(after)
    for kind, key in was - now:
        work.stop_waiting((PARTY if kind == "organization" else SUBSCRIPTION).stream(key), stream)
    for kind, key in now - was:
        if kind == "organization":
            work.wait(PARTY.stream(key), stream, work.now, f"organization {key} is not registered")
        else:
            work.wait(stream, stream, work.now, "its start has not been heard")


@lru_cache(maxsize=65_536)
def _possible(number: str | None) -> bool:
    """Whether a number in E.164 form can exist (DOMAIN §9); 20 µs unless asked before, so remembered."""
    if number is None:
        return True
    try:
        return phonenumbers.is_possible_number(phonenumbers.parse(number))
    except phonenumbers.NumberParseException:
        return False


# -- from the contract's words to the aggregate's ---------------------------------------------------------------------


def fact_of(message: Message) -> AnyFact:
    """A message of billing as a fact of its subscription."""
    return _FACTS[type(message.data)](message, message.data)


def _fact(kind: Callable[..., AnyFact], *names: str) -> Callable[[Message, Any], AnyFact]:
    """How to make one kind of fact: from the message, the organization, and the fields named."""

    def make(m: Message, data: Any) -> AnyFact:
        return kind(
            source=m.source,
            id=m.id,
            at=m.time,
            sequence=m.sequence,
            organization_id=data.organization_id,
            **{name: getattr(data, name) for name in names},
        )

    return make


_FACTS: dict[type[billing.Fact], Callable[[Message, Any], AnyFact]] = {
    billing.NumberStarted: _fact(Started, "product", "reference", "number", "sku"),
    billing.LicenseStarted: _fact(Started, "product", "reference", "license_code", "quantity"),
    billing.DidReservationStarted: _fact(Started, "product", "reference", "quantity", "plan_days"),
    billing.Renewed: _fact(Renewed, "renewed_until"),
    billing.QuantityChanged: _fact(QuantityChanged, "quantity"),
    billing.Expired: _fact(Expired),
    billing.Reactivated: _fact(Reactivated),
    billing.Terminated: _fact(Terminated),
    billing.NumberSwapped: _fact(NumberSwapped, "old_number", "new_number"),
}
