"""Messages that could not be read or understood, kept whole until a person has looked at them (X6)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final, Literal

import msgspec

from trunkline.eventstore.event_store import Connection, Store
from trunkline.eventstore.unit_of_work import UnitOfWork
from trunkline.messaging.records import Headers, IncomingRecord
from trunkline.text import storable

Status = Literal["waiting", "retried", "discarded"]

_INSERT: Final = (
    "INSERT INTO parked (source, topic, partition, kafka_offset, key, headers, value, code, reason, parked_at)"
    " VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s)"
)
_SELECT: Final = (
    "SELECT p.id, p.source, p.topic, p.partition, p.kafka_offset, p.key, p.headers, p.value, p.code, p.reason,"
    " p.parked_at, p.status, p.resolved_at, p.resolved_by, p.published, o.remark, o.edited, o.headers, o.value"
    " FROM parked p LEFT JOIN parked_outcomes o ON o.parked_id = p.id"
)
_OLDER: Final = (
    "SELECT id FROM parked"
    " WHERE status = 'waiting' AND topic = %s AND md5(key) = md5(%s) AND key = %s AND id < %s ORDER BY id LIMIT 1"
)
_OUTCOME: Final = "INSERT INTO parked_outcomes (parked_id, remark, edited, headers, value) VALUES (%s, %s, %s, %s, %s)"
_RESOLVE: Final = "UPDATE parked SET status = %s, resolved_at = %s, resolved_by = %s WHERE id = %s"
_HEADERS: Final = 6
_write_headers: Final = msgspec.msgpack.Encoder().encode
_read_headers: Final = msgspec.msgpack.Decoder(list[tuple[str, bytes | None]]).decode


class Parts(msgspec.Struct, frozen=True):
    """What is read of a record, and can be edited: its key only says in which order it stands."""

    headers: list[tuple[str, bytes | None]]
    value: bytes | None


class DeadLetter(msgspec.Struct, frozen=True):
    """One parked message: the record as it was, why it was parked, and what has become of it.

    Attributes:
        code: one of the codes of `Unreadable`, or `reaction-failed`; `reason` is its sentence.
        published: whether the topic DeadLetters has it.
        remark: why it was discarded, or what was said when it was retried.
        retried_as: the headers and value it was edited to before it was retried; None: it was not edited.
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
    status: Status
    resolved_at: datetime | None
    resolved_by: str | None
    published: bool
    remark: str | None = None
    retried_as: Parts | None = None

    @property
    def parts(self) -> Parts:
        """What is read of it."""
        return Parts(self.headers, self.value)

    @property
    def record(self) -> IncomingRecord:
        """The record as it came."""
        return IncomingRecord(self.source, self.topic, self.partition, self.offset, self.key, self.headers, self.value)


def park(uow: UnitOfWork, record: IncomingRecord, code: str, reason: str) -> None:
    """Keep a record that cannot be used, in the same transaction as the position after it (X3, X6).

    Args:
        uow: what is being decided; the row is written when it commits.
        record: as it came; key, value and headers are kept byte for byte, nulls too.
        code: why, as one of the stable codes.
        reason: why, as a sentence.
    """
    origin = (record.source, record.topic, record.partition, record.offset)
    row = (*origin, record.key, pack_headers(record.headers), record.value, code, storable(reason), uow.now)
    uow.write(_INSERT, [row])


def pack_headers(headers: Headers) -> bytes:
    """Headers as stored bytes, lossless."""
    return _write_headers([tuple(header) for header in headers])


def parked_page(
    store: Store,
    *,
    after: int = 0,
    limit: int = 100,
    status: Status | None = None,
    topic: str | None = None,
    code: str | None = None,
) -> list[DeadLetter]:
    """A page of parked messages, oldest first.

    Args:
        store: the service's store.
        after: the id the page begins after.
        limit: most messages.
        status, topic, code: only these; None for all.
    """
    chosen = {name: value for name, value in (("status", status), ("topic", topic), ("code", code)) if value}
    where = "".join(f" AND p.{name} = %s" for name in chosen)
    return _read(store, f"p.id > %s{where} ORDER BY p.id LIMIT %s", (after, *chosen.values(), limit))


def parked_message(where: Store | UnitOfWork, parked_id: int) -> DeadLetter | None:
    """One parked message, read by itself or within a piece of work; None where there is none of this id."""
    found = _read(where, "p.id = %s", (parked_id,))
    return found[0] if found else None


def older_of_its_key(uow: UnitOfWork, parked: DeadLetter) -> int | None:
    """The id of the oldest one before it that waits and has its topic and key; None: there is none.

    Messages without a key have no order among them.
    """
    found = uow.fetch(_OLDER, (parked.topic, parked.key, parked.key, parked.id)) if parked.key is not None else []
    return int(found[0][0]) if found else None


def resolve(
    uow: UnitOfWork, parked: DeadLetter, status: Status, by: str, remark: str | None, retried_as: Parts | None = None
) -> None:
    """Put on record what became of a parked message (O5); a rival that is faster makes this work a conflict.

    Args:
        uow: written when it commits, with all that the message brings about.
        parked: it waits.
        status: `retried` or `discarded`.
        by: who decided it.
        remark: what they say of it.
        retried_as: what it was edited to.
    """
    edited: tuple[object, ...] = (None, None)
    if retried_as is not None:
        edited = (pack_headers(retried_as.headers), retried_as.value)
    text = None if remark is None else storable(remark)
    uow.write(_OUTCOME, [(parked.id, text, retried_as is not None, *edited)])
    uow.write(_RESOLVE, [(status, uow.now, by, parked.id)])


def unpublished(store: Store, limit: int, without: Sequence[int] = ()) -> list[DeadLetter]:
    """Parked messages that the topic DeadLetters does not have yet, oldest first, without those of some ids."""
    return _read(store, "NOT p.published AND p.id <> ALL(%s::int8[]) ORDER BY p.id LIMIT %s", (list(without), limit))


def mark_published(store: Store, parked_ids: Sequence[int]) -> None:
    """Remember that the topic DeadLetters has them; a lost mark only publishes them again."""
    with store.connection() as conn:
        _mark(conn, parked_ids)


def _mark(conn: Connection, parked_ids: Sequence[int]) -> None:
    conn.execute("UPDATE parked SET published = true WHERE id = ANY(%s)", (list(parked_ids),))


def _read(where: Store | UnitOfWork, condition: str, values: Sequence[object]) -> list[DeadLetter]:
    return [_parked(*row) for row in where.fetch(f"{_SELECT} WHERE {condition}", values)]


def _parked(*row: Any) -> DeadLetter:
    *values, edited, headers, value = row
    values[_HEADERS] = _read_headers(values[_HEADERS])
    values.append(Parts(_read_headers(headers), value) if edited else None)
    return DeadLetter(*values)
