"""The test clock of a sandbox (O6): the machine's time and how far it was moved ahead; it runs on from there."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import ClassVar

from trunkline.clock import read_duration, rfc3339
from trunkline.errors import Refused
from trunkline.eventstore.event_store import CHANNEL, Store

_AHEAD = "SELECT ahead FROM test_clock"
_FURTHEST = datetime(2999, 1, 1, tzinfo=UTC)


class NoSandbox(Refused):
    """The clock can be moved only in a sandbox: set TRUNKLINE_SANDBOX=on where nothing real depends on the time."""

    status: ClassVar[int] = 409


class ClockNeverGoesBack(Refused):
    """The clock stands at {now} and never goes back, so it cannot be set to {at}."""


class ClockTooFar(Refused):
    """The clock cannot be moved beyond the year 2999."""

    status: ClassVar[int] = 422


class DurationUnreadable(Refused):
    """{text!r} is no length of time: write it as 49d, 36h, 90m, 10s, or together as 1d12h."""

    status: ClassVar[int] = 422


def duration(text: str) -> timedelta:
    """Read a length of time such as `49d` or `1d12h30m`; a day is 24 hours.

    Raises:
        DurationUnreadable: it is written otherwise, or is longer than can be.
    """
    try:
        return read_duration(text)
    except ValueError:
        raise DurationUnreadable(text=text[:100]) from None


def moved_ahead(store: Store) -> timedelta:
    """How far the clock of a store was ever moved; what is written there has instants that have not been yet."""
    rows = store.fetch(_AHEAD)
    return rows[0][0] if rows else timedelta()


class SandboxClock:
    """A clock that can be moved ahead, the same for every process of a service: the offset lies in its store."""

    def __init__(self, store: Store) -> None:
        """Read a store's offset.

        Args:
            store: the service's store.
        """
        self._store = store

    def now(self) -> datetime:
        """The machine's instant, as far ahead as the clock was moved."""
        return datetime.now(UTC) + self.ahead()

    def ahead(self) -> timedelta:
        """How far the clock was moved, read anew: another process may have moved it since the last read.

        Whoever holds the writers' lock reads through the connection it has: all others may be waiting for that lock.

        Raises:
            psycopg.OperationalError: the database is away, or no connection came free. An older value would put
                a message of the present ahead of the clock.
        """
        return moved_ahead(self._store)

    def advance(self, by: timedelta, *, dry_run: bool = False) -> datetime:
        """Move ahead; the new instant.

        Args:
            by: how far.
            dry_run: only whether it can be moved so far.

        Raises:
            ClockNeverGoesBack, ClockTooFar: nothing has changed.
        """
        now = self.now()
        if by < timedelta():
            raise ClockNeverGoesBack(now=rfc3339(now), at=rfc3339(now + by))
        if by > _FURTHEST - now:
            raise ClockTooFar
        if dry_run:
            return now + by
        with self._store.connection() as conn, conn.transaction():
            conn.execute(
                b"INSERT INTO test_clock (ahead) VALUES (%s)"
                b" ON CONFLICT (one) DO UPDATE SET ahead = test_clock.ahead + EXCLUDED.ahead",
                (by,),
            )
            conn.execute(f"SELECT pg_notify('{CHANNEL}', '')".encode())
        return self.now()

    def set(self, at: datetime, *, dry_run: bool = False) -> datetime:
        """Move to an instant ahead; the new instant.

        Args:
            at: the instant.
            dry_run: only whether it can be moved there.

        Raises:
            ClockNeverGoesBack, ClockTooFar: nothing has changed.
        """
        now = self.now()
        if at < now:
            raise ClockNeverGoesBack(now=rfc3339(now), at=rfc3339(at))
        return self.advance(at - now, dry_run=dry_run)
