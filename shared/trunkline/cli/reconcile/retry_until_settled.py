"""Looking until it is sure: what is on its way is no drift (O7, X4).

Both services are busy while they are compared. Whatever differs at first sight is only suspected, and looked at
again: it is a difference if it was the same at two looks, on both sides, and between the two each service had heard
everything that the other had said before. What changed meanwhile is looked at once more; what never stood still is
told as moving.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from typing import Any, Final, Protocol

import msgspec
from msgspec.structs import replace

from trunkline.cli.reconcile.compare import COMPARING, Pair
from trunkline.cli.reconcile.difference import Difference, Kind
from trunkline.operations.reconciliation.records import Subject

LOOKS: Final = 5
"""How often a thing that changes is looked at again."""
MOST: Final = 10_000
"""Suspects that are looked at again: with more, something is wrong at large, and memory is bounded."""

Tell = Callable[[Subject, int], None]
"""Told now and then how many things of a subject have been read."""
_EVERY: Final = 500

Suspects = dict[tuple[Subject, str], tuple[Any, Any]]
"""(subject, key) -> what licensing and what numbers says of it."""


class Unsettled(Exception):
    """It cannot be known now whether all has been heard; the message says what is missing."""


class Sides(Protocol):
    """Both services, as they are read."""

    def everything(self, subject: Subject) -> Iterator[Pair]:
        """All that either holds, sorted by key; each thing as it was at some instant of the reading."""
        ...

    def some(self, subject: Subject, keys: list[str]) -> Iterator[Pair]:
        """These things, each as it is now on both sides; what neither has is left out.

        Raises:
            Unsettled: a service cannot say how it is now.
        """
        ...

    def exchange(self) -> None:
        """Wait until each side has heard all that the other has said so far.

        Raises:
            Unsettled: that takes too long.
        """
        ...


class Report(msgspec.Struct, frozen=True):
    """How two services agree.

    Attributes:
        counted: how many there are to agree on, of each kind.
        differences: what differs.
        moving: what differed at each look, and could not be judged; `because` says why.
        unjudged: how many more differed at first sight, of each kind: too many to be looked at again.
    """

    counted: Mapping[Kind, int]
    differences: list[Difference]
    moving: list[Difference]
    unjudged: Mapping[Kind, int] = {}

    @property
    def agrees(self) -> bool:
        """Whether it is shown that nothing differs."""
        return not (self.differences or self.moving or self.unjudged)


def reconcile(
    sides: Sides, report: Tell = lambda _subject, _done: None, *, looks: int = LOOKS, most: int = MOST
) -> Report:
    """Hold both sides against each other.

    Args:
        sides: read whole once, when what was on its way has arrived, and what is suspected again.
        report: of the progress.
        looks: how often something that changes is looked at again.
        most: suspects that are looked at again.
    """
    counted: Counter[Kind] = Counter()
    unjudged: Counter[Kind] = Counter()
    suspects: Suspects = {}
    with suppress(Unsettled):  # told below, of whatever is suspected
        sides.exchange()
    for subject, comparing in COMPARING.items():
        for index, (key, licensing, numbers) in enumerate(sides.everything(subject)):
            counted.update(comparing.kinds(licensing, numbers))
            if different := comparing.compare(key, licensing, numbers):
                if len(suspects) < most:
                    suspects[subject, key] = licensing, numbers
                else:
                    unjudged.update(each.kind for each in different)
            if index % _EVERY == 0:
                report(subject, index)
    differences, moving = look_again(sides, suspects, looks)
    return Report(counted, differences, moving, unjudged)


def look_again(sides: Sides, suspects: Suspects, looks: int = LOOKS) -> tuple[list[Difference], list[Difference]]:
    """What of the suspects differs, and what of them could not be judged.

    Args:
        sides: as for `reconcile`.
        suspects: as they were at first sight.
        looks: how often at most.
    """
    found: list[Difference] = []
    seen, because = suspects, "it was another at every look"
    try:
        seen = _differing(sides, seen)
        for _ in range(looks):
            if not seen:
                break
            sides.exchange()
            now = _differing(sides, seen)
            found += _described({index: lines for index, lines in now.items() if lines == seen[index]})
            seen = {index: lines for index, lines in now.items() if lines != seen[index]}
    except Unsettled as reason:
        because = str(reason)
    return found, [replace(difference, because=because) for difference in _described(seen)]


def _differing(sides: Sides, suspects: Suspects) -> Suspects:
    """Those that differ now, with what each side says now."""
    keys: dict[Subject, list[str]] = {}
    for subject, key in suspects:
        keys.setdefault(subject, []).append(key)
    return {
        (subject, key): (licensing, numbers)
        for subject, some in keys.items()
        for key, licensing, numbers in sides.some(subject, some)
        if COMPARING[subject].compare(key, licensing, numbers)
    }


def _described(seen: Suspects) -> list[Difference]:
    return [found for (subject, key), lines in seen.items() for found in COMPARING[subject].compare(key, *lines)]
