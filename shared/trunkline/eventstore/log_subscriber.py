"""Following one's own log: a reaction that reads some stored events in order and never misses or repeats one.

An event that its reaction fails on does not stop it: the event's stream is set aside and tried again later, and the
others go on.

Its position lives beside the projections', not in them: rebuilding a view moves no follower, so that replaying
history never repeats what a follower did (O3).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import msgspec

from trunkline.clock import Clock
from trunkline.eventstore.event_store import CheckpointConflict, Store
from trunkline.eventstore.failed_items import ADD, SETTLE, FailedItem, FailedItems, concerns_item
from trunkline.eventstore.leader_election import LeaderElection
from trunkline.eventstore.recorded_event import RawRow, RecordedEvent
from trunkline.eventstore.unit_of_work import UnitOfWork, run

PAGE = 1_000
_FAR = 10_000

ReactToLog = Callable[[UnitOfWork, Sequence[RecordedEvent]], None]


class Settled(NamedTuple):
    """How far an item is done: the position it had, and the next one; None: all of it is done."""

    key: str
    expected: int
    following: int | None


class LogSubscriber:
    """Brings every new event of some kinds before a reaction, once: effect and position are one transaction (X3)."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        name: str,
        names: Sequence[str],
        handle: ReactToLog,
        leader_election: LeaderElection | None = None,
    ) -> None:
        """Prepare.

        Args:
            store: whose log is followed.
            clock: the service's.
            name: the position is kept as `follower/<name>`.
            names: the stored names it reads.
            handle: decides into the work what a page of events brings about.
            leader_election: the process's; None makes its own.
        """
        self._failed = FailedItems(store, clock.now, f"follower/{name}")
        self._store = store
        self._clock = clock
        self._source = f"follower/{name}"
        self._names = list(names)
        self._handle = handle
        self._leader_election = leader_election or LeaderElection(store.url)
        self._stored: int | None = None
        self._read = 0
        self._term = 0
        """In which the position was read; 0: it must be read."""

    def step(self) -> int:
        """Do the next page; how many events it had, 0 at the log's end or where another copy follows.

        An event that the reaction fails on is set aside with what follows in its stream; the others go on.
        """
        term = self._leader_election.hold(self._source)
        if term and term != self._term:
            self._stored = self._store.positions(self._source).get(self._source)
            self._read = self._stored or 0
            self._failed.load()
        self._term = term
        if not term:
            return 0
        try:
            return self._retry() + self._next_page()
        except CheckpointConflict:
            self._term = 0
            return 0

    def _next_page(self) -> int:
        end = self._store.end_of_log()
        if end == self._read:
            return 0
        rows = self._store.read_log(self._read, PAGE, self._names)
        reached = rows[-1][0] if len(rows) == PAGE else max(end, rows[-1][0] if rows else 0)
        if rows:
            self._take(rows, reached)
            self._store.committed(end)  # what it wrote may be somebody's work: mail, for one
        elif reached - (self._stored or 0) >= _FAR:  # now and then: a lost record only repeats a look
            self._store.move(self._source, self._stored, reached)
            self._stored = reached
        self._read = reached
        return len(rows)

    def _take(self, rows: Sequence[RawRow], reached: int) -> None:
        """Do some rows of the log in one transaction; in halves where it fails, until one event is left to set aside.

        Args:
            rows: in log order.
            reached: the position after them.
        """
        if self._failed:
            rows = [row for row in rows if row[1] not in self._failed]
        try:
            self._commit(rows, reached)
        except Exception as error:
            if not concerns_item(error) or not rows:
                raise
            if len(rows) == 1:
                self._set_aside(rows[0], reached, error)
                return
            middle = len(rows) // 2
            self._take(rows[:middle], rows[middle - 1][0])
            self._take(rows[middle:], reached)

    def _commit(self, rows: Sequence[RawRow], reached: int, settled: Settled | None = None) -> None:
        """React to some rows and record the position, and how far an item is settled with them."""
        page = [self._store.event(row) for row in rows]

        def decide(uow: UnitOfWork) -> None:
            if page:
                self._handle(uow, page)
            if settled is not None:
                uow.write(SETTLE, [(self._failed.loop, *settled)])
            uow.advance(self._source, self._stored, reached)

        run(self._store, self._clock.now, decide)
        self._stored = reached

    def _set_aside(self, row: RawRow, reached: int, error: Exception) -> None:
        failed = self._failed.row(row[1], error, row[0])

        def decide(uow: UnitOfWork) -> None:
            uow.write(ADD, [failed])
            uow.advance(self._source, self._stored, reached)

        run(self._store, self._clock.now, decide)
        self._stored = reached
        self._failed.added(failed)

    def _retry(self) -> int:
        """Do what is due of the streams set aside, up to where this follower is; how many events that were."""
        return sum(self._retry_stream(item) for item in self._failed.due())

    def _retry_stream(self, item: FailedItem) -> int:
        rows = self._store.read_stream_log(item.key, item.position, self._read, self._names)
        for done, row in enumerate(rows):
            following = rows[done + 1][0] if done + 1 < len(rows) else None
            try:
                self._commit([row], self._stored or 0, Settled(item.key, item.position, following))
            except Exception as error:
                if not concerns_item(error):
                    raise
                self._failed.add_again(item, error, row[0])
                return done
            item = msgspec.structs.replace(item, position=following or item.position)
        if rows:
            self._failed.settled(item.key)
        else:
            self._failed.settle(item)
        return len(rows)

    def resign(self) -> None:
        """Let another copy of the service do it."""
        self._leader_election.resign()
