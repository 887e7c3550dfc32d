"""Reads single partitions outside the consumer group, one at a time, so that an error names its record.

aiokafka's `getmany` drains one partition after another. Where a record of one of them cannot be decoded it raises, the
records that it has drained are lost, and the positions have moved. A client that reads one partition loses nothing:
after an error it goes back and reads record by record. What no read can decode is reported by its offset.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final, NamedTuple

import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import CorruptRecordException, KafkaError, RecordTooLargeError, UnsupportedCodecError

from trunkline.messaging.kafka.client import KafkaSettings
from trunkline.messaging.kafka.client_lifetime import started_consumer
from trunkline.messaging.records import IncomingRecord

log = structlog.get_logger(__name__)

UNDECODABLE: Final = (CorruptRecordException, RecordTooLargeError, UnsupportedCodecError)
"""Errors of the cluster's kind that are about a record, and not about the cluster."""

PAGE: Final = 500
_TRIES: Final = 3  # a checksum that differs once may be the network's fault
_FETCH_WAIT_MS: Final = 50
_READ_SECONDS: Final = 30.0
_FIRST_LOOK_BACK: Final = 64


def is_undecodable(error: BaseException) -> bool:
    """Whether a client's error is about the bytes of a record, so that only reading past it helps."""
    return isinstance(error, UNDECODABLE) or not isinstance(error, KafkaError | OSError | TimeoutError)


class Section(NamedTuple):
    """Consecutive records of one partition.

    Attributes:
        records: those that were found; a record that cannot be decoded has its offset and the reason only.
        following: the offset after the section. Between the last record and it there is none.
        undecodable: how many of the records cannot be decoded.
    """

    records: list[IncomingRecord]
    following: int
    undecodable: int


class PartitionReader:
    """Reads sections of partitions. Belongs to one task."""

    def __init__(self, client: AIOKafkaConsumer, source: Callable[[TopicPartition], str]) -> None:
        """Prepare; see `partition_reader`."""
        self._client = client
        self._source = source

    async def bounds(self, partitions: Sequence[TopicPartition]) -> dict[TopicPartition, tuple[int, int]]:
        """The first offset of each partition, and the offset after its last committed one.

        Raises:
            KafkaError: the cluster does not answer.
        """
        begins = await self._client.beginning_offsets(partitions)
        ends = await self._client.end_offsets(partitions)
        return {p: (begins[p], ends[p]) for p in partitions}

    async def read(self, partition: TopicPartition, start: int, end: int, limit: int) -> Section:
        """The committed records from one offset to another.

        Args:
            partition: any; it need not be assigned to anybody.
            start: the first offset; the partition must have it.
            end: the offset after the last one; at most the last stable offset.
            limit: about how many records; the section ends before `end` when there are more.

        Raises:
            KafkaError, TimeoutError: the cluster does not answer.
        """
        self._client.assign([partition])
        self._client.seek(partition, start)
        records: list[IncomingRecord] = []
        at, undecodable = start, 0
        page, tries = PAGE, 0
        async with asyncio.timeout(_READ_SECONDS):
            while at < end and len(records) < limit:
                try:
                    found = await self._client.getmany(partition, timeout_ms=1_000, max_records=page)
                except Exception as error:
                    if not is_undecodable(error):
                        raise
                    tries += 1
                    if page == 1 and (tries > _TRIES or undecodable):
                        records.append(self._undecodable(partition, at, error))
                        at, tries, undecodable = at + 1, 0, undecodable + 1
                    page = 1
                    self._client.seek(partition, at)
                    continue
                records += [self._record(partition, r) for r in found.get(partition, ()) if r.offset < end]
                at, tries = await self._client.position(partition), 0
        return Section(records, min(at, end), undecodable)

    async def last_record(self, partition: TopicPartition, begin: int, end: int) -> int | None:
        """The offset of the last committed record before `end`, or None if there is none from `begin` on.

        The ends of transactions and aborted records take offsets too, so it need not be `end - 1`.

        Raises:
            KafkaError, TimeoutError: the cluster does not answer.
        """
        upper, size = end, _FIRST_LOOK_BACK
        while upper > begin:
            start = max(begin, upper - size)
            found = await self.read(partition, start, upper, upper - start)
            if found.records:
                return found.records[-1].offset
            upper, size = start, size * 8
        return None

    def _record(self, partition: TopicPartition, r: Any) -> IncomingRecord:
        topic, number = partition
        return IncomingRecord(self._source(partition), topic, number, r.offset, r.key, r.headers, r.value, r.timestamp)

    def _undecodable(self, partition: TopicPartition, offset: int, error: Exception) -> IncomingRecord:
        topic, number = partition
        why = f"The Kafka client cannot decode the record: {type(error).__name__}: {error}"
        log.warning(
            "a record cannot be decoded; reading past it", topic=topic, partition=number, offset=offset, why=why
        )
        return IncomingRecord(self._source(partition), topic, number, offset, None, [], None, undecodable=why)


@asynccontextmanager
async def partition_reader(
    settings: KafkaSettings, source: Callable[[TopicPartition], str]
) -> AsyncIterator[PartitionReader]:
    """A reader with a client of its own for the time of the block.

    Args:
        settings: the cluster.
        source: the name that a partition's position is kept under.

    Raises:
        KafkaError, OSError: no broker answers.
    """
    client = AIOKafkaConsumer(
        **settings.options(),
        auto_offset_reset="none",
        isolation_level="read_committed",
        fetch_max_wait_ms=_FETCH_WAIT_MS,
    )
    async with started_consumer(client):
        yield PartitionReader(client, source)
