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


def cover(work: UnitOfWork, subscription_id: str, cause: Causation, policy: Policy, walks: Walks | None = None) -> None:
    """Something was heard of a DID reservation subscription: end and renew what it pays for (N4, X4).

    Args:
        work: a batch has loaded the numbers it covers; the others are of no account.
        subscription_id: of any kind; only a DID reservation subscription covers numbers.
        cause: goes into the envelopes.
        policy: the periods in force.
        walks: the batch's, so that its facts about one subscription do not each walk through its whole past.
    """
    s = work.state(SUBSCRIPTION, subscription_id)
    if s.heard is None or not s.covers:
        return
    load_settled(work, ((NUMBER, number) for number in s.covers))
    judged = _judged(work, s, walks)
    for number, at in judged.lost.items():
        _uncover(work, subscription_id, number, at, cause, policy)
        if not s.covers[number].lost:
            gone = ReservationUncovered(at=at, number=number, cause="lost")
            work.record(SUBSCRIPTION, subscription_id, [gone], cause)
    for number, until in judged.kept.items():
        n, had = work.state(NUMBER, number), s.covers[number]
        events = keep(n, subscription_id, until.ends_at, until.at, policy, work.now, again=had.lost)
        work.record(NUMBER, number, events, cause)
        if had.lost:
            back = ReservationCovered(at=had.at, number=number, ends_at=had.ends_at)
            work.record(SUBSCRIPTION, subscription_id, [back], cause)
    _let_go(work, subscription_id, judged, cause)


def _uncover(
    work: UnitOfWork, subscription_id: str, number: str, at: datetime, cause: Causation, policy: Policy
) -> None:
    """End the charged part; who got the number when that had run out, gets it when it really was over (X4)."""

    def over(n: Number) -> list[Event]:
        return uncover(n, subscription_id, at, policy, work.now)

    n = work.state(NUMBER, number)
    if not ran_out(n, subscription_id):
        work.record(NUMBER, number, over(n), cause)
    elif over(as_before(n)):
        give_anew(work, number, over, cause, policy)


def extend_by(
    work: UnitOfWork, subscription_id: str, number: str, remark: str | None, cause: Causation, policy: Policy
) -> None:
    """Let a subscription pay for a reservation, one period of its plan from its present end on (N4, §10.6).

    Raises:
        Refused: why not; nothing is recorded.
    """
    s = work.state(SUBSCRIPTION, subscription_id)
    heard = s.heard
    assert heard is not None, "the door has looked whether there is such a subscription"
    if heard.product != "did_reservation" or heard.plan_days is None:
        raise SubscriptionOfAnotherKind(
            number=number, subscription_id=subscription_id, product=heard.product, needed="did_reservation"
        )
    load_parties(work, [heard.organization_id])
    party = party_of(work, heard.organization_id)
    if party is None:
        raise SubscriptionsPartyUnknown(subscription_id=subscription_id)
    load_settled(work, ((NUMBER, key) for key in (number, *s.covers)))
    n = work.state(NUMBER, number)
    if covers(n, subscription_id) and isinstance(n.life, Reserved):
        raise CoveredAlready(number=number, subscription_id=subscription_id, ends_at=rfc3339(n.life.ends_at))
    taken = sum(covers(work.state(NUMBER, key), subscription_id) for key in s.covers)
    ends_at = (n.life.ends_at if isinstance(n.life, Reserved) else work.now) + heard.plan_days * DAY
    events = extend(
        work.state(NUMBER, number),
        party,
        subscription_id,
        ends_at,
        remark,
        policy,
        work.now,
        status=heard.status,
        spare=(heard.quantity or 0) - taken,
    )
    _let_go(work, subscription_id, _judged(work, s), cause)
    work.record(NUMBER, number, events, cause)
    work.record(SUBSCRIPTION, subscription_id, [ReservationCovered(at=work.now, number=number, ends_at=ends_at)], cause)


def _judged(work: UnitOfWork, s: Subscription, walks: Walks | None = None) -> Judged:
    standings: dict[str, Standing] = {}
    for number, had in s.covers.items():
        n = work.state(NUMBER, number)
        kept = reservation(n, s.subscription_id, had.at, lost=had.lost)
        if kept is not None:
            standings[number] = Standing(free_ends_at=kept.free_ends_at)
        else:
            standings[number] = Standing(freed=freed_at(n, had.at), to_another=ran_out(n, s.subscription_id))
    return judge(s, standings, walks)


def _let_go(work: UnitOfWork, subscription_id: str, judged: Judged, cause: Causation) -> None:
    """Remember no longer what is not covered any more."""
    gone = [
        ReservationUncovered(at=work.now, number=number, cause="freed")
        for number in judged.freed
        if not may_return(work.state(NUMBER, number), subscription_id)
    ]
    work.record(SUBSCRIPTION, subscription_id, gone, cause)
