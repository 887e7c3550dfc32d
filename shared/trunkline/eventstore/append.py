"""Writing a batch: everything it causes commits at once, under the writers' lock.

A small batch is one call of a function in the database (migration 0006), and so one round trip with its commit. The
events of a large one are copied between two such calls, which costs less for each.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

import psycopg

WRITERS: Final = 7_301
"""The advisory lock of every writing transaction."""

AT_ONCE: Final = 100
"""Events up to which passing them as arrays costs less than the round trips of a COPY."""

Connection = psycopg.Connection[Any]


class ConcurrencyError(Exception):
    """Somebody else wrote what this batch read or claims; deciding again on fresh state settles it."""


class CheckpointConflict(Exception):
    """The source position was moved by another reader of the same source: drop this batch (X3)."""


@dataclass
class CommitBatch:
    """Everything one transaction writes.

    Attributes:
        events: (stream id, version, stored name, stored bytes), in log order.
        depends: stream id -> version it was read at; any other version now is a conflict.
        claims, unclaims: (claim, stream id) to take, claims to give back.
        deadlines: (stream id, due or None to remove, generation).
        waits, unwaits: (awaited, waiter, since, reason); (awaited, waiter).
        waiters_seen: awaited stream id -> the waiters that were read.
        positions: source -> (expected, new).
        received: (source, id, hash of the payload) of messages that must take effect once; `received_at`: when.
        writes: further statements with their rows, after all else.
    """

    events: list[tuple[str, int, str, bytes]] = field(default_factory=list)
    depends: dict[str, int] = field(default_factory=dict)
    claims: list[tuple[str, str]] = field(default_factory=list)
    unclaims: list[str] = field(default_factory=list)
    deadlines: list[tuple[str, datetime | None, int]] = field(default_factory=list)
    waits: list[tuple[str, str, datetime, str]] = field(default_factory=list)
    unwaits: list[tuple[str, str]] = field(default_factory=list)
    waiters_seen: dict[str, frozenset[str]] = field(default_factory=dict)
    positions: dict[str, tuple[int | None, int]] = field(default_factory=dict)
    received: list[tuple[str, str, bytes]] = field(default_factory=list)
    received_at: datetime | None = None
    writes: list[tuple[str, Sequence[Any]]] = field(default_factory=list)

    @property
    def small(self) -> bool:
        """Whether one call can write it."""
        return len(self.events) <= AT_ONCE and not self.writes


def write_at_once(conn: Connection, batch: CommitBatch, sender: str) -> int:
    """Commit a small batch; the log position after it.

    Args:
        conn: in autocommit mode, outside a transaction.
        batch: `small`.
        sender: names the store to whoever is woken.

    Raises:
        Conflict: see `Store.append`.
        Overtaken: see there.
    """
    params = (WRITERS, *_reads(batch), *_columns(batch.events, 4), sender, *_beside(batch))
    return int(_call(conn, _APPEND, params))


def write(conn: Connection, batch: CommitBatch, sender: str) -> int:
    """Write any batch within a transaction; the log position after it. Raises as `write_at_once`."""
    _call(conn, _LOCK, (WRITERS, *_reads(batch)))
    try:
        if batch.events:
            with conn.cursor().copy(
                "COPY stored_events (originator_id, originator_version, topic, state) FROM STDIN (FORMAT BINARY)"
            ) as copy:
                copy.set_types(("text", "int8", "text", "bytea"))
                for row in batch.events:
                    copy.write_row(row)
        position = int(_call(conn, _BESIDE, (len(batch.events), sender, *_beside(batch))))
        for sql, rows in batch.writes:
            conn.cursor().executemany(sql.encode(), rows)
    except (psycopg.errors.UniqueViolation, psycopg.errors.SerializationFailure) as e:
        raise ConcurrencyError(str(e).splitlines()[0]) from e
    return position


def move_follower(conn: Connection, follower: str, expected: int | None, new: int) -> None:
    """Record a follower's position alone. Raises Overtaken."""
    _call(conn, b"SELECT trunkline_move_follower(%b, %b, %b)", (follower, expected, new))


def read_waiters(conn: Connection, awaited: Iterable[str]) -> dict[str, frozenset[str]]:
    """Who waits for these streams: awaited stream id -> waiting stream ids; those nobody waits for are left out."""
    found: dict[str, set[str]] = {}
    rows = conn.execute(b"SELECT awaited, waiter FROM awaited WHERE awaited = ANY(%b)", (list(awaited),))
    for stream_id, waiter in rows:
        found.setdefault(stream_id, set()).add(waiter)
    return {k: frozenset(v) for k, v in found.items()}


def _call(conn: Connection, sql: bytes, params: Sequence[Any]) -> Any:
    try:
        row = conn.execute(sql, params, prepare=True, binary=True).fetchone()
    except (psycopg.errors.UniqueViolation, psycopg.errors.SerializationFailure) as e:
        raise ConcurrencyError(str(e).splitlines()[0]) from e
    except psycopg.Error as e:
        kind = _KINDS.get(e.sqlstate or "")
        if kind is None:
            raise
        raise kind(str(e).splitlines()[0]) from e
    return row[0] if row else None


_KINDS: Final[dict[str, type[Exception]]] = {"TL001": ConcurrencyError, "TL002": CheckpointConflict}

_READS, _EVENTS, _BESIDES = 5, 4, 22


def _statement(function: str, count: int) -> bytes:
    return f"SELECT {function}({', '.join(['%b'] * count)})".encode()


_LOCK: Final = _statement("trunkline_lock", 1 + _READS)
_BESIDE: Final = _statement("trunkline_beside", 2 + _BESIDES)
_APPEND: Final = _statement("trunkline_append", 1 + _READS + _EVENTS + 1 + _BESIDES)


def _reads(batch: CommitBatch) -> tuple[Any, ...]:
    """What was read and must still be so."""
    streams = list(batch.waiters_seen) or None
    seen = [(awaited, waiter) for awaited, waiters in batch.waiters_seen.items() for waiter in waiters]
    return (*_columns(batch.depends.items(), 2), streams, *_columns(seen, 2))


def _beside(batch: CommitBatch) -> tuple[Any, ...]:
    """What goes with the events, as the columns of `trunkline_beside`."""
    positions = batch.positions.items()
    first = [(source, new) for source, (expected, new) in positions if expected is None]
    known = [(source, expected, new) for source, (expected, new) in positions if expected is not None]
    return (
        batch.unclaims or None,
        *_columns(batch.claims, 2),
        [key for key, due, _ in batch.deadlines if due is None] or None,
        *_columns([row for row in batch.deadlines if row[1] is not None], 3),
        *_columns(batch.unwaits, 2),
        *_columns(batch.waits, 4),
        *_columns(batch.received, 3),
        batch.received_at,
        *_columns(first, 2),
        *_columns(known, 3),
    )


def _columns(rows: Iterable[Sequence[Any]], count: int) -> Sequence[Any]:
    """Rows as columns for `unnest`; none at all as nulls."""
    return [list(column) for column in zip(*rows, strict=True)] or (None,) * count
