"""A person gives a subscription a number, or swaps it for another (N9, S6, §10.8).

Recorded is what the person decided (`SubscriptionNumberSet`); where the numbers go follows from the subscription's
state as it always does, so that the next word of licensing finds it so and takes nothing back.
"""

from __future__ import annotations

from trunkline.eventstore.recorded_event import Causation
from trunkline.eventstore.unit_of_work import UnitOfWork
from trunkline_numbers.application.parties import load_parties, party_of
from trunkline_numbers.application.retry_dependents import load_to_act
from trunkline_numbers.application.serve_subscription import serve
from trunkline_numbers.domain.number.errors import (
    NothingToDismiss,
    NumberNotOfSubscription,
    SubscriptionHasNumber,
    SubscriptionOfAnotherKind,
    SubscriptionsPartyUnknown,
    SwapForItself,
)
from trunkline_numbers.domain.number.number import NUMBER
from trunkline_numbers.domain.number.operator_commands import assign
from trunkline_numbers.domain.number.remarks import may_remark
from trunkline_numbers.domain.number.state import Assigned, Party
from trunkline_numbers.domain.policy import Policy
from trunkline_numbers.domain.subscription.events import SubscriptionNumberSet, SubscriptionReceived
from trunkline_numbers.domain.subscription.subscription import SUBSCRIPTION, Subscription, dismiss, numbers_of


def give(
    uow: UnitOfWork, subscription_id: str, number: str, remark: str | None, cause: Causation, policy: Policy
) -> None:
    """Assign a number to an active subscription that has none; the one that it has already, says nothing.

    A refusal that the subscription waits on has ended with that (S6).

    Raises:
        Refused: why not; nothing is recorded.
    """
    s, party = _taker(uow, subscription_id, number)
    has = _has(uow, s)
    if number in has:
        return
    if has:
        raise SubscriptionHasNumber(number=number, subscription_id=subscription_id, has=has[0])
    _set(uow, s, party, number, remark, cause, policy)


def swap(
    uow: UnitOfWork, subscription_id: str, old: str, new: str, remark: str | None, cause: Causation, policy: Policy
) -> None:
    """Put a number in the place of the one that serves an active subscription: both or neither (N9).

    Raises:
        Refused: why not; both stay as they are.
    """
    if old == new:
        raise SwapForItself(number=new, pointer="#/new_number", value=new)
    s, party = _taker(uow, subscription_id, new)
    if old not in _has(uow, s):
        raise NumberNotOfSubscription(number=old, subscription_id=subscription_id, pointer="#/old_number", value=old)
    _set(uow, s, party, new, remark, cause, policy)


def dismiss_refusal(uow: UnitOfWork, subscription_id: str, remark: str | None, cause: Causation) -> None:
    """Let a subscription wait no more for the number it was refused (S6); named anew, it wants it again.

    Raises:
        NothingToDismiss: it waits for none.
    """
    loaded = uow.get(SUBSCRIPTION, subscription_id)
    refused = loaded.state.refused
    if refused is None:
        raise NothingToDismiss(subscription_id=subscription_id)
    events = dismiss(loaded.state, may_remark(refused.number, remark), uow.now)
    uow.record(SUBSCRIPTION, subscription_id, events, cause)
    uow.stop_waiting(NUMBER.stream(refused.number), loaded.stream_id)


def _set(
    uow: UnitOfWork, s: Subscription, party: Party, number: str, remark: str | None, cause: Causation, policy: Policy
) -> None:
    """Only asked, to be refused where it cannot be: what follows from the state puts it on record."""
    status = _heard(s).status
    assign(uow.state(NUMBER, number), party, s.subscription_id, status, remark, policy, uow.now)
    remark = may_remark(number, remark)
    given = SubscriptionNumberSet(at=uow.now, number=number, remark=remark)
    uow.record(SUBSCRIPTION, s.subscription_id, [given], cause)
    serve(uow, s.subscription_id, cause, policy, remark=remark)


def _taker(uow: UnitOfWork, subscription_id: str, number: str) -> tuple[Subscription, Party]:
    """The subscription with all its numbers in hand, and its organization."""
    s = uow.state(SUBSCRIPTION, subscription_id)
    terms = _heard(s)
    if terms.product != "number":
        raise SubscriptionOfAnotherKind(
            number=number, subscription_id=subscription_id, product=terms.product, needed="number"
        )
    load_parties(uow, [terms.organization_id])
    party = party_of(uow, terms.organization_id)
    if party is None:
        raise SubscriptionsPartyUnknown(subscription_id=subscription_id)
    load_to_act(uow, ((NUMBER, key) for key in (number, *numbers_of(s))))
    return uow.state(SUBSCRIPTION, subscription_id), party


def _has(uow: UnitOfWork, s: Subscription) -> list[str]:
    """The number that serves the subscription now; or none."""
    lives = ((number, uow.state(NUMBER, number).life) for number in numbers_of(s))
    return [n for n, life in lives if isinstance(life, Assigned) and life.subscription_id == s.subscription_id]


def _heard(s: Subscription) -> SubscriptionReceived:
    assert s.terms is not None, "the door has looked whether there is such a subscription"
    return s.terms
