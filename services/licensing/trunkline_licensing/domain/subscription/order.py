"""The order of a subscription's facts, and what all of them together come to (X4, DOMAIN §10.12, D10.14).

Facts are folded in the order of their sequence, or of their time where any of them lacks a sequence. Where the
sequence orders them, an end (an expiry, a termination) counts from its own instant and not before it: a fact that is
numbered after the end and dated before it is folded before it, and a renewal or reactivation among these overtakes the
end. At one instant the sequence alone decides. Without sequences the order of time says the same by itself, and
nothing overtakes.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import Counter, deque
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from heapq import heappop, heappush
from itertools import accumulate
from typing import Any

from trunkline.clock import rfc3339
from trunkline.errors import Refused
from trunkline_licensing.domain.subscription.errors import NotExpired, Overtaken
from trunkline_licensing.domain.subscription.facts import After, AnyFact, Name, NumberSwapped, apply

Order = Callable[[AnyFact], tuple[Any, ...]]
Verdict = tuple[AnyFact, Refused | None]


def by_time(fact: AnyFact) -> tuple[Any, ...]:
    """The order of facts of which not all have a sequence; source and id only make it certain."""
    return (fact.at, fact.RANK, fact.source, fact.id)


def by_sequence(fact: AnyFact) -> tuple[Any, ...]:
    """The order of facts that all have a sequence."""
    return (fact.sequence, fact.at, fact.RANK, fact.source, fact.id)


def order_open(one: AnyFact, other: AnyFact, order: Order) -> bool:
    """Whether the order does not decide which of two swaps comes first: then their numbers do."""
    swaps = isinstance(one, NumberSwapped) and isinstance(other, NumberSwapped)
    return swaps and order(one)[:-2] == order(other)[:-2]


def fold(facts: Iterable[AnyFact], scheduled: Iterable[AnyFact] = ()) -> tuple[After | None, list[Verdict]]:
    """What facts come to, whatever the order they are given in (X4, DOMAIN §10.12).

    Args:
        facts: those whose instant has come.
        scheduled: those that lie ahead. They do not count; a reactivation that overtakes one of them is not refused
            for want of anything to reactivate.

    Returns:
        The subscription after the facts (None without a start), and each fact in its order with its refusal, if any.
    """
    found = list(facts)
    sequenced = all(fact.sequence is not None for fact in found)
    order: Order = by_sequence if sequenced else by_time
    overtaken, overtaking = overtakes([*found, *scheduled]) if sequenced else ({}, frozenset[Name]())
    after: After | None = None
    verdicts: list[Verdict] = []
    for group in _groups(sorted(found, key=_late_ends(found) if sequenced else by_time), order):
        chain = _Chain(group) if len(group) > 1 else None
        for first in group:
            fact = first if chain is None else chain.take(after.number if after is not None else None)
            outcome = apply(after, fact)
            if isinstance(outcome, After):
                if (by := overtaken.get(fact.name)) is not None:
                    outcome = Overtaken(kind=fact.KIND, at=rfc3339(fact.at), by=by.KIND, since=rfc3339(by.at))
            elif isinstance(outcome, NotExpired) and after is not None and fact.name in overtaking:
                outcome = after
            if isinstance(outcome, After):
                after = outcome
            verdicts.append((fact, outcome if isinstance(outcome, Refused) else None))
    return after, verdicts


def overtakes(facts: Collection[AnyFact]) -> tuple[dict[Name, AnyFact], frozenset[Name]]:
    """Which ends are overtaken and by what, and the names of all facts that overtake one (D10.14).

    A renewal or a reactivation overtakes an end of the same organization that has a lower sequence and is dated
    later: billing has taken the end back before it came.
    """
    ends = [fact for fact in facts if fact.ENDS and fact.sequence is not None]
    goes_on = [fact for fact in facts if fact.CONTINUES and fact.sequence is not None]
    if not ends or not goes_on:
        return {}, frozenset()
    overtaken: dict[Name, AnyFact] = {}
    overtaking: set[Name] = set()
    for organization_id in {fact.organization_id for fact in ends}:
        mine = sorted((fact for fact in ends if fact.organization_id == organization_id), key=by_time)
        others = sorted((fact for fact in goes_on if fact.organization_id == organization_id), key=by_time)
        instants = [fact.at for fact in others]
        highest = list(accumulate(others, _higher))
        for end in mine:
            upto = bisect_left(instants, end.at)
            if upto and _sequence(highest[upto - 1]) > _sequence(end):
                overtaken[end.name] = highest[upto - 1]
        instants = [fact.at for fact in mine]
        lowest = list(accumulate(reversed(mine), _lower))[::-1]
        for fact in others:
            since = bisect_right(instants, fact.at)
            if since < len(mine) and _sequence(lowest[since]) < _sequence(fact):
                overtaking.add(fact.name)
    return overtaken, frozenset(overtaking)


def _higher(one: AnyFact, other: AnyFact) -> AnyFact:
    return max(one, other, key=by_sequence)


def _lower(one: AnyFact, other: AnyFact) -> AnyFact:
    return min(one, other, key=by_sequence)


def _sequence(fact: AnyFact) -> int:
    assert fact.sequence is not None
    return fact.sequence


def _late_ends(facts: Sequence[AnyFact]) -> Order:
    """The order by sequence in which an end comes after what is numbered after it and dated before it (D10.14)."""
    dated = sorted(facts, key=by_time)
    instants = [fact.at for fact in dated]
    highest = list(accumulate((_sequence(fact) for fact in dated), max))

    def order(fact: AnyFact) -> tuple[Any, ...]:
        if not fact.ENDS:
            return by_sequence(fact)
        earlier = bisect_left(instants, fact.at)
        return (max(_sequence(fact), highest[earlier - 1] if earlier else 0), *by_time(fact))

    return order


def _groups(ordered: Sequence[AnyFact], order: Order) -> Iterator[list[AnyFact]]:
    """The facts in their order; swaps among which the order does not decide come together."""
    group: list[AnyFact] = []
    for fact in ordered:
        if group and not order_open(group[0], fact, order):
            yield group
            group = []
        group.append(fact)
    if group:
        yield group


class _Chain:
    """Swaps whose order is open, each after the one that brings the number it gives up.

    The next one is that which gives up the number held now; else one whose old number no other of them brings; else
    the first in the given order.
    """

    def __init__(self, group: Sequence[AnyFact]) -> None:
        self._swaps = [swap for swap in group if isinstance(swap, NumberSwapped)]
        self._giving_up: dict[str, deque[int]] = {}
        for index, swap in enumerate(self._swaps):
            self._giving_up.setdefault(swap.old_number, deque()).append(index)
        self._brought = Counter(swap.new_number for swap in self._swaps)
        self._unbrought = [i for i, swap in enumerate(self._swaps) if not self._brought[swap.old_number]]
        self._left = list(range(len(self._swaps)))
        self._done: set[int] = set()

    def take(self, held: str | None) -> AnyFact:
        """The next swap, where the subscription holds this number."""
        index = None if held is None else _first_left(self._giving_up.get(held, deque()), self._done)
        if index is None:
            index = _least_left(self._unbrought, self._done)
        if index is None:
            index = _least_left(self._left, self._done)
        assert index is not None
        self._done.add(index)
        swap = self._swaps[index]
        self._brought[swap.new_number] -= 1
        if not self._brought[swap.new_number]:
            for freed in self._giving_up.get(swap.new_number, ()):
                heappush(self._unbrought, freed)
        return swap


def _first_left(indexes: deque[int], done: Collection[int]) -> int | None:
    while indexes and indexes[0] in done:
        indexes.popleft()
    return indexes[0] if indexes else None


def _least_left(heap: list[int], done: Collection[int]) -> int | None:
    while heap and heap[0] in done:
        heappop(heap)
    return heap[0] if heap else None
