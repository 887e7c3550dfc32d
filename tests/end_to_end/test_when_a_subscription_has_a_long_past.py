"""When a subscription has swapped thousands of times: each fact costs what the first did; what is long past is settled.

A fact that arrives late moves the numbers of the newest 32 swaps; those given up before them it leaves as they are.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any
from uuid import uuid4

import pytest

from tests.end_to_end.pair import BY_HAND, Billing, Pair, prepare_licensing, prepare_numbers
from trunkline.clock import DAY
from trunkline.contracts import billing, parties
from trunkline.contracts.cloudevents.message import Message
from trunkline.eventstore.unit_of_work import UnitOfWork, run
from trunkline.limits import PAST_KEPT
from trunkline_numbers.application.paid_reservations import extend_by
from trunkline_numbers.application.parties import load_parties, party_of
from trunkline_numbers.domain.number import operator_commands
from trunkline_numbers.domain.number.number import NUMBER
from trunkline_numbers.domain.number.state import Available
from trunkline_numbers.domain.policy import DEFAULT
from trunkline_numbers.domain.subscription.events import CoversFrom
from trunkline_numbers.domain.subscription.paid_reservations import _Walk
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
    sent = Billing(ORGANIZATION, sequenced=False)
    pair.now = START + (swaps + 1) * HOUR
    facts = [sent.started(START, numbers[0])]
    facts += [sent.swapped(START + n * HOUR, numbers[n - 1], numbers[n]) for n in range(1, swaps + 1)]
    pair.bill(facts)
    pair.talk()
    return sent, numbers


def known(pair: Pair, sent: Billing) -> Subscription:
    """What numbers knows of the subscription."""
    uow = UnitOfWork(pair.numbers, pair.now)
    uow.load([(SUBSCRIPTION, sent.subscription_id)])
    return uow.state(SUBSCRIPTION, sent.subscription_id)


def arrives_late(pair: Pair, sent: Billing, numbers: list[str], hour: float) -> None:
    """Billing's swap to the number that is nobody's, between two others."""
    pair.bill([sent.swapped(START + hour * HOUR, numbers[int(hour)], numbers[-1])])
    pair.talk()


@pytest.mark.parametrize("swaps", [PAST_KEPT, 5 * PAST_KEPT])
def test_then_each_fact_concerns_as_many_numbers_as_before(pair: Pair, swaps: int) -> None:
    """X4: what is read, walked through and kept for a fact has a bound, whatever the subscription's past."""
    sent, numbers = swapping(pair, swaps)
    s = known(pair, sent)
    assert s.terms is not None
    assert (s.terms.number, numbers_of(s)[0]) == (numbers[-2], numbers[-2])
    assert max(len(numbers_of(s)), len(s.grants), len(s.served), len(s.denied)) <= PAST_KEPT
    assert s.ever_served == numbers[:-1]
    assert pair.picture(numbers[-2], {}) == ("assigned", None)


def test_then_a_late_swap_among_the_newest_ones_counts(pair: Pair) -> None:
    """X4, N9: the number was had for half an hour, and kept for a day after it."""
    sent, numbers = swapping(pair, 2 * PAST_KEPT)
    late = 2 * PAST_KEPT - 5
    arrives_late(pair, sent, numbers, late + 0.5)
    life: Any = pair.number(numbers[-1]).life
    assert (life.subscription_id, life.since) == (sent.subscription_id, START + (late + 1) * HOUR)


def test_then_a_late_swap_from_before_them_moves_no_number(pair: Pair) -> None:
    """X4: it is on licensing's record; the numbers of that time are settled, and stay as they are."""
    sent, numbers = swapping(pair, 2 * PAST_KEPT)
    before = [pair.number(number).life for number in numbers]
    arrives_late(pair, sent, numbers, 3.5)
    assert [pair.number(number).life for number in numbers] == before
    assert isinstance(before[-1], Available)
    assert pair.refused(sent.subscription_id) is None


def renewing(pair: Pair, renewals: int) -> tuple[str, list[str], list[Message]]:
    """A DID reservation subscription that pays for two numbers, and its renewals, one an hour."""
    pair.now = START
    numbers = [f"+65{next(fresh)}" for _ in range(2)]
    pair.add(*numbers)
    paying = Paying(str(uuid4()))
    pair.bill([paying.send("started", START, billing.DidReservationStarted, quantity=2, plan_days=30)])
    pair.talk()

    def extend(uow: UnitOfWork) -> None:
        load_parties(uow, [ORGANIZATION])
        party = party_of(uow, ORGANIZATION)
        assert party is not None
        for number in numbers:
            reserved = operator_commands.reserve(uow.state(NUMBER, number), party, "kept", DEFAULT, uow.now)
            uow.record(NUMBER, number, reserved, BY_HAND)
            extend_by(uow, paying.id, number, None, BY_HAND, DEFAULT)

    run(pair.numbers, lambda: pair.now, extend)
    pair.now = START + renewals * HOUR
    instants = [START + n * HOUR for n in range(1, renewals + 1)]
    facts = [paying.send("renewed", at, billing.Renewed, renewed_until=at + 60 * DAY) for at in instants]
    return paying.id, numbers, facts


def version_of(pair: Pair, number: str) -> int:
    """How many events the number's stream has."""
    return UnitOfWork(pair.numbers, pair.now).get(NUMBER, number).version


@dataclass
class Paying:
    """What billing sends of a DID reservation subscription."""

    id: str
    sequence: int = 0

    def send(self, kind: str, at: datetime, data: Any, **fields: Any) -> Message:
        """The next fact of it."""
        self.sequence += 1
        about = data(subscription_id=self.id, organization_id=ORGANIZATION, **fields)
        type_ = f"billing.subscription.{kind}"
        return Message(str(uuid4()), "/billing", type_, self.id, at, self.sequence, None, None, about)


@pytest.mark.parametrize("renewals", [100, 400])
def test_then_a_batch_of_renewals_walks_through_the_past_once(
    pair: Pair, monkeypatch: pytest.MonkeyPatch, renewals: int
) -> None:
    """N4: the work of a batch grows with its facts, not with their square: one step and one end for each."""
    _, numbers, facts = renewing(pair, renewals)
    walked: list[CoversFrom] = []
    step = _Walk.step

    def counted(walk: _Walk, each: CoversFrom) -> None:
        walked.append(each)
        step(walk, each)

    monkeypatch.setattr(_Walk, "step", counted)
    pair.bill(facts)
    before = [version_of(pair, number) for number in numbers]
    pair.talk()
    assert len(walked) <= renewals + 2
    for number, version in zip(numbers, before, strict=True):
        life: Any = pair.number(number).life
        assert life.ends_at == facts[-1].data.renewed_until
        assert version_of(pair, number) - version == renewals
