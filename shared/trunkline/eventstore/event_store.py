"""The event store: everything that one batch causes commits at once, in one short transaction.

The tables have the layout of the `eventsourcing` library; `LogRecorder` is that library's recorder over a store. The
store itself holds a pool of psycopg connections and nothing of the library, whose own append takes another lock and
could bypass the one below.

Every writing transaction first takes one advisory lock, so log order is commit order: a reader of the log can
never skip an event that commits late, and no two writers can deadlock.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from secrets import token_hex
from time import monotonic
from typing import Any

from psycopg.types.numeric import Int8BinaryDumper
from psycopg_pool import ConnectionPool

from trunkline.eventstore.append import (
    WRITERS,
    CheckpointConflict,
    CommitBatch,
    ConcurrencyError,
    Connection,
    move_follower,
    read_waiters,
    write,
    write_at_once,
)
from trunkline.eventstore.epochs import Epochs
from trunkline.eventstore.recent_events import CommittedEvent, RecentEvents
from trunkline.eventstore.recorded_event import Codec, RawRow, RecordedEvent, recorded

__all__ = ["CheckpointConflict", "CommitBatch", "ConcurrencyError", "Connection", "Store", "read_waiters"]

CHANNEL = "stored_events"
WAITS, HEARD = 0, -1
"""In place of a version: the row tells who waits for a stream; that a message was heard."""

_STREAMS = "SELECT originator_id, originator_version, topic, state FROM stored_events WHERE originator_id = ANY(%b)"
_WAITERS = f"SELECT awaited, {WAITS}, waiter, '' FROM awaited WHERE awaited = ANY(%b)"
_INBOX = (
    f"SELECT i.source, {HEARD}, i.id, i.payload_hash FROM inbox i"
    " JOIN unnest(%b::text[], %b::text[]) AS m(source, id) ON i.source = m.source AND i.id = m.id"
)
_RESTED_SECONDS = 1.0


def _check_if_idle(conn: Connection) -> None:
    """Look whether a connection still lives, if it has rested: a round trip each time would cost a tenth of a batch."""
    now = monotonic()
    used: float = conn.__dict__.get("trunkline_used", 0.0)
    if now - used > _RESTED_SECONDS:
        ConnectionPool.check_connection(conn)
    conn.__dict__["trunkline_used"] = now


def _configure(conn: Connection) -> None:
    """Pass every int as an int8: one prepared statement, however large the numbers."""
    conn.adapters.register_dumper(int, Int8BinaryDumper)


def _new_pool(url: str, size: int) -> ConnectionPool[Connection]:
    return ConnectionPool(
        url,
        kwargs={"autocommit": True},
        min_size=1,
        max_size=size,
        open=False,  # by the first connection that is needed: whoever makes a store may not use it
        configure=_configure,
        timeout=5.0,
        max_lifetime=3600.0,
        check=_check_if_idle,
    )


class ConnectionWhileLocked(RuntimeError):
    """A thread that holds the writers' lock asks the pool for a second connection: a mistake of ours."""


class Store:
    """One service's event store in one PostgreSQL database. Synchronous and thread-safe.

    `append` and `locked` are its only ways to write events (X2).
    """

    def __init__(self, url: str, codec: Codec, *, pool_size: int = 6) -> None:
        """Connect to a migrated database.

        Args:
            url: `postgresql://…` or any libpq connection string.
            codec: the service's event classes.
            pool_size: most connections held at once; one is opened at the start, the rest when needed.
        """
        self.url = url
        self.pool = _new_pool(url, pool_size)
        self.codec = codec
        self.sender = token_hex(8)
        """What this store is called towards whoever listens for commits: its own need no second word."""
        self._lock_holder = threading.local()
        self.epochs = Epochs()
        """Of this log; read at the start of a service, before anything is published."""
        self.tail = RecentEvents()
        self.on_commit: list[Callable[[int], None]] = []
        """Called with the log's new end after a commit that added events, in the committing thread."""

    @contextmanager
    def connection(self, timeout: float | None = None) -> Iterator[Connection]:
        """A pooled connection in autocommit mode; psycopg's errors come through as they are.

        Args:
            timeout: seconds to wait for a free one; None: the pool's own patience. Then `psycopg_pool.PoolTimeout`.

        Raises:
            ConnectionWhileLocked: see there.
        """
        if self.locked_here is not None:
            msg = "this thread holds the writers' lock: it reads and writes through that connection, and waits for none"
            raise ConnectionWhileLocked(msg)
        self.pool.open()
        with self.pool.connection(timeout) as conn:
            yield conn

    @contextmanager
    def locked(self) -> Iterator[Connection]:
        """A writing transaction that holds the writers' lock from its first statement to its commit.

        Within it this thread takes no other connection: all of the pool's may be waiting for this very lock. `fetch`
        reads through the locked one by itself.
        """
        with self.connection() as conn, conn.transaction():
            conn.execute("SELECT pg_advisory_xact_lock(%s)", (WRITERS,))
            self._lock_holder.conn = conn
            try:
                yield conn
            finally:
                self._lock_holder.conn = None

    @property
    def locked_here(self) -> Connection | None:
        """The connection with which this thread holds the writers' lock; None: it does not."""
        return getattr(self._lock_holder, "conn", None)

    def close(self) -> None:
        """Close the pool's connections."""
        self.pool.close()

    # -- reading ----------------------------------------------------------------------------------------------

    def read_streams(
        self, stream_ids: Sequence[str], conn: Connection | None = None
    ) -> list[tuple[str, int, str, bytes]]:
        """All events of many streams in one query: (stream id, version, stored name, bytes), each stream in order."""
        return self.fetch(f"{_STREAMS} ORDER BY originator_id, originator_version", (list(stream_ids),), conn)

    def read(
        self,
        stream_ids: Sequence[str],
        conn: Connection | None = None,
        *,
        waiters: bool = False,
        received: Sequence[tuple[str, str]] = (),
    ) -> list[tuple[str, int, str, bytes]]:
        """Streams, and what a batch needs beside them, in one query.

        Args:
            stream_ids: as for `read_streams`.
            conn: to read through.
            waiters: also who waits for these streams.
            received: sources and ids of messages; also which of them were heard, and the hash of the payload (S3).

        Returns:
            Rows of `read_streams`, and among them (stream id, `WAITS`, waiting stream id, nothing) and
            (source, `HEARD`, id, hash).
        """
        if not waiters and not received:
            return self.read_streams(stream_ids, conn)
        ids = list(stream_ids)
        parts, params = [_STREAMS], [ids]
        if waiters:
            parts.append(_WAITERS)
            params.append(ids)
        if received:
            parts.append(_INBOX)
            params += map(list, zip(*received, strict=True))
        return self.fetch(f"{' UNION ALL '.join(parts)} ORDER BY 1, 2", params, conn)

    def read_log(self, after: int, limit: int, names: Sequence[str] | None = None) -> list[RawRow]:
        """The log after a position, in order; only some stored names if given."""
        chosen = "" if names is None else " AND topic = ANY(%b)"
        return self.fetch(
            "SELECT notification_id, originator_id, originator_version, topic, state FROM stored_events"
            f" WHERE notification_id > %s{chosen} ORDER BY notification_id LIMIT %s",
            (after, limit) if names is None else (after, list(names), limit),
        )

    def event(self, row: RawRow) -> RecordedEvent:
        """A row of the log as an event, in the epoch of its position."""
        return recorded(self.codec, row, self.epochs.at(row[0]))

    def read_stream_log(
        self, stream_id: str, first: int, last: int, names: Sequence[str] | None = None, conn: Connection | None = None
    ) -> list[RawRow]:
        """The events of one stream between two log positions, both included; only some stored names if given."""
        chosen = "" if names is None else " AND topic = ANY(%b)"
        return self.fetch(
            "SELECT notification_id, originator_id, originator_version, topic, state FROM stored_events"
            f" WHERE originator_id = %b AND notification_id BETWEEN %s AND %s{chosen} ORDER BY originator_version",
            (stream_id, first, last) if names is None else (stream_id, first, last, list(names)),
            conn,
        )

    def end_of_log(self) -> int:
        """The position of the last event; 0 in an empty log."""
        return self.fetch("SELECT max(notification_id) FROM stored_events")[0][0] or 0

    def positions(self, prefix: str) -> dict[str, int]:
        """The positions of every source or follower whose name begins with `prefix`."""
        return dict(
            self.fetch(
                "SELECT application_name, notification_id FROM notification_tracking"
                " WHERE starts_with(application_name, %s)",
                (prefix,),
            )
        )

    def fetch(self, sql: str, params: Sequence[Any] = (), conn: Connection | None = None) -> list[Any]:
        """Rows as tuples, in binary, through `conn`, else as `locked` says, else a pooled connection."""
        conn = conn or self.locked_here
        if conn is None:
            with self.connection() as own:
                return own.execute(sql.encode(), params, binary=True).fetchall()
        return conn.execute(sql.encode(), params, binary=True).fetchall()

    # -- writing ----------------------------------------------------------------------------------------------

    def append(self, batch: CommitBatch, conn: Connection | None = None) -> int:
        """Commit a batch whole or not at all.

        Args:
            batch: what to write.
            conn: a `locked()` connection whose transaction this joins; None opens one.

        Returns:
            The log position of the last event written (the log's end where there was none).

        Raises:
            Conflict: a version, a claim or a set of waiters is not what was read.
            Overtaken: a source position is not the expected one.
        """
        if conn is not None:
            return write(conn, batch, self.sender)
        with self.connection() as own:
            if batch.small:
                return write_at_once(own, batch, self.sender)
            with own.transaction():
                return write(own, batch, self.sender)

    def committed(self, position: int, written: Sequence[CommittedEvent] = ()) -> None:
        """Wake whoever follows the log in this process; called after the commit, never inside it.

        Args:
            position: the log's end after it.
            written: what was written up to there, so that the relay need not read it again.
        """
        if written:
            self.tail.add(position, written)
        for commit_signal in self.on_commit:
            commit_signal(position)

    def move(self, follower: str, expected: int | None, new: int) -> None:
        """Record a follower's position alone; a lost record only repeats work, so it needs no durable commit.

        Raises:
            Overtaken: somebody else has moved it.
        """
        with self.connection() as conn:
            move_follower(conn, follower, expected, new)
