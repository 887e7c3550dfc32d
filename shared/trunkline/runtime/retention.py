"""How long what only grows is kept, and its removal, which runs by itself (O7).

* answers kept under idempotency keys: 30 days; the key can be used anew then;
* mail that was sent or given up, and conflicting duplicates that were settled: `TRUNKLINE_RETENTION_DAYS`;
* revoked tokens: as long as a token can hold, since it has expired by then.

What somebody still has to look at is never removed, nor are the ids and hashes of messages (S3), events and the audit.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

from trunkline.clock import Clock
from trunkline.eventstore.event_store import Store
from trunkline.eventstore.leader_election import LeaderElection
from trunkline.security.key_journal import take_over
from trunkline.settings import Settings

ANSWERS: Final = timedelta(days=30)
DUTY: Final = "retention"
BETWEEN_SECONDS: Final = 30.0
_ROWS: Final = 2_000
"""Removed at once: a few milliseconds, so that nothing else waits."""
_ANSWERS: Final = (
    "DELETE FROM inbox WHERE (source, id) IN (SELECT source, id FROM inbox"
    " WHERE answer IS NOT NULL AND received_at < %s ORDER BY received_at LIMIT %s)"
)
_MAIL: Final = (
    "DELETE FROM mail WHERE key IN (SELECT key FROM mail"
    " WHERE state NOT IN ('waiting', 'failed') AND created_at < %s ORDER BY created_at, key LIMIT %s)"
)
_CONFLICTS: Final = (
    "DELETE FROM quarantined WHERE id IN"
    " (SELECT quarantined_id FROM quarantined_outcomes WHERE settled_at < %s ORDER BY quarantined_id LIMIT %s)"
)
_REVOKED: Final = (
    "DELETE FROM token_revocations WHERE id IN"
    " (SELECT id FROM token_revocations WHERE revoked_at < %s ORDER BY id LIMIT %s)"
)


class Retention:
    """Removes what has been kept long enough, a page at a time. Synchronous."""

    def __init__(self, store: Store, clock: Clock, settings: Settings, leader_election: LeaderElection) -> None:
        """Prepare.

        Args:
            store: the service's.
            clock: the service's: what it has written down carries its instants.
            settings: how long what is kept, and the home whose key's journal is taken over.
            leader_election: the process's.
        """
        self._store, self._clock, self._settings, self._leader_election = store, clock, settings, leader_election

    def step(self) -> int:
        """Take the key's journal over, and remove a page of each kind; how many rows that were."""
        done = take_over(self._store, self._settings.keys)
        if not self._leader_election.hold(DUTY):
            return done
        return done + self.remove(self._clock.now(), datetime.now(UTC))

    def remove(self, now: datetime, machine_now: datetime) -> int:
        """Remove a page of each kind.

        Args:
            now: by the service's clock.
            machine_now: by the machine's, which tokens live by.
        """
        kept = now - timedelta(days=self._settings.retention_days)
        longest = timedelta(days=max(self._settings.machine_token_days, self._settings.token_hours / 24 + 1))
        ends = ((_ANSWERS, now - ANSWERS), (_MAIL, kept), (_CONFLICTS, kept), (_REVOKED, machine_now - longest))
        removed = 0
        for sql, before in ends:
            with self._store.connection() as conn:
                removed += conn.execute(sql.encode(), (before, _ROWS)).rowcount
        return removed
