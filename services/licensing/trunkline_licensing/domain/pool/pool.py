"""The units of one license that an organization has, and who uses them (S5, L4).

    subscription heard -- PoolSupplied --> supply: so many units while it is active, none while it is expired or over
    extension          -- UnitsAllocated --> uses a unit of one supply ---- UnitsFreed --> uses none
                                              | beyond what the supply covers (the newest ones)
                                              +-- UnitsSuspended --> suspended -- UnitsResumed --> covered again

One pool is one stream, `pool/<organization>:<license code>`. How many units of a supply are in active use follows from
the supply and the order of allocation alone: the first ones, as many as it covers. So that is never more than the
organization has bought, at any point of any history. Suspensions put the rest on record by name; what hangs on units
of a subscription that is over is withdrawn. Both may concern thousands, so they are done by and by (`unsettled`).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

import msgspec
from msgspec.structs import replace

from trunkline.eventstore.decider import Decider
from trunkline_licensing.domain.pool.events import (
    EVENTS,
    AnyEvent,
    PoolSupplied,
    SupplyStatus,
    Unit,
    UnitsAllocated,
    UnitsFreed,
    UnitsResumed,
    UnitsSuspended,
)
from trunkline_licensing.domain.pool.users import Users

# -- state ------------------------------------------------------------------------------------------------------------


class Supply(msgspec.Struct, frozen=True, kw_only=True):
    """One subscription's part of the pool.

    Attributes:
        users: the extensions that use a unit of it, in the order of allocation.
        marked: those of them that are on record as suspended.
        changed_at: the instant of the last thing that happened to it.
    """

    subscription_id: str
    reference: str | None
    quantity: int
    status: SupplyStatus
    started_at: datetime
    changed_at: datetime
    users: Users = Users()
    marked: Users = Users()

    @property
    def covers(self) -> int:
        """How many units may be in active use."""
        return self.quantity if self.status == "active" else 0

    @property
    def over(self) -> bool:
        """Whether it has ended here for good, so that what hangs on its units is withdrawn."""
        return self.status in ("terminated", "moved")

    @property
    def beyond(self) -> int:
        """How many units in use it does not cover."""
        return max(0, len(self.users) - self.covers)

    @property
    def spare(self) -> int:
        """How many units can be allocated."""
        return max(0, self.covers - len(self.users))

    @property
    def settled(self) -> bool:
        """Whether its suspensions are on record as they are, and nothing of it is to be withdrawn."""
        if self.over:
            return not len(self.users)
        return len(self.marked) == self.beyond and all(user in self.marked for user in self.newest)

    @property
    def newest(self) -> list[str]:
        """Those whose units it does not cover."""
        return list(self.users)[-self.beyond :] if self.beyond else []


class Pool(msgspec.Struct, frozen=True):
    """All that decisions need to know of a pool: its supplies by subscription, in the order in which they came."""

    key: str
    supplies: Mapping[str, Supply] = {}

    @property
    def organization_id(self) -> str:
        """Whose it is."""
        return self.key.partition(":")[0]

    @property
    def license_code(self) -> str:
        """What it is a pool of."""
        return self.key.partition(":")[2]

    @property
    def purchased(self) -> int:
        """Units of active subscriptions."""
        return sum(s.covers for s in self.supplies.values())

    @property
    def allocated(self) -> int:
        """Units in use, suspended ones too."""
        return sum(len(s.users) for s in self.supplies.values())

    @property
    def suspended(self) -> int:
        """Units in use that nothing covers."""
        return sum(s.beyond for s in self.supplies.values())

    @property
    def free(self) -> int:
        """Units that can be allocated."""
        return sum(s.spare for s in self.supplies.values())


def pool_key(organization_id: str, license_code: str) -> str:
    """The key of an organization's pool of one license."""
    return f"{organization_id}:{license_code}"


def evolve(p: Pool, event: AnyEvent) -> Pool:
    """The pool after one more event. Assigns only; never guards."""
    match event:
        case PoolSupplied():
            before = p.supplies.get(event.subscription_id)
            supply = Supply(
                subscription_id=event.subscription_id,
                reference=event.reference,
                quantity=event.quantity,
                status=event.status,
                started_at=event.started_at,
                changed_at=event.at,
                users=before.users if before else Users(),
                marked=before.marked if before else Users(),
            )
            return Pool(p.key, {**p.supplies, event.subscription_id: supply})
        case _:
            return _each(p, event)


def _each(p: Pool, event: UnitsAllocated | UnitsFreed | UnitsSuspended | UnitsResumed) -> Pool:
    """Change who uses the units of each supply that the event names, each once."""
    named: dict[str, list[str]] = {}
    for unit in event.units:
        named.setdefault(unit.subscription_id, []).append(unit.extension_id)
    supplies = dict(p.supplies)
    for subscription_id, names in named.items():
        s = supplies[subscription_id]
        users, marked = s.users, s.marked
        match event:
            case UnitsAllocated():
                users = users.and_also(names)
            case UnitsFreed():
                users, marked = users.without(names), marked.without(names)
            case UnitsSuspended():
                marked = marked.and_also(names)
            case UnitsResumed():
                marked = marked.without(names)
        supplies[subscription_id] = replace(s, users=users, marked=marked, changed_at=event.at)
    return Pool(p.key, supplies)


def due(p: Pool) -> datetime | None:
    """Since when something is to be suspended, resumed or withdrawn; None: nothing is."""
    return min((s.changed_at for s in p.supplies.values() if not s.settled), default=None)


POOL: Decider[Pool] = Decider("pool", Pool, evolve, EVENTS, due)

# -- decisions: what feeds it -----------------------------------------------------------------------------------------


def supply(
    p: Pool,
    subscription_id: str,
    at: datetime,
    *,
    status: SupplyStatus,
    quantity: int = 0,
    reference: str | None = None,
    started_at: datetime | None = None,
) -> list[PoolSupplied]:
    """What follows from a license subscription being like this now (S5). Said again, nothing.

    Args:
        p: the pool of its organization and license.
        subscription_id: whose units these are.
        at: the instant of the fact that made it so.
        status: `moved` needs nothing else: it is this pool's no more.
        quantity: units it covers while it is active.
        reference: billing's name for it, if it has one.
        started_at: what makes it older or newer than others (L4).
    """
    known = p.supplies.get(subscription_id)
    if status == "moved":
        if known is None or known.status == "moved":
            return []
        quantity, reference, started_at = known.quantity, known.reference, known.started_at
    assert started_at is not None
    if known is not None:
        same = (known.reference, known.quantity, known.status, known.started_at)
        if same == (reference, quantity, status, started_at):
            return []
    event = PoolSupplied(
        at=at,
        subscription_id=subscription_id,
        reference=reference,
        quantity=quantity,
        status=status,
        started_at=started_at,
    )
    return [event]


# -- decisions: what follows from it ----------------------------------------------------------------------------------


class Unsettled(msgspec.Struct, frozen=True):
    """What must still be done about one supply, as far as one step goes: at most one of the three has units.

    Attributes:
        at: since when.
        status: of the supply.
        withdraw: units whose subscription is over: what hangs on them goes.
        suspend, resume: units that are not covered any more, and covered again.
    """

    at: datetime
    subscription_id: str
    status: SupplyStatus
    withdraw: tuple[Unit, ...] = ()
    suspend: tuple[Unit, ...] = ()
    resume: tuple[Unit, ...] = ()


def unsettled(p: Pool, limit: int) -> Unsettled | None:
    """The next step of what follows from the supplies being as they are; None: all is settled.

    Args:
        p: the pool.
        limit: units in one step at most.
    """
    waiting = [s for s in p.supplies.values() if not s.settled]
    if not waiting:
        return None
    s = min(waiting, key=lambda s: (s.changed_at, s.subscription_id))
    step = Unsettled(s.changed_at, s.subscription_id, s.status)
    users, newest = list(s.users), set(s.newest)
    if s.over:
        return replace(step, withdraw=_units(s, users[:limit]))
    lapsed = [user for user in users if user in newest and user not in s.marked]
    if lapsed:  # the newest first, so that those on record are always the newest
        return replace(step, suspend=_units(s, lapsed[-limit:]))
    return replace(step, resume=_units(s, [user for user in s.marked if user not in newest][:limit]))


def _units(s: Supply, users: list[str]) -> tuple[Unit, ...]:
    return tuple(Unit(user, s.subscription_id) for user in users)
