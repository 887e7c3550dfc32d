"""Services that talk over Kafka: one producer and one consumer for each."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import AsyncExitStack
from functools import partial

from trunkline.messaging.consumer import Consumer
from trunkline.messaging.horizon import of_topics
from trunkline.messaging.kafka import KafkaSettings
from trunkline.messaging.producer import Producer
from trunkline.messaging.topic_prefix import PrefixedIntake, PrefixedTransport
from trunkline.node import Node


async def connect(nodes: Iterable[Node], kafka: KafkaSettings, stack: AsyncExitStack) -> None:
    """Start each service's loops over Kafka; the cluster may be away and is waited for.

    Args:
        nodes: the services of this process.
        kafka: where the cluster is.
        stack: on its way out stops hearing first, then the producers, before the nodes stop.
    """
    for node in nodes:
        producer = Producer(kafka)
        producer.start()
        prefix = kafka.topic_prefix
        intake = PrefixedIntake(node.intake, prefix) if prefix else node.intake
        consumer = Consumer(kafka, map(kafka.topic, node.intake.topics), kafka.group(node.name), intake)
        node.horizon = partial(of_topics, kafka, node.store)
        node.trouble_of_transport = partial(_troubles, producer, consumer)
        node.start(PrefixedTransport(producer, prefix) if prefix else producer)
        node.spawn("intake", consumer.run())
        node.before_stop.append(consumer.stop)
        stack.push_async_callback(producer.stop)


def _troubles(producer: Producer, consumer: Consumer) -> list[str]:
    found = [] if producer.there else ["Kafka does not take what is said"]
    return found if consumer.there else [*found, "Kafka, or the database behind the intake, does not answer"]
