"""One at a time: of several copies of a service, one publishes, one projects, one runs the timers, one mails."""

from __future__ import annotations

import threading
from contextlib import suppress
from typing import Any
from zlib import crc32

import psycopg

_DUTIES = 7_302  # first key of the advisory locks that stand for duties; the second is the duty's name


class Leader:
    """The duties a process holds, through session locks of PostgreSQL: whoever dies loses them with its connection.

    Synchronous and thread-safe; one connection for all duties.
    """

    def __init__(self, url: str) -> None:
        """Prepare; the connection is opened with the first duty.

        Args:
            url: the store's database.
        """
        self._url = url
        self._lock = threading.Lock()
        self._conn: psycopg.Connection[Any] | None = None
        self._held: set[str] = set()

    def leads(self, duty: str) -> bool:
        """Whether this process holds a duty now; takes it if nobody does.

        Raises:
            psycopg.OperationalError: the database is away; every duty is given up.
        """
        with self._lock:
            try:
                return self._leads(duty)
            except psycopg.Error:
                self._drop()
                raise

    def _leads(self, duty: str) -> bool:
        if self._conn is None or self._conn.closed:
            self._held.clear()
            self._conn = psycopg.connect(self._url, autocommit=True)
        if duty in self._held:
            self._conn.execute(b"")  # a connection that has died holds nothing any more: find out
            return True
        row = self._conn.execute(
            b"SELECT pg_try_advisory_lock(%s, %s)", (_DUTIES, crc32(duty.encode()) & 0x7FFFFFFF)
        ).fetchone()
        if row is not None and row[0]:
            self._held.add(duty)
            return True
        return False

    def close(self) -> None:
        """Give up every duty."""
        with self._lock:
            self._drop()

    def _drop(self) -> None:
        conn, self._conn = self._conn, None
        self._held.clear()
        if conn is not None:
            with suppress(psycopg.Error):
                conn.close()
