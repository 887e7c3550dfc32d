"""Messages that could not be read or understood, kept whole until a person has looked at them (X6)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

import msgspec

from trunkline.messaging.record import Headers, Record
from trunkline.store import Connection, Store
from trunkline.work import Work

_INSERT: Final = (
    "INSERT INTO parked (source, topic, partition, kafka_offset, key, headers, value, code, reason, parked_at)"
    " VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s)"
)
_COLUMNS: Final = (
    "id, source, topic, partition, kafka_offset, key, headers, value, code, reason, parked_at, status,"
    " resolved_at, resolved_by, published"
)
_HEADERS: Final = 6
_write_headers: Final = msgspec.msgpack.Encoder().encode
_read_headers: Final = msgspec.msgpack.Decoder(list[tuple[str, bytes | None]]).decode


class Parked(msgspec.Struct, frozen=True):
    """One parked message: the record as it was, why it was parked, and what has become of it.

    Attributes:
        code: one of the codes of `Unreadable`; `reason` is its sentence.
        status: `waiting`, `retried` or `discarded`.
        published: whether the topic DeadLetters has it.
    """

    id: int
    source: str
    topic: str
    partition: int
    offset: int
    key: bytes | None
    headers: list[tuple[str, bytes | None]]
    value: bytes | None
    code: str
    reason: str
    parked_at: datetime
    status: str
    resolved_at: datetime | None
    resolved_by: str | None
    published: bool

    @property
    def record(self) -> Record:
        """The record as it came."""
        return Record(self.source, self.topic, self.partition, self.offset, self.key, self.headers, self.value)


def park(work: Work, record: Record, code: str, reason: str) -> None:
    """Keep a record that cannot be used, in the same transaction as the position after it (X3, X6).

    Args:
        work: what is being decided; the row is written when it commits.
        record: as it came; key, value and headers are kept byte for byte, nulls too.
        code: why, as one of the stable codes.
        reason: why, as a sentence.
    """
    place = (record.source, record.topic, record.partition, record.offset)
    row = (*place, record.key, pack_headers(record.headers), record.value, code, _storable(reason), work.now)
    work.write(_INSERT, [row])


def pack_headers(headers: Headers) -> bytes:
    """Headers as stored bytes, lossless."""
    return _write_headers([tuple(header) for header in headers])


def parked_page(store: Store, *, after: int = 0, limit: int = 100, status: str | None = None) -> list[Parked]:
    """A page of parked messages, oldest first.

    Args:
        store: the service's store.
        after: the id the page begins after.
        limit: most messages.
        status: only these: `waiting`, `retried` or `discarded`; None for all.
    """
    chosen, values = ("", ()) if status is None else (" AND status = %s", (status,))
    return _read(store, f"id > %s{chosen} ORDER BY id LIMIT %s", (after, *values, limit))


def parked_message(store: Store, parked_id: int) -> Parked | None:
    """One parked message; None where there is none of this id."""
    found = _read(store, "id = %s", (parked_id,))
    return found[0] if found else None


def unpublished(store: Store, limit: int) -> list[Parked]:
    """Parked messages that the topic DeadLetters does not have yet, oldest first."""
    return _read(store, "NOT published ORDER BY id LIMIT %s", (limit,))


def mark_published(store: Store, parked_ids: Sequence[int]) -> None:
    """Remember that the topic DeadLetters has them; a lost mark only publishes them again."""
    with store.connection() as conn:
        _mark(conn, parked_ids)


def _mark(conn: Connection, parked_ids: Sequence[int]) -> None:
    conn.execute("UPDATE parked SET published = true WHERE id = ANY(%s)", (list(parked_ids),))


def _read(store: Store, where: str, values: Sequence[object]) -> list[Parked]:
    rows = store.fetch(f"SELECT {_COLUMNS} FROM parked WHERE {where}", values)
    return [_parked(*row) for row in rows]


def _parked(*row: Any) -> Parked:
    values = [*row]
    values[_HEADERS] = _read_headers(values[_HEADERS])
    return Parked(*values)


def _storable(text: str) -> str:
    """PostgreSQL's text has no null character, and a reason may quote what a message contained."""
    return text.replace("\0", "␀").encode("utf-8", "backslashreplace").decode()
