"""MessageHandler and saying on topics in a run: from now on, as fast as it goes, everything counted."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from trunkline.messaging.kafka.client import KafkaSettings
from trunkline.messaging.kafka.producer import Producer
from trunkline.messaging.kafka.topics import PARTITIONS
from trunkline.messaging.records import OutgoingRecord

PAGE = 1_000
SILENCE_SECONDS = 60.0
_LOOKS = 200


@asynccontextmanager
async def listening(bootstrap: str, topic: str) -> AsyncIterator[AIOKafkaConsumer]:
    """A consumer of all partitions of a topic, standing at their ends."""
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, group_id=None, fetch_max_bytes=8 << 20)
    await consumer.start()
    try:
        places = [TopicPartition(topic, number) for number in range(PARTITIONS)]
        consumer.assign(places)
        for place, end in (await consumer.end_offsets(places)).items():
            consumer.seek(place, end)
        yield consumer
    finally:
        await consumer.stop()


async def keys_heard(consumer: AIOKafkaConsumer, count: int, check: Callable[[], None]) -> set[bytes]:
    """The keys of the next `count` records. Raises RuntimeError when nothing comes for long, or a key comes twice."""
    keys: set[bytes] = set()
    seen, last = 0, time.monotonic()
    while seen < count:
        fetched = await consumer.getmany(timeout_ms=500, max_records=5_000)
        for records in fetched.values():
            keys.update(record.key for record in records)
            seen += len(records)
        if fetched:
            last = time.monotonic()
        elif time.monotonic() - last > SILENCE_SECONDS:
            raise RuntimeError(f"heard {seen} of {count} and then nothing for {SILENCE_SECONDS:.0f} s")
        else:
            check()
    if len(keys) != count:
        raise RuntimeError(f"{count - len(keys)} records of {count} came twice")
    return keys


async def say_all(producer: Producer, records: Sequence[OutgoingRecord]) -> None:
    """Send records page by page, without waiting for one before the next."""
    sent = [producer.enqueue(records[start : start + PAGE]) for start in range(0, len(records), PAGE)]
    for acknowledged in sent:
        await acknowledged


@asynccontextmanager
async def saying(bootstrap: str) -> AsyncIterator[Producer]:
    """A producer of pages."""
    async with Producer(KafkaSettings(bootstrap)) as producer:
        yield producer


async def create(bootstrap: str, *names: str) -> None:
    """Create topics with as many partitions as the services' own."""
    admin: Any = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        await admin.create_topics([NewTopic(name, PARTITIONS, 1) for name in names])
        for _ in range(_LOOKS):
            if set(names) <= set(await admin.list_topics()):
                return
            await asyncio.sleep(0.05)
        raise RuntimeError(f"the broker does not show the topics {names}")
    finally:
        await admin.close()
