"""From topics into the store, once: effects, dead letters and source positions commit together (X3, X6).

A record is heard if its offset is above the position stored for its source. What it brings about and the new
position are one transaction, compare-and-set on the old position: redelivery, a rebalance in mid-batch or a zombie's
late batch change nothing. A record that cannot be read, or that a reaction breaks on, is parked; its siblings go on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from datetime import datetime

import structlog

from trunkline.availability import is_unavailable
from trunkline.contracts.cloudevents.envelope import decode
from trunkline.contracts.cloudevents.errors import MessageDecodeError
from trunkline.contracts.cloudevents.message import Message
from trunkline.contracts.contract import Contract
from trunkline.eventstore.event_store import CheckpointConflict, ConcurrencyError, Store
from trunkline.eventstore.recorded_event import UnknownEvent
from trunkline.eventstore.unit_of_work import UnitOfWork, run
from trunkline.messaging.dead_letters.store import park
from trunkline.messaging.message_handler import HandlingService, MessageHandler
from trunkline.messaging.records import IncomingRecord
from trunkline.telemetry import BATCH_SECONDS, MESSAGES_RECEIVED, span

log = structlog.get_logger(__name__)

PART = 500
"""Records in one transaction: a command that waits for its turn to write waits about 20 ms."""

_NOT_THE_RECORDS = (CheckpointConflict, ConcurrencyError, UnknownEvent)
"""What no single record is to blame for, nor is a database that is away."""

Fault = tuple[str, str]
"""A stable code and one sentence."""


class Inbox:
    """Hears records for one service. Used by one thread at a time."""

    def __init__(self, store: Store, service: HandlingService, now: Callable[[], datetime]) -> None:
        """Prepare.

        Args:
            store: the service's store.
            service: its message handlers and their topics.
            now: the service's clock.
        """
        self._store = store
        self._now = now
        self._service = service.name
        self._contracts: dict[str, tuple[int, Mapping[str, Contract]]] = {}
        self._handlers: tuple[MessageHandler, ...] = service.message_handlers
        for index, handler in enumerate(service.message_handlers):
            for topic, contracts in handler.topics.items():
                self._contracts[topic] = (index, contracts)
        self._positions: dict[str, int] = {}
        self._known: set[str] = set()

    @property
    def topics(self) -> frozenset[str]:
        """Every topic that is heard."""
        return frozenset(self._contracts)

    def positions(self, sources: Iterable[str]) -> dict[str, int]:
        """The last offset heard of each source, fresh from the store; a source never heard is left out."""
        wanted = set(sources)
        rows = self._store.fetch(
            "SELECT application_name, notification_id FROM notification_tracking WHERE application_name = ANY(%s)",
            (sorted(wanted),),
        )
        found = dict(rows)
        for source in wanted:
            self._positions.pop(source, None)
        self._positions.update(found)
        self._known |= wanted
        return found

    def accept(self, records: Sequence[IncomingRecord]) -> int:
        """Take a batch, in its order; what was heard before has no effect.

        A long batch goes in parts, each a transaction of its own: while one is being written the next one is decided.

        Args:
            records: of any topics and partitions; offsets of one source ascend.

        Returns:
            How many were new.

        Raises:
            Overtaken: another reader has moved a position; read `positions` again and go on from there.
            UnknownEvent: a newer service wrote what this code cannot read; nothing was taken, and it must not go on.
            psycopg.OperationalError: the database is away; give the same batch again, what was taken is known.
        """
        unknown = {r.source for r in records} - self._known
        if unknown:
            self.positions(unknown)
        fresh = [r for r in records if r.offset > self._positions.get(r.source, -1)]
        parts = [fresh[start : start + PART] for start in range(0, len(fresh), PART)]
        try:
            if len(parts) == 1:
                self._take(parts[0])
            elif parts:
                self._take_overlapping(parts)
        except BaseException:
            self._known.clear()  # how much was written must be read again
            raise
        return len(fresh)

    def _take_overlapping(self, parts: Sequence[Sequence[IncomingRecord]]) -> None:
        """Decide each part while the one before it is being written.

        A part that names a subject of the one before waits for it; whatever else it should have seen is a conflict
        at its own commit, and it is decided again.
        """
        writing: tuple[_Part, Future[None]] | None = None
        with ThreadPoolExecutor(1, "append") as writer:
            for records in parts:
                part = self._read(records, None)
                if writing is not None and not part.subjects.isdisjoint(writing[0].subjects):
                    self._finish(*writing)
                    writing = None
                uow = self._decided(part)
                if writing is not None:
                    self._finish(*writing)
                    writing = None
                if uow is None:
                    self._take(records)
                else:
                    writing = (part, writer.submit(self._write, part, uow))
                    self._positions.update(part.last)
            if writing is not None:
                self._finish(*writing)

    def _decided(self, part: _Part) -> UnitOfWork | None:
        """The work of a part, not yet written; None where a reaction fails on it."""
        uow = UnitOfWork(self._store, self._now())
        try:
            self._decide(part, uow)
        except _NOT_THE_RECORDS:
            raise
        except Exception as error:
            if is_unavailable(error):
                raise
            return None  # `_take` finds the one record
        return uow

    def _write(self, part: _Part, uow: UnitOfWork) -> None:
        with self._watched(part):
            position = uow.commit()
        if uow.batch.events:
            self._store.committed(position, uow.written)

    def _finish(self, part: _Part, writing: Future[None]) -> None:
        """Wait for a part to be written; after a conflict, or where PostgreSQL refuses it, it is taken on its own."""
        try:
            writing.result()
        except Exception as error:
            if isinstance(error, CheckpointConflict | UnknownEvent) or is_unavailable(error):
                raise
            self._positions.update(part.before)
            for source in part.last.keys() - part.before.keys():
                self._positions.pop(source, None)
            self._take(part.records)

    def _take(self, records: Sequence[IncomingRecord]) -> None:
        """Commit a part whole; if a reaction breaks on it, halve it until the one record is found and parked."""
        try:
            self._commit(self._read(records, None))
        except _NOT_THE_RECORDS:
            raise
        except Exception as broken:
            if is_unavailable(broken):
                raise
            if len(records) > 1:
                middle = len(records) // 2
                self._take(records[:middle])
                self._take(records[middle:])
                return
            log.exception("a record was parked because its reaction failed", topic=records[0].topic)
            self._commit(self._read(records, ("reaction-failed", f"{type(broken).__name__}: {broken}")))

    def _commit(self, part: _Part) -> None:
        with self._watched(part):
            run(self._store, self._now, lambda uow: self._decide(part, uow))
        self._positions.update(part.last)

    def _read(self, records: Sequence[IncomingRecord], broken: Fault | None) -> _Part:
        """Decode records; those that cannot be understood, or are `broken`, are to be parked."""
        messages: list[list[Message]] = [[] for _ in self._handlers]
        unreadable: list[tuple[IncomingRecord, Fault]] = []
        last: dict[str, int] = {}
        for record in records:
            last[record.source] = record.offset
            if broken is not None:
                unreadable.append((record, broken))
                continue
            if record.undecodable is not None:
                unreadable.append((record, ("undecodable", record.undecodable)))
                continue
            index, contracts = self._contracts[record.topic]
            try:
                messages[index].append(decode(record.headers, record.value, contracts))
            except MessageDecodeError as reason:
                unreadable.append((record, (reason.code, reason.reason)))
        before = {source: self._positions[source] for source in last if source in self._positions}
        return _Part(records, messages, unreadable, before, last)

    def _decide(self, part: _Part, uow: UnitOfWork) -> None:
        for handler, messages in zip(self._handlers, part.heard, strict=True):
            if messages:
                handler.handle(uow, messages)
        for record, (code, why) in part.unreadable:
            park(uow, record, code, why)
        for source, offset in part.last.items():
            uow.advance(source, part.before.get(source), offset)

    @contextmanager
    def _watched(self, part: _Part) -> Iterator[None]:
        with BATCH_SECONDS.labels(self._service).time(), span("hear", service=self._service, records=len(part.records)):
            yield
        MESSAGES_RECEIVED.labels(self._service, "understood").inc(len(part.records) - len(part.unreadable))
        MESSAGES_RECEIVED.labels(self._service, "parked").inc(len(part.unreadable))


class _Part:
    """Some records, read: messages for each reaction, what is to be parked, and positions before and after."""

    __slots__ = ("before", "heard", "last", "records", "unreadable")

    def __init__(
        self,
        records: Sequence[IncomingRecord],
        messages: list[list[Message]],
        unreadable: list[tuple[IncomingRecord, Fault]],
        before: dict[str, int],
        last: dict[str, int],
    ) -> None:
        self.records = records
        self.heard = messages
        self.unreadable = unreadable
        self.before = before
        self.last = last

    @property
    def subjects(self) -> set[str]:
        """What the messages are about."""
        return {message.subject for messages in self.heard for message in messages}
