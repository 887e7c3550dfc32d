"""Pages of records onto topics: acknowledged by all replicas, in order for each key, as often as it takes.

Records are put together into one batch for each partition, which is 1.7 times as fast as handing them over one by
one (a future, a partitioner call and a size estimate for each), and they still carry the producer's sequence numbers:
a repeated request is recognised by the broker. After a failure the client is closed and a new one begins with the
oldest page that is not safe yet: at least once, in order. FastStream publishes no batches with headers of their own, no
nulls and no header name twice, so its client is used directly (decision 1).
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from types import TracebackType
from typing import Any, Final, Self

from aiokafka import AIOKafkaProducer
from aiokafka.errors import MessageSizeTooLargeError, RecordListTooLargeError

from trunkline.availability import cluster_availability
from trunkline.messaging.kafka.client import AWAY, KafkaSettings, absence
from trunkline.messaging.kafka.client_lifetime import started
from trunkline.messaging.kafka.partitioner import partition_of
from trunkline.messaging.records import OutgoingRecord
from trunkline.messaging.retry import Backoff, Reach

BATCH_BYTES: Final = 512 * 1024
"""One batch of one partition; a topic takes 1 MiB unless it says otherwise, a larger record goes alone."""

SILENCE_SECONDS: Final = 5.0
_METADATA_SECONDS: Final = 10.0


class ProducerStopped(ConnectionError):
    """The producer was stopped before the page was acknowledged; it may or may not have arrived."""


class TooLargeToSend(Exception):
    """A record of the page is larger than its topic takes; others of the same page may have arrived."""


class _Page:
    __slots__ = ("done", "records")

    def __init__(self, records: Sequence[OutgoingRecord]) -> None:
        self.records = records
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()


class Producer:
    """Sends pages. Several may be on their way; they arrive in the order they were given."""

    has_topics = True

    def __init__(self, settings: KafkaSettings) -> None:
        """Prepare; nothing is sent or connected before `start`."""
        self._settings = settings
        self._reach = Reach(cluster_availability(settings.bootstrap), "producer")
        self._unsafe: deque[_Page] = deque()
        self._fresh: deque[_Page] = deque()
        self._news = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        """Start."""
        self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop."""
        await self.stop()

    @property
    def is_available(self) -> bool:
        """Whether the cluster took what was sent last."""
        return self._reach.is_available

    def start(self) -> None:
        """Begin; returns at once, also while no broker answers."""
        self._task = asyncio.get_running_loop().create_task(self._run(), name="kafka producer")

    async def stop(self) -> None:
        """End; pages on their way are given up with ProducerStopped."""
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task
        self._give_up(ProducerStopped("the producer was stopped"))
        self._reach.end()

    async def send_page(self, page: Sequence[OutgoingRecord]) -> None:
        """Send a page and return once all replicas have it, however long the cluster is away.

        Raises:
            TooLargeToSend: see there.
            ProducerStopped: see there.
        """
        await self.enqueue(page)

    def enqueue(self, page: Sequence[OutgoingRecord]) -> asyncio.Future[None]:
        """Send a page after those given before; the future is done once all replicas have it.

        How many pages are given before the first is done is up to the caller: all are held in memory.
        """
        if self._task is None or self._task.done():
            raise ProducerStopped("the producer does not run")
        entry = _Page(page)
        if page:
            self._unsafe.append(entry)
            self._fresh.append(entry)
            self._news.set()
        else:
            entry.done.set_result(None)
        return entry.done

    async def _run(self) -> None:
        backoff = Backoff()
        try:
            while True:
                client = self._client()
                pause = 0.0
                try:
                    # What the client still holds it delivers before another one begins: delivered behind what that
                    # one sends, an older state of a key would be the last one in a compacted topic.
                    async with started(client, client.stop, None):
                        if not self._unsafe:  # no acknowledgement will come that shows it
                            self._reach.back()
                        await self._feed(client, backoff)
                except (MessageSizeTooLargeError, RecordListTooLargeError) as error:
                    self._refuse(error)
                except AWAY as error:
                    self._reach.lost(absence(error))
                    pause = backoff.pause()
                await asyncio.sleep(pause)
        except Exception as error:
            self._give_up(error)  # a mistake of ours: whoever waits for a page is told
            raise

    def _client(self) -> AIOKafkaProducer:
        return AIOKafkaProducer(
            **self._settings.options(),
            acks="all",
            enable_idempotence=True,
            max_batch_size=BATCH_BYTES,
            linger_ms=0,  # pages fill batches without it, and at rest it would be a wait at every hop
        )

    async def _feed(self, client: AIOKafkaProducer, backoff: Backoff) -> None:
        """Hand over every page that is not safe, oldest first, then each as it comes; ends by raising."""
        self._fresh = deque(self._unsafe)
        self._news.set()
        sent: deque[asyncio.Future[Any]] = deque()
        try:
            while True:
                try:
                    async with asyncio.timeout(SILENCE_SECONDS if sent else None):
                        await self._news.wait()
                except TimeoutError:  # the client tries again by itself; only say so
                    self._reach.lost(f"nothing was acknowledged for {SILENCE_SECONDS:.0f} s")
                    continue
                self._news.clear()
                while self._fresh:
                    sent.append(asyncio.gather(*await _hand_over(client, self._fresh[0].records)))
                    self._fresh.popleft()
                    sent[-1].add_done_callback(lambda _: self._news.set())
                while sent and sent[0].done():
                    sent[0].result()
                    sent.popleft()
                    self._acknowledged()
                    backoff.reset()
        finally:
            for acknowledgement in sent:
                acknowledgement.add_done_callback(_forgotten)

    def _acknowledged(self) -> None:
        page = self._unsafe.popleft()
        self._reach.back()
        if not page.done.done():
            page.done.set_result(None)

    def _refuse(self, error: Exception) -> None:
        """The oldest page can never be sent as it is."""
        page = self._unsafe.popleft()
        if not page.done.done():
            page.done.set_exception(TooLargeToSend(f"a record is larger than its topic takes: {error!r}"))

    def _give_up(self, error: Exception) -> None:
        for page in self._unsafe:
            if not page.done.done():
                page.done.set_exception(error)
                page.done.exception()  # whoever no longer waits for it need not be reminded
        self._unsafe.clear()


async def _hand_over(client: AIOKafkaProducer, records: Sequence[OutgoingRecord]) -> list[asyncio.Future[Any]]:
    """Put a page into batches and queue them; one future for each batch. Raises one of AWAY."""
    now = time.time_ns() // 1_000_000
    counts: dict[str, int] = {}
    filling: dict[tuple[str, int], Any] = {}
    batches: list[tuple[str, int, Any]] = []
    for topic, key, value, headers, _ in records:
        if (count := counts.get(topic)) is None:
            count = counts[topic] = await _partitions(client, topic)
        topic_partition = (topic, partition_of(key or b"", count))
        batch = filling.get(topic_partition)
        if batch is None or batch.append(timestamp=now, key=key, value=value, headers=headers) is None:
            batch = filling[topic_partition] = client.create_batch()
            batch.append(timestamp=now, key=key, value=value, headers=headers)  # the first is taken at any size
            batches.append((*topic_partition, batch))
    for _, _, batch in batches:
        batch.close()
    queued: list[asyncio.Future[Any]] = []
    for topic, partition, batch in batches:
        queued.append(await client.send_batch(batch, topic, partition=partition))
        queued[-1].add_done_callback(_forgotten)  # should the next one not be taken
    return queued


async def _partitions(client: AIOKafkaProducer, topic: str) -> int:
    try:
        async with asyncio.timeout(_METADATA_SECONDS):
            return len(await client.partitions_for(topic))
    except TimeoutError:
        msg = f"the cluster says nothing of the topic {topic}; `trunkline topics create` creates those that are missing"
        raise TimeoutError(msg) from None


def _forgotten(acknowledgement: asyncio.Future[Any]) -> None:
    """The first failure has been raised; those that follow from it need no word."""
    if not acknowledgement.cancelled():
        acknowledgement.exception()
