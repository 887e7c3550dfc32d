"""What fell due is settled, and whoever waits for what changed is decided again, oldest start first (N10, S6, S7)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any, Final

from trunkline.eventstore.decider import Decider, Event, key_of
from trunkline.eventstore.recorded_event import Causation
from trunkline.eventstore.unit_of_work import UnitOfWork
from trunkline_numbers.application.current_policy import THE_POLICY, in_force
from trunkline_numbers.application.parties import load_parties, party_of
from trunkline_numbers.application.serve_subscription import serve
from trunkline_numbers.domain.number.events import AssignmentUndone
from trunkline_numbers.domain.number.number import NUMBER, settle
from trunkline_numbers.domain.number.paid_reservation import cover_of
from trunkline_numbers.domain.number.state import Assigned, Available
from trunkline_numbers.domain.subscription.subscription import SUBSCRIPTION, named_since, numbers_of

_AWAITED = ("number/", "party/")
_MOST_TURNS: Final = 100
"""How often one subscription is served in one piece of work: a few times are enough, and none may go on for ever."""
_TIMER: Final = Causation("timer", "due", "due")


def load_settled(uow: UnitOfWork, wanted: Iterable[tuple[Decider[Any], str]], *, waiters: bool = False) -> None:
    """Read streams, and settle what fell due of the numbers among them before anything else is decided (S6, N10).

    Every command, message and read takes its numbers in hand through this function, so that all of them find what a
    timer would have left: the number settled, and those served who waited for it. It costs nothing unless one of the
    numbers has fallen due.

    Args:
        uow: as `UnitOfWork.load` has it.
        wanted: as `UnitOfWork.load` has it.
        waiters: as `UnitOfWork.load` has it.
    """
    uow.load(wanted, waiters=waiters)
    if uow.has_overdue:
        serve_waiting(uow, _TIMER)


def load_to_act(uow: UnitOfWork, wanted: Iterable[tuple[Decider[Any], str]]) -> None:
    """Read streams as `load_settled` does, before a person or an extension acts on the numbers among them.

    A number may serve a subscription that waits for another one, and gives it up when that falls due: so that one is
    settled first, too (N9, S6). One more query where a number is assigned.

    Args:
        uow: as `UnitOfWork.load` has it.
        wanted: as `UnitOfWork.load` has it.
    """
    streams = list(wanted)
    load_settled(uow, streams)
    lives = [uow.state(NUMBER, key).life for decider, key in streams if decider is NUMBER]
    holders = sorted({life.subscription_id for life in lives if isinstance(life, Assigned)})
    uow.load((SUBSCRIPTION, key) for key in holders)
    refused = [uow.state(SUBSCRIPTION, key).refused for key in holders]
    load_settled(uow, ((NUMBER, each.number) for each in refused if each is not None))


def serve_waiting(uow: UnitOfWork, cause: Causation) -> None:
    """Serve those who wait for anything this work has changed, until nothing changes any more.

    Called at the end of every piece of work that records something of a number or a party: an assignment that frees
    another number is followed up in the same transaction. What fell due of the numbers in hand is settled first.

    Args:
        uow: with everything decided so far recorded.
        cause: goes into the envelopes of what follows.
    """
    seen = 0
    served: Counter[str] = Counter()
    while True:
        _settle_overdue(uow)
        recorded = uow.recorded
        changed = {stream_id for stream_id, _ in recorded[seen:] if stream_id.startswith(_AWAITED)}
        if not changed:
            return
        _pay_again(uow, recorded[seen:], cause)
        known = _waiting(uow, changed)
        if uow.has_overdue:
            continue  # numbers of those who wait have fallen due themselves, and others may wait for these
        seen = len(recorded)
        if not known:
            return
        for key in known:
            served[key] += 1
            if served[key] <= _MOST_TURNS:
                serve(uow, key, cause, in_force(uow), woken=True)


def _pay_again(uow: UnitOfWork, recorded: Iterable[tuple[str, Event]], cause: Causation) -> None:
    """Let DID reservation subscriptions cover again what an assignment had taken that did not count (N4, D10.12).

    It was taken from the reservation, or once that had run out, as a renewal was not known.
    """
    undone = {stream_id for stream_id, event in recorded if isinstance(event, AssignmentUndone)}
    if not undone:
        return
    covers = {cover_of(uow.state(NUMBER, key_of(stream_id)).life) for stream_id in undone}
    covers |= {event.cover_id for _, event in recorded if isinstance(event, AssignmentUndone)}
    covers -= {None}
    if covers:
        from trunkline_numbers.application.paid_reservations import (
            cover,  # it takes numbers in hand through this module
        )

        for cover_id in sorted(filter(None, covers)):
            cover(uow, cover_id, cause, in_force(uow))


def _settle_overdue(uow: UnitOfWork) -> None:
    """Record what fell due of the numbers in hand, each with its due instant."""
    keys = [key_of(stream_id) for stream_id in uow.take_overdue() if stream_id.startswith("number/")]
    for key in keys:
        events = settle(uow.state(NUMBER, key), uow.now, uow.now, in_force(uow))
        uow.record(NUMBER, key, events, Causation("timer", f"number/{key}", f"due/{key}"))


def _waiting(uow: UnitOfWork, changed: set[str]) -> list[str]:
    """The subscriptions that wait for these streams, oldest start first; all that serving them needs is in hand."""
    waiting = {waiter for waiters in uow.waiters(sorted(changed)).values() for waiter in waiters}
    if not waiting:
        return []
    ids = [key_of(waiter) for waiter in waiting]
    uow.load([THE_POLICY, *((SUBSCRIPTION, key) for key in ids)])
    known = {key: terms for key in ids if (terms := uow.state(SUBSCRIPTION, key).terms) is not None}
    load_parties(uow, (terms.organization_id for terms in known.values()))
    uow.load((NUMBER, number) for key in known for number in numbers_of(uow.state(SUBSCRIPTION, key)))
    before = _kept_for(uow, known, changed)
    return sorted(known, key=lambda k: (k not in before, known[k].started_at, k))


def _kept_for(uow: UnitOfWork, waiting: Iterable[str], changed: set[str]) -> set[str]:
    """The subscriptions that wait for a number whose reservation for their organization is over, and named it before.

    They could have it while it was kept for them, so before those who had to wait for its end (S6, D10.8).
    """
    free = {key_of(each): uow.state(NUMBER, key_of(each)).life for each in changed if each.startswith("number/")}
    kept = {number: life for number, life in free.items() if isinstance(life, Available) and life.kept is not None}
    if not kept:
        return set()
    found = set()
    for key in waiting:
        s = uow.state(SUBSCRIPTION, key)
        number = s.terms.number if s.terms is not None else None
        life = kept.get(number or "")
        if s.terms is None or number is None or life is None or life.kept is None:
            continue
        party = party_of(uow, s.terms.organization_id)
        if party and life.kept.reserver_id in (party.id, party.partner_id) and named_since(s, number) < life.since:
            found.add(key)
    return found
