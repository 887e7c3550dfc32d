"""When a batch is long enough to be written in parts, the next one decided meanwhile (X3, S6)."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from tests.end_to_end.pair import Billing, Pair
from tests.end_to_end.test_when_billing_comes_in_any_order import ORGANIZATION, START, fresh, pair
from trunkline.messaging.inbox import PART

__all__ = ["pair"]


def test_then_a_part_sees_what_the_one_before_it_did(pair: Pair) -> None:
    """X3, S6: other subscriptions of the next part want the very same numbers, so its first try is a conflict."""
    pair.now = START + timedelta(days=1)
    pair.talk()
    numbers = [f"+65{next(fresh)}" for _ in range(PART)]
    pair.add(*numbers)
    first, second = ([Billing(ORGANIZATION) for _ in numbers] for _ in range(2))
    pair.bill([b.started(START, n) for b, n in zip(first, numbers, strict=True)])
    pair.bill([b.started(START, n) for b, n in zip(second, numbers, strict=True)])
    pair.receive(pair.said(), batch=2 * PART)
    lives: list[Any] = [pair.number(n).life for n in numbers[:: PART // 10]]
    assert [life.subscription_id for life in lives] == [b.subscription_id for b in first[:: PART // 10]]
    assert {pair.refused(b.subscription_id) for b in second[:: PART // 10]} == {"number-taken"}
