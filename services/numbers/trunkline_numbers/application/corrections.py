"""What a late fact corrects of a subscription's numbers, and of those that others have got since (X4, S6, D10.17)."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from trunkline.eventstore.decider import key_of
from trunkline.eventstore.unit_of_work import UnitOfWork
from trunkline_numbers.application.parties import load_parties, party_of
from trunkline_numbers.application.standings import is_assignable
from trunkline_numbers.domain.number.events import AssignmentUndone, NumberReserved, NumberUnbound, ReservationEnding
from trunkline_numbers.domain.number.evolution import evolve
from trunkline_numbers.domain.number.number import NUMBER
from trunkline_numbers.domain.number.state import Assigned, Available, Party, owned
from trunkline_numbers.domain.number.subscription_sync import (
    Hold,
    Keep,
    Target,
    assigned,
    assignment_undone,
    before_another,
    follow,
)
from trunkline_numbers.domain.subscription.events import ServiceUndone
from trunkline_numbers.domain.subscription.subscription import SUBSCRIPTION, named_since
from trunkline_numbers.domain.subscription.tenures import Tenure, target

if TYPE_CHECKING:
    from trunkline_numbers.application.serve_subscription import Serving

_MOST_UNDONE = 3
"""How often a number's assignments are undone in one piece of work."""


def yielded(serving: Serving, had: list[Tenure]) -> bool:
    """Whether a number went to who waits for it with an older start (S6).

    The subscription was given it after it had given it up by all facts: it claims it for an earlier time only now.
    """
    for tenure in had:
        n = serving.uow.state(NUMBER, tenure.number)
        if n.episode is None or not owned(n.life, serving.subscription_id):
            continue
        since = n.episode.since
        turns = [turn for turn in had if turn.number == tenure.number]
        if any(turn.recorded or turn.until is None or since < turn.until or since == turn.since for turn in turns):
            continue
        if _undone(serving.uow, tenure.number) > _MOST_UNDONE or not _who_waits(serving, tenure.number, tenure.since):
            continue
        undone = assignment_undone(n, serving.party.id, serving.uow.now)
        serving.uow.record(NUMBER, tenure.number, [undone], serving.cause)
        serving.note([ServiceUndone(at=serving.uow.now, number=tenure.number)])
        for key in _who_waits(serving, tenure.number, tenure.since):
            serving.serve_other(key)
        return True
    return False


def corrected(serving: Serving, number: str, wanted: Target) -> bool:
    """Whether another subscription got the number since when this one had left it, and that was at another instant.

    Then it is as this one left it, and the other one gets it anew. It keeps what it was given (X4, S6).
    """
    n, terms = serving.uow.state(NUMBER, number), serving.state.terms
    left = before_another(n, serving.subscription_id)
    if left is None or isinstance(wanted, Hold) or n.episode is None or terms is None:
        return False
    got_at = n.episode.since
    if isinstance(wanted, Keep):
        wanted = Keep(tuple(fact for fact in wanted.facts if fact[1] <= got_at))

    about = (serving.party, serving.subscription_id, wanted, min(terms.at, got_at), serving.policy)
    events = follow(left, *about, got_at)
    if not any(isinstance(event, NumberReserved | AssignmentUndone) for event in events):
        return False
    for event in events:
        left = evolve(left, event)
    if _undone(serving.uow, number) > _MOST_UNDONE:
        return False
    other = _party_of(serving.uow, n.episode.subscription_id)
    if other is None or not is_assignable(left, other, serving.policy, got_at):
        return False
    serving.give_anew(number, lambda m: follow(m, *about, serving.uow.now))
    return True


def lose(serving: Serving, number: str, lost: Tenure, back: Tenure) -> None:
    """The number was lost and came back: what is so in between is recorded, and who waited may get it (S6).

    Raises:
        Refused: somebody got it.
    """
    assert lost.until is not None
    assert lost.cause is not None
    n, id_ = serving.uow.state(NUMBER, number), serving.subscription_id
    keep = Keep(((lost.cause, lost.until),))
    events = follow(n, serving.party, id_, keep, lost.until, serving.policy, min(back.since, serving.uow.now))
    users = {(b.kind, b.user_id, b.extension_id) for b in n.bindings if b.at is not None and b.at >= back.since}
    kept = [
        event
        for event in events
        if not isinstance(event, ReservationEnding)
        and not (isinstance(event, NumberUnbound) and (event.kind, event.user_id, event.extension_id) in users)
    ]
    n = serving.uow.record(NUMBER, number, kept, serving.cause)
    if isinstance(n.life, Available):
        for key in _who_waits(serving, number, back.since):
            serving.serve_other(key)
    serving.move(number, Hold(back.since))


def redate(serving: Serving, number: str, turns: list[Tenure]) -> None:
    """The number was believed to have come back at another instant than the facts give, now that all are known."""
    n, terms = serving.uow.state(NUMBER, number), serving.state.terms
    if not isinstance(n.life, Assigned) or not owned(n.life, serving.subscription_id):
        return
    unexplained = terms is not None and terms.gaps is None and n.episode is not None and n.episode.survived
    if not unexplained and isinstance(target(serving.state, number, turns), Hold):
        since = max(turns[-1].again or turns[-1].since, turns[-1].since)
        event = assigned(n, serving.party, serving.subscription_id, since, restored=True)
        if event.at != n.life.since:
            serving.uow.record(NUMBER, number, [event], serving.cause)


def _party_of(uow: UnitOfWork, subscription_id: str) -> Party | None:
    uow.load([(SUBSCRIPTION, subscription_id)])
    terms = uow.state(SUBSCRIPTION, subscription_id).terms
    if terms is None:
        return None
    load_parties(uow, [terms.organization_id])
    return party_of(uow, terms.organization_id)


def _who_waits(serving: Serving, number: str, before: datetime) -> list[str]:
    """Who waits for a number that it has named since before an instant, oldest start first; not the one it is of."""
    uow = serving.uow
    awaited = NUMBER.stream(number)
    waiting = {key_of(waiter) for waiter in uow.waiters([awaited]).get(awaited, ())} - {serving.subscription_id}
    uow.load((SUBSCRIPTION, key) for key in waiting)
    known = {key: terms for key in waiting if (terms := uow.state(SUBSCRIPTION, key).terms) is not None}
    load_parties(uow, (terms.organization_id for terms in known.values()))
    named = [key for key in known if named_since(uow.state(SUBSCRIPTION, key), number) < before]
    return sorted(named, key=lambda key: (known[key].started_at, key))


def _undone(uow: UnitOfWork, number: str) -> int:
    """How many assignments of a number have been undone in this piece of work."""
    stream_id = NUMBER.stream(number)
    return sum(other == stream_id and isinstance(event, AssignmentUndone) for other, event in uow.recorded)
