"""The charged part of a reservation: a DID reservation subscription begins, renews and ends it (N4, N5, §10.6)."""

from __future__ import annotations

from datetime import datetime

from msgspec.structs import replace

from trunkline.eventstore.decider import Event
from trunkline_numbers.domain.number.errors import NothingSpare, ReservationOfAnother, SubscriptionNotActive
from trunkline_numbers.domain.number.events import NumberReserved, ReservationExtended
from trunkline_numbers.domain.number.number import decided, notice_before, released
from trunkline_numbers.domain.number.operator_commands import reserved
from trunkline_numbers.domain.number.remarks import may_remark
from trunkline_numbers.domain.number.state import Available, Episode, Life, Number, Party, Reserved, owned
from trunkline_numbers.domain.policy import Policy


def extend(
    n: Number,
    party: Party,
    cover_id: str,
    ends_at: datetime,
    remark: str | None,
    policy: Policy,
    now: datetime,
    *,
    status: str = "active",
    spare: int = 1,
) -> list[Event]:
    """Let a DID reservation subscription of the reserver, or of an org in its branch, pay until `ends_at` (N4).

    Said again with another end (a renewal), the end moves and a new notice is due; with the same, nothing happens.
    `status` and `spare` are the subscription's: only an active one extends, and only as many numbers as it is for.
    """
    if status != "active":
        raise SubscriptionNotActive(number=n.number, subscription_id=cover_id, status=status)
    remark = may_remark(n.number, remark)

    def fact(m: Number) -> list[Event]:
        r = reserved(m, "extended")
        if r.reserver_id not in (party.id, party.partner_id):
            raise ReservationOfAnother(number=m.number)
        end = max(ends_at, r.free_ends_at)
        if (r.cover_id, r.ends_at) == (cover_id, end):
            return []
        if r.cover_id != cover_id and spare < 1:
            raise NothingSpare(number=m.number, subscription_id=cover_id)
        return [
            ReservationExtended(
                at=now,
                reserver_id=r.reserver_id,
                reserver_kind=r.reserver_kind,
                cover_id=cover_id,
                free_ends_at=r.free_ends_at,
                ends_at=end,
                notice_at=_new_notice(r.since, end, now, policy),
                remark=remark,
            )
        ]

    return decided(n, now, now, policy, fact)


def uncover(n: Number, cover_id: str, at: datetime, policy: Policy, now: datetime) -> list[Event]:
    """The subscription that paid has ended at `at`: only the charged part ends (N4).

    Heard when the reservation is over already, and not since then, it counts from its own instant all the same, unless
    somebody has acted on the number since (§10.10).
    """

    def fact(m: Number) -> list[Event]:
        r, again = m.life, list[Event]()
        if isinstance(r, Available) and (over := r.covered) is not None and r.since != max(at, over.free_ends_at):
            r, again = over, [_again(over, over.ends_at, None)]
        if not isinstance(r, Reserved) or r.cover_id != cover_id:
            return []
        if r.free_ends_at <= at:
            return [*again, *released(m, r, at, "cover_ended", policy)]
        moved = r.ends_at != r.free_ends_at
        notice_at = _new_notice(r.since, r.free_ends_at, at, policy) if moved else r.notice_at
        return [_again(replace(r, cover_id=None), r.free_ends_at, notice_at)]

    return decided(n, at, now, policy, fact)


def keep(
    n: Number, cover_id: str, ends_at: datetime, at: datetime, policy: Policy, now: datetime, *, again: bool = False
) -> list[Event]:
    """The subscription pays until `ends_at`, as it has since `at`: a renewal moves the end, with a new notice (N4, N5).

    Heard when the reservation is over already, it keeps the number again, until that end or to the end that it should
    have had, unless somebody has acted on it since (§10.10). `again`: it was believed to have lost its unit; the free
    part of the reservation goes on.
    """

    def fact(m: Number) -> list[Event]:
        r = m.life
        if isinstance(r, Available) and r.covered is not None and r.covered.cover_id == cover_id:
            end = max(ends_at, r.covered.free_ends_at)
            notice_at = _new_notice(r.covered.since, end, max(at, r.since), policy)
            return [] if end == r.since else [_again(r.covered, end, notice_at)]
        if not isinstance(r, Reserved) or r.cover_id != (None if again else cover_id):
            return []
        end = max(ends_at, r.free_ends_at)
        if (r.cover_id, r.ends_at) == (cover_id, end):
            return []
        return [
            ReservationExtended(
                at=at,
                reserver_id=r.reserver_id,
                reserver_kind=r.reserver_kind,
                cover_id=cover_id,
                free_ends_at=r.free_ends_at,
                ends_at=end,
                notice_at=_new_notice(r.since, end, at, policy),
            )
        ]

    return decided(n, at, now, policy, fact)


def covers(n: Number, cover_id: str) -> bool:
    """Whether this subscription pays for the number's reservation now, which takes one of its units (N4)."""
    return isinstance(n.life, Reserved) and n.life.cover_id == cover_id


def cover_of(life: Life) -> str | None:
    """The subscription that pays for the reservation, or did until it ran out, nobody having acted on it since."""
    reservation = life.covered if isinstance(life, Available) else life
    return reservation.cover_id if isinstance(reservation, Reserved) else None


def may_return(n: Number, cover_id: str) -> bool:
    """Whether a subscription has got the number that this one paid for: from the reservation, or once it had run out.

    The number takes no unit meanwhile. Should the assignment be undone, the reservation goes on, and takes its unit.
    """
    return ran_out(n, cover_id) or (_in_episode(n) and _paid_for(n.episode, cover_id))


def ran_out(n: Number, cover_id: str) -> bool:
    """Whether a subscription has got the number since the reservation ran out that this one paid for."""
    if not _in_episode(n) or n.episode is None:
        return False
    before = n.episode.before
    return isinstance(before, Available) and before.covered is not None and before.covered.cover_id == cover_id


def _in_episode(n: Number) -> bool:
    return n.episode is not None and owned(n.life, n.episode.subscription_id)


def _paid_for(episode: Episode | None, cover_id: str) -> bool:
    return episode is not None and isinstance(episode.before, Reserved) and episode.before.cover_id == cover_id


def reservation(n: Number, cover_id: str, since: datetime, *, lost: bool) -> Reserved | None:
    """The reservation that a subscription has paid for since then: as it is, or as it was before it was over.

    Args:
        n: a number that was extended.
        cover_id: by this subscription.
        since: then.
        lost: and is not paid for any more: so only the free part may be left of it.

    Returns:
        None where the number has gone on to something else.
    """
    life = n.life
    if isinstance(life, Available):
        life = life.covered or life
    if not isinstance(life, Reserved):
        return None
    left = lost and life.cover_id is None and life.since <= since
    return life if left or life.cover_id == cover_id else None


def freed_at(n: Number, since: datetime) -> datetime:
    """When a reservation was over that a subscription has paid for since then, whatever the number went on to."""
    over = next((over for over in n.uncovered if over >= since), None)
    return over or getattr(n.life, "since")  # noqa: B009 - what was extended is not absent


def _again(r: Reserved, ends_at: datetime, notice_at: datetime | None) -> NumberReserved:
    """The same reservation with another end."""
    return NumberReserved(
        at=r.since,
        reserver_id=r.reserver_id,
        reserver_kind=r.reserver_kind,
        cause=r.cause,
        subscription_id=r.subscription_id,
        cover_id=r.cover_id,
        free_ends_at=r.free_ends_at,
        ends_at=ends_at,
        notice_at=notice_at,
    )


def _new_notice(since: datetime, end: datetime, moved_at: datetime, policy: Policy) -> datetime | None:
    """A new end brings a new notice (N4); one that would have been due before the end was moved is due at once."""
    notice = notice_before(since, end, policy)
    return max(notice, moved_at) if notice is not None and end > moved_at else None
