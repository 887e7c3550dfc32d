"""From topics into the store, once: effects, dead letters and source positions commit together (X3, X6).

A record is heard if its offset is above the position stored for its source. What it brings about and the new
position are one transaction, compare-and-set on the old position: redelivery, a rebalance in mid-batch or a zombie's
late batch change nothing. A record that cannot be read, or that a reaction breaks on, is parked; its siblings go on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime

import psycopg
import structlog

from trunkline.contracts.contract import Contract
from trunkline.contracts.envelope import decode
from trunkline.contracts.message import Message
from trunkline.contracts.unreadable import Unreadable
from trunkline.messaging.parked import park
from trunkline.messaging.record import Record
from trunkline.recorded import UnknownEvent
from trunkline.service import Hearing, Service
from trunkline.store import Conflict, Overtaken, Store
from trunkline.telemetry import BATCH_SECONDS, HEARD, span
from trunkline.work import Work, run

log = structlog.get_logger(__name__)

Fault = tuple[str, str]
"""A stable code and one sentence."""


class Intake:
    """Hears records for one service. Used by one thread at a time."""

    def __init__(self, store: Store, service: Service, now: Callable[[], datetime]) -> None:
        """Prepare.

        Args:
            store: the service's store.
            service: its hearings say what may come on which topic and who reacts.
            now: the service's clock.
        """
        self._store = store
        self._now = now
        self._service = service.name
        self._hearings: dict[str, tuple[int, Mapping[str, Contract]]] = {}
        self._reactions: tuple[Hearing, ...] = service.hearings
        for place, hearing in enumerate(service.hearings):
            for topic, contracts in hearing.topics.items():
                self._hearings[topic] = (place, contracts)
        self._positions: dict[str, int] = {}
        self._known: set[str] = set()

    @property
    def topics(self) -> frozenset[str]:
        """Every topic that is heard."""
        return frozenset(self._hearings)

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

    def accept(self, records: Sequence[Record]) -> int:
        """Take a batch, in its order; what was heard before has no effect.

        Args:
            records: of any topics and partitions; offsets of one source ascend.

        Returns:
            How many were new.

        Raises:
            Overtaken: another reader has moved a position; read `positions` again and go on from there.
            UnknownEvent: a newer service wrote what this code cannot read; nothing was taken, and it must not go on.
            psycopg.OperationalError: the database is away; nothing was taken, give the same batch again.
        """
        unknown = {r.source for r in records} - self._known
        if unknown:
            self.positions(unknown)
        fresh = [r for r in records if r.offset > self._positions.get(r.source, -1)]
        if fresh:
            self._take(fresh)
        return len(fresh)

    def _take(self, records: Sequence[Record]) -> None:
        """Commit a batch whole; if a reaction breaks on it, halve it until the one record is found and parked."""
        try:
            self._commit(records, None)
        except (Overtaken, Conflict, UnknownEvent, psycopg.OperationalError, psycopg.InterfaceError):
            self._known.clear()
            raise
        except Exception as broken:
            if len(records) > 1:
                middle = len(records) // 2
                self._take(records[:middle])
                self._take(records[middle:])
                return
            log.exception("a record was parked because its reaction failed", topic=records[0].topic)
            self._commit(records, ("reaction-failed", f"{type(broken).__name__}: {broken}"))

    def _commit(self, records: Sequence[Record], broken: Fault | None) -> None:
        heard: list[list[Message]] = [[] for _ in self._reactions]
        unreadable: list[tuple[Record, Fault]] = []
        last: dict[str, int] = {}
        for record in records:
            last[record.source] = record.offset
            if broken is not None:
                unreadable.append((record, broken))
                continue
            place, contracts = self._hearings[record.topic]
            try:
                heard[place].append(decode(record.headers, record.value, contracts))
            except Unreadable as reason:
                unreadable.append((record, (reason.code, reason.reason)))

        def decide(work: Work) -> None:
            for hearing, messages in zip(self._reactions, heard, strict=True):
                if messages:
                    hearing.react(work, messages)
            for record, (code, why) in unreadable:
                park(work, record, code, why)
            for source, offset in last.items():
                work.advance(source, self._positions.get(source), offset)

        with BATCH_SECONDS.labels(self._service).time(), span("hear", service=self._service, records=len(records)):
            run(self._store, self._now, decide)
        self._positions.update(last)
        HEARD.labels(self._service, "understood").inc(len(records) - len(unreadable))
        HEARD.labels(self._service, "parked").inc(len(unreadable))
