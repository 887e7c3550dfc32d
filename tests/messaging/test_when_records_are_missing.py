"""When a client or a framework leaves records out on their way to us, or offsets have gaps of their own."""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer

from deploy.local_servers.broker import LocalBroker
from tests.messaging.conftest import NewTopic
from tests.messaging.ear import create_topic, ear, event, id_of, listening, new_name
from tests.messaging.raw_batches import raw_batch, send_raw, strange
from tests.messaging.test_when_messages_cannot_be_used import send
from trunkline.messaging.caught_up import of_topics
from trunkline.messaging.dead_letters.store import parked_page
from trunkline.messaging.kafka import consumer
from trunkline.messaging.kafka.client import KafkaSettings
from trunkline.messaging.kafka.group_session import GroupSession
from trunkline.messaging.records import OutgoingRecord


@pytest.fixture
def quick_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    """A look every 0.2 s in place of every 5 s."""
    monkeypatch.setattr(consumer, "HINT_SECONDS", 0.2)


async def send_to(settings: KafkaSettings, partition: int, *records: OutgoingRecord) -> None:
    async with AIOKafkaProducer(bootstrap_servers=settings.bootstrap) as producer:
        for topic, key, value, headers, _ in records:
            await producer.send_and_wait(topic, value, key=key, headers=list(headers), partition=partition)


@pytest.mark.usefixtures("quick_looks")
async def test_what_the_client_drops_when_another_partition_fails_is_read_again(
    settings: KafkaSettings, new_topic: NewTopic, url: str
) -> None:
    """X3, X6: aiokafka loses what it has read of one partition when it raises on another one."""
    topic = await new_topic(partitions=2)
    good = [event(topic) for _ in range(5)]
    await send_to(settings, 0, *good)
    after = []
    for _ in range(2):
        await send_raw(settings.bootstrap, topic, 1, raw_batch([strange(event(topic))]))
        after.append(event(topic))
        await send_to(settings, 1, after[-1])
    with ear(url, topic) as one:
        async with listening(settings, one, new_name("group")):
            await one.until(lambda: len(one.heard()) >= 7 and len(one.parked()) >= 2)
        assert sorted(one.heard()) == sorted(id_of(record) for record in good + after)
        assert one.parked() == ["undecodable"] * 2


@pytest.mark.usefixtures("quick_looks")
async def test_a_batch_with_a_wrong_checksum_does_not_hold_up_the_others(local_broker: LocalBroker, url: str) -> None:
    """X6: bits that changed on the broker's disk: each offset of the batch is parked, all around it is heard."""
    settings = KafkaSettings(local_broker.bootstrap)
    topic = await create_topic(local_broker.bootstrap, new_name("topic"), 3)
    good = {0: [event(topic) for _ in range(3)], 1: [event(topic)], 2: [event(topic) for _ in range(4)]}
    spoiled, behind = [event(topic) for _ in range(2)], event(topic)
    for partition, records in good.items():
        await send_raw(settings.bootstrap, topic, partition, raw_batch(records))
    await send_raw(settings.bootstrap, topic, 1, raw_batch(spoiled))
    await send_to(settings, 1, behind)
    spoil(local_broker, topic, 1, id_of(spoiled[0]).encode())
    with ear(url, topic) as one:
        async with listening(settings, one, new_name("group")):
            await one.until(lambda: len(one.heard()) >= 9 and len(one.parked()) >= 2)
            after = event(topic)
            await send_to(settings, 1, after)
            await one.until(lambda: len(one.heard()) >= 10)
        expected = [*(r for records in good.values() for r in records), behind, after]
        assert sorted(one.heard()) == sorted(id_of(record) for record in expected)
        parked = parked_page(one.store)
        assert [(p.topic, p.partition, p.offset) for p in parked] == [(topic, 1, 1), (topic, 1, 2)]
        assert {p.code for p in parked} == {"undecodable"}
        assert "CorruptRecordException" in parked[0].reason
        assert [offset for _, offset in sorted(one.store.positions("kafka/").items())] == [2, 4, 3]


def spoil(broker: LocalBroker, topic: str, partition: int, text: bytes) -> None:
    """Change one bit of a text in a partition's file; the broker sends what is there as it is."""
    (file,) = (broker.folder / "data" / f"{topic}-{partition}").glob("*.log")
    data = file.read_bytes()
    at = data.index(text)
    with file.open("r+b") as opened:
        opened.seek(at)
        opened.write(bytes([data[at] ^ 1]))


async def test_a_batch_that_is_lost_on_its_way_is_read_again(
    settings: KafkaSettings, new_topic: NewTopic, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """X3: whatever lies between the broker and us; each record takes effect once and in order."""
    take, lost = GroupSession.take, []

    async def losing(self: GroupSession, fetched: Sequence[Any]) -> None:
        if fetched[0].offset in (10, 20, 30) and fetched[0].offset not in lost:
            lost.append(fetched[0].offset)
        else:
            await take(self, fetched)

    monkeypatch.setattr(GroupSession, "take", losing)
    topic = await new_topic()
    sent = [event(topic) for _ in range(50)]
    await send(settings, *sent)
    with ear(url, topic) as one:
        async with listening(settings, one, new_name("group"), batch=10):
            await one.until(lambda: len(one.heard()) >= 50)
        assert one.heard() == [id_of(record) for record in sent]
        assert lost


@pytest.mark.usefixtures("quick_looks")
@pytest.mark.parametrize("aborts", [False, True], ids=["committed", "every other aborted"])
async def test_gaps_of_transactions_are_no_loss(
    settings: KafkaSettings, new_topic: NewTopic, url: str, aborts: bool
) -> None:
    """X3, X5: each end of a transaction takes an offset; nothing is missing, and all that was said has been heard."""
    topic = await new_topic()
    sent = []
    with ear(url, topic) as one:
        async with (
            AIOKafkaProducer(bootstrap_servers=settings.bootstrap, transactional_id=new_name("foreign")) as producer,
            listening(settings, one, new_name("group"), batch=7),
        ):
            for number in range(8):
                aborted = aborts and number % 2
                await producer.begin_transaction()
                for _ in range(5):
                    record = event(topic)
                    await producer.send(topic, record.value, key=record.key, headers=list(record.headers))
                    sent += [] if aborted else [id_of(record)]
                await (producer.abort_transaction() if aborted else producer.commit_transaction())
            await one.until(lambda: len(one.heard()) >= len(sent))
        assert one.heard() == sent
        passed = await _passed(settings, one.store, topic)
        assert passed()


async def _passed(settings: KafkaSettings, store: Any, topic: str) -> Any:
    passed = await asyncio.to_thread(of_topics, settings, store, [topic])
    assert passed is not None
    return passed
