"""The test's own view of a broker: sends as a foreign producer, reads what is there. Synchronous."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from contextlib import suppress
from threading import Thread
from types import TracebackType
from typing import Any, NamedTuple, Self, TypeVar

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.client import AIOKafkaClient
from aiokafka.errors import GroupCoordinatorNotAvailableError
from aiokafka.protocol.group import LeaveGroupRequest

from trunkline.messaging.kafka.client import KafkaSettings, admin
from trunkline.messaging.kafka.topics import create_topics
from trunkline.service_definition import installed_services

T = TypeVar("T")
Headers = Sequence[tuple[str, bytes | None]]
Place = tuple[str, int]

PATIENCE = 90.0
"""Seconds after which a test gives up; nothing is said about how long anything takes."""

PARTITIONS = 3
_LARGEST = 8 << 20
_DAY_MS = 86_400_000


class Saying(NamedTuple):
    """One record for a topic."""

    topic: str
    key: bytes | None
    value: bytes | None
    headers: Headers


class Topics:
    """A producer and a reader that live in a thread of their own."""

    def __init__(self, bootstrap: str) -> None:
        self.settings = KafkaSettings(bootstrap)
        self._loop = asyncio.new_event_loop()
        self._thread = Thread(target=self._loop.run_forever, name="topics", daemon=True)
        self._thread.start()
        self.cluster = self._do(_cluster_id(self.settings))
        self._producer: AIOKafkaProducer | None = None
        self._reader: AIOKafkaConsumer | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._do(self._close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _do(self, what: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(what, self._loop).result(PATIENCE)

    async def _close(self) -> None:
        for client in (self._producer, self._reader):
            if client is not None:
                with suppress(Exception):
                    await client.stop()

    # -- topics -----------------------------------------------------------------------------------------------

    def create(self) -> None:
        """All topics of the installed services, those that are missing."""
        services = installed_services().values()
        heard = [c for s in services for h in s.message_handlers for known in h.topics.values() for c in known.values()]
        said = [c for s in services for c in s.publishes]
        self._do(create_topics(self.settings, [*heard, *said], partitions=PARTITIONS))

    def add(self, topic: str) -> None:
        """One more topic, that no service knows."""
        self._do(self._add(topic))

    async def _add(self, topic: str) -> None:
        async with admin(self.settings) as client:
            await client.create_topics([NewTopic(topic, num_partitions=PARTITIONS, replication_factor=1)])
            while topic not in await client.list_topics():  # noqa: ASYNC110
                await asyncio.sleep(0.02)

    def recreate(self, topic: str) -> None:
        """Remove a topic, and create another one under its name."""
        self._do(self._recreate(topic))

    async def _recreate(self, topic: str) -> None:
        async with admin(self.settings) as client:
            await client.delete_topics([topic])
            while topic in await client.list_topics():  # noqa: ASYNC110
                await asyncio.sleep(0.02)
            await client.create_topics([NewTopic(topic, num_partitions=PARTITIONS, replication_factor=1)])

    # -- saying and reading -----------------------------------------------------------------------------------

    def send(self, records: Iterable[Saying]) -> list[tuple[Place, int]]:
        """Send, and wait until all is safe; the place and offset of each."""
        return self._do(self._send(list(records)))

    async def _send(self, records: list[Saying]) -> list[tuple[Place, int]]:
        if self._producer is None:
            self._producer = AIOKafkaProducer(
                **self.settings.options(), acks="all", enable_idempotence=True, max_request_size=_LARGEST
            )
            await self._producer.start()
        sent = [await self._producer.send(r.topic, key=r.key, value=r.value, headers=list(r.headers)) for r in records]
        done = [await future for future in sent]
        return [((one.topic, one.partition), one.offset) for one in done]

    def ends(self, topics: Iterable[str]) -> dict[Place, int]:
        """Where each partition of some topics ends now."""
        return self._do(self._ends(list(topics)))

    async def _ends(self, topics: list[str]) -> dict[Place, int]:
        reader = await self._started_reader()
        wanted = [TopicPartition(topic, number) for topic in topics for number in range(PARTITIONS)]
        return {(p.topic, p.partition): end for p, end in (await reader.end_offsets(wanted)).items()}

    def read(self, topics: Iterable[str], after: Mapping[Place, int] | None = None) -> dict[Place, list[Any]]:
        """All that some topics hold after given offsets, partition by partition."""
        return self._do(self._read(list(topics), after or {}))

    async def _read(self, topics: list[str], after: Mapping[Place, int]) -> dict[Place, list[Any]]:
        reader = await self._started_reader()
        ends = await self._ends(topics)
        left = {TopicPartition(*place): end for place, end in ends.items() if end > after.get(place, 0)}
        found: dict[Place, list[Any]] = {}
        reader.assign(list(left))
        for partition in left:
            reader.seek(partition, after.get((partition.topic, partition.partition), 0))
        while left:
            for partition, records in (await reader.getmany(timeout_ms=500)).items():
                found.setdefault((partition.topic, partition.partition), []).extend(records)
            for partition in [p for p, end in left.items() if await reader.position(p) >= end]:
                del left[partition]
        return found

    async def _started_reader(self) -> AIOKafkaConsumer:
        if self._reader is None:
            # It looks at the cluster when it has a reason, never by itself: given other topics to read while it did,
            # it would know nothing of any topic until it did so again (aiokafka 0.14).
            options = self.settings.options() | {"metadata_max_age_ms": _DAY_MS}
            self._reader = AIOKafkaConsumer(**options, auto_offset_reset="earliest", fetch_max_wait_ms=50)
            await self._reader.start()
        return self._reader

    def count(self, topic: str) -> int:
        """How many records were ever put on a topic that keeps all of them."""
        return sum(self.ends([topic]).values())

    def until(self, condition: Callable[[], object]) -> None:
        """Look again and again until a condition holds."""
        ends = time.monotonic() + PATIENCE
        while not condition():
            assert time.monotonic() < ends, "it never came to be so"
            time.sleep(0.02)

    # -- groups -----------------------------------------------------------------------------------------------

    def members(self, group: str) -> list[str]:
        """Who is in the group."""
        return self._do(self._members(group))

    async def _members(self, group: str) -> list[str]:
        async with admin(self.settings) as client:
            return [member for member, _ in await _members(client, group)]

    def bury(self, group: str) -> None:
        """Tell the group that all its members are gone, so that the next need not wait for their session to end."""
        self._do(self._bury(group))

    async def _bury(self, group: str) -> None:
        async with admin(self.settings) as client:
            for member, coordinator in await _members(client, group):
                await _leave(self.settings, LeaveGroupRequest(group, member), coordinator)


async def _cluster_id(settings: KafkaSettings) -> str:
    async with admin(settings) as client:
        return str((await client.describe_cluster())["cluster_id"])


async def _leave(settings: KafkaSettings, request: LeaveGroupRequest, coordinator: int) -> None:
    client = AIOKafkaClient(bootstrap_servers=settings.bootstrap)
    await client.bootstrap()
    try:
        await client.send(coordinator, request)
    finally:
        await client.close()


async def _members(client: AIOKafkaAdminClient, group: str) -> list[tuple[str, int]]:
    """The members of a group, each with the broker to talk to."""
    try:
        coordinator = await client.find_coordinator(group)
    except GroupCoordinatorNotAvailableError:  # there was no group yet
        return []
    (described,) = await client.describe_consumer_groups([group], coordinator)
    return [(member[0], coordinator) for described_group in described.groups for member in described_group[5]]
