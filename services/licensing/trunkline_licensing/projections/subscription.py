"""One row a subscription: all that billing published of it, folded (S1, S2)."""

from __future__ import annotations

from typing import Any

import msgspec

from trunkline.eventstore.decider import Decider
from trunkline.projections.single_stream import single_stream_projection
from trunkline_licensing.domain.subscription.errors import TooManyFacts
from trunkline_licensing.domain.subscription.events import (
    AnyEvent,
    SubscriptionFactRefused,
    SubscriptionFactScheduled,
    SubscriptionFactWaiting,
)
from trunkline_licensing.domain.subscription.facts import After
from trunkline_licensing.domain.subscription.subscription import SUBSCRIPTION

COLUMNS = {
    "organization_id": "text",
    "product": "text",
    "status": "text",
    "reference": "text",
    "started_at": "timestamptz",
    "expired_at": "timestamptz",
    "terminated_at": "timestamptz",
    "number": "text",
    "sku": "text",
    "license_code": "text",
    "quantity": "int8",
    "plan_days": "int8",
    "renewed_until": "timestamptz",
    "facts_waiting": "int4 NOT NULL",
    "facts_refused": "int4 NOT NULL",
    "facts_scheduled": "int4 NOT NULL",
}
"""Beside `key` (the subscription's id), `version`, `position`, `changed_at` and `folded`.

All are null as long as its start is not known. `facts_waiting`: heard and not judged yet (S7); `facts_refused`: judged
not to count; `facts_scheduled`: dated ahead (D10.14).
"""


Facts = tuple[tuple[str, str], ...]  # source and id; in order, so that equal states are equal bytes


class Listed(msgspec.Struct, frozen=True):
    """What the view needs of a subscription: less than its decisions do, so that its rows stay small."""

    after: After | None = None
    waiting: Facts = ()
    refused: Facts = ()
    scheduled: Facts = ()


def _evolve(s: Listed, event: AnyEvent) -> Listed:
    fact = event.fact.name
    waiting, refused, scheduled = (_without(facts, fact) for facts in (s.waiting, s.refused, s.scheduled))
    match event:
        case SubscriptionFactScheduled():
            return Listed(s.after, waiting, refused, (*scheduled, fact))
        case SubscriptionFactWaiting():
            return Listed(s.after, (*waiting, fact), refused, scheduled)
        case SubscriptionFactRefused(code=TooManyFacts.code):
            return s
        case SubscriptionFactRefused():
            return Listed(s.after, waiting, (*refused, fact), scheduled)
        case _:
            return Listed(event.after, waiting, refused, scheduled)


def _without(facts: Facts, fact: tuple[str, str]) -> Facts:
    return tuple(other for other in facts if other != fact) if fact in facts else facts


def _row(s: Listed) -> tuple[Any, ...]:
    after = s.after
    counts = (len(s.waiting), len(s.refused), len(s.scheduled))
    if after is None:
        return (*(None,) * 13, *counts)
    return (
        after.organization_id,
        after.product,
        after.status,
        after.reference,
        after.started_at,
        after.expired_at,
        after.terminated_at,
        after.number,
        after.sku,
        after.license_code,
        after.quantity,
        after.plan_days,
        after.renewed_until,
        *counts,
    )


VIEW = single_stream_projection(
    "subscription_view",
    2,
    Decider(SUBSCRIPTION.category, lambda _key: Listed(), _evolve, SUBSCRIPTION.events),
    Listed,
    COLUMNS,
    _row,
    indexes=("(organization_id, key)",),
)
