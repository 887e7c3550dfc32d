"""Which numbers a subscription had, from when to when, from all that is known of its past (N9, S6, X4, D10.12).

Licensing says which numbers the subscription named, since when each, and when it was expired. Here that is held
against how each number stands: a number that could not be had in the time for which it was named left the one before
it where it was. So it does not matter in which order the facts arrived.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Literal

import msgspec

from trunkline.errors import Refused
from trunkline_numbers.domain.number.subscription_sync import Hold, Keep, Leave, Target
from trunkline_numbers.domain.policy import ReservationCause
from trunkline_numbers.domain.subscription.events import SubscriptionReceived
from trunkline_numbers.domain.subscription.past import is_full
from trunkline_numbers.domain.subscription.subscription import Subscription


class Named(msgspec.Struct, frozen=True):
    """A number that the subscription named for a time, by billing's facts and people's acts; `until` None: it does."""

    number: str
    since: datetime
    until: datetime | None


class Earlier(msgspec.Struct, frozen=True):
    """How a number stood before another subscription got it at `until`, or a person locked, deleted or reserved it.

    The subscription could have had it from `free_since` on (None: from whenever it wanted), and lost it so long before
    `until` that its reservation, as long as `kept` says for its cause, was over by then or left it to the other one.
    """

    free_since: datetime | None
    until: datetime
    kept: Mapping[ReservationCause, timedelta]


class Standing(msgspec.Struct, frozen=True):
    """How a number stands towards the subscription.

    Attributes:
        mine: whether its present episode is the subscription's.
        since: when that episode began.
        free_since: from when on the subscription can have it, or could when it got it; None: from whenever it wants.
        refused: why it cannot be had now.
        acted_at: when a person acted on it last.
        by_hand: since when a person has, or had, it reserved, nobody else having had it after that.
        earlier: how it stood before other subscriptions got it, or people acted on it, the latest first.
    """

    mine: bool
    free_since: datetime | None = None
    refused: Refused | None = None
    acted_at: datetime | None = None
    earlier: tuple[Earlier, ...] = ()
    since: datetime | None = None
    by_hand: datetime | None = None


class Tenure(msgspec.Struct, frozen=True):
    """The subscription had the number from `since` to `until`, when it lost it by `cause`; None: it has it.

    `recorded`: it is on the subscription's record, and the number has gone on to something else since then. `found`:
    it was found behind what another subscription got afterwards, and is to be recorded. `again`: from when on it can
    have it anew, or has it. `void`: its present episode does not count, only what is on record from before.
    """

    number: str
    since: datetime
    until: datetime | None = None
    cause: Literal["expired", "swapped"] | None = None
    recorded: bool = False
    again: datetime | None = None
    found: bool = False
    void: bool = False


def named(terms: SubscriptionReceived) -> list[Named]:
    """Every number that the subscription named, in order, as far as that is not settled; also one for no time."""
    if not terms.swapped_out:
        return [] if terms.number is None else [Named(terms.number, terms.started_at, None)]
    found: list[Named] = []
    since, outs = terms.started_at, terms.swapped_out
    if is_full(outs):
        since, outs = outs[0].at, outs[1:]
    for out in outs:
        found.append(Named(out.number, since, out.at))
        since = out.at
    return found if terms.number is None else [*found, Named(terms.number, since, None)]


def tenures(s: Subscription, standing: Callable[[str], Standing]) -> list[Tenure]:
    """The numbers that the subscription had, in order: each until the next one came (N9), or it expired.

    Args:
        s: something has been heard of it, and it is of a number.
        standing: of every number that it named.
    """
    terms = s.terms
    assert terms is not None, f"nothing has been heard of subscription {s.subscription_id}"
    had: list[Tenure] = []
    for each in named(terms):
        got = _had(s, each, standing(each.number))
        if got is None:
            continue
        if had and had[-1].number == got.number and not had[-1].recorded:
            continue  # the one in between could not be had: it never left this one
        if had:
            had[-1] = msgspec.structs.replace(had[-1], until=got.since, cause="swapped")
        had.append(got)
    if had and had[-1].recorded and had[-1].again is None and terms.status == "active":
        had[-1] = _still(had[-1], standing(had[-1].number))
    return [part for tenure in had for part in _parts(tenure, terms)] if terms.gaps else had


def target(s: Subscription, number: str, had: Sequence[Tenure]) -> Target:
    """Where a number belongs that the subscription names or once had.

    It is held while the subscription is active and no other number has come. One that it lost is reserved by the facts
    that took it (N3, N9); one that it never had for any time is left as it was before (D10.12).
    """
    terms = s.terms
    assert terms is not None
    last = next((tenure for tenure in reversed(had) if tenure.number == number), None)
    if last is None or last.void:
        return Leave(terms.at)
    held_from: datetime | None = last.since
    if last.recorded:
        held_from = last.again if last.again is not None and last.again >= last.since else None
    if last.until is not None:
        return Keep((("swapped", last.until),), held_from)
    if terms.status == "active":
        return Hold(max(last.again or last.since, last.since), terms.at if terms.gaps is None else None)
    return Keep(losses(terms), held_from)


def is_missed(s: Subscription, number: str, had: Sequence[Tenure]) -> bool:
    """Whether a number did not come back after an expiry, as another subscription has it, as far as is known.

    What is received later may show that it was free then.
    """
    last = next((tenure for tenure in reversed(had) if tenure.number == number), None)
    if last is None or not last.recorded or last.again is not None or not s.terms or not s.terms.gaps:
        return False
    return all(name != number or at < last.since for name, at in s.grants)


def losses(terms: SubscriptionReceived) -> tuple[tuple[Literal["expired", "terminated"], datetime], ...]:
    """The facts that took its number from a subscription that is not active (D10.5)."""
    facts: list[tuple[Literal["expired", "terminated"], datetime]] = []
    if terms.expired_at is not None:
        facts.append(("expired", terms.expired_at))
    if terms.terminated_at is not None:
        facts.append(("terminated", terms.terminated_at))
    return tuple(facts)


def lost_at(terms: SubscriptionReceived) -> datetime | None:
    """When the subscription ended, for the time being or for good; None: it is active."""
    if terms.status == "active":
        return None
    return terms.expired_at or terms.terminated_at


def _had(s: Subscription, each: Named, standing: Standing) -> Tenure | None:
    """The time in which it had a number that it named, open to its end; None: it never did."""
    assert s.terms is not None
    times = list(_active(s.terms, each))
    could = None if standing.refused is not None else _first(times, standing.free_since)
    if could is None and standing.mine and standing.since is not None and _within(standing.since, times):
        could = standing.since
    granted = next((at for number, at in s.grants if number == each.number and _within(at, times)), None)
    over = each.until or lost_at(s.terms)
    if standing.mine and could is not None:
        if _reserved_after(standing, could, over):
            return Tenure(each.number, could, recorded=True, found=True, void=True)
        if granted is None or standing.since is None or granted >= min(could, standing.since):
            return Tenure(each.number, could)
        return Tenure(each.number, granted, recorded=True, again=could)  # it went elsewhere in between
    acted = could is not None and over is not None and (standing.acted_at or could) > could
    if granted is not None and not (_is_found(s, each.number, granted) and could is not None and could <= granted):
        again = None if acted else could
        return Tenure(each.number, granted, recorded=True, again=again, void=standing.mine)
    if could is None or standing.mine:
        found = (_had_earlier(s.terms, each, times, earlier) for earlier in standing.earlier)
        had = next((tenure for tenure in found if tenure is not None), None)
        return msgspec.structs.replace(had, void=standing.mine) if had is not None else None
    if acted and each.number in s.denied:
        return None  # it was refused then, and somebody has acted on the number since
    if _reserved_after(standing, could, over):
        return Tenure(each.number, could, recorded=True, found=granted is None)
    return Tenure(each.number, could)


def _still(tenure: Tenure, standing: Standing) -> Tenure:
    """A number is still had, as the one after it could not be: anew, where another subscription had it in between."""
    if standing.mine or standing.refused is not None or standing.free_since is None:
        return tenure
    return msgspec.structs.replace(tenure, again=max(tenure.since, standing.free_since))


def _reserved_after(standing: Standing, could: datetime, over: datetime | None) -> bool:
    """Whether a person reserved the number when this time was over: what was done then stands."""
    return over is not None and standing.by_hand is not None and could <= over <= standing.by_hand


def _is_found(s: Subscription, number: str, at: datetime) -> bool:
    return (number, at) in s.found


def _had_earlier(
    terms: SubscriptionReceived, each: Named, times: list[tuple[datetime, datetime | None]], earlier: Earlier
) -> Tenure | None:
    """The time in which it had a number that another subscription got afterwards, or while this one was expired."""
    since = _first(times, earlier.free_since)
    if since is None:
        return None
    over = (until for _, until in times if until is not None and since <= until)
    left = (until + earlier.kept[_lost_by(each, until, terms)] for until in over)
    if not any(at <= earlier.until for at in left):
        return None
    return Tenure(each.number, since, recorded=True, found=True)


def _lost_by(each: Named, until: datetime, terms: SubscriptionReceived) -> ReservationCause:
    if each.until == until:
        return "swapped"
    return "expired" if terms.expired_at == until or terms.terminated_at != until else "terminated"


def _active(terms: SubscriptionReceived, each: Named) -> Iterator[tuple[datetime, datetime | None]]:
    """The times in which the subscription named the number and was active."""
    since, end = each.since, lost_at(terms) if each.until is None else each.until
    if terms.gaps and is_full(terms.gaps):
        since = max(since, terms.gaps[0].reactivated_at)
        if end is not None and end < since:
            return
    for gap in terms.gaps or ():
        if gap.reactivated_at <= since or (end is not None and gap.expired_at >= end):
            continue
        if gap.expired_at >= since:
            yield since, gap.expired_at
        since = gap.reactivated_at
    yield since, end


def _first(times: list[tuple[datetime, datetime | None]], free_since: datetime | None) -> datetime | None:
    """The first instant of these times from when on the number could be had."""
    for since, until in times:
        at = since if free_since is None else max(since, free_since)
        if until is None or at < until or at == since == until:
            return at
    return None


def _within(at: datetime, times: list[tuple[datetime, datetime | None]]) -> bool:
    """Whether an instant at which the number was got lies in these times; it can have been got when they ended."""
    return any(since <= at and (until is None or at <= until) for since, until in times)


def _parts(tenure: Tenure, terms: SubscriptionReceived) -> Iterator[Tenure]:
    """A tenure without the times in which the subscription was expired."""
    since = tenure.since
    for gap in terms.gaps or ():
        if gap.expired_at < since or (tenure.until is not None and gap.expired_at >= tenure.until):
            continue
        yield msgspec.structs.replace(tenure, since=since, until=gap.expired_at, cause="expired", again=None)
        since = gap.reactivated_at
    yield msgspec.structs.replace(tenure, since=since)
