"""A record that its topic does not take, and a broker that is gone, as a real broker has it (X2, O7, O8)."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from tests.conftest import Broker
from tests.http.world import prepare_licensing, prepare_numbers
from tests.messaging.ear import create_topic, event, eventually, new_name, read_topic
from trunkline.application import Application
from trunkline.cli.run.prepare import _create
from trunkline.messaging.kafka.client import KafkaSettings
from trunkline.messaging.kafka.producer import Producer, TooLargeToSend
from trunkline.settings import Settings

MOST_BYTES = 2_000


async def test_a_record_too_large_for_its_topic_is_told_from_a_failure(own_broker: Broker) -> None:
    """X2, O8: the broker's own word; what is sent after it arrives, once."""
    settings = KafkaSettings(own_broker.bootstrap)
    topic = await create_topic(own_broker.bootstrap, new_name("topic"), max_message_bytes=str(MOST_BYTES))
    producer = Producer(settings)
    producer.start()
    try:
        await producer.send_page([event(topic)])
        large = event(topic)._replace(value=bytes(range(256)) * 40)
        with pytest.raises(TooLargeToSend):
            await producer.send_page([large])
        last = event(topic)
        await producer.send_page([last])
    finally:
        await producer.stop()
    values = [record.value for record in await read_topic(own_broker.bootstrap, topic)]
    assert len(values) == 2
    assert values[-1] == last.value


async def test_a_service_without_its_broker_is_ready_and_says_what_is_away(
    own_broker: Broker, databases: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """O7: 200 with `degraded` while HTTP works."""
    monkeypatch.setattr("trunkline.messaging.kafka.consumer.HINT_SECONDS", 0.2)
    monkeypatch.setattr("trunkline.messaging.kafka.producer.SILENCE_SECONDS", 0.2)
    urls = databases.create(prepare_licensing), databases.create(prepare_numbers)
    settings = Settings(
        home=tmp_path,
        licensing_database_url=SecretStr(urls[0]),
        numbers_database_url=SecretStr(urls[1]),
        kafka_bootstrap=own_broker.bootstrap,
        topic_prefix=new_name("p") + ".",
        http_port=0,
    )
    await asyncio.to_thread(_create, settings, None, None, dry_run=False)
    async with Application(settings) as deployment, httpx.AsyncClient(base_url=deployment.address) as client:
        runtimes = deployment.runtimes.values()
        await eventually(lambda: not any(runtime.degradations() for runtime in runtimes))
        await asyncio.to_thread(own_broker.kill)
        await eventually(lambda: all(runtime.degradations() for runtime in runtimes))
        away = await client.get("/readyz")
        assert away.status_code == 200
        assert set(away.json()["degraded"]) == {"licensing", "numbers"}
        assert "Kafka" in away.text
        assert (await client.get("/numbers")).status_code == 401, "HTTP works, and still asks who it is"
    for url in urls:
        databases.drop(url)
