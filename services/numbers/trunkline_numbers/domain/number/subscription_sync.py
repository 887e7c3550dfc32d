"""What a subscription implies for a number (S4, S6, X4): the same, in whatever order its events were heard."""

from __future__ import annotations

from datetime import datetime, timedelta

import msgspec
from msgspec.structs import replace

from trunkline.eventstore.decider import Event
from trunkline_numbers.domain.number.events import (
    AssignmentUndone,
    NumberAssigned,
    NumberBound,
    NumberReserved,
    NumberUnbound,
)
from trunkline_numbers.domain.number.evolution import evolve
from trunkline_numbers.domain.number.number import check_assignable, decided, notice_before, unbound
from trunkline_numbers.domain.number.state import (
    Assigned,
    Available,
    Binding,
    Episode,
    Kept,
    Lapsed,
    Life,
    Number,
    Party,
    Reserved,
    Resolved,
    kept_by,
    owned,
)
from trunkline_numbers.domain.policy import Policy, ReservationCause


class Hold(msgspec.Struct, frozen=True, gc=False):
    """The subscription is active: the number should serve it, from `at` on.

    `newest`: the instant of the newest fact. A number that was lost later than `at` comes back then, where licensing
    does not say when the subscription was reactivated (an older release).
    """

    at: datetime
    newest: datetime | None = None


class Keep(msgspec.Struct, frozen=True, gc=False):
    """The subscription lost the number: reserved until the latest end that these facts give (§10.12).

    `held_from` is given where the subscription has never had the number and may have: it takes it first.
    """

    facts: tuple[tuple[ReservationCause, datetime], ...]
    held_from: datetime | None = None


class Leave(msgspec.Struct, frozen=True, gc=False):
    """The number was never the subscription's, as is known since `at`: it is again as it was before (X4, D10.12)."""

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
                return _leave(m, party, subscription_id, _in_inventory(m, min(target.at, now)))

    return decided(n, at, now, policy, fact)


def hold(n: Number, party: Party, subscription_id: str, target: Hold, policy: Policy, now: datetime) -> list[Event]:
    """Assign the number, unless it is already.

    Raises:
        Refused: it is another's, or not to be had.
    """
    if isinstance(n.life, Assigned) and n.life.subscription_id == subscription_id:
        return []
    restored = owned(n.life, subscription_id)
    if not restored:
        check_assignable(n, party, policy, now)
        return _given(n, party, subscription_id, target.at)
    return [assigned(n, party, subscription_id, _restored_at(n.life, target), restored)]


def assigned(n: Number, party: Party, subscription_id: str, at: datetime, restored: bool = False) -> NumberAssigned:
    """The assignment; one dated before the number was in the inventory counts from when it came there."""
    return NumberAssigned(
        at=_in_inventory(n, at), subscription_id=subscription_id, organization_id=party.id, restored=restored
    )


def _given(n: Number, party: Party, subscription_id: str, at: datetime) -> list[Event]:
    """The assignment to a subscription that does not have it; bindings that rest with another one's expiry end (X5)."""
    taken = assigned(n, party, subscription_id, at)
    if not isinstance(n.life, Reserved) or n.life.subscription_id is None:
        return [taken]
    ended = zip(unbound(n, taken.at, "released", "assigned"), n.bindings, strict=True)
    return [taken, *(event for event, b in ended if b.at is None or b.at < taken.at)]


def free_since(
    n: Number, life: Life | None, last_organization_id: str | None, party: Party, *, denied: bool
) -> datetime | None:
    """From when on a subscription can have a number that leads this life, or could before it had it.

    Args:
        n: the number.
        life: Available, or Reserved for the subscription's organization or partner; None: not known.
        last_organization_id: the organization that it was assigned to last, then.
        party: the organization that it is wanted for.
        denied: the subscription could not have it before.

    Returns:
        Never before it was in the inventory: until then it is unknown (S6). A person's reservation counts as one of a
        number that was free until then. None: the number has no stream.
    """
    since = _left_free(n, life, last_organization_id, party, denied=denied)
    return n.added_at if since is None else _in_inventory(n, since)


def _left_free(
    n: Number, life: Life | None, last_organization_id: str | None, party: Party, *, denied: bool
) -> datetime | None:
    match life:
        case Available(kept=Kept() as kept) if kept.reserver_id in (party.id, party.partner_id):
            return kept.since if kept.by_subscription or denied or _was_had(n, life) else None
        case Available():
            opened = life.quarantined_until or life.open_since
            if opened is not None and last_organization_id != party.id:
                return opened
            return life.since
        case Reserved():
            return kept_by(life).since if life.subscription_id is not None or denied or _was_had(n, life) else None
        case _:
            return None


def _was_had(n: Number, life: Life) -> bool:
    """Whether a subscription had the number before this life: then it is not known to have been free until that."""
    return n.episode is not None and life is n.life


def expiry_end(n: Number, expired_at: datetime, policy: Policy) -> datetime:
    """When the reservation ends, or would have ended, that an expiry gives the number."""
    return expired_at + period(n, "expired", policy)


def period(n: Number, cause: ReservationCause, policy: Policy) -> timedelta:
    """How long the reservation lasts that a fact of this kind gives the number."""
    return policy.period(cause, golden=n.listing.golden, ported_in=n.listing.ported_in)


def _in_inventory(n: Number, at: datetime) -> datetime:
    return at if n.added_at is None else max(at, n.added_at)


def _restored_at(life: Life, target: Hold) -> datetime:
    """When a number comes back that the subscription lost by its expiry."""
    cause, lost = None, target.at
    match life:
        case Reserved():
            cause, lost = life.cause, life.since
        case Available(lapsed=Lapsed() as lapsed) if lapsed.resolved:
            cause, lost, _ = lapsed.resolved[-1]
        case _:
            pass
    return target.newest if cause == "expired" and lost >= target.at and target.newest is not None else target.at


def _keep(n: Number, party: Party, subscription_id: str, target: Keep, policy: Policy, now: datetime) -> list[Event]:
    if owned(n.life, subscription_id):
        return _kept(n, party, subscription_id, target, policy, now)
    if target.held_from is None:
        return []
    check_assignable(n, party, policy, now)
    taken = _given(n, party, subscription_id, target.held_from)
    for event in taken:
        n = evolve(n, event)
    return [*taken, *_kept(n, party, subscription_id, target, policy, now)]


def _leave(n: Number, party: Party, subscription_id: str, at: datetime) -> list[Event]:
    """The life that the assignment ended goes on: settling finds what fell due of it meanwhile."""
    episode = n.episode
    if episode is None or episode.subscription_id != subscription_id or not owned(n.life, subscription_id):
        return []
    undone = assignment_undone(n, party.id, at)
    new = [event for event in unbound(n, at, "swapped", undone.state) if not _was_bound(episode, event)]
    ended = [b for b in episode.bindings if b.kind != "pbx" and b not in n.bindings]  # an extension's is licensing's
    return [*new, undone, *(bound_again(replace(n, life=episode.before), b) for b in ended)]


def assignment_undone(n: Number, organization_id: str, at: datetime) -> AssignmentUndone:
    """The present episode of the number did not count; `organization_id` is its subscription's."""
    episode = n.episode
    assert episode is not None
    before = episode.before
    kept = before if isinstance(before, Reserved) else None
    return AssignmentUndone(
        at=at,
        subscription_id=episode.subscription_id,
        organization_id=organization_id,
        state="available" if kept is None else "reserved",
        since=before.since,
        quarantined_until=before.quarantined_until if isinstance(before, Available) else None,
        reserver_id=kept.reserver_id if kept else None,
        reserver_kind=kept.reserver_kind if kept else None,
        cause=kept.cause if kept else None,
        reserved_for=kept.subscription_id if kept else None,
        ends_at=kept.ends_at if kept else None,
        free_ends_at=kept.free_ends_at if kept else None,
        cover_id=kept.cover_id if kept else None,
    )


def bound_again(n: Number, b: Binding) -> NumberBound:
    """The binding from before, since it began."""
    assert b.at is not None
    return NumberBound(
        at=b.at,
        kind=b.kind,
        user_id=b.user_id,
        organization_id=b.organization_id,
        state=n.state,  # type: ignore[arg-type] # not absent
        extension_id=b.extension_id,
        generation=b.generation,
        trunk_form=b.trunk_form,
        restored=True,
    )


def before_another(n: Number, subscription_id: str) -> Number | None:
    """The number as a subscription left it to the one that has got it since; None: it is not so."""
    episode = n.episode
    if episode is None or episode.subscription_id == subscription_id or not owned(n.life, episode.subscription_id):
        return None
    if not owned(episode.before, subscription_id):
        return None
    return as_before(n)


def as_before(n: Number) -> Number:
    """The number as it was before its present episode."""
    episode = n.episode
    assert episode is not None
    return replace(
        n,
        life=episode.before,
        last_organization_id=episode.last_organization_id,
        bindings=episode.bindings,
        episode=episode.outer,
    )


def _was_bound(episode: Episode, event: Event) -> bool:
    """Whether the number served this user before the episode began."""
    assert isinstance(event, NumberUnbound)
    return any(
        (b.kind, b.user_id, b.extension_id) == (event.kind, event.user_id, event.extension_id) for b in episode.bindings
    )


def _kept(n: Number, party: Party, subscription_id: str, target: Keep, policy: Policy, now: datetime) -> list[Event]:
    """The reservation that the facts give a number of this subscription, if it is not the one it has."""
    ends = _ends(n, target, policy)
    first, won = min(ends, key=lambda e: e[1], default=None), max(ends, key=lambda e: e[2], default=None)
    life = n.life
    if first is None or won is None:
        return []
    unheard = first[1] < won[1] and first not in _resolved_by_then(life)
    if isinstance(life, Available) and _stands(life, won) and not unheard:
        return []
    lost = [
        event
        for fact, since in target.facts
        if (fact == "terminated" or fact == "swapped") and not isinstance(life, Available)
        for event in unbound(n, since, fact, "reserved")
    ]
    before = [first] if unheard else []
    if not isinstance(life, Reserved):
        notice_at = notice_before(won[1], won[2], policy)
        kept = [_reserved(party, subscription_id, *each, each[2]) for each in before]
        return [*kept, _reserved(party, subscription_id, *won, won[2], notice_at), *lost]
    if (life.cause, life.since, life.free_ends_at) == won and not unheard:
        return lost
    cover_id = None if _restored_before(life, won) else life.cover_id
    end = max(won[2], life.ends_at) if cover_id else won[2]
    notice_at = life.notice_at if end == life.ends_at else notice_before(won[1], end, policy)
    kept = [_reserved(party, subscription_id, *each, end, None, cover_id) for each in before]
    return [*kept, _reserved(party, subscription_id, *won, end, notice_at, cover_id), *lost]


def _restored_before(life: Reserved, lost: Resolved) -> bool:
    """Whether the number was restored in between, as only what is held is swapped: that frees its unit (N4)."""
    return lost[0] == "swapped" and life.cause in ("expired", "terminated") and lost[1] >= life.since


def _ends(n: Number, target: Keep, policy: Policy) -> list[Resolved]:
    """Each fact with the end that it gives; the one that it gave when it was recorded stands (N15)."""
    resolved = {(cause, at): end for cause, at, end in _resolved_by_then(n.life) if end != at}
    ends: list[Resolved] = []
    for cause, at in target.facts:
        shown = _in_inventory(n, at)
        end = resolved.get((cause, shown))  # no fact gave an end to what was left
        ends.append((cause, shown, end or at + period(n, cause, policy)))
    return ends


def _resolved_by_then(life: Life) -> tuple[Resolved, ...]:
    if isinstance(life, Reserved):
        return life.resolved
    return life.lapsed.resolved if isinstance(life, Available) and life.lapsed else ()


def _stands(life: Available, won: Resolved) -> bool:
    """Whether the number was released at that end, or at a charged one (N4).

    One that was released at another is reserved again: to be released at this one, if that is past as well (§10.10).
    """
    return won[2] == life.since or (life.covered is not None and won[2] < life.since)


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
