"""The event store: everything that one batch causes commits at once, in one short transaction.

Built on the `eventsourcing` library's PostgreSQL recorder, which only this module knows. Kept: its table layout,
its pool, its log selection. Not used: its append (one table lock, one composite array, and a retry that would
repeat a commit whose answer was lost).

Every writing transaction first takes one advisory lock, so log order is commit order: a reader of the log can
never skip an event that commits late, and no two writers can deadlock.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from time import monotonic
from typing import Any

import psycopg
from eventsourcing.postgres import ConnectionPool, PostgresDatastore, PostgresProcessRecorder
from psycopg.conninfo import conninfo_to_dict
from psycopg.rows import tuple_row

from trunkline.recorded import Codec, RawRow

WRITERS = 7_301  # advisory lock of every writing transaction
CHANNEL = "stored_events"
_RESTED_SECONDS = 1.0

Connection = psycopg.Connection[Any]


class Conflict(Exception):
    """Somebody else wrote what this batch read or claims; deciding again on fresh state settles it."""


class Overtaken(Exception):
    """The source position was moved by another reader of the same source: drop this batch (X3)."""


@dataclass
class Batch:
    """Everything one transaction writes.

    Attributes:
        events: (stream id, version, stored name, stored bytes), in log order.
        depends: stream id -> version it was read at; any other version now is a conflict.
        claims, unclaims: (claim, stream id) to take, claims to give back.
        deadlines: (stream id, due or None to remove, generation).
        waits, unwaits: (awaited, waiter, since, reason); (awaited, waiter).
        waiters_seen: awaited stream id -> the waiters that were read.
        positions: source -> (expected, new).
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
    writes: list[tuple[str, Sequence[Any]]] = field(default_factory=list)


def _check_if_idle(conn: Connection) -> None:
    """Look whether a connection still lives, if it has rested: a round trip each time would cost a tenth of a batch."""
    now = monotonic()
    used: float = conn.__dict__.get("trunkline_used", 0.0)
    if now - used > _RESTED_SECONDS:
        ConnectionPool.check_connection(conn)
    conn.__dict__["trunkline_used"] = now


class _Datastore(PostgresDatastore):
    """The library's datastore with any libpq parameter, tuples for rows, and no composite types to register."""

    def __init__(self, url: str, pool_size: int) -> None:
        given = conninfo_to_dict(url)
        known: dict[str, Any] = {k: given.pop(k, None) or "" for k in ("dbname", "host", "port", "user", "password")}
        super().__init__(**known, originator_id_type="text")
        everything = {**known, **given, "row_factory": tuple_row}
        self.pool = ConnectionPool(
            connection_class=psycopg.Connection,
            kwargs={k: v for k, v in everything.items() if v != ""},
            min_size=1,
            max_size=pool_size,
            open=False,
            configure=self.after_connect_func(),
            timeout=5.0,
            max_lifetime=3600.0,
            check=_check_if_idle,
        )

    def register_type_adapters(self) -> None:
        """The append needs none: rows are copied, not passed as an array of composites."""


class Store(PostgresProcessRecorder):
    """One service's event store in one PostgreSQL database. Synchronous and thread-safe."""

    def __init__(self, url: str, codec: Codec, *, pool_size: int = 6) -> None:
        """Connect to a migrated database.

        Args:
            url: `postgresql://…` or any libpq connection string.
            codec: the service's event classes.
            pool_size: most connections held at once; one is opened at the start, the rest when needed.
        """
        super().__init__(_Datastore(url, pool_size))
        self.url = url
        self.codec = codec
        self.on_commit: list[Callable[[int], None]] = []
        """Called with the log's new end after a commit that added events, in the committing thread."""

    @contextmanager
    def connection(self, timeout: float | None = None) -> Iterator[Connection]:
        """A pooled connection in autocommit mode; psycopg's errors come through as they are.

        Args:
            timeout: seconds to wait for a free one; None: the pool's own patience. Then `psycopg_pool.PoolTimeout`.
        """
        self.datastore.pool.open()
        with self.datastore.pool.connection(timeout) as conn:
            yield conn

    @contextmanager
    def locked(self) -> Iterator[Connection]:
        """A writing transaction that holds the writers' lock from its first statement to its commit."""
        with self.connection() as conn, conn.transaction():
            conn.execute("SELECT pg_advisory_xact_lock(%s)", (WRITERS,))
            yield conn

    def close(self) -> None:
        """Close the pool's connections."""
        self.datastore.close()

    # -- reading ----------------------------------------------------------------------------------------------

    def read_streams(
        self, stream_ids: Sequence[str], conn: Connection | None = None
    ) -> list[tuple[str, int, str, bytes]]:
        """All events of many streams in one query: (stream id, version, stored name, bytes), each stream in order."""
        return self.fetch(
            "SELECT originator_id, originator_version, topic, state FROM stored_events"
            " WHERE originator_id = ANY(%b) ORDER BY originator_id, originator_version",
            (list(stream_ids),),
            conn,
        )

    def read_log(self, after: int, limit: int, names: Sequence[str] | None = None) -> list[RawRow]:
        """The log after a position, in order; only some stored names if given."""
        chosen = "" if names is None else " AND topic = ANY(%b)"
        return self.fetch(
            "SELECT notification_id, originator_id, originator_version, topic, state FROM stored_events"
            f" WHERE notification_id > %s{chosen} ORDER BY notification_id LIMIT %s",
            (after, limit) if names is None else (after, list(names), limit),
        )

    def end_of_log(self) -> int:
        """The position of the last event; 0 in an empty log."""
        return self.max_notification_id() or 0

    def max_notification_id(self) -> int | None:
        """The library's own question, asked for tuples as all others here."""
        return self.fetch("SELECT max(notification_id) FROM stored_events")[0][0]  # type: ignore[no-any-return]

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
        """Rows as tuples, in binary, through `conn` or a pooled connection."""
        if conn is None:
            with self.connection() as own:
                return own.execute(sql.encode(), params, binary=True).fetchall()
        return conn.execute(sql.encode(), params, binary=True).fetchall()

    # -- writing ----------------------------------------------------------------------------------------------

    def append(self, batch: Batch, conn: Connection | None = None) -> int:
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
        if conn is None:
            with self.locked() as own:
                position = _write(own, batch)
        else:
            position = _write(conn, batch)
        return position

    def committed(self, position: int) -> None:
        """Wake whoever follows the log in this process; called after the commit, never inside it."""
        for wake in self.on_commit:
            wake(position)

    def move(self, follower: str, expected: int | None, new: int) -> None:
        """Record a follower's position alone; a lost record only repeats work, so it needs no durable commit.

        Raises:
            Overtaken: somebody else has moved it.
        """
        with self.connection() as conn, conn.transaction():
            conn.execute("SET LOCAL synchronous_commit = off")
            _move(conn, {follower: (expected, new)})


def _write(conn: Connection, batch: Batch) -> int:
    try:
        _check_reads(conn, batch)
        if batch.events:
            with conn.cursor().copy(
                "COPY stored_events (originator_id, originator_version, topic, state) FROM STDIN (FORMAT BINARY)"
            ) as copy:
                copy.set_types(("text", "int8", "text", "bytea"))
                for row in batch.events:
                    copy.write_row(row)
        _write_index(conn, batch)
        _move(conn, batch.positions)
        for sql, rows in batch.writes:
            conn.cursor().executemany(sql.encode(), rows)
    except (psycopg.errors.UniqueViolation, psycopg.errors.SerializationFailure) as e:
        raise Conflict(str(e).splitlines()[0]) from e
    if not batch.events:
        end: int = conn.execute("SELECT coalesce(max(notification_id), 0) FROM stored_events").fetchall()[0][0]
        return end
    last = conn.execute(
        f"SELECT currval('stored_events_notification_id_seq'), pg_notify('{CHANNEL}', '')".encode(),
        prepare=True,
    ).fetchone()
    assert last is not None
    return int(last[0])


def _check_reads(conn: Connection, batch: Batch) -> None:
    """Hold what was read against what is there now: writers are shut out from here on."""
    if batch.depends:
        rows = conn.execute(
            b"SELECT s.id, (SELECT max(originator_version) FROM stored_events WHERE originator_id = s.id)"
            b" FROM unnest(%b::text[]) AS s(id)",
            (list(batch.depends),),
        )
        for stream_id, version in rows:
            if (version or 0) != batch.depends[stream_id]:
                msg = f"{stream_id} was read at version {batch.depends[stream_id]} and is at {version or 0}"
                raise Conflict(msg)
    if batch.waiters_seen and read_waiters(conn, batch.waiters_seen) != {
        k: v for k, v in batch.waiters_seen.items() if v
    }:
        msg = "the set of waiters has changed since it was read"
        raise Conflict(msg)


def read_waiters(conn: Connection, awaited: Iterable[str]) -> dict[str, frozenset[str]]:
    """Who waits for these streams: awaited stream id -> waiting stream ids; those nobody waits for are left out."""
    found: dict[str, set[str]] = {}
    rows = conn.execute(b"SELECT awaited, waiter FROM awaited WHERE awaited = ANY(%b)", (list(awaited),))
    for stream_id, waiter in rows:
        found.setdefault(stream_id, set()).add(waiter)
    return {k: frozenset(v) for k, v in found.items()}


def _write_index(conn: Connection, batch: Batch) -> None:
    if batch.unclaims:
        conn.execute(b"DELETE FROM claims WHERE claim = ANY(%b)", (batch.unclaims,))
    if batch.claims:
        conn.execute(
            b"INSERT INTO claims SELECT * FROM unnest(%b::text[], %b::text[])",
            _columns(batch.claims),
        )
    gone = [key for key, due, _ in batch.deadlines if due is None]
    if gone:
        conn.execute(b"DELETE FROM deadlines WHERE key = ANY(%b)", (gone,))
    kept = [row for row in batch.deadlines if row[1] is not None]
    if kept:
        conn.execute(
            b"INSERT INTO deadlines (key, due_at, generation)"
            b" SELECT * FROM unnest(%b::text[], %b::timestamptz[], %b::int8[])"
            b" ON CONFLICT (key) DO UPDATE SET due_at = EXCLUDED.due_at, generation = EXCLUDED.generation",
            _columns(kept),
        )
    if batch.unwaits:
        conn.execute(
            b"DELETE FROM awaited USING unnest(%b::text[], %b::text[]) AS u(a, w) WHERE awaited = u.a AND waiter = u.w",
            _columns(batch.unwaits),
        )
    if batch.waits:
        conn.execute(
            b"INSERT INTO awaited SELECT * FROM unnest(%b::text[], %b::text[], %b::timestamptz[], %b::text[])"
            b" ON CONFLICT (awaited, waiter) DO UPDATE SET reason = EXCLUDED.reason",
            _columns(batch.waits),
        )


def _move(conn: Connection, positions: Mapping[str, tuple[int | None, int]]) -> None:
    """Compare-and-set every position: an UPDATE that touches nothing is a rival's work, not a success."""
    first = [(source, new) for source, (expected, new) in positions.items() if expected is None]
    known = [(source, expected, new) for source, (expected, new) in positions.items() if expected is not None]
    moved = 0
    if first:
        moved += conn.execute(
            b"INSERT INTO notification_tracking SELECT * FROM unnest(%b::text[], %b::int8[]) ON CONFLICT DO NOTHING",
            _columns(first),
        ).rowcount
    if known:
        moved += conn.execute(
            b"UPDATE notification_tracking SET notification_id = u.new"
            b" FROM unnest(%b::text[], %b::int8[], %b::int8[]) AS u(source, expected, new)"
            b" WHERE application_name = u.source AND notification_id = u.expected",
            _columns(known),
        ).rowcount
    if moved != len(positions):
        msg = f"{', '.join(positions)}: another reader has moved it meanwhile"
        raise Overtaken(msg)


def _columns(rows: Sequence[Sequence[Any]]) -> tuple[list[Any], ...]:
    return tuple(list(column) for column in zip(*rows, strict=True))
