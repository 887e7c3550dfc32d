"""When a subscription has swapped thousands of times: each fact costs what the first did; what is long past is settled.

A fact that arrives late moves the numbers of the newest 32 swaps; those given up before them it leaves as they are.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any
from uuid import uuid4

import pytest

from tests.end_to_end.pair import Billing, Pair, prepare_licensing, prepare_numbers
from trunkline.contracts import parties
from trunkline.eventstore.unit_of_work import UnitOfWork
from trunkline.limits import PAST_KEPT
from trunkline_numbers.domain.number.number import Available
from trunkline_numbers.domain.subscription.subscription import SUBSCRIPTION, Subscription, numbers_of

HOUR = timedelta(hours=1)
START = datetime(2026, 1, 1, tzinfo=UTC)
ORGANIZATION, PARTNER = str(uuid4()), str(uuid4())
fresh = count(76_000_000)


@pytest.fixture(scope="module")
def pair(databases: Any) -> Iterator[Pair]:
    """One pair for all histories: each uses numbers and subscriptions of its own."""
    urls = databases.create(prepare_licensing), databases.create(prepare_numbers)
    found = Pair(*urls, START)
    partner = parties.PartnerRegistered(
        partner_id=PARTNER, name="P", owner_email="o@p.example", support_email="s@p.example"
    )
    organization = parties.OrganizationRegistered(
        organization_id=ORGANIZATION, partner_id=PARTNER, name="O", billing_email="b@o.example"
    )
    found.register(partner, organization)
    found.talk()
    yield found
    found.close()
    for url in urls:
        databases.drop(url)


def swapping(pair: Pair, swaps: int) -> tuple[Billing, list[str]]:
    """A subscription that swaps each hour to the next of its numbers; the last number is nobody's."""
    pair.now = START
    numbers = [f"+65{next(fresh)}" for _ in range(swaps + 2)]
    pair.add(*numbers)
    billing = Billing(ORGANIZATION, sequenced=False)
    pair.now = START + (swaps + 1) * HOUR
    facts = [billing.started(START, numbers[0])]
    facts += [billing.swapped(START + n * HOUR, numbers[n - 1], numbers[n]) for n in range(1, swaps + 1)]
    pair.bill(facts)
    pair.talk()
    return billing, numbers


def known(pair: Pair, billing: Billing) -> Subscription:
    """What numbers knows of the subscription."""
    work = UnitOfWork(pair.numbers, pair.now)
    work.load([(SUBSCRIPTION, billing.subscription_id)])
    return work.state(SUBSCRIPTION, billing.subscription_id)


def arrives_late(pair: Pair, billing: Billing, numbers: list[str], hour: float) -> None:
    """Billing's swap to the number that is nobody's, between two others."""
    pair.bill([billing.swapped(START + hour * HOUR, numbers[int(hour)], numbers[-1])])
    pair.talk()


@pytest.mark.parametrize("swaps", [PAST_KEPT, 5 * PAST_KEPT])
def test_then_each_fact_concerns_as_many_numbers_as_before(pair: Pair, swaps: int) -> None:
    """X4: what is read, walked through and kept for a fact has a bound, whatever the subscription's past."""
    billing, numbers = swapping(pair, swaps)
    s = known(pair, billing)
    assert s.heard is not None
    assert (s.heard.number, numbers_of(s)[0]) == (numbers[-2], numbers[-2])
    assert max(len(numbers_of(s)), len(s.grants), len(s.served), len(s.denied)) <= PAST_KEPT
    assert s.ever_served == numbers[:-1]
    assert pair.picture(numbers[-2], {}) == ("assigned", None)


def test_then_a_late_swap_among_the_newest_ones_counts(pair: Pair) -> None:
    """X4, N9: the number was had for half an hour, and kept for a day after it."""
    billing, numbers = swapping(pair, 2 * PAST_KEPT)
    late = 2 * PAST_KEPT - 5
    arrives_late(pair, billing, numbers, late + 0.5)
    life: Any = pair.number(numbers[-1]).life
    assert (life.subscription_id, life.since) == (billing.subscription_id, START + (late + 1) * HOUR)


def test_then_a_late_swap_from_before_them_moves_no_number(pair: Pair) -> None:
    """X4: it is on licensing's record; the numbers of that time are settled, and stay as they are."""
    billing, numbers = swapping(pair, 2 * PAST_KEPT)
    before = [pair.number(number).life for number in numbers]
    arrives_late(pair, billing, numbers, 3.5)
    assert [pair.number(number).life for number in numbers] == before
    assert isinstance(before[-1], Available)
    assert pair.refused(billing.subscription_id) is None
