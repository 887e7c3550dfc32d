"""What billing says of its subscriptions (S1-S4, S7): from a batch of messages to the subscriptions' streams."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from trunkline.contracts import billing
from trunkline.contracts.cloudevents.envelope import Message
from trunkline.eventstore.decider import Decider, key_of
from trunkline.eventstore.recorded_event import Causation
from trunkline.eventstore.unit_of_work import UnitOfWork
from trunkline.files.possible_numbers import is_possible
from trunkline_licensing.application.deduplication import heard_once
from trunkline_licensing.application.pools.supply import SupplyChange, concerns_pools, feed
from trunkline_licensing.domain.party.directory import PARTY
from trunkline_licensing.domain.subscription.events import AnyEvent
from trunkline_licensing.domain.subscription.facts import (
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
from trunkline_licensing.domain.subscription.subscription import (
    SUBSCRIPTION,
    Received,
    Subscription,
    awaited,
    dismiss,
    due,
    due_organizations,
    fall_due,
    needs_fold,
    organization_registered,
    receive,
    receive_together,
)

PRODUCER = "billing"


def handle(uow: UnitOfWork, messages: Sequence[Message]) -> None:
    """Hear a batch, each message once; one query reads what was heard before and all streams.

    Facts that can be judged only together with all others of their subscription are taken together, so that a batch
    costs one fold for each subscription, whatever the order of its facts.
    """
    streams: list[tuple[Decider[Any], str]] = [(SUBSCRIPTION, message.subject) for message in messages]
    streams += [(PARTY, key) for key in {message.data.organization_id for message in messages}]
    fresh = heard_once(uow, PRODUCER, messages, streams)
    settle(uow, {message.subject for message in fresh})
    supplies: list[SupplyChange] = []
    taken: set[str] = set()
    for index, message in enumerate(fresh):
        if message.subject in taken:
            continue
        received = _received(uow, message)
        subscription = uow.state(SUBSCRIPTION, message.subject)
        if needs_fold(subscription, received, uow.now):
            taken.add(message.subject)
            rest = [m for m in fresh[index:] if m.subject == message.subject]
            events = receive_together(subscription, [_received(uow, m) for m in rest], uow.now)
            causes = {(m.source, m.id): cause_of(m) for m in rest}
            supplies += _record(uow, subscription, events, cause_of(message), causes)
        else:
            events = receive(subscription, received, uow.now)
            supplies += _record(uow, subscription, events, cause_of(message))
    feed(uow, supplies)


def organization_known(uow: UnitOfWork, subscription_id: str, organization_id: str, cause: Causation) -> None:
    """Go on with a subscription whose facts may have waited for an organization that is registered now (S7)."""
    settle(uow, [subscription_id])
    subscription = uow.state(SUBSCRIPTION, subscription_id)
    feed(uow, _record(uow, subscription, organization_registered(subscription, organization_id), cause))


def dismiss_waiting(
    uow: UnitOfWork, subscription_id: str, chosen: tuple[str, str] | None, remark: str, cause: Causation
) -> int:
    """Refuse what waits in a subscription, because a person says so; how many facts that were (S7, O7).

    Args:
        uow: where it is recorded.
        subscription_id: whose facts.
        chosen: (source, id) of one of them; None: all.
        remark: why.
        cause: who does it.
    """
    subscription = uow.state(SUBSCRIPTION, subscription_id)
    events = dismiss(subscription, chosen, remark)
    feed(uow, _record(uow, subscription, events, cause))
    return len(events)


def scheduled_due(uow: UnitOfWork, stream_ids: Sequence[str]) -> None:
    """Judge the scheduled facts of subscriptions whose deadline has come (D10.14).

    Args:
        uow: the timer's.
        stream_ids: `subscription/…` streams, each once.
    """
    uow.load((SUBSCRIPTION, key_of(stream_id)) for stream_id in stream_ids)
    settle(uow, [key_of(stream_id) for stream_id in stream_ids])
    uow.touch_streams(stream_ids)


def settle(uow: UnitOfWork, subscription_ids: Iterable[str]) -> None:
    """Judge the scheduled facts whose instant has come, before anything else is decided: a late timer changes nothing.

    Args:
        uow: has loaded the subscriptions.
        subscription_ids: each once.
    """
    late = [key for key in subscription_ids if uow.state(SUBSCRIPTION, key).scheduled]
    late = [key for key in late if due_organizations(uow.state(SUBSCRIPTION, key), uow.now)]
    if not late:
        return
    organizations = {key: due_organizations(uow.state(SUBSCRIPTION, key), uow.now) for key in late}
    uow.load((PARTY, party) for parties in organizations.values() for party in parties)
    supplies: list[SupplyChange] = []
    for key in sorted(late, key=lambda key: (due(uow.state(SUBSCRIPTION, key)) or uow.now, key)):
        subscription = uow.state(SUBSCRIPTION, key)
        known = {party for party in organizations[key] if uow.state(PARTY, party).kind == "organization"}
        events = fall_due(subscription, known, uow.now)
        causes = {name: Causation("timer", name[1], name[1]) for name in subscription.scheduled}
        supplies += _record(uow, subscription, events, Causation("timer", subscription.id, f"due/{key}"), causes)
    feed(uow, supplies)


def cause_of(message: Message) -> Causation:
    """The cause of what follows from a message."""
    return Causation(message.source, message.correlation_id or message.id, message.id)


def _received(uow: UnitOfWork, message: Message) -> Received:
    fact = fact_of(message)
    known = uow.state(PARTY, fact.organization_id).kind == "organization"
    return Received(fact, known, is_possible(number_named(fact)))


def _record(
    uow: UnitOfWork,
    before: Subscription,
    events: Sequence[AnyEvent],
    cause: Causation,
    causes: Mapping[tuple[str, str], Causation] = MappingProxyType({}),
) -> list[SupplyChange]:
    """Record, with waits; what it means for pools: for a subscription for a number nothing, so nothing is read.

    `causes`: of the facts that have one of their own.
    """
    if not events:
        return []
    if causes:
        for event in events:
            uow.record(SUBSCRIPTION, before.id, [event], causes.get(event.fact.name, cause))
        after = uow.state(SUBSCRIPTION, before.id)
    else:
        after = uow.record(SUBSCRIPTION, before.id, events, cause)
    if before.waiting or after.waiting:
        _wait(uow, before, after)
    if not concerns_pools(before.after, after.after):
        return []
    return [SupplyChange(before.id, before.after, after.after, events[-1].at, cause)]


def _wait(uow: UnitOfWork, before: Subscription, after: Subscription) -> None:
    stream = SUBSCRIPTION.stream(before.id)
    was, now = awaited(before), awaited(after)
    for kind, key in was - now:
        uow.stop_waiting((PARTY if kind == "organization" else SUBSCRIPTION).stream(key), stream)
    for kind, key in now - was:
        if kind == "organization":
            uow.wait(PARTY.stream(key), stream, uow.now, f"organization {key} is not registered")
        else:
            uow.wait(stream, stream, uow.now, "its start has not been heard")


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
