"""One row an extension, as it is now, or was when it was deleted (L15, L18, L20)."""

from __future__ import annotations

from typing import Any

from trunkline.projections.single_stream import single_stream_projection
from trunkline_licensing.domain.extension.extension import EXTENSION, Extension
from trunkline_licensing.domain.pool.catalogue import BASE

COLUMNS = {
    "organization_id": "text",
    "ext_key": "text",
    "ext_number": "int4",
    "directory_name": "text",
    "user_id": "text",
    "licenses": "text[] NOT NULL",
    "subscriptions": "text[] NOT NULL",
    "suspended": "text[] NOT NULL",
    "number": "text",
    "number_status": "text",
    "bulk_id": "text",
    "deleted": "boolean NOT NULL",
}
"""Beside `key` (the extension's id), `version`, `position`, `changed_at` and `folded`.

`ext_number`: what the key counts as, for sorting. `licenses` and `subscriptions` go together: `phone_system` and each
add-on, and the subscription that each is a unit of. `suspended`: those of the licenses that nothing covers now.
"""


def _row(x: Extension) -> tuple[Any, ...]:
    facts = x.facts
    if facts is None:
        return (None, None, None, None, None, [], [], [], None, None, None, x.deleted)
    number = facts.number
    return (
        facts.organization_id,
        facts.ext_key,
        int(facts.ext_key),
        facts.directory_name,
        facts.user_id,
        [BASE, *facts.codes],
        [facts.subscription_id, *(addon.subscription_id for addon in facts.addons)],
        list(facts.suspended),
        number.number if number is not None else None,
        number.status if number is not None else None,
        x.bulk.bulk_id if x.bulk is not None else None,
        x.deleted,
    )


VIEW = single_stream_projection(
    "extension_view",
    1,
    EXTENSION,
    Extension,
    COLUMNS,
    _row,
    indexes=(
        "(position)",
        "(organization_id, ext_number, key) WHERE NOT deleted",
        "(user_id) WHERE user_id IS NOT NULL",
    ),
)
