"""Which numbers a DID reservation subscription covers, from all that is known of its past (N4, X4).

Licensing says from when on it covered how many, and each renewal; here it is laid beside the numbers in the order in
which they were extended. So it does not matter which word of licensing was heard first, or how late.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from itertools import islice, pairwise

import msgspec
from msgspec.structs import replace

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


Walks = dict[str, "_Walk"]
"""Subscription -> how far its past was walked through in this batch."""
_Moment = tuple[datetime, int, int, CoversFrom | str]
_FREED, _STEP, _EXTENDED = range(3)
"""What is of one instant, in this order: a unit becomes free before it is counted, and is counted before it is used."""


def judge(s: Subscription, standings: Mapping[str, Standing], walks: Walks | None = None) -> Judged:
    """What the subscription's past means for the numbers it was to cover.

    Args:
        s: something has been heard of it.
        standings: of every number in `s.covers`.
        walks: those of a batch: steps that follow on what was walked through are all that is walked through then.
    """
    assert s.terms is not None
    before = walks.get(s.subscription_id) if walks is not None else None
    if before is not None and (new := before.followed_by(s, standings)) is not None:
        walk = before
        moments: list[_Moment] = [(step.at, _STEP, index, step) for index, step in new]
    else:
        walk, moments = _Walk(s.covers, standings), _moments(s, standings)
    for at, kind, _, what in moments:
        walk.passes_to(at)
        if isinstance(what, CoversFrom):
            walk.step(what)
        elif kind == _EXTENDED:
            walk.extended(what, at)
        else:
            walk.freed(what)
    walk.ends_with(s.terms.covers, moments[-1] if moments else None)
    if walks is not None:
        walks[s.subscription_id] = walk
    freed = tuple(number for number in s.covers if standings[number].freed is not None)
    lost = {
        number: at
        for number, at in walk.lost.items()
        if (gone := standings[number].freed) is None or (standings[number].to_another and at < gone)
    }
    return Judged(lost, {n: walk.until[n] for n in s.covers if n not in lost and standings[n].freed is None}, freed)


def _moments(s: Subscription, standings: Mapping[str, Standing]) -> list[_Moment]:
    """All that the walk comes to, in order; a step that is dated before the one in front of it comes with that one."""
    assert s.terms is not None
    moments: list[_Moment] = []
    newest = s.terms.started_at
    for index, step in enumerate(s.terms.covers):
        newest = max(newest, step.at)
        moments.append((newest, _STEP, index, step if step.at == newest else replace(step, at=newest)))
    for index, (number, cover) in enumerate(s.covers.items()):
        moments.append((cover.at, _EXTENDED, index, number))
        if (gone := standings[number].freed) is not None:
            moments.append((max(gone, cover.at), _FREED, index, number))
    return sorted(moments, key=lambda m: m[:3])


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
        self._steps: tuple[CoversFrom, ...] = ()
        self._last: tuple[datetime, int, int] | None = None

    def ends_with(self, steps: tuple[CoversFrom, ...], last: _Moment | None) -> None:
        """All of these steps have been walked through; `last`: the last moment of them, if there was a new one."""
        self._steps = steps
        self._last = last[:3] if last is not None else self._last

    def followed_by(self, s: Subscription, standings: Mapping[str, Standing]) -> list[tuple[int, CoversFrom]] | None:
        """The steps that a subscription has since, with their places; None: its past is not the one walked through."""
        assert s.terms is not None
        steps, walked = s.terms.covers, len(self._steps)
        if self._covers != s.covers or self._standings != standings or steps[:walked] != self._steps:
            return None
        new = [(index, steps[index]) for index in range(walked, len(steps))]
        keys = [(step.at, _STEP, index) for index, step in new]
        in_order = all(one < other for one, other in pairwise([*([self._last] if self._last else []), *keys]))
        return new if in_order else None

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
