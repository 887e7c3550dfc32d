"""One row a person in an organization, as they are now, or were when they left (P0)."""

from __future__ import annotations

from typing import Any

import msgspec

from trunkline.eventstore.decider import Decider, Event
from trunkline.projections.single_stream import single_stream_projection
from trunkline_licensing.domain.party.directory import IDENTITY
from trunkline_licensing.domain.party.events import IdentityRemoved
from trunkline_licensing.domain.party.facts import Identity

COLUMNS = {
    "organization_id": "text",
    "name": "text",
    "email": "text",
    "role": "text",
    "removed": "boolean NOT NULL",
}
"""Beside `key` (the identity's id), `version`, `position`, `changed_at` and `folded`; null: not registered yet."""


class Listed(msgspec.Struct, frozen=True):
    """What the view needs of a person."""

    details: Identity | None = None
    removed: bool = False


def _evolve(p: Listed, event: Event) -> Listed:
    after = getattr(event, "after", None)  # a fact that waits or is refused changes nothing
    return p if after is None else Listed(after, p.removed or isinstance(event, IdentityRemoved))


def _row(p: Listed) -> tuple[Any, ...]:
    d = p.details
    if d is None:
        return (None, None, None, None, p.removed)
    return (d.organization_id, d.name, d.email, d.role, p.removed)


VIEW = single_stream_projection(
    "identity_view",
    1,
    Decider(IDENTITY.category, lambda _key: Listed(), _evolve, IDENTITY.events),
    Listed,
    COLUMNS,
    _row,
    indexes=("(organization_id, key)",),
)
