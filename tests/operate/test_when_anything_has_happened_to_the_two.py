"""When billing, people and time have done anything to subscriptions and numbers: nothing of it is taken for drift.

A person may give a subscription another number than billing's, or say that it need not have one; a swap may be refused;
a number may have come too late. Licensing hears nothing of that, and need not (O7, X4, N9, S6).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from itertools import count
from random import Random
from typing import Any
from uuid import uuid4

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.end_to_end.pair import BY_HAND, Billing, Pair, prepare_licensing, prepare_numbers
from tests.end_to_end.saga import shuffled, world_of
from trunkline.cli.reconcile.compare import COMPARING, side_by_side
from trunkline.cli.reconcile.difference import Difference
from trunkline.errors import Refused
from trunkline.eventstore.unit_of_work import UnitOfWork, run
from trunkline.operations.reconciliation.records import LINES
from trunkline.operations.reconciliation.routes import Holding, listed
from trunkline.projections.runner import ProjectionRunner
from trunkline_licensing.api.reconciliation import HOLDINGS as OF_LICENSING
from trunkline_numbers.api.reconciliation import HOLDINGS as OF_NUMBERS
from trunkline_numbers.application.manual_assignment import dismiss_refusal, give, swap
from trunkline_numbers.application.retry_dependents import serve_waiting
from trunkline_numbers.domain.number import operator_commands as by_hand
from trunkline_numbers.domain.policy import DEFAULT

START = datetime(2026, 1, 1, tzinfo=UTC)
ORG = str(uuid4())
fresh = count(66_000_000)


class Compared(Pair):
    """The pair, with views, so that what each holds can be listed."""

    def __init__(self, licensing_url: str, numbers_url: str) -> None:
        super().__init__(licensing_url, numbers_url, START)
        self._views = [
            ProjectionRunner(self.licensing, self.licensing_service.views),
            ProjectionRunner(self.numbers, self.numbers_service.views),
        ]
        for views in self._views:
            views.prepare()

    def close(self) -> None:
        for views in self._views:
            views.resign()
        super().close()

    def differences(self, subscription: str) -> list[Difference]:
        """What does not agree of a subscription and its numbers."""
        for views in self._views:
            while views.step():
                pass
        licensing = _lines("licensing", self.licensing.url, OF_LICENSING["subscriptions"], subscription)
        numbers = _lines("numbers", self.numbers.url, OF_NUMBERS["subscriptions"], subscription)
        compare = COMPARING["subscriptions"].compare
        return [found for key, *lines in side_by_side(licensing, numbers) for found in compare(key, *lines)]


def _lines(service: str, url: str, holding: Holding, key: str) -> list[Any]:
    _, _, lines = b"".join(listed(url, holding, [key])).partition(b"\n")
    decoder: msgspec.json.Decoder[Any] = msgspec.json.Decoder(LINES["subscriptions"][service])
    return decoder.decode_lines(lines)


@pytest.fixture(scope="module")
def pair(databases: Any) -> Iterator[Compared]:
    """One for all examples: each has numbers and a subscription of its own."""
    urls = databases.create(prepare_licensing), databases.create(prepare_numbers)
    found = Compared(*urls)
    found.register(*world_of(ORG, str(uuid4())))
    found.talk()
    yield found
    found.close()
    for url in urls:
        databases.drop(url)


class Life:
    """One subscription, three numbers it may have, and another subscription that may be quicker."""

    def __init__(self, pair: Compared, chance: Random) -> None:
        self.pair, self.chance = pair, chance
        self.mine, self.other = Billing(ORG, sequenced=chance.random() < 0.5), Billing(ORG)
        self.numbers = [f"+65{next(fresh)}" for _ in range(3)]
        pair.add(*chance.sample(self.numbers, chance.randint(1, 3)))
        self.day = 0

    def billing(self, what: str) -> None:
        """Billing says something, perhaps late."""
        say, at = self.mine, START + timedelta(days=self.chance.randint(0, self.day))
        if what == "started":
            self.pair.bill([say.started(START, self.numbers[0])])
        elif what == "taken":
            self.pair.bill([self.other.started(at, self.chance.choice(self.numbers))])
        elif what == "swapped":
            old, new = self.chance.sample(self.numbers, 2)
            self.pair.bill([say.swapped(at, old, new)])
        else:
            self.pair.bill([getattr(say, what)(at)])

    def person(self, what: str) -> None:
        """A person does something, if it can be done."""
        key, number = self.mine.subscription_id, self.chance.choice(self.numbers)
        if what in ("lock", "unlock", "release"):
            do: Callable[..., Any] = getattr(by_hand, what)
            with suppress(Refused):
                self.pair.act(number, decide=lambda n: do(n, "why", DEFAULT, self.pair.now))
            return

        def decide(uow: UnitOfWork) -> None:
            if what == "give":
                give(uow, key, number, None, BY_HAND, DEFAULT)
            elif what == "swap":
                swap(uow, key, number, self.chance.choice(self.numbers), None, BY_HAND, DEFAULT)
            else:
                dismiss_refusal(uow, key, None, BY_HAND)
            serve_waiting(uow, BY_HAND)

        with suppress(Refused):
            run(self.pair.numbers, lambda: self.pair.now, decide)

    def act(self, what: str) -> None:
        """Whatever it is."""
        if what == "time":
            self.day += self.chance.randint(1, 60)
            self.pair.pass_to(START + timedelta(days=self.day))
        elif what == "heard":
            self.pair.receive(shuffled(self.chance, self.pair.said()))
        elif what in PEOPLE:
            self.person(what)
        else:
            self.billing(what)


PEOPLE = ("give", "swap", "dismiss", "lock", "unlock", "release")
BILLING = ("taken", "swapped", "expired", "reactivated", "terminated", "renewed")
acts = st.lists(st.sampled_from((*PEOPLE, *BILLING, "swapped", "time", "heard", "heard", "heard")), max_size=10)


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(before=acts, after=acts, seed=st.integers(0, 2**32))
def test_then_nothing_is_named_once_all_is_heard(
    pair: Compared, before: list[str], after: list[str], seed: int
) -> None:
    """O7, X4, N9, S6: both agree on the subscription and its numbers, whatever they went through to get there."""
    pair.now = START + timedelta(hours=1)
    life = Life(pair, Random(seed))
    for what in (*(w for w in before if w not in ("give", "swap")), "started", "heard", *after, "heard"):
        life.act(what)
    assert pair.differences(life.mine.subscription_id) == []
    assert pair.differences(life.other.subscription_id) == []
