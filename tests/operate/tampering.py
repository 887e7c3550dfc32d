"""Everything that may be done to one side behind the other's back, and which differences then name it (O7)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from msgspec.structs import replace

from tests.operate.inventories import T0, Lines, assigned, kept, number, rings
from trunkline.operations.reconciliation import records

Named = set[tuple[str, str]]


@dataclass(frozen=True)
class Tampering:
    """One of them.

    Attributes:
        subject: of the thing.
        stories: to which things it is done: see `inventories`.
        do: their lines -> the same with one side changed.
        names: (key, lines before, lines after) -> the kinds and keys of the differences.
    """

    subject: records.Subject
    stories: tuple[str, ...]
    do: Callable[[Lines], Lines]
    names: Callable[[str, Lines, Lines], Named]


def _mine(*kinds: str) -> Callable[[str, Lines, Lines], Named]:
    """Of the thing itself."""
    return lambda key, _before, _after: {(kind, key) for kind in kinds}


def _with_number(kind: str, *kinds: str, side: int = 0) -> Callable[[str, Lines, Lines], Named]:
    """Of the thing itself, and of the number that is assigned to it before (0) or after (1)."""

    def names(key: str, before: Lines, after: Lines) -> Named:
        given = (before, after)[side][1].numbers
        return {(k, key) for k in kinds} | {(kind, g.number) for g in given if g.state == "assigned"}

    return names


def _numbers(change: Callable[[records.Given], records.Given | None]) -> Callable[[Lines], Lines]:
    """Change the number that is assigned; None: it is not any more."""

    def do(lines: Lines) -> Lines:
        sold, served = lines
        changed = (change(g) if g.state == "assigned" else g for g in served.numbers)
        return sold, replace(served, numbers=tuple(g for g in changed if g is not None))

    return do


def _terms(side: int, **more: Any) -> Callable[[Lines], Lines]:
    def do(lines: Lines) -> Lines:
        changed = replace(lines[side], terms=replace(lines[side].terms, **more))
        return (changed, lines[1]) if side == 0 else (lines[0], changed)

    return do


def _field(side: int, **more: Any) -> Callable[[Lines], Lines]:
    return lambda lines: tuple(replace(x, **more) if at == side else x for at, x in enumerate(lines))


def _gone(side: int) -> Callable[[Lines], Lines]:
    return lambda lines: (None, lines[1]) if side == 0 else (lines[0], None)


def _bound(**more: Any) -> Callable[[Lines], Lines]:
    return lambda lines: (lines[0], rings(lines[0], **more))


_HAVE = ("active", "swapped", "by hand", "swap refused")
_WAIT = ("refused", "dismissed")
_ENDED = ("expired", "terminated", "lapsed")
_RING = ("bound", "suspended")
_THERE = ("available", "assigned", "reserved", "locked")
_PARTIES = ("partner", "organization")
_S: records.Subject = "subscriptions"

TAMPERINGS: dict[str, Tampering] = {
    # numbers
    "a number is released": Tampering(_S, ("active", "swapped", "by hand"), _numbers(lambda _: None), _mine("active")),
    "a number is kept though it is paid for": Tampering(
        _S,
        ("active", "swapped", "by hand"),
        _numbers(lambda g: kept(g.number, "expired")),
        lambda key, before, _: {("active", key), *((k, n) for k, n in _with_number("reserved")(key, before, before))},
    ),
    "another number is assigned": Tampering(
        _S, _HAVE[:3], _numbers(lambda g: replace(g, number=number())), _with_number("assigned", "active", side=1)
    ),
    "a number serves another organization": Tampering(
        _S, _HAVE, _numbers(lambda g: replace(g, organization_id="x")), _with_number("assigned")
    ),
    "a second number is assigned": Tampering(
        _S,
        ("active", "swapped"),
        lambda lines: (lines[0], replace(lines[1], numbers=(*lines[1].numbers, assigned(number())))),
        lambda key, _, after: {("active", key), ("assigned", after[1].numbers[-1].number)},
    ),
    "a refusal is forgotten": Tampering(_S, ("refused",), _field(1, refused=None), _mine("active")),
    "a dismissal is forgotten": Tampering(_S, ("dismissed",), _field(1, dismissed=None), _mine("active")),
    "an act by hand is forgotten": Tampering(
        _S,
        ("by hand",),
        lambda lines: (lines[0], replace(lines[1], named=lines[1].terms.number)),
        lambda key, before, _: (
            {("active", key), ("reserved", before[1].terms.number)} | _with_number("assigned")(key, before, before)
        ),
    ),
    "an end was never heard": Tampering(
        _S, _ENDED, _terms(1, status="active", expired_at=None, terminated_at=None), _mine("subscription")
    ),
    "an end was heard that never was": Tampering(
        _S, (*_HAVE, *_WAIT), _terms(1, status="expired", expired_at=T0), _mine("subscription")
    ),
    "a quantity was never heard": Tampering(_S, ("did reservation",), _terms(1, quantity=1), _mine("subscription")),
    "a subscription was never heard of": Tampering(_S, _ENDED, _gone(1), _mine("subscription")),
    "an active one was never heard of": Tampering(_S, (*_HAVE, *_WAIT), _gone(1), _mine("subscription", "active")),
    # licensing
    "a subscription is lost": Tampering(_S, (*_WAIT, *_ENDED, "did reservation"), _gone(0), _mine("subscription")),
    "one with a number is lost": Tampering(_S, _HAVE, _gone(0), _with_number("assigned", "subscription")),
    "one ends unheard": Tampering(
        _S, _HAVE, _terms(0, status="expired", expired_at=T0), _with_number("assigned", "subscription")
    ),
    "one is reactivated unheard": Tampering(
        _S,
        ("expired",),
        _terms(0, status="active", expired_at=None),
        lambda key, before, _: {("subscription", key), ("active", key), ("reserved", before[0].terms.number)},
    ),
    "one is given another number unheard": Tampering(
        _S, ("active", "swapped"), _terms(0, number="+6599999999"), _with_number("assigned", "subscription", "active")
    ),
    "one that waits is given another number unheard": Tampering(
        _S, _WAIT, _terms(0, number="+6599999999"), _mine("subscription", "active")
    ),
    # extensions
    "an extension loses its number unheard": Tampering("extensions", _RING, _gone(0), _mine("binding")),
    "an extension is unbound unheard": Tampering("extensions", _RING, _gone(1), _mine("binding")),
    "another number rings there": Tampering("extensions", _RING, _bound(number="+6599999999"), _mine("binding")),
    "it rings for somebody else": Tampering("extensions", _RING, _bound(user_id="x"), _mine("binding")),
    "it rings for others": Tampering("extensions", _RING, _bound(organization_id="x"), _mine("binding")),
    "it rings by an older request": Tampering("extensions", _RING, _bound(generation=1), _mine("binding")),
    "its suspension is unheard": Tampering("extensions", ("bound",), _bound(state="reserved"), _mine("binding")),
    "its resumption is unheard": Tampering("extensions", ("suspended",), _bound(state="assigned"), _mine("binding")),
    "the answer is unheard": Tampering("extensions", ("requested", "refused", "lost"), _bound(), _mine("binding")),
    # parties
    "a party is unheard of": Tampering("parties", _PARTIES, _gone(1), _mine("party")),
    "a party is lost": Tampering("parties", _PARTIES, _gone(0), _mine("party")),
    "a party moves": Tampering("parties", _PARTIES, _field(0, partner_id="x"), _mine("party")),
    "its domains change": Tampering("parties", _PARTIES, _field(0, domains=("x.example",)), _mine("party")),
    "its flag changes": Tampering("parties", _PARTIES, _field(1, allow_external_numbers=True), _mine("party")),
    "its address changes": Tampering("parties", _PARTIES, _field(1, billing_email="x@o.example"), _mine("party")),
    # copies
    "a copy is lost": Tampering("numbers", _THERE, _gone(0), _mine("copy")),
    "a number is lost": Tampering("numbers", _THERE, _gone(1), _mine("copy")),
    "a copy is old": Tampering("numbers", _THERE, _field(0, version=2), _mine("copy")),
    "a copy says another state": Tampering("numbers", _THERE, _field(0, state="quarantined"), _mine("copy")),
    "a copy outlives its number": Tampering("numbers", ("deleted",), _field(0, state="available"), _mine("copy")),
    "a copy has it for another": Tampering("numbers", _THERE, _field(0, organization_id="x"), _mine("copy")),
}
