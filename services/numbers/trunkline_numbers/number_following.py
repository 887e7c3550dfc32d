"""What a subscription implies for a number (S4, S6, X4): the same, in whatever order its events were heard."""

from __future__ import annotations

from datetime import datetime

import msgspec

from trunkline.refusal import Refused
from trunkline.stream import Event
from trunkline_numbers.number import (
    Assigned,
    Available,
    Lapsed,
    Life,
    Number,
    Party,
    Reserved,
    check_assignable,
    decided,
    evolve,
    notice_before,
    unbound,
)
from trunkline_numbers.number_events import NumberAssigned, NumberReserved
from trunkline_numbers.policy import Policy, ReservationCause


class Hold(msgspec.Struct, frozen=True, gc=False):
    """The subscription is active: the number should serve it, from `at` on."""

    at: datetime


class Keep(msgspec.Struct, frozen=True, gc=False):
    """The subscription lost the number: reserved until the latest end that these facts give (§10.12).

    `held_from` is given where the subscription has never had the number: it takes it first, if it can.
    """

    facts: tuple[tuple[ReservationCause, datetime], ...]
    held_from: datetime | None = None


Target = Hold | Keep


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
        Refused: a `Hold` that cannot be (S6).
    """
    if isinstance(target, Hold):
        return decided(n, at, now, policy, lambda m: hold(m, party, subscription_id, target, policy, now))
    return decided(n, at, now, policy, lambda m: _keep(m, party, subscription_id, target, policy, now))


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
    if isinstance(n.life, Assigned) and n.life.subscription_id == subscription_id:
        return []
    restored = owned(n.life, subscription_id)
    if not restored:
        check_assignable(n, party, policy, now)
    return [
        NumberAssigned(
            at=target.at,
            subscription_id=subscription_id,
            organization_id=party.id,
            restored=restored,
        )
    ]


def _keep(n: Number, party: Party, subscription_id: str, target: Keep, policy: Policy, now: datetime) -> list[Event]:
    if owned(n.life, subscription_id):
        return _kept(n, party, subscription_id, target, policy, now)
    if target.held_from is None:
        return []
    try:
        check_assignable(n, party, policy, now)
    except Refused:
        return []
    taken = NumberAssigned(at=target.held_from, subscription_id=subscription_id, organization_id=party.id)
    return [taken, *_kept(evolve(n, taken), party, subscription_id, target, policy, now)]


def _kept(n: Number, party: Party, subscription_id: str, target: Keep, policy: Policy, now: datetime) -> list[Event]:
    """The reservation that the facts give a number of this subscription, if it is not the one it has."""
    life = n.life
    ends: list[tuple[datetime, ReservationCause, datetime]] = []
    for cause, at in target.facts:
        end = at + policy.period(cause, golden=n.listing.golden, ported_in=n.listing.ported_in)
        if isinstance(life, Reserved) and (life.cause, life.since) == (cause, at):
            end = life.free_ends_at  # resolved when it was written: a policy changed since does not move it
        ran_out = life.lapsed if isinstance(life, Available) else None
        if ran_out is not None and ((ran_out.cause, ran_out.since) == (cause, at) or end <= now):
            continue  # nobody gets back what is over already
        ends.append((end, cause, at))
    if not ends:
        return []
    free_end, cause, at = max(ends, key=lambda e: e[0])
    if isinstance(life, Reserved) and (life.cause, life.since, life.free_ends_at) == (
        cause,
        at,
        free_end,
    ):
        return []
    cover = life.cover_id if isinstance(life, Reserved) else None
    end = max(free_end, life.ends_at) if isinstance(life, Reserved) and cover else free_end
    reserved = NumberReserved(
        at=at,
        reserver_id=party.id,
        reserver_kind="organization",
        cause=cause,
        subscription_id=subscription_id,
        ends_at=end,
        free_ends_at=free_end,
        notice_at=notice_before(at, end, policy),
        cover_id=cover,
    )
    lost: list[Event] = []
    if cause == "terminated" or cause == "swapped":
        lost = unbound(n, at, cause, "reserved")
    return [reserved, *lost]
