"""What a subscription implies for a number (S4, S6, X4): the same, in whatever order its events were heard."""

from __future__ import annotations

from datetime import datetime

import msgspec

from trunkline.stream import Event
from trunkline_numbers.number import (
    Assigned,
    Available,
    Lapsed,
    Life,
    Number,
    Party,
    Reserved,
    Resolved,
    check_assignable,
    decided,
    evolve,
    notice_before,
    unbound,
)
from trunkline_numbers.number_events import NumberAssigned, NumberReserved
from trunkline_numbers.policy import Policy, ReservationCause


class Hold(msgspec.Struct, frozen=True, gc=False):
    """The subscription is active: the number should serve it, from `at` on.

    `waited`: it was refused before, so it counts from when the number came to be as it is now, if that is later.
    """

    at: datetime
    waited: bool = False


class Keep(msgspec.Struct, frozen=True, gc=False):
    """The subscription lost the number: reserved until the latest end that these facts give (§10.12).

    `held_from` is given where the subscription has never had the number and may have: it takes it first.
    """

    facts: tuple[tuple[ReservationCause, datetime], ...]
    held_from: datetime | None = None


class Leave(msgspec.Struct, frozen=True, gc=False):
    """The number was never the subscription's, as is known since `at`: what it has of it ends at once (X4)."""

    at: datetime


Target = Hold | Keep | Leave


def follow(
    n: Number,
    party: Party,
    subscription_id: str,
    target: Target,
    at: datetime,
    policy: Policy,
    now: datetime,
) -> list[Event]:
    """Move the number to where its subscription's state says it belongs.

    Args:
        n: the number.
        party: the subscription's organization.
        subscription_id: the subscription.
        target: what its state, all facts heard so far, implies for this number.
        at: the instant of the fact that was heard.
        policy: the periods in force.
        now: the service's instant.

    Returns:
        The events; none where the number is there already or another's act stands.

    Raises:
        Refused: it should be had, or should have been had (`Keep.held_from`), and cannot be (S6).
    """

    def fact(m: Number) -> list[Event]:
        match target:
            case Hold():
                return hold(m, party, subscription_id, target, policy, now)
            case Keep():
                return _keep(m, party, subscription_id, target, policy, now)
            case Leave():
                return _leave(m, party, subscription_id, min(target.at, now))

    return decided(n, at, now, policy, fact)


def owned(life: Life, subscription_id: str) -> bool:
    """Whether the number's present episode is this subscription's."""
    match life:
        case Assigned() | Reserved():
            return life.subscription_id == subscription_id
        case Available(lapsed=Lapsed() as lapsed):
            return lapsed.subscription_id == subscription_id
        case _:
            return False


def hold(n: Number, party: Party, subscription_id: str, target: Hold, policy: Policy, now: datetime) -> list[Event]:
    """Assign the number, unless it is already.

    Raises:
        Refused: it is another's, or not to be had.
    """
    if isinstance(n.life, Assigned) and n.life.subscription_id == subscription_id:
        return []
    at, restored = target.at, owned(n.life, subscription_id)
    if not restored:
        check_assignable(n, party, policy, now)
        since: datetime | None = getattr(n.life, "since", None)
        at = max(at, since) if target.waited and since is not None else at
    return [NumberAssigned(at=at, subscription_id=subscription_id, organization_id=party.id, restored=restored)]


def _keep(n: Number, party: Party, subscription_id: str, target: Keep, policy: Policy, now: datetime) -> list[Event]:
    if owned(n.life, subscription_id):
        return _kept(n, party, subscription_id, target, policy, now)
    if target.held_from is None:
        return []
    check_assignable(n, party, policy, now)
    taken = NumberAssigned(at=target.held_from, subscription_id=subscription_id, organization_id=party.id)
    return [taken, *_kept(evolve(n, taken), party, subscription_id, target, policy, now)]


def _leave(n: Number, party: Party, subscription_id: str, at: datetime) -> list[Event]:
    """A reservation that is over as it begins: settling releases the number."""
    if not isinstance(n.life, Assigned | Reserved) or not owned(n.life, subscription_id):
        return []
    return [
        _reserved(party, subscription_id, "swapped", at, free_ends_at=at, ends_at=at),
        *unbound(n, at, "swapped", "reserved"),
    ]


def _kept(n: Number, party: Party, subscription_id: str, target: Keep, policy: Policy, now: datetime) -> list[Event]:
    """The reservation that the facts give a number of this subscription, if it is not the one it has."""
    won = _latest_end(n, target, policy)
    if won is None:
        return []
    cause, at, free_end = won
    life = n.life
    lost = [
        event
        for fact, since in target.facts
        if (fact == "terminated" or fact == "swapped") and not isinstance(life, Available)
        for event in unbound(n, since, fact, "reserved")
    ]
    if not isinstance(life, Reserved):
        notice_at = notice_before(at, free_end, policy)
        return [_reserved(party, subscription_id, cause, at, free_end, free_end, notice_at), *lost]
    if (life.cause, life.since, life.free_ends_at) == won:
        return lost
    end = max(free_end, life.ends_at) if life.cover_id else free_end
    notice_at = life.notice_at if end == life.ends_at else notice_before(at, end, policy)
    return [_reserved(party, subscription_id, cause, at, free_end, end, notice_at, life.cover_id), *lost]


def _latest_end(n: Number, target: Keep, policy: Policy) -> Resolved | None:
    """The fact whose reservation ends last; None where the number was released at that end, or at a charged one (N4).

    One that was released at another is reserved again: to be released at this one, if that is past as well (§10.10).
    """
    life = n.life
    known: tuple[Resolved, ...] = ()
    if isinstance(life, Reserved):
        known = life.resolved
    elif isinstance(life, Available) and life.lapsed:
        known = life.lapsed.resolved
    resolved = {(cause, at): end for cause, at, end in known if end != at}  # no fact gave an end to what was left
    ends: list[Resolved] = []
    for cause, at in target.facts:
        end = resolved.get((cause, at))
        if end is None:
            end = at + policy.period(cause, golden=n.listing.golden, ported_in=n.listing.ported_in)
        ends.append((cause, at, end))
    won = max(ends, key=lambda e: e[2], default=None)
    if isinstance(life, Available) and won is not None:
        stands = won[2] == life.since or (life.covered is not None and won[2] < life.since)
        return None if stands else won
    return won


def _reserved(
    party: Party,
    subscription_id: str,
    cause: ReservationCause,
    at: datetime,
    free_ends_at: datetime,
    ends_at: datetime,
    notice_at: datetime | None = None,
    cover_id: str | None = None,
) -> NumberReserved:
    return NumberReserved(
        at=at,
        reserver_id=party.id,
        reserver_kind="organization",
        cause=cause,
        subscription_id=subscription_id,
        ends_at=ends_at,
        free_ends_at=free_ends_at,
        notice_at=notice_at,
        cover_id=cover_id,
    )
