"""Facts that wait are dismissed by a person: refused for good, and out of the subscription's order (S7, O7)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from tests.licensing.test_subscription_fact_heard import ORG, SUBSCRIPTION_ID, fact, receive, started
from trunkline_licensing.domain.subscription.errors import FactDismissed
from trunkline_licensing.domain.subscription.events import AnyEvent
from trunkline_licensing.domain.subscription.facts import AnyFact, Expired, Renewed, Terminated
from trunkline_licensing.domain.subscription.subscription import Subscription, awaited, dismiss, evolve

LATER = [fact(Renewed, 2, renewed_until=datetime(2026, 5, 1, tzinfo=UTC)), fact(Expired, 5), fact(Terminated, 9)]


def after(s: Subscription, events: Sequence[AnyEvent]) -> Subscription:
    for event in events:
        s = evolve(s, event)
    return s


def told(facts: Sequence[AnyFact], s: Subscription | None = None) -> Subscription:
    s = s or Subscription(SUBSCRIPTION_ID)
    for each in facts:
        s = after(s, receive(s, each, organization_known=True))
    return s


def test_then_nothing_waits_and_a_repetition_changes_nothing() -> None:
    """S7: the verdict is on record with the remark; heard again, the fact stays refused."""
    s = told([fact(Expired, 5)])
    assert awaited(s) == {("subscription", SUBSCRIPTION_ID)}
    events = dismiss(s, None, "sent by mistake")
    assert [(e.code, "sent by mistake" in e.reason) for e in events] == [(FactDismissed.code, True)]  # type: ignore[union-attr]
    s = after(s, events)
    assert awaited(s) == frozenset()
    assert receive(s, fact(Expired, 5), organization_known=True) == []


def test_then_one_of_several_is_chosen_by_source_and_id() -> None:
    """S7: the others wait on."""
    s = told(LATER)
    s = after(s, dismiss(s, (LATER[1].source, LATER[1].id), "wrong"))
    assert {w.fact.id for w in s.waiting.values()} == {LATER[0].id, LATER[2].id}
    assert dismiss(s, ("/other", "none"), "wrong") == []


@given(st.permutations(LATER), st.sets(st.sampled_from(range(3))), st.booleans())
def test_then_the_rest_ends_as_if_it_had_never_been_sent(
    order: list[AnyFact], dismissed: set[int], again: bool
) -> None:
    """S7, X4: in any order, and repeated afterwards."""
    gone = [LATER[place] for place in dismissed]
    s = told(order)
    for each in gone:
        s = after(s, dismiss(s, (each.source, each.id), "wrong"))
    s = told([started()], s)
    if again:
        s = told(order, s)
    assert s.after == told([started(), *(each for each in order if each not in gone)]).after
    assert s.after is not None
    assert s.after.organization_id == ORG
