"""What both services hold of the same things, held against each other: what must agree, and what does not (O7).

Pure: the facts of both sides in, differences out. A thing that has just changed on one side differs for a moment too:
whether a difference lasts is for `reconcile_looking` to find out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final, NamedTuple

from trunkline.cli.reconcile import subscriptions
from trunkline.cli.reconcile.difference import Difference, Kind, apart, later, shown
from trunkline.operations.reconciliation import records

Pair = tuple[str, Any, Any]
"""A thing's key, its line in licensing's list, its line in numbers': None where a list has it not."""

_PARTY: Final = tuple(name for name in records.Party.__struct_fields__ if name not in ("key", "version", "changed_at"))
_COPIED: Final = tuple(name for name in records.Number.__struct_fields__ if name != "key")
_ON_IT: Final = ("requested", "bound", "suspended")


class Comparing(NamedTuple):
    """How the two lists of a subject are compared.

    Attributes:
        kinds: (licensing's line, numbers' line) -> what there is to agree on, each time it is.
        compare: (key, licensing's line, numbers' line) -> what does not agree.
    """

    kinds: Callable[[Any, Any], Iterable[Kind]]
    compare: Callable[[str, Any, Any], list[Difference]]


def side_by_side(licensing: Iterable[Any], numbers: Iterable[Any]) -> Iterator[Pair]:
    """Two lists sorted by key as one, each key once; neither is ever whole in memory."""
    lefts, rights = iter(licensing), iter(numbers)
    left, right = next(lefts, None), next(rights, None)
    while left is not None or right is not None:
        if right is None or (left is not None and left.key < right.key):
            assert left is not None
            yield left.key, left, None
            left = next(lefts, None)
        elif left is None or right.key < left.key:
            yield right.key, None, right
            right = next(rights, None)
        else:
            yield left.key, left, right
            left, right = next(lefts, None), next(rights, None)


# -- extensions -------------------------------------------------------------------------------------------------------


def _of_extension(x: records.Extension | None, rings: records.Ringing | None) -> Iterator[Kind]:
    if rings is not None or (x is not None and x.status in _ON_IT):
        yield "binding"


def _extension(key: str, x: records.Extension | None, rings: records.Ringing | None) -> list[Difference]:
    """What licensing says rings there does, for the same person and request, and nothing else (R5, X5).

    What is only asked for needs no answer yet; one that numbers has given must have been heard.
    """
    bound = rings.numbers if rings is not None else ()
    expected = [_place(x, kept=x.status == "suspended")] if x is not None and x.status in ("bound", "suspended") else []
    if expected == [_place(b, kept=b.state == "reserved") for b in bound]:
        return []
    numbers = dict.fromkeys([*([x.number] if x is not None else []), *(b.number for b in bound)])
    again = (f"; trunkline republish numbers --stream number/{number}" for number in numbers)
    return [
        Difference(
            kind="binding",
            key=key,
            licensing="no number is on it" if x is None else f"{x.status}: {_described(x)}",
            numbers="; ".join(f"{b.state}: {_described(b)}" for b in bound) or "nothing rings there",
            since=later(x.changed_at if x is not None else None, *(b.changed_at for b in bound)),
            do=f"trunkline republish licensing --stream extension/{key}{''.join(again)}",
            about=(key, *numbers),
        )
    ]


def _place(at: records.Extension | records.Bound, *, kept: bool) -> tuple[Any, ...]:
    return at.number, at.organization_id, at.user_id, at.generation, kept


def _described(at: records.Extension | records.Bound) -> str:
    return f"{at.number} by request {at.generation} for user {shown(at.user_id)} of organization {at.organization_id}"


# -- parties, and licensing's copy of the numbers ---------------------------------------------------------------------


def _party(key: str, own: records.Party | None, copy: records.Party | None) -> list[Difference]:
    """Numbers knows each party as it is, and no other (P0)."""
    difference = _apart(own, copy, _PARTY, lambda party: f"{party.kind} {party.name}", "there is no such party")
    if difference is None:
        return []
    again = f"trunkline republish licensing --stream party/{key}"
    return [
        Difference(
            kind="party",
            key=key,
            licensing=difference[0],
            numbers=difference[1],
            since=later(*(party.changed_at for party in (own, copy) if party is not None)),
            do=again if own is not None else f"trunkline stream show party/{key} --service numbers",
            about=(key,),
        )
    ]


def _number(key: str, copy: records.Number | None, own: records.Number | None) -> list[Difference]:
    """Licensing's copy of a number is its newest document; of one that is gone there may be none (X1)."""
    if (copy is None or copy.state is None) and (own is None or own.state == "deleted"):
        return []
    difference = _apart(copy, own, _COPIED, _life, "there is none")
    if difference is None:
        return []
    return [
        Difference(
            kind="copy",
            key=key,
            licensing=difference[0],
            numbers=difference[1],
            since=later(*(n.since for n in (copy, own) if n is not None)),
            do=f"any change tells it whole, such as trunkline number change {key} --routing TEXT;"
            " many: empty licensing's table number_copy and restart it",
            about=(key,),
        )
    ]


def _apart(
    one: Any, other: Any, names: tuple[str, ...], whole: Callable[[Any], str], none: str
) -> tuple[str, str] | None:
    """What two say of a thing that only one of them may have; None: the same."""
    if one is not None and other is not None:
        return apart(one, other, names)
    return none if one is None else whole(one), none if other is None else whole(other)


def _life(n: records.Number) -> str:
    return f"{shown(n.state)} since {shown(n.since)}, version {n.version}"


COMPARING: Final[dict[records.Subject, Comparing]] = {
    "subscriptions": Comparing(subscriptions.kinds, subscriptions.compare),
    "extensions": Comparing(_of_extension, _extension),
    "parties": Comparing(lambda _own, _copy: ("party",), _party),
    "numbers": Comparing(lambda _copy, _own: ("copy",), _number),
}
"""Every subject, in the order in which they are read."""
