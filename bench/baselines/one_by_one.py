"""The same two hops, one message at a time: consume, load, decide, append, commit, produce and wait.

Decisions, events and contracts are those of the services; the database is used as one would without batches: plain
statements, one transaction for each message. Each hop is a process of its own:
`python -m bench.baselines.one_by_one SERVICE DATABASE BOOTSTRAP`.
"""

from __future__ import annotations

import asyncio
import signal
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from bench.servers import Databases
from bench.services import Process
from bench.topics import create
from bench.world import Subscription, World
from trunkline.contracts.cloudevents.envelope import decode, encode
from trunkline.eventstore.epochs import Epochs
from trunkline.eventstore.event_store import HEARD, WAITS, CommitBatch
from trunkline.eventstore.recorded_event import Codec, recorded
from trunkline.eventstore.unit_of_work import UnitOfWork
from trunkline.messaging.records import OutgoingRecord
from trunkline.service_definition import ServiceDefinition, installed_services

PREFIX = "single."
HOPS = {"licensing": ("BillingSubscriptionEvents",), "numbers": ("SubscriptionExpired",)}


class PlainStore:
    """As much of a store as a piece of work needs, with one connection and one statement for each row."""

    def __init__(self, url: str, codec: Codec) -> None:
        self.codec = codec
        self.epochs = Epochs()
        self.conn: psycopg.Connection[Any] = psycopg.connect(url)

    @contextmanager
    def connection(self) -> Iterator[psycopg.Connection[Any]]:
        """The connection."""
        yield self.conn

    def read(
        self, stream_ids: Sequence[str], _conn: object = None, *, waiters: bool = False, received: Sequence[Any] = ()
    ) -> list[Any]:
        """The events of some streams, and what goes with them, as one would ask without batches."""
        rows = self.fetch(
            "SELECT originator_id, originator_version, topic, state FROM stored_events"
            " WHERE originator_id = ANY(%s) ORDER BY originator_id, originator_version",
            (list(stream_ids),),
        )
        if waiters:
            asked = (list(stream_ids),)
            rows += self.fetch(f"SELECT awaited, {WAITS}, waiter, '' FROM awaited WHERE awaited = ANY(%s)", asked)
        for named in received:
            rows += self.fetch(
                f"SELECT source, {HEARD}, id, payload_hash FROM inbox WHERE source = %s AND id = %s", named
            )
        return rows

    def fetch(self, sql: str, params: Sequence[Any] = (), _conn: object = None) -> list[Any]:
        """Rows."""
        return self.conn.execute(sql.encode(), params, binary=True).fetchall()

    def append(self, batch: CommitBatch, _conn: object = None) -> int:
        """Write what one message brought about, and commit."""
        assert not batch.waits
        assert not batch.claims
        execute = self.conn.execute
        for row in batch.events:
            execute(
                "INSERT INTO stored_events (originator_id, originator_version, topic, state) VALUES (%s, %s, %s, %s)",
                row,
            )
        for due in batch.deadlines:
            execute(
                "INSERT INTO deadlines (key, due_at, generation) VALUES (%s, %s, %s)"
                " ON CONFLICT (key) DO UPDATE SET due_at = EXCLUDED.due_at, generation = EXCLUDED.generation",
                due,
            )
        for message in batch.received:
            execute(
                "INSERT INTO inbox (source, id, payload_hash, received_at) VALUES (%s, %s, %s, %s)",
                (*message, batch.received_at),
            )
        for sql, rows in batch.writes:
            for values in rows:
                execute(sql.encode(), values)
        for source, (_, new) in batch.positions.items():
            execute(
                "INSERT INTO notification_tracking VALUES (%s, %s)"
                " ON CONFLICT (application_name) DO UPDATE SET notification_id = EXCLUDED.notification_id",
                (source, new),
            )
        self.conn.commit()
        return 0


class Hop:
    """One service that takes one message at a time."""

    def __init__(self, service: ServiceDefinition, url: str) -> None:
        self.topics = [PREFIX + topic for topic in HOPS[service.name]]
        self._service = service
        self._store: Any = PlainStore(url, service.codec())
        self._handlers = {
            topic: (h.handle, known) for h in service.message_handlers for topic, known in h.topics.items()
        }

    def handle(self, record: Any) -> list[OutgoingRecord]:
        """Let one record take effect; what is to be said of it."""
        handle, known = self._handlers[record.topic.removeprefix(PREFIX)]
        message = decode(record.headers, record.value, known)
        uow = UnitOfWork(self._store, datetime.now(UTC))
        handle(uow, [message])
        uow.advance(f"{record.topic}/{record.partition}", None, record.offset)
        uow.commit()
        said = []
        for row in uow.batch.events:
            event = recorded(self._store.codec, (0, *row))
            public = self._service.published(event)
            if public is not None:
                contract, data = public
                headers, value = encode(
                    contract, id=event.id, subject=event.key, time=event.event.at, sequence=event.version,
                    correlation_id=event.meta.correlation_id, causation_id=event.meta.causation_id, data=data,
                )  # fmt: skip
                said.append(OutgoingRecord(PREFIX + contract.topic, event.key.encode(), value, headers, 0))
        return said


async def run(hop: Hop, group: str, bootstrap: str) -> None:
    """Consume, handle, produce; one after the other, until cancelled."""
    consumer = AIOKafkaConsumer(
        *hop.topics, bootstrap_servers=bootstrap, group_id=group, enable_auto_commit=False, auto_offset_reset="earliest"
    )
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, acks="all", enable_idempotence=True)
    await consumer.start()
    await producer.start()
    try:
        async for record in consumer:
            for o in hop.handle(record):
                await producer.send_and_wait(o.topic, key=o.key, value=o.value, headers=o.headers)
    finally:
        await producer.stop()
        await consumer.stop()


class SingleFile:
    """Both hops, running."""

    last_topic = PREFIX + "NumberReserved"

    def __init__(self, world: World, processes: Sequence[Process]) -> None:
        self._subscriptions = iter(world.subscriptions)
        self._processes = processes

    def take(self, count: int) -> list[Subscription]:
        """Subscriptions that were not used before."""
        return [next(self._subscriptions) for _ in range(count)]

    def renamed(self, records: Sequence[OutgoingRecord]) -> list[OutgoingRecord]:
        """Records for these hops' own topics."""
        return [record._replace(topic=PREFIX + record.topic) for record in records]

    def check(self) -> None:
        """Raise RuntimeError if one has ended."""
        for process in self._processes:
            process.check()


@contextmanager
def single_file(databases: Databases, bootstrap: str, world: World) -> Iterator[SingleFile]:
    """Start both hops on copies of the inventory, and stop them at the end."""
    asyncio.run(
        create(bootstrap, *(PREFIX + topic for topics in HOPS.values() for topic in topics), SingleFile.last_topic)
    )
    urls = {"licensing": databases.copy(world.licensing_url), "numbers": databases.copy(world.numbers_url)}
    with ExitStack() as running:
        folder = Path(running.enter_context(tempfile.TemporaryDirectory(prefix="trunkline-bench-single-")))
        processes = []
        for name, url in urls.items():
            process = Process(["-m", "bench.baselines.one_by_one", name, url, bootstrap], folder)
            running.callback(process.stop)
            processes.append(process)
        yield SingleFile(world, processes)
    for url in urls.values():
        databases.drop(url)


async def _main(name: str, url: str, bootstrap: str) -> None:
    task = asyncio.ensure_future(run(Hop(installed_services()[name], url), PREFIX + name, bootstrap))
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    with suppress(asyncio.CancelledError):
        await task


if __name__ == "__main__":
    asyncio.run(_main(*sys.argv[1:]))
