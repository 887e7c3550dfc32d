"""Batches that no client library writes: sent as bytes through aiokafka's public client."""

import asyncio
import time
from collections.abc import Iterable
from typing import Any

from aiokafka.client import AIOKafkaClient
from aiokafka.protocol.produce import ProduceRequest
from aiokafka.record.default_records import DefaultRecordBatchBuilder
from aiokafka.record.util import calc_crc32c

from tests.messaging.ear import PATIENCE
from trunkline.messaging.records import OutgoingRecord

PLACEHOLDER = "strange-name"
_CRC, _AFTER_CRC = 17, 21
_NOT_LEADER = 6


def strange(record: OutgoingRecord) -> OutgoingRecord:
    """The same record with one more header, the name of which is no UTF-8 once `raw_batch` has written it."""
    return record._replace(headers=[(PLACEHOLDER, b"value"), *record.headers])


def raw_batch(records: Iterable[OutgoingRecord]) -> bytes:
    """One batch of all records, its checksum right."""
    builder = DefaultRecordBatchBuilder(2, 0, 0, -1, -1, -1, 1 << 22)
    now = time.time_ns() // 1_000_000  # the topic's retention removes what is old
    for offset, record in enumerate(records):
        assert builder.append(offset, now, record.key, record.value, list(record.headers))
    data = bytearray(builder.build())
    data = data.replace(PLACEHOLDER.encode(), b"\xff\xfe" + PLACEHOLDER.encode()[2:])
    data[_CRC:_AFTER_CRC] = calc_crc32c(bytes(data[_AFTER_CRC:])).to_bytes(4)
    return bytes(data)


async def send_raw(bootstrap: str, topic: str, partition: int, batch: bytes) -> None:
    """Send a batch as it is, to the leader of its partition."""
    client: Any = AIOKafkaClient(bootstrap_servers=bootstrap)
    await client.bootstrap()
    try:
        async with asyncio.timeout(PATIENCE):
            await client.set_topics([topic])
            leader = next(iter(client.cluster.brokers())).nodeId
            request = ProduceRequest(None, -1, 10_000, [(topic, [(partition, batch)])])
            error = _NOT_LEADER
            while error == _NOT_LEADER:  # for a moment after the topic was created
                error = _error_of(await client.send(leader, request))
        assert error == 0, error
    finally:
        await client.close()


def _error_of(response: Any) -> int:
    ((_, ((_, error, *_rest),)),) = response.topics
    return int(error)
