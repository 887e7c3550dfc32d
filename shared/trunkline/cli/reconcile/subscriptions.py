"""Subscriptions against the numbers that they have (O7, S4, S6, N9): pure, one subscription at a time.

Licensing says what a subscription is; numbers has heard it, and gives it its number or has the refusal on record. What
may differ for good: a person gave the subscription another number than billing's, or said that it need not have it;
while a swap is refused, the old number stays.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Final

from trunkline.cli.reconcile.difference import Difference, Kind, apart, later, shown
from trunkline.operations.reconciliation.records import Given, Served, Subscription, Terms

_TERMS: Final = Terms.__struct_fields__
_NOTHING: Final = Served(key="")


def kinds(sold: Subscription | None, served: Served | None) -> Iterator[Kind]:
    """What there is to agree on, each time it is."""
    held = served or _NOTHING
    if sold is not None or held.terms is not None:
        yield "subscription"
    if sold is not None and (wanted := _wanted(sold, held)) is not None:
        has = _has(held)
        yield "without" if has != [wanted] and _excused(held, wanted) and len(has) < 2 else "active"
    for given in held.numbers:
        yield given.state


def compare(key: str, sold: Subscription | None, served: Served | None) -> list[Difference]:
    """What does not agree.

    Args:
        key: the subscription.
        sold: as licensing has it; None: not at all.
        served: as numbers has it, with its numbers; None: not at all.
    """
    held = served or _NOTHING
    found = [_heard(key, sold, held)]
    if sold is not None:
        found.append(_active(sold, held))
    for given in held.numbers:
        judge = _assigned if given.state == "assigned" else _reserved
        found.append(judge(key, sold, held, given))
    return [difference for difference in found if difference is not None]


def _heard(key: str, sold: Subscription | None, served: Served) -> Difference | None:
    """Numbers has heard what licensing has to say of it (S4)."""
    if sold is not None and served.terms is not None:
        difference = apart(sold.terms, served.terms, _TERMS)
    elif sold is not None:
        difference = _stands(sold.terms), "nothing was heard of it"
    elif served.terms is not None:
        difference = "there is no such subscription", _stands(served.terms)
    else:
        difference = None
    if difference is None:
        return None
    return Difference(
        kind="subscription",
        key=key,
        licensing=difference[0],
        numbers=difference[1],
        since=later(sold.changed_at if sold is not None else None, served.changed_at),
        do=_again(key) if sold is not None else f"trunkline stream show subscription/{key} --service numbers",
        about=(key,),
    )


def _active(sold: Subscription, served: Served) -> Difference | None:
    """An active subscription has its number, or the refusal is on record (S6)."""
    key, wanted, has = sold.key, _wanted(sold, served), _has(served)
    if wanted is None or has == [wanted] or (_excused(served, wanted) and len(has) < 2):
        return None
    lost = ", ".join(f"{given.number} is {given.state} since {shown(given.since)}" for given in served.numbers)
    refused = served.refused
    waits = f"{refused.number} was refused: {refused.code}" if refused else "no refusal of its number is on record"
    by_hand = f"trunkline number history {wanted}; trunkline number assign {wanted} --to {key}"
    return Difference(
        kind="active",
        key=key,
        licensing=_stands(sold.terms),
        numbers=f"{lost or 'it has no number'}; {waits}",
        since=later(sold.terms.started_at, *(given.since for given in served.numbers)),
        do=by_hand if served.terms == sold.terms else _again(key),
        about=(key, wanted, *has),
    )


def _assigned(key: str, sold: Subscription | None, served: Served, given: Given) -> Difference | None:
    """An assigned number is that of its active subscription, or the old one while a swap is refused (N9)."""
    text = f"assigned to subscription {key} of organization {given.organization_id} since {shown(given.since)}"
    if sold is None:
        return _of_number("assigned", key, given, f"there is no subscription {key}", text, None)
    wanted, terms = _wanted(sold, served), sold.terms
    stays = wanted is not None and _excused(served, wanted) and _has(served) == [given.number]
    if (given.number == wanted or stays) and given.organization_id == terms.organization_id:
        return None
    known = f"subscription {key} of organization {terms.organization_id} is {_stands(terms)}"
    return _of_number("assigned", key, given, known, text, _turned(terms))


def _reserved(key: str, sold: Subscription | None, served: Served, given: Given) -> Difference | None:
    """A number is not kept since its subscription lost it, if that is active with it (N3)."""
    if sold is None or _wanted(sold, served) != given.number:
        return None
    text = f"reserved since {shown(given.since)}, when subscription {key} was {given.cause}"
    return _of_number("reserved", key, given, f"subscription {key} is {_stands(sold.terms)}", text, _turned(sold.terms))


def _of_number(kind: Kind, key: str, given: Given, licensing: str, numbers: str, turned: datetime | None) -> Difference:
    """`turned`: when the subscription came to be as licensing says; None: there is none."""
    then = "billing must say what the subscription is" if turned is None else _again(key)
    return Difference(
        kind=kind,
        key=given.number,
        licensing=licensing,
        numbers=numbers,
        since=later(given.since, turned),
        do=f"trunkline number history {given.number}; {then}",
        about=(key, given.number),
    )


def _again(key: str) -> str:
    """How licensing says once more what it has said of a subscription."""
    return f"trunkline republish licensing --stream subscription/{key}"


def _wanted(sold: Subscription, served: Served) -> str | None:
    """The number that an active subscription is to have: billing's, or the one that a person put in its place."""
    terms, received = sold.terms, served.terms
    if terms.product != "number" or terms.status != "active":
        return None
    newest = received is not None and received.number == terms.number
    return served.named if newest else terms.number


def _excused(served: Served, wanted: str) -> bool:
    """Whether numbers has on record why the subscription has not got this number."""
    return served.dismissed == wanted or (served.refused is not None and served.refused.number == wanted)


def _has(served: Served) -> list[str]:
    return [given.number for given in served.numbers if given.state == "assigned"]


def _stands(terms: Terms) -> str:
    what = f" with {terms.number}" if terms.number is not None else f", a {terms.product} of {shown(terms.quantity)},"
    return f"{terms.status}{what} since {shown(_turned(terms))}"


def _turned(terms: Terms) -> datetime:
    """When it came to stand as it does, as far as its terms tell."""
    return terms.terminated_at or terms.expired_at or terms.started_at
