"""One piece of work: what is read, what is decided, and everything it causes, committed at once.

A decision never sees the database. A reaction or a command loads the streams it needs into a `UnitOfWork`, asks the
pure functions of the aggregates, records their events, and the whole is appended in one transaction. First try
optimistic; after a conflict the second try reads after taking the writers' lock, so no rival can come between.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Any, Generic, TypeVar

from trunkline.eventstore.decider import Decider, Event
from trunkline.eventstore.event_store import HEARD, CommitBatch, ConcurrencyError, Connection, Store, read_waiters
from trunkline.eventstore.recent_events import CommittedEvent
from trunkline.eventstore.recorded_event import Causation, EventMetadata, stored_name

S = TypeVar("S")
T = TypeVar("T")


class LoadedStream(Generic[S]):
    """A stream in hand: its state with everything recorded so far in this work."""

    __slots__ = ("decider", "due", "last", "new", "state", "stream_id", "touched", "version")

    def __init__(self, decider: Decider[S], key: str) -> None:
        self.decider = decider
        self.stream_id = decider.stream(key)
        self.state = decider.initial(key)
        self.version = 0
        self.new: list[tuple[Event, EventMetadata]] = []
        self.last: datetime | None = None
        self.due: datetime | None = None
        self.touched = False


class UnitOfWork:
    """Reads, decides, and collects what is to be written. Used by one thread, once."""

    def __init__(self, store: Store, now: datetime, conn: Connection | None = None) -> None:
        """Begin.

        Args:
            store: where to read and, at the end, to write.
            now: the service's present instant; every decision of this work uses it.
            conn: a locked connection (the second try); None reads from the pool.
        """
        self.now = now
        self.store = store
        self.epoch = store.epochs.current
        """Of the service's log, from which on everything is recorded (X1)."""
        self.batch = CommitBatch()
        self._conn = conn
        self._streams: dict[str, LoadedStream[Any]] = {}
        self._waits: dict[tuple[str, str], tuple[datetime, str]] = {}
        self._unwaits: set[tuple[str, str]] = set()
        self._order: list[tuple[LoadedStream[Any], Event, EventMetadata]] = []
        self._waiters_read: dict[str, frozenset[str]] = {}
        self._overdue: list[LoadedStream[Any]] = []
        self.received_before: dict[tuple[str, str], bytes] = {}
        """Source and id of messages that `load` was asked for and that were heard: the hash of their payload."""
        self.written: list[CommittedEvent] = []
        """What the commit has written, in log order."""

    # -- streams ----------------------------------------------------------------------------------------------

    def load(
        self,
        wanted: Iterable[tuple[Decider[Any], str]],
        *,
        waiters: bool = False,
        received: Sequence[tuple[str, str]] = (),
    ) -> None:
        """Read many streams in one query; those already in hand are left alone.

        Args:
            wanted: deciders and keys.
            waiters: read with them who waits for them, since `waiters` will be asked.
            received: read with them which of these messages, by source and id, were heard: see `received_before`.
        """
        missing: dict[str, LoadedStream[Any]] = {}
        for decider, key in wanted:
            stream_id = f"{decider.category}/{key}"
            if stream_id not in self._streams and stream_id not in missing:
                missing[stream_id] = LoadedStream(decider, key)
        if not missing and not received:
            return
        decode = self.store.codec.decode
        waiting: dict[str, set[str]] = {}
        for stream_id, version, name, state in self.store.read(
            list(missing), self._conn, waiters=waiters, received=received
        ):
            if version <= 0:
                if version == HEARD:
                    self.received_before[stream_id, name] = bytes(state)
                else:
                    waiting.setdefault(stream_id, set()).add(name)
                continue
            loaded = missing[stream_id]
            stored = decode(name, state)
            loaded.state = loaded.decider.evolve(loaded.state, stored.data)
            loaded.version = version
            loaded.last = stored.meta.occurred_at
        for loaded in missing.values():
            self._note_due(loaded)
        self._streams.update(missing)
        if waiters:
            self._waiters_read.update({stream_id: frozenset(waiting.get(stream_id, ())) for stream_id in missing})

    def _note_due(self, loaded: LoadedStream[Any]) -> None:
        """When a stream that was just read falls due; and that it has fallen due, if it has."""
        if loaded.decider.due is not None:
            loaded.due = loaded.decider.due(loaded.state)
            if loaded.due is not None and loaded.due <= self.now:
                self._overdue.append(loaded)

    @property
    def has_overdue(self) -> bool:
        """Whether `take_overdue` has anything to give."""
        return bool(self._overdue)

    def take_overdue(self) -> list[str]:
        """The streams that had fallen due when they were read, in due order; each is given once."""
        overdue, self._overdue = self._overdue, []
        return [loaded.stream_id for loaded in sorted(overdue, key=lambda o: (o.due, o.stream_id))]

    def get(self, decider: Decider[S], key: str) -> LoadedStream[S]:
        """One stream, read now if it is not in hand."""
        stream_id = f"{decider.category}/{key}"
        found = self._streams.get(stream_id)
        if found is None:
            self.load([(decider, key)])
            found = self._streams[stream_id]
        return found

    def state(self, decider: Decider[S], key: str) -> S:
        """The state of one stream, with what this work has recorded."""
        found: LoadedStream[S] | None = self._streams.get(f"{decider.category}/{key}")
        return found.state if found is not None else self.get(decider, key).state

    def record(self, decider: Decider[S], key: str, events: Sequence[Event], cause: Causation) -> S:
        """Add decided events to a stream and return the state after them.

        Each is stamped with its own instant, or with the stream's last one where that is later:
        `occurred_at` never decreases within a stream.
        """
        loaded = self.get(decider, key)
        for event in events:
            occurred = event.at if loaded.last is None or event.at > loaded.last else loaded.last
            by = (cause.actor, cause.correlation_id, cause.causation_id, cause.role, cause.party_id, cause.identity_id)
            meta = EventMetadata(occurred, self.now, *by)
            loaded.last = occurred
            loaded.new.append((event, meta))
            loaded.state = loaded.decider.evolve(loaded.state, event)
            self._order.append((loaded, event, meta))
        return loaded.state

    def touch(self, decider: Decider[Any], key: str) -> None:
        """Write the stream's deadline anew even if nothing is recorded (a stale row would come up for ever)."""
        self.get(decider, key).touched = True

    def touch_streams(self, stream_ids: Iterable[str]) -> None:
        """Write the deadlines of some streams anew; one that nobody has loaded has none, and its row goes."""
        for stream_id in stream_ids:
            loaded = self._streams.get(stream_id)
            if loaded is None:
                self.batch.deadlines.append((stream_id, None, 0))
            else:
                loaded.touched = True

    def in_order_of_time(self) -> None:
        """Put what is recorded so far in the order in which it occurred; each stream keeps its own order."""
        self._order.sort(key=lambda entry: entry[2].occurred_at)

    @property
    def recorded(self) -> list[tuple[str, Event]]:
        """What has been recorded so far, in log order, as (stream id, event)."""
        return [(loaded.stream_id, event) for loaded, event, _ in self._order]

    # -- who waits for whom (S6, S7) --------------------------------------------------------------------------

    def wait(self, awaited: str, waiter: str, since: datetime, reason: str) -> None:
        """Let one stream wait for another: to exist, or to change. Said again, it replaces the reason."""
        self._unwaits.discard((awaited, waiter))
        self._waits[awaited, waiter] = (since, reason)

    def stop_waiting(self, awaited: str, waiter: str) -> None:
        """End a wait; none is fine."""
        self._waits.pop((awaited, waiter), None)
        self._unwaits.add((awaited, waiter))

    @property
    def waits(self) -> frozenset[tuple[str, str]]:
        """Who begins to wait by this work, as (awaited, waiter)."""
        return frozenset(self._waits)

    def waiters(self, awaited: Sequence[str]) -> dict[str, frozenset[str]]:
        """Who waits for these streams, this work's own changes included; a rival's change to it is a conflict."""
        seen = self.batch.waiters_seen
        seen.update({a: self._waiters_read[a] for a in awaited if a not in seen and a in self._waiters_read})
        unread = [a for a in awaited if a not in seen]
        if unread:
            if self._conn is not None:
                found = read_waiters(self._conn, unread)
            else:
                with self.store.connection() as conn:
                    found = read_waiters(conn, unread)
            seen.update({a: found.get(a, frozenset()) for a in unread})
        result = {a: set(seen[a]) for a in awaited}
        for stream_id, waiter in self._unwaits:
            result.get(stream_id, set()).discard(waiter)
        for stream_id, waiter in self._waits:
            result.get(stream_id, set()).add(waiter)
        return {stream_id: frozenset(waiters) for stream_id, waiters in result.items() if waiters}

    # -- the rest ---------------------------------------------------------------------------------------------

    def fetch(self, sql: str, params: Sequence[Any] = ()) -> list[Any]:
        """Read something else, through the same connection as the streams."""
        return self.store.fetch(sql, params, self._conn)

    def write(self, sql: str, rows: Sequence[Sequence[Any]]) -> None:
        """Execute a statement for each row in the same transaction; a unique violation is a conflict."""
        if rows:
            self.batch.writes.append((sql, rows))

    def heard(self, messages: Sequence[tuple[str, str, bytes]]) -> None:
        """Put on record that messages were heard, as (source, id, hash); one heard meanwhile is a conflict (S3)."""
        self.batch.received += messages
        self.batch.received_at = self.now

    def advance(self, source: str, expected: int | None, new: int) -> None:
        """Move a source's position in the same transaction (X3)."""
        self.batch.positions[source] = (expected, new)

    def commit(self) -> int:
        """Append everything; the log position to wait for.

        Raises:
            Conflict: something read has changed.
            Overtaken: a source position has moved.
        """
        batch = self.batch
        batch.waits = [(*pair, *reason) for pair, reason in self._waits.items()]
        batch.unwaits = list(self._unwaits)
        encode = self.store.codec.encode
        versions = {stream_id: loaded.version for stream_id, loaded in self._streams.items()}
        for loaded, event, meta in self._order:
            version = versions[loaded.stream_id] + 1
            versions[loaded.stream_id] = version
            batch.events.append((loaded.stream_id, version, stored_name(type(event)), encode(meta, event)))
            self.written.append(CommittedEvent(loaded.stream_id, version, meta, event))
        for stream_id, loaded in self._streams.items():
            if loaded.decider.due is not None and (loaded.new or loaded.touched):
                due = loaded.decider.due(loaded.state)
                if due != loaded.due or loaded.touched:
                    batch.deadlines.append((stream_id, due, versions[stream_id]))
        if batch.events or batch.waits or batch.deadlines:
            batch.depends = {key: loaded.version for key, loaded in self._streams.items() if not loaded.new}
        if not (batch.events or batch.waits):
            batch.waiters_seen.clear()
        return self.store.append(batch, self._conn)


def run(store: Store, now: Callable[[], datetime], decide: Callable[[UnitOfWork], T]) -> tuple[T, int]:
    """Do one piece of work: decide and commit, again under the lock if a rival came between.

    Args:
        store: the service's store.
        now: the service's clock, read once for each try.
        decide: fills the work; called a second time, with fresh reads, after a conflict.

    Returns:
        What `decide` returned, and the log position a reader can wait for.

    Raises:
        Refused: as `decide` raises it; nothing is written.
        Overtaken: a source position has moved.
    """
    try:
        uow = UnitOfWork(store, now())
        result = decide(uow)
        position = uow.commit()
    except ConcurrencyError:
        with store.locked() as conn:
            uow = UnitOfWork(store, now(), conn)
            result = decide(uow)
            position = uow.commit()
    if uow.batch.events:
        store.committed(position, uow.written)
    return result, position
