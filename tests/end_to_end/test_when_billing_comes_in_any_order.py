"""X4 over the whole pair: any order, any duplication, any interleaving of topics ends where in-order delivery ends."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import count
from random import Random
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tests.end_to_end.pair import Billing, Pair, prepare_licensing, prepare_numbers
from trunkline.contracts import parties
from trunkline.contracts.cloudevents.message import Message
from trunkline_numbers.domain.number import operator_commands as by_hand
from trunkline_numbers.domain.policy import DEFAULT

DAY = timedelta(days=1)
START = datetime(2026, 1, 1, tzinfo=UTC)
ORGANIZATION, PARTNER = str(uuid4()), str(uuid4())
fresh = count(60_000_000)


@pytest.fixture(scope="module")
def pair(databases: Any) -> Iterator[Pair]:
    """One pair for all examples: each uses numbers and subscriptions of its own."""
    urls = databases.create(prepare_licensing), databases.create(prepare_numbers)
    found = Pair(*urls, START)
    found.register(
        parties.PartnerRegistered(partner_id=PARTNER, name="P", owner_email="o@p.example", support_email="s@p.example"),
        parties.OrganizationRegistered(
            organization_id=ORGANIZATION, partner_id=PARTNER, name="O", billing_email="b@o.example"
        ),
    )
    found.talk()
    yield found
    found.close()
    for url in urls:
        databases.drop(url)


class World:
    """Numbers A, B and C, and one subscription that billing tells of; two worlds can be alike but for their ids."""

    def __init__(self, pair: Pair, *, sequenced: bool = True, without: dict[str, str] | None = None) -> None:
        self.pair = pair
        self.billing = Billing(ORGANIZATION, sequenced=sequenced)
        self.numbers = {name: f"+65{next(fresh)}" for name in "ABC"}
        self.names = {self.billing.subscription_id: "mine"}
        without, now = without or {}, pair.now
        pair.now = START  # they are there before anything is said of them
        pair.add(*(number for name, number in self.numbers.items() if without.get(name) != "unknown"))
        pair.now = now
        for name, how in without.items():
            self.spoil(name, how)

    def spoil(self, name: str, how: str) -> None:
        """Make a number impossible to have."""
        number, now = self.numbers[name], self.pair.now
        if how == "locked":
            self.pair.act(number, decide=lambda n: by_hand.lock(n, "kept", DEFAULT, now))
        elif how == "deleted":
            self.pair.act(number, decide=lambda n: by_hand.delete(n, "faulty", "gone", DEFAULT, now))
        elif how == "taken":
            other = Billing(ORGANIZATION)
            self.names[other.subscription_id] = "other"
            self.pair.bill([other.started(START, number)])
            self.pair.talk()

    def facts(self, history: list[tuple[str, int]]) -> list[Message]:
        """A history of (what, day) as billing's messages; `swap` goes to the next of A, B, C."""
        say, numbers, at_letter = self.billing, self.numbers, 0
        messages: list[Message] = []
        for what, day in history:
            at = START + day * DAY
            if what == "started":
                messages.append(say.started(at, numbers["A"]))
            elif what == "swapped":
                old, new = "ABC"[at_letter % 3], "ABC"[(at_letter + 1) % 3]
                at_letter += 1
                messages.append(say.swapped(at, numbers[old], numbers[new]))
            else:
                messages.append(getattr(say, what)(at))
        return messages

    def picture(self) -> dict[str, Any]:
        """Where the three numbers are, and what the subscription waits on."""
        seen: dict[str, Any] = {name: self.pair.picture(number, self.names) for name, number in self.numbers.items()}
        seen["refused"] = self.pair.refused(self.billing.subscription_id)
        return seen


kinds = st.sampled_from(["renewed", "expired", "reactivated", "terminated", "swapped", "expired", "reactivated"])
histories = st.lists(st.tuples(kinds, st.integers(0, 12)), max_size=7).map(
    lambda steps: [("started", 0), *((what, 1 + sum(d for _, d in steps[:i])) for i, (what, _) in enumerate(steps))]
)
spoilt = st.dictionaries(st.sampled_from("ABC"), st.sampled_from(["unknown", "locked", "deleted", "taken"]), max_size=1)


def shuffled(chance: Random, items: list[Any]) -> list[Any]:
    """The items in any order, some of them twice or three times."""
    again = [chance.choice(items) for _ in range(chance.randrange(5))] if items else []
    return chance.sample([*items, *again], len(items) + len(again))


@settings(max_examples=120, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    history=histories,
    sequenced=st.booleans(),
    spoilt=spoilt,
    later=st.integers(0, 90),
    seed=st.integers(0, 2**32),
    batch=st.sampled_from([1, 2, 500]),
)
@example(
    history=[("started", 0), ("renewed", 1), ("expired", 1), ("swapped", 1)],
    sequenced=True,
    spoilt={"A": "unknown"},
    later=0,
    seed=0,
    batch=1,
)
@example(
    history=[("started", 0), ("swapped", 1), ("swapped", 1), ("swapped", 1)],
    sequenced=False,
    spoilt={},
    later=0,
    seed=0,
    batch=1,
)
@example(
    history=[("started", 0), ("swapped", 1), ("swapped", 1)],
    sequenced=True,
    spoilt={},
    later=0,
    seed=0,
    batch=1,
)
@example(
    history=[("started", 0), ("renewed", 1), ("swapped", 1), ("swapped", 1)],
    sequenced=False,
    spoilt={"C": "unknown"},
    later=0,
    seed=0,
    batch=1,
)
@example(
    history=[("started", 0), ("swapped", 1), ("expired", 1), ("renewed", 1), ("swapped", 4)],
    sequenced=False,
    spoilt={"B": "unknown"},
    later=0,
    seed=77,
    batch=1,
)
@example(
    history=[
        *[("started", 0), ("renewed", 1), ("renewed", 5), ("swapped", 5)],
        *[("swapped", 5), ("expired", 5), ("swapped", 6), ("swapped", 6)],
    ],
    sequenced=False,
    spoilt={},
    later=0,
    seed=0,
    batch=1,
)
def test_then_numbers_end_where_in_order_delivery_ends(
    pair: Pair,
    history: list[tuple[str, int]],
    sequenced: bool,
    spoilt: dict[str, str],
    later: int,
    seed: int,
    batch: int,
) -> None:
    """X4, S3, §10.12: billing to licensing in any order, licensing to numbers over topics in any interleaving."""
    chance = Random(seed)  # what is said depends on the databases, so Hypothesis draws only where to begin
    pair.talk()
    pair.now = START + (history[-1][1] + later) * DAY + timedelta(hours=1)
    plain = World(pair, sequenced=sequenced, without=spoilt)
    mixed = World(pair, sequenced=sequenced, without=spoilt)
    for message in plain.facts(history):
        pair.bill([message])
        pair.talk()
    facts = shuffled(chance, mixed.facts(history))
    cut = chance.randrange(len(facts) + 1)
    for part in (facts[:cut], facts[cut:]):
        pair.bill(part)
        pair.receive(shuffled(chance, pair.said()), batch)
    assert mixed.picture() == plain.picture()


def in_order_and_reversed(pair: Pair, history: list[tuple[str, int]], now_day: int) -> tuple[Any, Any]:
    """Where a history ends in order, and in reverse."""
    pictures = []
    for arrange in (list, reversed):
        pair.now = START + now_day * DAY
        world = World(pair)
        for message in arrange(world.facts(history)):  # type: ignore[operator]
            pair.bill([message])
            pair.receive(list(reversed(pair.said())))
        pictures.append(world.picture())
    return pictures[0], pictures[1]


NAMED: dict[str, tuple[list[tuple[str, int]], int]] = {
    "a swap heard after the expiry": ([("started", 0), ("swapped", 5), ("expired", 6)], 7),
    "an expiry before the start": ([("started", 0), ("expired", 5)], 6),
    "a reactivation before its expiry": ([("started", 0), ("expired", 5), ("reactivated", 6)], 7),
    "a termination before the reactivation it follows": (
        [("started", 0), ("expired", 5), ("reactivated", 6), ("terminated", 7)],
        8,
    ),
    "swaps in reverse": ([("started", 0), ("swapped", 5), ("swapped", 6)], 6),
    "a termination after the 56 days": ([("started", 0), ("expired", 5), ("terminated", 50)], 62),
}


@pytest.mark.parametrize("name", NAMED)
def test_then_the_named_cases_converge(pair: Pair, name: str) -> None:
    """X4: the cases that once went wrong elsewhere."""
    history, day = NAMED[name]
    in_order, backwards = in_order_and_reversed(pair, history, day)
    assert backwards == in_order


def test_then_a_termination_heard_after_the_reservation_ran_out_reserves_again(pair: Pair) -> None:
    """§10.10: expired on day 5, over on day 61; terminated on day 50 gives day 78, heard on day 62."""
    pair.now = START + 6 * DAY
    world = World(pair)
    started, expired, terminated = world.facts([("started", 0), ("expired", 5), ("terminated", 50)])
    pair.bill([started, expired])
    pair.talk()
    pair.pass_to(START + 62 * DAY)
    assert world.picture()["A"] == ("available",)
    pair.bill([terminated])
    pair.talk()
    state, mine, cause, ends_at, _ = world.picture()["A"]
    assert (state, mine, cause, ends_at) == ("reserved", "mine", "terminated", START + 78 * DAY)


def test_then_a_reactivation_heard_after_the_reservation_ran_out_assigns_again(pair: Pair) -> None:
    """§10.10: nobody has acted on the number since."""
    pair.now = START + 6 * DAY
    world = World(pair)
    started, expired, reactivated = world.facts([("started", 0), ("expired", 5), ("reactivated", 50)])
    pair.bill([started, expired])
    pair.talk()
    pair.pass_to(START + 62 * DAY)
    pair.bill([reactivated])
    pair.talk()
    assert world.picture()["A"] == ("assigned", "mine")


def test_then_the_act_of_somebody_else_stands(pair: Pair) -> None:
    """§10.10, S6: somebody locked it since; the reactivated subscription waits, and gets it when it is unlocked."""
    pair.now = START + 6 * DAY
    world = World(pair)
    started, expired, reactivated = world.facts([("started", 0), ("expired", 5), ("reactivated", 50)])
    pair.bill([started, expired])
    pair.talk()
    pair.pass_to(START + 62 * DAY)
    world.spoil("A", "locked")
    pair.bill([reactivated])
    pair.talk()
    assert world.picture()["A"] == ("locked",)
    assert world.picture()["refused"] == "number-is-locked"
    pair.act(world.numbers["A"], decide=lambda n: by_hand.unlock(n, "free again", DEFAULT, pair.now))
    assert world.picture()["A"] == ("assigned", "mine")
    assert world.picture()["refused"] is None


@pytest.mark.parametrize("start_first", [True, False])
def test_then_a_second_subscription_gets_the_number_whose_end_is_heard_later(pair: Pair, start_first: bool) -> None:
    """S6: the second one's start heard before the first one's end, or after: both end alike.

    The same organization: its reservation does not stand against its own subscription (§10.8).
    """
    pair.now = START + 30 * DAY
    world = World(pair)
    second = Billing(ORGANIZATION)
    world.names[second.subscription_id] = "second"
    started, terminated = world.facts([("started", 0), ("terminated", 10)])
    pair.bill([started])
    pair.talk()
    later = [terminated, second.started(START + 12 * DAY, world.numbers["A"])]
    for message in reversed(later) if start_first else later:
        pair.bill([message])
        pair.talk()
    assert world.picture()["A"] == ("assigned", "second")
    assert pair.refused(second.subscription_id) is None


@pytest.mark.parametrize("how", ["locked", "deleted", "taken", "unknown"])
def test_then_a_number_that_cannot_be_had_is_refused_on_record_and_got_when_it_can(pair: Pair, how: str) -> None:
    """S6: locked, deleted, taken or unknown when its subscription starts."""
    pair.now = START + 1 * DAY
    world = World(pair, without={"A": how})
    pair.bill(world.facts([("started", 0)]))
    pair.talk()
    codes = {
        "locked": "number-is-locked",
        "deleted": "number-is-deleted",
        "taken": "number-taken",
        "unknown": "number-unknown",
    }
    assert world.picture()["refused"] == codes[how]
    number, now = world.numbers["A"], pair.now
    if how == "locked":
        pair.act(number, decide=lambda n: by_hand.unlock(n, "free", DEFAULT, now))
    elif how == "deleted":
        pair.act(number, decide=lambda n: by_hand.recover(n, "back", now))
    elif how == "unknown":
        pair.add(number)
    else:
        pair.pass_to(START + 2 * DAY)
        pair.act(number, decide=lambda n: [])
        return
    assert world.picture()["A"] == ("assigned", "mine")
    assert world.picture()["refused"] is None
