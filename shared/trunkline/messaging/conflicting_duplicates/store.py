"""Messages that name an event which was heard before and say something else (S3): kept for people, never applied."""

from __future__ import annotations

from datetime import datetime
from typing import Final, Literal

import msgspec

from trunkline.contracts.cloudevents.message import Message
from trunkline.eventstore.event_store import Store
from trunkline.eventstore.unit_of_work import UnitOfWork
from trunkline.text import storable

_INSERT: Final = (
    "INSERT INTO quarantined (source, event_id, payload_hash, type, subject, occurred_at, message, quarantined_at)"
    " VALUES (%s, %s, %s, %s, %s, %s, %s, %s) ON CONFLICT (source, event_id, payload_hash) DO NOTHING"
)
_SELECT: Final = (
    "SELECT q.id, q.source, q.event_id, q.type, q.subject, q.occurred_at, q.message, q.quarantined_at,"
    " coalesce(o.status, 'open'), o.settled_at, o.settled_by, o.remark, o.applied_as"
    " FROM quarantined q LEFT JOIN quarantined_outcomes o ON o.quarantined_id = q.id"
)
Status = Literal["open", "applied", "dismissed"]
_SETTLE: Final = (
    "INSERT INTO quarantined_outcomes (quarantined_id, status, settled_at, settled_by, remark, applied_as)"
    " VALUES (%s, %s, %s, %s, %s, %s)"
)
_write: Final = msgspec.json.Encoder().encode


class ConflictingDuplicate(msgspec.Struct, frozen=True):
    """One such message; `message` is all of it as JSON.

    `status`: `open` until a person settles it; `applied_as`: the event id under which it took effect then.
    """

    id: int
    source: str
    event_id: str
    type: str
    subject: str
    occurred_at: datetime
    message: str
    quarantined_at: datetime
    status: Status = "open"
    settled_at: datetime | None = None
    settled_by: str | None = None
    remark: str | None = None
    applied_as: str | None = None


def quarantine(uow: UnitOfWork, message: Message, payload_hash: bytes) -> None:
    """Keep a message aside in this work's transaction; the same one again leaves one row.

    Args:
        uow: what is being decided.
        message: the one that contradicts what was heard under its source and id.
        payload_hash: `content_hash(message)`.
    """
    named = (message.source, message.id, payload_hash, message.type, message.subject, message.time)
    uow.write(_INSERT, [(*named, _write(message).decode(), uow.now)])


def is_put_aside(uow: UnitOfWork) -> bool:
    """Whether a piece of work puts any message aside."""
    return any(sql == _INSERT for sql, _ in uow.batch.writes)


def quarantined_page(
    store: Store, *, after: int = 0, limit: int = 100, status: Status | None = None
) -> list[ConflictingDuplicate]:
    """A page of quarantined messages, oldest first, after an id; only those in a status, where one is given."""
    chosen, params = "", list[object]([after])
    if status is not None:
        chosen = " AND coalesce(o.status, 'open') = %s"
        params.append(status)
    rows = store.fetch(f"{_SELECT} WHERE q.id > %s{chosen} ORDER BY q.id LIMIT %s", (*params, limit))
    return [ConflictingDuplicate(*row) for row in rows]


def quarantined_message(uow: UnitOfWork, row_id: int) -> ConflictingDuplicate | None:
    """One of them, within a piece of work; None where there is none of this id."""
    rows = uow.fetch(f"{_SELECT} WHERE q.id = %s", (row_id,))
    return ConflictingDuplicate(*rows[0]) if rows else None


def settle(
    uow: UnitOfWork,
    found: ConflictingDuplicate,
    status: Status,
    by: str,
    remark: str | None,
    applied_as: str | None = None,
) -> None:
    """Put on record what a person decided about a message; of two who decide, one meets a conflict.

    Args:
        uow: the transaction.
        found: the message, still open.
        status: `applied` or `dismissed`.
        by: who decides.
        remark: why.
        applied_as: the event id under which it takes effect.
    """
    kept = None if remark is None else storable(remark)
    uow.write(_SETTLE, [(found.id, status, uow.now, by, kept, applied_as)])
