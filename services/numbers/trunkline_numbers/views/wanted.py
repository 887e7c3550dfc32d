"""Which numbers are wanted (N11), by whom (P2), as SQL: the asker's branch is a condition like the others, not a sieve.

A condition is said of `number_view` (`v`), and of `listing_view` (`l`) where that knows it: it is narrower, and has the
indexes for what a number is.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar, Final, Literal

from trunkline.refusal import Refused
from trunkline_numbers.views.listing_view import threes

State = Literal["available", "reserved", "assigned", "locked", "deleted"]
Capability = Literal["voice", "fax", "sms"]
_PATTERN: Final = re.compile(r"(?P<open>\*?)(?P<plus>\+?)(?P<digits>[0-9]{1,15})(?P<more>\*?)", re.ASCII)


class PatternUnreadable(Refused):
    """{value!r} is no number pattern: 65, +65 and +65* stand for a beginning, *888 for an end, *88* for a part."""

    status: ClassVar[int] = 422


@dataclass(frozen=True)
class Pattern:
    """Digits, and where in the number they stand."""

    digits: str
    place: Literal["begin", "end", "within"]


def read_pattern(text: str) -> Pattern:
    """What a pattern stands for (N11); a space at the beginning is a `+` that a URL did not escape.

    Raises:
        PatternUnreadable: as it says.
    """
    found = _PATTERN.fullmatch(f"+{text[1:]}" if text.startswith(" ") else text)
    if found is None or (found["open"] and found["plus"]):
        raise PatternUnreadable(value=text[:60], part="query", pointer="#/pattern")
    if not found["open"]:
        return Pattern(found["digits"], "begin")
    return Pattern(found["digits"], "within" if found["more"] else "end")


@dataclass(frozen=True)
class Wanted:
    """A search: what all numbers found have in common. None, or nothing, asks for nothing.

    Attributes:
        states: one of them.
        capabilities: all of them.
        domain: visible to it: shown to it by name, or to all.
        owner: the organization it is assigned to, else its reserver.
        available_since: Available since then, or for longer.
    """

    states: tuple[State, ...] = ()
    sku: str | None = None
    pattern: Pattern | None = None
    capabilities: tuple[Capability, ...] = ()
    vendor: str | None = None
    country: str | None = None
    routing: str | None = None
    golden: bool | None = None
    ported_in: bool | None = None
    domain: str | None = None
    subscription: str | None = None
    owner: str | None = None
    holder: str | None = None
    uploader: str | None = None
    bound: bool | None = None
    available_since: datetime | None = None


@dataclass(frozen=True)
class Scope:
    """What a party sees (P2, P3).

    Attributes:
        branch: the party and all below it.
        domains: the portal domains that it sees Available numbers through; None: no Available ones but its own.
        sellers: whose held numbers it is offered while they are Available, beside those of its branch.
    """

    branch: tuple[str, ...]
    domains: tuple[str, ...] | None
    sellers: tuple[str, ...]


@dataclass(frozen=True)
class Condition:
    """One condition.

    Attributes:
        said: of `v`.
        listed: the same of `l`, where that knows it; None: it does not.
        listed_params: where they are not those of `said`.
        walk: where an index has all that meet it in the order of the numbers; None: nowhere.
        led: whether an index leads to all that meet it, in whatever order.
    """

    said: str
    params: tuple[Any, ...] = ()
    listed: str | None = None
    listed_params: tuple[Any, ...] | None = None
    walk: Literal["v", "l", None] = None
    led: bool = False

    def of_listing(self) -> tuple[str, tuple[Any, ...]]:
        """The condition on `l`."""
        assert self.listed is not None
        return self.listed, self.params if self.listed_params is None else self.listed_params


@dataclass(frozen=True)
class Part:
    """Digits at the end of a number or somewhere within it.

    Attributes:
        like: said of `key`, which both tables and all their indexes have.
        listed: how an index of `l` leads to them; None: none does.
    """

    like: str
    listed: tuple[str, tuple[Any, ...]] | None


@dataclass(frozen=True)
class Conditions:
    """All that a number must meet. `ranges` and `part` are said of the number itself, which both tables have."""

    all: tuple[Condition, ...]
    ranges: tuple[tuple[str, str], ...] = ()
    part: Part | None = None


_NOTHING: Final = Condition("false")
_HELD: Final = "v.stock_of = ANY(%s) AND v.holder_id IS NOT NULL"
_OFFERED: Final = "v.holder_id IS NULL AND (v.domains = '{}' OR v.domains && %s::text[])"


def conditions(wanted: Wanted, scope: Scope | None) -> Conditions:
    """A search as one asker may make it; None: who sees all."""
    found = [*_life(wanted), *_attributes(wanted)]
    pattern = wanted.pattern
    ranges: tuple[tuple[str, str], ...] = ()
    if pattern is not None and pattern.place == "begin":
        ranges = ((f"+{pattern.digits}", _after(f"+{pattern.digits}")),)
    part = _part(pattern) if pattern is not None and pattern.place != "begin" else None
    if wanted.bound is not None:
        found.append(_bound(wanted.bound, scope))
    if scope is not None:
        found += _within(scope, wanted)
    return Conditions(tuple(found), ranges, part)


def _life(wanted: Wanted) -> Iterator[Condition]:
    if len(wanted.states) == 1:
        yield Condition("v.state = %s", wanted.states, walk="v")
    elif wanted.states:
        yield Condition("v.state = ANY(%s)", (list(wanted.states),))
    if wanted.subscription is not None:
        yield Condition("v.subscription_id = %s", (wanted.subscription,), led=True)
    if wanted.owner is not None:
        yield Condition("v.owner_id = %s", (wanted.owner,), walk="v")
    if wanted.available_since is not None:
        yield Condition("v.state = 'available'", (), walk="v")
        yield Condition("v.available_since <= %s", (wanted.available_since,))


def _attributes(wanted: Wanted) -> Iterator[Condition]:
    for name in ("sku", "vendor", "country", "routing", "holder", "uploader"):
        if (value := getattr(wanted, name)) is not None:
            column = f"{name}_id" if name in ("holder", "uploader") else name
            yield Condition(f"v.{column} = %s", (value,), f"l.{column} = %s", walk="l")
    for flag in dict.fromkeys(wanted.capabilities):
        yield Condition(f"v.{flag}", (), f"l.{flag}", walk="l")
    for mark, yes in (("golden", wanted.golden), ("ported_in", wanted.ported_in)):
        if yes is not None:
            yield (
                Condition(f"v.{mark}", (), f"l.{mark}", walk="l")
                if yes
                else Condition(f"NOT v.{mark}", (), f"NOT l.{mark}")
            )
    if wanted.domain is not None:
        said = "({0}.domains = '{{}}' OR {0}.domains @> ARRAY[%s]::text[])"
        yield Condition(said.format("v"), (wanted.domain,), said.format("l"))


def _part(pattern: Pattern) -> Part:
    digits = pattern.digits
    if pattern.place == "end":
        backward = digits[::-1]
        return Part(f"%{digits}", ("l.backward >= %s AND l.backward < %s", (backward, _after(backward))))
    if len(digits) < 3:  # too common for an index to be of use
        return Part(f"%{digits}%", None)
    return Part(f"%{digits}%", ("l.threes @> %s::int2[]", (threes(digits),)))


def _after(prefix: str) -> str:
    """The first text that sorts after all that begin so: `:` follows `9`."""
    last = prefix[-1]
    return prefix[:-1] + chr(ord(last) + 1)


def _bound(yes: bool, scope: Scope | None) -> Condition:
    """Bound to a user, as far as the asker may know: a binding to another branch's user shows no more than none."""
    if scope is None:
        return Condition("v.bound", walk="v") if yes else Condition("NOT v.bound")
    whose = "coalesce(v.owner_id, v.holder_id) = ANY(%s)"
    said = f"v.bound AND {whose}" if yes else f"NOT (v.bound AND coalesce({whose}, false))"
    return Condition(said, (list(scope.branch),))


def _within(scope: Scope, wanted: Wanted) -> Iterator[Condition]:
    """The branch; and a filter finds nothing by what is not shown: parties and domains of others (P2)."""
    branch = list(scope.branch)
    if any(party is not None and party not in branch for party in (wanted.owner, wanted.holder, wanted.uploader)):
        yield _NOTHING
    if wanted.domain is not None and wanted.domain not in (scope.domains or ()):
        yield _NOTHING
    if wanted.subscription is not None:
        yield Condition("v.owner_id = ANY(%s)", (branch,))
    if wanted.owner is not None or wanted.holder is not None or wanted.subscription is not None:
        return  # whoever owns or holds it is in the branch then, and so is the number
    ways: list[tuple[str, Sequence[Any]]] = [("v.owner_id = ANY(%s)", branch), ("v.stock_of = ANY(%s)", branch)]
    offers = not wanted.bound and (not wanted.states or "available" in wanted.states)
    if offers and scope.domains is not None:
        ways.append((f"v.state = 'available' AND {_OFFERED}", list(scope.domains)))
    if offers and scope.sellers:
        ways.append((f"v.state = 'available' AND {_HELD}", list(scope.sellers)))
    yield Condition("(" + " OR ".join(said for said, _ in ways) + ")", tuple(given for _, given in ways))
