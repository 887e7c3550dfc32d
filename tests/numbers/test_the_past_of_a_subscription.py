"""When licensing publishes the newest entries of a subscription's past: what is older is settled (X4, N4, N9).

Of a paid reservation's steps the older ones are kept, as later units and ends follow from them.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from trunkline.limits import PAST_KEPT
from trunkline_numbers.domain.subscription.events import CoversFrom, SubscriptionAhead, SubscriptionReceived, SwappedOut
from trunkline_numbers.domain.subscription.past import counts_from
from trunkline_numbers.domain.subscription.subscription import SUBSCRIPTION, receive

ORG = "0a9e0000-0000-4000-8000-000000000001"


def at(n: float) -> datetime:
    return datetime(2026, 3, 1, tzinfo=UTC) + timedelta(hours=n)


LONG_AFTER = at(10_000)


def state(n: int, late: int | None = None) -> SubscriptionReceived:
    """After the n-th fact: a swap and a step of covers for each; `late`: one whose fact was heard after the others."""
    known = [k for k in range(1, n + 1) if late is None or k != late or n > late + 5]
    return SubscriptionReceived(
        at=at(n),
        sequence=n,
        organization_id=ORG,
        product="number",
        status="active",
        started_at=at(0),
        number=f"+65{n + 1:08}",
        swapped_out=tuple(SwappedOut(f"+65{k:08}", at(k)) for k in known)[-PAST_KEPT:],
        covers=tuple(CoversFrom(at(k), k) for k in known)[-PAST_KEPT:],
    )


def heard(*published: SubscriptionReceived, now: datetime = LONG_AFTER) -> Any:
    s = SUBSCRIPTION.initial("s")
    for one in published:
        for event in receive(s, one, now):
            s = SUBSCRIPTION.evolve(s, event)
    return s


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 3 * PAST_KEPT), st.data())
def test_then_all_of_it_is_known_that_came_with_any_event(last: int, data: st.DataObject) -> None:
    """X4: in any order, some never, as long as no gap is longer than what an event carries."""
    numbers, n = [last], last
    while (n := n - data.draw(st.integers(1, PAST_KEPT))) > 0:
        numbers.append(n)
    order = sorted(numbers) if data.draw(st.booleans()) else sorted(numbers, reverse=True)
    s = heard(*(state(n) for n in order))
    expected = range(1, last + 1) if order == sorted(numbers) else range(max(1, last - PAST_KEPT + 1), last + 1)
    assert [out.at for out in s.terms.swapped_out] == [at(k) for k in expected][-PAST_KEPT:]
    assert [step.units for step in s.terms.covers] == list(expected)


def test_then_a_fact_that_came_late_takes_its_place() -> None:
    """X4: within what an event carries, in the middle of the past."""
    late = 2 * PAST_KEPT
    s = heard(*(state(n, late) for n in range(1, late + 9)))
    assert [step.units for step in s.terms.covers] == list(range(1, late + 9))


def test_then_a_gap_leaves_what_is_older() -> None:
    """X4: many events were overtaken by one: what was known before it is kept, in its order."""
    s = heard(state(5), state(3 * PAST_KEPT))
    units = [step.units for step in s.terms.covers]
    assert units == [*range(1, 6), *range(2 * PAST_KEPT + 1, 3 * PAST_KEPT + 1)]


def test_then_a_state_counts_from_its_latest_instant() -> None:
    """§10.14: whichever of its facts brought it; until then it is kept beside the one that counts."""
    said = state(5)
    assert counts_from(said) == at(5)
    s = heard(state(3), said, now=at(4))
    assert isinstance(s.ahead, SubscriptionAhead)
    assert (s.terms.sequence, s.ahead.counts_from, s.sequence, SUBSCRIPTION.due and SUBSCRIPTION.due(s)) == (
        *(3, at(5), 5, at(5)),
    )
