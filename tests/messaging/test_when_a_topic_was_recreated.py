"""When a topic ends before the place up to which it was heard."""

import asyncio

import pytest

from tests.messaging.conftest import NewTopic
from tests.messaging.ear import PATIENCE, ear, event, listening, new_name, recreate_topic
from trunkline.messaging.kafka.client import KafkaSettings
from trunkline.messaging.kafka.consumer import Consumer, TopicRecreated
from trunkline.messaging.kafka.producer import Producer


async def send(settings: KafkaSettings, topic: str, count: int) -> None:
    async with Producer(settings) as producer, asyncio.timeout(PATIENCE):
        await producer.send_page([event(topic) for _ in range(count)])


async def test_the_service_refuses_to_start(settings: KafkaSettings, new_topic: NewTopic, url: str) -> None:
    """X3: offsets of another topic mean nothing; the error names topic, partition, and both offsets."""
    topic = await new_topic()
    await send(settings, topic, 5)
    with ear(url, topic) as one:
        async with listening(settings, one, new_name("group")):
            await one.until(lambda: len(one.heard()) >= 5)
        await recreate_topic(settings.bootstrap, topic)
        await send(settings, topic, 2)
        with pytest.raises(TopicRecreated, match=f"topic {topic}, partition 0: .* up to offset 4, .* ends at 2"):
            async with asyncio.timeout(PATIENCE):
                await Consumer(settings, [topic], new_name("group"), one).run()
        assert len(one.heard()) == 5


async def test_a_service_that_runs_stops_itself(
    settings: KafkaSettings, new_topic: NewTopic, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """X3: the same while it is listening."""
    monkeypatch.setattr("trunkline.messaging.kafka.client.METADATA_MS", 500)
    topic = await new_topic()
    await send(settings, topic, 5)
    with ear(url, topic) as one:
        running = asyncio.create_task(Consumer(settings, [topic], new_name("group"), one).run())
        await one.until(lambda: len(one.heard()) >= 5)
        await recreate_topic(settings.bootstrap, topic)
        with pytest.raises(TopicRecreated, match="ends at 0"):
            async with asyncio.timeout(PATIENCE):
                await running
