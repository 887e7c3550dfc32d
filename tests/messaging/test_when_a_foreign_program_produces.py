"""When other programs than ours put billing's events on a topic of a real Kafka."""

import asyncio
import json
import shutil
from datetime import UTC, datetime

import pytest
from aiokafka import AIOKafkaProducer
from cloudevents.core.bindings import kafka as bindings
from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent

from tests.messaging.conftest import NewTopic
from tests.messaging.ear import ORGANIZATION, SUBSCRIPTION, ear, listening, new_name
from trunkline.messaging.kafka.client import KafkaSettings

DATA = {"subscription_id": SUBSCRIPTION, "organization_id": ORGANIZATION}
ATTRIBUTES = {
    "id": "foreign", "source": "/billing", "specversion": "1.0", "type": "billing.subscription.expired",
    "subject": SUBSCRIPTION, "time": "2026-03-01T00:00:00Z",
}  # fmt: skip


def made_by_the_package(mode: str) -> bindings.KafkaMessage:
    named = ATTRIBUTES | {"id": mode, "time": datetime(2026, 3, 1, tzinfo=UTC), "datacontenttype": "application/json"}
    write = bindings.to_binary if mode == "binary" else bindings.to_structured
    return write(CloudEvent(named, DATA), JSONFormat())


async def test_both_modes_of_the_cloudevents_package_take_effect(
    settings: KafkaSettings, new_topic: NewTopic, url: str
) -> None:
    """S1: what the common package writes is heard."""
    topic = await new_topic()
    async with AIOKafkaProducer(bootstrap_servers=settings.bootstrap) as producer:
        for mode in ("binary", "structured"):
            message = made_by_the_package(mode)
            await producer.send_and_wait(topic, message.value, headers=list(message.headers.items()))
    with ear(url, topic) as one:
        async with listening(settings, one, new_name("group")):
            await one.until(lambda: len(one.heard()) + len(one.parked()) >= 2)
        assert one.heard() == ["binary", "structured"]


@pytest.mark.skipif(shutil.which("kcat") is None, reason="kcat is not installed")
async def test_both_modes_out_of_kcat_take_effect(settings: KafkaSettings, new_topic: NewTopic, url: str) -> None:
    """S1: what an operator types is heard."""
    topic = await new_topic()
    headers = [f"ce_{name}={text}" for name, text in ATTRIBUTES.items()]
    await kcat(settings, topic, json.dumps(DATA), *headers, "content-type=application/json")
    whole = json.dumps(ATTRIBUTES | {"id": "structured", "data": DATA})
    await kcat(settings, topic, whole, "content-type=application/cloudevents+json; charset=utf-8")
    with ear(url, topic) as one:
        async with listening(settings, one, new_name("group")):
            await one.until(lambda: len(one.heard()) + len(one.parked()) >= 2)
        assert one.heard() == ["foreign", "structured"]


async def kcat(settings: KafkaSettings, topic: str, value: str, *headers: str) -> None:
    options = [option for header in headers for option in ("-H", header)]
    process = await asyncio.create_subprocess_exec(
        "kcat", "-q", "-P", "-b", settings.bootstrap, "-t", topic, "-k", SUBSCRIPTION, *options,
        stdin=asyncio.subprocess.PIPE,
    )  # fmt: skip
    await process.communicate(value.encode())
    assert process.returncode == 0
