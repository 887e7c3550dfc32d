"""All topics of a service, heard through one consumer group: as long as it takes, whatever goes away meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Final

import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.coordinator.assignors.range import RangePartitionAssignor
from aiokafka.errors import KafkaError

from trunkline.messaging.backoff import Backoff, Reach
from trunkline.messaging.fetching import Fetching
from trunkline.messaging.kafka import AWAY, KafkaSettings, admin, close_consumer
from trunkline.messaging.places import Intake, Places, TopicRecreated
from trunkline.messaging.session import REVOKE_SECONDS, Session

__all__ = ["Consumer", "Intake", "TopicRecreated", "TopicsMissing"]

log = structlog.get_logger(__name__)

BATCH: Final = 1_000
HINT_SECONDS: Final = 5.0
_LEAVE_SECONDS: Final = 2.0


class TopicsMissing(KafkaError):  # type: ignore[misc]
    """Topics that are to be heard do not exist yet."""


class Consumer:
    """Hears topics into an intake. Run it in one task; stop it from another."""

    def __init__(
        self, settings: KafkaSettings, topics: Iterable[str], group: str, intake: Intake, *, batch: int = BATCH
    ) -> None:
        """Prepare; nothing connects before `run`.

        Args:
            settings: the cluster.
            topics: all that the service hears.
            group: the consumer group, `trunkline-<service>`: copies of a service share its partitions.
            intake: takes the records and keeps their positions.
            batch: most records given to it at once.
        """
        self._settings = settings
        self._topics = sorted(topics)
        self._group = group
        self._intake = intake
        self._batch = batch
        self._stopping = asyncio.Event()
        self._thread = ThreadPoolExecutor(1, "intake")
        self._session: Session | None = None
        self._cluster = Reach(f"Kafka at {settings.bootstrap}, for hearing")
        self._database = Reach("the intake's database")

    @property
    def there(self) -> bool:
        """Whether the cluster and the database answered last."""
        return self._cluster.there and self._database.there

    @property
    def settled(self) -> bool:
        """Whether the group has assigned partitions and each is read from its stored position."""
        return self._session is not None and self._session.settled

    def stop(self) -> None:
        """Stop fetching, finish the batch in hand and leave the group; `run` returns within 10 s."""
        self._stopping.set()

    async def run(self) -> None:
        """Hear until `stop`. A cluster or database that is away is waited for.

        Raises:
            TopicRecreated: a stored position lies past its topic's end; somebody must decide.
            Exception: whatever the intake raises that is not the database being away.
        """
        hearing = asyncio.create_task(self._hear(), name=f"hear {self._group}")
        stopping = asyncio.create_task(self._stopping.wait())
        try:
            await asyncio.wait({hearing, stopping}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            stopping.cancel()
            if not hearing.done():
                hearing.cancel()
                await asyncio.wait({hearing})
            self._thread.shutdown(wait=False)
        if not hearing.cancelled():
            hearing.result()

    async def _hear(self) -> None:
        backoff = Backoff()
        while True:
            try:
                await self._hear_with_one_client(backoff)
            except AWAY as error:
                self._cluster.lost(error)
                await asyncio.sleep(backoff.pause())

    async def _hear_with_one_client(self, backoff: Backoff) -> None:
        cluster = await self._look_around()
        client = self._client()
        places = Places(client, cluster, self._intake, self._thread, self._database)
        fetching = Fetching(client)
        session = Session(fetching, self._intake, places, self._thread, self._batch)
        client.subscribe(topics=self._topics, listener=session)
        hints: asyncio.Task[None] | None = None
        try:
            await client.start()
            fetching.begin()
            self._cluster.back()
            backoff.reset()
            hints = asyncio.create_task(self._hint(client, session), name="kafka hints")
            self._session = session
            await session.run()
        finally:
            self._session = None
            if hints is not None:
                hints.cancel()
            await close_consumer(client, _LEAVE_SECONDS)

    async def _look_around(self) -> str:
        """The cluster's id, once all topics are there; a client that subscribes earlier would only wait."""
        async with admin(self._settings) as client:
            described = await client.describe_cluster()
            missing = sorted(set(self._topics) - set(await client.list_topics()))
        if missing:
            raise TopicsMissing(f"no such topics: {', '.join(missing)}; `trunkline topics create` creates them")
        found: str = described["cluster_id"]
        return found

    def _client(self) -> AIOKafkaConsumer:
        return AIOKafkaConsumer(
            **self._settings.options(),
            group_id=self._group,
            enable_auto_commit=False,
            # Only a seek to a stored position counts. A place that is gone is an error, never a silent jump.
            auto_offset_reset="none",
            # The same partition numbers of all topics to the same copy: one subject, one writer, few conflicts.
            partition_assignment_strategy=(RangePartitionAssignor,),
            # A copy that was killed is missed after 10 s; one that joins is heard of within a heartbeat.
            session_timeout_ms=10_000,
            heartbeat_interval_ms=1_000,
            # Others wait this long for a copy to finish its batch; without it, it would be the session's time.
            rebalance_timeout_ms=int(REVOKE_SECONDS * 1000) + 12_000,
            max_poll_interval_ms=300_000,
        )

    async def _hint(self, client: AIOKafkaConsumer, session: Session) -> None:
        """Now and then see whether the cluster is there, and tell it how far we are, for people who watch the lag."""
        told: dict[TopicPartition, int] = {}
        while True:
            await asyncio.sleep(HINT_SECONDS)
            try:
                async with asyncio.timeout(HINT_SECONDS):
                    await client.topics()
            except AWAY as error:
                self._cluster.lost(error)
                continue
            self._cluster.back()
            news = {p: o for p, o in session.heard.items() if told.get(p) != o}
            with suppress(*AWAY):  # the group may have changed: then it is no longer ours to tell
                async with asyncio.timeout(HINT_SECONDS):
                    if news:
                        await client.commit(news)
                        told.update(news)
