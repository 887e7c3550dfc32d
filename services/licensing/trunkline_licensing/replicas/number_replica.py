"""The replica of each number in licensing: the newest document of NumberState, by its sequence (X1, X5).

A plain table, no stream and no projection: it is written in the transactions that process the topic, and a document
that is not newer than the one there is changes nothing. `state` is null for a number that is gone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Any, Final

import msgspec

from trunkline.contracts.numbers import NumberState
from trunkline.eventstore.event_store import Store
from trunkline.eventstore.unit_of_work import UnitOfWork

TOPIC: Final = "NumberState"
Fetch = Callable[[str, Sequence[Any]], list[Any]]

_COLUMNS: Final = {
    "number": "text",
    "version": "int8",
    "state": "text",
    "since": "timestamptz",
    "organization_id": "text",
    "holder_id": "text",
    "reserver_id": "text",
    "subscription_id": "text",
    "sku": "text",
    "country": "text",
    "capabilities": "text",
    "quarantined_until": "timestamptz",
    "bound": "bool",
    "voice_bound": "bool",
    "extension_id": "text",
    "generation": "int8",
}
_SET: Final = ", ".join(f"{name} = EXCLUDED.{name}" for name in _COLUMNS if name != "number")
_WRITE: Final = (
    f"INSERT INTO number_copy ({', '.join(_COLUMNS)})"
    f" SELECT * FROM unnest({', '.join(f'%b::{kind}[]' for kind in _COLUMNS.values())})"
    f" ON CONFLICT (number) DO UPDATE SET {_SET} WHERE number_copy.version < EXCLUDED.version"
)


class NumberReplica(msgspec.Struct, frozen=True, gc=False):
    """A number as numbers published it; the fields are the table's columns.

    Attributes:
        version: of the number's stream.
        state: `available`, `reserved`, `locked`, `assigned`; None: it is gone.
        since: in this state.
        organization_id: it is assigned to.
        capabilities: of `voice`, `sms`, `fax`, with blanks between.
        bound: it serves anybody. `voice_bound`: it rings at somebody.
        extension_id, generation: where it rings, and by which of the extension's requests.
    """

    number: str
    version: int
    state: str | None = None
    since: datetime | None = None
    organization_id: str | None = None
    holder_id: str | None = None
    reserver_id: str | None = None
    subscription_id: str | None = None
    sku: str | None = None
    country: str | None = None
    capabilities: str | None = None
    quarantined_until: datetime | None = None
    bound: bool = False
    voice_bound: bool = False
    extension_id: str | None = None
    generation: int | None = None

    @property
    def suspends(self) -> bool:
        """Whether the binding that the number has is suspended: it is kept, and serves nobody meanwhile."""
        return self.state == "reserved"


def copy_of(number: str, version: int, document: NumberState | None) -> NumberReplica:
    """The copy of a document; None: a tombstone."""
    if document is None:
        return NumberReplica(number, version)
    rings = next((b for b in document.bindings if b.kind == "pbx"), None)
    return NumberReplica(
        number=number,
        version=version,
        state=document.state,
        since=document.since,
        organization_id=document.organization_id,
        holder_id=document.holder_id,
        reserver_id=document.reserver_id,
        subscription_id=document.subscription_id,
        sku=document.sku,
        country=document.country,
        capabilities=" ".join(name for name in ("voice", "sms", "fax") if getattr(document, name)),
        quarantined_until=document.quarantined_until,
        bound=bool(document.bindings),
        voice_bound=any(b.kind != "sms" for b in document.bindings),
        extension_id=rings.extension_id if rings else None,
        generation=rings.generation if rings else None,
    )


def write(uow: UnitOfWork, copies: Iterable[NumberReplica]) -> None:
    """Keep the newest of these and of those there are; one statement for all. Each number once."""
    rows = [msgspec.structs.astuple(copy) for copy in copies]
    if rows:
        uow.write(_WRITE, [[list(column) for column in zip(*rows, strict=True)]])


def read(fetch: Fetch, numbers: Sequence[str]) -> dict[str, NumberReplica]:
    """The copies of some numbers, in one query; a number that is not known is left out."""
    if not numbers:
        return {}
    rows = fetch(f"SELECT {', '.join(_COLUMNS)} FROM number_copy WHERE number = ANY(%b)", (list(numbers),))
    return {row[0]: NumberReplica(*row) for row in rows}


def begin_anew_where_empty(store: Store) -> None:
    """Let an empty table be filled from the topic's beginning: forget its checkpoints."""
    with store.locked() as conn:
        conn.execute(
            b"DELETE FROM notification_tracking WHERE NOT EXISTS (SELECT FROM number_copy)"
            b" AND (application_name LIKE %s OR application_name LIKE %s)",
            (f"kafka/%/{TOPIC}/%", f"local/numbers%/{TOPIC}"),
        )
