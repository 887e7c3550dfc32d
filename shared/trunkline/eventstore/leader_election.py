"""Which copy of a service does the work that must not be done by two at once: views, timers, mail.

Advisory locks held by one session of the process: when the copy dies its session ends and another takes over. They
save work and keep order; what may never happen twice is guarded by the transaction that does it.
"""

from __future__ import annotations

from contextlib import suppress
from threading import Lock
from typing import Any

import psycopg


class LeaderElection:
    """The duties that this process holds for one store. Synchronous and thread-safe."""

    def __init__(self, url: str) -> None:
        """Prepare; nothing is asked of the database yet.

        Args:
            url: the store's database.
        """
        self._url = url
        self._guard = Lock()
        self._session: psycopg.Connection[Any] | None = None
        self._held: dict[str, int] = {}
        self._terms = 0

    def hold(self, duty: str) -> int:
        """Whether this process has the duty (`deadlines`, `mail`, …), taking it over if nobody has it.

        Returns:
            The term in which it has it, another one each time it takes it over: whatever it remembers from before may
            be wrong then, as the session, a rival or the whole server has been away meanwhile. 0: another has it.

        Raises:
            psycopg.OperationalError: the database cannot be reached; every duty is lost.
        """
        with self._guard:
            try:
                return self._ask(duty)
            except psycopg.Error:
                self._lose()
                raise

    def resign(self) -> None:
        """Give up every duty, so that another copy can take over at once."""
        with self._guard:
            if self._session is not None:
                with suppress(psycopg.Error):  # closing alone lets go only when the server notices
                    self._session.execute(b"SELECT pg_advisory_unlock_all()")
            self._lose()

    def _ask(self, duty: str) -> int:
        if self._session is None:
            self._session = psycopg.connect(self._url, autocommit=True)
        if duty in self._held:
            self._session.execute(b"SELECT 1")  # the lock is ours as long as the session lives
            return self._held[duty]
        statement = b"SELECT pg_try_advisory_lock(hashtextextended(%s, 0))"
        row = self._session.execute(statement, (f"duty/{duty}",)).fetchone()
        if row is None or not row[0]:
            return 0
        self._terms += 1
        self._held[duty] = self._terms
        return self._terms

    def _lose(self) -> None:
        self._held.clear()
        if self._session is not None:
            self._session.close()
            self._session = None
