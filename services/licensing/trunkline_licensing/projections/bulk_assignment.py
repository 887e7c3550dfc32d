"""One row a bulk assignment, with its status and counts: for lists (L5)."""

from __future__ import annotations

from typing import Any

from trunkline.projections.single_stream import single_stream_projection
from trunkline_licensing.domain.bulk_assignment.bulk_assignment import BULK, Bulk

COLUMNS = {
    "organization_id": "text",
    "name": "text",
    "addons": "text[] NOT NULL",
    "copied_from": "text",
    "status": "text NOT NULL",
    "deleted": "boolean NOT NULL",
    "files": "integer NOT NULL",
    "total": "integer NOT NULL",
    "succeeded": "integer NOT NULL",
    "failed": "integer NOT NULL",
    "waiting": "integer NOT NULL",
    "pending": "integer NOT NULL",
    "all_or_nothing": "boolean NOT NULL",
    "created_at": "timestamptz",
    "started_at": "timestamptz",
    "completed_at": "timestamptz",
}
"""Beside `key` (the UUID), `version`, `position`, `changed_at` and `folded`."""


def _row(b: Bulk) -> tuple[Any, ...]:
    counts = (b.total, b.succeeded, b.failed, b.waiting + b.held, b.pending + b.short)
    times = (b.created_at, b.started_at, b.completed_at)
    of = (b.organization_id, b.name, list(b.addons), b.copied_from)
    return (*of, b.status, b.deleted, len(b.files), *counts, b.all_or_nothing, *times)


VIEW = single_stream_projection(
    "bulk_view",
    1,
    BULK,
    Bulk,
    COLUMNS,
    _row,
    indexes=("(organization_id, created_at, key)",),
)
