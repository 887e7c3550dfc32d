"""Serving a subscription: each of its numbers is moved to where the subscription's state says it belongs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

from msgspec.structs import replace

from trunkline.errors import Refused
from trunkline.eventstore.decider import Event
from trunkline.eventstore.recorded_event import Causation
from trunkline.eventstore.unit_of_work import LoadedStream, UnitOfWork
from trunkline_numbers.application.corrections import corrected, lose, redate, yielded
from trunkline_numbers.application.parties import load_parties, missing_party, party_of
from trunkline_numbers.application.refusals import claim, wait, wait_if_named
from trunkline_numbers.application.standings import Standings
from trunkline_numbers.domain.number.events import AssignmentUndone, NumberAssigned, NumberReserved, NumberUnbound
from trunkline_numbers.domain.number.number import NUMBER, unbound
from trunkline_numbers.domain.number.state import Assigned, Available, Number, Party, owned
from trunkline_numbers.domain.number.subscription_sync import Hold, Keep, Leave, Target, assignment_undone, follow
from trunkline_numbers.domain.party_replica import PARTY
from trunkline_numbers.domain.policy import Policy
from trunkline_numbers.domain.subscription.bindings import bindings_after
from trunkline_numbers.domain.subscription.events import ServiceUndone, SubscriptionServed
from trunkline_numbers.domain.subscription.subscription import SUBSCRIPTION, Subscription, forgo, numbers_of
from trunkline_numbers.domain.subscription.tenures import Standing, Tenure, is_missed, losses, target, tenures

_MOST_TURNS = 3
"""How often a subscription is looked at anew because a number went to somebody else meanwhile, and a number undone."""


@dataclass(slots=True)
class Serving:
    """One subscription being served: because of something heard of it, or because what it waited for has changed."""

    uow: UnitOfWork
    subscription_id: str
    loaded: LoadedStream[Subscription]
    party: Party
    cause: Causation
    policy: Policy
    remark: str | None = None

    @property
    def state(self) -> Subscription:
        """What numbers knows of the subscription, up to the last thing recorded."""
        return self.loaded.state

    def serve(self) -> None:
        """Move the number that the subscription has, then the others; a refusal goes on record and waits (S6, N9)."""
        if self._simple():
            return
        for _ in range(_MOST_TURNS):
            had = tenures(self.state, self.standing)
            if not yielded(self, had) and self._moved(had):
                return

    def _simple(self) -> bool:
        """Serve one that named one number all the time, as nearly all do; False: its whole past must be looked at."""
        s = self.state
        terms = s.terms
        if terms is None or terms.number is None or terms.swapped_out or terms.gaps:
            return False
        if s.denied or s.dismissed or not s.served.keys() <= {terms.number}:
            return False
        n = self.uow.state(NUMBER, terms.number)
        match n.life:
            case Assigned(since=terms.started_at, subscription_id=self.subscription_id):
                if terms.status != "active":
                    self.move(terms.number, Keep(losses(terms)))
            case Available(lapsed=None, quarantined_until=None, kept=None, open_since=None) as free:
                if terms.status != "active" or (free.since > terms.started_at and free.since != n.added_at):
                    return False
                try:
                    self.move(terms.number, Hold(terms.started_at, terms.at))
                except Refused:
                    return False
            case _:
                return False
        return True

    def _moved(self, had: list[Tenure]) -> bool:
        """Move every number to where it belongs; False: one went to somebody who waited, so all is to be seen anew."""
        terms = self.state.terms
        assert terms is not None
        assert terms.number is not None
        for number in {tenure.number for tenure in had if tenure.found}:
            since = next(tenure.since for tenure in had if tenure.number == number)
            self.note([SubscriptionServed(at=since, number=number, found=True)])
            wait(self, number, "its time is over")
        held = had[-1].number if had else None
        if held is not None:
            try:
                self._hold(held, had)
            except Refused:
                if isinstance(target(self.state, held, had), Hold) and held != terms.number:
                    self.note(forgo(self.state, held, self.uow.now))  # it went elsewhere, and is not waited for
                elif self.standing(held).refused is None:
                    return False
        claim(self, terms.number, had)
        for number in numbers_of(self.state):
            if number != held:
                self._follow(number, had)
        return True

    def _follow(self, number: str, had: list[Tenure]) -> None:
        """Move a number that the subscription has no more."""
        wanted = target(self.state, number, had)
        if corrected(self, number, wanted) or (isinstance(wanted, Leave) and wait_if_named(self, number)):
            return
        if is_missed(self.state, number, had):
            wait_if_named(self, number)
        try:
            self.move(number, wanted)
        except Refused as refused:
            self.note(forgo(self.state, number, self.uow.now))
            wait(self, number, refused.code)
        else:
            self._bindings(number, had)

    def _hold(self, number: str, had: list[Tenure]) -> None:
        """Move the number that the subscription has; through each time in which it was lost in between (D10.17).

        Raises:
            Refused: it should be had and cannot be: somebody who waited got it, or took it when it was free.
        """
        if corrected(self, number, target(self.state, number, had)):
            return
        turns = [tenure for tenure in had if tenure.number == number]
        life = self.uow.state(NUMBER, number).life
        if isinstance(life, Assigned) and owned(life, self.subscription_id):
            since = life.since
            for lost, back in pairwise(turns):
                if back.since > since:
                    lose(self, number, lost, back)
            redate(self, number, turns)
        self.move(number, target(self.state, number, had))
        self._bindings(number, had)

    def _bindings(self, number: str, had: list[Tenure]) -> None:
        """End and restore the bindings of a number as its subscription's past has it (D10.17)."""
        n = self.uow.state(NUMBER, number)
        if owned(n.life, self.subscription_id) and (n.bindings or (n.episode is not None and n.episode.ended)):
            turns = [tenure for tenure in had if tenure.number == number]
            over = self.state.terms is not None and self.state.terms.status == "terminated"
            events = bindings_after(n, turns, self.policy, terminated=over)
            self.uow.record(NUMBER, number, events, self.cause)

    def move(self, number: str, wanted: Target) -> None:
        """Let the number follow.

        Raises:
            Refused: it should be had and cannot be.
        """
        n = self.uow.state(NUMBER, number)
        terms = self.state.terms
        assert terms is not None
        denied = number in self.state.denied
        events = follow(n, self.party, self.subscription_id, wanted, terms.at, self.policy, self.uow.now)
        if not events:
            return
        if self.remark is not None:
            events = [_remarked(event, self.remark) for event in events]
        self.uow.record(NUMBER, number, events, self.cause)
        for event in events:
            if isinstance(event, AssignmentUndone):
                self.note([ServiceUndone(at=event.at, number=number)])
            if isinstance(event, NumberAssigned) and (number not in self.state.served or terms.swapped_out):
                self.note([SubscriptionServed(at=event.at, number=number)])
                if denied:
                    self.uow.stop_waiting(NUMBER.stream(number), self.loaded.stream_id)

    def standing(self, number: str) -> Standing:
        """How a number stands towards the subscription, as far as the walk through its past must know."""
        return Standings(self.uow, self.loaded, self.party, self.policy).of(number)

    def serve_other(self, subscription_id: str) -> None:
        """Serve one that waited for what this one has left."""
        serve(self.uow, subscription_id, self.cause, self.policy, woken=True)

    def give_anew(self, number: str, correct: Callable[[Number], list[Event]]) -> None:
        """See `give_anew`."""
        give_anew(self.uow, number, correct, self.cause, self.policy)

    def note(self, events: list[Event]) -> None:
        """Put something on the subscription's record."""
        self.uow.record(SUBSCRIPTION, self.subscription_id, events, self.cause)


def _remarked(event: Event, remark: str) -> Event:
    """What a person had done, with why; what merely fell due meanwhile is nobody's act."""
    return replace(event, remark=remark) if isinstance(event, NumberAssigned | NumberReserved) else event


def give_anew(
    uow: UnitOfWork, number: str, correct: Callable[[Number], list[Event]], cause: Causation, policy: Policy
) -> None:
    """Correct what a number was before a subscription got it, and let that one get it anew.

    Its users stay, unless the subscription does not get it any more.

    Args:
        uow: the number is in hand, in an episode of some subscription.
        number: of it.
        correct: what is to be recorded of it as it was before.
        cause: goes into the envelopes.
        policy: the periods in force.
    """
    n = uow.state(NUMBER, number)
    assert n.episode is not None
    had_by, since = n.episode.subscription_id, n.episode.since
    users = {(b.kind, b.user_id, b.extension_id) for b in n.bindings if b.at is not None and b.at >= since}
    uow.load([(SUBSCRIPTION, had_by)])
    terms = uow.state(SUBSCRIPTION, had_by).terms
    assert terms is not None
    undone = assignment_undone(n, terms.organization_id, uow.now)
    n = uow.record(NUMBER, number, [undone], cause)
    uow.record(SUBSCRIPTION, had_by, [ServiceUndone(at=uow.now, number=number)], cause)
    kept = [event for event in correct(n) if not (isinstance(event, NumberUnbound) and _user(event) in users)]
    uow.record(NUMBER, number, kept, cause)
    load_parties(uow, [terms.organization_id])
    serve(uow, had_by, cause, policy)
    n = uow.state(NUMBER, number)
    if not owned(n.life, had_by) and not isinstance(n.life, Assigned):
        ended = [event for event in unbound(n, uow.now, "released", n.state) if _user(event) in users]  # type: ignore[arg-type] # not absent
        uow.record(NUMBER, number, ended, cause)


def _user(event: Event) -> tuple[str, str | None, str | None]:
    assert isinstance(event, NumberUnbound)
    return event.kind, event.user_id, event.extension_id


def serve(
    uow: UnitOfWork,
    subscription_id: str,
    cause: Causation,
    policy: Policy,
    *,
    woken: bool = False,
    remark: str | None = None,
) -> None:
    """Give a subscription's numbers the places its state says, or put on record why not (S6, N9).

    Args:
        uow: what is not in hand is loaded; a batch has read it all at once before.
        subscription_id: something has been heard of it.
        cause: goes into the envelopes.
        policy: the periods in force.
        woken: it may have waited for its organization or partner, and does so no more if they are known now.
        remark: why, where a person had it done.
    """
    loaded = uow.get(SUBSCRIPTION, subscription_id)
    terms = loaded.state.terms
    if terms is None or terms.product != "number" or terms.number is None:
        return
    party = party_of(uow, terms.organization_id)
    if party is None or woken:
        missing = missing_party(uow, terms.organization_id)
        for known in {terms.organization_id, missing} if woken else ():
            uow.stop_waiting(PARTY.stream(known), loaded.stream_id)
        if party is None:
            uow.wait(PARTY.stream(missing), loaded.stream_id, uow.now, f"{missing} is not known yet")
            return
        uow.load((NUMBER, number) for number in numbers_of(loaded.state))
    Serving(uow, subscription_id, loaded, party, cause, policy, remark).serve()
