"""One row a subscription: what numbers has heard of it, and the number it was refused, if it waits for one (S6)."""

from __future__ import annotations

from typing import Any

from trunkline.projections.single_stream import single_stream_projection
from trunkline_numbers.domain.subscription.subscription import SUBSCRIPTION, Subscription

COLUMNS = {
    "organization_id": "text",
    "product": "text",
    "status": "text",
    "number": "text",
    "started_at": "timestamptz",
    "expired_at": "timestamptz",
    "terminated_at": "timestamptz",
    "quantity": "int8",
    "plan_days": "int8",
    "renewed_until": "timestamptz",
    "served": "text[] NOT NULL",
    "refused_number": "text",
    "refused_code": "text",
    "refused_reason": "text",
    "refused_since": "timestamptz",
}
"""Beside `key` (the subscription's id), `version`, `position`, `changed_at` and `folded`.

`number`: the one it names; `served`: every one it ever had. `refused_…`: the refusal it waits on.
"""

_NOTHING_HEARD = (None,) * 10


def _row(s: Subscription) -> tuple[Any, ...]:
    terms, refused = s.terms, s.refused
    said: tuple[Any, ...] = _NOTHING_HEARD
    if terms is not None:
        said = (
            terms.organization_id,
            terms.product,
            terms.status,
            terms.number,
            terms.started_at,
            terms.expired_at,
            terms.terminated_at,
            terms.quantity,
            terms.plan_days,
            terms.renewed_until,
        )
    if refused is None:
        return (*said, s.ever_served, None, None, None, None)
    return (*said, s.ever_served, refused.number, refused.code, refused.reason, refused.at)


VIEW = single_stream_projection(
    "subscription_view",
    4,
    SUBSCRIPTION,
    Subscription,
    COLUMNS,
    _row,
    indexes=("(organization_id, key)", "(refused_since, key) WHERE refused_number IS NOT NULL"),
)
