"""What is known of a number: its life, whom it serves, and what of its past later facts may concern (§3, X4)."""

from __future__ import annotations

from datetime import datetime

import msgspec

from trunkline_numbers.domain.number.events import (
    BindingKind,
    DeleteReason,
    Listing,
    PartyKind,
)
from trunkline_numbers.domain.policy import ReservationCause


class Absent(msgspec.Struct, frozen=True, tag=True):
    """Never added."""


Resolved = tuple[ReservationCause, datetime, datetime]
"""A fact (cause, instant) and the free end that it gave when it was written: a later policy leaves it (N15)."""


class Lapsed(msgspec.Struct, frozen=True, gc=False):
    """Whose reservation ran out last, nobody having acted on the number since, and the ends it had."""

    subscription_id: str
    resolved: tuple[Resolved, ...]


class Kept(msgspec.Struct, frozen=True, gc=False):
    """For whom a number was reserved until it ran out, from when on, and whether a subscription left it so."""

    reserver_id: str
    since: datetime
    by_subscription: bool


class Available(msgspec.Struct, frozen=True, tag=True, omit_defaults=True):
    """Free since `since`; until `quarantined_until`, or `open_since` once that is over, only for its last organization.

    `covered`: the charged reservation that was over last, nobody having acted on the number since: the subscription
    that paid for it may be heard to have been renewed in time (N4, §10.10). `kept`: the reservation that ran out last,
    nobody having acted on the number since: a subscription of its reserver could have had the number then (§10.8).
    """

    since: datetime
    lapsed: Lapsed | None = None
    quarantined_until: datetime | None = None
    covered: Reserved | None = None
    kept: Kept | None = None
    open_since: datetime | None = None


class Reserved(msgspec.Struct, frozen=True, gc=False, tag=True):
    """Kept for `reserver_id`. `notice_at` is None once told, and where no notice is due.

    `extended`: a subscription pays for it, or did until it had no unit for it any more (N4).
    """

    since: datetime
    reserver_id: str
    reserver_kind: PartyKind
    cause: ReservationCause
    subscription_id: str | None
    ends_at: datetime
    free_ends_at: datetime
    notice_at: datetime | None
    cover_id: str | None
    resolved: tuple[Resolved, ...] = ()
    extended: bool = False


class Assigned(msgspec.Struct, frozen=True, gc=False, tag=True):
    """Serving `subscription_id` of `organization_id`."""

    since: datetime
    subscription_id: str
    organization_id: str


class Locked(msgspec.Struct, frozen=True, gc=False, tag=True):
    """Nobody's; without end where `ends_at` is None. A quarantine goes on."""

    since: datetime
    ends_at: datetime | None
    notice_at: datetime | None
    quarantined_until: datetime | None = None


class Deleted(msgspec.Struct, frozen=True, gc=False, tag=True):
    """Out of the inventory. A quarantine goes on."""

    since: datetime
    reason: DeleteReason
    quarantined_until: datetime | None = None


Life = Absent | Available | Reserved | Assigned | Locked | Deleted


class Binding(msgspec.Struct, frozen=True, gc=False):
    """One user that the number serves, since `at`.

    `trunk_form`: the legacy form the trunk knows it by (R9), else the number.
    """

    kind: BindingKind
    user_id: str | None
    organization_id: str
    extension_id: str | None
    generation: int | None = None
    trunk_form: str | None = None
    at: datetime | None = None


class Episode(msgspec.Struct, frozen=True, omit_defaults=True):
    """The time in which a number is one subscription's: assigned, then reserved, perhaps assigned again.

    Attributes:
        subscription_id: whose it is.
        since: when it began.
        before: the life that its first assignment ended: it goes on should the assignment turn out not to count.
        last_organization_id: the organization the number was assigned to before.
        bindings: those from before.
        ended: bindings of trunk and SMS users that facts have ended since.
        survived: the instants of expiries after which it was restored without having been released.
        outer: the episode that this one came in, where that had not ended for good.
    """

    subscription_id: str
    since: datetime
    before: Available | Reserved
    last_organization_id: str | None
    bindings: tuple[Binding, ...] = ()
    survived: tuple[datetime, ...] = ()
    ended: tuple[Binding, ...] = ()
    outer: Episode | None = None


class FreeTime(msgspec.Struct, frozen=True, gc=False):
    """A time in which a number was Available, until a person reserved it for `reserver_id`, locked or deleted it."""

    life: Available
    until: datetime
    last_organization_id: str | None
    reserver_id: str | None = None


class Number(msgspec.Struct, frozen=True, omit_defaults=True):
    """All that decisions need to know of a number.

    Attributes:
        handed_on_by: the partner its holder has it from (R4).
        added_at: when it came into the inventory.
        acted_at: when a person acted on it last (D10.10).
        episode: the one that was begun last; see `owned` for whether it goes on.
        uncovered: when reservations were over that had been extended, the newest ones (N4).
        free_times: those that a person's act has ended, the newest ones: a late fact may lie in them (X4).
    """

    number: str
    life: Life = Absent()
    listing: Listing = Listing(country="", sku="", vendor="")
    uploader_id: str | None = None
    uploader_kind: PartyKind | None = None
    holder_id: str | None = None
    holder_kind: PartyKind | None = None
    handed_on_by: str | None = None
    last_organization_id: str | None = None
    bindings: tuple[Binding, ...] = ()
    added_at: datetime | None = None
    acted_at: datetime | None = None
    episode: Episode | None = None
    uncovered: tuple[datetime, ...] = ()
    free_times: tuple[FreeTime, ...] = ()

    @property
    def state(self) -> str:
        """`absent`, `available`, `reserved`, `assigned`, `locked` or `deleted`."""
        return type(self.life).__name__.lower()


def owned(life: Life, subscription_id: str) -> bool:
    """Whether the number's present episode is this subscription's."""
    match life:
        case Assigned() | Reserved():
            return life.subscription_id == subscription_id
        case Available(lapsed=Lapsed() as lapsed):
            return lapsed.subscription_id == subscription_id
        case _:
            return False


def kept_by(r: Reserved) -> Kept:
    """For whom a reservation is, since the first fact that left the number so.

    A swap or an expiry takes a number that is held; only a termination may follow on what an expiry has left.
    """
    since = min((at for _, at, _ in r.resolved), default=r.since) if r.cause == "terminated" else r.since
    return Kept(r.reserver_id, min(since, r.since), r.subscription_id is not None)


class Party(msgspec.Struct, frozen=True, gc=False):
    """The organization or partner a number is wanted for, with what decides what it can see (N1, R4)."""

    id: str
    kind: PartyKind
    partner_id: str | None
    domains: tuple[str, ...] = ()
