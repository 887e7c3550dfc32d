"""What a database has on record of its installation, and its epochs: read and written at a start (D10.16, X1)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any, Final

import psycopg

from trunkline.eventstore.epochs import Epochs
from trunkline.eventstore.event_store import Connection, Store
from trunkline.installation.judgement import Database
from trunkline.messaging.outbox_relay import FOLLOWER

_STARTING: Final = 7_302
"""The advisory lock that the copies of a service take in turn while they start."""


def identity_of(conn: Connection) -> str:
    """Which database this is: the server's own identifier and the database's. A copy or a restored dump differs."""
    ((oid,),) = conn.execute(b"SELECT oid FROM pg_database WHERE datname = current_database()").fetchall()
    try:
        ((system,),) = conn.execute(b"SELECT system_identifier FROM pg_control_system()").fetchall()
    except psycopg.errors.InsufficientPrivilege:  # some hosted servers: the database alone has to do
        system = "unknown"
    return f"{system}/{oid}"


@contextmanager
def starting(url: str) -> Iterator[None]:
    """Let one copy of a service at a time compare and write what is on record."""
    with psycopg.connect(url, autocommit=True) as conn:
        conn.execute("SELECT pg_advisory_lock(%s)", (_STARTING,))
        yield


def read_database(store: Store, read_before: str) -> Database:
    """What the database has on record.

    Args:
        store: the service's.
        read_before: a prefix of the sources whose positions show that it has read from this broker.
    """
    with store.connection() as conn:
        row = conn.execute(b"SELECT id, start_id, next_start_id, restored FROM installation").fetchone()
        identity = identity_of(conn)
    number, start, following, restored = row or (None, None, None, False)
    return Database(
        id=number,
        identity=identity,
        start_ids=frozenset(each for each in (start, following) if each is not None),
        epoch=read_epochs(store).current,
        restored=restored,
        has_history=store.end_of_log() > 0,
        knows_broker=bool(store.positions(read_before)),
    )


def read_epochs(store: Store) -> Epochs:
    """The epochs of the log."""
    return Epochs(store.fetch("SELECT epoch, after_position FROM epochs ORDER BY epoch"))


def begin_start(store: Store, installation: str, start_id: str) -> None:
    """Keep the id of the installation, and that of a start which the broker does not have on record yet."""
    with store.locked() as conn:
        conn.execute(
            b"INSERT INTO installation (id, next_start_id) VALUES (%s, %s)"
            b" ON CONFLICT (one) DO UPDATE SET id = EXCLUDED.id, next_start_id = EXCLUDED.next_start_id",
            (installation, start_id),
        )


def finish_start(store: Store) -> None:
    """The broker has the newest start on record; what an operator declared is done."""
    with store.locked() as conn:
        conn.execute(b"UPDATE installation SET start_id = next_start_id, restored = false")


def begin_epoch(store: Store, epoch: int, at: datetime, cause: str, *, declared: bool = False) -> None:
    """Begin an epoch, unless the log is in it already: of all that was not published yet (X1).

    Args:
        store: of a service that is not running.
        epoch: its number, above all others.
        at: the service's instant.
        cause: for people.
        declared: an operator says that the database takes the place of the one before.
    """
    with store.locked() as conn:
        conn.execute(
            b"INSERT INTO epochs (epoch, after_position, begun_at, cause) VALUES (%s, %s, %s, %s)"
            b" ON CONFLICT (epoch) DO NOTHING",
            (epoch, _published_up_to(conn), at, cause),
        )
        if declared:
            conn.execute(
                b"INSERT INTO installation (restored) VALUES (true) ON CONFLICT (one) DO UPDATE SET restored = true"
            )
    store.epochs = read_epochs(store)


def _published_up_to(conn: Connection) -> int:
    row: tuple[Any, ...] | None = conn.execute(
        b"SELECT notification_id FROM notification_tracking WHERE application_name = %s", (FOLLOWER,)
    ).fetchone()
    return int(row[0]) if row else 0


def keep_broker(store: Store, cluster: str, prefix: str, *, new: bool) -> int:
    """Keep that the log is published to this broker, and up to where it was published before the broker was there.

    Returns that position; 0: nothing is missing.

    Args:
        store: the service's.
        cluster: the broker's id.
        prefix: of its topics.
        new: none of the service's events are on it.
    """
    with store.locked() as conn:
        missing = _published_up_to(conn) if new else 0
        conn.execute(
            b"INSERT INTO brokers (cluster, topic_prefix, missing_up_to) VALUES (%s, %s, %s) ON CONFLICT DO NOTHING",
            (cluster, prefix, missing),
        )
        ((kept,),) = conn.execute(
            b"SELECT missing_up_to FROM brokers WHERE cluster = %s AND topic_prefix = %s", (cluster, prefix)
        ).fetchall()
    return int(kept)
