"""Who uses the units of a subscription, in the order in which they came: thousands, changed one by one (L4).

A value: what is made of it by adding and taking away is another one, and whoever has the first still has it as it was.
So that a change does not copy thousands of names, it is kept beside those it concerns, until there are enough of them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Final

import msgspec

ENOUGH: Final = 256
"""Changes beside the names, before they are worked into them: a copy of these for each change, of all for so many."""

Names = dict[str, None]


class Users(msgspec.Struct, frozen=True, omit_defaults=True):
    """Names in order, each once; nobody writes into the dictionaries of one that is made.

    Attributes:
        known: most of them.
        gone: those of `known` that have been taken away since.
        new: those that have come since.
    """

    known: Names = {}
    gone: Names = {}
    new: Names = {}

    def __len__(self) -> int:
        """How many there are."""
        return len(self.known) - len(self.gone) + len(self.new)

    def __contains__(self, name: str) -> bool:
        """Whether this one is among them."""
        return name in self.new or (name in self.known and name not in self.gone)

    def __iter__(self) -> Iterator[str]:
        """All of them, the oldest first."""
        yield from (name for name in self.known if name not in self.gone)
        yield from self.new

    def and_also(self, names: Collection[str]) -> Users:
        """These and others after them; one that is there already keeps its place."""
        coming = dict.fromkeys(names)
        for name in (coming.keys() & self.known.keys()) - self.gone.keys():
            del coming[name]
        return _made(self.known, self.gone, {**self.new, **coming})

    def without(self, names: Collection[str]) -> Users:
        """These but for some; one that is not there is no matter."""
        leaving = {name for name in names if name in self}
        if not leaving:
            return self
        gone = {**self.gone, **dict.fromkeys(name for name in leaving if name in self.known)}
        return _made(self.known, gone, {name: None for name in self.new if name not in leaving})


def _made(known: Names, gone: Names, new: Names) -> Users:
    if len(gone) + len(new) < ENOUGH:
        return Users(known, gone, new)
    left = {name: None for name in known if name not in gone} if gone else known
    return Users({**left, **new})
