"""When several subscriptions and people's acts meet on few numbers, every order ends as the oracle does (X4, §10.12).

A hundred generated histories, each in order and in two other orders with repetitions and timers that have not run:
chains of swaps, paid reservations, bindings, facts that the fold refuses, several facts at one instant. Everything
visible is compared: states, since when, ends, cover, quarantine, bindings, and who waits (N4, N9, N15, S6, X5).
`python -m tests.model.campaign` plays as many as one likes.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.end_to_end.pair import Pair, prepare_licensing, prepare_numbers
from tests.model.convergence.checking import check, examples
from tests.model.convergence.describing import described
from tests.model.convergence.product import START
from tests.model.convergence.stage import Stage

EXAMPLES = 300


@pytest.fixture(scope="module")
def stage(databases: Any) -> Iterator[Stage]:
    """A pair of services for all histories: each plays on numbers of its own."""
    urls = databases.create(prepare_licensing), databases.create(prepare_numbers)
    pair = Pair(*urls, START)
    yield Stage(pair)
    pair.close()
    for url in urls:
        databases.drop(url)


def test_then_each_order_ends_where_the_oracle_does(stage: Stage) -> None:
    """X4, S3, S6, N9, N10, §10.10, §10.12: what differs is shown with its history."""
    checked = check(stage, examples(range(EXAMPLES)))
    wrong = [
        "\n".join([f"example {c.example.number}", *described(c.example.history, c.example.steps), *c.differs])
        for c in checked
        if c.differs
    ]
    assert not wrong, "\n".join(wrong)
    decided = sum(c.undetermined is None for c in checked)
    assert decided > EXAMPLES // 2, "the generator makes mostly orders that the rules leave open"
