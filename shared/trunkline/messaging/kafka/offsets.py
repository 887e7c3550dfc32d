"""From which offset a partition is read: after the last one stored with its effects, whatever the broker says."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable, Mapping, Sequence
from concurrent.futures import Executor
from typing import Final, Protocol

import psycopg
import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition

from trunkline.eventstore.event_store import ConcurrencyError
from trunkline.messaging.kafka.client import KafkaSettings, source_name
from trunkline.messaging.kafka.client_lifetime import started
from trunkline.messaging.records import IncomingRecord
from trunkline.messaging.retry import Backoff, Reach

log = structlog.get_logger(__name__)

DATABASE_AWAY: Final = (psycopg.OperationalError, psycopg.InterfaceError, ConcurrencyError)
"""What an intake raises when the same records are to be given again."""

_LOOKS: Final = 4  # at the log's end before a topic is said to be another one
_LOOK_SECONDS: Final = 0.5


class TopicRecreated(Exception):
    """A topic ends before the place up to which it was heard: it is not the topic that was heard."""


class Intake(Protocol):
    """Where records go. Called by one thread at a time."""

    def positions(self, sources: Iterable[str]) -> Mapping[str, int]:
        """The last offset heard of each source, fresh from the store."""
        ...

    def accept(self, records: Sequence[IncomingRecord]) -> object:
        """Take records in their order, with their positions, in one transaction."""
        ...


class CommittedOffsets:
    """Finds the offsets to read from, for one membership in a group."""

    def __init__(
        self,
        settings: KafkaSettings,
        cluster: str,
        intake: Intake,
        thread: Executor,
        database: Reach,
    ) -> None:
        """Prepare.

        Args:
            settings: the cluster.
            cluster: the cluster's id.
            intake: tells what was heard.
            thread: one thread, in which the intake is called, also by those before and after this one.
            database: told when the intake's database is away and when it is back.
        """
        self.settings = settings
        self._cluster = cluster
        self._intake = intake
        self.thread = thread
        self.database = database

    def source(self, partition: TopicPartition) -> str:
        """The name that the partition's position is kept under."""
        return source_name(self._cluster, partition.topic, partition.partition)

    async def find(self, client: AIOKafkaConsumer, partitions: Collection[TopicPartition]) -> dict[TopicPartition, int]:
        """The offset to read each partition from; one never heard is read from its beginning, never from its end.

        Args:
            client: knows where the topics begin and where their committed part ends.
            partitions: any.

        Raises:
            TopicRecreated: see there.
            KafkaError: the cluster does not answer.
        """
        stored = await self._heard([self.source(p) for p in partitions])
        following = {p: stored[s] + 1 for p in partitions if (s := self.source(p)) in stored}
        begins: dict[TopicPartition, int] = await client.beginning_offsets(list(partitions))
        await self.check_ends(client, following)
        for partition, offset in following.items():
            if offset < begins[partition]:
                log.error(
                    "records were removed by the topic's retention before they were heard",
                    topic=partition.topic,
                    partition=partition.partition,
                    missing=begins[partition] - offset,
                )
        return {p: max(following.get(p, 0), begins[p]) for p in partitions}

    async def _heard(self, sources: Sequence[str]) -> Mapping[str, int]:
        backoff = Backoff()
        loop = asyncio.get_running_loop()
        while True:
            try:
                found = await loop.run_in_executor(self.thread, self._intake.positions, sources)
            except DATABASE_AWAY as error:
                self.database.lost(error)
                await asyncio.sleep(backoff.pause())
            else:
                self.database.back()
                return found

    async def check_ends(self, client: AIOKafkaConsumer, following: Mapping[TopicPartition, int]) -> None:
        """Check that every partition reaches to the offset it is to be read from.

        The client's end is the last stable offset. It may lie before a stored position while a transaction is open
        that began before it was stored, so the end of the log decides. A new leader may for a moment not know how far
        its followers are, so an end that is too early is looked at more than once.

        Raises:
            TopicRecreated: see there.
            KafkaError: the cluster does not answer.
        """
        ends: Mapping[TopicPartition, int] = await client.end_offsets(list(following))
        short = [p for p in following if ends[p] < following[p]]
        for look in range(_LOOKS):
            if not short:
                return
            if look:
                await asyncio.sleep(_LOOK_SECONDS)
            ends = await self._ends_of_logs(short)
            short = [p for p in short if ends[p] < following[p]]
        if short:
            raise TopicRecreated("; ".join(_recreated(p, following[p], ends[p]) for p in sorted(short)))

    async def _ends_of_logs(self, partitions: Sequence[TopicPartition]) -> Mapping[TopicPartition, int]:
        """The ends with all that is not committed yet."""
        client = AIOKafkaConsumer(**self.settings.options())
        async with started(client, client.stop):
            found: Mapping[TopicPartition, int] = await client.end_offsets(partitions)
        return found


def _recreated(partition: TopicPartition, following: int, end: int) -> str:
    return (
        f"topic {partition.topic}, partition {partition.partition}: it was heard up to offset {following - 1}, but it"
        f" ends at {end}; the topic was recreated or has lost records, so nothing of it is read until somebody decides"
    )
