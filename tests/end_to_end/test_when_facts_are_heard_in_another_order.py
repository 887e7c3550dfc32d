"""When facts arrive in another order than they happened in, histories end alike (X4, N9, S6, §10.12, §10.17)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import count, permutations
from typing import Any
from uuid import uuid4

import pytest

from tests.end_to_end.pair import BY_HAND, Billing, Pair, prepare_licensing, prepare_numbers
from trunkline.contracts import billing, licensing, parties
from trunkline.contracts.cloudevents.message import Message
from trunkline.eventstore.unit_of_work import UnitOfWork, run
from trunkline_numbers.application.paid_reservations import extend_by
from trunkline_numbers.application.retry_dependents import serve_waiting
from trunkline_numbers.domain.number import operator_commands as by_hand
from trunkline_numbers.domain.number.bindings import bind
from trunkline_numbers.domain.number.state import Number, Party
from trunkline_numbers.domain.policy import CURRENT, DEFAULT, POLICY, Policy, apply_policy
from trunkline_numbers.domain.subscription.subscription import SUBSCRIPTION
from trunkline_numbers.message_handlers import binding_requests

DAY = timedelta(days=1)
START = datetime(2026, 1, 1, tzinfo=UTC)
ORGANIZATION, OTHER, PARTNER = str(uuid4()), str(uuid4()), str(uuid4())
fresh = count(71_000_000)


@pytest.fixture(scope="module")
def pair(databases: Any) -> Iterator[Pair]:
    """One pair for all histories: each uses numbers and subscriptions of its own."""
    urls = databases.create(prepare_licensing), databases.create(prepare_numbers)
    found = Pair(*urls, START)
    found.register(
        parties.PartnerRegistered(partner_id=PARTNER, name="P", owner_email="o@p.example", support_email="s@p.example"),
        *(
            parties.OrganizationRegistered(
                organization_id=organization, partner_id=PARTNER, name="O", billing_email="b@o.example"
            )
            for organization in (ORGANIZATION, OTHER)
        ),
    )
    found.talk()
    yield found
    found.close()
    for url in urls:
        databases.drop(url)


class Told(Billing):
    """What billing says of one subscription, in days."""

    def fact(self, what: str, day: float, *numbers: str) -> Message:
        return getattr(self, what)(START + day * DAY, *numbers)  # type: ignore[no-any-return]

    def reserves(self, day: float, quantity: int) -> Message:
        at = START + day * DAY
        return self._say("started", at, billing.DidReservationStarted, quantity=quantity, plan_days=300)


class World:
    """Numbers A, B and C, there since day 0, and whoever wants them."""

    def __init__(self, pair: Pair) -> None:
        self.pair = pair
        self.numbers = {name: f"+65{next(fresh)}" for name in "ABC"}
        self.names: dict[str, str] = {ORGANIZATION: "own", OTHER: "other"}
        pair.now = START
        pair.add(*self.numbers.values())

    def subscription(self, name: str, organization_id: str = ORGANIZATION) -> Told:
        told = Told(organization_id)
        self.names[told.subscription_id] = name
        return told

    def passes_to(self, day: float, *, timers: bool = True) -> World:
        if timers:
            self.pair.pass_to(START + day * DAY)
        else:
            self.pair.now = START + day * DAY
        return self

    def hears(self, *facts: Message) -> World:
        for fact in facts:
            self.pair.bill([fact])
            self.pair.talk()
        return self

    def number(self, name: str) -> Number:
        return self.pair.number(self.numbers[name])

    def seen(self, name: str) -> dict[str, Any]:
        """All that can be seen of a number, with names for ids and days for instants."""
        n = self.number(name)
        life: dict[str, Any] = {"state": n.state, "last": self.names.get(n.last_organization_id or "")}
        fields = ("since", "ends_at", "free_ends_at", "notice_at", "quarantined_until")
        for field in fields:
            at = getattr(n.life, field, None)
            life[field] = None if at is None else round((at - START) / DAY, 6)
        for field in ("subscription_id", "reserver_id", "cover_id"):
            life[field] = self.names.get(getattr(n.life, field, None) or "")
        life["cause"] = getattr(n.life, "cause", None)
        life["bound"] = [b.kind for b in n.bindings]
        return {key: value for key, value in life.items() if value not in (None, [])}

    def picture(self) -> dict[str, Any]:
        return {name: self.seen(name) for name in self.numbers}

    def refused(self, told: Billing) -> str | None:
        return self.pair.refused(told.subscription_id)

    def binds(self, name: str) -> None:
        """Licensing asks for the number, for an extension of its own."""
        asked = licensing.NumberBindingRequested(
            extension_id=str(uuid4()),
            organization_id=ORGANIZATION,
            number=self.numbers[name],
            user_id=None,
            generation=1,
        )
        kind, key = "NumberBindingRequested", asked.extension_id
        message = Message(key, licensing.SOURCE, kind, key, self.pair.now, 1, None, None, asked)
        self.does(lambda uow: binding_requests.handle(uow, [message]))
        assert [b.extension_id for b in self.number(name).bindings] == [key]

    def serves_a_trunk(self, name: str) -> None:
        """A person lets the number serve a trunk user."""
        user, now = str(uuid4()), self.pair.now
        number = self.numbers[name]
        self.pair.act(number, decide=lambda n: bind(n, "trunk", user, ORGANIZATION, DEFAULT, now))
        assert [b.user_id for b in self.number(name).bindings] == [user]

    def does(self, act: Callable[[UnitOfWork], Any]) -> None:
        run(self.pair.numbers, lambda: self.pair.now, act)


def orders(facts: Sequence[Any], fixed: int = 0) -> Iterator[tuple[Any, ...]]:
    """Every order of the facts; the first ones keep their places."""
    for order in permutations(range(fixed, len(facts))):
        yield (*range(fixed), *order)


def own_paid_reservation(pair: Pair) -> World:
    """B is the organization's own reservation since day 0.1; a DID reservation subscription pays for it."""
    world = World(pair)
    world.paying = world.subscription("paying")  # type: ignore[attr-defined]
    world.passes_to(0.1).hears(world.paying.reserves(0.1, 1))  # type: ignore[attr-defined]
    party = Party(ORGANIZATION, "organization", PARTNER)
    b = world.numbers["B"]
    pair.act(b, decide=lambda n: by_hand.reserve(n, party, "kept", DEFAULT, pair.now))

    def extends(uow: UnitOfWork) -> None:
        extend_by(uow, world.paying.subscription_id, b, None, BY_HAND, DEFAULT)  # type: ignore[attr-defined]
        serve_waiting(uow, BY_HAND)

    world.does(extends)
    return world


def test_then_a_swap_that_is_refused_after_all_leaves_no_trace_on_a_paid_reservation(pair: Pair) -> None:
    """N9, N4, §10.12: B is as if nobody had touched it, and the termination's reservation of A stands."""
    for order in orders(range(3)):
        world = own_paid_reservation(pair)
        before = world.seen("B")
        assert before["cover_id"] == "paying"
        s = world.subscription("mine")
        facts = [
            s.fact("started", 0.5, world.numbers["A"]),
            s.fact("swapped", 1.5, world.numbers["A"], world.numbers["B"]),
            s.fact("terminated", 1),
        ]
        world.passes_to(2).hears(*(facts[place] for place in order))
        assert world.seen("B") == before, order
        assert world.seen("A")["cause"] == "terminated"
        covers = UnitOfWork(pair.numbers, pair.now).state(SUBSCRIPTION, world.paying.subscription_id).covers  # type: ignore[attr-defined]
        assert list(covers) == [world.numbers["B"]]


def test_then_a_renewal_heard_meanwhile_moves_the_end_of_what_is_undone(pair: Pair) -> None:
    """N4, §10.12: the reservation's subscription was renewed while the number was believed to be assigned."""
    world = own_paid_reservation(pair)
    s = world.subscription("mine")
    a, b = world.numbers["A"], world.numbers["B"]
    world.passes_to(2).hears(s.fact("started", 0.5, a), s.fact("swapped", 1.5, a, b))
    paying = world.paying  # type: ignore[attr-defined]
    until = START + 500 * DAY
    world.hears(paying._say("renewed", START + 2 * DAY, billing.Renewed, renewed_until=until))
    world.hears(s.fact("terminated", 1))
    assert (world.seen("B")["state"], world.seen("B")["ends_at"]) == ("reserved", 500)


def test_then_an_assignment_that_did_not_count_brings_no_quarantine(pair: Pair) -> None:
    """N15, §10.12: B was never assigned, whatever was believed for a while."""

    def quarantine(days: int) -> Callable[[UnitOfWork], None]:
        def apply(uow: UnitOfWork) -> None:
            policy = Policy(quarantine_days={"SG": days} if days else {})
            uow.record(POLICY, CURRENT, apply_policy(uow.state(POLICY, CURRENT), policy, None, uow.now), BY_HAND)

        return apply

    world = World(pair)
    world.does(quarantine(90))
    try:
        s = world.subscription("mine")
        before = world.seen("B")
        a, b = world.numbers["A"], world.numbers["B"]
        world.passes_to(2).hears(s.fact("started", 0.5, a), s.fact("swapped", 1.5, a, b))
        assert world.seen("B")["state"] == "assigned"
        world.hears(s.fact("terminated", 1))
        assert world.seen("B") == before
    finally:
        world.does(quarantine(0))


def test_then_a_swap_repeated_under_a_new_id_does_not_touch_the_old_number(pair: Pair) -> None:
    """N9: A is free again since day 2; the subscription has B."""
    world = World(pair)
    s = world.subscription("mine")
    a, b = world.numbers["A"], world.numbers["B"]
    world.hears(s.fact("started", 0, a)).passes_to(1).hears(s.fact("swapped", 1, a, b)).passes_to(5)
    before = world.picture()
    assert (before["A"]["state"], before["A"]["since"]) == ("available", 2)
    assert world.hears(s.fact("swapped", 4.9, a, b)).picture() == before


@pytest.mark.parametrize(
    ("history", "since"),
    [
        ([("expired", 10), ("reactivated", 70)], 70),
        ([("swapped", 10, "A", "B"), ("swapped", 20, "B", "A")], 20),
    ],
)
def test_then_a_binding_ends_alike(pair: Pair, history: list[Any], since: float) -> None:
    """§10.17, X5: the number was free, or another's, in between; the binding ended then and is not restored."""
    pictures = []
    for order in [None, *orders(history)]:
        world = World(pair)
        s = world.subscription("mine")
        world.passes_to(0).hears(s.fact("started", 0, world.numbers["A"]))
        world.passes_to(5).binds("A")
        facts = [s.fact(what, day, *(world.numbers[name] for name in names)) for what, day, *names in history]
        if order is None:
            for (_, day, *_), fact in zip(history, facts, strict=True):
                world.passes_to(day).hears(fact)
            world.passes_to(80)
        else:
            world.passes_to(80).hears(*(facts[place] for place in order))
        pictures.append(world.picture())
    assert pictures[0]["A"] == {"state": "assigned", "last": "own", "since": since, "subscription_id": "mine"}
    assert all(picture == pictures[0] for picture in pictures)


def test_then_a_binding_that_its_expiry_only_suspended_comes_back(pair: Pair) -> None:
    """§10.17, X5: expired and reactivated within 56 days, in either order; a later fact takes nothing away."""
    pictures = []
    for order in orders(range(2)):
        world = World(pair)
        s = world.subscription("mine")
        world.hears(s.fact("started", 0, world.numbers["A"])).passes_to(5).serves_a_trunk("A")
        facts = [s.fact("expired", 10), s.fact("reactivated", 30)]
        world.passes_to(80).hears(*(facts[place] for place in order)).hears(s.fact("renewed", 80))
        pictures.append(world.seen("A"))
    assert pictures[0]["bound"] == ["trunk"]
    assert pictures[0]["since"] == 30
    assert pictures[0] == pictures[1]


def test_then_a_termination_ends_a_binding_that_the_expiry_had_suspended(pair: Pair) -> None:
    """X5, §10.5, §10.17: also where the reservation keeps the end that the expiry gave it."""
    for order in orders(range(2)):
        world = World(pair)
        s = world.subscription("mine")
        a, b, _ = world.numbers.values()
        world.hears(s.fact("started", 0, a)).passes_to(2).hears(s.fact("swapped", 2, a, b))
        world.passes_to(31).serves_a_trunk("B")
        facts = [s.fact("expired", 32), s.fact("terminated", 32.25)]
        world.passes_to(40).hears(*(facts[place] for place in order))
        assert (world.seen("B")["cause"], world.seen("B")["ends_at"]) == ("expired", 88)
        assert "bound" not in world.seen("B")


def test_then_who_waited_gets_a_number_that_was_free_before_its_reactivation(pair: Pair) -> None:
    """S6, X4: at day 66 it went to the one that waited, whether the expiry or the reactivation is heard first."""
    pictures = []
    for order in orders(range(2)):
        world = World(pair)
        s, waiting = world.subscription("mine"), world.subscription("waiting", OTHER)
        a = world.numbers["A"]
        world.hears(s.fact("started", 0, a)).passes_to(30).hears(waiting.fact("started", 30, a))
        facts = [s.fact("expired", 10), s.fact("reactivated", 70)]
        world.passes_to(80, timers=False).hears(*(facts[place] for place in order))
        pictures.append((world.seen("A"), world.refused(s), world.refused(waiting)))
    assert pictures[0][0]["subscription_id"] == "waiting"
    assert pictures[0][0]["since"] == 66
    assert pictures[0] == pictures[1]


@pytest.mark.parametrize("expires", [False, True])
def test_then_a_chain_back_to_a_number_that_somebody_else_has_leaves_the_last_one(pair: Pair, expires: bool) -> None:
    """N9: the swap C to A is refused, so that C stays, whichever of the last swaps is heard first."""
    for order in orders(range(3 if expires else 2)):
        world = World(pair)
        s, other = world.subscription("mine"), world.subscription("theirs", OTHER)
        a, b, c = world.numbers.values()
        world.passes_to(1).hears(s.fact("started", 1, a)).passes_to(2).hears(s.fact("swapped", 2, a, b))
        world.passes_to(3.5).hears(other.fact("started", 3.5, a))
        facts = [s.fact("swapped", 3, b, c), s.fact("swapped", 4, c, a)]
        if expires:
            facts.append(s.fact("expired", 5))
        world.passes_to(6).hears(*(facts[place] for place in order))
        assert world.seen("A")["subscription_id"] == "theirs"
        assert (world.seen("B")["state"], world.seen("B")["since"]) == ("available", 4)
        if expires:
            assert (world.seen("C")["cause"], world.seen("C")["ends_at"]) == ("expired", 61)
        else:
            assert (world.seen("C")["subscription_id"], world.seen("C")["since"]) == ("mine", 3)
            assert world.refused(s) == "number-taken"


@pytest.mark.parametrize("end", ["terminated", "expired"])
def test_then_two_subscriptions_have_a_number_in_turn(pair: Pair, end: str) -> None:
    """X4, S6: the end of the first one heard last; nobody acted on the number in between."""
    pictures = []
    for order in orders(range(4), fixed=1):
        world = World(pair)
        first, second = world.subscription("first"), world.subscription("second")
        a = world.numbers["A"]
        facts = [first.fact("started", 0, a), first.fact("terminated", 10)]
        facts += [second.fact("started", 40, a), second.fact(end, 50)]
        world.hears(facts[0]).passes_to(60).hears(*(facts[place] for place in order[1:]))
        pictures.append(world.picture())
    assert pictures[0]["A"]["subscription_id"] == "second"
    assert pictures[0]["A"]["ends_at"] == (78 if end == "terminated" else 106)
    assert all(picture == pictures[0] for picture in pictures)


def test_then_what_somebody_did_in_between_stands(pair: Pair) -> None:
    """Decision 8: a person locked the number, and unlocked it, so that what was refused then is not taken later."""
    world = World(pair)
    first, second = world.subscription("first"), world.subscription("second", OTHER)
    a = world.numbers["A"]
    world.hears(first.fact("started", 0, a)).passes_to(40).hears(second.fact("started", 40, a))
    world.passes_to(50).hears(second.fact("terminated", 50), first.fact("expired", 2))
    world.passes_to(59)
    pair.act(a, decide=lambda n: by_hand.lock(n, "checked", DEFAULT, pair.now))
    pair.act(a, decide=lambda n: by_hand.unlock(n, "checked", DEFAULT, pair.now))
    world.hears(first.fact("terminated", 1))
    assert world.seen("A") == {"state": "available", "last": "own", "since": 59}


@pytest.mark.parametrize("swap", [5, 5 + 1 / 86_400])
def test_then_a_fact_of_no_duration_leaves_what_one_of_a_second_leaves(pair: Pair, swap: float) -> None:
    """§3, §10.12: started and swapped at one instant; the first number is reserved for a day from then on."""
    for order in orders(range(2)):
        world = World(pair)
        s = world.subscription("mine")
        a, b, _ = world.numbers.values()
        facts = [s.fact("started", 5, a), s.fact("swapped", swap, a, b)]
        world.passes_to(5.5).hears(*(facts[place] for place in order))
        seen = world.picture()
        assert (seen["A"]["state"], seen["A"]["cause"]) == ("reserved", "swapped")
        assert (seen["A"]["since"], seen["A"]["ends_at"]) == (round(swap, 6), round(swap + 1, 6))
        assert (seen["B"]["subscription_id"], seen["B"]["since"]) == ("mine", round(swap, 6))


def test_then_a_swap_through_a_number_at_one_instant_leaves_it_reserved(pair: Pair) -> None:
    """§3, §10.12: A to B to C at one instant; B was had for no time, and has its day."""
    pictures = []
    for order in orders(range(3)):
        world = World(pair)
        s = world.subscription("mine")
        a, b, c = world.numbers.values()
        facts = [s.fact("started", 1, a), s.fact("swapped", 5, a, b), s.fact("swapped", 5, b, c)]
        world.passes_to(5.5).hears(*(facts[place] for place in order))
        pictures.append(world.picture())
    assert {name: seen["state"] for name, seen in pictures[0].items()} == {
        "A": "reserved",
        "B": "reserved",
        "C": "assigned",
    }
    assert all(picture == pictures[0] for picture in pictures)


def test_then_a_start_repeated_under_a_new_id_leaves_since_when_it_is_assigned(pair: Pair) -> None:
    """X4, §3: the later start is refused once the earlier one is heard."""
    pictures = []
    for order in orders(range(2)):
        world = World(pair)
        s = world.subscription("mine")
        a = world.numbers["A"]
        facts = [s.fact("started", 11, a), s.fact("started", 12, a)]
        world.passes_to(20).hears(*(facts[place] for place in order))
        pictures.append(world.seen("A"))
    assert pictures[0]["since"] == 11
    assert pictures[0] == pictures[1]


def test_then_a_start_heard_late_does_not_take_a_number_for_a_time_in_which_it_was_not_free(pair: Pair) -> None:
    """§10.10, S6: it was reserved for somebody else by a person until day 28."""
    world = World(pair)
    a, b, _ = world.numbers.values()
    party = Party(OTHER, "organization", PARTNER)
    pair.act(a, decide=lambda n: by_hand.reserve(n, party, "kept", DEFAULT, pair.now))
    s = world.subscription("mine")
    started, swapped = s.fact("started", 5, a), s.fact("swapped", 6, a, b)
    world.passes_to(25).hears(swapped).passes_to(31)
    before = world.seen("A")
    assert before == {"state": "available", "since": 28}
    assert world.hears(started).seen("A") == before
    assert world.seen("B")["subscription_id"] == "mine"
