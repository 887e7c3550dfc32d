"""One row a number: everything that a reader or a search asks of it now (N11, R4, R8)."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from trunkline.projections.single_stream import single_stream_projection
from trunkline_numbers.domain.number.number import NUMBER
from trunkline_numbers.domain.number.state import Assigned, Available, Binding, Deleted, Locked, Number, Reserved

COLUMNS = {
    "state": "text NOT NULL",
    "since": "timestamptz",
    "country": "text NOT NULL",
    "sku": "text NOT NULL",
    "vendor": "text NOT NULL",
    "voice": "boolean NOT NULL",
    "sms": "boolean NOT NULL",
    "fax": "boolean NOT NULL",
    "voice_carrier": "text",
    "sms_carrier": "text",
    "routing": "text",
    "golden": "boolean NOT NULL",
    "ported_in": "boolean NOT NULL",
    "domains": "text[] NOT NULL",
    "uploader_id": "text",
    "uploader_kind": "text",
    "holder_id": "text",
    "holder_kind": "text",
    "subscription_id": "text",
    "organization_id": "text",
    "reserver_id": "text",
    "reserver_kind": "text",
    "cause": "text",
    "ends_at": "timestamptz",
    "free_ends_at": "timestamptz",
    "charged": "boolean NOT NULL",
    "cover_id": "text",
    "available_since": "timestamptz",
    "quarantined_until": "timestamptz",
    "last_organization_id": "text",
    "owner_id": "text",
    "bindings": "jsonb NOT NULL",
    "stock_of": "text",
    "bound": "boolean NOT NULL",
}
"""Beside `key` (the number), `version`, `position`, `changed_at` and `folded`.

`since`: in this state. `organization_id`: it is assigned to. `charged`: a DID reservation subscription (`cover_id`)
pays. `owner_id`: the organization it is assigned to, else its reserver. `cause`: of the reservation or the deletion.
`stock_of`: its holder; where it has none and nobody has it reserved or assigned, its uploader: with `owner_id` all that
is needed to know in whose branch it is (P2). `bound`: whether it has a binding.
"""

_Life = tuple[Any, ...]


def _row(n: Number) -> tuple[Any, ...]:
    listing = n.listing
    since, *life = _life(n)
    return (
        n.state,
        since,
        listing.country,
        listing.sku,
        listing.vendor,
        listing.voice,
        listing.sms,
        listing.fax,
        listing.voice_carrier,
        listing.sms_carrier,
        listing.routing,
        listing.golden,
        listing.ported_in,
        list(listing.domains),
        n.uploader_id,
        n.uploader_kind,
        n.holder_id,
        n.holder_kind,
        *life,
        [_binding(b) for b in n.bindings],
        n.holder_id or (None if isinstance(n.life, Reserved | Assigned) else n.uploader_id),
        bool(n.bindings),
    )


def _life(n: Number) -> _Life:
    """From `since` and `subscription_id` to `owner_id`: what differs from state to state."""
    last = n.last_organization_id
    match n.life:
        case Reserved() as r:
            return (
                r.since, r.subscription_id, None, r.reserver_id, r.reserver_kind, r.cause, r.ends_at, r.free_ends_at,
                r.cover_id is not None, r.cover_id, None, None, last, r.reserver_id,
            )  # fmt: skip
        case Assigned() as a:
            return _plain(a.since, last, subscription_id=a.subscription_id, organization_id=a.organization_id)
        case Available() as free:
            return _plain(free.since, last, available_since=free.since, quarantined_until=free.quarantined_until)
        case Locked() as lock:
            return _plain(lock.since, last, ends_at=lock.ends_at)
        case Deleted() as gone:
            return _plain(gone.since, last, cause=gone.reason)
        case _:
            return _plain(None, last)


def _plain(
    since: datetime | None,
    last: str | None,
    *,
    subscription_id: str | None = None,
    organization_id: str | None = None,
    cause: str | None = None,
    ends_at: datetime | None = None,
    available_since: datetime | None = None,
    quarantined_until: datetime | None = None,
) -> _Life:
    return (
        since, subscription_id, organization_id, None, None, cause, ends_at, None,
        False, None, available_since, quarantined_until, last, organization_id,
    )  # fmt: skip


def _binding(b: Binding) -> dict[str, str | None]:
    return {
        "kind": b.kind,
        "user_id": b.user_id,
        "organization_id": b.organization_id,
        "extension_id": b.extension_id,
    }


VIEW = single_stream_projection(
    "number_view",
    6,
    NUMBER,
    Number,
    COLUMNS,
    _row,
    # All of it is written anew with every change of a number, and each index with it: only what changes with a number's
    # life has one here. That of the states also says whose a number is: a search asks it of many (P2). What a number
    # is, which hardly ever changes, is searched by `listing_view`.
    indexes=(
        "(position)",
        "(subscription_id) WHERE subscription_id IS NOT NULL",
        "(state, key) INCLUDE (owner_id, stock_of)",
        "(owner_id, key) WHERE owner_id IS NOT NULL",
        "(stock_of, key) WHERE stock_of IS NOT NULL",
        "(available_since, key) WHERE state = 'available'",
        "(key) WHERE bound",
        "(key) WHERE bound AND state <> 'assigned'",
    ),
)
