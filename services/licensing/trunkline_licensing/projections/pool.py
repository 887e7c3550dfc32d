"""One row a pool: how many units of a license an organization has bought, uses, has to spare (L20)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import msgspec
from msgspec.structs import replace

from trunkline.eventstore.decider import Decider
from trunkline.projections.single_stream import single_stream_projection
from trunkline_licensing.domain.pool.events import AnyEvent, PoolSupplied, SupplyStatus, UnitsAllocated, UnitsFreed
from trunkline_licensing.domain.pool.pool import POOL

COLUMNS = {
    "organization_id": "text NOT NULL",
    "license_code": "text NOT NULL",
    "purchased": "int8 NOT NULL",
    "allocated": "int8 NOT NULL",
    "free": "int8 NOT NULL",
    "suspended": "int8 NOT NULL",
    "supplies": "jsonb NOT NULL",
}
"""Beside `key` (`<organization>:<license code>`), `version`, `position`, `changed_at` and `folded`.

`purchased`: units of active subscriptions; `allocated`: in use, suspended ones too; `supplies`: the same by
subscription, the oldest first, without those that are over and of which nothing is used any more.
"""


class Counted(msgspec.Struct, frozen=True):
    """One subscription's part, counted: who uses the units is in the extensions' own rows."""

    reference: str | None
    quantity: int
    status: SupplyStatus
    started_at: datetime
    used: int = 0

    @property
    def covers(self) -> int:
        """Units that may be in active use."""
        return self.quantity if self.status == "active" else 0


class Listed(msgspec.Struct, frozen=True):
    """What the view needs of a pool: no names, so that rows stay small however many use it."""

    key: str
    supplies: Mapping[str, Counted] = {}


def _evolve(p: Listed, event: AnyEvent) -> Listed:
    match event:
        case PoolSupplied():
            before = p.supplies.get(event.subscription_id)
            now = Counted(
                event.reference,
                event.quantity,
                event.status,
                event.started_at,
                before.used if before is not None else 0,
            )
            return replace(p, supplies={**p.supplies, event.subscription_id: now})
        case UnitsAllocated() | UnitsFreed():
            supplies = dict(p.supplies)
            step = 1 if isinstance(event, UnitsAllocated) else -1
            for unit in event.units:
                counted = supplies[unit.subscription_id]
                supplies[unit.subscription_id] = replace(counted, used=counted.used + step)
            return replace(p, supplies=supplies)
        case _:
            return p


def _row(p: Listed) -> tuple[Any, ...]:
    organization_id, _, code = p.key.partition(":")
    supplies = sorted(p.supplies.items(), key=lambda entry: (entry[1].started_at, entry[0]))
    counted = [s for _, s in supplies]
    shown = [_supply(key, s) for key, s in supplies if s.used or s.status in ("active", "expired")]
    return (
        organization_id,
        code,
        sum(s.covers for s in counted),
        sum(s.used for s in counted),
        sum(max(0, s.covers - s.used) for s in counted),
        sum(max(0, s.used - s.covers) for s in counted),
        shown,
    )


def _supply(subscription_id: str, s: Counted) -> dict[str, Any]:
    return {
        "subscription_id": subscription_id,
        "reference": s.reference,
        "status": s.status,
        "started_at": s.started_at.isoformat(),
        "quantity": s.quantity,
        "allocated": s.used,
        "free": max(0, s.covers - s.used),
        "suspended": max(0, s.used - s.covers),
    }


VIEW = single_stream_projection(
    "pool_view",
    1,
    Decider(POOL.category, Listed, _evolve, POOL.events),
    Listed,
    COLUMNS,
    _row,
    indexes=("(organization_id, license_code)",),
)
