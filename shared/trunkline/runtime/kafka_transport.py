"""Services that talk over Kafka: one producer and one consumer for each, once it is known whose broker it is."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from contextlib import AsyncExitStack
from functools import partial
from typing import Final

from trunkline.availability import database_availability
from trunkline.errors import EndsProcess
from trunkline.eventstore.recorded_event import UnknownEvent
from trunkline.installation.admission import Gate, admit
from trunkline.installation.judgement import InstallationRefused
from trunkline.messaging.caught_up import of_topics
from trunkline.messaging.kafka.client import KafkaSettings
from trunkline.messaging.kafka.client_lifetime import closings_ended
from trunkline.messaging.kafka.consumer import Consumer, TopicRecreated
from trunkline.messaging.kafka.producer import Producer
from trunkline.messaging.kafka.topic_prefix import PrefixedIntake, PrefixedTransport
from trunkline.runtime.compacted_topics import keep_whole
from trunkline.runtime.connection import Connection
from trunkline.runtime.service_runtime import ServiceRuntime

ADMITTED_SECONDS: Final = 30.0
"""So long a start waits for a broker that answers to show whose it is; it goes on at once without one that does not."""

_CLOSINGS_SECONDS: Final = 2.0


async def connect(runtimes: Iterable[ServiceRuntime], kafka: KafkaSettings, stack: AsyncExitStack) -> None:
    """Start each service's loops over Kafka; the cluster may be away and is waited for.

    Args:
        runtimes: the services of this process.
        kafka: where the cluster is.
        stack: on its way out it stops the producers. The nodes stop before: they end consuming, and let each loop
            finish the page it has in hand, which a producer must still deliver.

    Raises:
        InstallationRefused: the broker serves another installation (D10.16).
    """
    all_runtimes = list(runtimes)
    stack.push_async_callback(closings_ended, _CLOSINGS_SECONDS)
    away = asyncio.Event()
    admitting = asyncio.create_task(admit(all_runtimes, kafka, away), name="installation")
    stack.push_async_callback(_end, admitting)
    missing = asyncio.create_task(away.wait())
    await asyncio.wait({admitting, missing}, timeout=ADMITTED_SECONDS, return_when=asyncio.FIRST_COMPLETED)
    missing.cancel()
    if admitting.done():
        admitting.result()
    for runtime in all_runtimes:
        _start(runtime, kafka, stack, admitting)


async def _end(admitting: asyncio.Task[None]) -> None:
    admitting.cancel()
    await asyncio.wait({admitting})


def _start(runtime: ServiceRuntime, kafka: KafkaSettings, stack: AsyncExitStack, admitting: asyncio.Task[None]) -> None:
    producer = Producer(kafka)
    producer.start()
    prefix = kafka.topic_prefix
    gate = Gate(PrefixedTransport(producer, prefix) if prefix else producer)
    intake = PrefixedIntake(runtime.intake, prefix) if prefix else runtime.intake
    database = database_availability(runtime.store.url)
    topics, group = list(map(kafka.topic, runtime.intake.topics)), kafka.group(runtime.name)
    consuming = Consuming(lambda: Consumer(kafka, topics, group, intake, database=database))

    async def consume() -> None:
        stopping = asyncio.ensure_future(runtime.stopping.wait())
        await asyncio.wait({admitting, stopping}, return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        if admitting.done():
            try:
                admitting.result()
                if not gate.admitted.is_set():
                    gate.admitted.set()
                    runtime.begin("state topics", keep_whole(runtime, kafka))
                await consuming.run()
            except (InstallationRefused, TopicRecreated, UnknownEvent) as error:
                raise EndsProcess(str(error)) from error

    horizon, problems = partial(of_topics, kafka, runtime.store), partial(_problems, producer, consuming)
    runtime.start(Connection(gate, horizon, problems, consuming.stop))
    runtime.spawn("intake", consume)
    stack.push_async_callback(producer.stop)


class Consuming:
    """The consumer of a service, another one each time its loop is started again."""

    def __init__(self, new: Callable[[], Consumer]) -> None:
        self._new = new
        self._present = new()
        self._ran = False

    @property
    def is_available(self) -> bool:
        """Whether the cluster and the database answered last."""
        return self._present.is_available

    async def run(self) -> None:
        """Consume until `stop`. Raises as the consumer does."""
        if self._ran:
            self._present = self._new()
        self._ran = True
        await self._present.run()

    def stop(self) -> None:
        """Stop the one that runs."""
        self._present.stop()


def _problems(producer: Producer, consumer: Consuming) -> list[str]:
    found = [] if producer.is_available else ["Kafka does not take what is said"]
    return found if consumer.is_available else [*found, "Kafka, or the database behind the intake, does not answer"]
