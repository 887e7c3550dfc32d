"""When the broker is killed and started again while records are sent and heard."""

import asyncio

import pytest

from tests.conftest import Broker
from tests.messaging.ear import create_topic, ear, event, eventually, listening, new_name
from tests.messaging.test_when_copies_come_and_go import load
from trunkline.messaging.kafka.client import KafkaSettings
from trunkline.messaging.kafka.producer import Producer, ProducerStopped


async def test_both_ends_go_on_and_nothing_is_lost(
    own_broker: Broker, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """X2, X3, F5: at least once out, once in, in order; without a restart of the service."""
    monkeypatch.setattr("trunkline.messaging.kafka.consumer.HINT_SECONDS", 0.2)
    monkeypatch.setattr("trunkline.messaging.kafka.producer.SILENCE_SECONDS", 0.2)
    settings = KafkaSettings(own_broker.bootstrap)
    topic = await create_topic(own_broker.bootstrap, new_name("topic"), 3)
    with ear(url, topic) as one:
        async with listening(settings, one, new_name("group")) as consumer, load(settings, topic) as sending:
            for _ in range(2):
                before = len(one.records)
                await one.until(lambda before=before: len(one.records) > before + 500)
                await asyncio.to_thread(own_broker.kill)
                await eventually(lambda: not consumer.is_available and not sending.producer.is_available)
                await asyncio.to_thread(own_broker.start)
            before = len(one.records)
            await one.until(lambda: len(one.records) > before + 500)
            sending.stop()
            await eventually(lambda: sending.ended)
            await one.until(lambda: len(one.heard()) >= sending.count)
            await eventually(lambda: consumer.is_available and sending.producer.is_available)
        assert {s: list(dict.fromkeys(heard)) for s, heard in one.heard_of().items()} == sending.sent


async def test_a_producer_with_nothing_to_send_sees_that_the_broker_is_back(own_broker: Broker) -> None:
    """O7: it was started while the broker was away, and `/readyz` says so no longer once the broker is there."""
    await asyncio.to_thread(own_broker.kill)
    producer = Producer(KafkaSettings(own_broker.bootstrap))
    producer.start()
    try:
        await eventually(lambda: not producer.is_available)
        await asyncio.to_thread(own_broker.start)
        await eventually(lambda: producer.is_available)
    finally:
        await producer.stop()


async def test_stopping_does_not_wait_for_a_broker_that_hangs(own_broker: Broker, url: str) -> None:
    """SIGTERM ends a service in any case, and nothing of its clients lives on."""
    settings = KafkaSettings(own_broker.bootstrap)
    topic = await create_topic(own_broker.bootstrap, new_name("topic"))
    before = asyncio.all_tasks()
    with ear(url, topic) as one:
        producer = Producer(settings)
        producer.start()
        async with listening(settings, one, new_name("group")):
            await producer.send_page([event(topic)])
            await one.until(one.heard)
            own_broker.suspend()
            page = producer.enqueue([event(topic)])
        await producer.stop()
        assert isinstance(page.exception(), ProducerStopped)
        own_broker.resume()
    await eventually(lambda: asyncio.all_tasks() == before)
