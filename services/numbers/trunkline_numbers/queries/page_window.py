"""What part of the numbers found is wanted: in which order, after which number, how many; as SQL (N11)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

Sort = Literal["number", "available_since"]
SqlAndParams = tuple[str, tuple[Any, ...]]
"""A condition with its parameters."""


@dataclass(frozen=True)
class Slice:
    """What part of what is found is wanted.

    Attributes:
        sort: `available_since` only where nothing but Available numbers is asked for.
        after: the number to go on after; None: from the beginning.
        since: with that sort, since when that number is Available.
        upto: with that sort, only those Available since then or longer: who became so while one turned the pages would
            come up twice.
    """

    limit: int
    sort: Sort = "number"
    descending: bool = False
    after: str | None = None
    since: datetime | None = None
    upto: datetime | None = None

    @property
    def rows(self) -> int:
        """To be read: one more than fits shows that there is more."""
        return self.limit + 1

    @property
    def order(self) -> tuple[str, ...]:
        """The columns it is sorted by."""
        return ("available_since", "key") if self.sort == "available_since" else ("key",)

    def by(self, table: str) -> str:
        """ORDER BY."""
        direction = "DESC" if self.descending else "ASC"
        return "ORDER BY " + ", ".join(f"{table}.{column} {direction}" for column in self.order)

    def beyond(self, table: str) -> list[SqlAndParams]:
        """What comes after the number to go on after."""
        sign = "<" if self.descending else ">"
        if self.after is None:
            return []
        if self.sort == "available_since":
            return [(f"({table}.available_since, {table}.key) {sign} (%s, %s)", (self.since, self.after))]
        return [(f"{table}.key {sign} %s", (self.after,))]

    def old_enough(self) -> list[SqlAndParams]:
        """Nobody who came while one turned the pages."""
        return [] if self.upto is None else [("v.available_since <= %s", (self.upto,))]


def where(parts: Sequence[SqlAndParams]) -> SqlAndParams:
    """WHERE, with its parameters."""
    if not parts:
        return "", ()
    return " WHERE " + " AND ".join(text for text, _ in parts), tuple(value for _, given in parts for value in given)
