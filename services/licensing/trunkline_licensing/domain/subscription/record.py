"""The judged facts of one subscription: looked up by name and added to at a cost that does not grow with them."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from trunkline_licensing.domain.subscription.errors import FactDismissed, NumberImpossible, TooFarAhead
from trunkline_licensing.domain.subscription.facts import AnyFact, Name

OUT_OF_ORDER = frozenset((NumberImpossible.code, TooFarAhead.code, FactDismissed.code))
"""Refusals of facts that are never folded with the others."""


class Judged(msgspec.Struct, frozen=True, gc=False):
    """A fact with its verdict: `refused` is the code of the refusal, None where the fact counts."""

    fact: AnyFact
    refused: str | None

    @property
    def takes_part(self) -> bool:
        """Whether the fact is folded with the others.

        One with an impossible number, dated too far ahead, or dismissed by a person while it waited is not.
        """
        return self.refused not in OUT_OF_ORDER


class JudgedFacts:
    """Judged facts in the order of their arrival. A value: adding to it makes another one.

    Versions of one history share a list that only grows, each knowing its own length; so adding a fact costs the same
    whatever there is (a tuple is copied each time: 10,000 facts, 50 million copies).
    """

    __slots__ = ("_entries", "_indexes", "_length")

    def __init__(self, entries: list[Judged], indexes: dict[Name, int], length: int) -> None:
        """Take over entries; `of` is for everybody else."""
        self._entries, self._indexes, self._length = entries, indexes, length

    @classmethod
    def of(cls, *judged: Judged) -> JudgedFacts:
        """These facts."""
        return cls(list(judged), {j.fact.name: index for index, j in enumerate(judged)}, len(judged))

    def with_added(self, judged: Judged) -> JudgedFacts:
        """These and one more."""
        entries, indexes = self._entries, self._indexes
        if len(entries) != self._length:  # another version has gone on from here
            entries = entries[: self._length]
            indexes = {j.fact.name: index for index, j in enumerate(entries)}
        indexes[judged.fact.name] = self._length
        entries.append(judged)
        return JudgedFacts(entries, indexes, self._length + 1)

    def with_replaced(self, judged: Judged) -> JudgedFacts:
        """These, with another verdict on one of them."""
        entries = self._entries[: self._length]
        entries[self._indexes[judged.fact.name]] = judged
        return JudgedFacts(entries, dict(self._indexes), self._length)

    def get(self, name: Name) -> Judged | None:
        """The fact of this name; None: there is none."""
        index = self._indexes.get(name)
        return self._entries[index] if index is not None and index < self._length else None

    def __contains__(self, name: Name) -> bool:
        return self._indexes.get(name, self._length) < self._length

    def __iter__(self) -> Iterator[Judged]:
        return iter(self._entries if len(self._entries) == self._length else self._entries[: self._length])

    def __len__(self) -> int:
        return self._length

    def __eq__(self, other: object) -> bool:
        return isinstance(other, JudgedFacts) and list(self) == list(other)

    def __hash__(self) -> int:
        return hash(tuple(self))
