"""What falls due: notices, ends of reservations and locks, each once, in due order, stamped with its due instant (N10).

A due row only means "look at this stream"; the aggregate decides by the service's clock, and the row is rewritten in
the same transaction. So a row that comes late, twice or for nothing is never a wrong answer, and the whole table can
be rebuilt from the streams. A stream that cannot be settled is set aside and tried again later; the others go on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Any, Final

import structlog

from trunkline.clock import Clock
from trunkline.eventstore.decider import Decider
from trunkline.eventstore.event_store import Connection, Store
from trunkline.eventstore.failed_items import FailedItems, concerns_item
from trunkline.eventstore.leader_election import LeaderElection
from trunkline.eventstore.recorded_event import RecordedEvent, stored_names
from trunkline.eventstore.stream_reader import whole_streams
from trunkline.eventstore.unit_of_work import UnitOfWork, run

log = structlog.get_logger(__name__)

LOOP: Final = "deadlines"
LIMIT = 1_000
"""Streams settled in one transaction."""

Settle = Callable[[UnitOfWork, Sequence[str]], None]
_Row = tuple[str, datetime]
_Due = tuple[datetime | None, int]


class Deadlines:
    """Settles the streams that are due in one store. Synchronous; one copy of a service does it at a time."""

    def __init__(
        self, store: Store, clock: Clock, settle: Settle, leader_election: LeaderElection | None = None
    ) -> None:
        """Prepare.

        Args:
            store: the service's store.
            clock: the service's; the database's own clock is never asked.
            settle: the service's: decides what is due of some streams, records it, and touches each stream.
            leader_election: the process's; None makes its own.
        """
        self._store = store
        self._clock = clock
        self._settle = settle
        self._leader_election = leader_election or LeaderElection(store.url)
        self._failed = FailedItems(store, clock.now, LOOP)
        self._term = 0
        self._swept: _Row | None = None

    def step(self, limit: int = LIMIT) -> int:
        """Settle the streams that fell due first; one that cannot be settled is set aside, and the others go on.

        Args:
            limit: how many at most.

        Returns:
            How many rows were taken; 0 when nothing is due, or another copy of the service does it.
        """
        term = self._leader_election.hold(LOOP)
        if term != self._term:
            self._failed.load()
        self._term = term
        if not term:
            return 0
        retried = self._retry()
        due = self._due(limit)
        if not due and self._swept is not None:
            self._swept = None
            due = self._due(limit)
        if due and self._take(due, due[-1][1] if len(due) == limit else None):
            self._swept = due[-1]
        return retried + len(due)

    def _take(self, due: Sequence[_Row], more_after: datetime | None) -> bool:
        """Settle some rows in one transaction; in halves where that fails, until one is left to set aside.

        Returns:
            Whether they are done with; False: some were put off.
        """
        try:
            self._run([key for key, _ in due], more_after)
        except Postpone as later:
            self._put_off(later.turns)
            return False
        except Exception as error:
            if not concerns_item(error):
                raise
            if len(due) == 1:
                self._failed.add(due[0][0], error, self._generation(due[0][0]))
                return True
            middle = len(due) // 2
            first = self._take(due[:middle], due[middle][1])
            return self._take(due[middle:], more_after) and first
        return True

    def _run(self, ids: Sequence[str], more_after: datetime | None = None) -> None:
        run(self._store, self._clock.now, lambda uow: self._decide(uow, ids, more_after))

    def _retry(self) -> int:
        """Settle again what is due of the streams set aside; one whose timer has changed is in the sweep again."""
        tried = 0
        for item in self._failed.due():
            if self._generation(item.key) == item.position:
                tried += 1
                try:
                    self._run([item.key])
                except Postpone as later:
                    self._put_off(later.turns)
                except Exception as error:
                    if not concerns_item(error):
                        raise
                    self._failed.add_again(item, error)
                    continue
            self._failed.settle(item)
        return tried

    def _generation(self, key: str) -> int:
        rows = self._store.fetch("SELECT generation FROM deadlines WHERE key = %s", (key,))
        return rows[0][0] if rows else 0

    def resign(self) -> None:
        """Let another copy of the service do it."""
        self._leader_election.resign()

    def next_due(self) -> datetime | None:
        """The earliest due instant; None where nothing is ever due. Ask again after each commit."""
        found: datetime | None = self._store.fetch(f"SELECT min(due_at) FROM deadlines d WHERE {self._sound()}")[0][0]
        return found

    def seconds_to_next(self) -> float | None:
        """How long to sleep unless woken: 0 when something is due; None: for ever."""
        due = self.next_due()
        return None if due is None else max(0.0, (due - self._clock.now()).total_seconds())

    def _due(self, limit: int) -> list[_Row]:
        """Due rows after those of this sweep: so that the dead rows of a long sweep are not read again and again."""
        swept: str = ""
        params: list[object] = []
        if self._swept is not None:
            key, due_at = self._swept
            swept, params = " AND (due_at, key) > (%s, %s)", [due_at, key]
        return self._store.fetch(
            f"SELECT key, due_at FROM deadlines d WHERE due_at <= %s{swept} AND {self._sound()}"
            " ORDER BY due_at, key LIMIT %s",
            (self._clock.now(), *params, limit),
        )

    def _sound(self) -> str:
        """The condition that a row is not set aside; one written anew since then is a new timer."""
        if not self._failed:
            return "true"
        return (
            f"NOT EXISTS (SELECT 1 FROM failed_items f WHERE f.loop = '{LOOP}'"
            " AND f.key = d.key AND f.position = d.generation)"
        )

    def _decide(self, uow: UnitOfWork, ids: Sequence[str], more_after: datetime | None) -> None:
        """Settle in due order; what comes of it later than rows yet unread must wait for its turn."""
        self._settle(uow, ids)
        if more_after is not None:
            turns: dict[str, datetime] = {}
            for stream_id, event in uow.recorded:
                turns.setdefault(stream_id, event.at)
            later = {key: turns[key] for key in ids if key in turns and turns[key] > more_after}
            if later:
                raise Postpone(later)
        uow.in_order_of_time()
        uow.touch_streams(ids)

    def _put_off(self, turns: Mapping[str, datetime]) -> None:
        """Give rows the instant at which their turn really comes; the same the next time they are read."""
        with self._store.locked() as conn:
            conn.execute(
                b"UPDATE deadlines d SET due_at = t.due_at FROM unnest(%s::text[], %s::timestamptz[]) AS t(key, due_at)"
                b" WHERE d.key = t.key AND d.due_at < t.due_at",
                (list(turns), list(turns.values())),
            )


class Postpone(Exception):
    """Some streams of the batch have their turn later: nothing of it is done, and their rows are put off until then.

    That is so where a notice is due but is not sent any more, its end having passed: the end gives the place in line
    after others that are due and yet unread. A service's `settle` raises it for what it cannot decide yet.
    """

    def __init__(self, turns: Mapping[str, datetime]) -> None:
        super().__init__()
        self.turns = turns


def rebuild_deadlines(store: Store, deciders: Iterable[Decider[Any]]) -> int:
    """Drop the table's rows and compute them anew from the streams, while the service runs.

    The fold goes on beside the writers; only what changed meanwhile is looked at under their lock. A stream with an
    event that cannot be decoded keeps the row that it has: when that is due, the loop sets it aside with its cause.

    Args:
        store: the service's store.
        deciders: all of its kinds of stream.

    Returns:
        How many rows there are now.
    """
    timed = {decider.category: decider for decider in deciders if decider.due is not None}
    upto = store.end_of_log()
    rows: dict[str, _Due] = {}
    undecodable: set[str] = set()
    note = partial(_note, undecodable)
    for decider in timed.values():
        for page in whole_streams(store, upto, stored_names(decider), undecodable=note):
            rows.update(_dues(decider, page))
    with store.locked() as conn:
        changed = store.fetch(
            "SELECT DISTINCT originator_id FROM stored_events WHERE notification_id > %s", (upto,), conn
        )
        rows.update(_read_dues(store, timed, [stream_id for (stream_id,) in changed], conn, note))
        conn.execute(b"DELETE FROM deadlines WHERE key <> ALL(%s)", (list(undecodable),))
        with conn.cursor().copy("COPY deadlines (key, due_at, generation) FROM STDIN (FORMAT BINARY)") as copy:
            copy.set_types(("text", "timestamptz", "int8"))
            for key, (due_at, version) in rows.items():
                if due_at is not None and key not in undecodable:
                    copy.write_row((key, due_at, version))
        count: int = store.fetch("SELECT count(*) FROM deadlines", (), conn)[0][0]
    store.committed(upto)
    return count


def _note(undecodable: set[str], stream_id: str, position: int, error: Exception) -> None:
    """Note a stream with an event that cannot be decoded. Raises what is not the event's own fault."""
    if not concerns_item(error):
        raise error
    log.warning("an event cannot be decoded; its timer stays", stream=stream_id, position=position, error=repr(error))
    undecodable.add(stream_id)


def _dues(decider: Decider[Any], page: Iterable[RecordedEvent]) -> dict[str, _Due]:
    """When each of some whole streams is due, and the stream's version."""
    states: dict[str, Any] = {}
    versions: dict[str, int] = {}
    for event in page:
        stream_id = event.stream_id
        state = states.get(stream_id)
        states[stream_id] = decider.evolve(decider.initial(event.key) if state is None else state, event.event)
        versions[stream_id] = event.version
    due = decider.due
    assert due is not None
    return {stream_id: (due(state), versions[stream_id]) for stream_id, state in states.items()}


def _read_dues(
    store: Store,
    timed: Mapping[str, Decider[Any]],
    stream_ids: Sequence[str],
    conn: Connection,
    note: Callable[[str, int, Exception], None],
) -> dict[str, _Due]:
    rows: dict[str, _Due] = {}
    decode = store.codec.decode
    found: dict[str, list[RecordedEvent]] = {}
    for stream_id, version, name, state in store.read_streams(stream_ids, conn):
        category = stream_id.partition("/")[0]
        if category in timed:
            try:
                stored = decode(name, state)
            except Exception as error:  # noqa: BLE001 - `note` raises what is not the event's fault
                note(stream_id, version, error)
                continue
            found.setdefault(category, []).append(RecordedEvent(0, stream_id, version, stored.meta, stored.data))
    for category, page in found.items():
        rows.update(_dues(timed[category], page))
    return rows
