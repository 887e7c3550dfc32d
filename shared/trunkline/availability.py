"""Whether something outside answers: logged once when it goes and once when it is back, with counts of between.

Everything in a process that talks to one server shares one `Availability`, so that a server that goes away is one
line, not one for each loop.
"""

from __future__ import annotations

import time
from threading import Lock
from typing import Final
from weakref import WeakValueDictionary

import psycopg
import structlog
from psycopg.conninfo import conninfo_to_dict
from psycopg_pool import PoolTimeout

log = structlog.get_logger(__name__)

_AWAY_CLASSES: Final = ("08", "40", "53", "55", "57", "58")
"""SQLSTATE classes that blame the server or a rival: connection, rollback, resources, locks, intervention, system."""
_READ_ONLY: Final = "25006"  # the primary has become a standby


def is_unavailable(error: BaseException) -> bool:
    """Whether an exception means that a server is away or overloaded, so that trying again is all there is to do.

    PostgreSQL's refusal of one value (too long for an index, no valid text) is not, though psycopg calls some of these
    an OperationalError too.
    """
    if isinstance(error, psycopg.Error):
        state = error.sqlstate
        if state is None:
            return isinstance(error, psycopg.OperationalError | psycopg.InterfaceError)
        return state.startswith(_AWAY_CLASSES) or state == _READ_ONLY
    return isinstance(error, PoolTimeout | OSError)


def root_cause(error: BaseException) -> BaseException:
    """The first failure inside the groups that tasks raise it in."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


class Availability:
    """The state of one server as this process sees it. Thread-safe."""

    def __init__(self, what: str) -> None:
        """Watch over `what`, named as it is to appear in the log; it counts as available until it is lost."""
        self._what = what
        self._guard = Lock()
        self._why: str | None = None
        self._lost_by: set[str] = set()
        self._since = 0.0
        self.failures = 0
        """Failed tries since it was lost."""

    @property
    def available(self) -> bool:
        """Whether it answered last, whoever asked."""
        return self._why is None

    @property
    def reason(self) -> str | None:
        """Why it does not answer; None where it does."""
        return self._why

    def mark_lost(self, why: object, by: str = "") -> None:
        """Count a failed try.

        Args:
            why: logged the first time only.
            by: which loop or client tried; the server is back when all that have lost it reach it again.
        """
        with self._guard:
            self.failures += 1
            self._lost_by.add(by)
            if self._why is not None:
                return
            self._why = (str(why).splitlines() or [type(why).__name__])[0]
            self._since = time.monotonic()
        log.warning("out of reach; trying again until it is back", what=self._what, why=self._why)

    def mark_restored(self, by: str = "") -> None:
        """Note that a try of `by` has succeeded; where nothing was lost this costs nothing."""
        if self._why is None:
            return
        with self._guard:
            self._lost_by.discard(by)
            if self._lost_by:
                return
            self._why = None
            failures, self.failures = self.failures, 0
            seconds = round(time.monotonic() - self._since, 1)
        log.info("in reach again", what=self._what, failed_tries=failures, seconds=seconds)

    def forget(self, by: str) -> None:
        """Count `by` no longer among those that have lost it: it has ended."""
        if by in self._lost_by:
            self.mark_restored(by)


_shared: WeakValueDictionary[str, Availability] = WeakValueDictionary()
_guard = Lock()


def shared_availability(what: str) -> Availability:
    """The one `Availability` of a server in this process, as long as somebody keeps it."""
    with _guard:
        found = _shared.get(what)
        if found is None:
            found = _shared[what] = Availability(what)
        return found


def cluster_availability(bootstrap: str) -> Availability:
    """The shared `Availability` of the Kafka cluster behind some bootstrap servers."""
    return shared_availability(f"Kafka at {bootstrap}")


def database_availability(url: str) -> Availability:
    """The shared `Availability` of the PostgreSQL server that a URL or connection string names."""
    parameters = conninfo_to_dict(url)
    host, port = parameters.get("host") or "localhost", parameters.get("port") or 5432
    return shared_availability(f"PostgreSQL at {host}:{port}")
