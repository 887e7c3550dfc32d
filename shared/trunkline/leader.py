"""One at a time: of several copies of a service, one publishes, one runs the timers, one mails."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress

import psycopg


class Leader:
    """A role held through a session lock of PostgreSQL: whoever dies loses it with its connection."""

    def __init__(self, url: str, role: int) -> None:
        """Prepare to hold a role.

        Args:
            url: the store's database.
            role: an advisory lock number, one for each kind of work.
        """
        self._url = url
        self._role = role
        self._conn: psycopg.Connection[tuple[object, ...]] | None = None

    async def lead(self, stopping: Callable[[], bool]) -> bool:
        """Wait until the role is ours; False when told to stop before. Raises psycopg.Error: the database is away."""
        while not stopping():
            if await asyncio.to_thread(self._try):
                return True
            await asyncio.sleep(0.2)
        return False

    def _try(self) -> bool:
        if self._conn is None or self._conn.closed:
            self._conn = psycopg.connect(self._url, autocommit=True)
        row = self._conn.execute("SELECT pg_try_advisory_lock(%s)", (self._role,)).fetchone()
        return bool(row and row[0])

    async def step_down(self) -> None:
        """Give the role up, by closing the connection that holds it."""
        conn, self._conn = self._conn, None
        if conn is not None:
            with suppress(psycopg.Error):
                await asyncio.to_thread(conn.close)
