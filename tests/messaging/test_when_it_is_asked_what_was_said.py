"""When a service asks whether it has heard all that was said until now (X5)."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from aiokafka.consumer.fetcher import Fetcher

from tests.messaging.conftest import NewTopic
from tests.messaging.ear import ear, event, listening, new_name
from trunkline.messaging.caught_up import of_topics
from trunkline.messaging.kafka.client import KafkaSettings
from trunkline.messaging.kafka.producer import Producer


async def test_then_it_has_once_it_has_heard_up_to_there(
    settings: KafkaSettings, new_topic: NewTopic, url: str
) -> None:
    """X5: what is said later does not count; nor does a topic of which nothing was ever said."""
    topic, silent = await new_topic(partitions=2), await new_topic()
    with ear(url, topic) as one:
        async with Producer(settings) as producer:
            await producer.send_page([event(topic) for _ in range(3)])
            passed = await asyncio.to_thread(of_topics, settings, one.store, [topic, silent])
            await producer.send_page([event(topic)])
        assert passed is not None
        assert not passed()
        async with listening(settings, one, new_name("group")):
            await one.until(lambda: len(one.heard()) == 4)
        assert passed()


async def test_then_a_client_that_is_cancelled_while_it_closes_cancels_nobody_else(
    settings: KafkaSettings, new_topic: NewTopic, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """X5: aiokafka raises what its tasks raise; the loop that asks would end by it, and no request ever time out."""
    close = Fetcher.close

    async def cancelled(self: Any) -> None:
        await close(self)
        await self._client.close()  # which the client does not come to any more
        raise asyncio.CancelledError

    monkeypatch.setattr(Fetcher, "close", cancelled)
    topic = await new_topic()
    with ear(url, topic) as one:
        passed = await asyncio.to_thread(of_topics, settings, one.store, [topic])
        assert passed is not None
        assert passed()


async def test_then_nobody_knows_while_the_cluster_is_away(url: str) -> None:
    """X5: it is asked again later."""
    with ear(url, "T") as one:
        assert await asyncio.to_thread(of_topics, KafkaSettings("127.0.0.1:1"), one.store, ["T"]) is None
