"""When foreign producers use Kafka's transactions: what is aborted or open is never heard (X3)."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any, Protocol

import confluent_kafka
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from deploy.local_servers.broker import libs_folder
from tests.messaging.conftest import NewTopic
from tests.messaging.ear import PATIENCE, admin, ear, event, eventually, id_of, listening, new_name
from trunkline.messaging.kafka.client import KafkaSettings, source_name
from trunkline.messaging.records import IncomingRecord, OutgoingRecord

ROOT = Path(__file__).parents[2]


class Transactions(Protocol):
    """A producer that has begun nothing yet."""

    async def begin(self) -> None: ...
    async def send(self, record: OutgoingRecord, partition: int) -> None: ...
    async def commit(self) -> None: ...
    async def abort(self) -> None: ...


class Python:
    """aiokafka's own."""

    def __init__(self, producer: AIOKafkaProducer) -> None:
        self.begin = producer.begin_transaction
        self.commit = producer.commit_transaction
        self.abort = producer.abort_transaction
        self._producer = producer

    async def send(self, record: OutgoingRecord, partition: int) -> None:
        await self._producer.send_and_wait(
            record.topic, record.value, key=record.key, headers=list(record.headers), partition=partition
        )


class Librdkafka:
    """librdkafka's, as most languages have it; its calls block."""

    def __init__(self, producer: Any) -> None:
        self._producer = producer

    async def begin(self) -> None:
        await asyncio.to_thread(self._producer.begin_transaction)

    async def send(self, record: OutgoingRecord, partition: int) -> None:
        self._producer.produce(
            record.topic, record.value, key=record.key, headers=list(record.headers), partition=partition
        )
        assert await asyncio.to_thread(self._producer.flush, PATIENCE) == 0

    async def commit(self) -> None:
        await asyncio.to_thread(self._producer.commit_transaction, PATIENCE)

    async def abort(self) -> None:
        await asyncio.to_thread(self._producer.abort_transaction, PATIENCE)


@asynccontextmanager
async def python(bootstrap: str) -> Any:
    async with AIOKafkaProducer(bootstrap_servers=bootstrap, transactional_id=new_name("python")) as producer:
        yield Python(producer)


@asynccontextmanager
async def librdkafka(bootstrap: str) -> Any:
    producer = confluent_kafka.Producer({"bootstrap.servers": bootstrap, "transactional.id": new_name("librdkafka")})
    await asyncio.to_thread(producer.init_transactions, PATIENCE)
    yield Librdkafka(producer)


async def send_plainly(settings: KafkaSettings, record: OutgoingRecord, partition: int) -> None:
    async with AIOKafkaProducer(bootstrap_servers=settings.bootstrap) as producer:
        await producer.send_and_wait(
            record.topic, record.value, key=record.key, headers=list(record.headers), partition=partition
        )


@pytest.mark.parametrize("client", [python, librdkafka])
async def test_only_what_is_committed_is_heard_and_late_is_not_lost(
    settings: KafkaSettings,
    new_topic: NewTopic,
    url: str,
    client: Callable[[str], AbstractAsyncContextManager[Transactions]],
) -> None:
    """X3: aborted records never; open ones, and what came behind them, once they are committed; after a restart too."""
    topic, group = await new_topic(partitions=2), new_name("group")
    first, behind, aside, aborted, last, late = (event(topic) for _ in range(6))
    with ear(url, topic) as one:
        async with client(settings.bootstrap) as transactions:
            async with listening(settings, one, group):
                await transactions.begin()
                await transactions.send(first, 0)
                await send_plainly(settings, behind, 0)
                await send_plainly(settings, aside, 1)
                await one.until(one.heard)
                assert one.heard() == [id_of(aside)]
                await transactions.commit()
                await one.until(lambda: len(one.heard()) >= 3)
                await transactions.begin()
                await transactions.send(aborted, 0)
                await transactions.abort()
                await send_plainly(settings, last, 0)
                await one.until(lambda: len(one.heard()) >= 4)
                await transactions.begin()
                await transactions.send(late, 0)
            async with listening(settings, one, group) as consumer:
                await eventually(lambda: consumer.settled)
                assert len(one.heard()) == 4
                await transactions.commit()
                await one.until(lambda: len(one.heard()) >= 5)
        assert one.heard() == [id_of(record) for record in (aside, first, behind, last, late)]


async def test_a_position_behind_an_open_transaction_is_no_other_topic(
    settings: KafkaSettings, new_topic: NewTopic, url: str
) -> None:
    """X3: an earlier release has heard past it; the end of the log tells whether a topic was made anew."""
    topic = await new_topic()
    behind, after = event(topic), event(topic)
    async with admin(settings.bootstrap) as client:
        cluster = (await client.describe_cluster())["cluster_id"]
    with ear(url, topic) as one:
        async with python(settings.bootstrap) as transactions:
            await transactions.begin()
            await transactions.send(event(topic), 0)
            await send_plainly(settings, behind, 0)
            source = source_name(cluster, topic, 0)
            one.accept([IncomingRecord(source, topic, 0, 1, behind.key, behind.headers, behind.value)])
            async with listening(settings, one, new_name("group")) as consumer:
                await eventually(lambda: consumer.settled)
                await transactions.commit()
                await send_plainly(settings, after, 0)
                await one.until(lambda: len(one.heard()) >= 2)
        assert one.heard() == [id_of(behind), id_of(after)]


async def test_a_producer_of_java_that_dies_in_a_transaction_is_not_heard(
    settings: KafkaSettings, new_topic: NewTopic, url: str, tmp_path: Path
) -> None:
    """X3: the broker aborts what it left open; what the next one commits is heard (here: parked, it is no event)."""
    libs = libs_folder(ROOT / ".trunkline")
    if not any(libs.glob("kafka-tools*.jar")):
        pytest.skip("the broker's jars are not here, so Java's client is not shown")
    topic, identity = await new_topic(), new_name("java")
    with ear(url, topic) as one:
        async with listening(settings, one, new_name("group")):
            dying = await java(libs, settings, topic, identity, records=1_000, rate=20, duration_ms=600_000)
            await eventually_written(settings, topic)
            dying.send_signal(signal.SIGKILL)
            await dying.wait()
            assert one.parked() == []
            committing = await java(libs, settings, topic, identity, records=5, rate=1_000, duration_ms=1)
            assert await committing.wait() == 0
            await one.until(lambda: len(one.parked()) >= 5)
            assert len(one.parked()) == 5


async def java(
    libs: Path, settings: KafkaSettings, topic: str, identity: str, *, records: int, rate: int, duration_ms: int
) -> asyncio.subprocess.Process:
    """The broker's own program that measures producers: transactions of one client of Java."""
    return await asyncio.create_subprocess_exec(
        *("java", "-XX:TieredStopAtLevel=1", "-cp", f"{libs}/*", "org.apache.kafka.tools.ProducerPerformance"),
        *("--topic", topic, "--num-records", str(records), "--record-size", "10", "--throughput", str(rate)),
        *("--transactional-id", identity, "--transaction-duration-ms", str(duration_ms)),
        *("--producer-props", f"bootstrap.servers={settings.bootstrap}", "linger.ms=0"),
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )


async def eventually_written(settings: KafkaSettings, topic: str) -> None:
    """Wait until the topic has something, committed or not."""
    async with AIOKafkaConsumer(bootstrap_servers=settings.bootstrap) as client, asyncio.timeout(PATIENCE):
        partition = TopicPartition(topic, 0)
        while not (await client.end_offsets([partition]))[partition]:  # noqa: ASYNC110
            await asyncio.sleep(0.05)
