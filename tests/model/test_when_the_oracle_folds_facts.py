"""The oracle of convergence against the rules themselves: each history has the end that DOMAIN gives it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tests.model.convergence.facts import DAY, Act, Fact, Hours, Kind, Sold, fold
from tests.model.convergence.fairness import unfair
from tests.model.convergence.numbers import Line
from tests.model.convergence.timeline import Outcome, outcome

SOLD = {"S": Sold("O1", 0), "T": Sold("O2", 1), "U": Sold("O1", 2), "D": Sold("O1", 3)}
ADDED = [Act(0, "add", letter) for letter in "ABCD"]


def fact(subscription: str, kind: Kind, day: float, **more: Any) -> Fact:
    """A fact at a day; its id is made from what it is."""
    at = int(day * DAY)
    return Fact(hash((subscription, kind, at, more.get("number"))), subscription, kind, at, **more)


def ended(*facts: Fact, acts: tuple[Act, ...] = (), day: float = 180, quarantine: int = 0) -> Outcome:
    """Where facts and acts end."""
    return outcome(facts, [*ADDED, *acts], int(day * DAY), sold=SOLD, quarantine=quarantine * DAY)


def stands(line: Line) -> tuple[str, float, float | None, str | None]:
    """State, since and end in days, and whose it is."""
    return line.state, line.since / DAY, line.ends / DAY if line.ends is not None else None, line.subscription


def by_hand(kind: Any, number: str, day: float, **more: Any) -> Act:
    """An act at a day."""
    return Act(int(day * DAY), kind, number, **more)


def started(subscription: str, day: float, number: str = "A") -> Fact:
    return fact(subscription, "started", day, number=number)


def swapped(subscription: str, day: float, old: str, new: str) -> Fact:
    return fact(subscription, "swapped", day, old=old, number=new)


@pytest.mark.parametrize(
    ("facts", "day", "right"),
    [
        ([("expired", 5)], 60, ("reserved", 5, 61, "S")),
        ([("expired", 5)], 61, ("available", 61, None, None)),
        ([("terminated", 5)], 32, ("reserved", 5, 33, "S")),
        ([("expired", 5), ("terminated", 10)], 60, ("reserved", 5, 61, "S")),
        ([("expired", 5), ("terminated", 50)], 60, ("reserved", 50, 78, "S")),
        ([("expired", 5), ("terminated", 70)], 75, ("reserved", 70, 98, "S")),
        ([("expired", 5), ("reactivated", 10)], 60, ("assigned", 10, None, "S")),
        ([("expired", 5), ("reactivated", 70)], 75, ("assigned", 70, None, "S")),
        ([("terminated", 5), ("reactivated", 10)], 20, ("reserved", 5, 33, "S")),
    ],
)
def test_then_periods_are_those_of_the_rules(
    facts: list[tuple[Kind, float]], day: float, right: tuple[Any, ...]
) -> None:
    """N3, §10.5, §10.10, S2."""
    result = ended(started("S", 0), *(fact("S", kind, at) for kind, at in facts), day=day)
    assert stands(result.lines["A"]) == right


def test_then_whoever_waits_comes_before_whoever_comes() -> None:
    """S6, N10 (issue 14, 1): reserved to day 28, S waits since day 10, T starts on day 30."""
    kept = by_hand("reserve", "A", 0, party="O2")
    end = ended(started("S", 10), started("T", 30), acts=(kept,), day=31)
    assert stands(end.lines["A"]) == ("assigned", 28, None, "S")
    assert end.bought["T"].refused == "taken"


def test_then_a_refused_fact_leaves_no_trace() -> None:
    """§10.12, N9 (issue 14, 2): a swap after the termination leaves a paid reservation as it was."""
    paid = (by_hand("reserve", "B", 0, party="O1"), by_hand("extend", "B", 0.25, subscription="D"))
    pays = fact("D", "started", 0, product="did_reservation", quantity=1, plan=30 * DAY)
    without = ended(pays, started("S", 0.5), fact("S", "terminated", 1), acts=paid, day=40)
    with_it = ended(pays, started("S", 0.5), fact("S", "terminated", 1), swapped("S", 1.5, "A", "B"), acts=paid, day=40)
    assert with_it.lines["B"] == without.lines["B"]
    assert stands(with_it.lines["B"]) == ("reserved", 0, 58, None)
    assert with_it.lines["B"].cover == "D"


def test_then_a_swap_repeated_under_a_new_id_touches_nothing() -> None:
    """N9 (issue 14, 3)."""
    again = replace(swapped("S", 4.875, "A", "B"), id=77)
    end = ended(started("S", 0), swapped("S", 1, "A", "B"), again, day=5)
    assert stands(end.lines["A"]) == ("available", 2, None, None)
    assert stands(end.lines["B"]) == ("assigned", 1, None, "S")


def test_then_a_binding_ends_where_its_number_was_free() -> None:
    """X5 (issue 14, 4): it rests with an expiry, comes back in time, and is gone once the number was released."""
    bound = by_hand("bind", "A", 2, user="U")
    in_time = ended(started("S", 0), fact("S", "expired", 10), fact("S", "reactivated", 60), acts=(bound,))
    late = ended(started("S", 0), fact("S", "expired", 10), fact("S", "reactivated", 70), acts=(bound,))
    away = ended(started("S", 0), swapped("S", 10, "A", "B"), swapped("S", 20, "B", "A"), acts=(bound,))
    assert in_time.lines["A"].binding is not None
    assert not in_time.lines["A"].binding.suspended
    assert (late.lines["A"].binding, late.lines["A"].unbound) == (None, "released")
    assert (away.lines["A"].binding, away.lines["A"].unbound) == (None, "swapped")


def test_then_a_chain_of_swaps_stays_where_it_can_go() -> None:
    """N9 (issue 14, 5): A is T's when S would swap back to it."""
    chain = [started("S", 1), swapped("S", 2, "A", "B"), started("T", 3.5), swapped("S", 3, "B", "C")]
    end = ended(*chain, swapped("S", 4, "C", "A"), day=5)
    assert stands(end.lines["C"]) == ("assigned", 3, None, "S")
    assert stands(end.lines["A"]) == ("assigned", 3.5, None, "T")
    assert end.bought["S"].refused == "taken"
    expired = ended(*chain, swapped("S", 4, "C", "A"), fact("S", "expired", 5), day=6)
    assert stands(expired.lines["C"]) == ("reserved", 5, 61, "S")


def test_then_two_in_turn_have_it_in_turn() -> None:
    """S6 (issue 14, 6)."""
    facts = [started("S", 0), fact("S", "terminated", 10), started("T", 40), fact("T", "terminated", 50)]
    end = ended(*facts, day=60)
    assert stands(end.lines["A"]) == ("reserved", 50, 78, "T")


def test_then_what_lasts_no_time_still_follows() -> None:
    """§10.12 (issue 14, 7): started and swapped at one instant leaves a day's reservation."""
    end = ended(started("S", 5), swapped("S", 5, "A", "B"), day=5.5)
    assert stands(end.lines["A"]) == ("reserved", 5, 6, "S")
    assert stands(end.lines["B"]) == ("assigned", 5, None, "S")


def test_then_a_quarantine_keeps_it_for_its_last_organization() -> None:
    """N15: released on day 33, S's organization only until day 43."""
    facts = [started("S", 0), fact("S", "terminated", 5), started("T", 34)]
    assert ended(*facts, day=40, quarantine=10).bought["T"].refused == "quarantined"
    assert stands(ended(*facts, day=44, quarantine=10).lines["A"]) == ("assigned", 43, None, "T")
    assert stands(ended(*facts[:2], started("U", 34), quarantine=10).lines["A"]) == ("assigned", 34, None, "U")


@pytest.mark.parametrize(
    ("later", "right"),
    [
        ([fact("D", "renewed", 40, until=70 * DAY)], ("reserved", 0, 70, None)),
        ([fact("D", "terminated", 40)], ("available", 40, None, None)),
        ([fact("D", "expired", 10)], ("available", 28, None, None)),
        ([fact("D", "quantity_changed", 40, quantity=0)], ("available", 40, None, None)),
        ([], ("available", 58, None, None)),
    ],
)
def test_then_what_is_paid_for_lasts_as_long_as_it_is_paid(later: list[Fact], right: tuple[Any, ...]) -> None:
    """N4, §10.6."""
    paid = (by_hand("reserve", "A", 0, party="O1"), by_hand("extend", "A", 1, subscription="D"))
    pays = fact("D", "started", 0, product="did_reservation", quantity=1, plan=30 * DAY)
    assert stands(ended(pays, *later, acts=paid, day=65).lines["A"]) == right


def test_then_a_fact_ahead_of_the_clock_does_not_count_yet() -> None:
    """D10.14."""
    facts = [started("S", 0), fact("S", "terminated", 20)]
    assert stands(ended(*facts, day=19).lines["A"]) == ("assigned", 0, None, "S")
    assert stands(ended(*facts, day=20).lines["A"]) == ("reserved", 20, 48, "S")


def test_then_facts_are_folded_in_their_own_order_once() -> None:
    """§10.12, S2, S3."""
    facts = [started("S", 1), fact("S", "expired", 2), fact("S", "reactivated", 2), fact("S", "terminated", 3)]
    late = fact("S", "reactivated", 4)
    counted, refused = fold([late, *reversed(facts), facts[0]])
    assert [f.kind for f in counted] == ["started", "expired", "terminated"]
    assert [f.kind for f in refused] == ["reactivated", "reactivated"]
    numbered = [replace(f, sequence=index) for index, f in enumerate(facts)]
    assert [f.kind for f in fold(reversed(numbered))[0]] == ["started", "expired", "reactivated", "terminated"]
    assert fold(reversed(numbered))[1] == []
    apart = [*numbered[:2], replace(numbered[2], at=int(2.5 * DAY)), numbered[3]]
    assert [f.kind for f in fold(reversed(apart))[0]] == ["started", "expired", "reactivated", "terminated"]


def test_then_only_orders_that_the_rules_decide_are_held_to_them() -> None:
    """X4, S6: T known before S was given the number; within one subscription every order is decided."""
    facts = [started("S", 1), started("T", 2)]
    whole = ended(*facts, day=10)

    def again(known: Any, acts: Any, now: Hours) -> Outcome:
        return outcome(known, [*ADDED, *acts], now, sold=SOLD)

    in_turn = [(9 * DAY, (facts[0],)), (9 * DAY, (facts[1],))]
    assert unfair(in_turn, whole, again) is None
    assert unfair(in_turn[::-1], whole, again) is not None
    own = [started("S", 1), fact("S", "expired", 2), fact("S", "reactivated", 3), swapped("S", 4, "A", "B")]
    assert unfair([(9 * DAY, (f,)) for f in reversed(own)], ended(*own, day=10), again) is None
