"""What a history is made of: billing's facts and people's acts, with instants in hours; nothing of the product.

A subscription is the fold of its facts in their own order (D10.12). A fact that the fold refuses counts for nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

Hours = int
DAY: Hours = 24
Kind = Literal["started", "renewed", "quantity_changed", "expired", "reactivated", "terminated", "swapped"]
Product = Literal["number", "did_reservation"]
AT_ONE_INSTANT: tuple[Kind, ...] = (
    *("started", "quantity_changed", "renewed", "swapped"),
    *("reactivated", "expired", "terminated"),
)


@dataclass(frozen=True)
class Fact:
    """One fact that billing publishes. The same id twice is one fact (S3)."""

    id: int
    subscription: str
    kind: Kind
    at: Hours
    sequence: int | None = None
    number: str = ""
    """The number of a start, the new number of a swap."""
    old: str = ""
    product: Product = "number"
    quantity: int = 0
    plan: Hours = 0
    until: Hours = 0


Manual = Literal["add", "reserve", "release", "extend", "lock", "unlock", "delete", "recover"]
Use = Literal["assign", "swap", "bind", "unbind", "allocate", "take_back"]


@dataclass(frozen=True)
class Act:
    """What a person does with a number, at a real instant. It is decided on what is known then."""

    at: Hours
    kind: Manual | Use
    number: str
    party: str = ""
    """The organization of a reservation or an allocation."""
    subscription: str = ""
    """The subscription of an extension, an assignment or a swap."""
    old: str = ""
    user: str = ""


@dataclass(frozen=True)
class Sold:
    """What billing sold to whom, and where its facts stand among those of one instant."""

    organization: str
    rank: int


ENDS, GOES_ON = ("expired", "terminated"), ("renewed", "reactivated")


def fold(facts: Iterable[Fact]) -> tuple[list[Fact], list[Fact]]:
    """The facts of one subscription that count, in their order, and those that are refused (S2, S3, D10.12, D10.14).

    A reactivation whose expiry it overtakes neither counts nor is refused.
    """
    once = list({fact.id: fact for fact in facts}.values())
    if not any(fact.kind == "started" for fact in once):
        return [], []  # S7: a fact about an unknown subscription waits
    sequenced = all(fact.sequence is not None for fact in once)
    status = "none"
    counted: list[Fact] = []
    refused: list[Fact] = []
    for fact in sorted(once, key=lambda fact: _order(fact, once) if sequenced else _order_of_time(fact)):
        after = _after(status, fact)
        overtaken = sequenced and any(_overtakes(other, fact) for other in once)
        if after is not None and not overtaken:
            status = after
            counted.append(fact)
        elif not (fact.kind == "reactivated" and sequenced and any(_overtakes(fact, other) for other in once)):
            refused.append(fact)
    return counted, refused


def _order_of_time(fact: Fact) -> tuple[int, ...]:
    return fact.at, AT_ONE_INSTANT.index(fact.kind), fact.sequence or 0, fact.id


def _order(fact: Fact, all_facts: list[Fact]) -> tuple[int, ...]:
    """By sequence; an end comes after what is numbered after it and dated before it (D10.14)."""
    sequence = fact.sequence or 0
    if fact.kind in ENDS:
        sequence = max([sequence, *(other.sequence or 0 for other in all_facts if other.at < fact.at)])
    return sequence, fact.at, AT_ONE_INSTANT.index(fact.kind), fact.sequence or 0


def _overtakes(fact: Fact, end: Fact) -> bool:
    """Whether billing takes an end back by a renewal or reactivation numbered after it and dated before it (D10.14)."""
    later = (fact.sequence or 0) > (end.sequence or 0)
    return fact.kind in GOES_ON and end.kind in ENDS and later and fact.at < end.at


def _after(status: str, fact: Fact) -> str | None:
    """The status after a fact; None where the fact is refused."""
    allowed: dict[Kind, tuple[tuple[str, ...], str | None]] = {
        "started": (("none",), "active"),
        "renewed": (("active",), None),
        "quantity_changed": (("active",), None),
        "swapped": (("active",), None),
        "expired": (("active",), "expired"),
        "reactivated": (("expired",), "active"),
        "terminated": (("active", "expired"), "terminated"),
    }
    before, after = allowed[fact.kind]
    if status not in before or (fact.kind == "swapped" and fact.product != "number"):
        return None
    return after or status
