"""What a broker has on record of the installation whose topics it serves: a compacted topic of one partition (D10.16).

installation/<id>   claims the broker for an installation; of several, the first one counts
service/<name>      the newest start of a service: its installation, its database, its epoch
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final

import msgspec
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import GroupCoordinatorNotAvailableError, TopicAlreadyExistsError, for_code

from trunkline.installation.judgement import Registration
from trunkline.messaging.kafka.client import KafkaSettings, admin
from trunkline.messaging.kafka.client_lifetime import started_consumer
from trunkline.messaging.kafka.partition_reader import partition_reader
from trunkline.messaging.kafka.producer import Producer
from trunkline.messaging.kafka.topics import INSTALLATION_TOPIC, installation_topic
from trunkline.messaging.records import IncomingRecord, OutgoingRecord

_CLAIM, _SERVICE = "installation/", "service/"
_SECONDS: Final = 15.0


class OnRecord(msgspec.Struct, frozen=True):
    """What the topic holds: the installation that counts, and the services that have started."""

    id: str | None
    services: dict[str, Registration]


async def look(kafka: KafkaSettings, topics: Collection[str], create: int) -> tuple[str, frozenset[str]]:
    """The cluster's id, and those of some topics that exist; the installation's topic is created where missing.

    Args:
        kafka: the cluster.
        topics: their full names.
        create: copies of the topic, at most as many as there are brokers.

    Raises:
        KafkaError, OSError, TimeoutError: the cluster does not answer, or does not let us create the topic.
    """
    async with admin(kafka) as client:
        described = await client.describe_cluster()
        there = set(await client.list_topics())
        if kafka.topic(INSTALLATION_TOPIC) not in there:
            wanted = installation_topic(kafka, min(create, len(described["brokers"])))
            for _, code, *_ in (await client.create_topics([wanted])).topic_errors:
                if code and for_code(code) is not TopicAlreadyExistsError:
                    raise for_code(code)
            async with asyncio.timeout(_SECONDS):
                while kafka.topic(INSTALLATION_TOPIC) not in await client.list_topics():  # noqa: ASYNC110 - it is seen a little later
                    await asyncio.sleep(0.05)
    return described["cluster_id"], frozenset(there & set(topics))


async def read_on_record(kafka: KafkaSettings) -> OnRecord:
    """What the topic holds now."""
    records = await read_records(kafka, [kafka.topic(INSTALLATION_TOPIC)])
    claims: dict[str, None] = {}
    services: dict[str, Registration] = {}
    for record in records:
        key = (record.key or b"").decode(errors="replace")
        if key.startswith(_CLAIM):
            claims[key.removeprefix(_CLAIM)] = None
        elif key.startswith(_SERVICE) and record.value is not None:
            services[key.removeprefix(_SERVICE)] = msgspec.json.decode(record.value, type=Registration)
    return OnRecord(next(iter(claims), None), services)


async def claim(kafka: KafkaSettings, installation: str) -> str:
    """Claim the broker for an installation; the one that counts, which may be a rival's that was faster."""
    await _send(kafka, f"{_CLAIM}{installation}", {"id": installation})
    found = (await read_on_record(kafka)).id
    assert found is not None, "what was just written is not there"
    return found


async def register(kafka: KafkaSettings, service: str, registration: Registration) -> None:
    """Put a start on record."""
    await _send(kafka, f"{_SERVICE}{service}", registration)


async def _send(kafka: KafkaSettings, key: str, value: Any) -> None:
    record = OutgoingRecord(kafka.topic(INSTALLATION_TOPIC), key.encode(), msgspec.json.encode(value), [], 0)
    async with asyncio.timeout(_SECONDS), Producer(kafka) as producer:
        await producer.send_page([record])


async def read_records(kafka: KafkaSettings, topics: Sequence[str], *, newest: bool = False) -> list[Any]:
    """Records of some topics that exist, each partition in order.

    Args:
        kafka: the cluster.
        topics: their full names.
        newest: only the last record of each partition.
    """
    found: list[Any] = []
    if not topics:
        return found
    # Named here, and not assigned later: while it looks at the cluster anew it knows no topic (aiokafka 0.14).
    client = AIOKafkaConsumer(
        *topics,
        **kafka.options(),
        auto_offset_reset="earliest",
        isolation_level="read_committed",
        fetch_max_wait_ms=50,
    )
    async with asyncio.timeout(_SECONDS), started_consumer(client):
        partitions = [TopicPartition(t, p) for t in topics for p in client.partitions_for_topic(t) or ()]
        begins, ends = await client.beginning_offsets(partitions), await client.end_offsets(partitions)
        left = {p for p in partitions if ends[p] > begins[p]}
        for partition in left:
            client.seek(partition, ends[partition] - 1 if newest else begins[partition])
        while left:
            for partition, records in (await client.getmany(timeout_ms=500)).items():
                found += [record for record in records if record.offset < ends[partition]]
            left = {p for p in left if await client.position(p) < ends[p]}
    if newest:
        ended = {TopicPartition(r.topic, r.partition) for r in found}
        found += await _behind_transactions(kafka, {p: (begins[p], ends[p]) for p in partitions if p not in ended})
    return found


async def _behind_transactions(
    kafka: KafkaSettings, bounds: Mapping[TopicPartition, tuple[int, int]]
) -> list[IncomingRecord]:
    """The last record of each partition at whose end there is none: the end of a transaction takes an offset too."""
    found: list[IncomingRecord] = []
    if not any(end > begin for begin, end in bounds.values()):
        return found
    async with partition_reader(kafka, str) as reader:
        for partition, (begin, end) in bounds.items():
            at = await reader.last_record(partition, begin, end)
            if at is not None:
                found += (await reader.read(partition, at, end, 1)).records
    return found


async def members(kafka: KafkaSettings, group: str) -> int:
    """How many consumers are in a group."""
    async with admin(kafka) as client:
        try:
            coordinator = await client.find_coordinator(group)
        except GroupCoordinatorNotAvailableError:  # there was no group yet
            return 0
        (described,) = await client.describe_consumer_groups([group], coordinator)
    return sum(len(found[5]) for found in described.groups)
