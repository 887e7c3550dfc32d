"""One row a party: which organizations a partner has, for lists that stay within a branch (P0, P2)."""

from __future__ import annotations

from typing import Any

from trunkline.eventstore.event_store import Store
from trunkline.projections.single_stream import single_stream_projection
from trunkline_numbers.domain.party_replica import PARTY, PartyReplica

COLUMNS = {"kind": "text", "partner_id": "text"}


def _row(party: PartyReplica) -> tuple[Any, ...]:
    details = party.details
    return (None, None) if details is None else (details.kind, details.partner_id)


VIEW = single_stream_projection(
    "party_view",
    1,
    PARTY,
    PartyReplica,
    COLUMNS,
    _row,
    indexes=("(partner_id, key) WHERE partner_id IS NOT NULL",),
)


def branch_of(store: Store, party_id: str) -> list[str]:
    """A party and all that is below it."""
    rows = store.fetch("SELECT key FROM party_view WHERE partner_id = %s AND kind = 'organization'", (party_id,))
    return [party_id, *(key for (key,) in rows)]
