"""All topics of a service through one FastStream subscriber: as long as it takes, whatever goes away meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Final

import structlog
from aiokafka import TopicPartition
from aiokafka.errors import KafkaError

from trunkline.availability import Availability, cluster_availability
from trunkline.messaging.kafka.client import AWAY, KafkaSettings, absence, admin
from trunkline.messaging.kafka.membership import Membership
from trunkline.messaging.kafka.offsets import CommittedOffsets, Intake, TopicRecreated
from trunkline.messaging.retry import Backoff, Reach

__all__ = ["Consumer", "Intake", "TopicRecreated", "TopicsMissing"]

log = structlog.get_logger(__name__)

BATCH: Final = 1_000
HINT_SECONDS: Final = 5.0


class TopicsMissing(KafkaError):  # type: ignore[misc]
    """Topics that are to be heard do not exist yet."""


class Consumer:
    """Hears topics into an intake. Run it in one task; stop it from another."""

    def __init__(
        self,
        settings: KafkaSettings,
        topics: Iterable[str],
        group: str,
        intake: Intake,
        *,
        batch: int = BATCH,
        database: Availability | None = None,
    ) -> None:
        """Prepare; nothing connects before `run`.

        Args:
            settings: the cluster.
            topics: all that the service hears.
            group: the consumer group, `trunkline-<service>`: copies of a service share its partitions.
            intake: takes the records and keeps their positions.
            batch: most records given to it at once.
            database: the intake's, as all of the process see it; None: only this consumer does.
        """
        self._settings = settings
        self._topics = sorted(topics)
        self._group = group
        self._intake = intake
        self._batch = batch
        self._stopping = asyncio.Event()
        self._thread = ThreadPoolExecutor(1, "intake")
        self._membership: Membership | None = None
        self._cluster = Reach(cluster_availability(settings.bootstrap), f"consumer of {group}")
        self._database = Reach(database or Availability("the intake's database"), f"intake of {group}")

    @property
    def is_available(self) -> bool:
        """Whether the cluster and the database answered last."""
        return self._cluster.is_available and self._database.is_available

    @property
    def settled(self) -> bool:
        """Whether the group has assigned partitions and each is read from its stored position."""
        return self._membership is not None and self._membership.session.settled

    def stop(self) -> None:
        """Stop fetching, finish the batch in hand and leave the group; `run` returns within 10 s."""
        self._stopping.set()

    async def run(self) -> None:
        """Hear until `stop`. A cluster or database that is away is waited for.

        Raises:
            TopicRecreated: a stored position lies past its topic's end; somebody must decide.
            Exception: whatever the intake raises that is not the database being away.
        """
        consuming = asyncio.create_task(self._consume(), name=f"hear {self._group}")
        stopping = asyncio.create_task(self._stopping.wait())
        try:
            await asyncio.wait({consuming, stopping}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            stopping.cancel()
            if not consuming.done():
                consuming.cancel()
                await asyncio.wait({consuming})
            self._thread.shutdown(wait=False)
            self._cluster.end()
            self._database.end()
        if not consuming.cancelled():
            consuming.result()

    async def _consume(self) -> None:
        backoff = Backoff()
        while True:
            try:
                await self._consume_with_one_broker(backoff)
            except AWAY as error:
                self._cluster.lost(absence(error))
                await asyncio.sleep(backoff.pause())

    async def _consume_with_one_broker(self, backoff: Backoff) -> None:
        places = CommittedOffsets(self._settings, await self._cluster_id(), self._intake, self._thread, self._database)
        membership = Membership(self._settings, self._topics, self._group, self._intake, places, self._batch)
        running: list[asyncio.Task[None]] = []
        try:
            await membership.start()
            self._cluster.back()
            backoff.reset()
            running.append(asyncio.create_task(membership.session.run(), name="kafka offsets"))
            running.append(asyncio.create_task(self._look(membership), name="kafka look"))
            self._membership = membership
            await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._membership = None
            for task in running:
                task.cancel()
            await membership.end()
        for error in await asyncio.gather(*running, return_exceptions=True):
            if isinstance(error, Exception):
                raise error

    async def _cluster_id(self) -> str:
        """The cluster's id, once all topics are there; a client that subscribes earlier would only wait."""
        async with admin(self._settings) as client:
            described = await client.describe_cluster()
            missing = sorted(set(self._topics) - set(await client.list_topics()))
        if missing:
            raise TopicsMissing(f"no such topics: {', '.join(missing)}; `trunkline topics create` creates them")
        found: str = described["cluster_id"]
        return found

    async def _look(self, membership: Membership) -> None:
        """Now and then see whether the cluster is there, and commit how far we are, for people who watch the lag."""
        committed: dict[TopicPartition, int] = {}
        while True:
            await asyncio.sleep(HINT_SECONDS)
            try:
                async with asyncio.timeout(HINT_SECONDS):
                    await membership.client.topics()
            except AWAY as error:
                self._cluster.lost(absence(error))
                continue
            self._cluster.back()
            with suppress(*AWAY):  # the next look sees to it
                async with asyncio.timeout(HINT_SECONDS):
                    await membership.session.look()
            news = {p: o for p, o in membership.session.stored.items() if committed.get(p) != o}
            with suppress(*AWAY):  # the group may have changed: then it is no longer ours to commit
                async with asyncio.timeout(HINT_SECONDS):
                    if news:
                        await membership.client.commit(news)
                        committed.update(news)
