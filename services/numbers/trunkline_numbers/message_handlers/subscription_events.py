"""Licensing said something of a subscription: move its numbers to where its state says they belong.

One reaction for all seven topics. It never looks at the type, so events of one subscription that overtake each other
end where in-order delivery ends (X4).
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import UNSET

from trunkline.contracts.cloudevents.message import Message
from trunkline.contracts.licensing import SubscriptionFact
from trunkline.eventstore.decider import Event, key_of
from trunkline.eventstore.recorded_event import Causation, event_id
from trunkline.eventstore.unit_of_work import UnitOfWork
from trunkline_numbers.application.current_policy import THE_POLICY, in_force
from trunkline_numbers.application.paid_reservations import cover
from trunkline_numbers.application.parties import likely_parties, load_parties
from trunkline_numbers.application.retry_dependents import load_settled, serve_waiting
from trunkline_numbers.application.serve_subscription import serve
from trunkline_numbers.domain.number.number import NUMBER
from trunkline_numbers.domain.party_replica import PARTY
from trunkline_numbers.domain.policy import Policy
from trunkline_numbers.domain.subscription.events import CoversFrom, Gap, SubscriptionReceived, SwappedOut
from trunkline_numbers.domain.subscription.paid_reservations import Walks
from trunkline_numbers.domain.subscription.subscription import SUBSCRIPTION, fall_due, numbers_of, receive


def handle(uow: UnitOfWork, messages: Sequence[Message]) -> None:
    """Hear a batch, in its order, and settle everything that follows from it.

    Args:
        uow: where it is read, decided and recorded.
        messages: `Subscription…` events of licensing; those about licenses do not concern numbers.
    """
    messages = [m for m in messages if m.data.product != "license"]
    _load(uow, messages)
    fresh = [m for m in messages if (m.sequence or 0) > uow.state(SUBSCRIPTION, m.subject).sequence]
    if not fresh:
        return
    load_parties(uow, {m.data.organization_id for m in fresh})
    load_settled(uow, ((NUMBER, number) for m in fresh for number in _numbers(uow, m)))
    policy, walks = in_force(uow), Walks()
    for message in fresh:
        cause = Causation(message.source, message.correlation_id or message.id, message.id)
        events = receive(uow.state(SUBSCRIPTION, message.subject), _heard(message), uow.now)
        _take(uow, message.subject, events, cause, policy, walks)
    last = fresh[-1]
    serve_waiting(uow, Causation(last.source, last.correlation_id or last.id, last.id))


def ahead_due(uow: UnitOfWork, stream_ids: Sequence[str]) -> None:
    """Take the states that lay ahead of this service's clock, now that their instants have come (D10.14).

    Args:
        uow: the timer's.
        stream_ids: `subscription/…` streams, each once.
    """
    keys = [key_of(stream_id) for stream_id in stream_ids]
    uow.load([THE_POLICY, *((SUBSCRIPTION, key) for key in keys)], waiters=True)
    states = {key: s for key in keys if (s := uow.state(SUBSCRIPTION, key)).ahead is not None}
    ahead = {key: s.ahead.published for key, s in states.items() if s.ahead is not None}
    load_parties(uow, {published.organization_id for published in ahead.values()})
    named = {
        n
        for published in ahead.values()
        for n in (published.number, *(out.number for out in published.swapped_out))
        if n
    }
    named.update(number for s in states.values() for number in numbers_of(s))
    load_settled(uow, ((NUMBER, number) for number in sorted(named)), waiters=True)
    policy, walks = in_force(uow), Walks()
    for key, published in sorted(ahead.items(), key=lambda item: (item[1].at, item[0])):
        cause = Causation("timer", event_id(SUBSCRIPTION.stream(key), published.sequence), f"due/{key}")
        _take(uow, key, fall_due(uow.state(SUBSCRIPTION, key), uow.now), cause, policy, walks)
    serve_waiting(uow, Causation("timer", "due", "due"))
    uow.touch_streams(stream_ids)


def _take(uow: UnitOfWork, key: str, events: Sequence[Event], cause: Causation, policy: Policy, walks: Walks) -> None:
    if not events:
        return
    before = numbers_of(uow.state(SUBSCRIPTION, key))
    after = numbers_of(uow.record(SUBSCRIPTION, key, events, cause))
    for number in set(before) - set(after):
        uow.stop_waiting(NUMBER.stream(number), SUBSCRIPTION.stream(key))
    if isinstance(events[0], SubscriptionReceived):
        serve(uow, key, cause, policy)
        cover(uow, key, cause, policy, walks)


def _load(uow: UnitOfWork, messages: Sequence[Message]) -> None:
    """Read in one query all that such a batch nearly always needs; the rest follows where it turns out to be needed."""
    organizations = {m.data.organization_id for m in messages}
    uow.load(
        [
            THE_POLICY,
            *((SUBSCRIPTION, m.subject) for m in messages),
            *((NUMBER, number) for m in messages for number in _named(m)),
            *((PARTY, key) for key in likely_parties(organizations)),
        ],
        waiters=True,
    )


def _numbers(uow: UnitOfWork, message: Message) -> list[str]:
    """Every number that the message can move, so that one query reads them for the whole batch."""
    return _named(message) + numbers_of(uow.state(SUBSCRIPTION, message.subject))


def _named(message: Message) -> list[str]:
    fact: SubscriptionFact = message.data
    named = [out.number for out in fact.swapped_out]
    if fact.number is not None:
        named.append(fact.number)
    return named


def _heard(message: Message) -> SubscriptionReceived:
    fact: SubscriptionFact = message.data
    return SubscriptionReceived(
        at=message.time,
        sequence=message.sequence or 0,
        organization_id=fact.organization_id,
        product=fact.product,
        status=fact.status,
        started_at=fact.started_at or message.time,
        expired_at=fact.expired_at,
        terminated_at=fact.terminated_at,
        number=fact.number,
        swapped_out=tuple(SwappedOut(out.number, out.at) for out in fact.swapped_out),
        quantity=fact.quantity,
        plan_days=fact.plan_days,
        renewed_until=fact.renewed_until,
        covers=tuple(CoversFrom(c.at, c.units, c.renewed_until) for c in fact.covers) if fact.covers else (),
        gaps=None if fact.gaps is UNSET else tuple(Gap(g.expired_at, g.reactivated_at) for g in fact.gaps),
    )
