"""When facts lie ahead and the clocks of the two services differ: nothing counts before its instant (§10.14, X4)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.end_to_end.pair import Pair
from tests.end_to_end.test_when_billing_comes_in_any_order import World, histories, shuffled
from tests.end_to_end.test_when_billing_comes_in_any_order import pair as pair
from trunkline.eventstore.history import read_history
from trunkline_numbers.domain.number.number import NUMBER
from trunkline_numbers.domain.subscription.subscription import SUBSCRIPTION

DAY, SECOND = timedelta(days=1), timedelta(seconds=1)
START = datetime(2026, 1, 1, tzinfo=UTC)


def events(pair: Pair, number: str) -> list[tuple[str, datetime]]:
    """What is on record of a number, with the instants from which it counts."""
    found = read_history(pair.numbers, NUMBER.stream(number))
    return [(type(event.event).__name__, event.meta.occurred_at) for event in found]


def subscription(pair: Pair, world: World) -> list[str]:
    found = read_history(pair.numbers, SUBSCRIPTION.stream(world.billing.subscription_id))
    return [type(event.event).__name__ for event in found]


@pytest.mark.parametrize("seconds", [-30, 0, 30])
def test_then_a_termination_counts_at_its_instant_by_either_clock(pair: Pair, seconds: int) -> None:
    """§10.14: scheduled in licensing, published at its instant there, and taken by numbers at its instant there."""
    pair.now, pair.skew = START + DAY, seconds * SECOND
    world = World(pair)
    pair.bill(world.facts([("started", 0), ("terminated", 10)]))
    pair.talk()
    end, number = START + 10 * DAY, world.numbers["A"]
    for now in (end - 60 * SECOND, end, end + 60 * SECOND):
        pair.now = now
        pair.licensing_due()
        pair.talk()
        pair.pass_to(now)
        over = now >= end and now + pair.skew >= end
        assert world.picture()["A"][0] == ("reserved" if over else "assigned")
        assert all(at <= max(now + pair.skew, now - 60 * SECOND) for _, at in events(pair, number))
    assert events(pair, number)[-1] == ("NumberReserved", end)
    assert ("SubscriptionAhead" in subscription(pair, world)) is (seconds < 0)
    assert pair.number(number).life.ends_at == end + 28 * DAY  # type: ignore[union-attr]
    pair.skew = timedelta()


def test_then_a_newer_state_takes_the_place_of_one_that_lies_ahead(pair: Pair) -> None:
    """§10.14, X3: heard again, or heard in the wrong order, nothing changes."""
    pair.now, pair.skew = START + 10 * DAY, -30 * SECOND
    world = World(pair)
    started, expired, reactivated = world.facts([("started", 0), ("expired", 10), ("reactivated", 10)])
    pair.bill([started])
    pair.talk()
    pair.bill([expired])
    first = pair.said()
    pair.receive([*first, *first])
    assert subscription(pair, world)[-1] == "SubscriptionAhead"
    pair.bill([reactivated])
    pair.receive([*pair.said(), *first])
    assert subscription(pair, world).count("SubscriptionAhead") == 2
    pair.pass_to(pair.now + 30 * SECOND)
    assert world.picture()["A"] == ("assigned", "mine")
    assert not pair.numbers.fetch("SELECT key FROM deadlines WHERE starts_with(key, 'subscription/')")
    pair.skew = timedelta()


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(history=histories, skew=st.sampled_from([-90, -1, 0, 1, 90]), seed=st.integers(0, 2**32))
def test_then_any_moment_of_arrival_ends_where_late_delivery_ends(
    pair: Pair, history: list[tuple[str, int]], skew: int, seed: int
) -> None:
    """§10.14, X4: before or after the instants, in any order, with clocks that differ and timers that run at times."""
    chance = Random(seed)
    pair.talk()
    days = history[-1][1] + 1
    pair.now, pair.skew = START + days * DAY, timedelta()
    plain = World(pair)
    for message in plain.facts(history):
        pair.bill([message])
        pair.talk()
    pair.now, pair.skew = START, skew * SECOND
    mixed = World(pair)
    facts = shuffled(chance, mixed.facts(history))
    cuts = sorted(chance.choices(range(len(facts) + 1), k=3))
    for step, part in enumerate(
        (facts[: cuts[0]], facts[cuts[0] : cuts[1]], facts[cuts[1] : cuts[2]], facts[cuts[2] :])
    ):
        pair.now = START + days * DAY * step / 4
        if chance.random() < 0.5:
            pair.licensing_due()
        pair.bill(part)
        pair.receive(shuffled(chance, pair.said()), chance.choice([1, 500]))
        if chance.random() < 0.5:
            pair.pass_to(pair.now)
    pair.now, pair.skew = START + days * DAY, timedelta()
    pair.licensing_due()
    pair.talk()
    pair.pass_to(pair.now)
    assert mixed.picture() == plain.picture()
