"""Which numbers a DID reservation subscription covers, from all that is known of its past (N4, X4).

Licensing says from when on it covered how many, and each renewal; here it is laid beside the numbers in the order in
which they were extended. So it does not matter which word of licensing was heard first, or how late.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from itertools import islice

import msgspec

from trunkline_numbers.domain.subscription.events import CoversFrom
from trunkline_numbers.domain.subscription.subscription import Cover, Subscription


class Standing(msgspec.Struct, frozen=True):
    """How a number that was extended stands: until when it is kept for free, or since when it is `freed` altogether.

    One whose charged end ran out, nobody having acted on it since, is not freed: a renewal may keep it again.
    `to_another`: it is freed since a subscription got it when it had run out, as is known so far.
    """

    free_ends_at: datetime | None = None
    freed: datetime | None = None
    to_another: bool = False


class Until(msgspec.Struct, frozen=True):
    """A charged end, and since when it is that."""

    ends_at: datetime
    at: datetime


class Judged(msgspec.Struct, frozen=True):
    """What follows: numbers without a unit since an instant; charged ends of the others; numbers to be let go of."""

    lost: dict[str, datetime]
    kept: dict[str, Until]
    freed: tuple[str, ...]


_FREED, _STEP, _EXTENDED = range(3)
"""What is of one instant, in this order: a unit becomes free before it is counted, and is counted before it is used."""


def judge(s: Subscription, standings: Mapping[str, Standing]) -> Judged:
    """What the subscription's past means for the numbers it was to cover.

    Args:
        s: something has been heard of it.
        standings: of every number in `s.covers`.
    """
    assert s.heard is not None
    walk = _Walk(s.covers, standings)
    moments: list[tuple[datetime, int, int, CoversFrom | str]] = []
    for place, step in enumerate(s.heard.covers):
        moments.append((step.at, _STEP, place, step))
    for place, (number, cover) in enumerate(s.covers.items()):
        moments.append((cover.at, _EXTENDED, place, number))
        if (gone := standings[number].freed) is not None:
            moments.append((max(gone, cover.at), _FREED, place, number))
    for at, kind, _, what in sorted(moments, key=lambda m: m[:3]):
        walk.passes_to(at)
        if isinstance(what, CoversFrom):
            walk.step(what)
        elif kind == _EXTENDED:
            walk.extended(what, at)
        else:
            walk.freed(what)
    freed = tuple(number for number in s.covers if standings[number].freed is not None)
    lost = {
        number: at
        for number, at in walk.lost.items()
        if (gone := standings[number].freed) is None or (standings[number].to_another and at < gone)
    }
    return Judged(lost, {n: walk.until[n] for n in s.covers if n not in lost and standings[n].freed is None}, freed)


class _Walk:
    """The subscription's past, walked through once; numbers in the order in which they took their units."""

    def __init__(self, covers: Mapping[str, Cover], standings: Mapping[str, Standing]) -> None:
        self._covers, self._standings = covers, standings
        self._units = 0
        self._covered: dict[str, None] = {}
        self._ran_out: dict[str, None] = {}
        self._none_ends_before: datetime | None = None
        """No charged end lies before; None: they must be looked at."""
        self.lost: dict[str, datetime] = {}
        self.until = {number: Until(cover.ends_at, cover.at) for number, cover in covers.items()}

    def passes_to(self, at: datetime) -> None:
        """Charged ends that are over by then, as far as was known by then."""
        if self._none_ends_before is not None and at < self._none_ends_before:
            return  # not looked at one by one for each number that is extended
        for number in [number for number in self._covered if self._end(number) <= at]:
            del self._covered[number]
            self._ran_out[number] = None
        self._none_ends_before = min(map(self._end, self._covered), default=None)

    def _end(self, number: str) -> datetime:
        end, free = self.until[number].ends_at, self._standings[number].free_ends_at
        return end if free is None else max(end, free)

    def step(self, step: CoversFrom) -> None:
        """Another number of units from now on: the numbers extended last lose theirs; or a renewal."""
        self._units = step.units
        while len(self._covered) > step.units:
            self.lost[self._covered.popitem()[0]] = step.at
        if step.renewed_until is None:
            return
        for number in list(islice(self._ran_out, step.units - len(self._covered))):
            del self._ran_out[number]
            self._covered[number] = None
        self._covered = {number: None for number in self._covers if number in self._covered}
        for number in self._covered:
            self.until[number] = Until(step.renewed_until, step.at)
        self._none_ends_before = None

    def extended(self, number: str, at: datetime) -> None:
        """A number takes a unit; should there have been none, as is known now, it lost it at once."""
        if len(self._covered) >= self._units:
            self.lost[number] = at
            return
        self._covered[number] = None
        if self._none_ends_before is not None:
            self._none_ends_before = min(self._none_ends_before, self._end(number))

    def freed(self, number: str) -> None:
        """Its unit is free again, for good."""
        self._covered.pop(number, None)
        self._ran_out.pop(number, None)
