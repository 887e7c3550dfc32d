"""When facts are dated ahead of the clock: each counts from its own instant, whenever it is received (§10.14, X4)."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.licensing.test_subscription_facts_in_any_order import (
    ORG,
    A,
    B,
    C,
    Heard,
    day,
    fact,
    heard,
    histories,
    started,
    swapped,
)
from trunkline.limits import MOST_AHEAD
from trunkline_licensing.domain.subscription.events import (
    SubscriptionFactRefused,
    SubscriptionFactScheduled,
    SubscriptionFactWaiting,
)
from trunkline_licensing.domain.subscription.facts import (
    AnyFact,
    Expired,
    QuantityChanged,
    Reactivated,
    Renewed,
    Started,
    Terminated,
)
from trunkline_licensing.domain.subscription.order import fold
from trunkline_licensing.domain.subscription.subscription import (
    MOST_FACTS,
    SUBSCRIPTION,
    Received,
    due,
    evolve,
    fall_due,
    overtaken,
    receive,
)


class Clocked(Heard):
    """A subscription under a clock that a test moves; what is due is judged before anything else, as in a reaction."""

    def __init__(self) -> None:
        super().__init__()
        self.now = day(-1)
        self.received: dict[tuple[str, str], AnyFact] = {}

    def settle(self) -> Clocked:
        self.record(fall_due(self.state, {ORG, "0a9e0000-0000-4000-8000-000000000002"}, self.now))
        return self

    def at(self, now: float, *facts: AnyFact) -> Clocked:
        """Move the clock and receive facts there."""
        self.now = day(now)
        self.settle()
        for one in facts:
            self.settle().record(receive(self.state, Received(one, organization_known=True), self.now))
            self.received[one.name] = one
        return self

    def check(self) -> None:
        """The state is the fold of what has come, whatever the way to here."""
        came = [one for one in self.received.values() if one.at <= self.now]
        ahead = {name: one for name, one in self.received.items() if one.at > self.now}
        assert self.state.scheduled == ahead
        if not any(isinstance(one, Started) for one in came):
            assert (self.after, self.verdicts, self.state.waiting.keys()) == (None, {}, {one.name for one in came})
            return
        after, verdicts = fold(came, ahead.values())
        assert self.after == after == self.newest_said
        assert self.verdicts == {one.id: refusal.code if refusal else None for one, refusal in verdicts}
        assert due(self.state) == min((one.at for one in ahead.values()), default=None)


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_then_any_order_and_any_moment_of_arrival_end_alike(data: st.DataObject) -> None:
    """§10.14, X4, S3: before or after the instant, twice or once, timers on time or late: the same at each step."""
    facts = data.draw(histories())
    order = data.draw(st.permutations(facts + data.draw(st.lists(st.sampled_from(facts), max_size=4))))
    moves = data.draw(st.lists(st.floats(0, 1.5), min_size=len(order), max_size=len(order)))
    whole, now = Clocked(), -1.0
    for one, move in zip(order, moves, strict=True):
        now += move
        whole.at(now, one).check()
    whole.at(20).check()
    assert (whole.after, whole.verdicts) == (heard(*facts).after, heard(*facts).verdicts)
    assert not fall_due(whole.state, {ORG}, whole.now)
    assert SUBSCRIPTION.fold("s", whole.events) == whole.state
    assert all(e.at <= day(20) for e in whole.events)


@settings(max_examples=100, deadline=None)
@given(histories(), st.floats(-1, 7))
def test_then_nothing_counts_before_its_instant(facts: list[AnyFact], now: float) -> None:
    """§10.14: no event is dated ahead of the clock, and facts that lie ahead change nothing of the rest."""
    whole = Clocked().at(now, *facts)
    assert all(event.at <= day(now) for event in whole.events)
    before = Clocked().at(now, *(one for one in facts if one.at <= day(now)))
    assert whole.after == before.after


def sequenced(kind: type[AnyFact], on: float, sequence: int, **own: Any) -> AnyFact:
    return fact(kind, on, sequence=sequence, **own)


def test_then_a_termination_in_ten_days_changes_nothing_now() -> None:
    """§10.14: it is scheduled, and counts from its instant on, stamped with it, however late the timer is."""
    whole = Clocked().at(0, started()).at(1, fact(Terminated, 11))
    assert isinstance(whole.events[-1], SubscriptionFactScheduled)
    assert whole.events[-1].at == day(1)
    assert (whole.after and whole.after.status, due(whole.state)) == ("active", day(11))
    whole.at(10.99)
    assert whole.after is not None
    assert whole.after.status == "active"
    whole.at(15)
    assert (whole.after.status, whole.after.terminated_at, whole.events[-1].at) == ("terminated", day(11), day(11))
    assert due(whole.state) is None


@pytest.mark.parametrize("kind", [Expired, Terminated])
@pytest.mark.parametrize("by", [Renewed, Reactivated])
@pytest.mark.parametrize("heard_first", [True, False])
@pytest.mark.parametrize("heard_at", [5, 20])
def test_then_an_end_is_overtaken_by_a_later_word_that_it_goes_on(
    kind: type[AnyFact], by: type[AnyFact], heard_first: bool, heard_at: float
) -> None:
    """§10.14: a termination at the period's end that is followed by a renewal never comes, in any order."""
    own = {"renewed_until": day(40)} if by is Renewed else {}
    end, goes_on = sequenced(kind, 10, 2), sequenced(by, 4, 3, **own)
    facts = (goes_on, end) if heard_first else (end, goes_on)
    whole = Clocked().at(0, started(sequence=1)).at(heard_at, *facts)
    if heard_at < 10:
        assert overtaken(whole.state) == {end.name: goes_on}
    whole.at(30).check()
    assert whole.after is not None
    assert (whole.after.status, whole.after.expired_at, whole.after.terminated_at) == ("active", None, None)
    assert whole.verdicts == {"started-0": None, end.id: "overtaken", goes_on.id: None}


def test_then_at_the_very_instant_the_sequence_decides() -> None:
    """§10.12, §10.14: what overtakes an end is dated before it; at one instant the sequence decides."""
    whole = Clocked().at(0, started(sequence=1), sequenced(Terminated, 10, 2))
    whole.at(9, sequenced(Renewed, 10, 3, renewed_until=day(40))).at(11).check()
    assert whole.after is not None
    assert (whole.after.status, whole.after.renewed_until) == ("terminated", None)


def test_then_a_renewal_before_the_end_was_sent_does_not_overtake_it() -> None:
    """§10.14: the usual course: renewed, then terminated at the end of that period; and without a sequence alike."""
    for numbers in ((1, 2, 3), (None, None, None)):
        one, two, three = numbers
        renewal = fact(Renewed, 1, renewed_until=day(10), sequence=two)
        whole = Clocked().at(0, started(sequence=one)).at(1, renewal).at(5, fact(Terminated, 10, sequence=three)).at(11)
        assert whole.after is not None
        assert whole.after.status == "terminated"


def test_then_a_new_end_after_the_renewal_counts() -> None:
    """§10.14: taken back, and ended anew by a third word."""
    whole = Clocked().at(0, started(sequence=1)).at(1, sequenced(Terminated, 10, 2))
    whole.at(2, sequenced(Reactivated, 2, 3)).at(3, sequenced(Terminated, 12, 4, id="again")).at(13).check()
    assert whole.after is not None
    assert (whole.after.status, whole.after.terminated_at) == ("terminated", day(12))


def test_then_what_counted_before_the_end_goes_on_to_count() -> None:
    """§10.14: a swap numbered after the termination and dated before it is not undone when the termination comes."""
    swap = swapped(4, A, B, sequence=3)
    whole = Clocked().at(0, started(sequence=1)).at(1, sequenced(Terminated, 10, 2)).at(4, swap)
    assert whole.after is not None
    assert whole.after.number == B
    whole.at(11).check()
    assert (whole.after.status, whole.after.number) == ("terminated", B)


def test_then_facts_that_come_while_the_timer_is_late_meet_what_was_due() -> None:
    """§10.14, N10: the due termination is judged first."""
    whole = Clocked().at(0, started(), fact(Terminated, 5)).at(9, swapped(8, A, C))
    assert whole.verdicts["number_swapped-8"] == "terminated"


def test_then_a_start_ahead_waits_for_its_instant_and_the_facts_before_it_for_the_start() -> None:
    """§10.14, S7."""
    whole = Clocked().at(0, started(5), fact(QuantityChanged, 0, quantity=3))
    assert (whole.after, list(whole.state.waiting), due(whole.state)) == (
        None,
        [("/billing", "quantity_changed-0")],
        day(5),
    )
    whole.at(5).check()
    assert whole.verdicts == {"started-5": None, "quantity_changed-0": "not-started"}


def test_then_a_due_fact_of_an_unknown_organization_waits_for_it() -> None:
    """§10.14, S7."""
    whole = Clocked()
    whole.record(receive(whole.state, Received(started(5), organization_known=False), day(0)))
    assert isinstance(whole.events[-1], SubscriptionFactScheduled)
    whole.record(fall_due(whole.state, (), day(6)))
    assert isinstance(whole.events[-1], SubscriptionFactWaiting)
    assert (whole.state.scheduled, whole.events[-1].awaits) == ({}, "organization")


def test_then_more_than_ten_years_ahead_is_refused_and_ten_years_is_not() -> None:
    """§10.14: a slip; a start that is refused so never counts."""
    now: datetime = day(0)
    limit = started(MOST_AHEAD.days)
    [event] = receive(SUBSCRIPTION.initial("s"), Received(limit, organization_known=True), now)
    assert isinstance(event, SubscriptionFactScheduled)
    [event] = receive(SUBSCRIPTION.initial("s"), Received(started(MOST_AHEAD.days + 1), organization_known=True), now)
    assert isinstance(event, SubscriptionFactRefused)
    assert (event.code, event.at) == ("too-far-ahead", now)
    s = evolve(SUBSCRIPTION.initial("s"), event)
    [event] = receive(s, Received(started(0, id="right"), organization_known=True), now)
    assert evolve(s, event).after is not None


def test_then_an_impossible_number_ahead_is_refused_at_once_and_dated_now() -> None:
    """§10.14, §9: nothing on record is dated ahead of the clock."""
    received = Received(started(5, number="+999123"), organization_known=True, number_possible=False)
    [event] = receive(SUBSCRIPTION.initial("s"), received, day(0))
    assert isinstance(event, SubscriptionFactRefused)
    assert (event.code, event.at) == ("number-impossible", day(0))


def test_then_a_full_subscription_takes_a_termination_and_nothing_else() -> None:
    """S3: the stated bound of facts of one subscription: refused beyond it, on record; it can still be terminated."""
    full = MOST_FACTS
    s = SUBSCRIPTION.initial("s")
    for n in range(full):
        one = started() if n == 0 else fact(Renewed, n, renewed_until=day(n + 1))
        for event in receive(s, Received(one, organization_known=True), day(full)):
            s = evolve(s, event)
    [refused] = receive(s, Received(fact(Renewed, full, renewed_until=day(full)), organization_known=True), day(full))
    assert isinstance(refused, SubscriptionFactRefused)
    assert refused.code == "too-many-facts"
    assert evolve(s, refused) == s
    [ended] = receive(s, Received(fact(Terminated, full), organization_known=True), day(full))
    after = evolve(s, ended).after
    assert after is not None
    assert after.status == "terminated"
