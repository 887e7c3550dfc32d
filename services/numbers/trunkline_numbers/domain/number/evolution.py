"""The number after one more event: assigns only, never guards."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from msgspec.structs import replace

from trunkline_numbers.domain.number.episodes import (
    bound_at,
    episode_after,
    episode_with,
    episode_without,
    free_times_after,
)
from trunkline_numbers.domain.number.events import (
    AssignmentUndone,
    LockEnding,
    LockExpired,
    NumberAdded,
    NumberAllocated,
    NumberAssigned,
    NumberBound,
    NumberChanged,
    NumberDeleted,
    NumberLocked,
    NumberRecovered,
    NumberReleased,
    NumberReserved,
    NumberUnbound,
    NumberUnlocked,
    QuarantineEnded,
    ReservationEnding,
    ReservationExtended,
)
from trunkline_numbers.domain.number.state import (
    Assigned,
    Available,
    Binding,
    Deleted,
    Lapsed,
    Life,
    Locked,
    Number,
    Reserved,
    Resolved,
    kept_by,
)

_MOST_UNCOVERED = 4


def evolve(n: Number, event: Any) -> Number:
    """The number after one more event. Assigns only; never guards."""
    after = _evolve(n, event)
    if after.life is n.life:
        return after
    was = _extended(n.life)
    if was is None:
        if isinstance(event, AssignmentUndone) and _extended(after.life) is not None:
            return replace(after, uncovered=n.uncovered[:-1])
        return after
    now = _extended(after.life)
    if now is None or _paid_by_another(was, now):
        over = n.life.since if isinstance(n.life, Available) else event.at
        return replace(after, uncovered=(*n.uncovered, over)[-_MOST_UNCOVERED:])
    return after


def _extended(life: Life) -> Reserved | None:
    """The reservation that was extended: it goes on, or ran out with nobody having acted on the number since."""
    reservation = life.covered if isinstance(life, Available) else life
    return reservation if isinstance(reservation, Reserved) and reservation.extended else None


def _paid_by_another(was: Reserved, now: Reserved) -> bool:
    return was.cover_id is not None and now.cover_id is not None and was.cover_id != now.cover_id


def _goes_on(life: Life, e: NumberReserved) -> bool:
    """Whether a reservation continues one that was extended."""
    before = _extended(life)
    return before is not None and (before.since == e.at or (e.cover_id is not None and e.cover_id == before.cover_id))


def _evolve(n: Number, event: Any) -> Number:
    at = event.at
    match event:
        case NumberReserved():
            e = event
            life: Life = Reserved(
                at,
                e.reserver_id,
                e.reserver_kind,
                e.cause,
                e.subscription_id,
                e.ends_at,
                e.free_ends_at,
                e.notice_at,
                e.cover_id,
                _resolved(n.life, e),
                _goes_on(n.life, e),
            )
            if e.cause != "manual":
                return replace(n, life=life)
            return replace(n, life=life, acted_at=at, free_times=free_times_after(n, at, e.reserver_id))
        case NumberAssigned():
            life = Assigned(at, event.subscription_id, event.organization_id)
            return replace(
                n,
                life=life,
                last_organization_id=event.organization_id,
                episode=episode_after(n, event.subscription_id, at),
            )
        case NumberAdded():
            return replace(
                n,
                life=Locked(at, None, None) if event.legacy else Available(at),
                listing=event.listing,
                uploader_id=event.uploader_id,
                uploader_kind=event.uploader_kind,
                holder_id=event.holder_id,
                holder_kind=event.holder_kind,
                added_at=at,
                acted_at=at,
            )
        case NumberReleased():
            return replace(n, life=_free(n.life, event), acted_at=at if event.cause == "by_hand" else n.acted_at)
        case AssignmentUndone():
            if (episode := n.episode) is None:
                return n
            return replace(
                n, life=episode.before, last_organization_id=episode.last_organization_id, episode=episode.outer
            )
        case ReservationEnding() | LockEnding():
            return replace(n, life=replace(n.life, notice_at=None))
        case ReservationExtended():
            life = replace(
                n.life,
                ends_at=event.ends_at,
                free_ends_at=event.free_ends_at,
                notice_at=event.notice_at,
                cover_id=event.cover_id,
                extended=True,
            )
            return replace(n, life=life, acted_at=at)
        case QuarantineEnded():
            return replace(n, life=replace(n.life, quarantined_until=None, open_since=at))
        case NumberLocked():
            locked = Locked(at, event.ends_at, event.notice_at, _quarantine(n.life, at))
            return replace(n, life=locked, acted_at=at, free_times=free_times_after(n, at))
        case LockExpired():
            return replace(n, life=Available(at, None, _quarantine(n.life, at)))
        case NumberUnlocked() | NumberRecovered():
            return replace(n, life=Available(at, None, _quarantine(n.life, at)), acted_at=at)
        case NumberDeleted():
            deleted = Deleted(at, event.reason, _quarantine(n.life, at))
            return replace(n, life=deleted, acted_at=at, free_times=free_times_after(n, at))
        case NumberAllocated():
            return replace(
                n,
                life=_acted_on(n.life),
                acted_at=at,
                holder_id=event.holder_id,
                holder_kind=event.holder_kind,
                handed_on_by=n.holder_id if (n.holder_kind, event.holder_kind) == ("partner", "organization") else None,
            )
        case NumberChanged():
            bindings = _with_form(n.bindings, event)
            return replace(n, life=_acted_on(n.life), acted_at=at, listing=event.listing, bindings=bindings)
        case NumberBound():
            bound = Binding(
                event.kind,
                event.user_id,
                event.organization_id,
                event.extension_id,
                event.generation,
                event.trunk_form,
                bound_at(n, event),
            )
            others = tuple(b for b in n.bindings if b.kind != event.kind)
            if event.restored:
                return replace(n, bindings=(*others, bound), episode=episode_with(n.episode, bound))
            return replace(n, life=_acted_on(n.life), acted_at=at, bindings=(*others, bound))
        case NumberUnbound():
            return replace(
                n, bindings=tuple(b for b in n.bindings if b.kind != event.kind), episode=episode_without(n, event)
            )
        case _:
            return n


def _free(life: Life, event: NumberReleased) -> Available:
    if event.cause == "by_hand" or not isinstance(life, Reserved):
        return Available(event.at, None, event.quarantined_until)
    covered = replace(life, notice_at=None) if life.cover_id is not None else None
    return Available(event.at, _lapsed(life), event.quarantined_until, covered, kept_by(life))


def _lapsed(r: Reserved) -> Lapsed | None:
    """Only a subscription's reservation that ran out by itself can still be claimed back by it (§10.10)."""
    return None if r.subscription_id is None else Lapsed(r.subscription_id, r.resolved)


def _acted_on(life: Life) -> Life:
    """Somebody has acted on the number: whoever had it last cannot claim it back (§10.10)."""
    if isinstance(life, Available) and (life.lapsed or life.covered or life.kept):
        return replace(life, lapsed=None, covered=None, kept=None)
    return life


def _with_form(bindings: tuple[Binding, ...], e: NumberChanged) -> tuple[Binding, ...]:
    """The trunk's binding in its new form (R9)."""
    if "trunk_form" not in e.changed:
        return bindings
    return tuple(replace(b, trunk_form=e.trunk_form) if b.kind == "trunk" else b for b in bindings)


def _quarantine(life: Life, at: datetime) -> datetime | None:
    """The end of a quarantine that locking, deleting and their undoing leave as it is (N15)."""
    until: datetime | None = getattr(life, "quarantined_until", None)
    return until if until is not None and until > at else None


def _resolved(life: Life, e: NumberReserved) -> tuple[Resolved, ...]:
    """The ends that this subscription's facts have given so far in this episode, with the newest one."""
    if e.subscription_id is None:
        return ()
    before: tuple[Resolved, ...] = ()
    if isinstance(life, Reserved) and life.subscription_id == e.subscription_id:
        before = life.resolved
    elif isinstance(life, Available) and life.lapsed and life.lapsed.subscription_id == e.subscription_id:
        before = life.lapsed.resolved
    return (*(r for r in before if r[:2] != (e.cause, e.at)), (e.cause, e.at, e.free_ends_at))
