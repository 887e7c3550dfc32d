"""Messages that name an event which was heard before and say something else (S3): kept for people, never applied."""

from __future__ import annotations

from datetime import datetime
from typing import Final

import msgspec

from trunkline.contracts.message import Message
from trunkline.store import Store
from trunkline.work import Work

_INSERT: Final = (
    "INSERT INTO quarantined (source, event_id, payload_hash, type, subject, occurred_at, message, quarantined_at)"
    " VALUES (%s, %s, %s, %s, %s, %s, %s, %s) ON CONFLICT (source, event_id, payload_hash) DO NOTHING"
)
_COLUMNS: Final = "id, source, event_id, type, subject, occurred_at, message, quarantined_at"
_write: Final = msgspec.json.Encoder().encode


class Quarantined(msgspec.Struct, frozen=True):
    """One such message; `message` is all of it as JSON."""

    id: int
    source: str
    event_id: str
    type: str
    subject: str
    occurred_at: datetime
    message: str
    quarantined_at: datetime


def quarantine(work: Work, message: Message, payload_hash: bytes) -> None:
    """Keep a message aside in this work's transaction; the same one again leaves one row.

    Args:
        work: what is being decided.
        message: the one that contradicts what was heard under its source and id.
        payload_hash: `content_hash(message)`.
    """
    named = (message.source, message.id, payload_hash, message.type, message.subject, message.time)
    work.write(_INSERT, [(*named, _write(message).decode(), work.now)])


def is_put_aside(work: Work) -> bool:
    """Whether a piece of work puts any message aside."""
    return any(sql == _INSERT for sql, _ in work.batch.writes)


def quarantined_page(store: Store, *, after: int = 0, limit: int = 100) -> list[Quarantined]:
    """A page of quarantined messages, oldest first, after an id."""
    rows = store.fetch(f"SELECT {_COLUMNS} FROM quarantined WHERE id > %s ORDER BY id LIMIT %s", (after, limit))
    return [Quarantined(*row) for row in rows]
