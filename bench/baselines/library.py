"""The same work by the `eventsourcing` library's own means: one message at a time, aggregates, repository, save.

Decoding is ours, so that only handling and storing differ. Tracking and deadline are written in the transaction of the
events, as the library's process applications do it; durability is the same server's.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, ClassVar
from uuid import NAMESPACE_URL, UUID, uuid5

import psycopg
from eventsourcing.application import ProcessingEvent
from eventsourcing.domain import Aggregate, event
from eventsourcing.persistence import Tracking
from eventsourcing.postgres import PostgresProcessRecorder
from eventsourcing.system import ProcessApplication
from psycopg.conninfo import conninfo_to_dict

from bench.servers import Databases
from trunkline.contracts.cloudevents.envelope import Message, decode
from trunkline.contracts.contract import Contract
from trunkline.contracts.licensing import CONTRACTS
from trunkline.messaging.records import IncomingRecord

EXPIRED_PERIOD = timedelta(days=56)
NOTICE = timedelta(days=7)
CHUNK = 500


class Subscription(Aggregate):
    """What was heard of a subscription."""

    @event("Registered")
    def __init__(self, id: UUID, organization_id: str, number: str) -> None:  # noqa: A002 - the library's name
        self._id = id
        self.organization_id = organization_id
        self.number = number
        self.sequence = 1
        self.status = "active"
        self.expired_at: datetime | None = None

    @event("Heard")
    def hear(self, sequence: int, status: str, expired_at: datetime) -> None:
        """The newest state."""
        self.sequence = sequence
        self.status = status
        self.expired_at = expired_at


class Number(Aggregate):
    """A number that is assigned or reserved."""

    @event("Assigned")
    def __init__(self, id: UUID, number: str, subscription_id: str, organization_id: str) -> None:  # noqa: A002
        self._id = id
        self.number = number
        self.state = "assigned"
        self.subscription_id = subscription_id
        self.organization_id = organization_id
        self.ends_at: datetime | None = None
        self.notice_at: datetime | None = None

    @event("Reserved")
    def reserve(self, reserver_id: str, cause: str, ends_at: datetime, notice_at: datetime) -> None:
        """Kept for its last holder."""
        self.state = "reserved"
        self.reserver_id = reserver_id
        self.cause = cause
        self.ends_at = ends_at
        self.notice_at = notice_at


class Recorder(PostgresProcessRecorder):
    """Writes the deadline in the same transaction."""

    def _insert_events(self, curs: Any, stored_events: Any, **kwargs: Any) -> None:
        super()._insert_events(curs, stored_events, **kwargs)
        due = kwargs.get("due")
        if due is not None:
            curs.execute(
                "INSERT INTO deadlines (key, due_at, generation) VALUES (%s, %s, %s)"
                " ON CONFLICT (key) DO UPDATE SET due_at = EXCLUDED.due_at, generation = EXCLUDED.generation",
                due,
            )


class Numbers(ProcessApplication[UUID]):
    """Numbers, the library's way."""

    name = "numbers"
    env: ClassVar[dict[str, str]] = {
        "PERSISTENCE_MODULE": "eventsourcing.postgres",
        "PROCESS_RECORDER_TOPIC": "bench.baselines.library:Recorder",
    }

    def policy(self, domain_event: Any, processing_event: ProcessingEvent[UUID]) -> None:
        """React to one message."""
        message: Message = domain_event
        subscription: Subscription = self.repository.get(UUID(message.subject))
        sequence = message.sequence or 0
        if sequence <= subscription.sequence:
            return
        expired_at = message.data.expired_at
        subscription.hear(sequence, message.data.status, expired_at)
        number: Number = self.repository.get(number_id(message.data.number))
        if number.state == "assigned" and number.subscription_id == message.subject:
            ends_at = expired_at + EXPIRED_PERIOD
            number.reserve(message.data.organization_id, "expired", ends_at, ends_at - NOTICE)
        due = (str(number.id), number.notice_at, number.version)
        processing_event.collect_events(subscription, number, due=due)


class Library:
    """A database with the library's tables, and subscriptions that can expire."""

    def __init__(self, databases: Databases, records: Sequence[IncomingRecord], kept: int) -> None:
        """Make a store of the first `kept` records' subscriptions and numbers."""
        self._records = records[:kept]
        url = databases.create()
        place = conninfo_to_dict(url)
        with psycopg.connect(url, autocommit=True) as conn:
            conn.execute("CREATE TABLE deadlines (key text PRIMARY KEY, due_at timestamptz, generation bigint)")
            conn.execute("CREATE INDEX ON deadlines (due_at, key)")
        self._app = Numbers(
            {
                "POSTGRES_DBNAME": str(place["dbname"]),
                "POSTGRES_HOST": str(place["host"]),
                "POSTGRES_PORT": str(place["port"]),
                "POSTGRES_USER": str(place["user"]),
                "POSTGRES_PASSWORD": str(place.get("password", "none")),
            }
        )
        messages = [_decode(r) for r in self._records]
        for start in range(0, len(messages), CHUNK):
            self._app.save(*(a for m in messages[start : start + CHUNK] for a in _aggregates(m)))
        databases.settle(url)

    def hear(self, start: int, count: int) -> float:
        """Hear some of the records, one by one; how many a second."""
        chosen = self._records[start : start + count]
        begun = time.perf_counter()
        for record in chosen:
            self._app.process_event(_decode(record), Tracking(record.source, record.offset + 1))  # type: ignore[arg-type]
        seconds = time.perf_counter() - begun
        last: Number = self._app.repository.get(number_id(_decode(chosen[-1]).data.number))
        assert last.state == "reserved"
        return len(chosen) / seconds


def number_id(number: str) -> UUID:
    """The aggregate's id of a number."""
    return uuid5(NAMESPACE_URL, number)


def _decode(record: IncomingRecord) -> Message:
    known: Mapping[str, Contract] = CONTRACTS
    return decode(record.headers, record.value, known)


def _aggregates(m: Message) -> tuple[Subscription, Number]:
    fact = m.data
    return (
        Subscription(UUID(m.subject), fact.organization_id, fact.number),
        Number(number_id(fact.number), fact.number, m.subject, fact.organization_id),
    )
