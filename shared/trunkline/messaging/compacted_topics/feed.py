"""State topics: the newest document of each subject, compacted by the broker; a tombstone when it is gone (X1).

A state topic follows a view, not the log: however often a subject changes between two looks, one document is sent.
The view's rows know the log position of their last event, so a page is one query and nothing is asked twice.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import Any, Final

import psycopg

from trunkline.availability import database_availability, is_unavailable
from trunkline.clock import Clock, SystemClock
from trunkline.contracts.cloudevents.envelope import encode
from trunkline.contracts.contract import Contract
from trunkline.eventstore.commit_signal import CommitSignal
from trunkline.eventstore.epochs import epoch_and_version, sequence_of
from trunkline.eventstore.event_store import CheckpointConflict, Store
from trunkline.eventstore.failed_items import FailedItems, concerns_item
from trunkline.eventstore.leader_election import LeaderElection
from trunkline.eventstore.recorded_event import event_id
from trunkline.messaging.records import OutgoingRecord
from trunkline.messaging.retry import Backoff

PAGE = 1_000
_COLUMNS: Final = "key, version, position, changed_at, folded"
_POSITION: Final = 2
Row = tuple[str, int, int, Any, bytes]
SendPage = Callable[[Sequence[OutgoingRecord]], Awaitable[None]]


class CompactedTopic:
    """What a state topic says.

    Attributes:
        contract: of the documents.
        view: a `state_view` with an index on `position`; its rows are the subjects.
        document: a row's `folded` bytes and version -> the document; None: the subject is gone.
    """

    def __init__(self, contract: Contract, view: str, document: Callable[[bytes, int], Any | None]) -> None:
        self.contract = contract
        self.view = view
        self.document = document


def begin_anew(store: Store, topic: CompactedTopic) -> None:
    """Let the feed of a state topic begin at the first row again: whoever hears it has lost what it heard."""
    with store.locked() as conn:
        conn.execute(b"DELETE FROM notification_tracking WHERE application_name = %s", (_follower(topic),))


def _follower(topic: CompactedTopic) -> str:
    return f"states/{topic.contract.name}"


def outgoing_document(
    store: Store, topic: CompactedTopic, key: str, version: int, position: int, changed_at: datetime, folded: bytes
) -> OutgoingRecord:
    """The record of a row of a state topic's view, in the present epoch; without a value where the subject is gone."""
    epoch = store.epochs.current
    sequence = sequence_of(epoch, version)
    document = topic.document(folded, sequence)
    headers, value = encode(
        topic.contract,
        id=event_id(f"{_follower(topic)}/{key}", version, epoch),
        subject=key,
        time=changed_at,
        sequence=sequence,
        epoch=epoch,
        correlation_id=None,
        causation_id=None,
        data=document,
    )
    return OutgoingRecord(topic.contract.topic, key.encode(), None if document is None else value, headers, position)


def tombstone(topic: CompactedTopic, key: str, sequence: int, at: datetime) -> OutgoingRecord:
    """The record that ends a subject which the view does not have."""
    epoch, version = epoch_and_version(sequence)
    headers, _ = encode(
        topic.contract,
        id=event_id(f"{_follower(topic)}/{key}", version, epoch),
        subject=key,
        time=at,
        sequence=sequence,
        epoch=epoch,
        correlation_id=None,
        causation_id=None,
        data=None,
    )
    return OutgoingRecord(topic.contract.topic, key.encode(), None, headers, 0)


class CompactedTopicPublisher:
    """Keeps a state topic up to its view. One copy of a service does it at a time."""

    def __init__(
        self, store: Store, topic: CompactedTopic, leader_election: LeaderElection, clock: Clock | None = None
    ) -> None:
        """Prepare.

        Args:
            store: where the view is; the position is kept as `states/<contract>`.
            topic: what is said.
            leader_election: the process's.
            clock: the service's, for what is set aside; None: the machine's.
        """
        self._store = store
        self._topic = topic
        self._follower = _follower(topic)
        self._failed = FailedItems(store, (clock or SystemClock()).now, self._follower)
        self._leader_election = leader_election
        self._position: int | None = None
        self._term = 0
        """In which the position was read; 0: it must be read."""

    async def step(self, send_page: SendPage) -> int:
        """Send the documents of the next page of changed rows; how many rows, 0 where none has changed.

        A document that cannot be made or sent is set aside and tried again later, or when its row changes.

        Args:
            send_page: delivers in order and returns once it is safe; what it raises about a server leaves the position
                alone.
        """
        if not await asyncio.to_thread(self._holds):
            return 0
        for item in await asyncio.to_thread(self._failed.due):
            await self._send(send_page, await asyncio.to_thread(self._row, item.key))
            if item.key in self._failed and self._failed.tries(item.key) == item.tries:
                await asyncio.to_thread(self._failed.settle_key, item.key)  # its row is gone
        rows = await asyncio.to_thread(self._page)
        if not rows:
            return 0
        await self._send(send_page, rows)
        reached = rows[-1][_POSITION]
        try:
            await asyncio.to_thread(self._store.move, self._follower, self._position, reached)
        except CheckpointConflict:
            self._term = 0  # another copy has sent it meanwhile: the same documents, so no harm is done
            return 0
        self._position = reached
        return len(rows)

    async def _send(self, send_page: SendPage, rows: Sequence[Row]) -> None:
        """Send some rows, in halves where that fails, until one is left to set aside."""
        if not rows:
            return
        try:
            await send_page(await asyncio.to_thread(self._documents, rows))
        except Exception as error:
            if not concerns_item(error):
                raise
            if len(rows) == 1:
                key, _, position, *_ = rows[0]
                await asyncio.to_thread(self._failed.add, key, error, position)
                return
            middle = len(rows) // 2
            await self._send(send_page, rows[:middle])
            await self._send(send_page, rows[middle:])
        else:
            for key in self._failed.among([row[0] for row in rows]):
                await asyncio.to_thread(self._failed.settle_key, key)

    def _documents(self, rows: Sequence[Row]) -> list[OutgoingRecord]:
        """The records of some rows, made off the event loop: a page of them takes it milliseconds."""
        return [outgoing_document(self._store, self._topic, *row) for row in rows]

    async def run(self, send_page: SendPage, commit_signal: CommitSignal, stopping: Callable[[], bool]) -> None:
        """Send until told to stop; a database that is away is waited for.

        Args:
            send_page: as for `step`.
            commit_signal: set when the views have moved.
            stopping: whether to end.

        Raises whatever else goes wrong: run it again.
        """
        backoff = Backoff()
        database = database_availability(self._store.url)
        try:
            while not stopping():
                seen = commit_signal.count
                try:
                    done = await self.step(send_page)
                    database.mark_restored(self._follower)
                    backoff.reset()
                    if done == 0:
                        await commit_signal.after(seen)
                except Exception as error:
                    self._term = 0
                    if isinstance(error, psycopg.Error) and is_unavailable(error):
                        database.mark_lost(error, self._follower)
                    elif not isinstance(error, CheckpointConflict):
                        raise
                    await asyncio.sleep(backoff.pause())
        finally:
            database.forget(self._follower)

    def _holds(self) -> bool:
        term = self._leader_election.hold(self._follower)
        if term and term != self._term:  # the last record of the position may be lost, or another copy's
            self._position = self._store.positions(self._follower).get(self._follower)
            self._failed.load()
        self._term = term
        return term > 0

    def _page(self) -> list[Row]:
        return self._store.fetch(
            f"SELECT {_COLUMNS} FROM {self._topic.view} WHERE position > %s ORDER BY position LIMIT %s",
            (self._position or 0, PAGE),
        )

    def _row(self, key: str) -> list[Row]:
        return self._store.fetch(f"SELECT {_COLUMNS} FROM {self._topic.view} WHERE key = %s", (key,))
