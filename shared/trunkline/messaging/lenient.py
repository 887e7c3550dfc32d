"""Reading on where the client cannot: past a record whose header names are no UTF-8.

Some producers write any bytes as a header's name. aiokafka raises on such a record for ever, and with it on all that
come after it in the partition. Here the same bytes are fetched and read with such names spelled out (`\\\\xff`), so
that the record gets to the intake and its siblings go on (X6).
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any, Final, Self, SupportsIndex

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.protocol.fetch import FetchRequest
from aiokafka.record.default_records import _DefaultRecordBatchPy

PARTITION_BYTES: Final = 1 << 20
ALL_BYTES: Final = 8 << 20
_PREFIX: Final = 12  # offset and length, before what the length counts
_MAGIC: Final = 16
_HEADERED: Final = 2  # the one format that has headers


async def fetch_leniently(
    client: AIOKafkaConsumer, positions: Mapping[TopicPartition, int]
) -> dict[TopicPartition, tuple[list[Any], int]]:
    """Fetch once from each position.

    Args:
        client: a started consumer; where it stands is not changed.
        positions: the offset to read each partition from.

    Returns:
        For each partition that had something: its records, and the offset after them.

    Raises:
        KafkaError: a broker does not answer.
    """
    leaders: dict[int, dict[str, list[tuple[int, int, int]]]] = defaultdict(lambda: defaultdict(list))
    for place, offset in positions.items():
        leader = client._client.cluster.leader_for_partition(place)
        if leader is not None and leader >= 0:
            leaders[leader][place.topic].append((place.partition, offset, PARTITION_BYTES))
    requests = [
        client._client.send(node, FetchRequest(0, 0, ALL_BYTES, 0, list(topics.items())))
        for node, topics in leaders.items()
    ]
    found = {}
    for response in await asyncio.gather(*requests):
        for topic, partitions in response.topics:
            for number, code, *_, data in partitions:
                place = TopicPartition(topic, number)
                if code == 0 and data:
                    found[place] = _read(bytes(data), positions[place])
    return found


def _read(data: bytes, offset: int) -> tuple[list[Any], int]:
    records: list[Any] = []
    following = offset
    for batch in _batches(data):
        batch._maybe_uncompress()
        batch._buffer = _Spelled(batch._buffer)
        if not batch.is_control_batch:
            records.extend(record for record in batch if record.offset >= offset)
        following = max(following, batch.next_offset)
    return records, following


def _batches(data: bytes) -> Iterator[_DefaultRecordBatchPy]:
    """The whole batches; the last one may be cut off, and older formats are the client's."""
    place = 0
    while place + _MAGIC < len(data):
        end = place + _PREFIX + int.from_bytes(data[place + 8 : place + _PREFIX])
        if end > len(data) or data[place + _MAGIC] != _HEADERED:
            return
        yield _DefaultRecordBatchPy(data[place:end])
        place = end


class _Name(bytearray):
    """Decodes any bytes."""

    def decode(self, encoding: str = "utf-8", errors: str = "strict") -> str:
        return super().decode(encoding, "backslashreplace")


class _Spelled(bytearray):
    """A batch's bytes, out of which the client's own reader cuts names that always decode."""

    def __getitem__(self: Self, place: SupportsIndex | slice) -> Any:
        piece = super().__getitem__(place)
        return _Name(piece) if isinstance(piece, bytearray) else piece
