"""When a subscription's facts are heard in any order and more than once: the same state (X4, S3, DOMAIN §10.12)."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from itertools import permutations
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trunkline.eventstore.recorded_event import Causation, Codec, EventMetadata, stored_name
from trunkline_licensing.domain.subscription.events import (
    AnyEvent,
    SubscriptionExpired,
    SubscriptionFactRefused,
    SubscriptionFactScheduled,
    SubscriptionFactWaiting,
    SubscriptionReactivated,
)
from trunkline_licensing.domain.subscription.facts import (
    After,
    AnyFact,
    Expired,
    Gap,
    NumberSwapped,
    QuantityChanged,
    Reactivated,
    Renewed,
    Started,
    SwappedOut,
    Terminated,
)
from trunkline_licensing.domain.subscription.order import fold
from trunkline_licensing.domain.subscription.subscription import (
    SUBSCRIPTION,
    Received,
    Subscription,
    evolve,
    organization_registered,
    receive,
)

ORG = "0a9e0000-0000-4000-8000-000000000001"
OTHER_ORG = "0a9e0000-0000-4000-8000-000000000002"
A, B, C = "+6511111111", "+6522222222", "+6533333333"


def day(n: float) -> datetime:
    return datetime(2026, 3, 1, tzinfo=UTC) + timedelta(days=n)


def fact(kind: type[AnyFact], on: float, **own: Any) -> AnyFact:
    own = {"source": "/billing", "id": f"{kind.KIND}-{on}", "organization_id": ORG, **own}
    return kind(at=day(on), **own)


def started(on: float = 0, **own: Any) -> AnyFact:
    return fact(Started, on, **{"product": "number", "number": A, "sku": "DID", **own})


def swapped(on: float, old: str, new: str, **own: Any) -> AnyFact:
    return fact(NumberSwapped, on, old_number=old, new_number=new, **own)


class Heard:
    """A subscription, and every event that was recorded on the way."""

    def __init__(self) -> None:
        self.state: Subscription = SUBSCRIPTION.initial("s")
        self.events: list[AnyEvent] = []

    def receive(self, one: AnyFact, *, organization_known: bool = True) -> Heard:
        return self.record(receive(self.state, Received(one, organization_known), day(1000)))

    def record(self, events: Iterable[AnyEvent]) -> Heard:
        for event in events:
            self.events.append(event)
            self.state = evolve(self.state, event)
        return self

    @property
    def after(self) -> After | None:
        return self.state.after

    @property
    def verdicts(self) -> dict[str, str | None]:
        return {j.fact.id: j.refused for j in self.state.facts}

    @property
    def newest_said(self) -> After | None:
        """What somebody knows who has heard the newest public event alone."""
        private = (SubscriptionFactRefused, SubscriptionFactWaiting, SubscriptionFactScheduled)
        said = [e for e in self.events if not isinstance(e, private)]
        return said[-1].after if said else None


def heard(*facts: AnyFact) -> Heard:
    whole = Heard()
    for one in facts:
        whole.receive(one)
    return whole


# -- any history ------------------------------------------------------------------------------------------------------

numbers = st.sampled_from((A, B, C))
kinds: st.SearchStrategy[tuple[type[AnyFact], dict[str, Any]]] = st.one_of(
    st.builds(lambda n: (Started, {"product": "number", "number": n, "sku": "DID"}), numbers),
    st.just((Started, {"product": "did_reservation", "quantity": 2, "plan_days": 30})),
    st.builds(lambda n: (Renewed, {"renewed_until": day(n)}), st.integers(1, 50)),
    st.builds(lambda n: (QuantityChanged, {"quantity": n}), st.integers(0, 3)),
    st.builds(lambda a, b: (NumberSwapped, {"old_number": a, "new_number": b}), numbers, numbers),
    st.just((Expired, {})),
    st.just((Reactivated, {})),
    st.just((Terminated, {})),
)
sequences = st.sampled_from(("all", "none", "some"))


@st.composite
def histories(draw: st.DrawFn) -> list[AnyFact]:
    """Facts of one subscription in no order: of few instants, sequences and organizations, so that they collide."""
    drawn = draw(st.lists(kinds, min_size=1, max_size=9))
    mode = draw(sequences)
    facts = []
    for number, (kind, own) in enumerate(drawn):
        numbered = mode == "all" or (mode == "some" and draw(st.booleans()))
        facts.append(
            fact(
                kind,
                draw(st.integers(0, 6)),
                id=str(number),
                source=draw(st.sampled_from(("/a", "/b"))),
                organization_id=draw(st.sampled_from((ORG, ORG, ORG, ORG, OTHER_ORG))),
                sequence=draw(st.integers(1, 8)) if numbered else None,
                **own,
            )
        )
    return facts


def started_at_all(facts: list[AnyFact]) -> bool:
    return any(isinstance(one, Started) for one in facts)


@settings(max_examples=600, deadline=None)
@given(st.data())
def test_then_any_order_with_any_repetition_ends_in_the_fold(data: st.DataObject) -> None:
    """X4, S3, §10.12: state and verdicts are those of the fold, and the newest public event carries them."""
    facts = data.draw(histories())
    order = data.draw(st.permutations(facts + data.draw(st.lists(st.sampled_from(facts), max_size=5))))
    whole = heard(*order)
    after, verdicts = fold(facts)
    if not started_at_all(facts):
        assert (whole.after, whole.verdicts, len(whole.state.waiting)) == (None, {}, len(facts))
        return
    assert whole.after == after == whole.newest_said
    assert whole.verdicts == {one.id: refusal.code if refusal else None for one, refusal in verdicts}
    assert whole.state.waiting == {}


@settings(max_examples=400, deadline=None)
@given(st.data())
def test_then_organizations_registered_at_any_point_change_nothing_in_the_end(data: st.DataObject) -> None:
    """S7, X4."""
    facts = data.draw(histories())
    steps: list[AnyFact | str] = data.draw(st.permutations([*facts, ORG, OTHER_ORG]))
    whole, known = Heard(), set[str]()
    for step in steps:
        if isinstance(step, str):
            known.add(step)
            whole.record(organization_registered(whole.state, step))
        else:
            whole.receive(step, organization_known=step.organization_id in known)
        judged = [j.fact for j in whole.state.facts]
        assert whole.after == fold(judged)[0] == whole.newest_said
    assert (whole.after, whole.verdicts) == (heard(*facts).after, heard(*facts).verdicts)


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_then_each_step_is_what_judging_everything_anew_would_say(data: st.DataObject) -> None:
    """§10.12: the short way for a fact that comes last is the fold, at every step."""
    whole = Heard()
    for one in data.draw(histories()):
        whole.receive(one)
        judged = [j.fact for j in whole.state.facts]
        after, verdicts = fold(judged)
        assert whole.after == after == whole.newest_said
        assert whole.verdicts == {known.id: refusal.code if refusal else None for known, refusal in verdicts}


@settings(max_examples=200, deadline=None)
@given(histories())
def test_then_what_was_recorded_reads_back_as_the_same_state(facts: list[AnyFact]) -> None:
    """§10.12: stored and loaded, nothing is lost that later decisions need."""
    whole = heard(*facts)
    codec = Codec([SUBSCRIPTION])
    cause = Causation("a", "b", "c")
    meta = EventMetadata(day(0), day(0), cause.actor, cause.correlation_id, cause.causation_id)
    read = [codec.decode(stored_name(type(e)), codec.encode(meta, e)).data for e in whole.events]
    assert read == whole.events
    assert SUBSCRIPTION.fold("s", read) == whole.state


# -- cases with a name ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("numbered", [True, False])
def test_then_a_swap_heard_after_the_expiry_counts_from_before_it(numbered: bool) -> None:
    """§10.12: swapped before it expired, heard after."""
    swap = swapped(10, A, B, sequence=2 if numbered else None)
    expiry = fact(Expired, 20, sequence=3 if numbered else None)
    whole = heard(started(sequence=1 if numbered else None), expiry, swap)
    assert whole.after is not None
    assert (whole.after.status, whole.after.number) == ("expired", B)
    assert whole.after.swapped_out == (SwappedOut(A, day(10)),)


def test_then_a_swap_after_the_expiry_is_refused_in_whatever_order() -> None:
    """§10.12: swapped after expired is on record as refused."""
    facts = (started(), fact(Expired, 10), swapped(20, A, B))
    for order in (facts, facts[::-1]):
        assert heard(*order).verdicts["number_swapped-20"] == "expired"


def test_then_an_expiry_before_the_start_waits_and_then_counts() -> None:
    """S7."""
    whole = heard(fact(Expired, 30), started())
    assert isinstance(whole.events[0], SubscriptionFactWaiting)
    assert whole.after is not None
    assert (whole.after.status, whole.after.expired_at) == ("expired", day(30))


def test_then_a_reactivation_before_its_expiry_is_refused_until_the_expiry_is_heard() -> None:
    """§10.12: the late expiry changes the verdict on the reactivation, which is recorded anew."""
    whole = heard(started(), fact(Reactivated, 31))
    assert whole.verdicts["reactivated-31"] == "not-expired"
    whole.receive(fact(Expired, 30))
    assert whole.verdicts == {"started-0": None, "reactivated-31": None, "expired-30": None}
    *_, expired, reactivated = whole.events
    assert isinstance(expired, SubscriptionExpired)
    assert isinstance(reactivated, SubscriptionReactivated)
    assert (expired.revised, reactivated.revised) == (False, True)
    assert expired.after == reactivated.after
    assert expired.after.status == "active"


def test_then_a_termination_heard_before_the_reactivation_that_precedes_it_ends_it_all_the_same() -> None:
    """§10.12."""
    whole = heard(started(), fact(Expired, 10), fact(Terminated, 30), fact(Reactivated, 20))
    assert whole.after is not None
    assert (whole.after.status, whole.after.terminated_at, whole.after.expired_at) == ("terminated", day(30), None)
    assert set(whole.verdicts.values()) == {None}


def test_then_a_reactivation_after_the_termination_is_refused_even_if_heard_first() -> None:
    """§10.12: terminated is final; what counted before the termination was heard does not any more."""
    whole = heard(started(), fact(Expired, 10), fact(Reactivated, 30))
    assert whole.verdicts["reactivated-30"] is None
    whole.receive(fact(Terminated, 20))
    assert whole.verdicts["reactivated-30"] == "terminated"
    assert whole.newest_said == whole.after
    assert whole.after is not None
    assert (whole.after.status, whole.after.expired_at) == ("terminated", day(10))


def test_then_swaps_heard_in_reverse_leave_the_last_number() -> None:
    """§10.12: A to B, B to C."""
    whole = heard(started(), swapped(20, B, C), swapped(10, A, B))
    assert whole.after is not None
    assert whole.after.number == C
    assert whole.after.swapped_out == (SwappedOut(A, day(10)), SwappedOut(B, day(20)))


def test_then_a_swap_repeated_under_a_new_id_changes_nothing() -> None:
    """N9, §10.12: it has B already, and A is not its own any more."""
    facts = (started(), swapped(1, A, B), swapped(4.9, A, B))
    for order in permutations(facts):
        whole = heard(*order)
        assert whole.after is not None
        assert (whole.after.number, whole.after.swapped_out) == (B, (SwappedOut(A, day(1)),))
        assert set(whole.verdicts.values()) == {None}


def test_then_a_swap_gives_up_the_number_held_and_not_another_one_that_is_named() -> None:
    """N9: billing names A, which it gave up before; it has B and gets C for it."""
    for order in permutations((started(), swapped(1, A, B), swapped(5, A, C))):
        whole = heard(*order)
        assert whole.after is not None
        assert (whole.after.number, whole.after.swapped_out) == (C, (SwappedOut(A, day(1)), SwappedOut(B, day(5))))


def test_then_the_times_in_which_it_was_expired_are_kept() -> None:
    """X4, §10.12: what follows for its number depends on them, in whatever order they are heard."""
    facts = (started(), fact(Expired, 10), fact(Reactivated, 70), fact(Expired, 80))
    for order in permutations(facts):
        whole = heard(*order)
        assert whole.after is not None
        assert (whole.after.gaps, whole.after.expired_at) == ((Gap(day(10), day(70)),), day(80))


def test_then_facts_of_the_same_instant_have_their_fixed_order() -> None:
    """§10.12: started, quantity, renewed, swapped, reactivated, expired, terminated."""
    facts = [started(), swapped(0, A, B), fact(Reactivated, 0), fact(Expired, 0), fact(Terminated, 0)]
    for order in (facts, facts[::-1]):
        whole = heard(*order)
        assert whole.after is not None
        assert (whole.after.status, whole.after.number) == ("terminated", B)
        assert whole.verdicts["reactivated-0"] == "not-expired"


def test_then_the_sequence_goes_before_the_time() -> None:
    """S3: where every fact has one."""
    whole = heard(started(sequence=1), fact(Expired, 30, sequence=2), fact(Reactivated, 20, sequence=3))
    assert whole.after is not None
    assert whole.after.status == "active"


def test_then_a_fact_without_sequence_puts_all_in_the_order_of_time_and_the_newest_event_says_so() -> None:
    """S3, §10.12: a fact that is itself refused can change what the others come to."""
    whole = heard(started(sequence=1), fact(Expired, 30, sequence=2), fact(Reactivated, 20, sequence=3))
    whole.receive(started(5))
    assert whole.verdicts == {
        "started-0": None,
        "expired-30": None,
        "reactivated-20": "not-expired",
        "started-5": "already-started",
    }
    assert whole.after is not None
    assert whole.after.status == "expired"
    assert whole.newest_said == whole.after


@pytest.mark.parametrize("ids", ["1234", "4321", "3142"])
def test_then_swaps_of_one_instant_follow_one_another_by_their_numbers(ids: str) -> None:
    """X4, §10.12: neither time nor sequence orders them, so each follows the one that brought what it gives up."""
    chain = [started(id=ids[0]), swapped(1, A, B, id=ids[1]), swapped(1, B, C, id=ids[2]), swapped(1, C, A, id=ids[3])]
    told = [heard(*chain), heard(*reversed(chain)), heard(*sorted(chain, key=lambda f: f.id))]
    for whole in told:
        assert whole.after is not None
        assert whole.after.number == A
        assert [out.number for out in whole.after.swapped_out] == [A, B, C]
        assert whole.newest_said == whole.after
