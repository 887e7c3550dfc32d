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


def fold(facts: Iterable[Fact]) -> tuple[list[Fact], list[Fact]]:
    """The facts of one subscription that count, in their order, and those that are refused (S2, S3, D10.12)."""
    once = list({fact.id: fact for fact in facts}.values())
    if any(fact.sequence is None for fact in once):
        once.sort(key=lambda fact: (fact.at, AT_ONE_INSTANT.index(fact.kind), fact.sequence or 0, fact.id))
    else:
        once.sort(key=lambda fact: fact.sequence or 0)
    if not any(fact.kind == "started" for fact in once):
        return [], []  # S7: a fact about an unknown subscription waits
    status = "none"
    counted: list[Fact] = []
    refused: list[Fact] = []
    for fact in once:
        after = _after(status, fact)
        if after is None:
            refused.append(fact)
            continue
        status = after
        counted.append(fact)
    return counted, refused


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
