"""Which numbers are wanted (N11), by whom (P2), as SQL: the principal's branch is one of the conditions.

A condition is on `number_view` (`v`), and of `listing_view` (`l`) where that knows it: it is narrower, and has the
indexes for what a number is.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal

from trunkline_numbers.queries.digit_pattern import Part, Pattern, after, part_of
from trunkline_numbers.queries.page_window import SqlAndParams

State = Literal["available", "reserved", "assigned", "locked", "deleted"]
Capability = Literal["voice", "fax", "sms"]


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
        sql: of `v`.
        listed: the same of `l`, where that knows it; None: it does not.
        listed_params: where they are not those of `sql`.
        walk: where an index has all that meet it in the order of the numbers; None: nowhere.
        led: whether an index leads to all that meet it, in whatever order.
        own: whether it asks for the branch's own numbers, by owner and stock.
        ways: where it is met in either of two ways, what each of them asks for.
    """

    sql: str
    params: tuple[Any, ...] = ()
    listed: str | None = None
    listed_params: tuple[Any, ...] | None = None
    walk: Literal["v", "l", None] = None
    led: bool = False
    own: bool = False
    ways: tuple[tuple[Condition, ...], ...] = ()

    @property
    def state(self) -> bool:
        """Whether it asks for one state."""
        return self.sql == "v.state = %s"

    def of_listing(self) -> tuple[str, tuple[Any, ...]]:
        """The condition on `l`."""
        assert self.listed is not None
        return self.listed, self.params if self.listed_params is None else self.listed_params


@dataclass(frozen=True)
class Conditions:
    """All that a number must meet. `ranges` and `part` are conditions on the number itself, which both tables have."""

    all: tuple[Condition, ...]
    ranges: tuple[tuple[str, str], ...] = ()
    part: Part | None = None

    def like(self, table: str) -> list[SqlAndParams]:
        """The part of a number, of either table."""
        return [] if self.part is None else [(f"{table}.key LIKE %s", (self.part.like,))]

    def between(self, table: str) -> list[SqlAndParams]:
        """Its beginning, of either table."""
        return [(f"{table}.key >= %s AND {table}.key < %s", limits) for limits in self.ranges]

    def clauses(self) -> list[SqlAndParams]:
        """All of it, of `v`."""
        return [*((c.sql, c.params) for c in self.all), *self.like("v"), *self.between("v")]


_NOTHING: Final = Condition("false")
_AVAILABLE: Final = Condition("v.state = %s", ("available",), walk="v")
# Not as `domains = '{}'`: two numbers of three are shown to all, and an index that has so many is no help.
_OFFERED: Final = "{0}.holder_id IS NULL AND (cardinality({0}.domains) = 0 OR {0}.domains && %s::text[])"


def conditions(wanted: Wanted, scope: Scope | None) -> Conditions:
    """A search as one principal may make it; None: who sees all."""
    found = [*_life(wanted), *_attributes(wanted)]
    pattern = wanted.pattern
    ranges: tuple[tuple[str, str], ...] = ()
    if pattern is not None and pattern.place == "begin":
        ranges = ((f"+{pattern.digits}", after(f"+{pattern.digits}")),)
    part = part_of(pattern) if pattern is not None and pattern.place != "begin" else None
    if wanted.bound is not None:
        found += _bound(wanted.bound, scope)
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
        yield _AVAILABLE if not wanted.states or "available" in wanted.states else _NOTHING
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
        text = "({0}.domains = '{{}}' OR {0}.domains @> ARRAY[%s]::text[])"
        yield Condition(text.format("v"), (wanted.domain,), text.format("l"))


def _bound(yes: bool, scope: Scope | None) -> Iterator[Condition]:
    """Bound to a user, as far as the principal may know: a binding to another branch's user shows no more than none."""
    if yes:
        yield Condition("v.bound", walk="v")
    elif scope is None:
        yield Condition("NOT v.bound")
    if scope is not None:
        whose = "coalesce(v.owner_id, v.holder_id) = ANY(%s)"
        yield Condition(whose if yes else f"NOT (v.bound AND coalesce({whose}, false))", (list(scope.branch),))


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
    own = Condition("(v.owner_id = ANY(%s) OR v.stock_of = ANY(%s))", (branch, branch), led=True, own=True)
    offers = not wanted.bound and (not wanted.states or "available" in wanted.states)
    offered = _offered(scope) if offers else None
    if offered is None:
        yield own
        return
    text = f"({own.sql} OR {_AVAILABLE.sql} AND {offered.sql})"
    params = (*own.params, *_AVAILABLE.params, *offered.params)
    yield Condition(text, params, ways=((_AVAILABLE, offered), (own,)))


def _offered(scope: Scope) -> Condition | None:
    """Numbers of others that it may have while they are Available."""
    offers: list[tuple[str, str, Any]] = []
    if scope.domains is not None:
        offers.append((_OFFERED.format("v"), _OFFERED.format("l"), list(scope.domains)))
    if scope.sellers:
        held = "v.stock_of = ANY(%s) AND v.holder_id IS NOT NULL"
        offers.append((held, "l.holder_id = ANY(%s)", list(scope.sellers)))
    if not offers:
        return None
    of_number, of_listing = (f"({' OR '.join(texts)})" for texts in zip(*((a, b) for a, b, _ in offers), strict=True))
    return Condition(of_number, tuple(given for _, _, given in offers), of_listing)
