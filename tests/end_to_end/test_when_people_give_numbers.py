"""When people assign and swap numbers while billing goes on: their act stands until billing names another (N9, X4)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import count
from random import Random
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from tests.end_to_end.pair import BY_HAND, Billing, Pair, prepare_licensing, prepare_numbers
from trunkline.contracts import parties
from trunkline.contracts.cloudevents.message import Message
from trunkline.errors import Refused
from trunkline.eventstore.unit_of_work import UnitOfWork, run
from trunkline_numbers.application.manual_assignment import dismiss_refusal, give, swap
from trunkline_numbers.application.retry_dependents import serve_waiting
from trunkline_numbers.domain.number import operator_commands as by_hand
from trunkline_numbers.domain.number.state import Assigned
from trunkline_numbers.domain.policy import DEFAULT

DAY = timedelta(days=1)
START = datetime(2026, 1, 1, tzinfo=UTC)
ORGANIZATION, PARTNER = str(uuid4()), str(uuid4())
fresh = count(70_000_000)


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
    """Numbers A, B, C that billing names, D and E that people give, and one subscription."""

    def __init__(self, pair: Pair, *, sequenced: bool = True) -> None:
        self.pair = pair
        self.billing = Billing(ORGANIZATION, sequenced=sequenced)
        self.numbers = {name: f"+65{next(fresh)}" for name in "ABCDE"}
        self.names = {self.billing.subscription_id: "mine"}
        self._letter = 0
        pair.add(*self.numbers.values())

    def facts(self, history: list[tuple[str, float]]) -> list[Message]:
        """A history of (what, day); billing swaps go round A, B, C and know nothing of what people did."""
        messages = []
        for what, day in history:
            at = START + day * DAY
            if what == "started":
                messages.append(self.billing.started(at, self.numbers["A"]))
            elif what == "swapped":
                old, new = "ABC"[self._letter % 3], "ABC"[(self._letter + 1) % 3]
                self._letter += 1
                messages.append(self.billing.swapped(at, self.numbers[old], self.numbers[new]))
            else:
                messages.append(getattr(self.billing, what)(at))
        return messages

    def hears(self, *facts: Message) -> World:
        """In order, once."""
        for fact in facts:
            self.pair.bill([fact])
            self.pair.talk()
        return self

    def serving(self) -> str | None:
        """The number that serves it."""
        lives = ((name, self.pair.number(number).life) for name, number in self.numbers.items())
        return next((name for name, life in lives if isinstance(life, Assigned)), None)

    def gives(self, name: str) -> str:
        """A person gives it a number: in the place of the one that serves it, if one does."""
        has, id_ = self.serving(), self.billing.subscription_id

        def act(uow: UnitOfWork) -> None:
            if has is None:
                give(uow, id_, self.numbers[name], "asked for", BY_HAND, DEFAULT)
            else:
                swap(uow, id_, self.numbers[has], self.numbers[name], "asked for", BY_HAND, DEFAULT)
            serve_waiting(uow, BY_HAND)

        try:
            run(self.pair.numbers, lambda: self.pair.now, act)
        except Refused as refused:
            return refused.code
        return "swapped" if has else "assigned"

    def picture(self) -> dict[str, Any]:
        """Where its numbers are once what fell due is settled, and what it waits on."""
        self.pair.pass_to(self.pair.now)
        seen: dict[str, Any] = {name: self.pair.picture(number, self.names) for name, number in self.numbers.items()}
        seen["refused"] = self.pair.refused(self.billing.subscription_id)
        return seen


kinds = st.sampled_from(["renewed", "expired", "reactivated", "terminated", "swapped", "expired", "reactivated"])


def part(begin: int, end: int) -> st.SearchStrategy[list[tuple[str, float]]]:
    """Some facts within these days, in order."""
    steps = st.lists(st.tuples(st.integers(begin + 1, end - 1), kinds), max_size=4)
    return steps.map(lambda drawn: [(what, day) for day, what in sorted(drawn, key=lambda step: step[0])])


def mixed_up(chance: Random, items: list[Any]) -> list[Any]:
    """The items in any order, some of them twice or three times."""
    again = [chance.choice(items) for _ in range(chance.randrange(4))] if items else []
    return chance.sample([*items, *again], len(items) + len(again))


@settings(max_examples=80, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    parts=st.tuples(part(0, 15), part(15, 30), part(30, 45)),
    sequenced=st.booleans(),
    later=st.integers(0, 90),
    late=st.booleans(),
    seed=st.integers(0, 2**32),
    batch=st.sampled_from([1, 2, 500]),
)
def test_then_what_people_gave_stands_whatever_licensing_says_in_any_order(
    pair: Pair, parts: tuple[Any, Any, Any], sequenced: bool, later: int, late: bool, seed: int, batch: int
) -> None:
    """N9, S6, X4: renewals, expiries, reactivations, ends and swaps before, between and after two acts by hand.

    `late`: some of what happened before an act is heard only after it; it counts from its own instant.
    """
    chance = Random(seed)
    pair.talk()
    pair.now = START
    plain, mixed = World(pair, sequenced=sequenced), World(pair, sequenced=sequenced)
    held_back: list[Message] = []
    acts: list[tuple[str, str]] = []
    for place, (day, gift) in enumerate(((15, "D"), (30, "E"), (45 + later, None))):
        history = [*([("started", 0.0)] if place == 0 else []), *parts[place]]
        pair.now = START + day * DAY
        plain.hears(*plain.facts(history))
        facts = [*held_back, *mixed.facts(history)]
        keep = chance.randrange(len(facts)) if late and gift and len(facts) > 1 else 0
        held_back, facts = facts[len(facts) - keep :], facts[: len(facts) - keep]
        pair.bill(mixed_up(chance, facts))
        pair.receive(mixed_up(chance, pair.said()), batch)
        if gift is not None:
            acts.append((plain.gives(gift), mixed.gives(gift)))
            assume(len({outcome in ("swapped", "assigned") for outcome in acts[-1]}) == 1)
    assert mixed.picture() == plain.picture()


def test_then_a_renewal_does_not_take_the_old_number_back(pair: Pair) -> None:
    """N9: licensing goes on naming A; the subscription has D, and A is kept for a day and then is free."""
    pair.now = START + 15 * DAY
    world = World(pair)
    started, renewed, expired, reactivated = world.facts(
        [("started", 0), ("renewed", 20), ("expired", 21), ("reactivated", 22)]
    )
    world.hears(started)
    assert world.gives("D") == "swapped"
    assert world.picture()["A"] == ("reserved", "mine", "swapped", START + 16 * DAY, None)
    pair.now = START + 22 * DAY
    world.hears(renewed, expired, reactivated)
    seen = world.picture()
    assert (seen["A"], seen["D"], seen["refused"]) == (("available",), ("assigned", "mine"), None)


def test_then_the_next_swap_of_billing_counts_from_what_people_gave(pair: Pair) -> None:
    """N9: billing swaps A, which it believes to be there, for B: D is given up for it, and A is left alone."""
    pair.now = START + 20 * DAY
    world = World(pair)
    started, swapped = world.facts([("started", 0), ("swapped", 20)])
    pair.now = START + 15 * DAY
    world.hears(started)
    world.gives("D")
    pair.now = START + 20 * DAY + timedelta(hours=1)
    world.hears(swapped)
    seen = world.picture()
    assert seen["B"] == ("assigned", "mine")
    assert seen["D"] == ("reserved", "mine", "swapped", START + 21 * DAY, None)
    assert seen["A"] == ("available",)


def test_then_what_was_dismissed_is_not_asked_for_again_until_it_is_named_anew(pair: Pair) -> None:
    """S6: neither a renewal nor the number's being free brings it back; a swap of billing to it does."""
    pair.now = START + 1 * DAY
    world = World(pair)
    number, id_ = world.numbers["A"], world.billing.subscription_id
    pair.act(number, decide=lambda n: by_hand.lock(n, "kept", DEFAULT, pair.now))
    world.hears(*world.facts([("started", 0)]))
    assert world.picture()["refused"] == "number-is-locked"
    run(pair.numbers, lambda: pair.now, lambda uow: dismiss_refusal(uow, id_, "not wanted", BY_HAND))
    assert world.picture()["refused"] is None
    pair.act(number, decide=lambda n: by_hand.unlock(n, "free", DEFAULT, pair.now))
    world.hears(*world.facts([("renewed", 1), ("expired", 1), ("reactivated", 1)]))
    assert (world.picture()["A"], world.picture()["refused"]) == (("available",), None)
    world.hears(*world.facts([("swapped", 1), ("swapped", 1), ("swapped", 1)]))
    assert world.picture()["A"] == ("assigned", "mine")


@pytest.mark.parametrize("told_first", [True, False])
def test_then_giving_another_number_ends_the_refusal(pair: Pair, told_first: bool) -> None:
    """S6: it waits for the locked number no more; unlocked, that one stays free."""
    pair.now = START + 1 * DAY
    world = World(pair)
    number = world.numbers["A"]
    pair.act(number, decide=lambda n: by_hand.lock(n, "kept", DEFAULT, pair.now))
    started, renewed = world.facts([("started", 0), ("renewed", 1)])
    world.hears(started)
    assert world.gives("D") == "assigned"
    assert world.picture()["refused"] is None
    if told_first:
        world.hears(renewed)
    pair.act(number, decide=lambda n: by_hand.unlock(n, "free", DEFAULT, pair.now))
    world.hears(renewed)
    assert (world.picture()["A"], world.picture()["D"]) == (("available",), ("assigned", "mine"))
