"""A DID reservation subscription and the numbers whose reservations it pays for (N4).

That a number is covered is the number's own fact; the subscription remembers in which order they were extended. A
number that was restored, released or deleted frees its unit by being so: nobody has to tell the subscription.
"""

from __future__ import annotations

from datetime import datetime

from trunkline.clock import DAY, rfc3339
from trunkline.eventstore.decider import Event
from trunkline.eventstore.recorded_event import Causation
from trunkline.eventstore.unit_of_work import UnitOfWork
from trunkline_numbers.application.parties import load_parties, party_of
from trunkline_numbers.application.retry_dependents import load_settled
from trunkline_numbers.application.serve_subscription import give_anew
from trunkline_numbers.domain.number.errors import CoveredAlready, SubscriptionOfAnotherKind, SubscriptionsPartyUnknown
from trunkline_numbers.domain.number.number import NUMBER
from trunkline_numbers.domain.number.paid_reservation import (
    covers,
    extend,
    freed_at,
    keep,
    may_return,
    ran_out,
    reservation,
    uncover,
)
from trunkline_numbers.domain.number.state import Number, Reserved
from trunkline_numbers.domain.number.subscription_sync import as_before
from trunkline_numbers.domain.policy import Policy
from trunkline_numbers.domain.subscription.events import ReservationCovered, ReservationUncovered
from trunkline_numbers.domain.subscription.paid_reservations import Judged, Standing, Walks, judge
from trunkline_numbers.domain.subscription.subscription import SUBSCRIPTION, Subscription


def cover(uow: UnitOfWork, subscription_id: str, cause: Causation, policy: Policy, walks: Walks | None = None) -> None:
    """Something was heard of a DID reservation subscription: end and renew what it pays for (N4, X4).

    Args:
        uow: a batch has loaded the numbers it covers; the others are of no account.
        subscription_id: of any kind; only a DID reservation subscription covers numbers.
        cause: goes into the envelopes.
        policy: the periods in force.
        walks: the batch's, so that its facts about one subscription do not each walk through its whole past.
    """
    s = uow.state(SUBSCRIPTION, subscription_id)
    if s.terms is None or not s.covers:
        return
    load_settled(uow, ((NUMBER, number) for number in s.covers))
    judged = _judged(uow, s, walks)
    for number, at in judged.lost.items():
        _uncover(uow, subscription_id, number, at, cause, policy)
        if not s.covers[number].lost:
            gone = ReservationUncovered(at=at, number=number, cause="lost")
            uow.record(SUBSCRIPTION, subscription_id, [gone], cause)
    for number, until in judged.kept.items():
        n, had = uow.state(NUMBER, number), s.covers[number]
        events = keep(n, subscription_id, until.ends_at, until.at, policy, uow.now, again=had.lost)
        uow.record(NUMBER, number, events, cause)
        if had.lost:
            back = ReservationCovered(at=had.at, number=number, ends_at=had.ends_at)
            uow.record(SUBSCRIPTION, subscription_id, [back], cause)
    _let_go(uow, subscription_id, judged, cause)


def _uncover(
    uow: UnitOfWork, subscription_id: str, number: str, at: datetime, cause: Causation, policy: Policy
) -> None:
    """End the charged part; who got the number when that had run out, gets it when it really was over (X4)."""

    def over(n: Number) -> list[Event]:
        return uncover(n, subscription_id, at, policy, uow.now)

    n = uow.state(NUMBER, number)
    if not ran_out(n, subscription_id):
        uow.record(NUMBER, number, over(n), cause)
    elif over(as_before(n)):
        give_anew(uow, number, over, cause, policy)


def extend_by(
    uow: UnitOfWork, subscription_id: str, number: str, remark: str | None, cause: Causation, policy: Policy
) -> None:
    """Let a subscription pay for a reservation, one period of its plan from its present end on (N4, §10.6).

    Raises:
        Refused: why not; nothing is recorded.
    """
    s = uow.state(SUBSCRIPTION, subscription_id)
    terms = s.terms
    assert terms is not None, "the door has looked whether there is such a subscription"
    if terms.product != "did_reservation" or terms.plan_days is None:
        raise SubscriptionOfAnotherKind(
            number=number, subscription_id=subscription_id, product=terms.product, needed="did_reservation"
        )
    load_parties(uow, [terms.organization_id])
    party = party_of(uow, terms.organization_id)
    if party is None:
        raise SubscriptionsPartyUnknown(subscription_id=subscription_id)
    load_settled(uow, ((NUMBER, key) for key in (number, *s.covers)))
    n = uow.state(NUMBER, number)
    if covers(n, subscription_id) and isinstance(n.life, Reserved):
        raise CoveredAlready(number=number, subscription_id=subscription_id, ends_at=rfc3339(n.life.ends_at))
    taken = sum(covers(uow.state(NUMBER, key), subscription_id) for key in s.covers)
    ends_at = (n.life.ends_at if isinstance(n.life, Reserved) else uow.now) + terms.plan_days * DAY
    events = extend(
        uow.state(NUMBER, number),
        party,
        subscription_id,
        ends_at,
        remark,
        policy,
        uow.now,
        status=terms.status,
        spare=(terms.quantity or 0) - taken,
    )
    _let_go(uow, subscription_id, _judged(uow, s), cause)
    uow.record(NUMBER, number, events, cause)
    uow.record(SUBSCRIPTION, subscription_id, [ReservationCovered(at=uow.now, number=number, ends_at=ends_at)], cause)


def _judged(uow: UnitOfWork, s: Subscription, walks: Walks | None = None) -> Judged:
    standings: dict[str, Standing] = {}
    for number, had in s.covers.items():
        n = uow.state(NUMBER, number)
        kept = reservation(n, s.subscription_id, had.at, lost=had.lost)
        if kept is not None:
            standings[number] = Standing(free_ends_at=kept.free_ends_at)
        else:
            standings[number] = Standing(freed=freed_at(n, had.at), to_another=ran_out(n, s.subscription_id))
    return judge(s, standings, walks)


def _let_go(uow: UnitOfWork, subscription_id: str, judged: Judged, cause: Causation) -> None:
    """Remember no longer what is not covered any more."""
    gone = [
        ReservationUncovered(at=uow.now, number=number, cause="freed")
        for number in judged.freed
        if not may_return(uow.state(NUMBER, number), subscription_id)
    ]
    uow.record(SUBSCRIPTION, subscription_id, gone, cause)
