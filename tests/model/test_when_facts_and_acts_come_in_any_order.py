"""When several subscriptions and people's acts meet on few numbers, every order ends as the oracle does (X4, §10.12).

A hundred generated histories, each in order and in two other orders with repetitions and timers that have not run:
chains of swaps, paid reservations, bindings, facts that the fold refuses, several facts at one instant, facts that are
received days before their instants. Everything visible is compared: states, since when, ends, cover, quarantine,
bindings, who waits, each fact's verdict, what is scheduled, the rows of the views; histories go forward without
notices of what has passed (N4, N9, N10, N15, S3, S6, X5, D10.14).
`python -m tests.model.campaign` plays as many as one likes.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.end_to_end.pair import Pair, prepare_licensing, prepare_numbers
from tests.model.convergence.checking import Example, check, examples
from tests.model.convergence.describing import described
from tests.model.convergence.facts import DAY, Fact, Sold
from tests.model.convergence.histories import History, Step
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


def played(facts: list[Fact], days: list[tuple[int, int]], last_day: int) -> Example:
    """An example of its own: on which day each fact, by its id, is received."""
    by_id = {fact.id: fact for fact in facts}
    sold = {name: Sold("O1", rank) for rank, name in enumerate(sorted({fact.subscription for fact in facts}))}
    steps = tuple(Step(day, (by_id[id_],), timers=True) for day, id_ in days)
    return Example(0, History(sold, tuple(facts), (), last_day=last_day), steps, 0)


def test_then_what_was_had_before_another_got_it_is_kept(stage: Stage) -> None:
    """X4, S6: S had A for no time, T has it afterwards and leaves it; S gave B up at its swap all the same."""
    facts = [
        Fact(1, "S", "started", 2 * DAY + 8, number="B"),
        Fact(2, "S", "swapped", 88 * DAY + 19, old="B", number="A"),
        Fact(3, "S", "expired", 88 * DAY + 19),
        Fact(4, "T", "started", 93 * DAY + 12, 1, number="A"),
        Fact(5, "T", "swapped", 159 * DAY + 12, 4, old="C", number="D"),
    ]
    example = played(facts, [(2, 1), (93, 4), (102, 3), (126, 2), (166, 5)], 180)
    assert check(stage, [example])[0].differs == ()


def test_then_an_expiry_that_is_overtaken_leaves_no_trace(stage: Stage) -> None:
    """X4, §10.12, §10.14: received in turn, the expiry counted until the reactivation overtook it."""
    facts = [
        Fact(1, "S", "started", 1, 1, number="A"),
        Fact(2, "S", "expired", 35 * DAY + 13, 6),
        Fact(3, "S", "reactivated", 35 * DAY + 13, 7),
    ]
    assert check(stage, [played(facts, [(0, 1), (35, 2), (35, 3)], 40)])[0].differs == ()


AHEAD = [
    Fact(1, "S", "started", 1, 1, number="A"),
    Fact(2, "S", "terminated", 30 * DAY + 5, 2),
    Fact(3, "S", "renewed", 20 * DAY + 5, 3, until=60 * DAY),
    Fact(4, "S", "swapped", 25 * DAY + 5, 4, old="A", number="B"),
    Fact(5, "T", "started", 27 * DAY + 5, 1, number="A"),
    Fact(6, "T", "expired", 40 * DAY + 5, 2),
]
"""S's end is taken back by a renewal; T starts with what S gives up."""


@pytest.mark.parametrize("last_day", [5, 22, 26, 28, 35, 45])
@pytest.mark.parametrize(
    "days",
    [
        [(0, 1), (2, 2), (3, 3), (3, 4), (4, 5), (4, 6)],
        [(0, 6), (0, 5), (1, 4), (2, 3), (3, 2), (4, 1)],
        [(0, 1), (1, 2), (4, 4), (4, 6), (4, 5), (30, 3)],
    ],
)
def test_then_what_lies_ahead_is_scheduled_until_its_instant(
    stage: Stage, days: list[tuple[int, int]], last_day: int
) -> None:
    """D10.14, X4: on each day it is as if what is ahead had not been received, but for its being on record."""
    received = [(day, id_) for day, id_ in days if day <= last_day]
    facts = [fact for fact in AHEAD if fact.id in {id_ for _, id_ in received}]
    checked = check(stage, [played(facts, received, last_day)])[0]
    assert (checked.undetermined, checked.differs) == (None, ())
