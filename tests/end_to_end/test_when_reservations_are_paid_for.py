"""When a DID reservation subscription pays for reservations: the same numbers, the same ends, in any order (N4, X4)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import count
from random import Random
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.end_to_end.pair import BY_HAND, Billing, Pair, prepare_licensing, prepare_numbers
from trunkline.contracts import billing, parties
from trunkline.contracts.cloudevents.message import Message
from trunkline.errors import Refused
from trunkline.eventstore.unit_of_work import UnitOfWork, run
from trunkline_numbers.application.paid_reservations import extend_by
from trunkline_numbers.application.retry_dependents import serve_waiting
from trunkline_numbers.domain.number import operator_commands as by_hand
from trunkline_numbers.domain.number.state import Available, Party
from trunkline_numbers.domain.policy import DEFAULT
from trunkline_numbers.domain.subscription.subscription import SUBSCRIPTION

DAY = timedelta(days=1)
START = datetime(2026, 1, 1, tzinfo=UTC)
ORGANIZATION, PARTNER = str(uuid4()), str(uuid4())
fresh = count(80_000_000)


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


class Did(Billing):
    """What billing says of a DID reservation subscription with a plan of 30 days."""

    def fact(self, what: str, day: float, how: int) -> Message:
        """`how`: the quantity, or after how many days a renewal ends."""
        at = START + day * DAY
        match what:
            case "started":
                return self._say(what, at, billing.DidReservationStarted, quantity=how, plan_days=30)
            case "renewed":
                return self._say(what, at, billing.Renewed, renewed_until=at + how * DAY)
            case "quantity_changed":
                return self._say(what, at, billing.QuantityChanged, quantity=how)
            case _:
                return getattr(self, what)(at)  # type: ignore[no-any-return]


class World:
    """Three numbers reserved for 28 days from day 0 on, and a subscription that some of them are extended by."""

    def __init__(self, pair: Pair, reserver: Party | None = None) -> None:
        self.pair = pair
        self.did = Did(ORGANIZATION)
        self.numbers = {name: f"+65{next(fresh)}" for name in "ABC"}
        pair.now = START
        pair.add(*self.numbers.values())
        party = reserver or Party(ORGANIZATION, "organization", PARTNER)
        pair.act(*self.numbers.values(), decide=lambda n: by_hand.reserve(n, party, "asked for", DEFAULT, pair.now))

    def hears(self, *facts: tuple[str, float, int]) -> World:
        """In order, once, each at its instant, the timers running on time."""
        for fact in facts:
            self.passes_to(max(fact[1], (self.pair.now - START) / DAY))
            self.pair.bill([self.did.fact(*fact)])
            self.pair.talk()
        return self

    def passes_to(self, day: float) -> World:
        self.pair.pass_to(START + day * DAY)
        return self

    def extends(self, name: str) -> str | None:
        """The code of the refusal, if it is one."""

        def act(uow: UnitOfWork) -> None:
            extend_by(uow, self.did.subscription_id, self.numbers[name], None, BY_HAND, DEFAULT)
            serve_waiting(uow, BY_HAND)

        try:
            run(self.pair.numbers, lambda: self.pair.now, act)
        except Refused as refused:
            return refused.code
        return None

    def ends(self) -> dict[str, float | None]:
        """The day on which each reservation ends; None: it is over."""
        seen = {name: self.pair.picture(number, {}) for name, number in self.numbers.items()}
        return {name: (p[3] - START) / DAY if p[0] == "reserved" else None for name, p in seen.items()}

    def picture(self) -> dict[str, Any]:
        """Where each number is; of one whose reservation is over, since when."""
        self.pair.pass_to(self.pair.now)
        lives = {name: self.pair.number(number).life for name, number in self.numbers.items()}
        free = {name: (life.since,) if isinstance(life, Available) else () for name, life in lives.items()}
        return {name: (*self.pair.picture(number, {}), *free[name]) for name, number in self.numbers.items()}


def mixed_up(chance: Random, items: list[Any]) -> list[Any]:
    """The items in any order, some of them twice."""
    again = [chance.choice(items) for _ in range(chance.randrange(3))] if items else []
    return chance.sample([*items, *again], len(items) + len(again))


whats = st.one_of(
    st.tuples(st.just("renewed"), st.sampled_from([10, 30, 60])),
    st.tuples(st.just("quantity_changed"), st.integers(0, 4)),
    st.tuples(st.sampled_from(["expired", "reactivated", "terminated"]), st.just(0)),
    st.tuples(st.just("renewed"), st.sampled_from([20, 30])),
)
histories = st.lists(st.tuples(st.integers(8, 80), whats), max_size=6).map(
    lambda steps: [(what, day, how) for day, (what, how) in sorted(steps, key=lambda step: step[0])]
)


@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    quantity=st.integers(1, 3),
    history=histories,
    later=st.integers(1, 40),
    seed=st.integers(0, 2**32),
    batch=st.sampled_from([1, 2, 500]),
    timers=st.booleans(),
)
def test_then_the_same_numbers_are_covered_until_the_same_instant_in_any_order(
    pair: Pair, quantity: int, history: list[Any], later: int, seed: int, batch: int, timers: bool
) -> None:
    """N4, X4, §10.10: renewals, quantities and ends heard late, twice, in any order, the timers on time or down."""
    chance = Random(seed)
    end = (history[-1][1] if history else 8) + later
    plain, mixed = World(pair), World(pair)
    for world in (plain, mixed):
        pair.now = START
        world.hears(("started", 0, quantity))
        for day, name in ((5, "A"), (6, "B"), (7, "C")):
            world.passes_to(day)
            world.extends(name)
    pair.now = START + 7 * DAY
    plain.hears(*history).passes_to(end)
    facts = mixed_up(chance, [mixed.did.fact(*fact) for fact in history])
    if timers:
        mixed.passes_to(end)
    pair.now = START + end * DAY
    cut = chance.randrange(len(facts) + 1)
    for part in (facts[:cut], facts[cut:]):
        pair.bill(part)
        pair.receive(mixed_up(chance, pair.said()), batch)
    assert mixed.picture() == plain.picture()


def test_then_extending_adds_the_plan_to_the_end_and_a_renewal_moves_it(pair: Pair) -> None:
    """N4, N5, §10.6: 28 free days and 30 charged ones; renewed until day 70, the end is that, with a new notice."""
    world = World(pair).hears(("started", 0, 1)).passes_to(10)
    assert world.extends("A") is None
    assert world.ends() == {"A": 58, "B": 28, "C": 28}
    world.hears(("renewed", 40, 30))
    assert world.picture()["A"] == ("reserved", None, "manual", START + 70 * DAY, START + 63 * DAY)


def test_then_a_unit_covers_one_number_and_is_free_again_with_it(pair: Pair) -> None:
    """N4: the second number is refused, and so is the first a second time; released, it frees the unit."""
    world = World(pair).hears(("started", 0, 1)).passes_to(10)
    assert [world.extends("A"), world.extends("B"), world.extends("A")] == [None, "nothing-spare", "covered-already"]
    pair.act(world.numbers["A"], decide=lambda n: by_hand.release(n, "not needed", DEFAULT, pair.now))
    assert world.extends("B") is None
    state = UnitOfWork(pair.numbers, pair.now).state(SUBSCRIPTION, world.did.subscription_id)
    assert list(state.covers) == [world.numbers["B"]]


def test_then_a_lower_quantity_takes_the_cover_of_those_extended_last(pair: Pair) -> None:
    """N4: at that instant; one is past its free end and released, the other goes back to its free end."""
    world = World(pair).hears(("started", 0, 3)).passes_to(10)
    assert [world.extends(name) for name in "CAB"] == [None] * 3
    world.hears(("quantity_changed", 20, 2))
    assert world.ends() == {"A": 58, "B": 28, "C": 58}
    world.hears(("quantity_changed", 40, 1))
    assert world.ends() == {"A": None, "B": None, "C": 58}


@pytest.mark.parametrize("how", ["expired", "terminated"])
def test_then_its_end_ends_only_the_charged_part(pair: Pair, how: str) -> None:
    """N4: within the free period the free end stands; after it, the number is released at that instant."""
    world = World(pair).hears(("started", 0, 2)).passes_to(10)
    world.extends("A")
    world.hears((how, 20, 0))
    assert world.ends()["A"] == 28
    other = World(pair).hears(("started", 0, 2)).passes_to(10)
    other.extends("A")
    other.hears((how, 40, 0))
    life = pair.number(other.numbers["A"]).life
    assert (other.ends()["A"], life.since) == (None, START + 40 * DAY)  # type: ignore[union-attr]


def test_then_an_end_heard_late_counts_from_its_own_instant(pair: Pair) -> None:
    """N4, §10.10: expired on day 40, heard on day 50: released since day 40, not since day 50."""
    world = World(pair).hears(("started", 0, 1)).passes_to(10)
    world.extends("A")
    world.passes_to(50)
    world.hears(("expired", 40, 0))
    life = pair.number(world.numbers["A"]).life
    assert (world.ends()["A"], life.since) == (None, START + 40 * DAY)  # type: ignore[union-attr]


def test_then_a_renewal_heard_when_the_end_is_over_keeps_the_number_again(pair: Pair) -> None:
    """N4, §10.10: billing renews as the period ends, and is heard after it; unless somebody has acted since."""
    world = World(pair).hears(("started", 0, 2)).passes_to(10)
    world.extends("A")
    world.extends("B")
    world.passes_to(59)
    assert world.ends() == {"A": None, "B": None, "C": None}
    pair.act(world.numbers["B"], decide=lambda n: by_hand.lock(n, "checked", DEFAULT, pair.now))
    world.hears(("renewed", 58, 30))
    assert world.ends() == {"A": 88, "B": None, "C": None}
    assert world.picture()["B"] == ("locked",)


def test_then_a_partners_reservation_is_extended_by_an_organization_of_its_branch(pair: Pair) -> None:
    """N4, §10.8: the reservation stays the partner's, and serves any organization of its branch."""
    world = World(pair, Party(PARTNER, "partner", PARTNER)).hears(("started", 0, 1)).passes_to(10)
    assert world.extends("A") is None
    assert world.ends()["A"] == 58
    taker = Billing(ORGANIZATION)
    pair.bill([taker.started(START + 10 * DAY, world.numbers["A"])])
    pair.talk()
    assert pair.picture(world.numbers["A"], {taker.subscription_id: "taker"}) == ("assigned", "taker")
    assert world.extends("B") is None, "its unit is free again"


@pytest.mark.parametrize(("how", "code"), [("expired", "subscription-not-active"), ("unknown", None)])
def test_then_only_an_active_did_reservation_subscription_extends(pair: Pair, how: str, code: str | None) -> None:
    """N4: an expired one does not; one for a number is of another kind."""
    world = World(pair).hears(("started", 0, 1))
    if how == "expired":
        world.hears(("expired", 10, 0))
        assert world.extends("A") == code
        return
    world.did.subscription_id = (other := Billing(ORGANIZATION)).subscription_id
    pair.bill([other.started(START, world.numbers["B"])])
    pair.talk()
    assert world.extends("A") == "subscription-of-another-kind"
