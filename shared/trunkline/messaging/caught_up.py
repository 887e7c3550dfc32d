"""How much others had said at an instant, and whether all of that has been heard since.

Whoever is about to conclude from silence asks this first: after a restart, or while much is to be read, an answer may
lie there unread.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterable, Sequence

from aiokafka import TopicPartition

from trunkline.eventstore.event_store import Store
from trunkline.messaging.kafka.client import AWAY, KafkaSettings, admin, source_name
from trunkline.messaging.kafka.client_lifetime import closings_ended
from trunkline.messaging.kafka.partition_reader import partition_reader
from trunkline.messaging.outbox_relay import FOLLOWER

Passed = Callable[[], bool]
"""Whether everything that had been said when it was made has been heard by now; asked in a thread."""

Horizon = Callable[[Collection[str]], Passed | None]
"""Makes one for some topics; None while it cannot be known. Blocks: asked in a thread."""

_SECONDS = 10.0


def of_topics(kafka: KafkaSettings, store: Store, topics: Collection[str]) -> Passed | None:
    """The present ends of some topics, against the positions in the store: whichever copy of the service hears them."""
    try:
        ends = asyncio.run(_ends_and_closings(kafka, store, topics))
    except AWAY:
        return None

    def passed() -> bool:
        positions = store.positions("kafka/")
        return all(positions.get(source, -1) >= last for source, last in ends.items())

    return passed


async def _ends_and_closings(kafka: KafkaSettings, store: Store, topics: Collection[str]) -> dict[str, int]:
    try:
        return await _ends(kafka, store, topics)
    finally:
        await closings_ended(_SECONDS)


async def _ends(kafka: KafkaSettings, store: Store, topics: Collection[str]) -> dict[str, int]:
    """The offset of the last committed record of each partition that has one, by the name its position is kept under.

    The ends of transactions take offsets and are no records, so the offset before a partition's end may never be
    stored as a position. Where a position is short of it, the last record is looked for.
    """
    async with asyncio.timeout(_SECONDS):
        async with admin(kafka) as client:
            cluster = (await client.describe_cluster())["cluster_id"]
            described = await client.describe_topics(sorted(kafka.topic(name) for name in topics))
        partitions = [TopicPartition(t["topic"], p["partition"]) for t in described for p in t["partitions"]]

        def source(partition: TopicPartition) -> str:
            return source_name(cluster, partition.topic, partition.partition)

        stored = await asyncio.to_thread(store.positions, "kafka/")
        last: dict[str, int] = {}
        async with partition_reader(kafka, source) as reader:
            for partition, (begin, end) in (await reader.bounds(partitions)).items():
                at = stored.get(source(partition), -1)
                found = end - 1 if at >= end - 1 else await reader.last_record(partition, max(begin, at + 1), end)
                last[source(partition)] = at if found is None else found
    return last


def of_services(others: Iterable[Store], _topics: Collection[str] = ()) -> Passed:
    """The present ends of the logs of other services in this process, against what their relays have handed over."""
    ends: Sequence[tuple[Store, int]] = [(store, store.end_of_log()) for store in others]
    return lambda: all(store.positions(FOLLOWER).get(FOLLOWER, 0) >= end for store, end in ends)
