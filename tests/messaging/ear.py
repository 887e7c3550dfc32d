"""A service that only listens: every message it hears is a row. What is heard twice is there twice."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime
from importlib.resources import files
from itertools import count
from uuid import uuid4

import psycopg
from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from trunkline.clock import SystemClock
from trunkline.contracts import billing
from trunkline.contracts.cloudevents.envelope import Message, encode
from trunkline.eventstore.event_store import CheckpointConflict, Store
from trunkline.eventstore.schema import migrate, read_migrations
from trunkline.eventstore.unit_of_work import UnitOfWork
from trunkline.messaging.inbox import Inbox
from trunkline.messaging.kafka.client import KafkaSettings
from trunkline.messaging.kafka.consumer import Consumer
from trunkline.messaging.message_handler import MessageHandler
from trunkline.messaging.records import IncomingRecord, OutgoingRecord
from trunkline.service_definition import ServiceDefinition

PATIENCE = 90.0
"""Seconds after which a test gives up; nothing is said about how long anything takes."""

SUBSCRIPTION = "00000000-0000-4000-8000-00000000000a"
ORGANIZATION = "00000000-0000-4000-8000-00000000000b"
_EXPIRED = billing.CONTRACTS["billing.subscription.expired"]
_numbers = count(1)


def prepare(url: str) -> None:
    """The store's tables and the one that is heard into."""
    migrate(url, read_migrations(files("trunkline.eventstore") / "migrations"))
    with psycopg.connect(url) as connection:
        connection.execute("CREATE TABLE heard (id bigserial PRIMARY KEY, subject text, event_id text)")


def ear_service(topics: Iterable[str]) -> ServiceDefinition:
    """Hears what billing says, on topics of the test's own."""

    def handle(uow: UnitOfWork, messages: Sequence[Message]) -> None:
        uow.write("INSERT INTO heard (subject, event_id) VALUES (%s, %s)", [(m.subject, m.id) for m in messages])

    return ServiceDefinition(
        name="licensing",
        deciders=(),
        message_handlers=(MessageHandler(dict.fromkeys(topics, billing.CONTRACTS), handle),),
        published=lambda _: None,
        publishes=(),
        settle=lambda _work, _streams: None,
    )


class Ear:
    """One copy of the service: its intake, which a test can hold up, trouble, and wait for."""

    def __init__(self, url: str, topics: Iterable[str]) -> None:
        service = ear_service(topics)
        self.topics = tuple(topics)
        self.store = Store(url, service.codec())
        self.records: list[IncomingRecord] = []
        self.troubles: list[Exception] = []
        self.open = threading.Event()
        self.open.set()
        self.busy = self.refused = 0
        self._intake = Inbox(self.store, service, SystemClock().now)
        self._changed = asyncio.Event()
        self._loop = asyncio.get_running_loop()

    def positions(self, sources: Iterable[str]) -> Mapping[str, int]:
        return self._intake.positions(sources)

    def accept(self, records: Sequence[IncomingRecord]) -> None:
        self.busy += 1
        self._tell()
        assert self.open.wait(PATIENCE)
        if self.troubles:
            raise self.troubles.pop(0)
        try:
            if self._intake.accept(records):
                self.records += records
        except CheckpointConflict:
            self.refused += 1
            raise
        finally:
            self._tell()

    def _tell(self) -> None:
        self._loop.call_soon_threadsafe(self._changed.set)

    async def until(self, condition: Callable[[], object]) -> None:
        """Wait until a condition holds; it is looked at whenever something was heard."""
        async with asyncio.timeout(PATIENCE):
            while not condition():
                await self._changed.wait()
                self._changed.clear()

    def heard(self) -> list[str]:
        """The ids of all that any copy has heard, in the order of the rows."""
        return [row[0] for row in self.store.fetch("SELECT event_id FROM heard ORDER BY id")]

    def heard_of(self) -> dict[str, list[str]]:
        """Per subject, the ids in the order they were heard."""
        found: dict[str, list[str]] = {}
        for subject, event_id in self.store.fetch("SELECT subject, event_id FROM heard ORDER BY id"):
            found.setdefault(subject, []).append(event_id)
        return found

    def parked(self) -> list[str]:
        return [row[0] for row in self.store.fetch("SELECT code FROM parked ORDER BY id")]

    def close(self) -> None:
        self.open.set()
        self.store.close()


async def eventually(condition: Callable[[], object]) -> None:
    """Look again and again until a condition holds, where nothing tells when to look."""
    async with asyncio.timeout(PATIENCE):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.01)


@contextmanager
def ear(url: str, *topics: str) -> Iterator[Ear]:
    one = Ear(url, topics)
    try:
        yield one
    finally:
        one.close()


@asynccontextmanager
async def listening(settings: KafkaSettings, to: Ear, group: str, batch: int = 1000) -> AsyncIterator[Consumer]:
    """A consumer that runs for the time of the block and is then stopped in order."""
    consumer = Consumer(settings, to.topics, group, to, batch=batch)
    running = asyncio.create_task(consumer.run())
    try:
        yield consumer
    finally:
        consumer.stop()
        to.open.set()
        await running


def event(topic: str, subject: str = SUBSCRIPTION, event_id: str | None = None) -> OutgoingRecord:
    """Something that billing could say."""
    headers, value = encode(
        _EXPIRED,
        id=event_id or f"event {next(_numbers)}",
        source="/billing",
        subject=subject,
        time=datetime(2026, 3, 1, tzinfo=UTC),
        sequence=None,
        correlation_id=None,
        causation_id=None,
        data={"subscription_id": subject, "organization_id": ORGANIZATION},
    )
    return OutgoingRecord(topic, subject.encode(), value, headers, 0)


def id_of(record: OutgoingRecord) -> str:
    """The id of an event that `event` made."""
    return (dict(record.headers)["ce_id"] or b"").decode()


def new_name(what: str) -> str:
    """A name that no other test has."""
    return f"{what}-{uuid4().hex[:12]}"


@asynccontextmanager
async def admin(bootstrap: str) -> AsyncIterator[AIOKafkaAdminClient]:
    client = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await client.start()
    try:
        yield client
    finally:
        await client.close()


async def recreate_topic(bootstrap: str, name: str) -> None:
    """Delete a topic, and create another one of the same name once it is gone."""
    async with admin(bootstrap) as client, asyncio.timeout(PATIENCE):
        await client.delete_topics([name])
        while name in await client.list_topics():  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    await create_topic(bootstrap, name)


async def create_topic(bootstrap: str, name: str, partitions: int = 1, **configs: str) -> str:
    async with admin(bootstrap) as client:
        named = {key.replace("_", "."): value for key, value in configs.items()}
        topic = NewTopic(name, num_partitions=partitions, replication_factor=1, topic_configs=named)
        response = await client.create_topics([topic])
        async with asyncio.timeout(PATIENCE):
            while name not in await client.list_topics():  # noqa: ASYNC110 - a broker hears of it a little later
                await asyncio.sleep(0.01)
    assert [error[1] for error in response.topic_errors] == [0]
    return name


async def read_topic(bootstrap: str, topic: str) -> list[ConsumerRecord]:
    """All that a topic holds now, partition by partition."""
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, auto_offset_reset="earliest", fetch_max_wait_ms=50)
    records: list[ConsumerRecord] = []
    async with admin(bootstrap) as client:
        (described,) = await client.describe_topics([topic])
    async with consumer:
        partitions = sorted(TopicPartition(topic, p["partition"]) for p in described["partitions"])
        ends = await consumer.end_offsets(partitions)
        consumer.assign(partitions)
        await consumer.seek_to_beginning(*partitions)
        for partition in partitions:
            while await consumer.position(partition) < ends[partition]:
                for found in (await consumer.getmany(partition, timeout_ms=200)).values():
                    records += found
    return records
