"""License subscriptions feed the pools of their organization, in the same work in which they are heard (S5)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import msgspec

from trunkline.eventstore.recorded_event import Causation
from trunkline.eventstore.unit_of_work import UnitOfWork
from trunkline_licensing.application.pools.allocate import settle
from trunkline_licensing.domain.pool.pool import POOL, pool_key, supply
from trunkline_licensing.domain.subscription.facts import After


class SupplyChange(msgspec.Struct, frozen=True):
    """What a license subscription was and is; `at` is the instant of the fact that made it so."""

    subscription_id: str
    before: After | None
    after: After | None
    at: datetime
    cause: Causation


def concerns_pools(before: After | None, after: After | None) -> bool:
    """Whether a change of a subscription may be one of a pool."""
    return before is not after and (_key(before) is not None or _key(after) is not None)


def feed(uow: UnitOfWork, changes: Sequence[SupplyChange]) -> None:
    """Bring pools up to what their subscriptions are now; one query reads them all.

    Args:
        uow: what it reads and records.
        changes: in the order in which they were heard.
    """
    keys = {key for c in changes for key in (_key(c.before), _key(c.after)) if key is not None}
    if not keys:
        return
    uow.load((POOL, key) for key in sorted(keys))
    moved: dict[str, Causation] = {}
    for c in changes:
        was, now, after = _key(c.before), _key(c.after), c.after
        if was is not None and was != now:
            gone = supply(uow.state(POOL, was), c.subscription_id, c.at, status="moved")
            uow.record(POOL, was, gone, c.cause)
            moved[was] = c.cause
        if now is not None and after is not None:
            events = supply(
                uow.state(POOL, now),
                c.subscription_id,
                c.at,
                status=after.status,
                quantity=after.quantity or 0,
                reference=after.reference or None,
                started_at=after.started_at,
            )
            uow.record(POOL, now, events, c.cause)
            moved[now] = c.cause
    for key, cause in moved.items():
        settle(uow, key, cause)


def _key(after: After | None) -> str | None:
    """The pool that a subscription feeds; None: none."""
    if after is None or after.product != "license" or after.license_code is None:
        return None
    return pool_key(after.organization_id, after.license_code)
