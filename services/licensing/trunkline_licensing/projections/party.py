"""One row a party: the platform, each partner and each organization, as they are now (P0)."""

from __future__ import annotations

from typing import Any

import msgspec

from trunkline.eventstore.decider import Decider, Event
from trunkline.projections.single_stream import single_stream_projection
from trunkline_licensing.domain.party.directory import PARTY
from trunkline_licensing.domain.party.facts import Organization, Partner, Platform

COLUMNS = {
    "kind": "text",
    "name": "text",
    "partner_id": "text",
    "owner_email": "text",
    "support_email": "text",
    "billing_email": "text",
    "domains": "text[] NOT NULL",
    "allow_external_numbers": "boolean NOT NULL",
}
"""Beside `key` (the party's id; `platform`), `version`, `position`, `changed_at` and `folded`.

`kind` is null as long as the party is not registered. `partner_id`: of an organization; null: the platform's own.
"""


class Listed(msgspec.Struct, frozen=True):
    """What the view needs of a party."""

    details: Platform | Partner | Organization | None = None


def _evolve(p: Listed, event: Event) -> Listed:
    after = getattr(event, "after", None)  # a fact that waits or is refused changes nothing
    return p if after is None else Listed(after)


def _row(p: Listed) -> tuple[Any, ...]:
    match p.details:
        case Organization() as o:
            return ("organization", o.name, o.partner_id, None, None, o.billing_email, [], o.allow_external_numbers)
        case Partner() as r:
            return ("partner", r.name, None, r.owner_email, r.support_email, None, list(r.domains), False)
        case Platform() as top:
            return ("platform", top.name, None, top.owner_email, top.support_email, None, list(top.domains), False)
        case _:
            return (None, None, None, None, None, None, [], False)


VIEW = single_stream_projection(
    "party_view",
    1,
    Decider(PARTY.category, lambda _key: Listed(), _evolve, PARTY.events),
    Listed,
    COLUMNS,
    _row,
    indexes=("(partner_id, key)", "(kind, key)"),
)
