"""X5 over the whole pair: requests, answers, withdrawals, documents, subscription facts in any order, and twice.

Whatever was done meanwhile, once all has been heard both services say the same of who has which number; nothing is
lost, nothing is bound twice, nobody waits.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import count
from random import Random
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.end_to_end.pair import Billing, prepare_licensing, prepare_numbers
from tests.end_to_end.saga import BulkRow, NewExtension, Saga, shuffled, world_of
from trunkline_licensing.domain.pool.pool import POOL, pool_key

START = datetime(2026, 1, 1, tzinfo=UTC)
ORG = str(uuid4())
fresh = count(62_000_000)
keys = count(100)


@pytest.fixture(scope="module")
def saga(databases: Any) -> Iterator[Saga]:
    """One pair for all examples: each uses numbers, extensions and subscriptions of its own."""
    urls = databases.create(prepare_licensing), databases.create(prepare_numbers)
    found = Saga(*urls, START)
    found.register(*world_of(ORG, str(uuid4())))
    found.sell(ORG, "phone_system", 90_000)
    found.talk()
    yield found
    found.close()
    for url in urls:
        databases.drop(url)


class World:
    """Three extensions that fight for two numbers; the third number nobody can have."""

    def __init__(self, saga: Saga) -> None:
        self.saga = saga
        self.numbers = [f"+65{next(fresh)}" for _ in range(3)]
        self.subscriptions = [Billing(ORG), Billing(ORG)]
        saga.add(*self.numbers[:2])
        saga.bill(*(s.started(saga.now, n) for s, n in zip(self.subscriptions, self.numbers, strict=False)))
        saga.talk()
        self.extensions = [str(uuid4()) for _ in range(3)]
        self.used = self.units()
        new = [
            NewExtension(extension_id=x, ext_key=str(next(keys)), number=number, bulk=bulk)
            for x, number, bulk in zip(
                self.extensions,
                (None, self.numbers[0], self.numbers[2]),
                (None, BulkRow(str(uuid4()), 1), None),
                strict=True,
            )
        ]
        saga.provision(ORG, new)

    def units(self) -> int:
        allocated: int = self.saga.licensing.state(POOL, pool_key(ORG, "phone_system")).allocated
        return allocated

    def alive(self) -> list[str]:
        return [x for x in self.extensions if self.saga.extension(x).alive]

    def act(self, what: str, chance: Random) -> None:
        """Somebody does something, if it can be done."""
        saga, alive = self.saga, self.alive()
        if what in ("expired", "reactivated", "terminated"):
            facts = chance.choice(self.subscriptions)
            saga.bill(getattr(facts, what)(saga.now))
        elif what == "some":
            saga.some(chance)
        elif what == "silence":
            saga.time_out()
        elif alive:
            self.change(what, chance.choice(alive), chance)

    def change(self, what: str, extension: str, chance: Random) -> None:
        saga = self.saga
        if what == "request":
            saga.request(extension, chance.choice(self.numbers))
        elif what == "remove":
            saga.remove(extension)
        elif what == "assign":
            saga.assign(extension, str(uuid4()))
        elif what == "delete":
            saga.delete(extension)


BY_HAND = ("request", "request", "request", "remove", "assign", "delete")
MEANWHILE = ("some", "some", "some", "expired", "reactivated", "terminated", "silence")
acts = st.sampled_from((*BY_HAND, *MEANWHILE))


@settings(max_examples=80, deadline=None, suppress_health_check=list(HealthCheck))
@given(program=st.lists(acts, max_size=14), seed=st.integers(0, 2**32))
def test_then_both_say_the_same_in_the_end(saga: Saga, program: list[str], seed: int) -> None:
    """X3, X5, L12: whoever has a number has it on both sides, in the same generation and for the same person."""
    chance, world = Random(seed), World(saga)
    for what in program:
        world.act(what, chance)
    saga.gossip(chance)
    saga.check_agreement(world.extensions, world.numbers)
    assert world.units() - world.used == len(world.alive())


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(wishes=st.lists(st.sampled_from(["A", "B", "-"]), min_size=1, max_size=5), seed=st.integers(0, 2**32))
def test_then_the_newest_wish_comes_true(saga: Saga, wishes: list[str], seed: int) -> None:
    """X4, X5: with nobody else in the way, any order ends where in-order, once-only delivery would."""
    chance = Random(seed)
    numbers = {name: f"+65{next(fresh)}" for name in "AB"}
    saga.add(*numbers.values())
    saga.bill(*(Billing(ORG).started(saga.now, number) for number in numbers.values()))
    extension = str(uuid4())
    saga.provision(ORG, [NewExtension(extension_id=extension, ext_key=str(next(keys)))])
    saga.talk()
    for wish in wishes:
        saga.remove(extension) if wish == "-" else saga.request(extension, numbers[wish])
        if chance.random() < 0.5:
            saga.some(chance)
    saga.gossip(chance)
    wanted = numbers.get(wishes[-1])
    assert saga.on(extension) == (None if wanted is None else (wanted, "bound"))
    saga.check_agreement([extension], numbers.values())


def in_order(facts: list[str]) -> str:
    """How a binding stands after these facts of its number's subscription."""
    status = "bound"
    for fact in facts:
        if status == "lost":
            break
        status = {"expired": "suspended", "reactivated": "bound", "terminated": "lost"}.get(fact, status)
    return status


@settings(max_examples=50, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    facts=st.lists(st.sampled_from(["expired", "reactivated", "terminated", "renewed"]), max_size=6),
    seed=st.integers(0, 2**32),
)
def test_then_a_binding_follows_its_subscription_in_any_order(saga: Saga, facts: list[str], seed: int) -> None:
    """X4, X5: suspended, restored or removed as in-order delivery would have it."""
    chance, number, subscription = Random(seed), f"+65{next(fresh)}", Billing(ORG)
    saga.add(number)
    saga.bill(subscription.started(saga.now, number))
    saga.talk()
    extension = str(uuid4())
    saga.provision(ORG, [NewExtension(extension_id=extension, ext_key=str(next(keys)), number=number)])
    saga.talk()
    messages = [getattr(subscription, fact)(saga.now) for fact in facts]
    for message in shuffled(chance, messages):
        saga.bill(message)
        if chance.random() < 0.5:
            saga.some(chance)
    saga.gossip(chance)
    assert saga.on(extension) == (number, in_order(facts))
    saga.check_agreement([extension], [number])
