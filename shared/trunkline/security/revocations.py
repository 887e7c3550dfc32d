"""Tokens that were revoked before they expired: by their id, or all of a subject issued before an instant (T3).

A process keeps them in memory and reads them again at most once a second, beside its requests: a revocation counts at
once where it was commanded, and within a second or two in every other copy.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Final

import msgspec
import psycopg
import structlog
from psycopg_pool import PoolTimeout

from trunkline.eventstore.event_store import Store
from trunkline.security.tokens import TokenRefused, Verified

_AGE_S: Final = 1.0
_TIMEOUT_S: Final = 0.5
_COLUMNS: Final = "id, issuer, token_id, subject, not_before, revoked_at, revoked_by, remark"
_INSERT: Final = (
    "INSERT INTO token_revocations (issuer, token_id, subject, not_before, revoked_at, revoked_by, remark)"
    " VALUES (%s, %s, %s, %s, %s, %s, %s)"
)
_AWAY: Final = (psycopg.OperationalError, psycopg.InterfaceError, PoolTimeout)
log = structlog.get_logger(__name__)


class Revocation(msgspec.Struct, frozen=True):
    """One revocation: `token_id` of `issuer`, or `subject` for what was issued before `not_before`."""

    id: int
    issuer: str | None
    token_id: str | None
    subject: str | None
    not_before: datetime | None
    revoked_at: datetime
    revoked_by: str
    remark: str


def list_revocations(
    store: Store, after: int = 0, limit: int | None = None, timeout: float | None = None
) -> list[Revocation]:
    """Revocations in the order in which they came, after an id."""
    with store.connection(timeout=timeout) as conn:
        sql = f"SELECT {_COLUMNS} FROM token_revocations WHERE id > %s ORDER BY id LIMIT %s"
        return [Revocation(*row) for row in store.fetch(sql, (after, limit), conn)]


class Revocations:
    """What is revoked, for all services of a process. Thread-safe."""

    def __init__(self, stores: Sequence[Store], monotonic: Callable[[], float] = time.monotonic) -> None:
        """Read nothing yet."""
        self._stores = stores
        self._monotonic = monotonic
        self._reading = threading.Lock()
        self._read_at: float | None = None
        self._seen = [0] * len(stores)
        self._ids: set[tuple[str, str]] = set()
        self._subjects: dict[str, float] = {}

    def check(self, token: Verified) -> None:
        """Refuse a revoked token.

        Raises:
            TokenRefused: it is.
        """
        self._refresh()
        p = token.principal
        if p.token_id is not None and (p.issuer, p.token_id) in self._ids:
            raise TokenRefused(why="it was revoked")
        if token.issued_at < self._subjects.get(p.subject, 0.0):
            raise TokenRefused(why="all tokens of its subject that were issued before were revoked")

    def add(self, store: Store, revocation: Revocation) -> None:
        """Write a revocation down; it counts in this process from now on."""
        r = revocation
        with store.connection() as conn:
            conn.execute(
                _INSERT.encode(),
                (r.issuer, r.token_id, r.subject, r.not_before, r.revoked_at, r.revoked_by, r.remark),
            )
        self._take(r)

    def _refresh(self) -> None:
        """Read what is new, unless that was done a moment ago or another thread does it."""
        now = self._monotonic()
        fresh = self._read_at is not None and now - self._read_at < _AGE_S
        if fresh or not self._reading.acquire(blocking=self._read_at is None):
            return
        try:
            for index, store in enumerate(self._stores):
                for revocation in list_revocations(store, self._seen[index], timeout=_TIMEOUT_S):
                    self._take(revocation)
                    self._seen[index] = revocation.id
            self._read_at = self._monotonic()
        except _AWAY as error:  # what is known goes on counting; whatever needs the database says so itself
            self._read_at = self._monotonic()
            log.warning("revoked tokens cannot be read", error=str(error).splitlines()[0])
        finally:
            self._reading.release()

    def _take(self, r: Revocation) -> None:
        if r.token_id is not None:
            self._ids.add((r.issuer or "", r.token_id))
        if r.subject is not None and r.not_before is not None:
            self._subjects[r.subject] = max(self._subjects.get(r.subject, 0.0), r.not_before.timestamp())
