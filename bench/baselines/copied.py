"""Binary COPY of event rows into an equal table: as fast as PostgreSQL takes them from this client."""

from __future__ import annotations

import time

import psycopg


def copy_again(url: str, after: int) -> float:
    """Copy the event rows after a log position into a table with the same columns and indexes.

    Args:
        url: the database that has them.
        after: the log position.

    Returns:
        Seconds from the first row to the commit.
    """
    with psycopg.connect(url, autocommit=True) as conn:
        rows = conn.execute(
            "SELECT originator_id, originator_version, topic, state FROM stored_events WHERE notification_id > %s"
            " ORDER BY notification_id",
            (after,),
            binary=True,
        ).fetchall()
        conn.execute("CREATE TABLE copied (LIKE stored_events INCLUDING ALL)")
        conn.execute("CHECKPOINT")
        begun = time.perf_counter()
        with (
            conn.transaction(),
            conn.cursor().copy(
                "COPY copied (originator_id, originator_version, topic, state) FROM STDIN (FORMAT BINARY)"
            ) as copy,
        ):
            copy.set_types(("text", "int8", "text", "bytea"))
            for row in rows:
                copy.write_row(row)
        return time.perf_counter() - begun
