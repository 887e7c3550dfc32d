"""Where facts and acts put the numbers: each counts at its own instant, in the order of instants, exactly once.

Plain and slow on purpose. There is no order of hearing here: everything is folded again from the beginning, as if
each fact had been known at its instant (X4, D10.10, D10.12). What falls due is settled before what comes at that
instant, and whoever waits for a number is served first, oldest start first (S6, N10).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from tests.model.convergence.acts import Acts
from tests.model.convergence.facts import Act, Fact, Hours, Sold, fold
from tests.model.convergence.inventory import Bought, Inventory
from tests.model.convergence.numbers import Line


@dataclass
class Outcome:
    """Everything that is visible at an instant, and what fairness needs to know of the way there."""

    now: Hours
    lines: dict[str, Line]
    bought: dict[str, Bought]
    acts: dict[Act, tuple[bool, tuple[Line, ...]]]
    open: bool
    """Whether the rules leave open what happened."""
    held: list[tuple[str, str, Hours, Hours]] = field(default_factory=list)
    """(subscription, number, from, to) of each time that a number was held."""
    waited: list[tuple[str, str, Hours, Hours]] = field(default_factory=list)
    """(subscription, number, from, to) of each time that a subscription waited for a number (S6)."""
    taken_back: list[tuple[str, str, Hours, Hours]] = field(default_factory=list)
    """(subscription, number, from, to) of each time that a number was reserved again that had run out (D10.10)."""


def outcome(
    facts: Iterable[Fact],
    acts: Iterable[Act],
    now: Hours,
    *,
    sold: Mapping[str, Sold],
    quarantine: Hours = 0,
) -> Outcome:
    """Fold everything from the beginning up to an instant. A fact ahead of that instant does not count yet (D10.14)."""
    stock = Inventory(dict(sold), quarantine)
    by_hand = Acts(stock)
    for at, item in _in_order([fact for fact in facts if fact.at <= now], acts, sold):
        if at > now:
            break
        stock.settle(at)
        if isinstance(item, Fact):
            stock.apply(item)
        else:
            by_hand.do(item)
    stock.settle(now)
    stock.close_books(now)
    return Outcome(now, stock.lines, stock.bought, by_hand.done, stock.open, stock.held, stock.waited, stock.taken_back)


def _in_order(facts: Iterable[Fact], acts: Iterable[Act], sold: Mapping[str, Sold]) -> list[tuple[Hours, Fact | Act]]:
    """Facts that count and acts, by instant; at one instant facts come before acts, a subscription's in its order.

    What is added at an instant is there for the facts of that instant.
    """
    by_subscription: dict[str, list[Fact]] = {}
    for fact in facts:
        by_subscription.setdefault(fact.subscription, []).append(fact)
    items: list[tuple[tuple[int, int, int, int], Fact | Act]] = []
    for subscription, mine in by_subscription.items():
        counted, _ = fold(mine)
        newest = 0
        for index, fact in enumerate(counted):
            newest = max(newest, fact.at)
            items.append(((newest, 0, sold[subscription].rank, index), fact))
    items += [((act.at, -1 if act.kind == "add" else 1, index, 0), act) for index, act in enumerate(acts)]
    items.sort(key=lambda item: item[0])
    return [(key[0], item) for key, item in items]
