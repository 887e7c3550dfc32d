"""Which numbers a DID reservation subscription covers, from all that is known of its past (N4, X4).

Licensing says from when on it covered how many, and each renewal; here it is laid beside the numbers in the order in
which they were extended. So it does not matter which word of licensing was heard first, or how late.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Literal

import msgspec

from trunkline_numbers.subscription import Cover, Subscription
from trunkline_numbers.subscription_events import CoversFrom


class Standing(msgspec.Struct, frozen=True):
    """How a number that was extended stands: it is `covered`, its charged end `ran_out`, or it is `freed`; since."""

    how: Literal["covered", "ran_out", "freed"]
    since: datetime


class Renewal(msgspec.Struct, frozen=True):
    """A charged end that moved, and when."""

    ends_at: datetime
    at: datetime


class Judged(msgspec.Struct, frozen=True):
    """What follows: numbers that lost their cover, at that instant; numbers whose end moved; numbers let go of."""

    lost: dict[str, datetime]
    renewed: dict[str, Renewal]
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
        if standings[number].how != "covered":
            moments.append((max(standings[number].since, cover.at), _FREED, place, number))
    for at, kind, _, what in sorted(moments, key=lambda m: m[:3]):
        if isinstance(what, CoversFrom):
            walk.step(what)
        elif kind == _EXTENDED:
            walk.extended(what, at)
        else:
            walk.freed(what, at)
    freed = tuple(n for n in s.covers if standings[n].how == "freed" and n not in walk.lost)
    return Judged(walk.lost, {n: r for n, r in walk.renewed.items() if n not in {*walk.lost, *freed}}, freed)


class _Walk:
    """The subscription's past, walked through once."""

    def __init__(self, covers: Mapping[str, Cover], standings: Mapping[str, Standing]) -> None:
        self._covers, self._standings = covers, standings
        self._units = 0
        self._covered: list[str] = []
        self._ran_out: list[str] = []
        self.lost: dict[str, datetime] = {}
        self.renewed: dict[str, Renewal] = {}

    def step(self, step: CoversFrom) -> None:
        """Another number of units from now on: the numbers extended last lose theirs; or a renewal."""
        self._units = step.units
        while len(self._covered) > step.units:
            self.lost[self._covered.pop()] = step.at
        if step.renewed_until is None:
            return
        again = self._ran_out[: step.units - len(self._covered)]
        self._ran_out = self._ran_out[len(again) :]
        self._covered = [n for n in self._covers if n in {*self._covered, *again}]
        for number in self._covered:
            self.renewed[number] = Renewal(step.renewed_until, step.at)

    def extended(self, number: str, at: datetime) -> None:
        """A number takes a unit; should there have been none, as is known now, it lost it at once."""
        self._covered.append(number)
        if len(self._covered) > self._units:
            self._covered.remove(number)
            self.lost[number] = at

    def freed(self, number: str, at: datetime) -> None:
        """A unit is free again; not of a number whose charged end only seemed to be over."""
        if number not in self._covered:
            return
        renewed = self.renewed.get(number)
        ran_out = self._standings[number].how == "ran_out"
        if ran_out and renewed is not None and renewed.ends_at > at:
            return
        self._covered.remove(number)
        if ran_out:
            self._ran_out.append(number)
