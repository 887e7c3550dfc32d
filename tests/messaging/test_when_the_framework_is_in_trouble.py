"""When a handler or a listener raises, or the coordinator of the group goes away (X3)."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.client import AIOKafkaClient
from aiokafka.errors import IllegalStateError, KafkaError

from tests.messaging.conftest import NewTopic
from tests.messaging.ear import PATIENCE, ear, event, eventually, id_of, listening, new_name
from tests.messaging.test_when_messages_cannot_be_used import send
from trunkline.messaging.kafka.client import KafkaSettings
from trunkline.messaging.kafka.consumer import Consumer
from trunkline.messaging.kafka.group_session import GroupSession
from trunkline.messaging.records import OutgoingRecord

NOT_COORDINATOR = 16
SUBJECTS = [f"00000000-0000-4000-8000-{number:012}" for number in range(20)]
COORDINATED = ("Heartbeat", "JoinGroup", "SyncGroup", "OffsetCommit")


def raise_once(monkeypatch: pytest.MonkeyPatch, error: Exception) -> list[tuple[TopicPartition, ...]]:
    """Let the first thing that the listener does raise; gives what it was called with."""
    pause, raised = AIOKafkaConsumer.pause, []

    def raising(self: AIOKafkaConsumer, *partitions: TopicPartition) -> None:
        if not raised:
            raised.append(partitions)
            raise error
        pause(self, *partitions)

    monkeypatch.setattr(AIOKafkaConsumer, "pause", raising)
    return raised


@pytest.mark.parametrize(
    "error", [RuntimeError("of our own"), KafkaError("of the client's kind")], ids=["own", "kafka"]
)
async def test_a_handler_that_raises_gets_the_same_records_again(
    settings: KafkaSettings, new_topic: NewTopic, url: str, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    """X3: FastStream would go on behind the batch; each record takes effect once, in order."""
    take, raised = GroupSession.take, []

    async def raising(self: GroupSession, fetched: Sequence[Any]) -> None:
        if fetched[0].offset in (0, 20) and fetched[0].offset not in raised:
            raised.append(fetched[0].offset)
            raise error
        await take(self, fetched)

    monkeypatch.setattr(GroupSession, "take", raising)
    topic = await new_topic()
    sent = [event(topic) for _ in range(50)]
    await send(settings, *sent)
    with ear(url, topic) as one:
        async with listening(settings, one, new_name("group"), batch=10):
            await one.until(lambda: len(one.heard()) >= 50)
        assert one.heard() == [id_of(record) for record in sent]
        assert one.parked() == []
        assert raised


async def test_a_listener_that_raises_ends_the_membership_and_another_one_begins(
    settings: KafkaSettings, new_topic: NewTopic, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """X3: aiokafka would only log it, and the partitions would never be moved to their stored positions."""
    raised = raise_once(monkeypatch, IllegalStateError("no such partition"))
    topic = await new_topic()
    sent = [event(topic) for _ in range(5)]
    await send(settings, *sent)
    with ear(url, topic) as one:
        async with listening(settings, one, new_name("group")) as consumer:
            await one.until(lambda: len(one.heard()) >= 5)
            await eventually(lambda: consumer.settled)
        assert one.heard() == [id_of(record) for record in sent]
        assert len(raised) == 1


async def test_a_mistake_of_ours_in_a_listener_ends_the_run(
    settings: KafkaSettings, new_topic: NewTopic, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """X3: whoever supervises the loop sees it, and nothing was taken from a wrong place."""
    raise_once(monkeypatch, LookupError("of our own"))
    topic = await new_topic()
    await send(settings, event(topic))
    with ear(url, topic) as one:
        with pytest.raises(LookupError, match="of our own"):
            async with asyncio.timeout(PATIENCE):
                await Consumer(settings, [topic], new_name("group"), one).run()
        assert one.heard() == []


class Coordinator:
    """The cluster's answers about a group, as they are once its coordinator has moved, until it is found again."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.moved = False
        self.answered: list[str] = []
        original = AIOKafkaClient.send

        async def send_through(client: AIOKafkaClient, *args: Any, **kwargs: Any) -> Any:
            response = await original(client, *args, **kwargs)
            kind = type(response).__name__.partition("Response")[0]
            if self.moved and kind in COORDINATED:
                self.answered.append(kind)
                self._refuse(response)
            return response

        monkeypatch.setattr(AIOKafkaClient, "send", send_through)

    @staticmethod
    def _refuse(response: Any) -> None:
        if hasattr(response, "error_code"):
            response.error_code = NOT_COORDINATOR
        else:
            response.topics = [
                (topic, [(partition, NOT_COORDINATOR) for partition, _ in partitions])
                for topic, partitions in response.topics
            ]


async def test_a_group_whose_coordinator_goes_away_goes_on(
    settings: KafkaSettings, new_topic: NewTopic, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """X3: NOT_COORDINATOR to heartbeats, joins, syncs and commits; what comes meanwhile and after takes effect once."""
    monkeypatch.setattr("trunkline.messaging.kafka.consumer.HINT_SECONDS", 0.2)
    coordinator = Coordinator(monkeypatch)
    topic, group = await new_topic(partitions=2), new_name("group")
    sent: list[OutgoingRecord] = []
    with ear(url, topic) as one, ear(url, topic) as other:
        async with listening(settings, one, group) as first, listening(settings, other, group) as second:
            for count in (40, 80):
                await eventually(lambda: first.settled and second.settled)
                coordinator.answered.clear()
                coordinator.moved = True
                sent += await page(settings, topic)
                await eventually(lambda: "Heartbeat" in coordinator.answered)
                coordinator.moved = False
                sent += await page(settings, topic)
                await eventually(lambda count=count: len(one.heard()) >= count)
            await eventually(lambda: first.settled and second.settled)
        assert one.heard_of() == {subject: sent_of(sent, subject) for subject in SUBJECTS}


async def page(settings: KafkaSettings, topic: str) -> list[OutgoingRecord]:
    """Send an event of each of twenty subjects."""
    found = [event(topic, subject) for subject in SUBJECTS]
    await send(settings, *found)
    return found


def sent_of(sent: Sequence[OutgoingRecord], subject: str) -> list[str]:
    return [id_of(record) for record in sent if record.key == subject.encode()]
