"""A service's log as a recorder of the `eventsourcing` library, for projections that are built with it.

Reading is the library's own: notifications, streams, subscriptions. Appending goes through the writers' lock, so log
order stays commit order; the library's own recorder takes a table lock instead, which our writers do not look at.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Collection, Sequence
from typing import Any, Final, cast
from uuid import UUID

import psycopg
from eventsourcing.persistence import (
    IntegrityError,
    Notification,
    OperationalError,
    ProcessRecorder,
    ProgrammingError,
    StoredEvent,
    Subscription,
    Tracking,
)

from trunkline.eventstore.event_store import CHANNEL, CheckpointConflict, CommitBatch, ConcurrencyError, Store

PAGE: Final = 500
TRACKING: Final = "eventsourcing/"
"""Before an application's name in the table of positions, so that none is taken for one of our own."""

_LOOK_SECONDS: Final = 0.1


class LogRecorder(ProcessRecorder):
    """The library's process recorder over one service's store. Thread-safe."""

    def __init__(self, store: Store, names: Collection[str] | None = None) -> None:
        """Prepare.

        Args:
            store: the service's migrated store; whoever made it closes it.
            names: the stored names that may be appended; None: those that the service can read. Any other would stop
                all that follow the log.
        """
        self.store = store
        self._names = frozenset(store.codec.names if names is None else names)

    # -- appending --------------------------------------------------------------------------------------------

    def insert_events(self, stored_events: Sequence[StoredEvent], **kwargs: Any) -> Sequence[int]:
        """Append events, and with `tracking` the position of what they come from, in one transaction.

        Returns:
            The log position of each event.

        Raises:
            ProgrammingError: the service cannot read an event of this name.
            IntegrityError: a version is taken, or the tracked position is not above the recorded one.
        """
        unknown = {event.topic for event in stored_events} - self._names
        if unknown:
            raise ProgrammingError(f"the log takes no event named {min(unknown)}: its service cannot read it")
        tracking: Tracking | None = kwargs.get("tracking")
        batch = CommitBatch(
            events=[(str(e.originator_id), e.originator_version, e.topic, e.state) for e in stored_events]
        )
        if tracking is not None:
            batch.positions.update(self._moved(tracking))
        if not stored_events and tracking is None:
            return []
        try:
            end = self.store.append(batch)
        except (ConcurrencyError, CheckpointConflict) as error:
            raise IntegrityError(str(error)) from error
        if stored_events:
            self.store.committed(end)
        return list(range(end - len(stored_events) + 1, end + 1))

    def insert_tracking(self, tracking: Tracking) -> None:
        """Record a position alone. Raises IntegrityError unless it is above the recorded one."""
        self.insert_events([], tracking=tracking)

    def _moved(self, tracking: Tracking) -> dict[str, tuple[int | None, int]]:
        before = self.max_tracking_id(tracking.application_name)
        if before is not None and tracking.notification_id <= before:
            raise IntegrityError(f"{tracking.application_name} is tracked up to {before} already")
        return {TRACKING + tracking.application_name: (before, tracking.notification_id)}

    # -- reading ----------------------------------------------------------------------------------------------

    def select_events(
        self,
        originator_id: UUID | str,
        *,
        gt: int | None = None,
        lte: int | None = None,
        desc: bool = False,
        limit: int | None = None,
    ) -> Sequence[StoredEvent]:
        """The events of one stream, in order or from its end."""
        rows = self.store.fetch(
            "SELECT originator_id, originator_version, topic, state FROM stored_events WHERE originator_id = %s"
            " AND (%s::bigint IS NULL OR originator_version > %s) AND (%s::bigint IS NULL OR originator_version <= %s)"
            f" ORDER BY originator_version {'DESC' if desc else 'ASC'} LIMIT %s",
            (str(originator_id), gt, gt, lte, lte, limit),
        )
        return [StoredEvent(*row) for row in rows]

    def select_notifications(
        self,
        start: int | None,
        limit: int,
        stop: int | None = None,
        topics: Sequence[str] = (),
        *,
        inclusive_of_start: bool = True,
    ) -> Sequence[Notification]:
        """The log from `start` to `stop`, at most `limit` events, only of some stored names if given."""
        after = 0 if start is None else start - inclusive_of_start
        chosen = " AND topic = ANY(%s)" if topics else ""
        rows = self.store.fetch(
            "SELECT originator_id, originator_version, topic, state, notification_id FROM stored_events"
            f" WHERE notification_id > %s AND (%s::bigint IS NULL OR notification_id <= %s){chosen}"
            " ORDER BY notification_id LIMIT %s",
            (after, stop, stop, *((list(topics),) if topics else ()), limit),
        )
        return [Notification(*row) for row in rows]

    def max_notification_id(self) -> int | None:
        """The position of the last event; None in an empty log."""
        return self.store.end_of_log() or None

    def max_tracking_id(self, application_name: str) -> int | None:
        """The position recorded for an application; None where there is none."""
        rows = self.store.fetch(
            "SELECT notification_id FROM notification_tracking WHERE application_name = %s",
            (TRACKING + application_name,),
        )
        return cast("int", rows[0][0]) if rows else None

    def subscribe(self, gt: int | None = None, topics: Sequence[str] = ()) -> LogSubscription:
        """All events after a position, and then each as it is committed."""
        return LogSubscription(self, gt, topics)


class LogSubscription(Subscription[LogRecorder]):
    """Reads the log page by page; at its end it waits for the commits that PostgreSQL notifies of."""

    def __init__(self, recorder: LogRecorder, gt: int | None = None, topics: Sequence[str] = ()) -> None:
        """Prepare; see `LogRecorder.subscribe`."""
        super().__init__(recorder, gt, topics)
        self._log = recorder
        self._after = gt or 0
        self._names = topics
        self._page: deque[Notification] = deque()
        self._ended = threading.Event()
        self._guard = threading.Lock()
        self._listening: psycopg.Connection[Any] | None = None

    def stop(self) -> None:
        """End the iteration, also from another thread."""
        self._ended.set()

    def __exit__(self, *args: object, **kwargs: Any) -> None:
        """Stop, and close the connection that listens."""
        self._ended.set()
        super().__exit__(*args, **kwargs)
        self._close()

    def __next__(self) -> Notification:
        """The next event. Raises StopIteration once stopped, OperationalError while the database is away."""
        try:
            while not self._ended.is_set():
                if self._page:
                    found = self._page.popleft()
                    self._after = found.id
                    return found
                self._page.extend(
                    self._log.select_notifications(self._after, PAGE, topics=self._names, inclusive_of_start=False)
                )
                if not self._page:
                    self._wait()
        except psycopg.OperationalError as error:
            self._close()
            raise OperationalError(str(error)) from error
        self._close()
        raise StopIteration

    def _wait(self) -> None:
        """Wait for a commit; at the first call only begin to listen, since one may have come before."""
        while not self._ended.is_set():
            with self._guard:  # whoever leaves the context closes the connection, perhaps from another thread
                if self._listening is None:
                    self._listening = psycopg.connect(self._log.store.url, autocommit=True)
                    self._listening.execute(f"LISTEN {CHANNEL}".encode())
                    return
                if any(True for _ in self._listening.notifies(timeout=_LOOK_SECONDS, stop_after=1)):
                    return

    def _close(self) -> None:
        with self._guard:
            if self._listening is not None:
                self._listening.close()
                self._listening = None
