"""State topics made whole: what a topic holds is compared with its view, and what differs is sent (X1, D10.16).

The feed sends what changes. What changed before the broker was there, on a topic that was recreated, or in a history
that a restore has lost, it never sends; so at the start of a service, and when an operator asks, the topic is read.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Final

import msgspec
from aiokafka import AIOKafkaConsumer, TopicPartition

from trunkline.eventstore.epochs import sequence_of
from trunkline.messaging.compacted_topics.feed import CompactedTopic, SendPage, outgoing_document, tombstone
from trunkline.messaging.kafka.client import KafkaSettings, cluster_id
from trunkline.messaging.kafka.client_lifetime import started_consumer
from trunkline.messaging.records import OutgoingRecord

if TYPE_CHECKING:
    from datetime import datetime

    from trunkline.eventstore.event_store import Store

PAGE: Final = 1_000

Contents = dict[str, tuple[int, bool]]
"""Key -> the sequence of its newest record, and whether that is a document: otherwise it is a tombstone."""


class Filled(msgspec.Struct, frozen=True, kw_only=True):
    """What was found and done.

    Attributes:
        subjects: how many the view has that are not gone.
        on_topic: how many had a document on the topic before.
        sent: documents that were missing or older, or would be sent in a dry run.
        tombstones: the same of subjects that are gone.
        ahead: documents on the topic that are newer than the view: the log was restored, and no epoch has begun.
    """

    topic: str
    subjects: int
    on_topic: int
    sent: int
    tombstones: int
    ahead: int

    @property
    def whole(self) -> bool:
        """Whether nothing differed."""
        return not (self.sent or self.tombstones or self.ahead)


async def read_contents(kafka: KafkaSettings, topic: str) -> tuple[Contents, list[int]]:
    """All keys of a topic by its full name, and the last stable offset of each partition. Raises one of AWAY."""
    found: Contents = {}
    client = AIOKafkaConsumer(
        topic,
        **kafka.options(),
        auto_offset_reset="earliest",
        isolation_level="read_committed",  # what is aborted, or still open, no consumer of the topic has
        fetch_max_wait_ms=50,
    )
    async with started_consumer(client):
        partitions = [TopicPartition(topic, p) for p in sorted(client.partitions_for_topic(topic) or ())]
        begins, ends = await client.beginning_offsets(partitions), await client.end_offsets(partitions)
        left = {p for p in partitions if ends[p] > begins[p]}
        for partition in left:
            client.seek(partition, begins[partition])
        while left:
            for records in (await client.getmany(timeout_ms=500)).values():
                for record in records:
                    sequence = dict(record.headers).get("ce_sequence") or b"0"
                    found[(record.key or b"").decode()] = int(sequence), record.value is not None
            left = {p for p in left if await client.position(p) < ends[p]}
    return found, [ends[p] for p in partitions]


async def fill(
    kafka: KafkaSettings,
    store: Store,
    topic: CompactedTopic,
    send_page: SendPage,
    now: Callable[[], datetime],
    views_reach: Callable[[int], object],
    *,
    dry_run: bool = False,
) -> Filled:
    """Compare a state topic with its view, and send what is missing, older, or gone.

    It may run beside the feed: whatever changed since a document was read here is sent once more.

    Args:
        kafka: the cluster.
        store: where the view is.
        topic: what is compared.
        send_page: delivers in order, by the names of the contracts.
        now: the service's clock, for tombstones of subjects that the log does not know.
        views_reach: blocks a thread until the views have reached a log position; raises what it likes if they do not.
        dry_run: only count.

    Raises:
        KafkaError, OSError, TimeoutError: the cluster does not answer.
    """
    name = kafka.topic(topic.contract.topic)
    contents, ends = await read_contents(kafka, name)
    on_topic = sum(alive for _, alive in contents.values())
    await asyncio.to_thread(lambda: views_reach(store.end_of_log()))
    comparison = _Comparison(store, topic, contents)
    pages = iter(comparison.pages())
    while (page := await asyncio.to_thread(next, pages, None)) is not None:
        if page and not dry_run:
            await send_page(page)
            while page := await asyncio.to_thread(comparison.changed_since, page):
                await send_page(page)
    lost = [key for key, (_, alive) in contents.items() if alive]
    for start in range(0, len(lost), PAGE):
        part = lost[start : start + PAGE]
        if not dry_run:
            await send_page([tombstone(topic, key, _above(store, contents[key][0]), now()) for key in part])
    if not dry_run:
        cluster = await cluster_id(kafka)
        await asyncio.to_thread(_keep, store, cluster, name, ends)
    return Filled(
        topic=topic.contract.topic,
        subjects=comparison.alive,
        on_topic=on_topic,
        sent=comparison.sent,
        tombstones=comparison.gone + len(lost),
        ahead=comparison.ahead,
    )


def _above(store: Store, sequence: int) -> int:
    return max(sequence + 1, sequence_of(store.epochs.current, 0))


class _Comparison:
    """The view's rows against what the topic holds; what it has no row for is left in `contents`."""

    def __init__(self, store: Store, topic: CompactedTopic, contents: Contents) -> None:
        self._store = store
        self._topic = topic
        self._contents = contents
        self.alive = self.sent = self.gone = self.ahead = 0

    def pages(self) -> Iterator[list[OutgoingRecord]]:
        """What is to be sent, page by page of the view; a page may be empty."""
        after = ""
        while rows := self._store.fetch(
            "SELECT key, version, position, changed_at, folded"
            f" FROM {self._topic.view} WHERE key > %s ORDER BY key LIMIT {PAGE}",
            (after,),
        ):
            yield [one for row in rows if (one := self._compared(*row)) is not None]
            after = rows[-1][0]

    def _compared(self, key: str, version: int, *rest: Any) -> OutgoingRecord | None:
        wanted = sequence_of(self._store.epochs.current, version)
        sequence, document = self._contents.pop(key, (-1, False))
        if sequence == wanted:
            self.alive += document
            return None
        if sequence > wanted:
            self.alive += document
            self.ahead += 1
            return None
        one = outgoing_document(self._store, self._topic, key, version, *rest)
        self.alive += one.value is not None
        if one.value is None and not document:
            return None
        self.sent += one.value is not None
        self.gone += one.value is None
        return one

    def changed_since(self, page: list[OutgoingRecord]) -> list[OutgoingRecord]:
        """The rows of a page that changed since they were read: the feed may have sent them before the page."""
        keys = [(one.key or b"").decode() for one in page]
        read = {(one.key or b"").decode(): one.position for one in page}
        rows = self._store.fetch(
            f"SELECT key, version, position, changed_at, folded FROM {self._topic.view} WHERE key = ANY(%s)", (keys,)
        )
        return [outgoing_document(self._store, self._topic, *row) for row in rows if row[2] > read[row[0]]]


def _keep(store: Store, cluster: str, topic: str, ends: list[int]) -> None:
    with store.connection() as conn:
        conn.execute(
            b"INSERT INTO state_topics (cluster, topic, epoch, ends) VALUES (%s, %s, %s, %s)"
            b" ON CONFLICT (cluster, topic) DO UPDATE SET epoch = EXCLUDED.epoch, ends = EXCLUDED.ends",
            (cluster, topic, store.epochs.current, ends),
        )


async def is_filled(kafka: KafkaSettings, store: Store, topic: CompactedTopic) -> bool:
    """Whether the topic was compared in this epoch, and reaches at least as far as then. Raises one of AWAY."""
    name, cluster = kafka.topic(topic.contract.topic), await cluster_id(kafka)
    rows = await asyncio.to_thread(
        store.fetch, "SELECT epoch, ends FROM state_topics WHERE cluster = %s AND topic = %s", (cluster, name)
    )
    if not rows or rows[0][0] != store.epochs.current:
        return False
    # With what is not committed: a transaction that is open must not look like records that are lost.
    client = AIOKafkaConsumer(name, **kafka.options())
    async with started_consumer(client):
        partitions = [TopicPartition(name, p) for p in sorted(client.partitions_for_topic(name) or ())]
        ends = await client.end_offsets(partitions)
    return len(partitions) == len(rows[0][1]) and all(
        ends[p] >= end for p, end in zip(partitions, rows[0][1], strict=True)
    )
