"""Subscriptions that wait for a number they were refused (S6), of one branch (P2): read from the subscription view."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final, NamedTuple

from trunkline.eventstore.event_store import Store
from trunkline.http.pagination import Page

SORTS: Final = {"started_at": "started_at", "number": "refused_number", "refused_at": "refused_since"}
"""What the list can be sorted by, and its column; the oldest start first is the order in which they are served."""

_FROM: Final = "FROM subscription_view WHERE refused_number IS NOT NULL"
_BRANCH: Final = """ AND (organization_id = %s OR EXISTS
    (SELECT FROM party_view WHERE party_view.key = organization_id AND partner_id = %s AND kind = 'organization'))"""


class Waiting(NamedTuple):
    """One that waits."""

    subscription_id: str
    organization_id: str
    number: str
    code: str
    reason: str
    refused_at: datetime
    started_at: datetime

    def place(self, sort: str) -> tuple[str, str]:
        """Its sort values, as a cursor keeps them."""
        if sort == "number":
            return self.number, self.subscription_id
        at = self.started_at if sort == "started_at" else self.refused_at
        return at.astimezone(UTC).isoformat(), self.subscription_id


def waiting(store: Store, party_id: str | None, wanted: Page) -> tuple[list[Waiting], int]:
    """The page that is wanted, with one more where there is more, and how many there are in all.

    Args:
        store: of numbers.
        party_id: the principal's party, whose branch bounds the list; None: the platform sees all.
        wanted: sorted by one of `SORTS`.
    """
    branch, params = ("", ()) if party_id is None else (_BRANCH, (party_id, party_id))
    column = SORTS[wanted.sort]
    kind = "text" if wanted.sort == "number" else "timestamptz"
    after = f" AND ({column}, key) {wanted.beyond} (%s::{kind}, %s)" if wanted.after else ""
    columns = "key, organization_id, refused_number, refused_code, refused_reason, refused_since, started_at"
    order = f" ORDER BY {column} {wanted.direction}, key {wanted.direction} LIMIT %s"
    rows = store.fetch(f"SELECT {columns} {_FROM}{branch}{after}{order}", (*params, *wanted.place(), wanted.limit + 1))
    ((total,),) = store.fetch(f"SELECT count(*) {_FROM}{branch}", params)
    return [Waiting(*row) for row in rows], total
