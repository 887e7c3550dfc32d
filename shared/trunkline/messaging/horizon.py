"""How much others had said at an instant, and whether all of that has been heard since.

Whoever is about to conclude from silence asks this first: after a restart, or while much is to be read, an answer may
lie there unread.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterable, Sequence

from aiokafka import AIOKafkaConsumer, TopicPartition

from trunkline.messaging.kafka import AWAY, KafkaSettings, close_consumer, cluster_id, source_name
from trunkline.messaging.relay import FOLLOWER
from trunkline.store import Store

Passed = Callable[[], bool]
"""Whether everything that had been said when it was made has been heard by now; asked in a thread."""

Horizon = Callable[[Collection[str]], Passed | None]
"""Makes one for some topics; None while it cannot be known. Blocks: asked in a thread."""

_SECONDS = 10.0
_CLOSE_SECONDS = 1.0


def of_topics(kafka: KafkaSettings, store: Store, topics: Collection[str]) -> Passed | None:
    """The present ends of some topics, against the positions in the store: whichever copy of the service hears them."""
    try:
        ends = asyncio.run(_ends(kafka, topics))
    except AWAY:
        return None

    def passed() -> bool:
        heard = store.positions("kafka/")
        return all(heard.get(source, -1) >= last for source, last in ends.items())

    return passed


async def _ends(kafka: KafkaSettings, topics: Collection[str]) -> dict[str, int]:
    """The last offset of each partition that has a record, by the name its position is kept under."""
    async with asyncio.timeout(_SECONDS):
        cluster = await cluster_id(kafka)
        topics = [kafka.topic(name) for name in topics]
        client = AIOKafkaConsumer(*topics, **kafka.options())
        try:
            await client.start()
            places = [TopicPartition(t, p) for t in topics for p in client.partitions_for_topic(t) or ()]
            begins = await client.beginning_offsets(places)
            ends = await client.end_offsets(places)
        finally:
            await close_consumer(client, _CLOSE_SECONDS)
    return {source_name(cluster, p.topic, p.partition): ends[p] - 1 for p in places if ends[p] > begins[p]}


def of_services(others: Iterable[Store], _topics: Collection[str] = ()) -> Passed:
    """The present ends of the logs of other services in this process, against what their relays have handed over."""
    ends: Sequence[tuple[Store, int]] = [(store, store.end_of_log()) for store in others]
    return lambda: all(store.positions(FOLLOWER).get(FOLLOWER, 0) >= end for store, end in ends)
